"""
Errors you can trust
====================

Test the errors for *your* images with galaxies whose truth is known, and see what a wrong PSF does.
"""

# %%
# Simulate what you have
# ----------------------
#
# Simulate 120 galaxies as CANDELS sees them. For your survey, change the
# `~sersicnet.simulate_catalog.SimulationConfig`.

import matplotlib.pyplot as plt
import numpy as np

from sersicnet import SersicNet
from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, render_catalog

config = SimulationConfig.candels_f160w()
truth = draw_catalog(120, config, seed=7)
truth["n"] = np.round(truth["n"], 1)  # GalSim is much faster where indices repeat
cutouts = list(render_catalog(truth, config, seed=7))
net = SersicNet.from_pretrained()
results = net.predict(cutouts)

# %%
# Errors in units of the quoted error
# -----------------------------------
#
# The difference from the truth, in units of the quoted error. If errors are right, about two thirds
# of the galaxies are within one (the gray band), bright ones on the left as well as faint ones.

names = ("mag", "r_eff", "n", "q")
figure, axes = plt.subplots(2, 2, figsize=(7, 4.5), sharex=True, sharey=True, layout="constrained")
true = {name: np.asarray(getattr(truth[name], "value", truth[name])) for name in names}
for name, ax in zip(names, axes.flat, strict=True):
    pull = (results.median(name) - true[name]) / results.error(name)
    ax.axhspan(-1, 1, color="0.9")
    ax.plot(true["mag"], pull, ".", ms=4)
    ax.set(ylim=(-5, 5), title=f"{name}: {np.mean(abs(pull) < 1):.0%} within one error")
figure.supxlabel("true magnitude")
_ = figure.supylabel("(measured - true) / error")

# %%
# Coverage
# --------
#
# Coverage generalizes this to intervals of any width: how often is the truth in the central 50, 68,
# 90 or 95 % of the samples? `~sersicnet.diagnostics.coverage_table` counts, with the error due to
# the number of galaxies.

from sersicnet.diagnostics import coverage_table

samples = results.samples(500)
table = coverage_table(samples, truth, levels=[0.68, 0.95], parameters=names)
table["coverage"].info.format = table["coverage_err"].info.format = ".2f"
table["parameter", "level", "coverage", "coverage_err"].pprint()

# %%
# More than the level means that the errors are too large. This is expected here: these images are
# clean, and the errors also allow for faint neighbors and a small error of the sky.
#
# A wrong PSF
# -----------
#
# Errors are only as good as the input. These are the same images with a PSF that is blurred a
# little too much, like the mean of badly aligned stars.

from scipy.ndimage import gaussian_filter

blurred = [gaussian_filter(cutout.psf, 0.8) for cutout in cutouts]
misled = net.predict(cutouts, psf=blurred)

# %%
# The network corrects for more blurring than there is, and its errors do not include this:

from sersicnet.plotting import plot_coverage

levels = np.linspace(0.1, 0.9, 9)
figure, axes = plt.subplots(1, 2, figsize=(9.5, 4), layout="constrained")
for ax, draws, title in zip(
    axes, (samples, misled.samples(500)), ("the right PSF", "a PSF too wide"), strict=True
):
    plot_coverage(coverage_table(draws, truth, levels=levels, parameters=names), ax=ax)
    ax.set_title(title)
axes[0].get_legend().remove()

# %%
# Differences of the same sign for most galaxies are typical of such a mistake. Where the truth is
# not known, check stars: subtracting the PSF should leave nothing but noise.

for name in names:
    pull = (misled.median(name) - true[name]) / misled.error(name)
    low, high, far = np.mean(pull < 0), np.mean(pull > 0), np.mean(abs(pull) > 2)
    print(f"{name:5s} too low {low:.0%}, too high {high:.0%}, off by two errors {far:.0%}")

# %%
# No flag warns of it reliably:

from sersicnet import Flags

print(f"flag MISFIT: {np.mean((misled.flags & Flags.MISFIT) != 0):.0%}")

# %%
# :doc:`/trust/errors` has these tests for the shipped weights on thousands of galaxies, and lists
# the cases in which the errors cannot be trusted.
