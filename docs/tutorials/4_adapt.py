"""
Adapt to real galaxies
======================

A survey has a fault that no training scene had. Sixty galaxies of known parameters teach it to the
network.
"""

# %%
# Where labels come from
# ----------------------
#
# Images of a real survey are never quite what its description says. Where the true parameters of
# some dozens of its galaxies are known, because they were injected into the images, or fitted in
# deeper ones, the universal network can learn the difference.
#
# Real images are no part of this documentation, so here the difference is simulated, as two
# faults that are common: resampling has correlated the noise, which the noise map does not tell;
# and the PSF that comes with the images is too narrow by a tenth.

import matplotlib.pyplot as plt
import numpy as np

from sersicnet.parameters import Prior
from sersicnet.simulate_catalog.catalog import draw_catalog
from sersicnet.simulate_catalog.config import PSFModel, SimulationConfig
from sersicnet.simulate_catalog.render import draw_psf, render_catalog


def simulate(n, config, *, seed):
    """Images and truth of some galaxies."""
    truth = draw_catalog(n, config.replace(stamp_size=(96, 96)), seed=seed)
    truth["n"] = np.round(truth["n"], 1)  # GalSim is much faster where indices repeat
    return list(render_catalog(truth, config, seed=seed)), truth


priors = {"mag": Prior(19.0, 23.5), "r_eff": Prior(0.12, 0.9, log=True)}
described = SimulationConfig.candels_f160w().replace(priors=priors)  # with a PSF of 0.18 arcsec
real = described.replace(noise_correlation=0.8, psf=PSFModel(fwhm=0.2, truncation=1.2))
psf = draw_psf(described.psf, pixel_scale=described.pixel_scale)  # which comes with both

cutouts, truth = simulate(60, real, seed=1)

# %%
# Three sets to test with: the survey as it really is; one that is as the description says; and
# another telescope, with another PSF.

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
# The universal network takes a galaxy that is blurred more than it is told for one that is less
# concentrated, and its errors do not tell. ``coverage`` should be 0.68.

from astropy.table import vstack

from sersicnet import SersicNet

names = ("mag", "r_eff", "n", "q")


def score(net):
    """Scores of all three sets, one below the other."""
    parts = []
    for survey, (images, true, star) in tests.items():
        part = net.score(images, true, psf=star)
        part["survey"] = survey
        parts.append(part[[name in names for name in part["parameter"]]])
    table = vstack(parts)["survey", "label", "bias", "scatter", "coverage"]
    for name in table.colnames[2:]:
        table[name].info.format = ".3f"
    return table


universal = SersicNet.from_pretrained()
before = score(universal)
before[before["survey"] == "real"].pprint()

# %%
# Adapt
# -----
#
# ``fit`` with ``warm_start=True``. Half of each batch are the labeled galaxies, half are fresh
# scenes like those of the first training, without which the network would forget all else. The
# truth has to have all seven parameters. The shipped weights stay as they are. By default there
# are up to 30 epochs of larger batches; this is for a quick look.

net = SersicNet.from_pretrained().set_params(max_epochs=15, batch_size=32)
net.fit(cutouts, truth, psf=psf, warm_start=True, progress_bar=False)
losses = net.record_["validation_loss"]
print(f"{net.record_['n_train']} galaxies to learn from, {net.record_['n_validation']} held out")
print(f"loss of those held out: {losses['before']:.2f} before, {losses['after']:.2f} after")

# %%
# After
# -----
#
# Of galaxies that were not labeled:

after = score(net)
after[after["survey"] == "real"].pprint()

# %%
# Nothing is free. Images with the same PSF stamp, but for which it is *right*, are now measured
# as if it were wrong. Those of another telescope with another PSF suffer less.

for title, table in {"before": before, "after": after}.items():
    print(title)
    table[table["survey"] != "real"].pprint()

# %%
# The same for the index, galaxy by galaxy: errors in units of the quoted one, which should be
# spread like the curve.

from scipy.stats import norm

grid = np.linspace(-6, 6, 100)
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3), sharey=True, layout="constrained")
for ax, (name, (images, true, star)) in zip(axes, tests.items(), strict=True):
    for one, style in ((universal, {"color": "0.75"}), (net, {"histtype": "step", "color": "C1"})):
        results = one.predict(images, psf=star)
        pull = (results.median("n") - true["n"]) / results.error("n")
        label = "adapted" if one is net else "universal"
        ax.hist(pull.clip(-6, 6), bins=24, range=(-6, 6), density=True, lw=2, label=label, **style)
    ax.plot(grid, norm.pdf(grid), color="black", lw=1)
    ax.set(title=name, xlabel="error of n / quoted error")
_ = axes[0].legend(loc="upper right", frameon=False)

# %%
# So an adapted network is for the images that it was adapted to, and for no others. Keep it in a
# file of its own:

from pathlib import Path
from tempfile import mkdtemp

net.save(Path(mkdtemp()) / "my_survey.safetensors")
print(net.record_["description"])

# %%
# Sixty galaxies remove most of the bias, not all of it. More of them do better, and errors of
# the labels are learned as well. :doc:`/user_guide/adapting` has both, measured with 50 and 200 galaxies, says
# what to mind, and why ``refine`` brings the fault back.
