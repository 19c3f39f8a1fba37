"""Windows of a survey image, and where it ends."""

import numpy as np
from helpers.fields import (
    NOISE,
)
from helpers.measured import has, one_star

from sersicnet.flags import Flags
from sersicnet.measure import field as _field_image
from sersicnet.measure.image import measure_image


def test_windows_are_no_larger_than_tiles_and_what_is_around_them(field, net, monkeypatch):
    sizes, read = [], _field_image.Plane.__getitem__

    def spy(plane, box):
        sizes.append([side.stop - side.start for side in box])
        return read(plane, box)

    monkeypatch.setattr(_field_image.Plane, "__getitem__", spy)
    measure_image(field, psf=None, net=net, tile_size=32, background_box=32)
    assert np.max(sizes) <= 32 + 2 * 96


def test_a_source_at_the_edge_of_what_was_observed(net):
    """A part of the image without weight is an edge, a bad column is none."""
    field = one_star(70.0, 70.0, mask=None)
    for width, edge in ((2, False), (40, True)):
        weights = np.full(field.shape, NOISE**-2)
        weights[:, 73 : 73 + width] = 0
        found = measure_image(field, psf=None, net=net, weight_map=weights)
        assert has(found, Flags.EDGE).tolist() == [edge]
