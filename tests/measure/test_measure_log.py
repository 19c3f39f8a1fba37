"""What is logged about the measurement of an image."""

import logging

import numpy as np
import pytest
from astropy.io import fits
from helpers.measured import one_star

from sersicnet.measure.field import open_field
from sersicnet.measure.image import measure_image
from sersicnet.measure.log import log_detection, log_joined, tile_progress
from sersicnet.measure.options import Options


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, "sersicnet")
    return lambda: [record.getMessage() for record in caplog.records]


def test_the_inputs_the_sky_and_the_results(net, log):
    table = measure_image(one_star(70.0, 70.0), net=net, saturation=1e5)
    text = "\n".join(log())
    assert len(table) == 1
    assert "image: 150 x 150 pixels (x, y), adu, zero point 25.0000 (MAGZP), 0.1 arcsec" in text
    assert "noise: the image's uncertainty" in text
    assert "PSF: FWHM 3" in text
    assert "saturated from 100000 on" in text
    assert "sky: median level 80" in text
    assert "mask: about " in text
    assert (
        "detection: 5 or more connected pixels above 4.5 sigma in the image that is filtered"
        in text
    )
    assert "1 row, 0 without a result; flags: " in text
    assert "cutouts" not in text  # the cutouts of an image are no call of the user


def test_options_of_a_fit_without_one(net, log):
    measure_image(one_star(70.0, 70.0), net=net, sky="free", noise_correlation=None)
    assert "sky= is not used without refine=" in log()
    assert "noise_correlation= is not used" not in "".join(log())  # the detection uses it


def test_the_mask_and_its_bits(net, log, tmp_path):
    """Of an extension FLAGS of an unknown product, of a file of its own, and of booleans."""
    image = one_star(70.0, 70.0)
    image.mask = None
    image.write(tmp_path / "image.fits")
    flags = fits.ImageHDU(np.zeros(image.shape, "i2"), name="FLAGS")
    fits.append(tmp_path / "image.fits", flags.data, flags.header)
    table = measure_image(tmp_path / "image.fits", net=net, psf=image.psf)
    assert "mask: FLAGS, all bits are bad (unknown product)" in log()
    assert table.meta["MASKFROM"] == "FLAGS, all bits are bad (unknown product)"
    with open_field(image, mask=tmp_path / "image.fits[FLAGS]", mask_bits=3) as field:
        assert field.mask_name == "mask=, bad are the bits 3 (mask_bits)"
    with open_field(image, mask=np.zeros(image.shape, bool)) as field:
        assert field.mask_name == "mask="


def test_nothing_is_logged_without_being_asked(net, caplog):
    measure_image(one_star(70.0, 70.0), net=net)
    assert not caplog.records
    assert not logging.getLogger("sersicnet").handlers


@pytest.mark.parametrize(("n_tiles", "n_lines"), [(1, 0), (4, 3), (250, 9)])
def test_progress_is_logged_in_tenths(n_tiles, n_lines, log):
    with tile_progress(n_tiles, progress_bar=False) as progress:
        for _ in range(n_tiles):
            progress.update()
    assert len(log()) == n_lines
    assert all(f" of {n_tiles} tiles in " in line for line in log())


def test_a_progress_bar_is_not_logged(log, capsys):
    with tile_progress(2, progress_bar=True) as progress:
        progress.update()
    assert log() == []
    assert "1/2" in capsys.readouterr().err


def test_the_detection_image_is_logged(log):
    log_detection(Options(), {"KERNFWHM": 3.0, "NFALSE": 0.1, "DETIMAGE": "deep.fits"})
    assert log()[0] == "detection image: deep.fits"
    assert len(log()) == 2


def test_joined_pairs_are_logged_where_they_were_compared(log):
    log_joined(Options(), None)
    log_joined(Options(join_pairs=True, refine="lm"), None)
    log_joined(Options(join_pairs=True, refine="lm"), {3: 2})
    assert log() == ["pairs: 0 sources joined with others", "pairs: 1 source joined with others"]
