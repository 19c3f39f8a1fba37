"""From a survey image to a catalog: a field of GalSim galaxies and stars with a known truth."""

import hashlib

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import InverseVariance, StdDevUncertainty
from astropy.stats import gaussian_fwhm_to_sigma
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked
from helpers.fields import (
    NOISE,
    ROTATION,
    SCALE,
    SIDE,
    ZEROPOINT,
    make_field,
    render,
    star,
    truth_table,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter

from sersicnet import SersicNet, __version__
from sersicnet.flags import Flags
from sersicnet.inference.refine import LevenbergMarquardt
from sersicnet.io.cutouts import write_cutout
from sersicnet.io.files import read_table
from sersicnet.io.weights import pretrained_path
from sersicnet.measure import field as _field_image
from sersicnet.measure.image import measure_image
from sersicnet.parameters import PARAMETERS, wrap_theta

# Part of the quoted error that rounding to float32 may move an answer by.
ROUNDING = 5e-3


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="module")
def truth():
    return truth_table()


@pytest.fixture(scope="module")
def field(truth):
    return make_field(render(truth))


@pytest.fixture(scope="module")
def table(field, net):
    """What is measured in one piece."""
    return measure_image(field, net=net)


def value(column):
    return np.asarray(getattr(column, "value", column))


def has(table, flag):
    return (table["flags"] & int(flag)) != 0


def nearest(table, truth):
    """The row of the table for each row of the truth, and how far away it is."""
    x, y = value(table["x_centroid"]), value(table["y_centroid"])
    distance = np.hypot(x - truth["x_0"][:, None], y - truth["y_0"][:, None])
    return distance.argmin(axis=1), distance.min(axis=1)


def assert_same(table, expected, *, rounding=ROUNDING):
    """Photometry and flags to the bit or nearly so, predictions to float32 rounding."""
    assert table.colnames == expected.colnames
    assert len(table) == len(expected)
    for name in expected.colnames:
        parameter = name.partition("_err")[0].removesuffix("_lo").removesuffix("_hi")
        scale = 1.0
        if parameter in (*PARAMETERS, "ra", "dec", "pa"):
            error = {"ra": "x_0", "dec": "x_0", "pa": "theta"}.get(parameter, parameter)
            scale = value(expected[f"{error}_err"])
        tolerance = rounding if np.ndim(scale) else 1e-8
        assert_allclose(
            value(table[name]) / scale, value(expected[name]) / scale, atol=tolerance, err_msg=name
        )


def test_all_sources_are_found_and_nothing_else(table, truth):
    rows, distance = nearest(table, truth)
    assert sorted(rows) == list(range(len(table)))
    assert (distance < 1).all()
    assert_array_equal(table["id"], np.arange(len(table)))


def test_isolated_galaxies_are_measured_to_within_their_errors(table, truth):
    table = table[nearest(table, truth)[0]]
    known = {
        "mag": ZEROPOINT - 2.5 * np.log10(truth["flux"]),
        "r_eff": truth["r_eff"] * SCALE,
        **{name: truth[name] for name in ("n", "q", "x_0", "y_0")},
    }
    galaxies = (truth["r_eff"] > 0) & ~has(table, Flags.BLENDED | Flags.CENTER_MASKED)
    assert galaxies.sum() >= 14
    for name, true in known.items():
        pull = ((value(table[name]) - true) / value(table[f"{name}_err"]))[galaxies]
        assert np.abs(pull).max() < 5, name
        assert 0.4 < np.sqrt(np.mean(pull**2)) < 1.8, name


def test_photutils_agrees(table, truth):
    """Its apertures lose some light, and its radii are those of the image behind the PSF."""
    table = table[nearest(table, truth)[0]]
    isolated = ~has(table, Flags.BLENDED | Flags.CENTER_MASKED)
    difference = value(table["kron_mag"]) - value(table["mag"])
    assert (np.abs(difference[isolated] - 0.05) < 0.2).all()
    stars = truth["r_eff"] == 0
    assert_allclose(value(table["half_light_radius"])[stars], 0.2, atol=0.05)
    assert has(table, Flags.UNRESOLVED)[stars].all()
    assert not has(table, Flags.UNRESOLVED)[~stars].any()


