"""Galaxies with neighbors."""

import numpy as np

from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star

# Galaxy in the middle, its neighbor, and another that is too far away to matter.
GALAXY = {"snr": 100, "r_eff": 3.0, "n": 1.2, "q": 0.7, "theta": 20}
NEIGHBOR = {"snr": 200, "r_eff": 4.0, "n": 2.0, "q": 0.6, "theta": 80, "dx": 11.0, "dy": 3.0}
FAR = {"snr": 40, "r_eff": 2.0, "n": 1.0, "q": 0.8, "theta": -40, "dx": -45.0, "dy": 40.0}
MAG = 25 - 2.5 * (labels_of(**GALAXY)[0] + np.log10(NOISE))


def blend(*others, seed=5, spots=(), **changes):
    """A cutout of a galaxy and others, with single bright pixels (y, x) if asked."""
    table = [labels_of(**GALAXY)] + [labels_of(**other) for other in others]
    image = add_noise(render(table, star()).sum(axis=0), seed)
    for y, x in spots:
        image[y, x] += 300 * NOISE
    return make_cutout(image, **changes)
