"""Images of several bands: sources are detected in one or in all, and measured in all."""

import numpy as np
import pytest
from astropy.table import QTable, Table
from helpers.band_fields import BRIGHTER, TRUTH, draw_bands
from helpers.fields import ZEROPOINT, make_field, render, star
from helpers.measured import has, value
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet import Flags, SersicNet, decode_flags
from sersicnet.measure import measure_image

ELSEWHERE = 3


@pytest.fixture(scope="module")
def images():
    return draw_bands()[0]


@pytest.fixture(scope="module")
def found(images, net):
    """What is measured, in the order of the truth."""
    table = measure_image(images, net=net)
    distance = np.hypot(
        value(table["x_centroid"]) - TRUTH["x_0"][:, None],
        value(table["y_centroid"]) - TRUTH["y_0"][:, None],
    )
    assert len(table) == 4
    assert distance.min(axis=1).max() < 2
    return table[distance.argmin(axis=1)]


def pulls(table, name, truth):
    return (value(table[name]) - truth) / value(table[f"{name}_err"])


def test_truth_is_within_the_errors(found):
    mag = ZEROPOINT - 2.5 * np.log10(TRUTH["flux"])
    for name, truth in (("mag_g", mag), ("r_eff", 0.1 * TRUTH["r_eff"]), ("q", TRUTH["q"])):
        assert np.abs(pulls(found, name, truth)).max() < 4.5, name
    assert_allclose(value(found["mag_g"]), mag, atol=0.1)
    brighter = value(found["mag_g"] - found["mag_r"])[:ELSEWHERE]
    assert_allclose(brighter, 2.5 * np.log10(BRIGHTER), atol=0.06)
    assert_allclose(value(found["x_0"]), TRUTH["x_0"], atol=0.3)
    assert_allclose(value(found["theta"])[1], TRUTH["theta"][1], atol=4)


def test_both_bands_together_are_better_than_one(found, images, net):
    alone = measure_image(images["g"], net=net, catalog=Table(TRUTH)["x_0", "y_0"], refine="lm")
    assert (value(found["r_eff_err"]) < value(alone["r_eff_err"]))[0]
    assert_allclose(value(found["mag_g"])[0], value(alone["mag"])[0], atol=0.05)


def test_neighbors_are_fitted_together_whatever_the_tiles(found, images, net):
    """A border is between the two sources of the group."""
    assert list(found["group_size"]) == [1, 2, 2, 1]
    assert (value(found["blend_fraction"])[1:ELSEWHERE] > 0).all()
    assert has(found, Flags.BLENDED)[1:ELSEWHERE].all()
    again = measure_image(images, net=net, tile_size=106)
    distance = np.abs(value(again["x_0"]) - value(found["x_0"])[:, None])
    again = again[distance.argmin(axis=1)]
    for name in ("mag_g", "mag_r", "r_eff", "blend_fraction"):
        assert_allclose(value(again[name]), value(found[name]), rtol=2e-3, err_msg=name)
    assert_array_equal(again["flags"], found["flags"])


def test_a_source_beyond_the_image_of_a_band_is_missing_there(found):
    assert np.isnan(found["mag_r"][ELSEWHERE])
    assert np.isfinite(found["mag_g"][ELSEWHERE])
    assert decode_flags(found["flags_r"][ELSEWHERE]) == ["MISSING_BAND"]
    assert found["flags"][ELSEWHERE] & int(Flags.MISSING_BAND)
    assert not (found["flags"][:ELSEWHERE] & int(Flags.MISSING_BAND)).any()
    assert not found["flags_g"][ELSEWHERE] & int(Flags.MISSING_BAND)


def test_meta_and_columns(found):
    known = {"BANDS": "g, r", "REFBAND": "g", "DETECT": "g", "BANDSCAL": "g 0.1, r 0.08"}
    assert known.items() <= found.meta.items()
    assert found.meta["REFINE"].startswith("lm")
    assert found.meta["HIDDEN"] == "not in fits of several bands"
    assert {"id", "ra", "dec", "pa", "kron_mag", "group_id", "x_shift_r"} <= set(found.colnames)
    assert "sky" not in found.colnames
    assert "x_shift_g" not in found.colnames
    for name in found.colnames:
        assert found[name].info.description, name


def test_another_band_detects(images, net, tmp_path):
    """Its pixels are those of positions, and files have what the call returns."""
    path = tmp_path / "both.fits"
    sky = {"background_box": {"g": 128, "r": None}, "zeropoint": {"g": None, "r": 26.0}}
    flat = images["r"].copy()
    flat.psf = images["r"].psf
    y, x = np.indices(flat.shape)
    flat.data = flat.data - (80 + 0.01 * x - 0.005 * y)
    some = images | {"r": flat}
    table = measure_image(some, detection="r", net=net, output=path, **sky)
    assert table.meta["REFBAND"] == table.meta["DETECT"] == "r"
    x = draw_bands()[1]["x_0"][:ELSEWHERE]
    assert np.abs(value(table["x_0"])[:, None] - x).min(axis=0).max() < 0.5
    assert_array_equal(table["mag"], table["mag_r"])
    assert_allclose(value(table["mag_r"] - table["mag_g"]).mean(), 1 - 0.753, atol=0.1)
    assert_allclose(value(QTable.read(path)["mag_g"]), value(table["mag_g"]), rtol=1e-6)


