"""Whether disks whose light ends at some radius are found, and by how much they are wrong.

::

    python -m benchmarks.truncated docs/_static/truncated

GalSim draws the disks behind a Moffat PSF of 3 pixels (FWHM). ``truncated_fits.csv`` is about
images without noise, of an index of 1 and radii of 4 and 8 pixels: the smallest and the largest
index of fits with a free sky, and chi2 of their residuals at a S/N of 100 and 300, which says
whether anything could find the end. ``truncated.csv`` is about images with noise, of an index of
0.7 to 2 and radii of 3 to 13 pixels: the share that has ``MISFIT``, and the median error of index
and half-light radius (of the light that there is), by S/N and the radius where the light ends, in
half-light radii of the disk without an end. Those without an end are the same disks.
"""

import galsim
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import plain, print_table, write_rounded
from benchmarks.sets.psfs import draw_star
from sersicnet import Flags, SersicNet
from sersicnet.io.weights import weights_path

SIDE = 128
FWHM = 3.0
ENDS = {"1.8 to 2.6": (1.8, 2.6), "2.6 to 3.1": (2.6, 3.1), "none": None}
SNR = {"50 to 150": (50, 150), "150 to 400": (150, 400), "400 to 1000": (400, 1000)}
EXACT_ENDS = (2.0, 2.5, 3.0, 4.0)
EXACT_SNR = (100, 300)
EXACT_RADII = (4.0, 8.0)
EXACT_AXES = (0.5, 0.9)


def main(arguments=None):
    """Draw and measure the disks, and write both tables."""
    parser = make_parser(__doc__)
    add_count(parser, "disks of each S/N and end", default=25)
    add_weights(parser)
    parser.add_argument("--seed", type=int, default=203)
    options = parser.parse_args(arguments)
    net = SersicNet.load(weights_path(options.weights))
    psf = draw_star(galsim.Moffat(3.5, fwhm=FWHM), 1, (65, 65))
    exact = QTable(rows=[exact_fits(net, psf, end) for end in EXACT_ENDS])
    write_rounded(exact, options.output / "truncated_fits.csv", decimals=2)
    print_table(exact)
    rows = []
    for name, limits in SNR.items():
        for end in ENDS:
            disks = [draw_disk(options.seed, limits, ENDS[end], i) for i in range(options.n)]
            cutouts = [make_cutout(disk, psf, seed=options.seed) for disk in disks]
            for code, refine in (("network", None), ("lm", "lm")):
                table = net.predict(cutouts, refine=refine).to_table()
                rows.append({"S/N": name, "end": end, "code": code} | judge(table, disks))
    table = QTable(rows=rows)
    write_rounded(table, options.output / "truncated.csv", decimals=2)
    print_table(table)


def draw_disk(seed, limits, ends, number):
    """Draw the parameters of a disk; those with one number differ in their ends alone.

    Parameters
    ----------
    seed : int
        Seed of the disks.
    limits : (float, float)
        Smallest and largest S/N.
    ends : (float, float) or None
        Smallest and largest radius where the light ends, None for no end.
    number : int
        Number of the disk.

    Returns
    -------
    dict
    """
    rng = np.random.default_rng([seed, number])
    disk = {
        "number": number,
        "n": rng.uniform(0.7, 2),
        "r_eff": np.exp(rng.uniform(np.log(3), np.log(13))),
        "q": rng.uniform(0.3, 1),
        "theta": rng.uniform(-90, 90),
        "snr": np.exp(rng.uniform(*np.log(limits))),
        "end": 0.0,
    }
    if ends is not None:
        disk["end"] = rng.uniform(*ends)
    return disk


def make_cutout(disk, psf, *, seed):
    """Draw the image of a disk.

    Parameters
    ----------
    disk : dict
        Its parameters; ``half_light``, the half-light radius of the light that there is, is added.
    psf : (K, K) `~numpy.ndarray`
        The PSF.
    seed : int or None
        Seed of the noise; None for none.

    Returns
    -------
    `~astropy.nddata.CCDData`
        The standard deviation of the noise is 1.
    """
    circular = disk["r_eff"] * disk["q"] ** 0.5
    options = {"half_light_radius": circular, "trunc": disk["end"] * circular}
    light = galsim.Sersic(disk["n"], flux_untruncated=disk["end"] > 0, **options)
    disk["half_light"] = disk["r_eff"] * light.half_light_radius / circular
    light = light.shear(q=disk["q"], beta=disk["theta"] * galsim.degrees)
    light = galsim.Convolve(light, galsim.Moffat(3.5, fwhm=FWHM))
    image = draw_star(light, 1, (SIDE, SIDE))
    image *= disk["snr"] / np.sqrt(np.sum(image**2))
    if seed is not None:
        image += np.random.default_rng([seed, disk["number"], 1]).standard_normal(image.shape)
    return CCDData(
        image,
        unit="adu",
        uncertainty=StdDevUncertainty(np.ones_like(image)),
        psf=psf,
        meta={"MAGZP": 25.0, "PIXSCALE": 1.0},
    )


def exact_fits(net, psf, end):
    """Fit images without noise.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        The network.
    psf : (K, K) `~numpy.ndarray`
        The PSF.
    end : float
        Where the light ends, in half-light radii.

    Returns
    -------
    dict
        The smallest and the largest index, and chi2 of the residuals.
    """
    row = {"light ends at": end, "index, lowest": np.inf, "index, highest": -np.inf}
    for snr in EXACT_SNR:
        found = []
        for r_eff in EXACT_RADII:
            for q in EXACT_AXES:
                disk = {"n": 1.0, "r_eff": r_eff, "q": q, "theta": 20.0, "snr": snr, "end": end}
                cutout = make_cutout(disk, psf, seed=None)
                results = net.predict([cutout], refine="lm", sky="free", noise_correlation=None)
                found.append(np.sum(results.residual(0, cutout) ** 2))
                index = float(results.median("n")[0])
                row["index, lowest"] = min(row["index, lowest"], index)
                row["index, highest"] = max(row["index, highest"], index)
        row[f"chi2 at {snr}, lowest"] = min(found)
        row[f"chi2 at {snr}, highest"] = max(found)
    return row


def judge(table, disks):
    """Return how many have ``MISFIT``, and median errors of index and radius.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        What was measured.
    disks : list of dict
        The truth.

    Returns
    -------
    dict
    """
    index = np.array([disk["n"] for disk in disks])
    radius = np.array([disk["half_light"] for disk in disks])
    flags = np.asarray(table["flags"])
    return {
        "disks": len(disks),
        "MISFIT": int(np.sum(flags & int(Flags.MISFIT) != 0)),
        "index": float(np.nanmedian(plain(table["n"]) - index)),
        "radius": float(np.nanmedian(plain(table["r_eff"]) / radius)),
    }


if __name__ == "__main__":
    main()
