"""Results: tables, quantiles, sky coordinates, models and samples."""

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError

import astropy.units as u
import galsim
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable, Table, join
from astropy.wcs.wcsapi import HighLevelWCSWrapper
from astropy.wcs.wcsapi.wrappers import SlicedLowLevelWCS
from helpers import sky
from helpers.cutouts import SCALE, ZEROPOINT
from helpers.toys import NOISE, make_cutout, make_galaxies
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

from sersicnet.flags import Flags
from sersicnet.inference.flags import normal_flags
from sersicnet.networks.densities import NormalDensity
from sersicnet.parameters import PARAMETERS, label_names
from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.frame import StampFrame
from sersicnet.results import SersicResults

SEVEN, FOUR = tuple(PARAMETERS), ("mag", "r_eff", "n", "q")
ONE_SIGMA = norm.ppf(0.84)

TRUTH = {
    "mag": [18.0, 19.0, 20.0],
    "r_eff": [0.4, 0.6, 0.3],
    "n": [1.0, 2.5, 4.0],
    "q": [0.5, 0.8, 0.3],
    "theta": [30.0, -75.0, 89.0],
    "x_0": [15.2, 16.0, 15.5],
    "y_0": [14.9, 15.0, 15.5],
}


def make_results(parameters=SEVEN, *, width=0.01, truth=TRUTH, wcs=None, shape=(32, 32), **changes):
    """Results whose medians are the truth, with labels ``width`` wide."""
    truth = {name: np.array(values) for name, values in (truth | changes).items()}
    n = len(truth["mag"])
    ones, (ny, nx) = np.ones(n), shape
    middle = (nx - 1) / 2 * ones, (ny - 1) / 2 * ones
    frame = StampFrame(NOISE * ones, ZEROPOINT * ones, SCALE * ones, ones, *middle)
    labels = frame.to_labels(truth, parameters)
    mean = np.stack([labels[name] for name in label_names(parameters)], 1)
    shapes, flags = np.tile(shape, (n, 1)), np.zeros(n, int)
    answer = NormalDensity(label_names(parameters), mean, np.broadcast_to(width, mean.shape))
    quantiles = answer.quantiles(frame, parameters)
    return SersicResults(parameters, answer, quantiles, frame, flags, shapes, wcs or [None] * n)


# Tables


def test_columns_and_units():
    table = make_results().to_table()
    parameters = [name + end for name in SEVEN for end in ("", "_err", "_lo", "_hi")]
    assert table.colnames == ["id", *parameters, "flags"]
    for name, parameter in PARAMETERS.items():
        for end in ("", "_lo", "_hi"):
            assert getattr(table[name + end], "unit", None) == parameter.unit
        assert getattr(table[f"{name}_err"], "unit", None) == parameter.err_unit
    assert table["id"].tolist() == [0, 1, 2]
    assert table["flags"].dtype.kind == "i"


@pytest.mark.parametrize("parameters", [("mag",), FOUR, ("theta", "x_0"), SEVEN])
def test_medians(parameters):
    results = make_results(parameters)
    table = results.to_table()
    assert len(table) == len(results) == 3
    for name in parameters:
        assert_allclose(results.median(name), TRUTH[name], rtol=1e-12)
        assert_allclose(getattr(table[name], "value", table[name]), TRUTH[name], rtol=1e-12)
    assert not set(SEVEN) - set(parameters) & set(table.colnames)


def test_quantiles():
    results = make_results(width=0.02)
    for name in ("mag", "r_eff", "n", "q", "x_0", "y_0"):
        median, (lower, upper) = results.median(name), results.interval(name)
        assert (lower < median).all()
        assert (median < upper).all()
        assert_allclose(results.error(name), (upper - lower) / 2)
    assert_allclose(results.error("mag"), 2.5 * ONE_SIGMA * 0.02)
    assert_allclose(results.error("n"), ONE_SIGMA * 0.02)
    assert_allclose(results.error("x_0"), ONE_SIGMA * 0.02)
    lower, upper = results.interval("r_eff")
    assert_allclose(upper / results.median("r_eff"), 10 ** (ONE_SIGMA * 0.02))
    assert_allclose(lower / results.median("r_eff"), 10 ** (-ONE_SIGMA * 0.02))
    table = results.to_table()
    assert (table["mag_lo"] < table["mag_hi"]).all()  # brighter is lower


