"""Images of a survey and their options, as tasks of workers."""

from pathlib import Path

import astropy.units as u
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, QTable
from helpers.correlated import gaussian_correlation

from sersicnet import Sersic
from sersicnet.survey.tasks import make_tasks

pytest.importorskip("dask.distributed")
pytest.importorskip("pyarrow")
pytest.importorskip("pandas")  # reads Parquet


def test_images_may_differ_in_what_is_said_of_them(measure, measured, three, tmp_path):
    star, other = tmp_path / "star.fits", tmp_path / "other.fits"
    for path in (star, other):
        path.write_text("psf")
    rows = QTable(
        {
            "image": [str(path) for path in three],
            "name": ["x", "y", "z"],
            "psf": MaskedColumn([str(other)] * 3, mask=[False, True, True]),
            "zeropoint": [25.0, 26.0, 27.0] * u.ABmag,
            "n_pixels": [5, 6, 7],
        }
    )
    table = measure(rows, psf=star, pixel_scale=0.1 * u.arcsec, tile_size=64)
    assert list(table["name"]) == ["x", "y", "z"]
    assert list(table["part"]) == [f"parts/{name}.parquet" for name in "xyz"]
    calls = sorted(measured, key=lambda call: call["image"])
    assert [Path(call["psf"]).stem for call in calls] == ["other", "star", "star"]
    assert [call["zeropoint"].value for call in calls] == [25, 26, 27]
    assert [call["n_pixels"] for call in calls] == [5, 6, 7]
    assert {call["pixel_scale"] for call in calls} == {0.1 * u.arcsec}
    measured.clear()
    measure(rows, psf=star, pixel_scale=0.1 * u.arcsec, tile_size=64)
    assert not measured


def test_a_catalog_is_read_by_the_worker(measure, measured, three, tmp_path):
    QTable({"x_0": [1.0]}).write(tmp_path / "where.ecsv")
    measure(three[:1], catalog=tmp_path / "where.ecsv")
    assert measured[0]["catalog"]["x_0"] == [1.0]


def test_images_of_one_file_have_their_own_names(tmp_path):
    path = tmp_path / "exposure.fits.fz"
    path.write_text("image")
    images = [f"{path}[N2]", f"{path}[SCI,2]", f"{path}[3][0]"]
    tasks = make_tasks(images, {"weight_map": f"{path}[1]"})
    assert [task.name for task in tasks] == ["exposure-N2", "exposure-SCI-2", "exposure-3-0"]
    assert all(task.file_states()["image"][0] == 5 for task in tasks)


def test_images_may_differ_in_their_noise_and_sky(three, tmp_path):
    """Correlations are files, or the word that says to measure them."""
    path = tmp_path / "noise.fits"
    fits.writeto(path, gaussian_correlation(0.7))
    rows = QTable(
        {
            "image": [str(image) for image in three],
            "noise_correlation": MaskedColumn([str(path), "measure", ""], mask=[0, 0, 1]),
            "sky": ["prior", "free", "fixed"],
            "gain": [2.5, 3.5, 4.5],
        }
    )
    tasks = make_tasks(rows, {"refine": "lm"})
    found = [task.options.noise_correlation for task in tasks]
    assert found == [str(path.absolute()), "measure", "measure"]
    assert [task.options.sky for task in tasks] == ["prior", "free", "fixed"]
    assert [task.options.gain for task in tasks] == [2.5, 3.5, 4.5]
    states = [set(task.file_states()) for task in tasks]
    assert states == [{"image", "noise_correlation"}, {"image"}, {"image"}]
    with pytest.raises(FileNotFoundError, match="noise_correlation"):
        make_tasks(three, {"noise_correlation": str(tmp_path / "missing.fits")})
    with pytest.raises(TypeError, match="noise_correlation must be the path of a file"):
        make_tasks(three, {"noise_correlation": gaussian_correlation(0.7)})


def test_one_model_is_fitted_in_all_images(three):
    rows = QTable({"image": [str(image) for image in three], "model": ["auto", "point", "auto"]})
    message = "'a' with model='auto', and 'b' with 'point': all parts of a survey have"
    with pytest.raises(ValueError, match=message):
        make_tasks(rows, {})
    task = make_tasks(three, {"model": Sersic(n=4)})[0]
    assert task.describe()["model"]["n"] == 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stars": ["stars.ecsv", "", "stars.ecsv"]}, "2 of 3 with stars=, the first of them 'a'"),
        (
            {"fixed": ["shape", ["r_eff", "n", "q", "theta"], "shape"], "catalog": ["a.ecsv"] * 3},
            "1 of 3 with free positions in fixed=, the first of them 'b'",
        ),
    ],
)
def test_all_images_have_the_same_columns(three, values, message):
    rows = []
    for number, image in enumerate(three):
        given = {name: column[number] for name, column in values.items()}
        rows.append({"image": image} | {name: value for name, value in given.items() if value})
    with pytest.raises(ValueError, match=message):
        make_tasks(rows, {})


def test_catalogs_have_priors_of_the_same_parameters(three, tmp_path):
    plain = QTable({"x_0": [3.0], "y_0": [4.0]})
    known = plain.copy()
    known["n_min"] = 1.0
    plain.write(tmp_path / "plain.ecsv")
    known.write(tmp_path / "known.ecsv")
    paths = [str(image) for image in three]

    def tasks(*names):
        catalogs = [str(tmp_path / f"{name}.ecsv") for name in names]
        return make_tasks(QTable({"image": paths, "catalog": catalogs}), {})

    message = "'a' with priors of n in its catalog, and 'b' with priors of nothing: all parts of a"
    with pytest.raises(ValueError, match=message):
        tasks("known", "plain", "known")
    assert len(tasks("known", "known", "known")) == 3
    assert len(tasks("plain", "plain", "plain")) == 3
    (tmp_path / "damaged.ecsv").write_text("# %ECSV 1.0")
    assert len(tasks("known", "damaged", "known")) == 3
    rows = [{"image": paths[0], "catalog": str(tmp_path / "known.ecsv")}, *paths[1:]]
    with pytest.raises(ValueError, match="'b' with priors of nothing"):
        make_tasks(rows, {})