@pytest.fixture(scope="module")
def faint():
    """Two bands of one grid: the first source is in one of them, the second in both and faint."""
    images = {}
    for seed, (band, flux) in enumerate({"u": (1.0, 210.0), "z": (2e3, 210.0)}.items()):
        truth = {"x_0": np.array([40.0, 90.0]), "y_0": np.array([50.0, 60.0]), "n": np.ones(2)}
        truth |= {"flux": np.array(flux), "r_eff": np.full(2, 1.5), "q": np.ones(2)}
        truth["theta"] = np.zeros(2)
        images[band] = make_field(render(truth, (110, 130)), mask=None, seed=seed + 7)
    return images


def test_all_bands_detect_what_one_does_not_show(faint, net, tmp_path):
    path = tmp_path / "segments.fits"
    table = measure_image(faint, detection="chi2", net=net, segmentation_image=path)
    assert table.meta["DETECT"] == "chi2"
    x = value(table["x_centroid"])
    for place in (40, 90):
        assert np.abs(x - place).min() < 2
    assert table.meta["NFALSE"] < 0.5
    bright = np.argmin(np.abs(x - 40))
    assert "LOW_SNR" in decode_flags(table["flags_u"][bright])


def test_a_source_without_pixels_in_the_reference_has_a_place(faint, net):
    mask = {"u": np.zeros((110, 130), bool), "z": None}
    mask["u"][:, :65] = True
    one = Table({"x_0": [40.0], "y_0": [50.0]})
    table = measure_image(faint, detection="chi2", net=net, mask=mask, catalog=one)
    assert decode_flags(table["flags_u"][0]) == ["MISSING_BAND"]
    assert np.isnan(table["mag"][0])
    assert np.isfinite(table["mag_z"][0])
    assert abs(value(table["x_0"])[0] - 40) < 0.5
    assert np.isfinite(table["ra"][0])


def test_a_source_without_pixels_in_any_band_has_no_data(faint, net):
    mask = np.zeros((110, 130), bool)
    mask[:, :65] = True
    mask = {"u": mask, "z": mask}
    table = measure_image(faint, net=net, mask=mask, catalog=Table({"x_0": [5.0], "y_0": [50.0]}))
    assert np.isnan(table["mag_z"][0])
    assert decode_flags(table["flags_z"][0]) == ["MISSING_BAND"]
    assert table["flags_u"][0] & int(Flags.CENTER_MASKED | Flags.NO_DATA)
    assert np.isnan(table["mag"][0]) or table["flags_u"][0] & int(Flags.NOT_REFINED)


def test_rows_of_a_catalog_and_an_image_without_noise(faint, net):
    """A row outside of the image, and noise that is estimated in one band."""
    plain = faint["u"].copy()
    plain.uncertainty = None
    catalog = Table({"id": [7, 9], "x_0": [40.0, 900.0], "y_0": [50.0, 1.0]})
    options = {"catalog": catalog, "detection": "z", "psf": {"u": star(), "z": None}}
    table = measure_image(faint | {"u": plain}, net=net, **options)
    assert_array_equal(table["id"], [7, 9])
    assert decode_flags(table["flags"][1]) == decode_flags(table["flags_u"][1]) == ["NO_DATA"]
    assert np.isnan(table["mag_u"][1])
    assert "NOISE_ESTIMATED" in decode_flags(table["flags_u"][0])
    assert "NOISE_ESTIMATED" not in decode_flags(table["flags_z"][0])


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"detection": "i"}, "detection='i' must be one of u, z, or 'chi2'"),
        ({"z": 3.0}, {}, "band 'z': image must be a CCDData, an array or a path, not float"),
        ({"err": None}, {}, "image has a band 'err': its name must be letters"),
        ({"chi2": None}, {}, "image has a band 'chi2', which stands for"),
        ({}, {"psf": {"g": star()}}, "psf has a band 'g', but"),
        ({}, {"zeropoint": {"u": 25, "z": [1.0, 2.0]}}, "band 'z': zeropoint has"),
        ({}, {"population": "infer"}, "population='infer' is for an image of one band"),
        ({}, {"background_image": "b.fits"}, "background_image=.* is for an image of one band"),
        (
            {},
            {"detection": "chi2", "segmentation": np.ones((110, 130), int)},
            "detection='chi2' finds sources, and segmentation= says what they are",
        ),
    ],
)
def test_calls_that_make_no_sense(changes, options, message, faint, net):
    with pytest.raises((TypeError, ValueError), match=message):
        measure_image(faint | changes, net=net, **options)


def test_a_band_without_psf_and_stars_is_named(faint, net):
    plain = faint["z"].copy()
    plain.psf = None
    with pytest.raises(ValueError, match=r"band 'z': psf=None and the image has none"):
        measure_image(faint | {"z": plain}, net=net)


def test_images_elsewhere_and_of_other_pixels(faint, images, net):
    away = faint["z"].copy()
    away.wcs = away.wcs.deepcopy()
    away.wcs.wcs.crval = [10, -40]
    with pytest.raises(ValueError, match="band 'z': its image does not overlap with that of the"):
        measure_image(faint | {"z": away}, net=net)
    with pytest.raises(ValueError, match="detection='chi2': the image of the band 'r' has other"):
        measure_image(images, detection="chi2", net=net)


def test_one_image_has_no_band_to_detect_in(faint, net):
    with pytest.raises(ValueError, match="detection='u' is of several bands: image must be a dict"):
        measure_image(faint["u"], detection="u", net=net)


def test_a_network_of_one_survey_knows_no_bands(faint):
    with pytest.raises(ValueError, match="several bands need the posterior network"):
        measure_image(faint, net=SersicNet.from_pretrained("deeplegato"))
