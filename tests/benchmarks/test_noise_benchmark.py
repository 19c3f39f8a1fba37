"""The benchmark of correlated noise, on a few galaxies."""

import numpy as np
import pytest
from astropy.table import Table

from benchmarks import noise


def test_table_and_figure(tmp_path):
    words = ["-n", "6", "--side", "48", "--noise", "white", "COSMOS", "--cases", "clean"]
    noise.main([str(tmp_path), *words])
    table = Table.read(tmp_path / "noise_lm.csv", format="ascii.csv")
    assert len(table) == 2 * 2 * 4
    assert set(table["assumed"]) == {"measure", "white"}
    assert np.isfinite(table["NMAD of pulls"]).all()
    assert (tmp_path / "noise_lm.png").exists()
    cosmos = table[table["noise"] == "COSMOS"]
    scatter = {name: cosmos[cosmos["assumed"] == name]["NMAD of pulls"] for name in noise.COMPARED}
    assert np.median(scatter["measure"]) < np.median(scatter["white"])


@pytest.mark.parametrize("name", noise.NOISES)
def test_noise_has_a_variance_of_1(name):
    images = noise.NOISES[name].draw(20, 64, np.random.default_rng(1))
    assert images.shape == (20, 64, 64)
    assert abs(images.std() - 1) < 0.05


@pytest.mark.parametrize("case", noise.CASES)
def test_what_is_masked(case):
    (part,) = noise.simulate("white", case, n=3, side=64, seed=1)
    share = part["mask"].mean()
    expected = {"0.5 % masked": 0.005, "3 % masked": 0.03}
    assert abs(share - expected.get(case, 40 / 64**2 if "hole" in case else 0)) < 0.002
    assert (np.ptp(part["sigma"]) > 1) == (case == "noise varies by 3")
