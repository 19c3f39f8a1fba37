"""Whether fits of the galaxies of COSMOS depend on what is assumed of the sky, beside imfit.

::

    python -m benchmarks.real_sky ../shared/real docs/_static/real

The default fit (``refine="lm"``) is compared with imfit (package ``pyimfit``), once with a sky of
0 and once with a free sky. imfit starts from our values. ``real_sky.csv`` has the differences in
magnitude, galaxy by galaxy; ``real_sky_scatter.csv`` has their scatter, the largest one, and the
scatter in units of our errors.
"""

import numpy as np
from astropy.stats import mad_std
from astropy.table import QTable

from benchmarks.common.command import add_weights, make_parser
from benchmarks.common.imfit import fit_cutouts
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.real import PARAMETERS, load_cutouts, samples
from sersicnet import SersicNet, decode_flags
from sersicnet.io.weights import weights_path

SAMPLE = "COSMOS"


def main(arguments=None):
    """Fit the cutouts with both codes, and write the tables."""
    parser = make_parser(__doc__, "real")
    add_weights(parser)
    options = parser.parse_args(arguments)
    names, cutouts = load_cutouts(options.real)
    chosen = np.flatnonzero(samples(cutouts)[SAMPLE])
    names = [names[row] for row in chosen]
    cutouts = [cutouts[row] for row in chosen]
    net = SersicNet.load(weights_path(options.weights))
    ours = net.predict(cutouts, refine="lm", recenter_psf=False).to_table()
    theirs = {
        "imfit, sky fixed": fit_cutouts(cutouts, ours, free_sky=False),
        "imfit, sky free": fit_cutouts(cutouts, ours, free_sky=True),
    }
    galaxies, scatter = compare(names, ours, theirs)
    write_rounded(galaxies, options.output / "real_sky.csv", decimals=3)
    write_rounded(scatter, options.output / "real_sky_scatter.csv", decimals=3)
    print_table(galaxies)
    print_table(scatter)


def compare(names, ours, theirs):
    """Compare our fits with those of others.

    Parameters
    ----------
    names : list of str
        Names of the galaxies.
    ours : `~astropy.table.QTable`
        Our values, errors and flags.
    theirs : dict of dict
        Values of others, by the name of the code.

    Returns
    -------
    galaxies, scatter : `~astropy.table.QTable`
        A row per galaxy, and a row per code and parameter.
    """
    galaxies = QTable({"galaxy": names})
    galaxies["mag"] = plain(ours["mag"])
    galaxies["mag_err"] = plain(ours["mag_err"])
    rows = []
    for code, values in theirs.items():
        galaxies[f"mag - {code}"] = plain(ours["mag"]) - values["mag"]
        for name in PARAMETERS:
            difference = plain(ours[name]) - values[name]
            error = plain(ours[f"{name}_err"])
            if name == "r_eff":
                difference = np.log10(plain(ours[name]) / values[name])
                error = error / plain(ours[name]) / np.log(10)
            row = {"code": code, "parameter": name, "scatter": mad_std(difference, ignore_nan=True)}
            row["largest"] = np.nanmax(np.abs(difference))
            row["scatter, in errors"] = mad_std(difference / error, ignore_nan=True)
            rows.append(row)
    galaxies["flags"] = [" ".join(found) for found in decode_flags(ours["flags"])]
    return galaxies, QTable(rows=rows)


if __name__ == "__main__":
    main()
