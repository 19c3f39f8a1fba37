"""Cutouts in other bands than that of the detection."""

import numpy as np
import pytest
from helpers.band_fields import SHAPE, TRUTH, draw_bands
from numpy.testing import assert_allclose

from sersicnet.flags import Flags
from sersicnet.measure.band_cutouts import ImageBand
from sersicnet.measure.band_grids import BandGrid
from sersicnet.measure.options import Options
from sersicnet.measure.tiles import open_measurement


@pytest.fixture(scope="module")
def opened(net):
    """The sources of the first image, and both bands."""
    images, _ = draw_bands()
    images["r"].data[100:] = np.nan
    with (
        open_measurement(images["g"], Options(), net=net) as first,
        open_measurement(images["r"], Options(), net=net) as other,
    ):
        bands = {}
        for band, measurement in (("g", first), ("r", other)):
            grid = BandGrid(first.field, measurement.field)
            bands[band] = ImageBand(measurement, measurement.map_sky(), grid)
        sources = first.find_sources((slice(0, SHAPE[0]), slice(0, SHAPE[1])), bands["g"].sky)
        yield sources, bands


def row_of(sources, number):
    away = sources.table["x"] - TRUTH["x_0"][number], sources.table["y"] - TRUTH["y_0"][number]
    return int(np.hypot(*away).argmin())


def test_the_source_is_where_its_grid_says(opened):
    sources, bands = opened
    found = bands["r"].cut(sources, sources.table)
    row = row_of(sources, 0)
    cutout = found.cutouts[row]
    x, y = cutout.grid[:, :2] @ [TRUTH["x_0"][0], TRUTH["y_0"][0]] + cutout.grid[:, 2]
    peak = np.unravel_index(np.nanargmax(np.where(cutout.mask, 0, cutout.data)), cutout.data.shape)
    assert_allclose([x, y], peak[::-1], atol=1.5)
    assert cutout.data.shape == (128, 128)  # what the network sees, not 160
    assert_allclose(found.pixel_scale, 0.08, rtol=1e-4)
    assert abs(found.local_background[row]) < 0.5


def test_neighbors_are_masked_in_all_bands(opened):
    sources, bands = opened
    for band in "gr":
        found = bands[band].cut(sources, sources.table)
        cutout = found.cutouts[row_of(sources, 1)]
        place = cutout.grid[:, :2] @ [TRUTH["x_0"][2], TRUTH["y_0"][2]] + cutout.grid[:, 2]
        x, y = np.round(place).astype(int)
        assert cutout.mask[y, x] or not np.isfinite(cutout.data[y, x])
        middle = cutout.mask[len(cutout.mask) // 2, len(cutout.mask) // 2]
        assert not middle


def test_a_source_without_pixels_or_beyond_the_image_has_no_cutout(opened):
    sources, bands = opened
    found = bands["r"].cut(sources, sources.table)
    hidden, elsewhere = row_of(sources, 1), row_of(sources, 3)
    assert not found.shown[[hidden, elsewhere]].any()
    assert found.shown[row_of(sources, 0)]
    assert found.flags[hidden] & int(Flags.EDGE)
    assert found.cutouts[elsewhere] is None
    kept = found.only(found.shown)
    assert kept.cutouts[hidden] is None
    assert not kept.flags[[hidden, elsewhere]].any()
    assert np.isnan(kept.local_background[hidden])