def test_quantiles_stay_within_what_is_possible():
    results = make_results(n=[0.3, 6.0, 9.0], q=[0.02, 0.99, 1.2], width=0.5)
    for name, lowest, highest in (("n", 0.3, 6.2), ("q", 0.01, 1)):
        for values in (results.median(name), *results.interval(name), results.samples(50)[name]):
            assert values.min() >= lowest
            assert values.max() <= highest


def test_error_of_the_angle():
    """To first order the width of the samples, and never more than ignorance."""
    results = make_results(width=0.004)
    samples = results.samples(20000)["theta"]
    around = (samples - results.median("theta")[:, None] + 90) % 180 - 90
    lower, upper = np.quantile(around, [0.16, 0.84], axis=1)
    assert_allclose(results.error("theta"), (upper - lower) / 2, rtol=0.03)
    results = make_results(theta=[30.0, -89.9, 89.9])
    lower, upper = results.interval("theta")
    assert_allclose((lower + upper) / 2, results.median("theta"))
    assert lower[1] < -90  # the interval lies around the median, through the ends of the angles
    assert upper[2] > 90
    for axis_ratio, width in ((1.0, 0.1), (0.5, 1e3)):
        unknown = make_results(q=[axis_ratio] * 3, width=width)
        assert_allclose(unknown.error("theta"), 0.34 * 180)


def test_angles_lie_in_their_range():
    theta = np.array([-90.0, 0.0, 89.999])
    results = make_results(theta=theta, width=0.3)
    assert_allclose(results.median("theta"), theta, atol=1e-9)
    samples = results.samples(1000)["theta"]
    assert samples.min() >= -90
    assert samples.max() < 90


def test_not_predicted():
    with pytest.raises(
        ValueError, match=r"'theta' was not predicted: there are mag, r_eff, n, q \(other"
    ):
        make_results(FOUR).error("theta")


def test_table_survives_a_file(tmp_path):
    table = make_results().to_table()
    table.write(tmp_path / "table.ecsv")
    back = QTable.read(tmp_path / "table.ecsv")
    assert back.colnames == table.colnames
    assert_allclose(back["mag"].value, table["mag"].value, rtol=1e-14)


@pytest.mark.parametrize("kind", [Table, QTable])
def test_table_joins_by_id(kind):
    """With another table in another order, that lacks a galaxy and has a stranger."""
    table = make_results().to_table()
    other = kind({"id": [2, 7, 0], "z": [0.3, 0.9, 0.1], "size": [3, 9, 1] * u.kpc})
    for joined in (join(table, other, keys="id"), join(other, table, keys="id")):
        assert joined["id"].tolist() == [0, 2]
        assert joined["z"].tolist() == [0.1, 0.3]
        assert joined["r_eff"].unit == u.arcsec
        assert_allclose(u.Quantity(joined["r_eff"]).value, [0.4, 0.3])
        assert_allclose(u.Quantity(joined["size"]).to_value(u.kpc), [1, 3])
    kept = join(table, other, keys="id", join_type="left")
    assert kept["z"].mask.tolist() == [False, True, False]


def test_some_columns():
    results = make_results()
    table = results.to_table(["n", "id"])
    assert table.colnames == ["n", "id"]
    assert results.to_table(columns="q_err").colnames == ["q_err"]
    with pytest.raises(ValueError, match=r"no column 'r_ef': did you mean r_eff"):
        results.to_table(["r_ef"])


def test_fluxes_on_request():
    results = make_results()
    table = results.to_table(fluxes=True)
    assert {"flux", "flux_err", "mu_mean", "mu_mean_err", "mu_0", "mu_0_err"} <= set(table.colnames)
    assert table.colnames.index("flux") < table.colnames.index("r_eff")
    assert_allclose(table["flux"].to_value(u.ABmag), TRUTH["mag"], atol=1e-6)
    area = 2 * np.pi * np.square(TRUTH["r_eff"]) * TRUTH["q"]
    mean = TRUTH["mag"] + 2.5 * np.log10(area)
    assert (np.abs(table["mu_mean"].value - mean) < 0.3 * table["mu_mean_err"].value).all()
    assert results.to_table(["id", "flux"]).colnames == ["id", "flux"]
    assert "flux" not in results.to_table().colnames
    radii = make_results(("r_eff", "q"))
    assert radii.to_table(fluxes=True).colnames == radii.to_table().colnames


