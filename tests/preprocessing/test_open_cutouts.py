"""The border that all cutouts pass: checked once, prepared batch after batch."""

import numpy as np
import pytest
from astropy.nddata import NDData, StdDevUncertainty
from numpy.testing import assert_array_equal

from sersicnet.flags import Flags
from sersicnet.preprocessing import batches, prepare
from sersicnet.preprocessing.batches import open_cutouts
from sersicnet.preprocessing.stamps import CheckedCutout

UNITS = {"pixel_scale": 0.1, "zeropoint": 25.0}
PSF = np.array([[0.0, 1, 0], [1, 4, 1], [0, 1, 0]])


def make_images(n, shape=(30, 24)):
    return np.random.default_rng(1).normal(10, 2, (n, *shape))


def as_cutouts(images, kind):
    if kind == "array":
        return images
    if kind == "stack":
        return NDData(images)
    cutouts = [NDData(image) for image in images]
    return iter(cutouts) if kind == "iterator" else cutouts


def assert_same(first, second):
    for name in ("data", "weight", "flags", "shapes"):
        assert_array_equal(getattr(first, name), getattr(second, name))
    for name in first.frame.__dataclass_fields__:
        assert_array_equal(getattr(first.frame, name), getattr(second.frame, name))


@pytest.mark.parametrize("kind", ["array", "stack", "list", "iterator"])
def test_batches_are_what_prepare_makes(kind, monkeypatch):
    monkeypatch.setattr(batches, "SIZE", 3)
    images = make_images(7)
    opened = open_cutouts(as_cutouts(images, kind), stamp_size=16, **UNITS)
    parts = list(opened)
    assert len(opened) == 7
    assert [len(part) for part in parts] == [3, 3, 1]
    assert [part.rows for part in parts] == [slice(0, 3), slice(3, 6), slice(6, 7)]
    for part in parts:
        assert_same(part.stamps, prepare(images[part.rows], stamp_size=16, **UNITS))


@pytest.mark.parametrize("kind", ["array", "list"])
def test_rows_prepared_again(kind, monkeypatch):
    """Each with the pixel scale and zero point of its own."""
    monkeypatch.setattr(batches, "SIZE", 4)
    images = make_images(6)
    units = {"pixel_scale": np.linspace(0.1, 0.2, 6), "zeropoint": np.arange(20.0, 26)}
    *_, last = open_cutouts(as_cutouts(images, kind), stamp_size=16, **units)
    again = last.prepare(np.array([1]), bins=3)
    units = {name: values[5:] for name, values in units.items()}
    assert_same(again, prepare(images[5:], stamp_size=16, bins=3, **units))


def test_psfs_of_a_batch(monkeypatch):
    monkeypatch.setattr(batches, "SIZE", 2)
    psfs = [PSF, None, 2 * PSF, np.zeros((3, 3)), PSF]
    opened = open_cutouts(make_images(5), stamp_size=16, psf=psfs, **UNITS)
    assert [part.psfs.which.tolist() for part in opened] == [[0, -1], [0, -1], [0]]
    assert [part.has_psf.tolist() for part in opened] == [[True, False], [True, True], [True]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"needs_psf": True}, "psf=None and no cutout has one"),
        ({"psf": [PSF]}, "psf has 1 stamp: one is needed, or one for each of 2 cutouts"),
        ({"psf": 0 * PSF}, "psf has the sum 0"),
        ({"psf_options": {"oversampling": 0}}, "psf_oversampling=0 must be an integer"),
        ({"pixel_scale": [0.1] * 3}, "pixel_scale has shape"),
    ],
)
def test_a_bad_call_fails_before_the_first_batch(options, message):
    with pytest.raises(ValueError, match=message):
        open_cutouts(make_images(2), stamp_size=16, **(UNITS | options))


def test_errors_name_the_cutout(monkeypatch):
    monkeypatch.setattr(batches, "SIZE", 2)
    cutouts = [NDData(image, unit="nJy") for image in make_images(4)]
    cutouts[3] = NDData(cutouts[3].data)
    opened = iter(open_cutouts(cutouts, stamp_size=16, pixel_scale=0.1))
    assert len(next(opened)) == 2
    with pytest.raises(ValueError, match=r"cutouts\[3\] has no unit and no zero point"):
        next(opened)


def test_a_checked_cutout_is_as_its_nddata():
    images = make_images(3)
    noise = np.random.default_rng(2).uniform(1, 2, images.shape)
    noise[0, 15, 12] = np.inf
    mask = np.random.default_rng(3).uniform(size=images.shape) < 0.1
    checked = [CheckedCutout(*parts) for parts in zip(images, noise, mask, strict=True)]
    cutouts = [
        NDData(image, uncertainty=StdDevUncertainty(sigma), mask=bad)
        for image, sigma, bad in zip(images, noise, mask, strict=True)
    ]
    for bins in (1, 2):
        first, second = (prepare(c, stamp_size=12, bins=bins, **UNITS) for c in (checked, cutouts))
        assert_same(first, second)


def test_stamps_do_not_change():
    stamps = prepare(make_images(3), stamp_size=16, **UNITS)
    for name in ("data", "weight", "flags", "shapes"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(stamps, name)[0] = 0
    flagged = stamps.with_flags(np.array([0, int(Flags.MISFIT), 0]))
    assert_array_equal(flagged.flags ^ stamps.flags, [0, int(Flags.MISFIT), 0])
    other = prepare(make_images(3)[[1]], stamp_size=16, bins=2, **UNITS)
    mixed = stamps.with_rows(np.array([1]), other)
    assert_same(mixed[[1]], other)
    assert_same(mixed[[0, 2]], stamps[[0, 2]])
    assert stamps.frame.bins.tolist() == [1, 1, 1]


def test_a_stack_is_said_to_be_many_galaxies(caplog):
    caplog.set_level("INFO", logger="sersicnet")
    open_cutouts(make_images(20), stamp_size=32, **UNITS)
    assert "shape (20, 30, 24): each of the 20 planes is one galaxy" in caplog.text
    caplog.clear()
    open_cutouts(list(map(NDData, make_images(2))), stamp_size=32, **UNITS)
    assert not caplog.records
