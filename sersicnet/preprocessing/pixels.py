"""Pixels on the sky: their size and shape, from arguments, WCS and header cards, and positions."""

import copy

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from sersicnet.io.cards import header_number
from sersicnet.parameters import wrap_theta
from sersicnet.preprocessing.ellipses import TOLERANCE, elongation, major_axis
from sersicnet.preprocessing.units import SCALE_LIMITS

__all__ = ["add_sky_positions", "celestial", "find_pixels", "local_pixels", "to_skies", "to_sky"]

_WCS = "the WCS"
_CARD = "the card PIXSCALE"
# Arcsec per pixel from which on the card is in other units, such as milliarcsec.
_LARGEST_CARD = 10.0
# Relative difference of two pixel scales of one image that gives a warning: nominal scales, such as
# 0.05 for 0.0494 arcsec, are closer.
_DIFFERENCE = 0.02
# The same of scales that are equal but for rounding errors of the differences between positions.
_ROUNDING = 1e-6
# Steps of half a pixel from a position, along x and y.
_STEPS_X = np.array([0.0, -0.5, 0.5, 0.0, 0.0])
_STEPS_Y = np.array([0.0, 0.0, 0.0, -0.5, 0.5])


def find_pixels(cutout, given, where):
    """Find arcsec per pixel: the argument, else from the WCS, else the header card ``PIXSCALE``.

    The shape of the pixels is that of the WCS in the middle of the cutout; without a WCS they are
    square.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`
        The cutout, or a stack of them.
    given : float, array or None
        The user's argument, checked by `~sersicnet.preprocessing.units.per_cutout`.
    where : str
        Name of the cutout for messages.

    Returns
    -------
    pixel_scale : float or array
        Square root of the area of a pixel, in arcsec.
    stretch : (2, 2) `~numpy.ndarray`
        As in `~sersicnet.preprocessing.StampFrame`.
    doubt : str or None
        Sentence for a warning, if the WCS does not agree with the argument, the card or itself.

    Raises
    ------
    ValueError
        If there is no pixel scale, or no image of galaxies can have it.
    """
    y, x = (np.array(cutout.data.shape[-2:]) - 1) / 2
    scales, stretches = local_pixels(cutout.wcs, np.array([x]), np.array([y]))
    stretch = stretches[0]
    if getattr(cutout, "stretch", None) is not None:  # of a part of a survey image
        stretch = cutout.stretch
    known = {}
    if given is not None:
        known["pixel_scale="] = given
    if np.isfinite(scales[0]):
        known[_WCS] = float(scales[0])
    card = header_number(cutout.meta, "PIXSCALE")
    if card is not None and card > 0:
        known[_CARD] = card
    if not known:
        msg = (
            f"{where} has no pixel scale: pass pixel_scale= (arcsec per pixel), give it a "
            "celestial WCS, or the header card PIXSCALE"
        )
        raise ValueError(msg)
    names = list(known)
    scale = known[names[0]]
    lowest, highest = _limits(names[0])
    if not _is_possible(scale, names[0]):
        msg = (
            f"{where}: {names[0]} has {scale:.6g} arcsec per pixel, which must be "
            f"{lowest} to {highest:g}: pass pixel_scale= (arcsec per pixel)"
        )
        raise ValueError(msg)
    return scale, stretch, _doubt(known, where) or _sip_doubt(cutout.wcs, where)


def _limits(name):
    """Return the smallest and largest possible pixel scale of a source."""
    if name == _CARD:
        return SCALE_LIMITS[0], _LARGEST_CARD
    return SCALE_LIMITS


def _is_possible(scale, name):
    lowest, highest = _limits(name)
    return bool(np.all((scale >= lowest) & (scale <= highest)))


def _doubt(known, where):
    """Sentence about a WCS that does not agree with the argument or card, None if it does."""
    names = list(known)
    if _WCS not in names or len(names) == 1:
        return None
    used, other = names[:2]
    if used == _WCS and not _is_possible(known[other], other):
        return None  # cards hold anything
    scale = np.ravel(known[used])[0]
    if abs(known[other] / scale - 1) < _DIFFERENCE:
        return None
    return (
        f"{where}: {used} has {scale:.5g} arcsec per pixel, which is used, but {other} has "
        f"{known[other]:.5g}"
    )


