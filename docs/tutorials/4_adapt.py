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
# Images of a real survey are never quite what its description says. Where the true parameters of some
# dozens of its galaxies are known, because they were injected into the images, or fitted in deeper
# ones, the universal network can learn the difference.
#
# Real images are no part of this documentation, so here the difference is simulated, as two faults
# that are common: resampling has correlated the noise, which the noise map does not tell; and the PSF
# that comes with the images is too narrow by a tenth.

import matplotlib.pyplot as plt
import numpy as np

from sersicnet import SersicNet
from sersicnet.parameters import Prior
from sersicnet.simulate_catalog import (
    PSFModel,
    SimulationConfig,
    draw_catalog,
    draw_psf,
    render_catalog,
)

old = SimulationConfig.candels_f160w().replace(
    stamp_size=(96, 96), priors={"mag": Prior(19.0, 23.5), "r_eff": Prior(0.12, 0.9, log=True)}
)
survey = old.replace(noise_correlation=0.8, psf=PSFModel(fwhm=0.2, truncation=1.2))
told = draw_psf(old.psf, pixel_scale=old.pixel_scale)  # of FWHM 0.18


def simulate(n, config, seed):
    """Truth and images of some galaxies."""
    truth = draw_catalog(n, config, seed=seed)
    truth["n"] = np.round(truth["n"], 1)  # GalSim is much faster where indices repeat
    return truth, list(render_catalog(truth, config, seed=seed))


truth, cutouts = simulate(60, survey, seed=1)
test_truth, test_cutouts = simulate(150, survey, seed=2)
old_truth, old_cutouts = simulate(150, old, seed=3)

# %%
# Before
# ------
#
# What the universal network makes of both: the survey, and images in which all is as told.

universal = SersicNet.from_pretrained()
names = ("mag", "r_eff", "n", "q")


def show(net):
    """Scores of both kinds of galaxies."""
    for title, images, true in (("survey", test_cutouts, test_truth), ("old", old_cutouts, old_truth)):
        table = net.score(images, true, psf=told)
        table = table[[name in names for name in table["parameter"]]]
        for column in ("bias", "scatter", "coverage"):
            table[column].info.format = ".3f"
        print(title)
        table["label", "bias", "scatter", "coverage"].pprint()


show(universal)

# %%
# Adapt
# -----
#
# ``fit`` with ``warm_start=True``. Half of each batch are the labelled galaxies, half are fresh scenes
# like those of the first training, which keep the network from forgetting. The truth has to have
# all seven parameters. What was loaded is a copy; the shipped weights stay as they are.

net = SersicNet.from_pretrained().set_params(max_epochs=15, batch_size=32)
net.fit(cutouts, truth, psf=told, warm_start=True, progress_bar=False)
losses = net.record_["validation_loss"]
print(f"{net.record_['n_train']} galaxies to learn from, {net.record_['n_validation']} held out")
print(f"loss of these before {losses['before']:.2f}, after {losses['after']:.2f}")

# %%
# After
# -----

show(net)
