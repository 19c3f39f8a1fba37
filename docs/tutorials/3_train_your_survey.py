"""
Train for your own survey
=========================

Train a small network for one survey, which learns its PSF, noise and depth from simulations.
"""

# %%
# Is it worth it?
# ---------------
#
# Usually not: the shipped weights measure images of any survey if you pass the PSF
# (:doc:`1_first_cutout`). A network of your own is for images with a property that you can simulate
# and that is not an input of the universal network: a PSF that is not known for each galaxy, as
# here, or noise that is correlated over many pixels. Such a network is also small, and needs no
# PSF.
#
# This example is a **toy**, with a thousand galaxies and less than a minute of one core. The last
# section shows what a real training needs.
#
# Describe the survey
# -------------------
#
# `~sersicnet.simulate_catalog.SimulationConfig` describes a survey. Surveys of the package
# surveycodex are available by name (``SimulationConfig.from_survey("HSC", "i")``). This one is not
# among them: its PSF is elongated by bad tracking.

import matplotlib.pyplot as plt
import numpy as np
from astropy.convolution import Gaussian2DKernel

from sersicnet.parameters import Prior
from sersicnet.simulate_catalog import PSFModel, SimulationConfig

star = Gaussian2DKernel(1.3, 2.0, theta=0.6, x_size=31, y_size=31).array
config = SimulationConfig(
    name="my survey",
    pixel_scale=0.2,  # arcsec
    zeropoint=27.0,
    unit="electron / s",
    gain=2000.0,  # seconds of exposure: photo-electrons of one unit
    sky_noise=0.1,  # in a pixel
    psf=PSFModel("image", image=star),
    priors={
        "mag": Prior(18.0, 23.0),
        "r_eff": Prior(0.3, 2.0, log=True),
        "n": Prior(0.5, 4.0),
        "q": Prior(0.2, 1.0),
        "theta": Prior(-90.0, 90.0),
    },
    stamp_size=(64, 64),
)

# %%
# Simulate
# --------
#
# Draw the truth first, split it into three parts, then render the images. The training images have
# no noise: new noise, with the standard deviation of their uncertainty, is drawn each time a galaxy
# is seen.

from sersicnet.plotting import plot_mosaic
from sersicnet.simulate_catalog import draw_catalog, render_catalog, split_catalog

truth = draw_catalog(1200, config, seed=1)
truth["n"] = np.round(truth["n"], 1)  # GalSim is ten times as fast where indices repeat
train, validation, test = split_catalog(truth, (0.8, 0.05, 0.15), seed=1)
clean = render_catalog(train, config, seed=1, noise=False)
checked = list(render_catalog(validation, config, seed=1, noise=False))
unseen = list(render_catalog(test, config, seed=1))
figure = plt.figure(figsize=(9, 3.7), layout="constrained")
axes = plot_mosaic(unseen[:12], labels=test[:12], n_columns=6, figure=figure)

# %%
# Train
# -----
#
# Settings are arguments of `~sersicnet.SersicNet`. ``fit`` takes the cutouts and their truth.

from sersicnet import SersicNet

names = ("mag", "r_eff", "q")
net = SersicNet(network="cnn", parameters=names, stamp_size=64, max_epochs=15, batch_size=32)
net.fit(
    clean,
    train,
    validation=(checked, validation),
    noise_kernel=config.noise_kernel(),
    progress_bar=False,
)
print(f"{net.record_['n_train']} galaxies, {len(net.history_['epoch'])} epochs")

# %%
# The loss is small where the medians are close to the truth and the errors are of the right size.
# As long as it falls for the validation galaxies, which are not used for training, more epochs
# help. If it rises again while that of the training galaxies falls, the network overfits: more
# galaxies help then. The first epochs are off the scale.

from sersicnet.plotting import plot_history

figure, ax = plt.subplots(figsize=(5.4, 3.4), layout="constrained")
plot_history(net.history_, ax=ax)
_ = ax.set_ylim(-1.5, 1.5)

# %%
# How accurate is it?
# -------------------
#
# Test it on galaxies that it has not seen.

from sersicnet.plotting import plot_predicted_vs_true

figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.7), layout="constrained")
results = net.predict(unseen)
_ = plot_predicted_vs_true(results, test, parameters=names, errors=True, axes=axes)

# %%
# Compare with the universal network, which was not trained for this survey. It takes the PSF, first
# the right one, then a round one of the same area, as one would guess it from the seeing alone.

universal = SersicNet.from_pretrained()
seeing = Gaussian2DKernel(np.sqrt(1.3 * 2.0), x_size=31, y_size=31).array
tables = {
    "this network, without a PSF": net.score(unseen, test),
    "universal, with the PSF": universal.score(unseen, test),
    "universal, with a round PSF": universal.score(unseen, test, psf=seeing),
}
for title, table in tables.items():
    chosen = table[[name in names for name in table["parameter"]]]
    for column in ("r2", "bias", "scatter", "coverage"):
        chosen[column].info.format = ".3f"
    print(title)
    chosen["label", "r2", "bias", "scatter", "coverage"].pprint()

# %%
# ``bias`` and ``scatter`` of the radius are in dex, and ``coverage`` should be 0.68. With the
# right PSF, the universal network is much better than a toy that was trained for this survey. With
# the round PSF, its axis ratios are wrong and their errors too small, while the toy, which has
# learned the PSF from its galaxies, is not affected.
#
# Save it
# -------
#
# The file holds the weights, the settings, the history and a record of the training.

from pathlib import Path
from tempfile import mkdtemp

path = Path(mkdtemp()) / "my_survey.safetensors"
net.save(path)
again = SersicNet.load(path)
print(f"{path.stat().st_size / 1e6:.1f} MB,", again.parameters)
print(
    "the same results:", np.array_equal(again.predict(unseen).median("mag"), results.median("mag"))
)

# %%
# A real training
# ---------------
#
# The shipped weights ``deeplegato`` are those of such a network, for four parameters: 50,000
# galaxies, 22 epochs, and an hour of training on a CPU. For your survey, use the script above with
# several processes that simulate, and a folder from which an interrupted training goes on:
#
# .. code-block:: python
#
#    config = config.replace(stamp_size=(128, 128))
#    truth = draw_catalog(50_000, config, seed=1)
#    ...
#    clean = render_catalog(train, config, seed=1, noise=False, n_jobs=8)
#    net = SersicNet(network="cnn", max_epochs=20)
#    net.fit(clean, train, noise_kernel=config.noise_kernel(), resume="run-1")
#
# On the command line, ``sersicnet simulate HSC:i -n 1000 -j 8`` writes a labeled set of a survey
# of surveycodex, and ``sersicnet train deeplegato -j 8`` does all steps from the simulation to
# tested weights, for CANDELS. :doc:`/user_guide/simulating` and :doc:`/user_guide/training` have
# all settings, and :doc:`/trust/reproducing_deeplegato` the results.
