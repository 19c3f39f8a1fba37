"""
Cutouts of HSC
==============

Galaxies of a list, from files of the cutout service of Hyper Suprime-Cam: read, fitted, and shown
with their residuals.
"""

# %%
# Files
# -----
#
# The service returns a file for each galaxy, with image, mask and variance in three extensions and
# the zero point in the card ``FLUXMAG0``, and another with the PSF.

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits
from astropy.table import QTable

from sersicnet.simulate_catalog import PSFModel, draw_psf, render_field

scale, zeropoint, side = 0.168, 27.0, 71
rng = np.random.default_rng(41)
truth = QTable(
    {
        "mag": [20.0, 21.0, 22.0, 23.0],
        "r_eff": [1.2, 0.9, 0.7, 0.5],
        "n": [4.0, 1.0, 2.0, 1.0],
        "q": [0.8, 0.4, 0.6, 0.7],
        "theta": [20.0, 60.0, -30.0, 5.0],
        "x_0": [35.2, 34.8, 35.4, 35.0],
        "y_0": [34.9, 35.3, 35.0, 34.7],
    }
)
folder = Path(mkdtemp())
paths, psf_paths = [], []
for number in range(len(truth)):
    fwhm = rng.uniform(0.55, 0.7)
    psf = draw_psf(PSFModel("kolmogorov", fwhm=fwhm, size=41), pixel_scale=scale)
    light = render_field(
        truth[[number]], (side, side), pixel_scale=scale, zeropoint=zeropoint, psf=psf
    )
    variance = 0.03**2 + light.clip(0) * 0.002
    image = light + rng.normal(0, np.sqrt(variance))
    mask = np.where(image > 0.1, 1 << 5, 0).astype("i4")  # DETECTED, which is not bad
    sky = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"}
    sky |= {"CRVAL1": 150.1 + number, "CRVAL2": 2.2, "CRPIX1": 36.0, "CRPIX2": 36.0}
    sky |= {"CDELT1": -scale / 3600, "CDELT2": scale / 3600}
    about = {"TELESCOP": "Subaru", "INSTRUME": "Hyper Suprime-Cam", "FILTER": "HSC-I"}
    about["FLUXMAG0"] = 10 ** (0.4 * zeropoint)
    hdus = [fits.PrimaryHDU(header=fits.Header(about))]
    for name, data in (("IMAGE", image), ("MASK", mask), ("VARIANCE", variance)):
        cards = {"MP_BAD": 0, "MP_SAT": 1, "MP_EDGE": 4, "HIERARCH MP_DETECTED": 5}
        header = fits.Header(sky | (cards if name == "MASK" else {}))
        data = data if name == "MASK" else data.astype("f4")
        hdus.append(fits.ImageHDU(data, header, name=name))
    paths.append(folder / f"cutout-HSC-I-9813-pdr3_wide-{number}.fits")
    fits.HDUList(hdus).writeto(paths[-1])
    psf_paths.append(folder / f"psf-HSC-I-9813-pdr3_wide-{number}.fits")
    fits.PrimaryHDU(psf).writeto(psf_paths[-1])

# %%
# Read and fit
# ------------
#
# `~sersicnet.read_cutout` finds unit, noise, mask, WCS and zero point. Each cutout has its own PSF.

from sersicnet import SersicNet, read_cutout

cutouts = [read_cutout(path) for path in paths]
psfs = [fits.getdata(path) for path in psf_paths]
print(cutouts[0].unit, cutouts[0].uncertainty.uncertainty_type, "bad:", cutouts[0].mask.sum())
results = SersicNet.from_pretrained().predict(cutouts, psf=psfs, refine="lm")
for number in range(len(truth)):
    print(f"galaxy {number}:", end="")
    for name in ("mag", "r_eff", "n", "q"):
        value, error = results.median(name)[number], results.error(name)[number]
        print(f"  {name} {value:.2f} +- {error:.2f} ({truth[name][number]})", end="")
    print()

# %%
# Residuals
# ---------
#
# Image, model and residual of three of them. What is left is noise.

from sersicnet.plotting import plot_residuals

models = [results.model_image(number, cutouts[number]) for number in range(3)]
figure = plt.figure(figsize=(7, 5), layout="constrained")
labels = [f"mag {mag:.0f}" for mag in truth["mag"][:3]]
axes = plot_residuals(cutouts[:3], models, labels=labels, figure=figure)
