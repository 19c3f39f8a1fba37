"""
A galaxy in five bands
======================

Measure one galaxy in the five bands of LSST together: one structure, five magnitudes, and colors
with their errors.
"""

# %%
# Five images
# -----------
#
# The galaxy is simulated as LSST would see it: the bands have PSFs and noise of their own. It is
# redder in its middle, so that it is smaller in red bands.

import matplotlib.pyplot as plt
import numpy as np

from sersicnet import Model, SersicNet
from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, render_catalog

magnitudes = {"g": 23.4, "r": 22.7, "i": 22.3, "z": 22.1, "y": 22.0}
wavelength = {"g": 0.48, "r": 0.62, "i": 0.75, "z": 0.87, "y": 0.97}
slope = -0.4
cutouts = {}
for number, (band, mag) in enumerate(magnitudes.items()):
    config = SimulationConfig.from_survey("LSST", band=band).replace(stamp_size=(64, 64))
    truth = draw_catalog(1, config, seed=3)
    radius = 1.0 * (wavelength[band] / wavelength["g"]) ** slope
    for name, value in {"mag": mag, "r_eff": radius, "n": 2.0, "q": 0.6, "theta": 30}.items():
        truth[name][0] = value * (truth[name].unit or 1)
    cutouts[band] = list(render_catalog(truth, config, seed=10 + number))

# %%
# A picture in color
# ------------------
#
# `~sersicnet.plotting.plot_rgb` makes one of three bands: red, green and blue. They are divided by
# their noise, so that none of them is mostly noise.

from sersicnet.plotting import plot_rgb

figure = plt.figure(figsize=(4, 4.2), layout="constrained")
axes = plot_rgb(cutouts, bands=("i", "r", "g"), figure=figure)

# %%
# Measure all bands together
# --------------------------
#
# A dict of lists has the cutouts of each band. The first one is the reference, whose magnitude is
# ``mag`` as well.

net = SersicNet.from_pretrained()
results = net.predict(cutouts)
row = results.to_table()[0]
for band, true in magnitudes.items():
    print(
        f"{band} {row[f'mag_{band}'].value:.3f} +- {row[f'mag_{band}_err'].value:.3f}, true {true}"
    )
print(f"r_eff {row['r_eff'].value:.3f} +- {row['r_eff_err'].value:.3f} arcsec")

# %%
# Colors
# ------
#
# All bands share the structure, so that its error is in all magnitudes, and not in their
# differences. ``color`` takes that into account. Fits of each band alone have larger errors.

alone = {band: net.predict(cutouts[band], refine="lm") for band in "gr"}
color, error = results.color("g", "r")
apart = alone["g"].median("mag")[0] - alone["r"].median("mag")[0]
apart_error = np.hypot(alone["g"].error("mag")[0], alone["r"].error("mag")[0])
print(f"together {color[0]:.3f} +- {error[0]:.3f}")
print(f"apart    {apart:.3f} +- {apart_error:.3f}")
print(f"true     {magnitudes['g'] - magnitudes['r']:.3f}")

# %%
# Structure that changes with wavelength
# --------------------------------------
#
# This galaxy is smaller in red, so that one structure for all bands biases the color by more than
# its error. With ``chromatic=True``, the logarithm of the radius, and the index, change linearly
# with the logarithm of the wavelength.

results = net.predict(cutouts, model=Model("sersic", chromatic=True), wavelength=wavelength)
row = results.to_table()[0]
color, error = results.color("g", "r")
print(f"g - r {color[0]:.3f} +- {error[0]:.3f}, true {magnitudes['g'] - magnitudes['r']:.3f}")
print(f"slope of log r_eff {row['r_eff_slope']:.2f} +- {row['r_eff_slope_err']:.2f}, true {slope}")
print(f"slope of n         {row['n_slope']:.2f} +- {row['n_slope_err']:.2f}, true 0")

# %%
# Look at the residual
# --------------------
#
# The models of the bands behind their PSFs, and what is left: gray where it is nothing.

figure = plt.figure(figsize=(9, 3.3), layout="constrained")
axes = plot_rgb(cutouts, results, bands=("i", "r", "g"), figure=figure)

# %%
# :doc:`/user_guide/bands` has all about several bands, also of whole images.
