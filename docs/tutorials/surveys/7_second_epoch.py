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
# Galaxies and stars on pixels of 1 arcsec, as ZTF has them. In the second epoch the seeing is
# worse, the image is shifted, a star is fainter by 0.4 magnitudes, and a galaxy has faded by 3.

import matplotlib.pyplot as plt
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable
from astropy.wcs import WCS

from sersicnet.simulate_catalog import PSFModel, draw_psf, render_field

scale, zeropoint, side, n = 1.0, 26.2, 220, 24
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


def observe(table, *, fwhm, shift):
    """Return an image of an epoch and its PSF."""
    psf = draw_psf(PSFModel("moffat", fwhm=fwhm, beta=3, size=41), pixel_scale=scale)
    moved = table.copy()
    moved["x_0"] += shift
    light = render_field(moved, (side, side), pixel_scale=scale, zeropoint=zeropoint, psf=psf)
    sigma = np.sqrt(5.0**2 + light / 6.2)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.cunit = ("RA---TAN", "DEC--TAN"), ("deg", "deg")
    wcs.wcs.crval, wcs.wcs.crpix = (210.0, 54.0), (side / 2 + shift, side / 2)
    wcs.wcs.cdelt = np.array([-1, 1]) * scale / 3600
    noisy = light + rng.normal(0, sigma)
    meta = {"MAGZP": zeropoint}
    return CCDData(noisy, unit="adu", uncertainty=StdDevUncertainty(sigma), wcs=wcs, meta=meta), psf


first, first_psf = observe(truth, fwhm=2.0, shift=0.0)
second, second_psf = observe(later, fwhm=2.6, shift=6.3)

# %%
# A catalog, and the fluxes
# -------------------------
#
# The catalog of the first epoch is carried over by ra and dec, and fluxes of both epochs are fitted
# with it: they are linear, and may be negative. With ``catalog_errors`` errors include those of the
# shapes, which both epochs share, so that the scatter of the differences is below 1.

from sersicnet import measure_image

catalog = measure_image(first, psf=first_psf, refine="lm")
is_star = catalog["prob_star"] > 0.5
catalog["r_eff"][is_star] = 0  # which stands for a star
known = {"catalog": catalog, "fixed": "shape", "catalog_errors": True}
before = measure_image(first, psf=first_psf, **known)
after = measure_image(second, psf=second_psf, **known)
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
for ax, image, title in ((axes[0], first, "first"), (axes[1], second, "second")):
    ax.imshow(image.data, origin="lower", cmap="gray_r", vmin=-15, vmax=60)
    ax.set(title=f"{title} epoch", xlabel="x (pixels)")
changed = abs(significance) > 4
axes[0].plot(catalog["x_0"][changed], catalog["y_0"][changed], "o", mfc="none", mec="C3", ms=12)
axes[1].plot(after["x_0"][changed], after["y_0"][changed], "o", mfc="none", mec="C3", ms=12)
axes[2].errorbar(before["mag"].value, significance, 1.0, fmt="k.", elinewidth=0.7)
axes[2].plot(before["mag"].value[changed], significance[changed], "C3o")
axes[2].axhline(0, color="0.5", lw=0.8)
_ = axes[2].set(xlabel="magnitude of the first epoch", ylabel="change / error", ylim=(-30, 10))
