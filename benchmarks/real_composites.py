"""How fits of bulge and disk, and of a nucleus, compare with imfit's on real galaxies.

::

    python -m benchmarks.real_composites ../shared/scenes docs/_static/composites

The first directory holds FITS files with the extensions ``SCI_BAND``, ``ERR_BAND``, ``PSF_BAND``
and ``MASK_BAND``; their primary headers have imfit's fits with a free sky: ``S*`` of one Sérsic
profile, ``B*`` and ``D*`` of a Sérsic profile and an exponential disk. One galaxy of each file, in
the band of these fits, is measured with ``model="auto"``, and under each of these two models alone.
Chi2 over the number of pixels is that of all good pixels, each model with the best constant sky.
"""

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable

from benchmarks.common.command import add_weights, make_parser
from benchmarks.common.png import save_small_png
from benchmarks.common.tables import print_table, write_rounded
from sersicnet import SersicNet, decode_flags
from sersicnet.io.weights import weights_path

MODELS = ("sersic", "sersic+exp")
# Residuals over the noise that are white or black in the figure.
_RANGE = 5.0
_ROWS = 6


def main(arguments=None):
    """Measure the galaxies, and write the table and a figure."""
    parser = make_parser(__doc__, "real")
    add_weights(parser)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    net = SersicNet.load(weights_path(options.weights))
    rows = []
    pictures = {}
    for path in scene_paths(options.real):
        row, pictures[path.stem] = measure(net, path)
        rows.append(row)
    table = QTable(rows=rows)
    print_table(table)
    write_rounded(table, options.output / "real.csv", decimals=3)
    save_small_png(_figure(pictures), options.output / "real.png")


def scene_paths(folder):
    """Return the paths of the files with a fit of two parts, in the order of their names."""
    return [path for path in sorted(Path(folder).glob("*.fits")) if "BMAG" in fits.getheader(path)]


def read_scene(path):
    """Read the band of the reference fits.

    Parameters
    ----------
    path : path-like
        One of the files.

    Returns
    -------
    cutout : `~astropy.nddata.CCDData`
        With noise map, mask and PSF, and ``PIXSCALE`` and ``MAGZP`` in the header.
    header : `~astropy.io.fits.Header`
        The primary header.
    """
    with fits.open(path) as file:
        header = file[0].header
        band = header["FITBAND"].strip()
        images = {}
        for name in ("SCI", "ERR", "PSF", "MASK"):
            images[name] = file[f"{name}_{band}"].data.astype(float)
    cutout = CCDData(
        images["SCI"] - header["SSKY"],  # some files have the sky left in
        unit="adu",
        uncertainty=StdDevUncertainty(images["ERR"]),
        mask=images["MASK"] > 0,
        meta={"PIXSCALE": header[f"PS_{band}"], "MAGZP": header[f"ZP_{band}"]},
    )
    cutout.psf = images["PSF"]
    return cutout, header


def measure(net, path):
    """Measure a galaxy.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The network.
    path : `~pathlib.Path`
        Its file.

    Returns
    -------
    row : dict
        A row of the table.
    pictures : list of `~numpy.ndarray`
        The galaxy, and the residuals of both models, over the noise.
    """
    cutout, header = read_scene(path)
    pictures = [_over_noise(cutout.data, cutout)]
    chosen = net.predict(cutout, model="auto", refine="lm")
    row = {"galaxy": path.stem}
    row["prob_sersic"] = chosen.columns["prob_sersic"][0]
    row["prob_sersic_exp"] = chosen.columns["prob_sersic_exp"][0]
    for model, prefix in zip(MODELS, ("S", "D"), strict=True):
        found = net.predict(cutout, model=model, refine="lm")
        residual = _over_noise(found.residual(0, cutout), cutout)
        pictures.append(residual)
        row[f"chi2 {model}"] = np.nanmean(residual**2)
        row[f"imfit chi2 {model}"] = header[f"{prefix}CHI2"] / header["NGOOD"]
    share = 1 / (1 + 10 ** (0.4 * (header["BMAG"] - header["DMAG"])))
    row["mag"] = found.median("mag")[0]
    row["imfit mag"] = header["BMAG"] + 2.5 * np.log10(share)
    for name in ("bulge_to_total", "bulge_to_total_err"):
        row[name] = found.columns[name][0]
    row["imfit bulge_to_total"] = share
    for name, card in (("r_eff_bulge", "BRE"), ("n_bulge", "BN"), ("r_eff_disk", "DRE")):
        row[name] = found.columns[name][0]
        row[f"imfit {name}"] = header[card]
    row["flags"] = " ".join(decode_flags(int(found.flags[0])))
    return row, pictures


def _over_noise(image, cutout):
    """Return an image less the best constant, over the noise; NaN where pixels are bad."""
    noise = cutout.uncertainty.array
    good = ~cutout.mask & np.isfinite(image) & (noise > 0)
    weight = np.where(good, noise, np.inf) ** -2
    sky = np.sum(weight * np.where(good, image, 0)) / weight.sum()
    return np.where(good, (image - sky) / np.where(good, noise, 1), np.nan)


def _figure(pictures):
    """Return a figure: galaxies, and their residuals under both models."""
    from matplotlib.figure import Figure

    n_columns = -(-len(pictures) // _ROWS)
    figure = Figure(figsize=(5 * n_columns, 1.8 * _ROWS), layout="constrained")
    axes = figure.subplots(_ROWS, 3 * n_columns, squeeze=False)
    for place in axes.flat:
        place.set_axis_off()
    for number, (name, images) in enumerate(pictures.items()):
        column, row = divmod(number, _ROWS)
        own = axes[row, 3 * column : 3 * column + 3]
        own[0].imshow(np.arcsinh(images[0] / 3), origin="lower", cmap="gray_r")
        own[0].set_title(name, fontsize=7)
        for place, image, model in zip(own[1:], images[1:], MODELS, strict=True):
            limits = {"vmin": -_RANGE, "vmax": _RANGE}
            place.imshow(image, origin="lower", cmap="RdBu_r", **limits)
            place.set_title(model, fontsize=7)
    return figure


if __name__ == "__main__":
    main()
