"""
Errors you can trust
====================

Whether the errors are honest can be tested, with galaxies whose truth is known. Here is how to do
it for *your* images, and what happens when the network is told something wrong.
"""

# %%
# Simulate what you have
# ----------------------
#
# A hundred and twenty galaxies as CANDELS sees them. For your survey, change the
# `~sersicnet.simulate_catalog.SimulationConfig`.

import matplotlib.pyplot as plt
import numpy as np

from sersicnet import SersicNet
from sersicnet.simulate_catalog.catalog import draw_catalog
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog

config = SimulationConfig.candels_f160w()
truth = draw_catalog(120, config, seed=7)
cutouts = list(render_catalog(truth, config, seed=7))
net = SersicNet.from_pretrained()
results = net.predict(cutouts)

# %%
# Off by how many errors?
# -----------------------
#
# The difference from the truth, in units of the quoted error. If errors are honest, about two of
# three are within one (the gray band), of the bright galaxies on the left as of the faint ones.

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
# The same question for intervals of any width: how often is the truth in the central 50, 68, 90
# or 95 % of the samples? `~sersicnet.diagnostics.coverage_table` counts, with the error that the
# number of galaxies allows.

from sersicnet.diagnostics import coverage_table

samples = results.samples(500)
table = coverage_table(samples, truth, levels=[0.68, 0.95], parameters=names)
table["coverage"].info.format = table["coverage_err"].info.format = ".2f"
table["parameter", "level", "coverage", "coverage_err"].pprint()

# %%
# More than the level means errors that are too large. That is to be expected here: these images
# are clean, and the network also reckons with what it cannot see, such as faint neighbors and a
# sky that is slightly off.
#
# Told something wrong
# --------------------
#
# Errors are as good as what the network is told. Here are the same images, with a PSF that is
# blurred a little too much, as the mean of badly aligned stars would be.

from scipy.ndimage import gaussian_filter

blurred = [gaussian_filter(cutout.psf, 0.8) for cutout in cutouts]
misled = net.predict(cutouts, psf=blurred)

# %%
# The network takes off more of a blur than there is, and its errors do not tell:

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
# Differences that go one way for most galaxies are the mark of such a mistake. Where there is no
# truth, it shows in stars: the PSF should leave nothing of them but noise.

for name in names:
    pull = (misled.median(name) - true[name]) / misled.error(name)
    low, high, far = np.mean(pull < 0), np.mean(pull > 0), np.mean(abs(pull) > 2)
    print(f"{name:5s} too low {low:.0%}, too high {high:.0%}, off by two errors {far:.0%}")

# %%
# Do not wait for a flag:

from sersicnet import Flags

print(f"flag MISFIT: {np.mean((misled.flags & Flags.MISFIT) != 0):.0%}")

# %%
# :doc:`/trust/errors` has these tests for the shipped weights on thousands of galaxies, and says where
# the answer is no.