def _sip_doubt(wcs, where):
    """Sentence about a distortion that was left behind when a cutout was made, None if not."""
    wcs = celestial(wcs)
    if getattr(wcs, "sip", None) is None or np.allclose(wcs.sip.crpix, wcs.wcs.crpix, atol=0.5):
        return None
    return (
        f"{where}: the SIP distortion of the WCS has the reference pixel {wcs.sip.crpix.tolist()}, "
        f"the WCS itself {wcs.wcs.crpix.tolist()}: slice the WCS instead of changing its crpix"
    )


def local_pixels(wcs, x, y):
    """Measure size and shape of pixels on the sky, where they are.

    Central differences of positions over one pixel, as
    `astropy.wcs.utils.local_partial_pixel_derivatives` takes them one-sided: on the sphere, so that
    neither the poles nor the zero of right ascension matter.

    Parameters
    ----------
    wcs : WCS or None
        WCS of the image.
    x, y : (N,) `~numpy.ndarray`
        Positions in 0-based pixels.

    Returns
    -------
    pixel_scale : (N,) `~numpy.ndarray`
        Square root of the area of the pixels in arcsec, NaN where the WCS gives none.
    stretch : (N, 2, 2) `~numpy.ndarray`
        As in `~sersicnet.preprocessing.StampFrame`, the unit matrix where the WCS gives none.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.wcs import WCS
    >>> from sersicnet.preprocessing.pixels import local_pixels
    >>> wcs = WCS(naxis=2)
    >>> wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    >>> wcs.wcs.cdelt = np.array([-0.125, 0.08]) / 3600
    >>> scale, stretch = local_pixels(wcs, np.array([0.0]), np.array([0.0]))
    >>> print(np.round(scale, 6), (np.round(stretch[0], 6) + 0).tolist())
    [0.1] [[-1.25, 0.0], [0.0, 0.8]]
    """
    scale = np.full(len(x), np.nan)
    stretch = np.tile(np.eye(2), (len(x), 1, 1))
    wcs = celestial(wcs)
    if wcs is None:
        return scale, stretch
    lon, lat = _directions(wcs, x[:, None] + _STEPS_X, y[:, None] + _STEPS_Y)
    vectors = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    along_x = vectors[:, 2] - vectors[:, 1]
    along_y = vectors[:, 4] - vectors[:, 3]
    steps = np.stack([along_x, along_y], axis=-1)  # (N, 3, 2)
    lon = lon[:, 0]
    lat = lat[:, 0]
    east = np.stack([-np.sin(lon), np.cos(lon), np.zeros(len(lon))], axis=-1)
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=-1)
    jacobian = np.degrees(np.stack([east, north], axis=1) @ steps) * 3600
    # by hand: of NaN, numpy's determinant warns
    area = jacobian[:, 0, 0] * jacobian[:, 1, 1] - jacobian[:, 0, 1] * jacobian[:, 1, 0]
    area = np.abs(area)
    good = np.isfinite(area) & (area > 0)
    scale[good] = np.sqrt(area[good])
    stretch[good] = jacobian[good] / scale[good, None, None]
    nominal = _nominal_scale(wcs)
    if nominal is not None:
        scale[np.abs(scale / nominal - 1) < _ROUNDING] = nominal
    return scale, stretch