def test_places_on_the_sky(table, field):
    coordinate = field.wcs.pixel_to_world(value(table["x_0"]), value(table["y_0"]))
    assert_allclose(value(table["ra"]), coordinate.ra.deg, rtol=1e-12)
    assert_allclose(value(table["dec"]), coordinate.dec.deg, rtol=1e-12)
    # east is to the left: north through east is the sense of theta
    difference = wrap_theta(value(table["pa"]) - value(table["theta"]) + 90 - ROTATION)
    assert_allclose(difference, 0, atol=0.01)


def test_two_that_overlap_are_blended_and_others_are_not(table, truth):
    rows, _ = nearest(table, truth)
    assert_array_equal(np.flatnonzero(has(table, Flags.BLENDED)), np.sort(rows[-2:]))
    assert not has(table, Flags.EDGE | Flags.SATURATED | Flags.NOISE_ESTIMATED).any()


def test_units_and_meta(table):
    assert table.meta["PIXSCALE"] == pytest.approx(SCALE)
    assert table.meta["MAGZP"] == ZEROPOINT
    assert table["kron_mag"].unit == u.ABmag
    assert table["half_light_radius"].unit == u.arcsec
    assert table["x_0"].unit == table["x_centroid"].unit == u.pix
    assert table["local_background"].unit == u.adu


# Tiles


@pytest.mark.parametrize("tile_size", [64, 130])
def test_tiles_give_what_one_piece_gives(tile_size, table, field, net):
    """No source is lost or doubled, and none is seen in another way."""
    assert_same(measure_image(field, psf=None, net=net, tile_size=tile_size), table)


def test_tiles_with_a_catalog(table, field, net):
    positions = table["id", "x_0", "y_0"][::-1]
    whole = measure_image(field, psf=None, net=net, catalog=positions)
    assert_same(measure_image(field, psf=None, net=net, catalog=positions, tile_size=64), whole)


def test_a_large_galaxy_on_the_corner_of_four_tiles(net):
    """It is seen whole: windows grow until it is."""
    one = {"x_0": 128.2, "y_0": 127.7, "flux": 2e6, "r_eff": 20.0, "n": 1.0, "q": 0.7, "theta": 40}
    truth = {name: np.array([number]) for name, number in one.items()}
    field = make_field(render(truth, (260, 260)), mask=None)
    whole = measure_image(field, psf=None, net=net)
    assert len(whole) == 1
    assert value(whole["area"])[0] > 200 * 60
    assert abs(value(whole["r_eff"])[0] / 2.0 - 1) < 0.1
    assert_same(measure_image(field, psf=None, net=net, tile_size=128), whole)


def test_windows_are_no_larger_than_tiles_and_what_is_around_them(field, net, monkeypatch):
    sizes, read = [], _field_image.Plane.__getitem__

    def spy(plane, box):
        sizes.append([side.stop - side.start for side in box])
        return read(plane, box)

    monkeypatch.setattr(_field_image.Plane, "__getitem__", spy)
    measure_image(field, psf=None, net=net, tile_size=32, background_box=32)
    assert np.max(sizes) <= 32 + 2 * 96


# What comes in


def test_a_file_gives_what_its_cutout_gives(table, field, net, tmp_path):
    write_cutout(field, tmp_path / "field.fits")
    output = tmp_path / "field.ecsv"
    found = measure_image(tmp_path / "field.fits", psf=None, net=net, output=output, tile_size=150)
    assert_same(found, table)
    assert_same(QTable.read(output), found, rounding=1e-9)


