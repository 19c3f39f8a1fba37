"""Survey images that cannot be measured as a whole, or whose noise is not what it is said to be."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import StdDevUncertainty
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fields import NOISE, make_field, star
from scipy.ndimage import gaussian_filter

from sersicnet import SersicNet
from sersicnet.cli.main import main
from sersicnet.io.cutouts import write_cutout
from sersicnet.measure import catalog as _field_checks
from sersicnet.measure.catalog import check_noise, check_usable
from sersicnet.measure.field import open_field
from sersicnet.measure.image import measure_image
from sersicnet.measure.sky import SkyMesh, boxes_of, map_sky

SHAPE = (150, 130)


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


@pytest.fixture(scope="module")
def empty():
    """An image of noise."""
    return make_field(np.zeros(SHAPE))


def everywhere(value):
    return np.full(SHAPE, value)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rms": everywhere(-1.0)}, "rms= is nowhere positive and finite"),
        ({"rms": everywhere(np.nan)}, "rms= is nowhere positive and finite"),
        ({"weight_map": everywhere(0.0)}, "weight_map= is nowhere positive and finite"),
        ({"mask": everywhere(True)}, "all that are finite are masked"),
    ],
)
def test_an_image_without_a_usable_pixel(options, reason, empty, net):
    with pytest.raises(ValueError, match=f"image has no usable pixel: {reason}"):
        measure_image(empty, net=net, **options)


def test_an_image_without_data_or_noise(net):
    known = {"psf": star(), "net": net, "pixel_scale": 0.1, "zeropoint": 25}
    with pytest.raises(ValueError, match="no usable pixel: all are NaN or infinite"):
        measure_image(make_field(everywhere(np.nan)), net=net)
    with pytest.raises(ValueError, match="the scatter of the sky is nowhere positive"):
        measure_image(np.ones(SHAPE), **known)
    bare = make_field(np.zeros(SHAPE), uncertainty=StdDevUncertainty(everywhere(0.0)))
    with pytest.raises(ValueError, match="the image's uncertainty is nowhere positive"):
        measure_image(bare, net=net)


def test_one_usable_pixel_is_enough(empty):
    """In whatever part of the image it is."""
    boxes = list(boxes_of(SHAPE, 50))
    for place in ((0, 0), (149, 129), (70, 60)):
        mask = everywhere(True)
        mask[place] = False
        with open_field(empty, mask=mask) as field:
            check_usable(field, None, boxes)


def ratio_of(noise, scatter):
    """What is warned of noise ``noise`` in an image that scatters by ``scatter``; None if not."""
    data = scatter * np.random.default_rng(1).normal(size=SHAPE)
    with open_field(data, rms=everywhere(noise)) as field:
        sky, mesh = map_sky(field, box_size=50, tile_size=200), SkyMesh.over(SHAPE, 50)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            check_noise(field, sky, mesh)
    return str(caught[0].message) if caught else None


@pytest.mark.parametrize(("noise", "doubted"), [(0.4, True), (0.6, False), (2.5, False), (3, True)])
def test_noise_that_is_far_from_the_scatter_is_doubted(noise, doubted):
    """Whatever the unit: only the ratio counts."""
    for unit in (1e-6, 1.0, 1e4):
        said = ratio_of(noise * unit, unit)
        assert (said is not None) == doubted
        if doubted:
            assert said.startswith("rms= says a noise of")
            assert float(said.split()[5]) == pytest.approx(noise, rel=0.1)


def test_drizzled_noise_is_not_doubted():
    """The noise of a large area, of pixels that a Gaussian of 0.7 pixels has smoothed."""
    smoothed = gaussian_filter(np.random.default_rng(1).normal(size=SHAPE), 0.7)
    assert smoothed.std() < 0.45
    assert ratio_of(1.0, smoothed.std()) is None


def test_boxes_are_from_all_over_the_image(empty, monkeypatch):
    """Most of them decide, and not all are read."""
    monkeypatch.setattr(_field_checks, "_N_BOXES", 5)
    mesh = SkyMesh.over(SHAPE, 15)
    for wrong, doubted in ((0.3, False), (0.7, True)):
        rms = everywhere(NOISE)
        rms[: int(wrong * SHAPE[0])] = 100 * NOISE
        with open_field(empty, rms=rms) as field, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            check_noise(field, map_sky(field, box_size=15, tile_size=200), mesh)
        assert bool(caught) == doubted
        assert all("median of 5 boxes" in str(each.message) for each in caught)


@pytest.mark.parametrize(
    ("options", "doubt"),
    [
        ({"rms": everywhere(NOISE**-2)}, r"rms= says a noise of 0.1\d times .* a weight map"),
        ({"weight_map": everywhere(NOISE)}, r"weight_map= says .* a map of standard deviations"),
        ({"rms": everywhere(0.01 * NOISE) * u.adu}, "or in another unit?"),
    ],
)
def test_noise_of_another_kind_or_unit(options, doubt, empty, net):
    with pytest.warns(AstropyUserWarning, match=doubt) as caught:
        measure_image(empty, net=net, **options)
    assert caught[0].filename == __file__


def test_noise_of_the_image_is_looked_at_as_well(net):
    field = make_field(np.zeros(SHAPE), uncertainty=StdDevUncertainty(everywhere(10 * NOISE)))
    with pytest.warns(AstropyUserWarning, match="the image's uncertainty says a noise of"):
        measure_image(field, net=net)
    measure_image(
        field, net=net, background_box=None
    )  # there may be a galaxy in the place of the sky


@pytest.mark.filterwarnings("always:.* says a noise")
def test_the_command_warns_in_one_line(empty, tmp_path, capsys):
    write_cutout(empty, tmp_path / "field.fits")
    fits.writeto(tmp_path / "w.fits", everywhere(NOISE**-2))
    arguments = ["measure", str(tmp_path / "field.fits"), "--rms", str(tmp_path / "w.fits")]
    assert main([*arguments, "-o", str(tmp_path / "out.ecsv")]) == 0
    error = capsys.readouterr().err
    warned = [line for line in error.splitlines() if "warning" in line]
    assert len(warned) == 1
    assert warned[0].startswith("sersicnet: warning: --rms says a noise of 0.1")
