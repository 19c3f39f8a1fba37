"""The benchmark of degraded galaxies, on a few."""

import numpy as np
import pytest
from astropy.table import QTable, Table
from helpers.rendered import NOISE, add_noise, labels_of, make_cutout, render, star
from numpy.testing import assert_allclose

from benchmarks import degrade
from benchmarks.common.kept import kept
from sersicnet import SersicNet
from sersicnet.model import collect_psfs


def galaxy(snr=400.0, **changes):
    """A cutout with the cards of the real galaxies."""
    image = add_noise(render([labels_of(snr=snr, r_eff=4, n=1, q=0.7)], star(), size=64))[0]
    cutout = make_cutout(image, **changes)
    cutout.meta |= {"PIXSCALE": 0.1, "MAGZP": 25.0}
    return cutout


def test_noise_is_added():
    cutout = galaxy()
    case = degrade.Case(snr=40)
    images = [degrade.degrade(cutout, 400, case, rng=np.random.default_rng(i)) for i in range(5)]
    added = np.std([image.data for image in images], axis=0, ddof=1)
    assert_allclose(np.mean(added**2), (10 * NOISE) ** 2 - NOISE**2, rtol=0.1)
    for image in images:
        assert_allclose(np.median(image.uncertainty.array), 10 * NOISE, rtol=1e-3)
        assert not image.mask.any()


def test_the_psf_becomes_broader():
    mask = np.zeros((64, 64), bool)
    mask[10, 12] = True
    cutout = galaxy(mask=mask)
    case = degrade.Case(snr=40, broader=1.5)
    shallow = degrade.degrade(cutout, 400, case, rng=np.random.default_rng(1))
    before = collect_psfs([cutout.psf]).fwhm()[0]
    assert_allclose(collect_psfs([shallow.psf]).fwhm()[0], 1.5 * before, rtol=0.06)
    assert_allclose(np.sum(shallow.psf), np.sum(cutout.psf), rtol=1e-3)
    assert shallow.mask[10, 12]
    assert shallow.mask[0].all()
    assert not shallow.mask[20:, 20:44][:20].any()
    assert_allclose(np.median(shallow.uncertainty.array), 10 * NOISE, rtol=1e-2)


def test_the_signal_is_that_of_the_half_light_ellipse():
    cutout = galaxy()
    net = SersicNet.from_pretrained()
    table = net.predict([cutout], pixel_scale=0.1, zeropoint=25.0).to_table()
    assert_allclose(degrade.signal_to_noise([cutout], table), 400, rtol=0.1)


def test_pulls_of_one_galaxy():
    """A third of the differences is a bias; radii are compared in dex."""
    found = QTable()
    for name in degrade.SHOWN:
        found[name] = np.array([1.0, 1.2])
        found[f"{name}_err"] = np.array([0.1, 0.1])
    truth = dict.fromkeys(degrade.SHOWN, 1.0)
    expected = dict.fromkeys(degrade.SHOWN, 1.05)
    rows = degrade.one_galaxy(found, truth, expected, galaxy="a", code="b", case="c")
    (row,) = [row for row in rows if row["parameter"] == "n"]
    assert_allclose([row["bias"], row["offset"], row["pull"]], [0.1, 1.0, np.sqrt(2)])
    assert_allclose(row["steady"], 0.5)
    (row,) = [row for row in rows if row["parameter"] == "r_eff"]
    assert_allclose(row["bias"], np.log10(1.2) / 2)
    table = degrade.summarize(QTable(rows=rows))
    assert table["galaxies"].tolist() == [1] * 4


def test_what_a_file_has_is_not_measured_again(tmp_path):
    seen = []

    def measure(numbers, start):
        seen.append(list(numbers))
        return {"mag": np.array(numbers) + start["mag"]}

    for count in (2, 4, 3):
        start = {"mag": np.full(count, 0.5)}
        table = kept(tmp_path / "raw", "S/N 30", measure, [1, 2, 3, 4][:count], start)
        assert table["mag"].tolist() == [1.5, 2.5, 3.5, 4.5][:count]
    assert seen == [[1, 2], [3, 4]]
    assert len(kept(None, "S/N 30", measure, [1], {"mag": np.zeros(1)})) == 1


def test_the_command_on_simulated_structure(tmp_path):
    words = ["--structure", "1", "--realizations", "2", "--cases", "broad PSF, S/N 30"]
    words += ["--codes", "network", "lm"]
    degrade.main([str(tmp_path), str(tmp_path), *words])
    table = Table.read(tmp_path / "degrade.csv", format="ascii.csv")
    assert len(table) == 2 * 4
    assert np.isfinite(table["pull"]).all()
    assert set(table["galaxies"]) == {3}


def test_imfit_finds_the_galaxy():
    pytest.importorskip("pyimfit")
    from benchmarks.common.imfit import fit_cutouts

    cutout = galaxy()
    start = {"mag": 17.5, "r_eff": 0.3, "n": 1.5, "q": 0.6, "theta": 20.0, "x_0": 31.0, "y_0": 32.0}
    start = {name: [value] for name, value in start.items()}
    for free_sky in (False, True):
        found = fit_cutouts([cutout], start, free_sky=free_sky)
        assert_allclose(found["r_eff"], 0.4, rtol=0.03)
        assert_allclose(found["q"], 0.7, atol=0.03)
        assert (found["sky"] != 0) == free_sky
