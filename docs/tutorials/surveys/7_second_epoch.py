"""
Forced photometry of a second epoch
===================================

Fluxes of all sources of a first epoch in a second one with another seeing: shapes and positions
stay those of the first, and sources that have changed stand out.
"""

# %%
# Two epochs
# ----------
#
# Galaxies and stars on pixels of 1 arcsec, in three files for each epoch, as ZTF writes them: the
# image, with its sky, without a noise map, and with zero point and gain in its header; the mask, in
# which bit 1 is that of sources, which are not bad; and the PSF. In the second epoch the seeing is
# worse, the image is shifted, a star is fainter by 0.4 magnitudes, and a galaxy has faded by 3.

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from sersicnet.simulate_catalog import PSFModel, draw_psf, render_field

scale, zeropoint, gain = 1.0, 26.2, 6.2
side, n = 220, 24
rng = np.random.default_rng(71)
x_0, y_0 = (grid.ravel() for grid in np.meshgrid(np.arange(25, 220, 42), np.arange(25, 220, 42)))
chosen = rng.permutation(25)[:n]
truth = QTable(
    {
        "mag": rng.uniform(17, 20.5, n),
        "r_eff": np.where(np.arange(n) % 4 == 0, 0, rng.uniform(1.5, 4, n)),
        "n": rng.choice([1.0, 2.0, 3.0], n),
        "q": rng.uniform(0.4, 1, n),
        "theta": rng.uniform(-90, 90, n),
        "x_0": x_0[chosen] + rng.uniform(-8, 8, n),
        "y_0": y_0[chosen] + rng.uniform(-8, 8, n),
    }
)
truth["mag"][5] = 18.5
later = truth.copy()
later["mag"][0] += 0.4
later["mag"][5] += 3.0


folder = Path(mkdtemp())


def observe(table, night, *, fwhm, shift):
    """Write the files of an epoch, and return what `measure_image` needs of them."""
    psf = draw_psf(PSFModel("moffat", fwhm=fwhm, beta=3, size=41), pixel_scale=scale)
    moved = table.copy()
    moved["x_0"] += shift
    light = render_field(moved, (side, side), pixel_scale=scale, zeropoint=zeropoint, psf=psf)
    image = 140 + light + rng.normal(0, np.sqrt(5.0**2 + light / gain))
    mask = np.where(light > 10, 1 << 1, 0)
    mask[100:103, 60:63] = 1 << 8  # saturated
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"}
    cards |= {"CRVAL1": 210.0, "CRVAL2": 54.0, "CRPIX1": side / 2 + shift, "CRPIX2": side / 2}
    cards |= {"CDELT1": -scale / 3600, "CDELT2": scale / 3600, "TELESCOP": "P48"}
    cards |= {"INSTRUME": "ZTF/MOSAIC", "FILTER": "ZTF_r", "EXPTIME": 30.0, "BUNIT": "DN"}
    cards |= {"MAGZP": zeropoint, "GAIN": gain, "SATURATE": 61000.0}
    found = {}
    for name, product, data, kind in (
        ("image", "sciimg", image, "f4"),
        ("mask", "mskimg", mask, "i2"),
        ("psf", "sciimgdaopsfcent", psf, "f4"),
    ):
        found[name] = folder / f"ztf_{night}_000600_zr_c05_o_q1_{product}.fits"
        header = fits.Header(cards if name != "psf" else {})
        fits.PrimaryHDU(data.astype(kind), header).writeto(found[name])
    return found


first = observe(truth, "20180601", fwhm=2.0, shift=0.0)
second = observe(later, "20180705", fwhm=2.6, shift=6.3)

# %%
# A catalog, and the fluxes
# -------------------------
#
# The catalog of the first epoch is carried over by ra and dec, and fluxes of both epochs are fitted
# with it: they are linear, and may be negative. With ``catalog_errors`` errors include those of the
# shapes, which both epochs share, so that the scatter of the differences is below 1.

from sersicnet import measure_image

catalog = measure_image(**first, refine="lm")
is_star = catalog["prob_star"] > 0.5
catalog["r_eff"][is_star] = 0  # which stands for a star
known = {"catalog": catalog, "fixed": "shape", "catalog_errors": True}
before = measure_image(**first, **known)
after = measure_image(**second, **known)
change = after["flux"] - before["flux"]
error = np.hypot(after["flux_err"], before["flux_err"])
significance = (change / error).value
print(
    f"{len(catalog)} sources; scatter of those that stay: "
    f"{np.std(significance[abs(significance) < 4]):.2f} errors"
)
for row in np.flatnonzero(abs(significance) > 4):
    print(f"source {row}: {before['flux'][row]:.0f} -> {after['flux'][row]:.0f}", end=", ")
    print(f"{significance[row]:+.0f} errors")

# %%
# What has changed
# ----------------
#
# The two sources that have changed (red) are far from zero, and all others are within a few errors.

figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.3), layout="constrained")
for ax, paths, title in ((axes[0], first, "first"), (axes[1], second, "second")):
    ax.imshow(fits.getdata(paths["image"]), origin="lower", cmap="gray_r", vmin=125, vmax=200)
    ax.set(title=f"{title} epoch", xlabel="x (pixels)")
changed = abs(significance) > 4
axes[0].plot(catalog["x_0"][changed], catalog["y_0"][changed], "o", mfc="none", mec="C3", ms=12)
axes[1].plot(after["x_0"][changed], after["y_0"][changed], "o", mfc="none", mec="C3", ms=12)
axes[2].errorbar(before["mag"].value, significance, 1.0, fmt="k.", elinewidth=0.7)
axes[2].plot(before["mag"].value[changed], significance[changed], "C3o")
axes[2].axhline(0, color="0.5", lw=0.8)
_ = axes[2].set(xlabel="magnitude of the first epoch", ylabel="change / error", ylim=(-30, 10))
