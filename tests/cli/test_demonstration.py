"""The demonstration: files, and published values of galaxies."""

import numpy as np
import pytest
from astropy.table import QTable

from sersicnet.cli.main import main
from sersicnet.diagnostics.scores import split_truth
from sersicnet.io.cutouts import read_cutouts


def test_demo_of_cutouts_joins_published_values(files, tmp_path):
    pytest.importorskip("matplotlib")
    assert main(["demo", *files, "-o", str(tmp_path)]) == 0
    measured, truth = split_truth(QTable.read(tmp_path / "measured.ecsv"))
    assert truth["mag"][0].value == 21.5
    assert np.isnan(truth["mag"][1].value)
    assert len(measured) == 2
    assert (tmp_path / "residuals.png").stat().st_size > 10_000
    assert (tmp_path / "comparison.png").exists()


@pytest.fixture
def published_values():
    """The function, where matplotlib is there, which its module needs."""
    pytest.importorskip("matplotlib")
    from sersicnet.cli.demonstration import published_values

    return published_values


def test_published_values_have_the_units_of_the_parameters(files, published_values):
    values = published_values(read_cutouts(files[0]))
    assert str(values["mag"].unit) == "mag(AB)"
    assert np.isnan(values["r_eff"][0].value)


def test_published_values_of_a_header_with_blank_cards_and_text(files, published_values):
    (cutout,) = read_cutouts(files[0])
    cutout.meta.add_blank(before=0)
    cutout.meta["REFN"] = "unknown"
    values = published_values([cutout])
    assert values["mag"][0].value == 21.5
    assert np.isnan([values["n"][0], values["x_0"][0].value]).all()
