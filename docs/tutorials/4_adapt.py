"""
Adapt to real galaxies
======================

Adapt the network to a survey with a fault that the training did not include, with sixty galaxies of
known parameters.
"""

# %%
# Where labels come from
# ----------------------
#
# Images of a real survey never match its description exactly. If the true parameters of some dozens
# of its galaxies are known, because they were injected into the images or fitted in deeper ones,
# the universal network can learn the difference.
#
# Real images are not part of this documentation, so the difference is simulated here, as two common
# faults: resampling has correlated the noise, which the noise map does not include; and the PSF
# that comes with the images is too narrow by a tenth.

import matplotlib.pyplot as plt
import numpy as np

from sersicnet.parameters import Prior
from sersicnet.simulate_catalog import (
    PSFModel,
    SimulationConfig,
    draw_catalog,
    draw_psf,
    render_catalog,
)


def simulate(n, config, *, seed):
    """Return images and truth of n galaxies."""
    truth = draw_catalog(n, config.replace(stamp_size=(96, 96)), seed=seed)
    truth["n"] = np.round(truth["n"], 1)  # GalSim is much faster where indices repeat
    return list(render_catalog(truth, config, seed=seed)), truth


priors = {"mag": Prior(19.0, 23.5), "r_eff": Prior(0.12, 0.9, log=True)}
described = SimulationConfig.candels_f160w().replace(priors=priors)  # with a PSF of 0.18 arcsec
real = described.replace(noise_correlation=0.8, psf=PSFModel(fwhm=0.2, truncation=1.2))
psf = draw_psf(described.psf, pixel_scale=described.pixel_scale)  # which comes with both

cutouts, truth = simulate(60, real, seed=1)

# %%
# Three test sets: the survey as it really is, the survey as described, and another telescope with
# another PSF.

another = SimulationConfig.from_survey("HSC", "i")
tests = {
    "real": (*simulate(150, real, seed=2), psf),
    "as described": (*simulate(150, described, seed=3), psf),
    "another": (*simulate(150, another, seed=4), None),  # each cutout has its own
}

# %%
# Before
# ------
#
# The PSF is too narrow, so that the universal network measures galaxies as less concentrated than
# they are, with errors that do not include this. ``coverage`` should be 0.68.

from astropy.table import vstack

from sersicnet import SersicNet
from sersicnet.diagnostics import score_table

names = ("mag", "r_eff", "n", "q")


def measure(net):
    """Return the results of all three sets."""
    return {name: net.predict(images, psf=psf) for name, (images, _, psf) in tests.items()}


def score(measured):
    """Return the scores of all three sets in one table."""
    parts = []
    for survey, results in measured.items():
        part = score_table(results.to_table(), tests[survey][1])
        part["survey"] = survey
        parts.append(part[[name in names for name in part["parameter"]]])
    table = vstack(parts)["survey", "label", "bias", "scatter", "coverage"]
    for name in table.colnames[2:]:
        table[name].info.format = ".3f"
    return table


measured = measure(SersicNet.from_pretrained())
before = score(measured)
before[before["survey"] == "real"].pprint()

# %%
# Adapt
# -----
#
# Call ``fit`` with ``warm_start=True``. Half of each batch are the labeled galaxies, the other half
# new scenes like those of the first training, without which the network would forget other surveys.
# The truth needs all seven parameters. The shipped weights stay as they are. The default is up to
# 30 epochs of larger batches; fewer are enough for this example.

net = SersicNet.from_pretrained().set_params(max_epochs=15, batch_size=32)
net.fit(cutouts, truth, psf=psf, warm_start=True, progress_bar=False)
losses = net.record_["validation_loss"]
print(f"{net.record_['n_train']} galaxies to learn from, {net.record_['n_validation']} held out")
print(f"loss of those held out: {losses['before']:.2f} before, {losses['after']:.2f} after")

# %%
# After
# -----
#
# The scores of galaxies that were not labeled:

adapted = measure(net)
after = score(adapted)
after[after["survey"] == "real"].pprint()

# %%
# There is a price. Images with the same PSF stamp for which the stamp is *right* are now measured
# as if it were wrong. Images of another telescope with another PSF are affected less.

for title, table in {"before": before, "after": after}.items():
    print(title)
    table[table["survey"] != "real"].pprint()

# %%
# The errors of the index, galaxy by galaxy, in units of the quoted error. They should follow the
# curve.

from scipy.stats import norm

grid = np.linspace(-6, 6, 100)
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3), sharey=True, layout="constrained")
styles = {"universal": {"color": "0.75"}, "adapted": {"histtype": "step", "color": "C1"}}
for ax, (name, (_, true, _)) in zip(axes, tests.items(), strict=True):
    for label, results in (("universal", measured[name]), ("adapted", adapted[name])):
        pull = (results.median("n") - true["n"]) / results.error("n")
        style = {"lw": 2, "label": label} | styles[label]
        ax.hist(pull.clip(-6, 6), bins=24, range=(-6, 6), density=True, **style)
    ax.plot(grid, norm.pdf(grid), color="black", lw=1)
    ax.set(title=name, xlabel="error of n / quoted error")
_ = axes[0].legend(loc="upper right", frameon=False)

# %%
# Use an adapted network only for the images that it was adapted to. Save it to a file of its own:

from pathlib import Path
from tempfile import mkdtemp

net.save(Path(mkdtemp()) / "my_survey.safetensors")
print(net.record_["description"])

# %%
# Sixty galaxies remove most of the bias, not all of it. More galaxies remove more, and errors of
# the labels are learned as well. :doc:`/user_guide/adapting` has measurements with 50 and 200
# galaxies, and explains what to mind and why ``refine`` brings the fault back.
