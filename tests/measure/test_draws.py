"""Covariances and draws of the sources of an image, beside its catalog."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from helpers.band_fields import draw_bands
from helpers.fields import make_field, render, star, truth_table
from helpers.measured import value
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.io import read_table
from sersicnet.measure import measure_image
from sersicnet.measure.draws import Draws
from sersicnet.parameters import PARAMETERS

pytest.importorskip("pyarrow")
pytest.importorskip("pandas")  # reads Parquet

SEVEN = tuple(PARAMETERS)
K = 60


def part_of_field(**changes):
    """Five galaxies of the field, two of which share light."""
    truth = truth_table(3)
    inside = (truth["x_0"] < 170) & (truth["y_0"] < 170)
    truth = {name: values[inside] for name, values in truth.items()}
    galaxy = {"x_0": 60.0, "y_0": 100.0, "flux": 9000.0, "r_eff": 3.0, "n": 1.0, "q": 0.8}
    for shift in (0.0, 9.0):
        for name, values in truth.items():
            truth[name] = np.append(values, galaxy.get(name, 20.0) + shift * (name == "x_0"))
    return make_field(render(truth, (170, 170)), **changes)


@pytest.fixture(scope="module")
def field():
    return part_of_field()


@pytest.fixture(scope="module")
def measure(net, tmp_path_factory):
    """Measure an image; return its catalog and its draws."""
    folder = tmp_path_factory.mktemp("draws")

    def measured(image, *, output="a.parquet", **options):
        output = folder / output
        options = {"covariance": True, "samples": K, "psf": star()} | options
        table = measure_image(image, net=net, output=output, **options)
        found = read_table(output)
        assert found.colnames == table.colnames
        assert_array_equal(found["covariance"], table["covariance"])
        return found, read_table(folder / f"{output.stem}.samples.parquet")

    return measured


@pytest.fixture(scope="module")
def fitted(field, measure):
    return measure(field, refine="lm")


def matrices(table):
    """The covariance matrices of a catalog, by the names of its meta."""
    names = table.meta["COVNAMES"].split(",")
    found = np.zeros((len(table), len(names), len(names)))
    rows, others = np.triu_indices(len(names))
    found[:, rows, others] = found[:, others, rows] = table["covariance"]
    return names, found


def errors(table):
    """Errors from the covariance over those of the catalog, by name."""
    names, found = matrices(table)
    ratios = {}
    for number, name in enumerate(names):
        error = value(table[f"{name}_err"])
        error[error == 0] = np.nan  # of what a model does not have
        ratios[name] = np.sqrt(found[:, number, number]) / error
    return ratios


def test_errors_and_draws_of_fits_are_those_of_the_catalog(fitted):
    table, draws = fitted
    assert (np.asarray(table["group_size"]) > 1).sum() >= 2
    assert_array_equal(draws["id"], table["id"])
    assert tuple(draws.colnames) == ("id", *SEVEN, "sky")
    assert draws.meta["NDRAWS"] == table.meta["NDRAWS"] == K
    assert tuple(table.meta["COVNAMES"].split(",")) == SEVEN
    for name, ratio in errors(table).items():
        # what is at a bound has another distribution, and angles of round galaxies are bounded
        assert 0.8 < np.nanmedian(ratio) < 1.25, name
    for name in SEVEN:
        assert draws[name].unit == table[name].unit
        assert draws[name].shape == (len(table), K)
        off = np.median(value(draws[name]), axis=1) - value(table[name])
        known = np.isfinite(value(table[f"{name}_err"])) & (name != "theta")
        assert (np.abs(off[known]) < value(table[f"{name}_err"])[known]).all(), name


def test_members_of_a_group_share_draws(fitted):
    """The fluxes of two galaxies that share light are anticorrelated, draw by draw."""
    table, draws = fitted
    one, other = np.flatnonzero(np.asarray(table["group_size"]) == 2)[:2]
    mag = value(draws["mag"])
    assert np.corrcoef(mag[one], mag[other])[0, 1] < 0


@pytest.mark.parametrize("refine", [None, "lm"])
def test_tiles_do_not_matter(refine, field, measure, fitted):
    """Draws of a fit may turn with its rounding, and stay the same distribution."""
    table, draws = fitted if refine else measure(field)
    pieces, of_pieces = measure(field, refine=refine, tile_size=64, output="pieces.parquet")
    assert of_pieces.colnames == draws.colnames
    for name in () if refine else SEVEN:
        assert_allclose(value(of_pieces[name]), value(draws[name]), rtol=1e-3, atol=1e-3)
    (_, expected), (_, found) = matrices(table), matrices(pieces)
    error = np.sqrt(np.diagonal(expected, axis1=1, axis2=2))
    assert np.nanmax(np.abs(found - expected) / error[:, None] / error[:, :, None]) < 0.2


@pytest.mark.parametrize("suffix", ["ecsv", "fits", "parquet", "vot"])
def test_without_sources_the_columns_stay(suffix, measure, fitted):
    empty = make_field(np.zeros((90, 90)))
    found = measure(empty, refine="lm", output=f"empty.{suffix}")
    for table, expected in zip(found, fitted, strict=True):
        assert len(table) == 0
        assert table.colnames == expected.colnames
        for name in expected.colnames:
            assert table[name].shape[1:] == expected[name].shape[1:], name
            assert table[name].unit == expected[name].unit, name


def test_rows_that_are_nowhere_have_none(field, measure):
    catalog = Table({"x_0": [-500.0, 60.0], "y_0": [0.0, 100.0], "id": [7, 3]})
    table, draws = measure(field, catalog=catalog)
    assert list(draws["id"]) == [7, 3]
    assert_array_equal(np.isnan(table["covariance"]).all(axis=1), [True, False])
    assert_array_equal(np.isnan(draws["mag"]).all(axis=1), [True, False])


def test_parts_have_draws_of_their_own(field, measure):
    table, draws = measure(field[60:150, 20:110], refine="lm", model="auto")
    assert {"mag_bulge", "r_eff_disk", "bulge_to_total", "mag_point", "model"} < set(draws.colnames)
    assert set(np.unique(draws["model"])) <= {"sersic", "point", "sersic+exp", "point+exp", ""}
    most = [max(set(row), key=list(row).count) for row in draws["model"]]
    assert np.mean(np.array(most) == table["model"]) > 0.5
    assert draws["mag_bulge"].unit == u.ABmag
    assert set(draws.colnames) - {"id"} <= set(table.colnames)


def test_profiles_with_parameters_of_their_own(field, measure):
    table, _ = measure(field[60:150, 20:110], refine="lm", model="king")
    assert table.meta["COVNAMES"] == ",".join((*SEVEN, "log_tidal", "alpha"))
    assert 0.8 < np.nanmedian(errors(table)["log_tidal"]) < 1.25


def test_bands_have_covariances_of_all_magnitudes(measure):
    images = draw_bands()[0]
    table, draws = measure(images, psf=None)
    others = [f"mag_{band}" for band in list(images)[1:]]
    assert table.meta["COVNAMES"] == ",".join((*SEVEN, *others))
    assert {"mag", *others, f"x_shift_{list(images)[1]}"} < set(draws.colnames)
    ratio = errors(table)[others[0]]
    assert 0.8 < np.nanmedian(ratio) < 1.25
    shown = np.isfinite(value(table["mag_err"]))
    off = np.median(value(draws["x_0"]), axis=1) - value(table["x_0"])
    assert (np.abs(off[shown]) < 3 * value(table["x_0_err"])[shown]).all()
    empty, _ = measure({band: make_field(np.zeros((90, 90))) for band in images}, psf=star())
    assert empty["covariance"].shape == (0, table["covariance"].shape[1])


def test_pixels_that_are_not_square(measure):
    """Draws on the sky, and those of the ellipse in pixels."""
    image = part_of_field()
    image.wcs.wcs.cd = image.wcs.wcs.cd @ np.diag([1.2, 1.0])
    table, draws = measure(image)
    assert {"r_eff_pix", "q_pix"} <= set(draws.colnames)
    for name in ("r_eff", "r_eff_pix", "q_pix"):
        assert_allclose(np.median(value(draws[name]), axis=1), value(table[name]), rtol=0.2)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"samples": 5}, "samples=5 are written into a file beside that of the table: pass output"),
        ({"samples": -1, "output": "a.fits"}, "samples=-1 must be a positive integer"),
        ({"covariance": True, "columns": ["id"]}, r"columns=\['id'\] leaves it out"),
        ({"fixed": "shape", "covariance": True}, "covariance=True is for sources whose structure"),
        (
            {"fixed": "shape", "samples": 5, "output": "a.fits"},
            "samples=5 is for sources whose structure is fitted: fluxes",
        ),
        (
            {"samples": 5, "output": "a.fits", "columns": ["draws of mag"]},
            "there is no column 'draws of mag'",
        ),
    ],
)
def test_what_cannot_be(options, match, field, net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "fixed" in options:
        options["catalog"] = Table({"x_0": [60.0], "y_0": [100.0]})
    with pytest.raises(ValueError, match=match):
        measure_image(field, net=net, psf=star(), **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [1.5, True, "all"])
def test_draws_that_cannot_be_counted(wrong, field, net, tmp_path):
    match = f"samples={wrong!r} must be a positive integer"
    with pytest.raises(ValueError, match=match):
        measure_image(field, net=net, psf=star(), samples=wrong, output=tmp_path / "a.fits")


def test_names_without_draws():
    draws = Draws((), ("mag",), 3, 0)
    assert draws.describe() == {"NDRAWS": 3}
    assert [column.shape for column in draws.columns] == [(3,)]
