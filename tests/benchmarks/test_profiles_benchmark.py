"""The benchmark of profiles: its images, its scores, and its command."""

import numpy as np
import pytest
from astropy.table import QTable, Table

from benchmarks import profiles
from benchmarks.common.real_space import brightness_of, image_of, psf_image
from sersicnet.profile_shapes import PROFILE_SHAPES


def test_cases_are_all_profiles():
    assert set(profiles.CASES) == set(PROFILE_SHAPES)


def test_integral_has_all_light():
    brightness = brightness_of("ferrers", (1.0,), 4.0, 0.7, 0.4)
    image = image_of(brightness, (0.2, 0.1), side=40, oversampling=5)
    assert abs(image.sum() - 1) < 1e-3
    assert abs(psf_image().sum() - 1) < 1e-12


def test_errors_of_images():
    row = profiles.errors_of("gaussian", profiles.PLACES[:1], 32, 5)
    assert row["cases"] == 1
    assert row["sum_over_flux"] < 2e-4


@pytest.mark.parametrize("name", ["moffat", "core_sersic"])
def test_scores(name):
    truth = profiles.draw(name, 20, 1)
    table = Table({"flags": np.zeros(20, dtype=int), "cpu": np.ones(20)})
    for parameter, values in truth.items():
        for end, away in (("_lo", -0.5), ("", 0.5), ("_hi", 1.5)):
            table[parameter + end] = values + away
    rows = profiles.judge(name, table, truth)
    assert [row["coverage"] for row in rows] == [1] * len(rows)
    np.testing.assert_allclose([row["mean_pull"] for row in rows], 0.5)
    parameters = [row["parameter"] for row in rows]
    assert "sharpness" not in parameters
    assert set(PROFILE_SHAPES[name].names) - {"sharpness"} < set(parameters)


def test_command(tmp_path):
    arguments = [str(tmp_path), "-n", "1", "--only", "coverage", "--profiles", "king"]
    for _ in range(2):  # the second run reads what the first one kept
        profiles.main([*arguments, "--raw", str(tmp_path / "raw")])
    table = QTable.read(tmp_path / "coverage_lm.csv")
    assert set(table["profile"]) == {"king"}
    assert len(list((tmp_path / "raw").iterdir())) == 1