def test_compressed_and_scaled_files(field, net, tmp_path):
    """What is read piece by piece is what is read at once."""
    counts = np.round(10 * field.data).astype(np.uint16)
    image = fits.CompImageHDU(counts, header=fits.Header({"BUNIT": "adu"}))
    header = fits.Header({"MAGZP": ZEROPOINT, "PIXSCALE": SCALE})
    path = tmp_path / "field.fits"
    fits.HDUList([fits.PrimaryHDU(header=header), image]).writeto(path)
    weights = np.where(field.mask, 0.0, (10 * NOISE) ** -2)
    fits.writeto(tmp_path / "weight.fits", weights.astype(">f4"))
    fits.writeto(tmp_path / "rms.fits", np.full(counts.shape, 10 * NOISE))
    fits.writeto(tmp_path / "mask.fits", field.mask.astype(np.uint8))
    rounded = make_field(np.zeros(counts.shape), wcs=None, uncertainty=None)
    rounded.data, rounded.meta["PIXSCALE"] = counts, SCALE
    rounded.uncertainty = StdDevUncertainty(np.full(counts.shape, 10 * NOISE))
    expected = measure_image(rounded, psf=star(), net=net)
    options = {"psf": star(), "net": net, "tile_size": 200}
    files = {"rms": tmp_path / "rms.fits", "mask": str(tmp_path / "mask.fits")}
    assert_same(measure_image(path, **options, **files), expected)
    found = measure_image(path, **options, weight_map=tmp_path / "weight.fits")
    for name in ("mag", "r_eff"):  # to the precision of the weights
        assert_allclose(value(found[name]), value(expected[name]), rtol=3e-3)
    assert has(found, Flags.BAD_PIXELS).any()  # no weight is no masked pixel


def test_noise_is_what_the_user_says(table, field, net):
    """Standard deviations, inverse variances with and without units: all the same."""
    sigma = np.full(field.shape, NOISE)
    bare = make_field(np.zeros(field.shape), uncertainty=None)
    bare.data = field.data
    for noise in (
        {"rms": sigma},
        {"rms": sigma / 2 * (2 * u.adu)},
        {"weight_map": sigma**-2},
        {"weight_map": sigma**-2 / u.adu**2},
    ):
        assert_same(measure_image(bare, psf=None, net=net, **noise), table)
    bare.uncertainty = InverseVariance(sigma**-2)
    assert_same(measure_image(bare, psf=None, net=net), table)


def test_noise_that_nobody_says_is_measured_and_flagged(table, field, net):
    bare = make_field(np.zeros(field.shape), uncertainty=None)
    bare.data = field.data
    found = measure_image(bare, psf=None, net=net)
    assert has(found, Flags.NOISE_ESTIMATED).all()
    rows, distance = nearest(found, {"x_0": value(table["x_0"]), "y_0": value(table["y_0"])})
    assert (distance < 1).all()
    pull = (value(found["mag"])[rows] - value(table["mag"])) / value(table["mag_err"])
    assert (np.abs(pull) < 1.5).all()


def test_units_are_arithmetic(table, field, net):
    """Another zero point and pixel scale; the same image as a flux density."""
    found = measure_image(
        field, psf=None, net=net, zeropoint=26 * u.ABmag, pixel_scale=0.2 * u.arcsec
    )
    for name, shift in (("mag", 1), ("kron_mag", 1)):
        assert_allclose(value(found[name]), value(table[name]) + shift, rtol=1e-6)
    for name in ("r_eff", "half_light_radius"):
        assert_allclose(value(found[name]), 2 * value(table[name]), rtol=1e-6)
    nanojansky = make_field(np.zeros(field.shape), unit="nJy", meta={})
    nanojansky.data = field.data
    found = measure_image(nanojansky, psf=None, net=net)
    shift = (1 * u.nJy).to_value(u.ABmag) - ZEROPOINT
    assert_allclose(value(found["mag"]), value(table["mag"]) + shift, rtol=1e-6)
    assert found["local_background"].unit == u.nJy


def test_the_level_of_the_sky_does_not_matter(table, field, net):
    """A constant is taken off exactly, a slope nearly so."""
    y, x = np.indices(field.shape)
    other = make_field(np.zeros(field.shape))
    other.data = field.data + 1000 + 0.02 * x - 0.01 * y
    found = measure_image(other, psf=None, net=net)
    assert len(found) == len(table)
    for name in ("mag", "r_eff", "n", "q"):
        pull = (value(found[name]) - value(table[name])) / value(table[f"{name}_err"])
        assert np.abs(pull).max() < 0.5, name