def test_columns_are_described():
    table = make_results(wcs=[make_wcs()] * 3).to_table()
    for name in table.colnames:
        assert table[name].info.description, name
        assert table[name].info.meta["ucd"], name
    assert str(table["mag"].info.format) == ".4f"


def test_short_text_of_results():
    results = make_results(("mag", "n"), mag=[18.0, np.nan, 19.0])
    results = dataclasses.replace(results, flags=np.array([0, 1, 256]))
    assert repr(results) == "<SersicResults: 3 galaxies; mag, n; 2 flagged, 1 not measured>"
    assert str(results) == repr(results)


# Some of the results


@pytest.mark.parametrize(
    ("rows", "numbers"),
    [
        (0, [0]),
        (-1, [2]),
        (np.int64(1), [1]),
        (slice(1, None), [1, 2]),
        (slice(None, None, -1), [2, 1, 0]),
        ([2, 0, 2], [2, 0, 2]),
        (np.array([False, True, True]), [1, 2]),
        ([True, False, False], [0]),
        ([], []),
    ],
)
def test_some_rows(rows, numbers):
    """They are what they were, with their places in the input and their samples."""
    results = make_results(wcs=[make_wcs(), None, None])
    results = dataclasses.replace(results, columns={"chi2": np.array([1.0, 2.0, 3.0])})
    some = results[rows]
    assert isinstance(some, SersicResults)
    assert len(some) == len(numbers)
    table = results.to_table()[numbers]
    found = some.to_table()
    for name in found.colnames:
        assert_array_equal(found[name], table[name], err_msg=name)
    for name, values in results.samples(4, seed=2).items():
        assert_array_equal(some.samples(4, seed=2)[name], values[numbers])
    assert_array_equal(some.covariance(n=5), results.covariance(n=5)[numbers])
    assert_read_only(some)


def test_rows_one_by_one():
    results = make_results()
    parts = list(results)
    assert [len(part) for part in parts] == [1, 1, 1]
    assert [part.median("mag")[0] for part in parts] == TRUTH["mag"]
    assert parts[2][0].to_model(0).n.value == TRUTH["n"][2]
    assert_array_equal(SersicResults.concatenate(parts).to_table()["id"], [0, 1, 2])


@pytest.mark.parametrize("rows", [3, -4, "mag", [0, 9], [True, False], 1.5, (0, 1), None])
def test_rows_that_are_not_there(rows):
    with pytest.raises(IndexError, match="a number from 0 to 2, a slice, or an array"):
        make_results()[rows]


def arrays_of(results):
    frame = [getattr(results.frame, name) for name in StampFrame.__dataclass_fields__]
    answer = [results.posterior.mean, results.posterior.scale]
    return [results.quantiles, results.flags, results.shapes, *answer, *frame]


def assert_read_only(results):
    for array in arrays_of(results):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_results_cannot_be_changed():
    width = np.full((3, 8), 0.01)
    results = make_results(width=width)
    width[:] = 7
    assert_array_equal(results.posterior.scale, 0.01)
    with pytest.raises(FrozenInstanceError):
        results.quantiles = 0
    assert_read_only(results)
    assert isinstance(results.wcs, tuple)
    table = results.to_table()
    table["flags"][0] = 1  # a table belongs to its user
    table["n"][0] = 1
    assert results.flags[0] == 0


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda results: pickle.loads(pickle.dumps(results))]
)
def test_copies_are_the_same_and_as_fixed(duplicate):
    results = make_results(wcs=[make_wcs(), None, None])
    again = duplicate(results)
    assert again.parameters == results.parameters
    for one, other in zip(arrays_of(results), arrays_of(again), strict=True):
        assert_array_equal(one, other)
    assert_read_only(again)
    assert_array_equal(again.to_table()["ra"], results.to_table()["ra"])
    assert_array_equal(again.samples(5)["theta"], results.samples(5)["theta"])


