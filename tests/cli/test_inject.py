"""The command ``sersicnet inject``, run as a user would."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from helpers.fields import make_field, render, truth_table

from sersicnet.cli.main import main
from sersicnet.io.cutouts import write_cutout
from sersicnet.io.tables import read_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A corner of a survey image with noise map, mask and PSF, and galaxies to inject."""
    folder = tmp_path_factory.mktemp("field")
    corner = make_field(render(truth_table())[:240, :240])
    write_cutout(corner, folder / "field.fits")
    rng = np.random.default_rng(2)
    galaxies = {"mag": rng.uniform(14.5, 18, 8), "r_eff": rng.uniform(0.2, 0.5, 8)}
    QTable(galaxies | {"n": np.ones(8), "q": np.full(8, 0.8)}).write(folder / "galaxies.ecsv")
    return folder


def command(folder, *words):
    galaxies = ["--galaxies", str(folder / "galaxies.ecsv")]
    return ["inject", str(folder / "field.fits"), *galaxies, *words]


def test_table_summary_and_page(folder, tmp_path, capsys):
    pytest.importorskip("bokeh")
    paths = {
        "-o": tmp_path / "injected.fits",
        "--summary": tmp_path / "summary.ecsv",
        "--page": tmp_path / "page.html",
    }
    words = [word for option, path in paths.items() for word in (option, str(path))]
    before = (folder / "field.fits").read_bytes()
    assert main(command(folder, "--min-distance", "60", "--seed", "2", *words)) == 0
    assert (folder / "field.fits").read_bytes() == before
    table = read_table(paths["-o"])
    assert len(table) == table.meta["NINJECT"] == 8
    assert table.meta["SEED"] == 2
    assert table["true_mag"].unit == u.ABmag
    found = int(table["detected"].sum())
    assert found > 3
    printed = capsys.readouterr()
    assert f"wrote {paths['-o']}: {found} of 8 galaxies detected" in printed.out
    assert "completeness" in printed.out
    assert "sersicnet: 8 galaxies in" in printed.err
    assert f"sersicnet: {found} of 8 injected galaxies were detected" in printed.err
    summary = read_table(paths["--summary"])
    assert summary["completeness"][0] == found / 8
    page = paths["--page"].read_text(encoding="utf-8")
    assert "Injections" in page


def test_options_are_passed_on(folder, tmp_path, monkeypatch):
    seen = {}

    def inject(image, galaxies, **options):
        seen.update(options, galaxies=galaxies)
        galaxy = {"true_mag": [20.0], "true_r_eff": [0.5], "detected": [False]}
        return QTable(galaxy)

    monkeypatch.setattr("sersicnet.measure.injection.inject_galaxies", inject)
    words = ["-n", "5", "--magnitudes", "20", "27", "--layout", "random", "--refine", "lm"]
    words += ["--gain", "2.5", "--no-sky", "--match-radius", "2", "-o", str(tmp_path / "a.ecsv")]
    assert main(command(folder, *words)) == 0
    expected = {"n_galaxies": 5, "magnitudes": [20, 27], "layout": "random", "refine": "lm"}
    expected |= {"gain": 2.5, "background_box": None, "match_radius": 2, "min_distance": 80}
    for name, value in expected.items():
        assert seen[name] == value
    assert seen["galaxies"].endswith("galaxies.ecsv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--galaxies", "absent.ecsv"], "--galaxies='absent.ecsv' does not exist"),
        (["--galaxies", "LSST"], "--galaxies='LSST': band=None must be one of"),
        (["--psf", "absent.fits"], "--psf='absent.fits' does not exist"),
        (["-n", "0"], "--n-galaxies=0 must be a positive integer"),
        (["--min-distance", "4"], "--min-distance=4.0 must be at least twice"),
        (["--gain", "-1"], "--gain=-1.0 must be a positive number"),
        (["--magnitudes", "20", "27"], "--magnitudes=[20.0, 27.0]: only a simulated survey"),
        (["--summary", "no/s.ecsv"], "--summary='no/s.ecsv': there is no folder 'no'"),
        (["--page", "no/p.html"], "--page='no/p.html': there is no folder 'no'"),
        (["-o", "out.csv"], "--output='out.csv' must end in .ecsv"),
    ],
)
def test_errors_are_one_line(options, message, folder, tmp_path, capsys):
    assert main(command(folder, "-o", str(tmp_path / "out.ecsv"), "--quiet", *options)) == 1
    error = capsys.readouterr().err
    assert error.startswith("sersicnet: ")
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["-o", "--summary", "--page"])
def test_inputs_are_not_overwritten(option, folder, tmp_path, capsys):
    before = (folder / "galaxies.ecsv").read_bytes()
    words = ["-o", str(tmp_path / "out.ecsv"), option, str(folder / "galaxies.ecsv")]
    assert main(command(folder, *words)) == 1
    assert "galaxies.ecsv' would overwrite --galaxies=" in capsys.readouterr().err
    assert (folder / "galaxies.ecsv").read_bytes() == before
