"""Alignment of the stamps of two bands."""

import astropy.units as u
import numpy as np
from astropy.nddata import NDData
from astropy.wcs import WCS
from helpers.banded import sky_wcs
from numpy.testing import assert_allclose

from sersicnet.preprocessing import prepare
from sersicnet.preprocessing.alignment import BandMaps, align


def stamps_of(*, size=64, wcs=None, scale=None, bins=1):
    cutout = NDData(np.ones((size, size)), unit="nJy", wcs=wcs)
    return prepare([cutout], pixel_scale=scale, bins=bins)


def test_scale_and_turn_follow_from_the_wcs():
    first = stamps_of(wcs=sky_wcs())
    other = stamps_of(wcs=sky_wcs(scale=0.2, turn=90, off=(2.0, 1.0)))
    maps = align(first, other)
    assert_allclose(np.abs(maps.matrix[0]), [[0, 0.5], [0.5, 0]], atol=1e-6)
    assert_allclose(maps.place, [[2, 1]], atol=1e-6)
    assert maps.inside.all()
    back = align(other, first)
    assert_allclose(back.matrix[0] @ maps.matrix[0], np.eye(2), atol=1e-6)
    assert_allclose(back.place[0], -back.matrix[0] @ maps.place[0], atol=1e-6)


def test_another_frame_of_the_sky():
    wcs = sky_wcs()
    center = wcs.pixel_to_world(31.5, 31.5).galactic
    galactic = WCS(naxis=2)
    galactic.wcs.ctype = "GLON-TAN", "GLAT-TAN"
    galactic.wcs.crval = center.l.to_value(u.deg), center.b.to_value(u.deg)
    galactic.wcs.crpix = 32.5, 32.5
    galactic.wcs.cdelt = np.array([-0.1, 0.1]) / 3600
    maps = align(stamps_of(wcs=wcs), stamps_of(wcs=galactic))
    assert_allclose(maps.place, 0, atol=1e-5)
    assert_allclose(np.linalg.det(maps.matrix), 1, rtol=1e-5)
    assert abs(maps.matrix[0, 0, 1]) > 0.1


def test_without_a_wcs_the_middles_of_cutouts_are_the_same():
    maps = align(stamps_of(size=65, scale=0.1), stamps_of(size=33, scale=0.2))
    assert_allclose(maps.matrix[0], 0.5 * np.eye(2))
    # the middles of the stamps are half a pixel of their own off those of odd cutouts
    first = stamps_of(size=65, scale=0.1).frame
    other = stamps_of(size=33, scale=0.2).frame
    assert_allclose(maps.place[0, 0], 16 + 0.5 * (first.x_middle - 32) - other.x_middle)
    mixed = align(stamps_of(wcs=sky_wcs()), stamps_of(scale=0.1))
    assert_allclose(mixed.matrix[0], np.eye(2), atol=1e-6)


def test_binned_stamps():
    maps = align(stamps_of(scale=0.1), stamps_of(scale=0.1, bins=2))
    assert_allclose(maps.matrix[0], 0.5 * np.eye(2))
    assert_allclose(maps.place, 0)


def test_a_band_and_itself():
    maps = BandMaps.same(2)
    stamps = stamps_of(wcs=sky_wcs(turn=30))
    assert len(maps) == 2
    for name in ("matrix", "place", "inside"):
        assert_allclose(getattr(maps[:1], name), getattr(align(stamps, stamps), name), atol=1e-6)


def test_places_beyond_the_other_cutout():
    maps = align(stamps_of(wcs=sky_wcs()), stamps_of(wcs=sky_wcs(off=(100.0, 0.0))))
    assert not maps.inside.any()
