"""The benchmark of PSFs from stars on a tiny field, and the fields themselves."""

import numpy as np
import pytest
from astropy.table import Table
from numpy.testing import assert_allclose

from benchmarks import psf_auto
from benchmarks.common import psfex
from benchmarks.sets.star_fields import KINDS, star_field, true_stamp
from sersicnet.measure.psf import FieldPSF


@pytest.mark.parametrize("kind", KINDS)
def test_stars_of_a_field_are_its_psf(kind):
    field = star_field(kind, n_stars=4, n_galaxies=2, side=200, seed=3)
    stars = field.truth[field.truth["r_eff"] == 0]
    brightest = stars[np.argmax(stars["flux"])]
    stamp = true_stamp(kind, brightest["x_0"], brightest["y_0"], 200)
    assert 0.9 < stamp.sum() < 1.01
    pixel = field.image.data[round(brightest["y_0"]), round(brightest["x_0"])]
    assert 0.4 < pixel / (brightest["flux"] * stamp.max()) < 1.2


def test_the_command_writes_a_table(tmp_path, monkeypatch):
    monkeypatch.setattr(psf_auto, "KINDS", ("moffat",))
    monkeypatch.setattr(psf_auto, "has_psfex", lambda: False)
    monkeypatch.setattr(psf_auto, "FIELDS", {8: 300})
    options = ["--stars", "8", "--seeds", "1", "--galaxies", "3"]
    psf_auto.main([str(tmp_path), *options])
    table = Table.read(tmp_path / "psf_auto.csv")
    assert list(table["method"]) == ["sersicnet", "EPSFBuilder", "mean"]
    ours = table[0]
    assert ours["light"] < 0.03
    assert ours["r_eff (dex)"] < 0.1


def test_a_psf_by_psfex(tmp_path):
    if not psfex.has_psfex():
        pytest.skip("PSFEx or SExtractor is not installed")
    field = star_field("moffat", n_stars=8, n_galaxies=0, side=300, seed=1)
    x, y = (np.asarray(field.truth[name]) for name in ("x_0", "y_0"))
    psf = psfex.psfex_psf(field.image, x, y, degree=0, side=35, oversampling=1)
    truth = true_stamp("moffat", 150, 150, 300, size=len(psf.at(0, 0)))
    assert_allclose(psf.at(0, 0).max(), truth.max(), rtol=0.1)


@pytest.mark.parametrize(("oversampling", "side"), [(1, 41), (2, 49), (2, 45), (3, 61)])
def test_the_true_psf_has_no_error(oversampling, side):
    """Stamps of the same pixels are compared."""
    size = (side - 1) // oversampling + 1
    stamp = true_stamp("moffat", 80, 80, 800, size=size, oversampling=oversampling)
    assert stamp.shape == (side, side)
    psf = FieldPSF(lambda x, y: stamp, oversampling)
    assert psf_auto._light_error(psf, "moffat", (80, 80), 800) == 0
