"""
A bulge and a disk
==================

Measure a galaxy of two parts: the share of the bulge with its error, and the probability that there
is a bulge at all.
"""

# %%
# A galaxy of two parts
# ---------------------
#
# GalSim draws a bulge with 30 % of the light and an exponential disk, behind a PSF, with noise.

import galsim
import matplotlib.pyplot as plt
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty

pixel_scale = 0.1
zeropoint = 26.0
mag = 19.0
true = {"bulge_to_total": 0.3, "r_eff_bulge": 0.3, "n_bulge": 3.0, "r_eff_disk": 1.2}
side = 100

share = true["bulge_to_total"]
bulge = galsim.Sersic(true["n_bulge"], half_light_radius=true["r_eff_bulge"] * np.sqrt(0.8))
bulge = bulge.shear(q=0.8, beta=40 * galsim.degrees)
disk = galsim.Exponential(half_light_radius=true["r_eff_disk"] * np.sqrt(0.5))
disk = disk.shear(q=0.5, beta=25 * galsim.degrees)
galaxy = 10 ** (0.4 * (zeropoint - mag)) * (share * bulge + (1 - share) * disk)
star = galsim.Moffat(beta=3.5, fwhm=0.28)


def draw(profile, size):
    """Draw a profile behind the PSF, or the PSF alone."""
    image = galsim.Image(size, size, scale=pixel_scale)
    return profile.drawImage(image=image, method="auto").array.astype(float)


psf = draw(star, 41)
sigma = 0.06
noise = np.random.default_rng(8).normal(0, sigma, (side, side))
cutout = CCDData(
    draw(galsim.Convolve(galaxy, star), side) + noise,
    unit="adu",
    uncertainty=StdDevUncertainty(np.full((side, side), sigma)),
)

# %%
# One profile, and two
# --------------------
#
# ``model`` says what the galaxy consists of. One Sérsic profile describes neither part, and its
# magnitude is off by many errors: the flag ``MISFIT`` says so.

from sersicnet import SersicNet, decode_flags

net = SersicNet.from_pretrained()
known = {"psf": psf, "pixel_scale": pixel_scale, "zeropoint": zeropoint}
one = net.predict([cutout], refine="lm", **known)
two = net.predict([cutout], model="sersic+exp", **known)
for results in (one, two):
    row = results.to_table()[0]
    print(f"mag {row['mag'].value:.3f} +- {row['mag_err'].value:.3f}, true {mag}")
    print(f"chi2 for each pixel {row['chi2'] / row['n_pixels']:.3f}, {decode_flags(row['flags'])}")

# %%
# The parts have columns of their own, with errors.

row = two.to_table()[0]
for name, value in true.items():
    print(f"{name:15s} {row[name]:.3f} +- {row[f'{name}_err']:.3f}, true {value}")

# %%
# What is left
# ------------
#
# One profile is too bright in the middle, and too faint around it.

from sersicnet.plotting import plot_residuals

models = [results.model_image(0, cutout) for results in (one, two)]
labels = ["one profile", "bulge\nand disk"]
figure = plt.figure(figsize=(7.2, 3.8), layout="constrained")
axes = plot_residuals([cutout, cutout], models, labels=labels, figure=figure)

# %%
# `~sersicnet.plotting.plot_profile` draws the surface brightness against radius, and the parts of
# the model.

from sersicnet.plotting import plot_profile

figure = plt.figure(figsize=(5, 5), layout="constrained")
axes = plot_profile(cutout, two, figure=figure)

# %%
# Is there a bulge?
# -----------------
#
# A model of more parameters always fits better. ``model="auto"`` compares a star, one profile, a
# bulge and a disk, and a nucleus and a disk, by their evidence, which counts that.

chosen = net.predict([cutout], model="auto", **known)
row = chosen.to_table()[0]
print("model:", row["model"])
for name in ("point", "sersic", "point_exp", "sersic_exp"):
    print(f"{name:10s}  probability {row[f'prob_{name}']:.4f}")

# %%
# An image with ten times the noise does not show whether there is a bulge. The probabilities say
# so, and the magnitude is over all models.

faint = CCDData(
    cutout.data + 9 * noise,
    unit="adu",
    uncertainty=StdDevUncertainty(np.full(noise.shape, 10 * sigma)),
)
row = net.predict([faint], model="auto", **known).to_table()[0]
for name in ("point", "sersic", "point_exp", "sersic_exp"):
    print(f"{name:10s}  probability {row[f'prob_{name}']:.3f}")
print(f"mag {row['mag'].value:.2f} +- {row['mag_err'].value:.2f}, true {mag}")

# %%
# :doc:`/user_guide/models` has the priors and odds of the models, and :doc:`/trust/composites` how
# well the errors and probabilities hold.
