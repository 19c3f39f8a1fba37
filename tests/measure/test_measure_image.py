"""From a survey image to a catalog: a field of GalSim galaxies and stars with a known truth."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.exceptions import AstropyUserWarning
from astropy.utils.masked import Masked
from helpers.fields import (
    NOISE,
    ROTATION,
    SCALE,
    ZEROPOINT,
    make_field,
    render,
    star,
)
from helpers.measured import has, nearest, value
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import SersicNet
from sersicnet.flags import Flags
from sersicnet.measure.image import measure_image
from sersicnet.parameters import PARAMETERS, wrap_theta


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


def test_the_probability_of_a_star(table, truth, field, net):
    """A fit keeps the probability of the network, whose interval of the radius it is made from."""
    found = table["prob_star"][nearest(table, truth)[0]]
    stars = truth["r_eff"] == 0
    assert (found[stars] > 0.6).all()
    assert (found[~stars] < 0.1).all()
    fitted = measure_image(field[:140, :140], psf=star(), net=net, refine="lm")
    known = np.isfinite(fitted["prob_star"])
    assert known.sum() >= 3
    same = [np.hypot(table["x_0"] - row["x_0"], table["y_0"] - row["y_0"]) for row in fitted[known]]
    expected = table["prob_star"][[int(np.argmin(distance)) for distance in same]]
    assert_allclose(fitted["prob_star"][known], expected, atol=0.1)


def test_numbers_without_a_profile(field, net):
    """Those of a fit are of the first sweep, and rows that are nowhere have none."""
    part = field[:140, :140]
    options = {"psf": star(), "net": net, "morphology": True}
    plain = measure_image(part, **options)
    known = np.isfinite(plain["concentration"])
    assert known.sum() >= 2
    assert (plain["r_petro"][known] > plain["r20"][known]).all()
    fitted = measure_image(part, refine="lm", **options)
    assert fitted["gini"].info.description == plain["gini"].info.description
    assert np.isfinite(fitted["concentration"]).sum() >= 2
    catalog = Table({"x_0": [-500.0, 70.0], "y_0": [0.0, 70.0]})
    assert np.isnan(measure_image(part, catalog=catalog, **options)["gini"][0])


def test_places_on_the_sky(table, field):
    coordinate = field.wcs.pixel_to_world(value(table["x_0"]), value(table["y_0"]))
    assert_allclose(value(table["ra"]), coordinate.ra.deg, rtol=1e-12)
    assert_allclose(value(table["dec"]), coordinate.dec.deg, rtol=1e-12)
    # east is to the left: north through east is the sense of theta
    difference = wrap_theta(value(table["pa"]) - value(table["theta"]) + 90 - ROTATION)
    assert_allclose(difference, 0, atol=0.01)


def test_units_and_meta(table):
    assert table.meta["PIXSCALE"] == pytest.approx(SCALE)
    assert table.meta["MAGZP"] == ZEROPOINT
    assert table["kron_mag"].unit == u.ABmag
    assert table["half_light_radius"].unit == u.arcsec
    assert table["x_0"].unit == table["x_centroid"].unit == u.pix
    assert table["local_background"].unit == u.adu


# What comes in


def test_units_are_arithmetic(table, field, net):
    """Another zero point and pixel scale; the same image as a flux density."""
    units = {"zeropoint": 26 * u.ABmag, "pixel_scale": 0.2 * u.arcsec}
    with pytest.warns(AstropyUserWarning, match="pixel_scale= has 0.2 .* but the WCS has 0.1"):
        found = measure_image(field, psf=None, net=net, **units)
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


def test_a_catalog_is_carried_to_another_image_by_the_sky(table, field, net, caplog):
    """Here a part of it, with other pixels."""
    part = field[30:, 40:]
    caplog.set_level("INFO", "sersicnet")
    found = measure_image(part, psf=star(), net=net, catalog=table)
    there = (value(table["x_0"]) > 60) & (value(table["y_0"]) > 50)
    assert there.sum() > 10
    for name, shift in (("x_0", 40), ("y_0", 30)):
        difference = value(found[name]) + shift - value(table[name])
        assert np.abs(difference[there]).max() < 0.5, name
    assert f"x_0 and y_0 of {len(table)} of {len(table)} rows are not the pixels of" in caplog.text
    foreign = table["id", "x_0", "y_0", "ra", "dec"]
    foreign.meta.clear()
    with pytest.warns(AstropyUserWarning, match="catalog: .*: ra and dec are used") as caught:
        measure_image(part, psf=star(), net=net, catalog=foreign[there][:1])
    assert caught[0].filename == __file__


def test_rows_of_a_catalog_that_are_nowhere(table, field, net):
    """A row comes back for each, in the same order: NaN outside, no magnitude on an empty sky."""
    x, y = value(table["x_0"])[0], value(table["y_0"])[0]
    positions = Table({"x_0": [-5.0, x, np.nan, 1e12, 399.4], "y_0": [20.0, y, 20.0, 20.0, 399.4]})
    found = measure_image(field, psf=None, net=net, catalog=positions)
    assert_array_equal(np.isnan(value(found["r_eff"])), [True, False, True, True, False])
    assert_array_equal(np.isnan(value(found["mag"])), [True, False, True, True, True])
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
        assert np.isfinite(value(found["r_eff"])[1])


# What is wrong with a source


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
        ({"output": "no/out.fits"}, FileNotFoundError, "output='no/out.fits': .* no folder 'no'"),
        (
            {"output": "out.csv"},
            ValueError,
            "output='out.csv' must end in .ecsv, .fits, .parquet, .vot or .xml",
        ),
        ({"catalog": Table({"x": [1]})}, ValueError, "x_0 and y_0, or ra and dec are needed"),
        ({"psf": np.full((5, 5), np.nan)}, ValueError, "psf has NaN or infinite pixels"),
        ({"zeropoint": np.nan}, ValueError, "zeropoint=nan must be between -50 and 50"),
        ({"pixel_scale": 3 * u.s}, u.UnitConversionError, "pixel_scale="),
        (
            {"catalog": Table({"x_0": ["a"], "y_0": [1]})},
            ValueError,
            "catalog: the column 'x_0' must hold numbers .pixels.: could not convert",
        ),
        (
            {"catalog": Table({"ra": [1.0], "dec": ["2d"]})},
            ValueError,
            "catalog: the column 'dec' must hold numbers .degrees, as in",
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
        ({"net": "univers"}, ValueError, "name='univers'"),
        (
            {"net": "deeplegato", "morphology": True},
            ValueError,
            "morphology=True needs the posterior network",
        ),
        (
            {"catalog": Table({"x_0": [9], "y_0": [9]}), "fixed": "shape", "morphology": True},
            ValueError,
            "morphology=True is for sources whose structure is measured",
        ),
        ({"net": 5}, TypeError, "net must be a SersicNet or the name of shipped weights, not int"),
        ({"thresold": 2}, TypeError, r"measure_image\(\) .*'thresold': did you mean threshold\?"),
        ({"n_sample": 2}, TypeError, "'n_sample': did you mean n_samples"),
        ({"options": {}}, TypeError, "unexpected keyword argument 'options'"),
    ],
)
def test_bad_calls(changes, error, message, field, net):
    arguments = {"image": field, "psf": star(), "net": net} | changes
    with pytest.raises(error, match=message):
        measure_image(arguments.pop("image"), **arguments)


@pytest.mark.parametrize("name", ["image", "rms", "psf"])
def test_a_file_that_is_read_is_not_overwritten(name, tmp_path):
    path = tmp_path / "field.fits"
    path.write_bytes(b"pixels")
    given = {"image": tmp_path / "other.fits"} | {name: path}
    with pytest.raises(ValueError, match=f"output=.* would overwrite {name}=.*field.fits'"):
        measure_image(**given, output=path)
    assert path.read_bytes() == b"pixels"


def test_places_without_a_galaxy_have_no_magnitude():
    empty = make_field(np.zeros((160, 160)))
    catalog = QTable({"x_0": [40.0, 120.0, 80.0], "y_0": [50.0, 60.0, 120.0]})
    table = measure_image(empty, psf=star(), catalog=catalog)
    lost = np.isnan(table["mag"].value)
    assert lost.any()
    assert has(table, Flags.LOW_SNR)[lost].all()
    assert np.isfinite(table["r_eff"]).all()
    assert np.isnan(table["mag_err"].value[lost]).all()


def test_rows_without_a_result_are_counted_where_no_column_shows_it():
    field = make_field(np.zeros((128, 128)))
    catalog = QTable({"x_0": [60.0, np.nan], "y_0": [20.0, 100.0]})
    found = measure_image(field, psf=star(), catalog=catalog, columns=["id"])
    assert found.colnames == ["id"]
    assert found.meta["NORESULT"] == 1


def test_a_source_that_no_pixel_shows_has_no_magnitude():
    field = make_field(np.zeros((128, 128)))
    field.data[:80] = np.nan
    found = measure_image(field, psf=star(), catalog=QTable({"x_0": [60.0], "y_0": [20.0]}))
    assert np.isnan(found["mag"][0].value)
    assert has(found, Flags.LOW_SNR)[0]
