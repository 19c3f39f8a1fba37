"""Windows of a survey image, and where it ends."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fields import (
    NOISE,
    SCALE,
    ZEROPOINT,
    star,
)
from helpers.measured import assert_same, has, nearest, one_galaxy, one_star, value
from numpy.testing import assert_allclose

from sersicnet.flags import Flags
from sersicnet.measure import field as _field_image
from sersicnet.measure.image import measure_image
from sersicnet.measure.options import Options
from sersicnet.measure.tiles import open_measurement


def test_windows_are_no_larger_than_tiles_and_what_is_around_them(field, net, monkeypatch):
    sizes, read = [], _field_image.Plane.__getitem__

    def spy(plane, box):
        sizes.append([side.stop - side.start for side in box])
        return read(plane, box)

    monkeypatch.setattr(_field_image.Plane, "__getitem__", spy)
    # without the stars of the image, whose windows do not depend on tiles
    monkeypatch.setattr("sersicnet.measure.image.with_psf", lambda measurement, _sky: measurement)
    options = {"tile_size": 32, "background_box": 32, "noise_correlation": None}
    measure_image(field, psf=None, net=net, **options)
    assert np.max(sizes) <= 32 + 2 * 96


def test_a_source_at_the_edge_of_what_was_observed(net):
    """A part of the image without weight is an edge, a bad column is none."""
    field = one_star(70.0, 70.0, mask=None)
    for width, edge in ((2, False), (40, True)):
        weights = np.full(field.shape, NOISE**-2)
        weights[:, 73 : 73 + width] = 0
        found = measure_image(field, psf=None, net=net, weight_map=weights)
        assert has(found, Flags.EDGE).tolist() == [edge]


def test_areas_that_are_filled_are_measured_as_if_they_were_masked(field, table, truth, net):
    """Galaxies near it as well, whatever the tiles."""
    gap = np.zeros(field.shape, bool)
    gap[:, :120] = True
    gap[300:340, 200:230] = True
    whole = field.copy()
    whole.psf = field.psf
    whole.mask = field.mask | gap
    whole.data[gap] = np.nan
    expected = measure_image(whole, net=net)
    filled = field.copy()
    filled.psf = field.psf
    filled.data[gap] = -99
    filled.data[300:340, 200:230] = 0
    found = measure_image(filled, net=net, tile_size=150)
    assert_same(found, expected)
    kept = [row for row in range(len(truth["x_0"])) if truth["x_0"][row] > 150]
    rows, distance = nearest(found, {name: truth[name][kept] for name in ("x_0", "y_0")})
    before, _ = nearest(table, {name: truth[name][kept] for name in ("x_0", "y_0")})
    close = distance < 2
    assert close.sum() > 5
    apart = np.abs(value(found["mag"])[rows] - value(table["mag"])[before])[close]
    assert np.median(apart) < 0.03


@pytest.mark.parametrize("level", [0.0, -1.0, 80.0])
def test_a_saturation_below_the_sky_is_none(level, net):
    field = one_star(70.0, 70.0, mask=None)
    expected = measure_image(field, net=net)
    field.meta["SATURATE"] = level
    with pytest.warns(AstropyUserWarning, match="SATURATE = .* is not above the sky") as caught:
        found = measure_image(field, net=net)
    assert caught[0].filename == __file__
    assert_same(found, expected)
    with pytest.raises(ValueError, match=r"saturation=.* it would mask most of the image"):
        measure_image(field, net=net, saturation=level)


def test_a_flat_top_is_saturated_without_a_card(net):
    field = one_star(70.0, 70.0, mask=None)
    assert not has(measure_image(field, net=net), Flags.SATURATED).any()
    top = field.data.max() / 3
    field.data = np.minimum(field.data, top)
    found = measure_image(field, net=net)
    assert has(found, Flags.SATURATED).all()
    field.meta["SATURATE"] = 0.999 * top
    assert_same(measure_image(field, net=net), found)


def test_an_image_that_was_clipped_at_a_low_signal(net):
    """At half of a peak of about 25 sigma; the sky has a slope."""
    field = one_galaxy(70.0, 70.0, r_eff=3.0, flux=2.4e3, mask=None)
    there = {"x_0": np.array([70.0]), "y_0": np.array([70.0])}
    expected = measure_image(field, net=net)
    assert not has(expected, Flags.SATURATED).any()
    sky = np.median(field.data[60:80, :40])
    assert 15 < (field.data.max() - sky) / NOISE < 35
    field.data = np.minimum(field.data, (field.data.max() + sky) / 2)
    found = measure_image(field, net=net)
    (row,), _ = nearest(found, there)
    (same,), _ = nearest(expected, there)
    assert has(found, Flags.SATURATED)[row]
    off = value(found["mag"])[row] - value(expected["mag"])[same]
    assert np.abs(off) < 3 * value(found["mag_err"])[row]


def write_weighted(path, field, weights, **cards):
    header = fits.Header({"MAGZP": ZEROPOINT, "PIXSCALE": SCALE, "BUNIT": "adu"})
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(field.data, header, name="SCI")]
    hdus.append(fits.ImageHDU(weights, fits.Header(cards), name="WHT"))
    fits.HDUList(hdus).writeto(path)


def test_relative_weights_beside_an_image_are_scaled_to_the_sky(net, tmp_path):
    """Exposure times, and inverse variances."""
    field = one_star(70.0, 70.0, mask=None)
    weights = np.full(field.shape, 1500.0)
    weights[:, 100:] = 1000.0
    weights[:, 147:] = 0
    noise = NOISE * np.sqrt(1500 / weights.clip(1e-9))
    expected = measure_image(field, net=net, rms=np.where(weights > 0, noise, np.nan))
    for number, factor in enumerate((1.0, NOISE**-2 / 1500)):
        path = tmp_path / f"{number}.fits"
        write_weighted(path, field, weights * factor)
        if factor == 1:
            with pytest.warns(AstropyUserWarning, match="WHT says a noise of .*relative weights"):
                found = measure_image(path, psf=star(), net=net)
        else:
            found = measure_image(path, psf=star(), net=net)
        assert_allclose(found.meta["NOISCALE"] * (factor * 1500) ** -0.5, NOISE, rtol=0.1)
        assert_allclose(value(found["mag"]), value(expected["mag"]), atol=0.02)
        assert not has(found, Flags.BAD_PIXELS).any()
    options = Options(psf=star(), background_box=None)
    with open_measurement(path, options, net=net) as measurement:
        assert measurement.map_sky().noise_scale == found.meta["NOISCALE"]


def test_a_weight_map_of_exposure_times_is_scaled(net):
    field = one_star(70.0, 70.0, mask=None)
    expected = measure_image(field, net=net)
    with pytest.warns(AstropyUserWarning, match=r"weight_map= says .* scaled to the scatter"):
        found = measure_image(field, net=net, weight_map=np.full(field.shape, 900.0))
    assert_allclose(value(found["mag"]), value(expected["mag"]), atol=0.02)


def test_a_huge_weight_of_a_single_pixel_is_no_source(net):
    field = one_star(70.0, 70.0, mask=None)
    weights = np.full(field.shape, NOISE**-2)
    expected = measure_image(field, net=net, weight_map=weights)
    weights[[30, 72], [100, 71]] *= 1e4
    found = measure_image(field, net=net, weight_map=weights)
    assert len(found) == len(expected) == 1
    assert_allclose(value(found["mag"]), value(expected["mag"]), atol=0.02)


def test_weights_that_compression_has_changed(net, tmp_path):
    """Zeros of a gap become small weights of both signs, and a single pixel has a huge one."""
    field = one_galaxy(70.0, 70.0, r_eff=4.0, mask=None)
    weights = np.full(field.shape, NOISE**-2)
    weights[:, 82:90] = 0
    expected = measure_image(field, net=net, weight_map=weights)
    weights[75, 68] = 1628.0
    header = fits.Header({"MAGZP": ZEROPOINT, "PIXSCALE": SCALE, "BUNIT": "adu"})
    data = np.where(weights > 0, field.data, 0.0)
    options = {"compression_type": "RICE_1", "quantize_level": -0.02}
    options |= {"quantize_method": 1, "dither_seed": 7}
    compressed = fits.CompImageHDU(weights.astype("f4"), name="IVAR", **options)
    path = tmp_path / "image.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, header, name="SCI"), compressed]).writeto(
        path
    )
    with fits.open(path) as hdus:
        gap = hdus["IVAR"].data[:, 82:90]
        assert gap.min() < 0 < gap.max() < 0.1 * NOISE**-2
    found = measure_image(path, psf=star(), net=net)
    assert len(found) == len(expected) == 1
    for name in ("mag", "r_eff", "n", "q"):
        off = value(found[name]) - value(expected[name])
        assert np.abs(off) < value(expected[f"{name}_err"])


@pytest.mark.parametrize("name", ["WHT", "CON"])
def test_nuclei_that_a_mosaic_has_rejected(net, tmp_path, name):
    """They are masked, and the row says so."""
    field = one_galaxy(70.0, 70.0, r_eff=4.0, mask=None)
    whole = measure_image(field, net=net)
    core = np.zeros(field.shape, bool)
    core[68:72, 69:73] = True
    coverage = np.where(core, 0, 4).astype(np.int32)
    header = fits.Header({"MAGZP": ZEROPOINT, "PIXSCALE": SCALE, "BUNIT": "adu"})
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(np.where(core, 0.0, field.data), header, name="SCI")]
    hdus.append(fits.ImageHDU(np.full(field.shape, NOISE), name="ERR"))
    hdus.append(fits.ImageHDU(coverage, name=name))
    fits.HDUList(hdus).writeto(tmp_path / "image.fits")
    (found,) = measure_image(tmp_path / "image.fits", psf=star(), net=net, refine="lm")
    assert found["flags"] & int(Flags.CENTER_MASKED)
    for column in ("mag", "r_eff"):
        off = value(found[column]) - value(whole[column][0])
        error = np.hypot(value(found[f"{column}_err"]), value(whole[f"{column}_err"][0]))
        assert np.abs(off) < 4 * error
