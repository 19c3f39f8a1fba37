"""The benchmark of one large image: a file written in blocks, and its compressed copies."""

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.testing import assert_allclose

from benchmarks import large_image
from benchmarks.sets import tiles


def test_images_are_written_in_blocks(tmp_path, monkeypatch):
    """A source at the border of two blocks is whole, and copies have the same pixels."""
    monkeypatch.setattr(large_image, "_ROWS", 130)
    path = tmp_path / "image.fits"
    large_image.write_image(path, 400, 1)
    image = fits.getdata(path)
    assert fits.getheader(path)["MAGZP"] == tiles.ZEROPOINT
    truth = tiles.draw_truth(1, 0, 400, pixels_per_galaxy=large_image.PIXELS_PER_GALAXY)
    light = np.zeros((400, 400), np.float32)
    tiles.add_sources(light, truth, tiles.make_psf())
    assert light[125:135].max() > 5 * tiles.SIGMA
    noise = image - light
    assert_allclose(np.std(noise), tiles.SIGMA, rtol=0.02)
    assert abs(np.mean(noise[125:135])) < 0.1
    for kind in large_image.FORMATS[1:]:
        copy = fits.getdata(large_image.compress(path, kind), -1)
        assert_allclose(copy, image, atol=0.5 * tiles.SIGMA)


def test_rows_are_added_and_kept(tmp_path, monkeypatch):
    costs = {"MB of the file": 1.0, "sources": 3, "CPU s": 2.0}
    measured = []

    class Pool:
        def __init__(self, _):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def apply(self, function, given):
            assert function is large_image.measure
            measured.append(given[0].rpartition(".")[2])
            return dict(costs)

    monkeypatch.setattr(large_image.multiprocessing.get_context("spawn").__class__, "Pool", Pool)
    monkeypatch.setattr(large_image, "write_image", lambda path, side, seed: path.touch())
    monkeypatch.setattr(large_image, "compress", lambda image, kind: image.with_suffix(f".{kind}"))
    monkeypatch.setattr(large_image.Path, "unlink", lambda path, missing_ok=False: None)
    arguments = [str(tmp_path), "--sides", "300", "--work", str(tmp_path), "--formats"]
    large_image.main([*arguments, "gz", "fits"])
    large_image.main([*arguments, "gz", "fz"])
    assert measured == ["gz", "fits", "fz"]
    table = Table.read(tmp_path / "large_image.csv")
    assert list(table["format"]) == ["fits", "fz", "gz"]
    assert_allclose(table["CPU s per million pixels"], 2e6 / 300**2, rtol=0.01)


def test_an_image_is_measured(tmp_path):
    path = tmp_path / "image.fits"
    large_image.write_image(path, 400, 1)
    row = large_image.measure(str(path))
    assert row["sources"] >= 2
    assert row["MB before"] > 50
