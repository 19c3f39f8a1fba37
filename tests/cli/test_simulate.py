"""The command ``sersicnet simulate``."""

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


def test_simulate_refuses_an_unknown_survey(tmp_path, capsys):
    assert main(["simulate", "HDFN", "-o", str(tmp_path)]) == 1
    assert "not a survey" in capsys.readouterr().err
