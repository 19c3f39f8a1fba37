"""Pictures of the galaxies on a page."""

import base64
import io

import numpy as np
import pytest
from astropy.nddata import CCDData
from helpers.pages import META, SHOWN, make_scene, star
from numpy.testing import assert_array_equal

pytest.importorskip("bokeh")

from PIL import Image

from sersicnet.preprocessing.inputs import Inputs
from sersicnet.report.pictures import galaxy_pictures


def pictures_of(cutouts, values, **options):
    arguments = {"psf": None, "psf_options": {"oversampling": 1, "normalize": True}}
    arguments |= {"units": {"pixel_scale": None, "zeropoint": None}} | options
    columns = {name: np.array([value[name] for value in values]) for name in values[0]}
    return galaxy_pictures(columns, cutouts, **arguments)


def read(url):
    """The three panels in colors."""
    header, content = url.split(",")
    assert header == "data:image/png;base64"
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"), float)
    return np.split(pixels, 3, axis=1)


@pytest.mark.parametrize(("size", "r_eff", "side"), [(100, 0.4, 64), (40, 0.4, 40), (150, 1.5, 64)])
def test_right_model_leaves_only_noise(size, r_eff, side):
    cutout, values = make_scene(size=size, r_eff=r_eff)
    image, model, residual = read(pictures_of([cutout], [values])[0])
    assert image.shape == (side, side, 3)
    # image and model have one stretch: bright where the galaxy is, in both
    bright = [np.argsort(panel.sum(axis=2), axis=None)[-30:] for panel in (image, model)]
    assert len(np.intersect1d(*bright)) > 15
    # blue and red are as frequent: no residual of the galaxy, also in its middle
    excess = (residual[..., 0] - residual[..., 2]) / 255
    middle = excess[side // 2 - 4 : side // 2 + 4, side // 2 - 4 : side // 2 + 4]
    assert abs(middle.mean()) < 5 * excess.std() / 8
    brighter = values | {"mag": 19.8}
    excess = np.subtract(*read(pictures_of([cutout], [brighter])[0])[2].T[[0, 2]]).T / 255
    assert excess[side // 2 - 2 : side // 2 + 2, side // 2 - 2 : side // 2 + 2].mean() < -0.3


def test_north_is_up_and_bad_pixels_are_gray():
    cutout, values = make_scene(size=64)
    cutout.mask = np.zeros(cutout.shape, bool)
    cutout.mask[60, 5] = True  # near the upper left
    image, model, residual = read(pictures_of([cutout], [values])[0])
    gray = [(panel == 0x99).all(axis=2) for panel in (image, model, residual)]
    for panel in (gray[0], gray[2]):
        assert_array_equal(np.argwhere(panel), [[3, 5]])
    assert not gray[1].any()


def test_a_galaxy_of_several_parts_has_no_model():
    """Its index is NaN, and its size 0 where a point source has half of the light."""
    cutout, values = make_scene(size=64)
    _, model, _ = read(pictures_of([cutout], [values | {"n": np.nan, "r_eff": 0.0}])[0])
    assert len(np.unique(model)) == 1


def test_galaxies_without_cutout_pixels_or_psf():
    cutout, values = make_scene()
    empty = CCDData(np.full((50, 50), np.nan), unit="adu", meta=META)
    without, _ = make_scene(psf=False)
    lost = dict.fromkeys(values, np.nan)
    urls = pictures_of([None, empty, without, cutout, cutout], [*[values] * 4, lost])
    assert urls[:2] == ["", ""]
    for url in (urls[2], urls[4]):
        image, model, residual = read(url)
        assert (model == 0x99).all()
        assert (residual == 0x99).all()
        assert not (image == 0x99).all()
    given = pictures_of([without], [values], psf=star())[0]
    assert_array_equal(read(given), read(urls[3]))


def test_angle_and_center_that_were_not_measured():
    """They are those of the image's moments."""
    cutout, values = make_scene(noise=0.01)
    fewer = {name: values[name] for name in SHOWN}
    residual = read(pictures_of([cutout], [fewer])[0])[2]
    assert (residual != 0x99).all()
    stack = CCDData(cutout.data[None], unit="adu", psf=star(), meta=META)
    assert len(pictures_of(stack, [fewer])) == 1


def test_psfs_that_were_measured_with():
    cutout, values = make_scene()
    without, _ = make_scene(psf=False)
    inputs = Inputs.of([cutout], [star()], {})
    assert pictures_of([without], [values], inputs=inputs) == pictures_of([cutout], [values])


def test_fitted_sky_is_part_of_the_model():
    cutout, values = make_scene(noise=0.02)
    cutout.data += 0.1  # 5 sigma
    without = read(pictures_of([cutout], [values])[0])
    found = read(pictures_of([cutout], [values], sky=np.array([0.1]))[0])
    assert_array_equal(found[0], without[0])
    for panels, expected in ((without, 1), (found, 0)):
        excess = np.sign(panels[2][..., 0] - panels[2][..., 2])
        assert abs(abs(excess.mean()) - expected) < 0.1


def test_cutouts_must_be_as_many_as_rows():
    cutout, values = make_scene()
    with pytest.raises(ValueError, match=r"cutouts \(2\) must be as many as the rows .* \(1\)"):
        pictures_of([cutout] * 2, [values])


def test_a_model_of_several_parts_leaves_only_noise():
    """Two halves of a galaxy are the galaxy."""
    cutout, values = make_scene(size=64, r_eff=0.4)
    half = values | {"mag": values["mag"] + 2.5 * np.log10(2)}
    columns = dict(values)
    for part in ("bulge", "disk"):
        columns |= {f"{name}_{part}": half[name] for name in ("mag", "r_eff", "n", "q", "theta")}
    parts = (("bulge", "sersic"), ("disk", "sersic"))
    whole = read(pictures_of([cutout], [values])[0])
    picture, profile = pictures_of([cutout], [columns], parts=parts)[0].split(" ")
    assert profile.startswith("data:image/svg+xml;base64,")
    found = read(picture)
    assert np.abs(found[1] - whole[1]).mean() < 1
    assert np.abs(found[2] - whole[2]).mean() < 1
