"""What fits assume about the pixels beside the galaxy: the sky."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.nddata import NDData

from sersicnet._rows import Rows
from sersicnet.preprocessing.stamps import CheckedCutout

__all__ = ["Assumptions", "PixelModel", "check_sky", "plain_width"]

SKIES = ("prior", "free", "fixed")
# Least standard deviation of what is left of the sky after its subtraction, in units of the median
# noise of a pixel.
_LEAST_SKY = 0.03


def check_sky(sky, sky_err, *, n_values=None):
    """Raise an error unless the arguments ``sky`` and ``sky_err`` make sense.

    Parameters
    ----------
    sky, sky_err
        As in `~sersicnet.SersicNet.predict`.
    n_values : int, optional
        Number of cutouts for which ``sky_err`` may have a value each.

    Raises
    ------
    ValueError
        If ``sky`` is unknown, ``sky_err`` is not positive and finite, there is another number of
        values, or there is no prior that it could be the width of.
    TypeError
        If ``sky_err`` is not a number.
    """
    if not isinstance(sky, str) or sky not in SKIES:
        msg = f"sky={sky!r} must be 'prior', 'free' or 'fixed'"
        raise ValueError(msg)
    if sky_err is None:
        return
    if sky != "prior":
        msg = f"sky_err={sky_err!r} is the width of a prior: it needs sky='prior', not {sky!r}"
        raise ValueError(msg)
    try:
        values = np.asarray(u.Quantity(sky_err).value, dtype=float)
    except (TypeError, ValueError):
        msg = f"sky_err={sky_err!r} must be a number, a Quantity, or one of these for each cutout"
        raise TypeError(msg) from None
    if isinstance(sky_err, bool) or not np.all((values > 0) & np.isfinite(values)):
        msg = f"sky_err={sky_err!r} must be positive and finite (no sky is sky='fixed')"
        raise ValueError(msg)
    if n_values is not None and values.shape not in ((), (n_values,)):
        msg = f"sky_err has shape {values.shape}: one value, or one for each of {n_values} cutouts"
        raise ValueError(msg)


@dataclass(frozen=True, eq=False)
class PixelModel(Rows):
    """What is known of the pixels of N stamps.

    Attributes
    ----------
    sky_err : (N,) `~numpy.ndarray`
        Standard deviation of the prior of the sky, in units of the data of the stamps: 0 where
        there is no sky, infinite where nothing is known of it.
    expected_sky : (N,) `~numpy.ndarray`
        What is left of the sky, as far as is known: that of the prior, if there is one.
    """

    sky_err: np.ndarray
    expected_sky: np.ndarray


@dataclass(frozen=True, eq=False)
class Assumptions:
    """What fits assume about the pixels of all cutouts of a call.

    Parameters
    ----------
    sky, sky_err
        As in `~sersicnet.SersicNet.predict`.

    Raises
    ------
    TypeError, ValueError
        If they do not make sense.

    Examples
    --------
    >>> from sersicnet.inference.assumptions import Assumptions
    >>> Assumptions(sky="free").describe()
    {'SKY': 'free'}
    """

    sky: str = "prior"
    sky_err: object = None

    def __post_init__(self):
        check_sky(self.sky, self.sky_err)

    def check_length(self, n_cutouts):
        """Raise ValueError unless ``sky_err`` is one number, or one for each cutout."""
        check_sky(self.sky, self.sky_err, n_values=n_cutouts)

    def describe(self):
        """Describe them, as a FITS header can hold them."""
        record = {"SKY": self.sky}
        if self.sky_err is not None:
            one = np.size(self.sky_err) == 1
            record["SKYERR"] = str(self.sky_err) if one else "one for each cutout"
        return record

    def of(self, batch, stamps):
        """Return what is known of the pixels of a batch.

        Parameters
        ----------
        batch : `~sersicnet.preprocessing.batches.Batch`
            The cutouts.
        stamps : `~sersicnet.preprocessing.Stamps`
            Their stamps, of which some may be binned.

        Returns
        -------
        PixelModel
        """
        in_image = self._widths(batch)
        in_stamps = in_image / stamps.frame.sky_in_image(1.0)
        match self.sky:
            case "free":
                width = np.full(len(stamps), np.inf)
            case "fixed":
                width = np.zeros(len(stamps))
            case _:
                width = in_stamps
        return PixelModel(width, in_stamps)

    def _widths(self, batch):
        """Standard deviations of what is left of the sky, in the units of the images, (N,)."""
        level = batch.stamps.frame.noise_level
        if self.sky_err is None:
            known = np.array([_known_sky(cutout) for cutout in _listed(batch)], dtype=float)
            return np.fmax(known, _LEAST_SKY * level)
        given = self.sky_err
        if np.ndim(given):
            given = given[batch.rows]
        if not isinstance(given, u.Quantity):
            return given * level
        given = np.broadcast_to(given, (len(batch),), subok=True)
        widths = []
        for value, cutout in zip(given, _listed(batch), strict=True):
            widths.append(plain_width(value, cutout.unit).value)
        return np.array(widths)


def _listed(batch):
    """The cutouts of a batch; the one of all planes for each of them."""
    if isinstance(batch.cutouts, NDData):
        return [batch.cutouts] * len(batch)
    return batch.cutouts


def _known_sky(cutout):
    """Error of the sky that was subtracted from a window of a survey image, NaN elsewhere."""
    if isinstance(cutout, CheckedCutout) and cutout.sky_err is not None:
        return cutout.sky_err
    return np.nan


def plain_width(sky_err, unit):
    """Convert the argument ``sky_err`` for windows of an image, which have no unit.

    Parameters
    ----------
    sky_err : None, float or `~astropy.units.Quantity`
        Standard deviation of the sky.
    unit : `~astropy.units.Unit` or None
        Unit of the image.

    Returns
    -------
    None, float, or `~astropy.units.Quantity` without a unit

    Raises
    ------
    `~astropy.units.UnitConversionError`
        If a quantity has another unit than the image.
    """
    if not isinstance(sky_err, u.Quantity):
        return sky_err
    try:
        return u.Quantity(sky_err.to_value(unit or u.dimensionless_unscaled))
    except u.UnitConversionError:
        msg = f"sky_err={sky_err} has another unit than the data, {unit}"
        raise u.UnitConversionError(msg) from None
