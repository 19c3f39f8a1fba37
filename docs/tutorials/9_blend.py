"""
A blend
=======

Measure galaxies whose light overlaps, and a star between them: in a cutout, and in an image.
"""

# %%
# Three galaxies and a star
# -------------------------
#
# GalSim draws four sources within a few arcseconds, behind a PSF, with noise. The first galaxy is
# in the middle.

import galsim
import matplotlib.pyplot as plt
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import QTable

pixel_scale = 0.2
zeropoint = 27.0
side = 101
truth = QTable(
    rows=[
        {"x_0": 50.0, "y_0": 50.0, "mag": 20.0, "r_eff": 1.0, "n": 1.5, "q": 0.6, "theta": 20.0},
        {"x_0": 61.0, "y_0": 53.0, "mag": 20.5, "r_eff": 0.8, "n": 1.0, "q": 0.7, "theta": 80.0},
        {"x_0": 44.0, "y_0": 62.0, "mag": 21.0, "r_eff": 0.6, "n": 2.5, "q": 0.8, "theta": -40.0},
        {"x_0": 51.0, "y_0": 37.0, "mag": 20.5, "r_eff": 0.0, "n": 1.0, "q": 1.0, "theta": 0.0},
    ]
)
star = galsim.Moffat(beta=3.5, fwhm=0.7)


def draw(profile, size, offset=(0, 0)):
    """Draw a profile at an offset from the middle, in pixels."""
    image = galsim.Image(size, size, scale=pixel_scale)
    return profile.drawImage(image=image, offset=offset).array.astype(float)


psf = draw(star, 41)
image = np.zeros((side, side))
for row in truth:
    profile = star
    if row["r_eff"] > 0:
        galaxy = galsim.Sersic(row["n"], half_light_radius=row["r_eff"] * np.sqrt(row["q"]))
        galaxy = galaxy.shear(q=row["q"], beta=row["theta"] * galsim.degrees)
        profile = galsim.Convolve(galaxy, star)
    flux = 10 ** (0.4 * (zeropoint - row["mag"]))
    image += draw(flux * profile, side, (row["x_0"] - 50, row["y_0"] - 50))
sigma = 0.1
image += np.random.default_rng(9).normal(0, sigma, image.shape)
cutout = CCDData(image, unit="adu", uncertainty=StdDevUncertainty(np.full(image.shape, sigma)))

# %%
# Mask the neighbors, or fit them
# -------------------------------
#
# By default (``neighbors="mask"``), ``predict`` leaves out what you have masked, and
# `~sersicnet.preprocessing.mask_neighbors` makes the masks. The wings of the neighbors are left in
# the light of the galaxy. With ``neighbors="fit"``, all sources are fitted together, and no mask is
# needed.

from sersicnet import SersicNet
from sersicnet.preprocessing import mask_neighbors

net = SersicNet.from_pretrained()
known = {"psf": psf, "pixel_scale": pixel_scale, "zeropoint": zeropoint}
without = mask_neighbors(cutout)
masked = net.predict([without], refine="lm", **known)
fitted = net.predict([cutout], neighbors="fit", **known)
print("          true       masked            fitted")
for name in ("mag", "r_eff", "n", "q"):
    print(f"{name:6s} {truth[name][0]:7.3f}", end="")
    for results in (masked, fitted):
        print(f"   {results.median(name)[0]:6.3f} +- {results.error(name)[0]:.3f}", end="")
    print()

# %%
# ``blend_fraction`` is the light of neighbors within the half-light ellipse of the galaxy, over its
# own, and the flag ``BLENDED`` says that they matter. With the neighbors masked, ``MISFIT`` says
# that the light that is left is not that of a Sérsic profile.

from sersicnet import decode_flags

row = fitted.to_table()[0]
print(f"{row['group_size']} sources, blend_fraction {row['blend_fraction']:.2f}")
print("fitted:", decode_flags(row["flags"]))
print("masked:", decode_flags(masked.flags[0]))

# %%
# The residual of the cutout shows the sources that the model does not have. Where the neighbors are
# masked (gray), their light is left around the masks.

from sersicnet.plotting import plot_residuals

models = [results.model_image(0, cutout) for results in (masked, fitted)]
labels = ["masked", "fitted"]
figure = plt.figure(figsize=(7.2, 3.8), layout="constrained")
axes = plot_residuals([without, cutout], models, labels=labels, figure=figure)

# %%
# An image
# --------
#
# With ``refine="lm"``, ``measure_image`` finds the sources and fits those together that share
# light. All four are one group, which is named for its brightest source. The star is fitted as a
# point source.

from sersicnet import measure_image

table = measure_image(cutout, refine="lm", **known)
table = table[np.argsort(table["mag"])]
print(table["id", "group_id", "group_size", "blend_fraction", "mag", "mag_err", "r_eff"])

# %%
# The truth beside what was measured, in errors:

for row in truth:
    away = np.hypot(table["x_0"].value - row["x_0"], table["y_0"].value - row["y_0"])
    found = table[np.argmin(away)]
    pull = (found["mag"].value - row["mag"]) / found["mag_err"].value
    text = f"mag {row['mag']:.2f}, measured {found['mag'].value:.3f}, off by {pull:+.1f} errors"
    if row["r_eff"] > 0:
        pull = (found["r_eff"].value - row["r_eff"]) / found["r_eff_err"].value
        text += f"; r_eff {row['r_eff']:.2f}, measured {found['r_eff'].value:.3f}, {pull:+.1f}"
    print(text)

# %%
# :ref:`blends` and :doc:`/user_guide/images` describe what is fitted, and :doc:`/trust/blends` how
# well it works.