def test_the_local_sky_gives_a_large_galaxy_its_light_back(net):
    """A sky map in boxes as large as the galaxy takes its outskirts for sky."""
    one = {"x_0": 150.0, "y_0": 150.0, "flux": 2e5, "r_eff": 12.0, "n": 1.0, "q": 0.8, "theta": 0}
    truth = {name: np.array([number]) for name, number in one.items()}
    found = measure_image(
        make_field(render(truth, (300, 300)), mask=None), psf=None, net=net, background_box=64
    )
    assert value(found["local_background"])[0] < -0.05 * NOISE
    assert_allclose(value(found["mag"])[0], ZEROPOINT - 2.5 * np.log10(2e5), atol=0.03)
    assert_allclose(value(found["r_eff"])[0], 1.2, rtol=0.05)


def test_an_image_without_sky(net):
    """Nothing is taken off: not from a galaxy that fills its image, and not a sky that is there."""
    one = {"x_0": 60.0, "y_0": 60.0, "flux": 2e5, "r_eff": 15.0, "n": 1.0, "q": 0.8, "theta": 0}
    light = render({name: np.array([number]) for name, number in one.items()}, (120, 120))
    field = make_field(light, mask=None)
    field.data = light + NOISE * np.random.default_rng(1).normal(size=light.shape)
    found = measure_image(field, psf=None, net=net, background_box=None)
    assert_allclose(value(found["mag"]), ZEROPOINT - 2.5 * np.log10(2e5), atol=0.05)
    assert_array_equal(value(found["local_background"]), 0)
    field.data += 2 * NOISE
    spoiled = measure_image(field, psf=None, net=net, background_box=None)
    assert value(spoiled["mag"])[0] < value(found["mag"])[0] - 0.1


def test_nothing_to_see(table, net):
    found = measure_image(make_field(np.zeros((130, 150))), psf=None, net=net)
    assert len(found) == 0
    assert found.colnames == table.colnames


def image_of_stars(peaks):
    """Stars 80 pixels from each other, whose smoothed peaks are so many sigma, without noise."""
    peak = gaussian_filter(star(), 3 * gaussian_fwhm_to_sigma).max()
    x = 40.0 + 80 * np.arange(len(peaks))
    truth = {"x_0": x, "y_0": np.full(len(x), 40.0), "flux": NOISE * np.array(peaks) / peak}
    return render(truth | {"r_eff": np.zeros(len(x))}, (81, 80 * len(x) + 1)), x


def measure_without_sky(image, net, **options):
    options |= {"rms": np.full(image.shape, NOISE), "background_box": None}
    units = {"pixel_scale": SCALE, "zeropoint": ZEROPOINT}
    return measure_image(image, psf=star(), net=net, **options, **units)


@pytest.mark.parametrize("threshold", [1.5, 4.0])
def test_the_threshold_is_that_of_the_smoothed_image(threshold, net):
    """Of three stars far from each other, one is just below it and two are just above."""
    image, x = image_of_stars(threshold * np.array([0.95, 1.4, 1.9]))
    table = measure_without_sky(image, net, threshold=threshold)
    assert_allclose(value(table["x_centroid"]), x[1:], atol=0.1)


def test_what_is_above_the_threshold_for_the_wings_of_another_is_no_source(net):
    """On a plateau of 1.2 sigma a star has to be as bright as elsewhere."""
    image, x = image_of_stars([0.8, 2.1])
    table = measure_without_sky(image + 1.2 * NOISE, net)
    assert_allclose(value(table["x_centroid"]), x[1:], atol=0.1)
    assert not has(table, Flags.BLENDED).any()


def test_a_network_without_psf_and_center(field, truth):
    """The centroids stand in for the centers."""
    found = measure_image(field, psf=None, net=SersicNet.from_pretrained("deeplegato"))
    assert "theta" not in found.colnames
    assert "pa" not in found.colnames
    coordinate = field.wcs.pixel_to_world(value(found["x_centroid"]), value(found["y_centroid"]))
    assert_allclose(value(found["ra"]), coordinate.ra.deg, rtol=1e-12)
    assert len(found) == len(truth["flux"])


def test_options_reach_the_network(table, field, net):
    """A PSF stamp that holds nine tenths of the light: galaxies are brighter by the rest."""
    options = {"normalize_psf": False, "n_samples": 64}
    found = measure_image(field, psf=0.9 * star() / star().sum(), net=net, **options)
    difference = value(found["mag"]) - value(table["mag"])
    assert_allclose(difference, 2.5 * np.log10(0.9), atol=1e-5)