def test_results_one_after_the_other():
    first, second = make_results(wcs=[make_wcs(), None, None]), make_results(mag=[1.0, 2.0, 3.0])
    joined = SersicResults.concatenate([first, second])
    assert len(joined) == 6
    assert joined.wcs == (*first.wcs, *second.wcs)
    for name in SEVEN:
        assert_array_equal(joined.median(name), [*first.median(name), *second.median(name)])
        assert_array_equal(joined.error(name), [*first.error(name), *second.error(name)])
    assert_array_equal(joined.posterior.mean, [*first.posterior.mean, *second.posterior.mean])
    assert_array_equal(joined.to_table()["id"], np.arange(6))
    assert_read_only(joined)
    assert SersicResults.concatenate([first]) is first


# Flags


def stamps_of_galaxies():
    return prepare(make_galaxies(3)[0], stamp_size=32)


def flags_of(*, scale=0.01, bins=1, options=None, **changes):
    stamps, answer = stamps_of_galaxies(), make_results(FOUR, width=scale, **changes).posterior
    stamps.frame.bins[:] = bins
    return normal_flags(answer, stamps, **(options or {})).tolist()


def test_no_flags():
    assert flags_of() == [0, 0, 0]


def test_flags_of_the_training_range():
    plain = make_results(FOUR).posterior.mean
    limits = np.stack([plain.min(0) - 0.1, plain.max(0) + 0.1])
    options = {"label_range": limits}
    assert flags_of(options=options) == [0, 0, 0]
    assert flags_of(options=options, mag=[18.0, 30.0, 20.0]) == [0, Flags.OUT_OF_RANGE, 0]
    tiny = flags_of(options=options, r_eff=[0.01, 0.6, 0.3])
    assert tiny == [Flags.OUT_OF_RANGE | Flags.UNRESOLVED, 0, 0]
    unsure = flags_of(options=options, scale=[0.01, 0.15, 0.01, 0.01])
    assert unsure == [0, 0, Flags.UNRESOLVED]  # its radius may be the smallest


def test_flag_of_a_galaxy_larger_than_its_cutout():
    assert flags_of(r_eff=[0.4, 1.7, 0.3]) == [0, Flags.EXCEEDS_CUTOUT, 0]
    # labels count pixels of the stamp, each of which is five of the cutout
    assert flags_of(r_eff=[0.3, 0.35, 0.31], bins=5) == [0, Flags.EXCEEDS_CUTOUT, 0]


def flags_of_images(*, widths=None, **trained):
    return flags_of(options={"trained": trained, "psf_fwhm": widths})


def test_flag_of_another_pixel_scale():
    assert flags_of_images(pixel_scale=[SCALE * 1.04, SCALE * 2]) == [0, 0, 0]
    assert flags_of_images(pixel_scale=[SCALE / 2, SCALE / 1.04]) == [0, 0, 0]
    assert flags_of_images(pixel_scale=[SCALE * 1.06, 2]) == [Flags.PIXEL_SCALE_MISMATCH] * 3


def test_flag_of_a_cutout_smaller_than_all_in_training():
    side = stamps_of_galaxies().shapes.min()
    assert flags_of_images(side=[side, 64]) == [0, 0, 0]
    assert flags_of_images(side=[side + 1, 64]) == [Flags.SMALL_CUTOUT] * 3


def test_flag_of_a_psf_of_another_width():
    widths = np.array([3.2, 2.6, np.nan])
    assert flags_of_images(widths=widths, psf_fwhm=[3.0, 3.0]) == [0, Flags.BEYOND_TRAINING, 0]
    assert flags_of_images(widths=widths) == [0, 0, 0]
    assert flags_of_images(psf_fwhm=[3.0, 3.0]) == [0, 0, 0]


# The sky


def make_wcs(*, angle=0.0, crval=(150.0, 60.0), **options):
    options |= {"scale": SCALE, "crpix": (10.0, 12.0)}
    wcs = sky.make_wcs(angle=np.radians(angle), crval=crval, **options)
    wcs.wcs.set()
    return wcs


def test_north_up_and_east_left():
    wcs = make_wcs()
    table = make_results(theta=[90.0, 0.0, 30.0], wcs=[wcs] * 3).to_table()
    assert table.colnames[-4:] == ["ra", "dec", "pa", "flags"]
    assert {table[name].unit for name in ("ra", "dec", "pa")} == {u.deg}
    # +y is north, +x is west
    assert_allclose(
        np.cos(2 * (table["pa"].to_value(u.rad))), np.cos(2 * np.radians([0, 90, 60])), atol=1e-4
    )
    assert_allclose(table["pa"][2].value, -60, atol=0.01)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0, 35, -120, 180])
