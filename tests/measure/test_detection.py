"""Which sources are detected and deblended."""

import numpy as np
import pytest
from astropy.stats import gaussian_fwhm_to_sigma
from astropy.table import Table
from helpers.fields import (
    NOISE,
    SCALE,
    ZEROPOINT,
    make_field,
    render,
    star,
)
from helpers.measured import has, nearest, value
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from sersicnet.flags import Flags
from sersicnet.measure.image import measure_image
from sersicnet.measure.matched import MatchedFilter


def test_all_sources_are_found_and_nothing_else(table, truth):
    rows, distance = nearest(table, truth)
    assert sorted(rows) == list(range(len(table)))
    assert (distance < 1).all()
    assert_array_equal(table["id"], np.arange(len(table)))


def test_two_that_overlap_are_blended_and_others_are_not(table, truth):
    rows, _ = nearest(table, truth)
    assert_array_equal(np.flatnonzero(has(table, Flags.BLENDED)), np.sort(rows[-2:]))
    assert not has(table, Flags.EDGE | Flags.SATURATED | Flags.NOISE_ESTIMATED).any()


def test_nothing_to_see(table, net):
    found = measure_image(make_field(np.zeros((130, 150))), psf=None, net=net)
    assert len(found) == 0
    assert found.colnames == table.colnames


def image_of_stars(peaks, kernel_fwhm=3.0):
    """Stars 80 pixels apart, whose peaks are so many sigma of the filtered image, without noise."""
    peak = gaussian_filter(star(), kernel_fwhm * gaussian_fwhm_to_sigma).max()
    peak /= NOISE * MatchedFilter(kernel_fwhm).noise()
    x = 40.0 + 80 * np.arange(len(peaks))
    truth = {"x_0": x, "y_0": np.full(len(x), 40.0), "flux": np.array(peaks) / peak}
    return render(truth | {"r_eff": np.zeros(len(x))}, (81, 80 * len(x) + 1)), x


def measure_without_sky(image, net, **options):
    options |= {"rms": np.full(image.shape, NOISE), "background_box": None}
    units = {"pixel_scale": SCALE, "zeropoint": ZEROPOINT}
    return measure_image(image, psf=star(), net=net, **options, **units)


@pytest.mark.parametrize(("threshold", "kernel_fwhm"), [(4.5, 3.0), (12.0, 3.0), (5.0, 8.0)])
def test_the_threshold_is_that_of_the_filtered_image(threshold, kernel_fwhm, net):
    """Of three stars far from each other, one is just below it and two are just above."""
    image, x = image_of_stars(threshold * np.array([0.95, 1.4, 1.9]), kernel_fwhm)
    table = measure_without_sky(image, net, threshold=threshold, kernel_fwhm=kernel_fwhm)
    assert_allclose(value(table["x_centroid"]), x[1:], atol=0.1)


def test_what_is_above_the_threshold_for_the_wings_of_another_is_no_source(net):
    """On a plateau of 0.8 thresholds a star has to be as bright as elsewhere."""
    threshold = 4.5
    image, x = image_of_stars(threshold * np.array([0.5, 1.5]))
    plateau = 0.8 * threshold * NOISE * MatchedFilter(3.0).noise()
    table = measure_without_sky(image + plateau, net, threshold=threshold, kernel_fwhm=3.0)
    assert_allclose(value(table["x_centroid"]), x[1:], atol=0.1)
    assert not has(table, Flags.BLENDED).any()


@pytest.mark.parametrize("flux", [2e4, 1e5, 5e5])
def test_two_galaxies_are_two_however_bright_they_are(flux, net):
    """At little more than 2 FWHM, in an image without noise."""
    truth = {name: np.full(2, number) for name, number in (("r_eff", 2.0), ("n", 1.0), ("q", 1.0))}
    truth |= {"x_0": np.array([60.0, 66.5]), "y_0": np.full(2, 60.3), "theta": np.zeros(2)}
    image = render(truth | {"flux": np.full(2, flux)}, (120, 127))
    found = measure_without_sky(image, net)
    assert_allclose(np.sort(value(found["x_centroid"])), truth["x_0"], atol=0.7)


def test_two_rows_in_one_source_share_it(table, field, net):
    """Also where a border of tiles is between them."""
    isolated = table[~has(table, Flags.BLENDED)][3]
    x = np.floor(isolated["x_0"].value) + np.array([-0.4, 0.6])
    positions = Table({"x_0": x, "y_0": np.full(2, isolated["y_0"].value)})
    for tile_size in (1024, int(x[1] + 0.5)):
        found = measure_image(field, psf=None, net=net, catalog=positions, tile_size=tile_size)
        assert has(found, Flags.BLENDED).all()
    one = measure_image(field, psf=None, net=net, catalog=positions[:1])
    assert not has(one, Flags.BLENDED).any()
