"""
A deep field of JWST
====================

From an ``_i2d`` file in MJy/sr to fluxes in nJy and sizes of its galaxies.
"""

# %%
# A file
# ------
#
# Forty galaxies between magnitudes 23 and 28, behind a PSF with a FWHM of 0.07 arcsec, as that of
# NIRCam in F200W. The pipeline of JWST writes surface brightness with its noise, ``ERR``, and the
# area of a pixel, from which the zero point follows.

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from sersicnet.simulate_catalog import PSFModel, draw_psf, render_field

scale = 0.03  # arcsec
area = (scale / 3600 * np.pi / 180) ** 2  # steradian
zeropoint = 8.9 - 2.5 * np.log10(1e6 * area)  # of 1 MJy/sr in a pixel
psf = draw_psf(PSFModel("moffat", fwhm=0.07, beta=2.5, size=61), pixel_scale=scale)

rng = np.random.default_rng(11)
side, n = 320, 40
truth = QTable(
    {
        "mag": rng.uniform(23, 28, n),
        "r_eff": rng.lognormal(np.log(0.15), 0.4, n),
        "n": rng.choice([0.8, 1.2, 2.0, 3.0], n),
        "q": rng.uniform(0.3, 1, n),
        "theta": rng.uniform(-90, 90, n),
        "x_0": rng.uniform(10, side - 10, n),
        "y_0": rng.uniform(10, side - 10, n),
    }
)
light = render_field(truth, (side, side), pixel_scale=scale, zeropoint=zeropoint, psf=psf)
sigma = np.full(light.shape, 0.0025)
image = light + rng.normal(0, sigma)

wcs = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"}
wcs |= {"CRVAL1": 53.16, "CRVAL2": -27.8, "CRPIX1": side / 2, "CRPIX2": side / 2}
wcs |= {"CDELT1": -scale / 3600, "CDELT2": scale / 3600}
cards = wcs | {"BUNIT": "MJy/sr", "PIXAR_SR": area, "PIXAR_A2": scale**2}
about = {"TELESCOP": "JWST", "INSTRUME": "NIRCAM", "FILTER": "F200W", "EFFEXPTM": 1030.7}
path = Path(mkdtemp()) / "jw01234_nircam_f200w_i2d.fits"
fits.HDUList(
    [
        fits.PrimaryHDU(header=fits.Header(about)),
        fits.ImageHDU(image.astype("f4"), fits.Header(cards), name="SCI"),
        fits.ImageHDU(sigma.astype("f4"), fits.Header({"BUNIT": "MJy/sr"}), name="ERR"),
        fits.ImageHDU(np.full(light.shape, 1030.0, "f4"), name="WHT"),
    ]
).writeto(path)

# %%
# A catalog
# ---------
#
# Unit, noise, zero point and WCS are in the file. The PSF is not: pass one, such as of STPSF, or
# leave it out and it is made from the stars of the image.

from sersicnet import measure_image

catalog = measure_image(path, psf=psf)
catalog.sort("mag")
shown = catalog["ra", "dec", "flux", "flux_err", "r_eff", "r_eff_err", "n", "q"][:8]
for name in ("flux", "flux_err", "r_eff", "r_eff_err", "n", "q"):
    shown[name].info.format = ".3g"
shown.pprint(max_width=-1)

# %%
# Beside the truth
# ----------------
#
# Each source is matched with the nearest true galaxy within 0.1 arcsec. Lines are the truth; gray
# points have a flag.

away = np.hypot(
    catalog["x_0"].value[:, None] - truth["x_0"], catalog["y_0"].value[:, None] - truth["y_0"]
)
nearest = away.argmin(axis=1)
matched = away.min(axis=1) < 3.5
print(f"{len(catalog)} sources, {matched.sum()} of {n} galaxies")

figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), layout="constrained")
axes[0].imshow(image, origin="lower", cmap="gray_r", vmin=-0.006, vmax=0.03)
axes[0].plot(catalog["x_0"], catalog["y_0"], "o", mfc="none", mec="C3", ms=9)
axes[0].set(title="F200W, with the catalog", xlabel="x (pixels)", ylabel="y (pixels)")
colors = np.where(catalog["flags"] == 0, "C0", "0.7")
true_mag = np.asarray(truth["mag"])[nearest]
true_size = np.asarray(truth["r_eff"])[nearest]
size, size_err = catalog["r_eff"].value, catalog["r_eff_err"].value
for i in np.flatnonzero(matched):
    mag, mag_err = catalog["mag"][i].value, catalog["mag_err"][i].value
    axes[1].errorbar(true_mag[i], mag - true_mag[i], mag_err, fmt=".", color=colors[i])
    axes[2].errorbar(true_size[i], size[i], size_err[i], fmt=".", color=colors[i])
axes[1].axhline(0, color="k", lw=0.8)
axes[1].set(xlabel="true magnitude", ylabel="measured - true", ylim=(-1, 1))
axes[2].plot([0, 0.4], [0, 0.4], "k", lw=0.8)
_ = axes[2].set(xlabel="true r_eff (arcsec)", ylabel="measured r_eff", ylim=(0, 0.5))