def test_position_and_angle_on_the_sky(angle, mirrored):
    wcs = make_wcs(angle=angle, mirrored=mirrored)
    table = make_results(wcs=[wcs] * 3).to_table()
    expected = wcs.pixel_to_world(TRUTH["x_0"], TRUTH["y_0"])
    assert_allclose(table["ra"].value, expected.ra.deg, rtol=1e-12)
    assert_allclose(table["dec"].value, expected.dec.deg, rtol=1e-12)
    # in the tangent plane: offsets to the east and north of a step along the major axis
    theta = np.radians(TRUTH["theta"])
    east, north = wcs.pixel_scale_matrix @ [np.cos(theta), np.sin(theta)]
    pa = np.degrees(np.arctan2(east, north))
    assert_allclose((table["pa"].value - pa + 90) % 180, 90, atol=0.01)
    assert (table["pa"].value >= -90).all()
    assert (table["pa"].value < 90).all()


def test_other_frames_are_brought_to_icrs():
    wcs = make_wcs(ctype=("GLON-TAN", "GLAT-TAN"), crval=(30.0, 40.0))
    table = make_results(wcs=[wcs] * 3).to_table()
    center = SkyCoord.from_pixel(TRUTH["x_0"], TRUTH["y_0"], wcs).icrs
    assert_allclose(table["ra"].value, center.ra.deg, rtol=1e-12)
    north = center.directional_offset_by(0 * u.deg, SCALE * u.arcsec)
    step = np.array(north.to_pixel(wcs)) - [TRUTH["x_0"], TRUTH["y_0"]]
    to_north = np.degrees(np.arctan2(step[1], step[0]))
    # seen from the outside the sky is mirrored: position angles run as theta does
    assert_allclose((TRUTH["theta"] - to_north - table["pa"].value + 90) % 180, 90, atol=0.01)


def test_a_general_wcs_gives_the_same():
    wcs = make_wcs(angle=20)
    general = HighLevelWCSWrapper(SlicedLowLevelWCS(wcs, [slice(0, 40), slice(0, 40)]))
    first, second = (make_results(wcs=[w] * 3).to_table() for w in (wcs, general))
    for name in ("ra", "dec", "pa"):
        assert_allclose(second[name].value, first[name].value, rtol=1e-9)


def test_columns_of_the_sky_only_where_they_can_be_had():
    wcs = [make_wcs(), None, make_wcs()]
    table = make_results(wcs=wcs).to_table()
    for name in ("ra", "dec", "pa"):
        assert np.isnan(table[name].value).tolist() == [False, True, False]
    assert "ra" not in make_results(FOUR, wcs=wcs).to_table().colnames
    table = make_results(("x_0", "y_0"), wcs=wcs).to_table()
    assert "dec" in table.colnames
    assert "pa" not in table.colnames


def test_no_position_without_an_answer():
    results = make_results(wcs=[make_wcs()] * 3, mag=[18.0, np.nan, 19.0], x_0=[15, np.nan, 15])
    assert np.isnan(results.to_table()["ra"].value).tolist() == [False, True, False]


# Models


def grid(size):
    y, x = np.mgrid[:size, :size]
    return x, y


@pytest.mark.parametrize("index", [0, 1])
def test_model_has_the_flux_the_size_and_the_place(index):
    shift = {"x_0": [100.3] * 3, "y_0": [99.1] * 3}
    results = make_results(**shift)
    model = results.to_model(index)
    step = 0.25  # fine enough for the cusp of n = 2.5
    x, y = (step * axis - 100 for axis in grid(1600))
    light = model(x, y) * step**2
    flux = 10 ** (-0.4 * (TRUTH["mag"][index] - ZEROPOINT))
    assert_allclose(light.sum(), flux, rtol=0.02)
    theta = np.radians(TRUTH["theta"][index])
    dx, dy = x - 100.3, y - 99.1
    along = dx * np.cos(theta) + dy * np.sin(theta)
    across = (dy * np.cos(theta) - dx * np.sin(theta)) / TRUTH["q"][index]
    inside = np.hypot(along, across) < TRUTH["r_eff"][index] / SCALE
    assert_allclose(light[inside].sum(), flux / 2, rtol=0.01)


