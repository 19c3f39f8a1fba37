"""Pictures in color of galaxies in several bands."""

import base64
import re
from io import BytesIO

import numpy as np
import pytest
from helpers.banded import draw_band
from PIL import Image

pytest.importorskip("bokeh")

from sersicnet import SersicNet
from sersicnet.report.colors import color_pictures
from sersicnet.report.write import write_report

MAGS = {"g": 17.6, "r": 17.0, "i": 16.6}


@pytest.fixture(scope="module")
def cutouts():
    """Those of two galaxies, of which the second is not seen in one band."""
    found = {band: [draw_band(mag), draw_band(mag, seed=2)] for band, mag in MAGS.items()}
    found["i"][1] = None
    return found


@pytest.fixture(scope="module")
def results(cutouts):
    return SersicNet.from_pretrained().predict(cutouts)


def test_image_model_and_residual(results, cutouts):
    first, second = color_pictures(results, cutouts)
    picture = Image.open(BytesIO(base64.b64decode(first.partition(",")[2])))
    assert picture.size == (192, 64)
    pixels = np.asarray(picture.convert("RGB"), dtype=int)
    image, model, residual = np.split(pixels, 3, axis=1)
    assert image[32, 32].sum() > image[2:8, 2:8].sum(axis=2).mean()
    assert np.abs(image[28:36, 28:36] - model[28:36, 28:36]).mean() < 25
    assert np.abs(residual.mean() - 127) < 10
    assert second == ""


def test_page(results, cutouts, tmp_path):
    path = write_report(results, tmp_path / "page.html", cutouts=cutouts)
    text = path.read_text(encoding="utf-8")
    (block,) = re.findall('<script type="text/plain" id="pictures">([^<]*)</script>', text)
    counts = [line.count("data:image/png") for line in block.split("\n")]
    assert sorted(counts) == [1, 2]


def test_cutouts_of_bands_need_results_of_bands(results, cutouts, tmp_path):
    path = tmp_path / "page.html"
    with pytest.raises(TypeError, match="results must then be those of bands"):
        write_report(results.to_table(), path, cutouts=cutouts)
    with pytest.raises(ValueError, match="cutouts has r, i: those of the reference band g"):
        write_report(results, path, cutouts={band: cutouts[band] for band in "ri"})
    with pytest.raises(ValueError, match=r"cutouts\['r'\] must be a list of 2 cutouts"):
        write_report(results, path, cutouts=cutouts | {"r": cutouts["r"][:1]})