# A catalog


def test_a_catalog_says_where(table, field, net):
    """Sources are those that detection would find, neighbors are masked, ids are kept."""
    ids = [f"galaxy {i}" for i in range(len(table))]
    pixels = Table({"id": ids, "x_0": value(table["x_0"]), "y_0": value(table["y_0"])})
    found = measure_image(field, psf=None, net=net, catalog=pixels)
    assert list(found["id"]) == ids
    for name in ("mag", "r_eff", "n", "q", "x_0", "y_0"):
        pull = (value(found[name]) - value(table[name])) / value(table[f"{name}_err"])
        assert np.abs(pull).max() < 1, name
    assert_array_equal(found["kron_mag"], table["kron_mag"])
    assert_array_equal(has(found, Flags.BLENDED), has(table, Flags.BLENDED))
    sky = measure_image(field, psf=None, net=net, catalog=table["ra", "dec"])
    assert_array_equal(sky["id"], np.arange(len(table)))
    assert_allclose(value(sky["mag"]), value(found["mag"]), rtol=1e-5)


def test_rows_of_a_catalog_that_are_nowhere(table, field, net):
    """A row comes back for each, in the same order: NaN outside, faint on an empty sky."""
    x, y = value(table["x_0"])[0], value(table["y_0"])[0]
    positions = Table({"x_0": [-5.0, x, np.nan, 1e12, 399.4], "y_0": [20.0, y, 20.0, 20.0, 399.4]})
    found = measure_image(field, psf=None, net=net, catalog=positions)
    assert_array_equal(np.isnan(value(found["mag"])), [True, False, True, True, False])
    assert_array_equal(found["flags"] == int(Flags.NO_DATA), [True, False, True, True, False])
    assert_allclose(value(found["mag"])[1], value(table["mag"])[0], rtol=1e-3)
    assert has(found, Flags.LOW_SNR)[4]
    assert np.isnan(value(found["kron_mag"])[4])


def test_rows_of_a_catalog_without_a_position(field, net):
    """What is masked is no number, whatever is behind the mask."""
    x, y = MaskedColumn([200.0, 200.0], mask=[True, False], unit="pix"), [100.0, 100.0] * u.pix
    masked = Table({"x_0": x, "y_0": y}), QTable({"x_0": x, "y_0": y})
    assert isinstance(masked[1]["x_0"], Masked)
    sky = field.wcs.pixel_to_world(200, 100)
    ra, dec = ([angle.deg] * 2 for angle in (sky.ra, sky.dec))
    masked += (Table({"ra": ra, "dec": MaskedColumn(dec, mask=[True, False])}),)
    bare = make_field(np.zeros(field.shape), uncertainty=None)
    bare.data = field.data
    for positions in masked:
        found = measure_image(bare, net=net, catalog=positions)
        assert found["flags"][0] == int(Flags.NO_DATA)
        assert np.isfinite(value(found["mag"])[1])


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


# What is wrong with a source


def one_star(x, y, **changes):
    truth = {name: np.array([number]) for name, number in {"x_0": x, "y_0": y, "flux": 2e4}.items()}
    return make_field(render(truth | {"r_eff": np.zeros(1)}, (150, 150)), **changes)


def test_a_source_at_the_edge(net):
    for x, y in ((1.0, 70.0), (70.0, 148.0), (148.0, 2.0)):
        found = measure_image(one_star(x, y, mask=None), psf=None, net=net)
        assert has(found, Flags.EDGE).all()
    assert not has(measure_image(one_star(20.0, 70.0), psf=None, net=net), Flags.EDGE).any()


def test_a_source_at_the_edge_of_what_was_observed(net):
    """A part of the image without weight is an edge, a bad column is none."""
    field = one_star(70.0, 70.0, mask=None)
    for width, edge in ((2, False), (40, True)):
        weights = np.full(field.shape, NOISE**-2)
        weights[:, 73 : 73 + width] = 0
        found = measure_image(field, psf=None, net=net, weight_map=weights)
        assert has(found, Flags.EDGE).tolist() == [edge]


