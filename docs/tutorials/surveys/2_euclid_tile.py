"""
A tile of Euclid
================

A mosaic of Euclid's MER has its noise, flags and PSFs in files of their own: one call takes all
four.
"""

# %%
# Four files
# ----------
#
# Forty galaxies between magnitudes 19 and 23.5 in VIS. The PSF is wider on the right side of the
# tile, and the grid has one for each side.

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS

from sersicnet.simulate_catalog import PSFModel, draw_psf, render_field

scale, zeropoint = 0.1, 24.6
height, width, n = 240, 480, 40
psfs = []
for fwhm in (0.18, 0.27):
    psfs.append(draw_psf(PSFModel("moffat", fwhm=fwhm, beta=3, size=41), pixel_scale=scale))

rng = np.random.default_rng(21)
truth = QTable(
    {
        "mag": rng.uniform(19, 23.5, n),
        "r_eff": rng.lognormal(np.log(0.22), 0.4, n),
        "n": rng.choice([0.8, 1.2, 2.0, 3.0], n),
        "q": rng.uniform(0.3, 1, n),
        "theta": rng.uniform(-90, 90, n),
        "x_0": rng.uniform(10, width - 10, n),
        "y_0": rng.uniform(10, height - 10, n),
    }
)
units = {"pixel_scale": scale, "zeropoint": zeropoint}
light = np.zeros((height, width))
is_left = truth["x_0"] < width / 2
for rows, psf in ((is_left, psfs[0]), (~is_left, psfs[1])):
    light += render_field(truth[rows], light.shape, psf=psf, **units)
sigma = np.full(light.shape, 0.004)
image = light + rng.normal(0, sigma)
image[:, 118:121] = 0  # a gap
flags = np.zeros(light.shape, "i4")
flags[:, 118:121] = 1

cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"}
cards |= {"CRVAL1": 267.8, "CRVAL2": 65.5, "CRPIX1": width / 2, "CRPIX2": height / 2}
cards |= {"CDELT1": -scale / 3600, "CDELT2": scale / 3600, "MAGZERO": zeropoint}
cards |= {"TELESCOP": "Euclid", "INSTRUME": "VIS", "FILTER": "VIS", "EXPTIME": 2280.0}
sky = fits.Header(cards)
folder = Path(mkdtemp())
paths = {}
for kind, data in (("BGSUB-MOSAIC-VIS", image), ("MOSAIC-VIS-RMS", sigma)):
    paths[kind] = folder / f"EUC_MER_{kind}_TILE102020531.fits"
    fits.PrimaryHDU(data.astype("f4"), sky).writeto(paths[kind])
paths["MOSAIC-VIS-FLAG"] = folder / "EUC_MER_MOSAIC-VIS-FLAG_TILE102020531.fits"
fits.PrimaryHDU(flags, sky).writeto(paths["MOSAIC-VIS-FLAG"])

# %%
# The grid of PSFs is an image of stamps side by side, with a table of where each belongs.

places = {"x": np.array([width * 0.25, width * 0.75]), "y": np.array([height / 2, height / 2])}
ra, dec = WCS(sky).pixel_to_world_values(places["x"], places["y"])
grid = QTable({"x_center": [21.0, 62.0], "y_center": [21.0, 21.0], **places, "RA": ra, "Dec": dec})
paths["GRID-PSF-VIS"] = folder / "EUC_MER_GRID-PSF-VIS_TILE102020531.fits"
stamps = fits.ImageHDU(np.hstack(psfs).astype("f4"), fits.Header({"STMPSIZE": 41}))
fits.HDUList([fits.PrimaryHDU(), stamps, fits.BinTableHDU(grid)]).writeto(paths["GRID-PSF-VIS"])

# %%
# A catalog
# ---------
#
# The command line has the same options: ``sersicnet measure BGSUB.fits --rms RMS.fits --mask
# FLAG.fits --psf GRID.fits -o vis.ecsv``.

from sersicnet import measure_image

catalog = measure_image(
    paths["BGSUB-MOSAIC-VIS"],
    rms=paths["MOSAIC-VIS-RMS"],
    mask=paths["MOSAIC-VIS-FLAG"],
    psf=paths["GRID-PSF-VIS"],
)
print(f"{len(catalog)} sources; zero point {catalog.meta['MAGZP']}")

# %%
# What the grid is worth
# ----------------------
#
# The same tile with one PSF for all, that of the left side: small galaxies on the right side come
# out too large. Galaxies with a flag are left out.

with_one = measure_image(
    paths["BGSUB-MOSAIC-VIS"],
    rms=paths["MOSAIC-VIS-RMS"],
    mask=paths["MOSAIC-VIS-FLAG"],
    psf=psfs[0],
)


def matched(table):
    """Return sizes over true sizes, true sizes, and which are on the right side."""
    away = np.hypot(
        table["x_0"].value[:, None] - truth["x_0"], table["y_0"].value[:, None] - truth["y_0"]
    )
    nearest = away.argmin(axis=1)
    known = (away.min(axis=1) < 3) & (table["flags"] == 0)
    true = np.asarray(truth["r_eff"])[nearest]
    return (table["r_eff"].value / true)[known], true[known], ~np.asarray(is_left)[nearest][known]


figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
for ax, table, title in zip(axes, (catalog, with_one), ("the grid", "one PSF"), strict=True):
    ratio, size, right = matched(table)
    ax.plot(size[~right], ratio[~right], "o", label="left side")
    ax.plot(size[right], ratio[right], "s", label="right side")
    ax.axhline(1, color="k", lw=0.8)
    ax.set(ylim=(0.5, 1.8), xlabel="true r_eff (arcsec)", title=title)
    print(f"{title}: median ratio {np.median(ratio[right]):.2f} on the right side")
axes[0].set_ylabel("measured over true r_eff")
_ = axes[0].legend()
