"""Galaxies of a survey that is not like the scenes of training, and their truth."""

import numpy as np
from scipy.ndimage import gaussian_filter

from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from sersicnet import SersicNet
from sersicnet.networks.flow_density import label_dict
from sersicnet.parameters import PARAMETERS
from sersicnet.preprocessing import prepare
from sersicnet.training.labeled import labeled_scenes

SEVEN = tuple(PARAMETERS)
PSF = gaussian_filter(star(3.0), 1)
RMS = NOISE / np.sqrt(4 * np.pi)  # of noise that a Gaussian of 1 pixel has smoothed
QUICK = {"device": "cpu", "max_epochs": 3, "batch_size": 24}
SILENT = {"warm_start": True, "progress_bar": False}


def make_net(**changes):
    return SersicNet.from_pretrained().set_params(**(QUICK | changes))


def make_labels(n, seed):
    """Labels of galaxies like those of a survey."""
    rng = np.random.default_rng(seed)
    limits = {"snr": (20, 120), "r_eff": (2, 8), "n": (0.6, 4), "q": (0.3, 0.9)}
    limits |= {"theta": (-90, 90), "dx": (-1, 1), "dy": (-1, 1)}
    values = {name: rng.uniform(*ends, n) for name, ends in limits.items()}
    return [labels_of(**{name: value[i] for name, value in values.items()}) for i in range(n)]


def truth_of(labels, cutouts):
    """Parameters of galaxies of some labels."""
    named = label_dict(np.array(labels))
    frame = prepare(cutouts).frame
    named["log_flux"] = named["log_flux"] + np.log10(NOISE / frame.noise_level)
    return frame.from_labels(named, SEVEN)


def make_survey(n, *, seed):
    """Cutouts that are not like those of training, and their truth."""
    labels = make_labels(n, seed)
    images = gaussian_filter(add_noise(render(labels, star(3.4)), seed=seed), (0, 1, 1))
    cutouts = [make_cutout(image, noise=RMS, psf=PSF) for image in images]
    return cutouts, truth_of(labels, cutouts)


def scenes_of(cutouts, truth, *, psf=None, units=None, **psf_options):
    options = {"oversampling": 1, "normalize": True} | psf_options
    units = {"pixel_scale": None, "zeropoint": None} | (units or {})
    found = labeled_scenes(
        cutouts, truth, psf=psf, psf_options=options, units=units, stamp_size=128
    )
    return found[:2]