def test_a_saturated_star(net):
    field = one_star(70.0, 70.0)
    level = field.data.max() / 2
    field.data = np.minimum(field.data, level)
    field.meta["SATURATE"] = level
    position = Table({"x_0": [70.0], "y_0": [70.0]})
    found = measure_image(field, psf=None, net=net, catalog=position)
    assert has(found, Flags.SATURATED).all()
    field.data[field.data >= level] *= 3  # what they are does not matter
    again = measure_image(field, psf=None, net=net, catalog=position)
    for name in PARAMETERS:
        assert_allclose(value(again[name]), value(found[name]), rtol=1e-5)
    unknown = measure_image(field, psf=None, net=net, catalog=position, saturation=1e9)
    assert not has(unknown, Flags.SATURATED).any()
    assert abs(value(unknown["mag"]) - value(found["mag"])) > 0.1


def test_one_bad_source_does_not_harm_the_others(table, field, net):
    broken = make_field(np.zeros(field.shape))
    broken.data = field.data.copy()
    x, y = int(value(table["x_0"])[9]), int(value(table["y_0"])[9])
    broken.data[y - 30 : y + 31, x - 30 : x + 31] = np.nan
    positions = table["id", "x_0", "y_0"]
    found, whole = (
        measure_image(each, psf=None, net=net, catalog=positions) for each in (broken, field)
    )
    assert has(found, Flags.CENTER_MASKED | Flags.NO_DATA)[9]
    far = np.hypot(value(table["x_0"]) - x, value(table["y_0"]) - y) > 200
    assert far.sum() > 5
    for name in PARAMETERS:  # the sky map has changed a little
        pull = (value(found[name]) - value(whole[name])) / value(whole[f"{name}_err"])
        assert np.abs(pull[far]).max() < 0.1, name


# Calls that make no sense


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"image": 5}, TypeError, "image must be a CCDData, an array or a path, not int"),
        ({"image": np.zeros(5)}, ValueError, "one 2-D image with pixels is needed"),
        *(
            ({name: "absent.fits"}, FileNotFoundError, f"{name}='absent.fits' does not exist")
            for name in ("image", "psf", "rms", "weight_map", "mask")
        ),
        ({"rms": np.ones((4, 4))}, ValueError, r"rms= has shape \(4, 4\), the image \(400, 400\)"),
        ({"weight_map": np.ones((4, 4))}, ValueError, r"weight_map= has shape \(4, 4\), the image"),
        ({"mask": np.ones((4, 4))}, ValueError, r"mask= has shape \(4, 4\), the image"),
        (
            {"rms": np.ones((400, 400)) * u.s},
            u.UnitConversionError,
            "rms has the unit s, and needs",
        ),
        ({"rms": np.ones((4, 4)), "weight_map": np.ones((4, 4))}, ValueError, "both given"),
        ({"tile_size": 0}, ValueError, "tile_size=0 must be a positive integer"),
        ({"n_pixels": 2.5}, ValueError, "n_pixels=2.5 must be a positive integer"),
        ({"background_box": -1}, ValueError, "background_box=-1 must be a positive integer"),
        ({"threshold": 0}, ValueError, "threshold=0 must be positive$"),
        ({"threshold": np.nan}, ValueError, "threshold=nan must be positive$"),
        ({"contrast": 2}, ValueError, "^contrast=2 must be between 0 and 1"),
        ({"output": "no/out.fits"}, FileNotFoundError, "path='no/out.fits': .* no folder 'no'"),
        ({"output": "out.csv"}, ValueError, "path='out.csv' must end in .ecsv, .fits or .parquet"),
        ({"catalog": Table({"x": [1]})}, ValueError, "x_0 and y_0, or ra and dec are needed"),
        ({"psf": np.full((5, 5), np.nan)}, ValueError, "psf has NaN or infinite pixels"),
        ({"zeropoint": np.nan}, ValueError, "zeropoint=nan must be finite"),
        ({"pixel_scale": 3 * u.s}, u.UnitConversionError, "pixel_scale="),
        (
            {"catalog": Table({"x_0": ["a"], "y_0": [1]})},
            ValueError,
            "catalog: the column 'x_0' must be of numbers: could not convert",
        ),
        (
            {"catalog": Table({"ra": [1.0], "dec": ["2d"]})},
            ValueError,
            "catalog: the column 'dec' must be of numbers",
        ),
        (
            {"catalog": QTable({"x_0": [1] * u.s, "y_0": [1] * u.pix})},
            u.UnitConversionError,
            "catalog: the column 'x_0' has the unit s, and needs pix",
        ),
        (
            {"nonsense": 1},
            TypeError,
            r"measure_image\(\) got an unexpected keyword argument 'nonsense'$",
        ),
        ({"thresold": 2}, TypeError, r"measure_image\(\) .*'thresold': did you mean threshold\?"),
        ({"n_sample": 2}, TypeError, "'n_sample': did you mean n_samples"),
        ({"options": {}}, TypeError, "unexpected keyword argument 'options'"),
    ],
)
def test_bad_calls(changes, error, message, field, net):
    arguments = {"image": field, "psf": star(), "net": net} | changes
    with pytest.raises(error, match=message):
        measure_image(arguments.pop("image"), **arguments)


