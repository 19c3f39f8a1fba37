"""What is wrong with measurements of galaxies that are drawn at the centers of pixels.

::

    python -m benchmarks.drawn docs/_static/drawn

The same galaxies are drawn in three ways: `~astropy.modeling.functional_models.Sersic2D` at the
centers of the pixels, and on nine times finer pixels, each convolved with the star; and by the
package's own model. ``drawn.csv`` has, for the network and for fits (``lm``), the robust scatter of
the errors of the magnitude in units of the quoted ones.
"""

import numpy as np
import torch
from astropy.modeling.models import Sersic2D
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.stats import mad_std
from astropy.table import QTable
from scipy.signal import fftconvolve

from benchmarks.common.command import add_count, add_weights, make_parser
from benchmarks.common.tables import plain, print_table, write_rounded
from sersicnet import SersicNet
from sersicnet.io.weights import weights_path
from sersicnet.model import psf_transform, sersic_images

SIDE = 96
# Side of the star's stamp, an odd number.
STAR = 65
FWHM = 3.0
BETA = 3.5
# Fine pixels on a side of a pixel, an odd number.
FINE = 9
WAYS = {
    "Sersic2D at the centers of the pixels": 1,
    "Sersic2D on nine times finer pixels": FINE,
    "the package's own model": None,
}


def main(arguments=None):
    """Draw and measure the galaxies, and write the table."""
    parser = make_parser(__doc__)
    add_count(parser, "galaxies", default=50)
    add_weights(parser)
    parser.add_argument("--seed", type=int, default=204)
    options = parser.parse_args(arguments)
    net = SersicNet.load(weights_path(options.weights))
    galaxies = [draw_truth(options.seed, number) for number in range(options.n)]
    rows = []
    for way, fine in WAYS.items():
        cutouts = []
        for number, galaxy in enumerate(galaxies):
            rng = np.random.default_rng([options.seed, number, 1])
            cutouts.append(make_cutout(galaxy, fine, rng=rng))
        row = {"drawn": way}
        for code, refine in (("network", None), ("lm", "lm")):
            table = net.predict(cutouts, refine=refine).to_table()
            error = plain(table["mag"]) - [cutout.meta["MAG"] for cutout in cutouts]
            row[code] = float(mad_std(error / plain(table["mag_err"]), ignore_nan=True))
        rows.append(row)
    table = QTable(rows=rows)
    write_rounded(table, options.output / "drawn.csv", decimals=2)
    print_table(table)


def draw_truth(seed, number):
    """Draw the parameters of a galaxy.

    Parameters
    ----------
    seed : int
        Seed of the galaxies.
    number : int
        Number of the galaxy.

    Returns
    -------
    dict
        Parameters of a Sersic2D (the center from the middle of the image), and ``snr``.
    """
    rng = np.random.default_rng([seed, number])
    return {
        "amplitude": 1.0,
        "r_eff": rng.uniform(3, 8),
        "n": rng.uniform(0.8, 4),
        "x_0": rng.uniform(-0.5, 0.5),
        "y_0": rng.uniform(-0.5, 0.5),
        "ellip": rng.uniform(0, 0.7),
        "theta": rng.uniform(0, np.pi),
        "snr": np.exp(rng.uniform(np.log(100), np.log(500))),
    }


def make_cutout(galaxy, fine, *, rng):
    """Draw the image of a galaxy, with noise of 1.

    Parameters
    ----------
    galaxy : dict
        From `draw_truth`.
    fine : int or None
        Pixels on a side of a pixel on which a Sersic2D is drawn; None for the package's model.
    rng : `~numpy.random.Generator`
        Generator of the noise.

    Returns
    -------
    `~astropy.nddata.CCDData`
        ``MAG`` of its meta is the magnitude of the whole galaxy.
    """
    values = {name: value for name, value in galaxy.items() if name != "snr"}
    model = Sersic2D(**values)
    flux = total_flux(values)
    if fine is None:
        image = flux * _own_image(values)
    else:
        axis = _axis(SIDE, fine)
        image = fftconvolve(model(axis, axis[:, None]), _star(fine), mode="same")
        image = image[fine // 2 :: fine, fine // 2 :: fine]
    scale = galaxy["snr"] / np.sqrt(np.sum(image**2))
    return CCDData(
        scale * image + rng.standard_normal(image.shape),
        unit="adu",
        uncertainty=StdDevUncertainty(np.ones_like(image)),
        psf=_star(1),
        meta={"MAGZP": 25.0, "PIXSCALE": 1.0, "MAG": 25 - 2.5 * np.log10(scale * flux)},
    )


def _axis(side, fine):
    """Positions of pixels from the middle of an image, in pixels of the image."""
    return (np.arange(side * fine) - (side * fine - 1) / 2) / fine


def _star(fine):
    """Return a star of unit sum on pixels that are finer by an odd number."""
    axis = _axis(STAR, fine)
    width = FWHM / 2 / np.sqrt(2 ** (1 / BETA) - 1)
    star = (1 + (axis**2 + axis[:, None] ** 2) / width**2) ** -BETA
    return star / star.sum()


def _own_image(values):
    """Return an image of unit flux by the package's own model."""
    ellipticity = values["ellip"] / (2 - values["ellip"])
    labels = [
        0.0,
        np.log10(values["r_eff"]),
        values["n"],
        ellipticity * np.cos(2 * values["theta"]),
        ellipticity * np.sin(2 * values["theta"]),
        values["x_0"],
        values["y_0"],
    ]
    transform = psf_transform(torch.from_numpy(_star(1)), SIDE)
    return sersic_images(torch.tensor([labels]), transform, stamp_size=SIDE)[0].numpy()


def total_flux(values):
    """Return the flux of a Sersic2D.

    Parameters
    ----------
    values : dict
        Its parameters.

    Returns
    -------
    float
    """
    from scipy.special import gamma, gammaincinv

    n = values["n"]
    b = gammaincinv(2 * n, 0.5)
    area = 2 * np.pi * n * values["r_eff"] ** 2 * (1 - values["ellip"])
    return values["amplitude"] * area * np.exp(b) * b ** (-2 * n) * gamma(2 * n)


if __name__ == "__main__":
    main()
