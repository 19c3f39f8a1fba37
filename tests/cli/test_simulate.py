"""The command ``sersicnet simulate``."""

import pytest
from astropy.table import QTable

from sersicnet.cli.main import main
from sersicnet.io.cutouts import read_cutouts


def test_what_simulate_writes_can_be_measured(tmp_path):
    """Several cutouts in one file are told apart by their number."""
    assert main(["simulate", "candels_f160w", "-n", "3", "-o", str(tmp_path)]) == 0
    output = tmp_path / "measured.fits"
    assert main(["predict", str(tmp_path / "cutouts.fits"), "-o", str(output)]) == 0
    assert list(QTable.read(output)["id"]) == ["cutouts-0", "cutouts-1", "cutouts-2"]


def test_simulate_writes_truth_and_cutouts(tmp_path):
    assert main(["simulate", "Euclid_VIS", "-n", "2", "--seed", "5", "-o", str(tmp_path)]) == 0
    cutouts = read_cutouts(tmp_path / "cutouts.fits")
    catalog = QTable.read(tmp_path / "catalog.ecsv")
    assert len(cutouts) == len(catalog) == 2
    assert [cutout.shape[0] for cutout in cutouts] == list(catalog["size"])


@pytest.mark.parametrize(
    ("survey", "message"),
    [
        ("HDFN", "SURVEY='HDFN' is not a survey of surveycodex: "),
        ("LSST", "SURVEY='LSST': band=None must be one of u, g"),
        ("LSST:q", "SURVEY='LSST:q': band='q' must be one of u, g"),
    ],
)
def test_simulate_refuses_an_unknown_survey(survey, message, tmp_path, capsys):
    assert main(["simulate", survey, "-o", str(tmp_path)]) == 1
    assert message in capsys.readouterr().err


def test_simulate_needs_a_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["simulate", "candels_f160w", "-o", str(tmp_path / "file")]) == 1
    assert "is a file, and a folder is needed" in capsys.readouterr().err
