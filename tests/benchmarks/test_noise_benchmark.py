"""The benchmark of correlated noise, on a few galaxies."""

from functools import partial

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from benchmarks import noise
from benchmarks.sets.noises import Noise
from benchmarks.sets.patches import draw_patches, find_patches

SIMULATED = [name for name in noise.NOISES if not name.startswith("real")]


def test_table_and_figure(tmp_path):
    words = ["-n", "6", "--side", "48", "--noise", "white", "COSMOS", "--cases", "clean"]
    noise.main([str(tmp_path), *words])
    table = Table.read(tmp_path / "noise_lm.csv", format="ascii.csv")
    assert len(table) == 2 * 2
    assert set(table["assumed"]) == {"measure", "white"}
    pulls = [f"pull {name}" for name in noise.SHOWN]
    assert all(np.isfinite(table[name]).all() for name in pulls)
    assert (tmp_path / "noise_lm.png").exists()
    cosmos = table[table["noise"] == "COSMOS"]
    scatter = {}
    for name in noise.COMPARED:
        (row,) = cosmos[cosmos["assumed"] == name]
        scatter[name] = np.median([row[pull] for pull in pulls])
    assert scatter["measure"] < scatter["white"]


def test_a_run_that_was_stopped_goes_on(tmp_path, capsys):
    """Nothing is measured twice, and the table is of all that was measured."""
    words = ["--side", "48", "--noise", "white", "--cases", "clean", "--assumed", "white"]
    words = [str(tmp_path), *words, "--raw", str(tmp_path / "raw")]
    noise.main([*words, "-n", "6"])
    (path,) = (tmp_path / "raw").iterdir()
    before = path.stat().st_mtime_ns
    noise.main([*words, "-n", "60", "--minutes", "0"])
    assert path.stat().st_mtime_ns == before
    with np.load(path) as file:
        assert file["quantiles"].shape == (4, 3, 6)
    assert (Table.read(tmp_path / "noise_lm.csv", format="ascii.csv")["n"] <= 6).all()


def test_real_noise_needs_its_folder(tmp_path, monkeypatch, capsys):
    missing = partial(draw_patches, tmp_path / "none", ("kids_*.fits",))
    monkeypatch.setitem(noise.NOISES, "real KiDS", Noise(missing))
    words = ["-n", "2", "--side", "48", "--cases", "clean", "--assumed", "white", "--raw"]
    noise.main([str(tmp_path), *words, str(tmp_path), "--noise", "white", "real KiDS"])
    assert "skipped real KiDS: " in capsys.readouterr().out
    with pytest.raises(FileNotFoundError, match="with 48 x 48 empty pixels"):
        draw_patches(tmp_path, ("a_*.fits",), 3, 48, np.random.default_rng(1))


def test_patches_of_an_image(tmp_path):
    """They do not overlap, have no source, and the noise of the image."""
    rng = np.random.default_rng(1)
    data = 2 * rng.normal(size=(120, 120))
    data[50:60, 50:60] += 100
    hdus = fits.HDUList([fits.PrimaryHDU()])
    for name, values in (("SCI", data), ("ERR", np.full(data.shape, 2.0)), ("MASK", 0 * data)):
        hdus.append(fits.ImageHDU(values, name=name))
    hdus.writeto(tmp_path / "a_1.fits")
    found = find_patches(tmp_path, ("a_*.fits",), 40)
    assert 3 <= len(found) <= 8
    drawn = draw_patches(tmp_path, ("a_*.fits",), 20, 40, rng)
    assert drawn.shape == (20, 40, 40)
    assert np.nanmax(drawn) < 6
    assert abs(np.nanstd(drawn) - 1) < 0.05


@pytest.mark.parametrize("name", SIMULATED)
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