def to_sky(wcs, x, y, theta, *, q):
    """Convert positions and angles in pixels to the sky.

    Where pixels are not square, the major axis on the sky is not that in pixels.

    Parameters
    ----------
    wcs : WCS
        Celestial WCS of the image.
    x, y : (N,) `~numpy.ndarray`
        Positions in 0-based pixels.
    theta : (N,) `~numpy.ndarray`
        Angles of the major axis in pixels, in degrees, counter-clockwise from +x.
    q : (N,) `~numpy.ndarray`
        Axis ratios in pixels, NaN where they are not known: pixels are then taken to be square.

    Returns
    -------
    (3, N) `~numpy.ndarray`
        Right ascension, declination and position angle (north through east) in degrees; NaN where
        the position or the angle is NaN.
    """
    sky = np.full((3, len(x)), np.nan)
    known = np.isfinite(x + y)
    if known.any():
        x = x[known]
        y = y[known]
        _, stretch = local_pixels(wcs, x, y)
        general = (elongation(stretch) > 1 + TOLERANCE) & np.isfinite(q[known])
        along = np.where(general, major_axis(q[known], theta[known], stretch), theta[known])
        along = np.radians(np.nan_to_num(along))
        center = wcs.pixel_to_world(x, y).icrs
        end = wcs.pixel_to_world(x + np.cos(along), y + np.sin(along)).icrs
        angle = wrap_theta(center.position_angle(end).deg)
        sky[:, known] = center.ra.deg, center.dec.deg, angle
    sky[2, ~np.isfinite(theta)] = np.nan
    return sky


def to_skies(wcs, x, y, theta, *, q):
    """Convert positions and angles in images of their own, as `to_sky` does.

    Parameters
    ----------
    wcs : sequence of N WCS or None
        Celestial WCS of each image.
    x, y, theta, q : (N,) `~numpy.ndarray`
        As for `to_sky`, one per image.

    Returns
    -------
    (3, N) `~numpy.ndarray`
        NaN where there is no WCS.
    """
    sky = np.full((3, len(x)), np.nan)
    for i in range(len(x)):
        if wcs[i] is not None:
            one = slice(i, i + 1)
            sky[:, one] = to_sky(wcs[i], x[one], y[one], theta[one], q=q[one])
    return sky


def add_sky_positions(table, wcs, x, y, theta=None, *, q):
    """Add the columns ``ra``, ``dec`` and ``pa`` to a table where there is a WCS.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Table of N galaxies.
    wcs, x, y, q
        As for `to_skies`.
    theta : (N,) `~numpy.ndarray`, optional
        Angles of the major axes; there is no ``pa`` without them.
    """
    if all(each is None for each in wcs):
        return
    angles = np.full(len(x), np.nan) if theta is None else theta
    ra, dec, pa = to_skies(wcs, x, y, angles, q=q)
    table["ra"] = ra * u.deg
    table["dec"] = dec * u.deg
    if theta is not None:
        table["pa"] = pa * u.deg


def _directions(wcs, x, y):
    """Longitude and latitude in radians."""
    if not isinstance(wcs, WCS):
        sky = wcs.pixel_to_world(x, y)
        if not isinstance(sky, SkyCoord):
            return np.full((2, *x.shape), np.nan)
        return sky.spherical.lon.rad, sky.spherical.lat.rad
    world = np.radians(wcs.pixel_to_world_values(x, y))
    return world[wcs.wcs.lng], world[wcs.wcs.lat]


def _nominal_scale(wcs):
    """Pixel scale at the reference point, without rounding errors; None where it is not known."""
    if not isinstance(wcs, WCS):
        return None
    matrix = wcs.pixel_scale_matrix
    # the determinant by hand: numpy's takes longer than all the rest
    area = abs(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0])
    if not np.isfinite(area) or area == 0:
        return None
    return 3600 * float(area) ** 0.5


def celestial(wcs):
    """Return the celestial WCS of a cutout or stack, None without.

    SIP coefficients count only if ``CTYPE`` ends with ``-SIP``: drizzled images keep those of the
    exposures, which astropy applies.
    """
    if isinstance(wcs, WCS):
        if not wcs.has_celestial:
            return None
        if wcs.naxis != 2:
            wcs = wcs.celestial
        if wcs.sip is not None and not any(str(kind).endswith("-SIP") for kind in wcs.wcs.ctype):
            wcs = copy.deepcopy(wcs)
            wcs.sip = None
        return wcs
    if wcs is None or wcs.low_level_wcs.pixel_n_dim != 2:
        return None
    kinds = wcs.low_level_wcs.world_axis_physical_types
    if all(str(kind).startswith("pos.") for kind in kinds):
        return wcs
    return None