def test_models_of_all_samples_at_once():
    """Parameters that are arrays give the model of each of their elements."""
    results = make_results(width=0.1)
    samples = {name: values[1] for name, values in results.samples(4).items()}
    models = results.to_model(1, **samples)
    for i in range(4):
        one = results.to_model(1, **{name: values[i] for name, values in samples.items()})
        for name in one.param_names:
            assert_allclose(getattr(models, name).value[i], getattr(one, name).value, rtol=1e-14)


@pytest.mark.parametrize("shape", [(64, 64), (65, 50)])
def test_model_image_is_what_galsim_draws(shape):
    results = make_results(shape=shape, x_0=[25.3] * 3, y_0=[30.8] * 3)
    profile = galsim.Moffat(3, fwhm=0.35)
    psf = profile.drawImage(galsim.ImageD(65, 65, scale=SCALE)).array
    cutout = make_cutout(np.zeros(shape), psf=100 * psf)
    for i in range(2):
        row = {name: values[i] for name, values in TRUTH.items()}
        galaxy = galsim.Sersic(
            row["n"],
            half_light_radius=row["r_eff"] * np.sqrt(row["q"]),
            flux=10 ** (-0.4 * (row["mag"] - ZEROPOINT)),
        ).shear(q=row["q"], beta=row["theta"] * galsim.degrees)
        place = galsim.PositionD(25.3 + 1, 30.8 + 1)  # GalSim counts pixels from 1
        image = galsim.ImageD(shape[1], shape[0], scale=SCALE)
        expected = galsim.Convolve(galaxy, profile).drawImage(image, center=place).array
        assert_allclose(
            results.model_image(i, cutout), expected, atol=2e-3 * expected.max(), rtol=0
        )
        assert_array_equal(
            results.residual(i, cutout, psf=psf), -results.model_image(i, cutout, psf=psf)
        )


def test_model_image_looks_like_the_galaxy():
    """With the angle and the center taken from the image where they were not predicted."""
    cutouts, truth = make_galaxies(4, size=48, noise=False)
    columns = {name: np.array(getattr(truth[name], "value", truth[name])) for name in SEVEN}
    for parameters, tolerance in ((SEVEN, 0.05), (FOUR, 0.15)):
        results = make_results(parameters, truth=columns, shape=(48, 48))
        for i, cutout in enumerate(cutouts):
            rest = results.residual(i, cutout)
            assert np.abs(rest).max() < tolerance * cutout.data.max()


def test_given_parameters_come_before_measured_ones():
    results, full = make_results(FOUR), make_results()
    (cutout,), _ = make_galaxies(1)
    known = {name: TRUTH[name][0] for name in ("theta", "x_0", "y_0")}
    assert_allclose(results.model_image(0, cutout, **known), full.model_image(0, cutout), atol=1e-6)


def test_missing_parameters():
    with pytest.raises(ValueError, match="theta, x_0, y_0 were not predicted: give them"):
        make_results(FOUR).to_model(0)
    model = make_results(FOUR).to_model(0, theta=90, x_0=1, y_0=2)
    assert_allclose([model.theta.value, model.x_0.value, model.y_0.value], [np.pi / 2, 1, 2])


@pytest.mark.parametrize("index", [3, -4, 1.0, "mag", True, slice(0, 1)])
def test_models_of_rows_that_are_not_there(index):
    message = r"index=.* must be the number of a row, from 0 to 2"
    with pytest.raises(IndexError, match=message):
        make_results().to_model(index)
    with pytest.raises(IndexError, match=message):
        make_results().model_image(index, np.zeros((32, 32)))


def test_unknown_parameters():
    with pytest.raises(ValueError, match="angle: the parameters are mag, r_eff, n, q, theta"):
        make_results().to_model(0, angle=3)


def test_model_without_psf():
    with pytest.raises(ValueError, match="psf=None and the cutout has none"):
        make_results().model_image(0, make_cutout(np.zeros((32, 32)), psf=None))


def test_model_without_an_answer():
    results = make_results(mag=[np.nan, 18, 18])
    flags = [Flags.NO_DATA | Flags.CROPPED, 0, 0]
    with pytest.raises(ValueError, match=r"galaxy 0 was not measured: NO_DATA, CROPPED$"):
        dataclasses.replace(results, flags=np.array(flags, int)).to_model(0)


# Samples


