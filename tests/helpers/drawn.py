"""Figures that are drawn, and what they are drawn of."""

import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty

HISTORY = {"epoch": [1, 2, 3], "train_loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 1.5, 2.0]}


def make_cutout(*, shape=(12, 15), seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    galaxy = 50 * np.exp(-np.hypot(y - shape[0] / 2, x - shape[1] / 2) / 2)
    arguments = {"uncertainty": StdDevUncertainty(np.ones(shape)), "unit": "adu", **kwargs}
    return CCDData(galaxy + rng.normal(size=shape), **arguments)


def flat(value, *, noise=1.0, shape=(4, 5), **known):
    """A cutout of one value, in units of its noise."""
    uncertainty = StdDevUncertainty(np.full(shape, noise))
    return CCDData(np.full(shape, value * noise), unit="adu", uncertainty=uncertainty, **known)


def make_tables(*, size=50):
    rng = np.random.default_rng(3)
    truth = {"mag": rng.uniform(18, 24, size), "r_eff": rng.uniform(0.1, 1, size)}
    truth |= {"n": rng.uniform(0.5, 6, size), "q": rng.uniform(0.2, 1, size)}
    predicted = {name: values * rng.normal(1, 0.01, size) for name, values in truth.items()}
    return predicted, truth


def draws(ax):
    """Draw the whole figure, so that whatever is wrong with an artist comes out."""
    ax.figure.canvas.draw()
    return True


def texts(ax):
    return " ".join(text.get_text() for text in ax.texts)