def test_an_image_that_lacks_what_is_needed(field, net):
    plain = make_field(np.zeros(field.shape), wcs=None, meta={}, psf=None)
    plain.data = field.data
    known = {"zeropoint": 25, "pixel_scale": 0.1, "net": net}
    with pytest.raises(ValueError, match="image has the unit adu and no zero point"):
        measure_image(plain, psf=star(), net=net, pixel_scale=0.1)
    with pytest.raises(ValueError, match="image has no pixel scale"):
        measure_image(plain, psf=star(), net=net, zeropoint=25)
    with pytest.raises(ValueError, match="psf=None and no cutout has one"):
        measure_image(plain, **known)
    with pytest.raises(ValueError, match="the image no celestial WCS"):
        measure_image(plain, psf=star(), catalog=Table({"ra": [1.0], "dec": [1.0]}), **known)


def test_files_without_an_image(tmp_path, field, net):
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "empty.fits")
    with pytest.raises(ValueError, match="has no 2-D image"):
        measure_image(tmp_path / "empty.fits", psf=star(), net=net)
    with pytest.raises(ValueError, match=r"mask='.*empty.fits' has no 2-D image"):
        measure_image(field, psf=star(), net=net, mask=tmp_path / "empty.fits")
    (tmp_path / "cut.fits").write_bytes(b"SIMPLE  = nonsense")
    with pytest.raises(OSError, match=r"cut.fits is not a complete FITS file"):
        measure_image(field, psf=star(), net=net, rms=tmp_path / "cut.fits")


def test_a_catalog_tells_what_measured(net, tmp_path, monkeypatch):
    """In its file as well, of whatever format; a name of weights may be in any language."""
    digest = hashlib.sha256(pretrained_path("universal").read_bytes()).hexdigest()
    expected = {"VERSION": f"sersicnet {__version__}", "REFINE": "none", "THRESH": 2.5}
    expected["WEIGHTS"] = f"universal, sha256 {digest}"
    for suffix in ("ecsv", "fits", "parquet"):
        if suffix == "parquet":
            pytest.importorskip("pyarrow")
            pytest.importorskip("pandas")  # reads it
        output = tmp_path / f"table.{suffix}"
        table = measure_image(one_star(70.0, 70.0), net=net, threshold=2.5, output=output)
        for meta in (table.meta, read_table(output).meta):
            assert {name: meta[name] for name in expected} == expected
    monkeypatch.setattr(net, "weights_", "größer")
    options = {"net": net, "refine": LevenbergMarquardt(), "output": tmp_path / "table.fits"}
    meta = measure_image(one_star(70.0, 70.0), **options).meta
    assert (meta["WEIGHTS"], meta["REFINE"]) == ("gr??er", str(LevenbergMarquardt()))
    monkeypatch.setattr(net, "weights_", None)
    assert "not loaded" in measure_image(one_star(70.0, 70.0), net=net).meta["WEIGHTS"]


def test_the_progress_bar_is_of_tiles(field, net, capsys):
    measure_image(field, psf=None, net=net, tile_size=SIDE // 2, progress_bar=True)
    assert "4/4" in capsys.readouterr().err