def test_samples_agree_with_medians_and_quantiles():
    results = make_results(width=0.01)
    samples = results.samples(4000, seed=3)
    for name in SEVEN:
        assert samples[name].shape == (3, 4000)
        error = results.error(name)
        values = samples[name]
        if name == "theta":
            values = (values - results.median(name)[:, None] + 90) % 180 - 90
            values += results.median(name)[:, None]
        lower, median, upper = np.quantile(values, [0.16, 0.5, 0.84], axis=1)
        assert_allclose((median - results.median(name)) / error, 0, atol=0.1)
        assert_allclose((upper - lower) / 2, error, rtol=0.1)


def test_samples_are_reproducible_and_of_one_galaxy_each():
    results = make_results()
    samples, again, other = (results.samples(5, seed=seed) for seed in (1, 1, 2))
    for name in SEVEN:
        assert_array_equal(samples[name], again[name])
        assert (samples[name] != other[name]).all()
    fewer = make_results(truth={name: values[:2] for name, values in TRUTH.items()})
    assert_array_equal(fewer.samples(5, seed=1)["mag"], samples["mag"][:2])


def test_samples_without_an_answer_are_nan():
    samples = make_results(("mag",), mag=[18.0, np.nan, 19.0]).samples(3)
    assert np.isnan(samples["mag"]).all(axis=1).tolist() == [False, True, False]


# Covariances


def test_covariance_agrees_with_errors():
    results = make_results(width=0.004)
    covariance = results.covariance(n=4000)
    assert covariance.shape == (3, 7, 7)
    assert_allclose(covariance, np.swapaxes(covariance, 1, 2))
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    for i, name in enumerate(SEVEN):
        assert_allclose(sigma[:, i] * ONE_SIGMA, results.error(name), rtol=0.1)
    correlation = covariance / sigma[:, :, None] / sigma[:, None, :]
    # labels are independent here; q and theta are not made of the same ones
    assert_allclose(correlation, np.tile(np.eye(7), (3, 1, 1)), atol=0.1)
    assert_array_equal(covariance, results.covariance(n=4000))


def test_one_draw_has_no_covariance():
    results = make_results(width=0.004)
    with pytest.raises(ValueError, match="n=1: a covariance needs 2 draws or more"):
        results.covariance(n=1)


def test_the_covariance_of_chosen_numbers():
    results = make_results()
    chosen = results.covariance(parameters=("n", "mag"))
    assert_array_equal(chosen, results.covariance()[:, [2, 0]][:, :, [2, 0]])
    with pytest.raises(ValueError, match="there are no numbers of 'model' in samples"):
        results.covariance(parameters=("model",))


def test_covariance_as_a_column():
    results = make_results()
    table = results.to_table(covariance=True)
    rows, others = np.triu_indices(len(results.parameters))
    assert table.meta["COVNAMES"].split(",") == list(results.parameters)
    assert_allclose(table["covariance"], results.covariance()[:, rows, others], rtol=1e-6)
    assert "covariance" not in results.to_table().colnames


def test_draws_as_a_table():
    results = make_results()
    table = results.to_sample_table(20, seed=3)
    samples = results.samples(20, seed=3)
    assert table.colnames == ["id", *samples]
    for name, draws in samples.items():
        column = table[name]
        assert column.dtype == np.float32
        assert column.unit == results.to_table()[name].unit
        assert_allclose(getattr(column, "value", column), draws, rtol=1e-6)


def test_covariance_of_angles_goes_around():
    """Angles of -89 and 89 degrees are 2 degrees apart."""
    results = make_results(theta=[-89.9, 89.9, 0.0], width=0.004)
    turned = make_results(theta=[0.1, -0.1, 0.0], width=0.004)
    row = SEVEN.index("theta")
    sigma, expected = (np.sqrt(r.covariance()[:, row, row]) for r in (results, turned))
    assert_allclose(sigma, expected, rtol=0.15)


def test_covariance_without_an_answer_is_nan():
    covariance = make_results(mag=[18.0, np.nan, 19.0]).covariance(n=10)
    assert np.isnan(covariance[1]).any()
    assert np.isfinite(covariance[[0, 2]]).all()


@pytest.mark.parametrize("name", ["r_eff_pix", "q_pix"])
def test_a_shape_in_pixels_needs_both_numbers(name):
    results = make_results()
    with pytest.raises(ValueError, match=f"{name} is given alone"):
        results.to_model(0, **{name: 0.5})
