"""Catalogs do not depend on the tiles, and name what measured them."""

import hashlib

import numpy as np
import pytest
from helpers.fields import (
    SIDE,
    make_field,
    render,
)
from helpers.measured import assert_same, one_star, value

from sersicnet import __version__
from sersicnet.inference.refine import LevenbergMarquardt
from sersicnet.io.tables import read_table
from sersicnet.io.weights import pretrained_path
from sersicnet.measure.image import measure_image


@pytest.mark.parametrize("tile_size", [64, 130])
def test_tiles_give_what_one_piece_gives(tile_size, table, field, net):
    """No source is lost or doubled, and none is seen in another way."""
    assert_same(measure_image(field, psf=None, net=net, tile_size=tile_size), table)


def test_tiles_do_not_matter_to_a_wide_kernel(net):
    """Its wings are wider than the frame that an ordinary one needs."""
    light = {"x_0": np.array([60.0, 75.0, 130.0]), "y_0": np.array([64.0, 70.0, 66.0])}
    light |= {"flux": np.array([3e3, 2e3, 2e3]), "r_eff": np.zeros(3)}
    field = make_field(render(light, (140, 190)), mask=None)
    whole = measure_image(field, net=net, kernel_fwhm=10.0)
    assert len(whole) >= 3
    assert_same(measure_image(field, net=net, kernel_fwhm=10.0, tile_size=64), whole)


def test_tiles_with_a_catalog(table, field, net):
    positions = table["id", "x_0", "y_0"][::-1]
    whole = measure_image(field, psf=None, net=net, catalog=positions)
    assert_same(measure_image(field, psf=None, net=net, catalog=positions, tile_size=64), whole)


def test_a_large_galaxy_on_the_corner_of_four_tiles(net):
    """It is seen whole: windows grow until it is."""
    one = {"x_0": 128.2, "y_0": 127.7, "flux": 2e6, "r_eff": 20.0, "n": 1.0, "q": 0.7, "theta": 40}
    truth = {name: np.array([number]) for name, number in one.items()}
    field = make_field(render(truth, (260, 260)), mask=None)
    whole = measure_image(field, psf=None, net=net)
    assert len(whole) == 1
    assert value(whole["area"])[0] > 200 * 60
    assert abs(value(whole["r_eff"])[0] / 2.0 - 1) < 0.1
    assert_same(measure_image(field, psf=None, net=net, tile_size=128), whole)


def test_a_catalog_tells_what_measured(net, tmp_path, monkeypatch):
    """In its file as well, of whatever format; a name of weights may be in any language."""
    digest = hashlib.sha256(pretrained_path("universal").read_bytes()).hexdigest()
    expected = {"VERSION": f"sersicnet {__version__}", "REFINE": "none", "THRESH": 5.0}
    expected["WEIGHTS"] = f"universal, sha256 {digest}"
    for suffix in ("ecsv", "fits", "parquet"):
        if suffix == "parquet":
            pytest.importorskip("pyarrow")
            pytest.importorskip("pandas")  # reads it
        output = tmp_path / f"table.{suffix}"
        table = measure_image(one_star(70.0, 70.0), net=net, threshold=5.0, output=output)
        for meta in (table.meta, read_table(output).meta):
            assert {name: meta[name] for name in expected} == expected
    monkeypatch.setattr(net, "weights_", "größer")
    options = {"net": net, "refine": LevenbergMarquardt(), "output": tmp_path / "table.fits"}
    meta = measure_image(one_star(70.0, 70.0), **options).meta
    assert (meta["WEIGHTS"], meta["REFINE"]) == ("gr??er", str(LevenbergMarquardt()))
    monkeypatch.setattr(net, "weights_", None)
    assert "not loaded" in measure_image(one_star(70.0, 70.0), net=net).meta["WEIGHTS"]


def test_the_progress_bar_is_of_tiles(field, net, capsys):
    measure_image(field, psf=None, net=net, tile_size=SIDE // 2, progress_bar=True)
    assert "4/4" in capsys.readouterr().err
