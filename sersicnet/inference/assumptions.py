"""What fits assume about the pixels: the sky, the noise and its correlation."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.nddata import NDData

from sersicnet._rows import Rows
from sersicnet._words import counted
from sersicnet.flags import FAILED, Flags
from sersicnet.inference.noise_filters import filter_of, middle_of
from sersicnet.model.hidden import HiddenLight
from sersicnet.model.pixel_laws import DOF, PixelLaw
from sersicnet.model.stamp_groups import NoiseFilters
from sersicnet.model.whitening import FILTER_REACH
from sersicnet.preprocessing.correlation import NoiseCorrelation, find_correlation, small_parts
from sersicnet.preprocessing.known_correlation import check_scale, read_correlation
from sersicnet.preprocessing.stamps import CheckedCutout

__all__ = ["LEAST_SKY", "Assumptions", "PixelModel", "check_likelihood", "check_sky"]
__all__ += ["known_correlation", "plain_width"]

SKIES = ("prior", "free", "fixed", "plane")
LIKELIHOODS = ("gaussian", "poisson", "student")
# Least standard deviation of what is left of the sky after its subtraction, in units of the median
# noise of a pixel.
LEAST_SKY = 0.03


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
        msg = f"sky={sky!r} must be 'prior', 'free', 'fixed' or 'plane'"
        raise ValueError(msg)
    if sky_err is None:
        return
    if sky not in ("prior", "plane"):
        msg = (
            f"sky_err={sky_err!r} is the width of a prior: it needs sky='prior' or 'plane', not "
            f"{sky!r}"
        )
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
        cutouts = counted(n_values, "cutout")
        msg = f"sky_err has shape {values.shape}: one value, or one for each of {cutouts}"
        raise ValueError(msg)


def check_likelihood(likelihood, sky, sky_err, noise_correlation):
    """Raise ValueError unless a likelihood can be had, with this sky and noise.

    Parameters
    ----------
    likelihood, sky, sky_err, noise_correlation
        As in `~sersicnet.SersicNet.predict`.
    """
    if not isinstance(likelihood, str) or likelihood not in LIKELIHOODS:
        msg = f"likelihood={likelihood!r} must be 'gaussian', 'poisson' or 'student'"
        raise ValueError(msg)
    if likelihood == "gaussian":
        return
    measured = isinstance(noise_correlation, str) and noise_correlation == "measure"
    if noise_correlation is not None and not measured:
        msg = (
            f"likelihood={likelihood!r} has independent pixels: noise_correlation must be None or "
            "'measure' (None, with a flag for the Student likelihood where noise is correlated)"
        )
        raise ValueError(msg)
    if likelihood == "student" and sky == "plane":
        msg = "likelihood='student' has a constant sky: sky='plane' needs likelihood='gaussian'"
        raise ValueError(msg)
    if likelihood == "poisson" and (sky not in ("prior", "free") or sky_err is not None):
        msg = (
            f"likelihood='poisson' fits the sky that is in the data, a constant above 0 without a "
            f"prior: leave out sky={sky!r} and sky_err={sky_err!r}"
        )
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
        Standard deviation of what is left of the sky, as far as is known: that of the prior, if
        there is one.
    plane : (N,) bool `~numpy.ndarray`
        Whether the sky has a free slope as well, the same for all.
    noise : `~sersicnet.model.NoiseFilters` or `~sersicnet.model.PixelLaw`
        How the noise is whitened, or the distribution of pixels that is not normal.
    correlation : (N, 17, 17) `~numpy.ndarray`
        Correlation of pixels of the image, NaN where the noise is white.
    flags : (N,) int `~numpy.ndarray`
        ``CORRELATION_UNKNOWN``.
    hidden : `~sersicnet.model.hidden.HiddenLight` or None
        Numbers of faint sources, where a cutout has some.
    """

    sky_err: np.ndarray
    expected_sky: np.ndarray
    plane: np.ndarray
    noise: NoiseFilters
    correlation: np.ndarray
    flags: np.ndarray
    hidden: HiddenLight | None = None

    @property
    def is_proper(self):
        """Whether all that is not known of the sky has a prior, (N,) bool: an evidence needs it."""
        return np.isfinite(self.sky_err) & ~self.plane


@dataclass(frozen=True, eq=False)
class Assumptions:
    """What fits assume about the pixels of all cutouts of a call.

    Parameters
    ----------
    sky, sky_err, noise_correlation, likelihood
        As in `~sersicnet.SersicNet.predict`.

    Raises
    ------
    TypeError, ValueError, OSError
        If they do not make sense.

    Examples
    --------
    >>> from sersicnet.inference.assumptions import Assumptions
    >>> Assumptions(sky="free").describe()
    {'SKY': 'free', 'NOISECOR': 'measure'}
    """

    sky: str = "prior"
    sky_err: object = None
    noise_correlation: object = "measure"
    likelihood: str = "gaussian"

    def __post_init__(self):
        check_sky(self.sky, self.sky_err)
        check_likelihood(self.likelihood, self.sky, self.sky_err, self.noise_correlation)
        object.__setattr__(self, "known", known_correlation(self.noise_correlation))

    def check_length(self, n_cutouts):
        """Raise ValueError unless ``sky_err`` is one number, or one for each cutout."""
        check_sky(self.sky, self.sky_err, n_values=n_cutouts)

    def describe(self):
        """Describe them, as a FITS header can hold them."""
        record = {"SKY": self.sky, "NOISECOR": "given"}
        if self.noise_correlation is None or isinstance(self.noise_correlation, str):
            record["NOISECOR"] = str(self.noise_correlation).lower()
        if self.sky_err is not None:
            one = np.size(self.sky_err) == 1
            record["SKYERR"] = str(self.sky_err) if one else "one for each cutout"
        if self.is_gaussian:
            return record
        record |= {"LIKELIHD": self.likelihood, "NOISECOR": "none"}
        if self.likelihood == "student":
            record["LIKELIHD"] = f"student ({DOF} degrees of freedom)"
        else:
            record["SKY"] = "free, above 0"
        return record

    @property
    def is_gaussian(self):
        """Whether pixels are normal."""
        return self.likelihood == "gaussian"

    def given(self):
        """Return the names of those that are not the default."""
        defaults = Assumptions().describe()
        names = {"SKY": "sky", "SKYERR": "sky_err", "NOISECOR": "noise_correlation"}
        described = self.describe()
        return [name for key, name in names.items() if described.get(key) != defaults.get(key)]

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
        plane = np.full(len(stamps), self.sky == "plane")
        if not self.is_gaussian:
            return self._independent(batch, stamps, width, in_stamps, plane)
        noise = self._noise(batch, stamps)
        return PixelModel(width, in_stamps, plane, *noise, hidden=_hidden_light(batch, stamps))

    def _independent(self, batch, stamps, width, expected, plane):
        """What is known of pixels that are taken as independent, and not as normal."""
        if self.likelihood == "poisson":  # the sky is in the data
            width = np.full(len(stamps), np.inf)
            expected = width
        law = PixelLaw(self.likelihood, np.square(stamps.frame.noise_level))
        side = 2 * FILTER_REACH + 1
        correlation = np.full((len(stamps), side, side), np.nan)
        flags = np.zeros(len(stamps), dtype=np.int64)
        if self.likelihood == "student" and self.known is None:
            for row in np.flatnonzero(stamps.flags & int(FAILED) == 0):
                found = self._correlation(batch, row)
                if found.values is not None or not found.is_known:
                    flags[row] = int(Flags.CORRELATION_UNKNOWN)
        return PixelModel(width, expected, plane, law, correlation, flags)

    def _noise(self, batch, stamps):
        """The filters, the correlations and the flags of a batch."""
        if self.known is not None and not batch.is_checked:
            check_scale(self.noise_correlation, stamps.frame.pixel_scale)
        n = len(stamps)
        side = 2 * FILTER_REACH + 1
        filters = np.zeros((n, side, side), dtype=np.float32)
        correlation = np.full((n, side, side), np.nan)
        flags = np.zeros(n, dtype=np.int64)
        made = {}
        for row in np.flatnonzero(stamps.flags & int(FAILED) == 0):
            found = self._correlation(batch, row)
            flags[row] = 0 if found.is_known else int(Flags.CORRELATION_UNKNOWN)
            if found.values is None:
                continue
            correlation[row] = middle_of(found.values, FILTER_REACH)
            bins = int(stamps.frame.bins[row])
            key = (id(found), bins)
            if key not in made:
                made[key] = found, filter_of(found.values, found.error, bins)
            filters[row], is_white = made[key][1]
            if not is_white:
                flags[row] = int(Flags.CORRELATION_UNKNOWN)
        small = np.zeros(stamps.weight.shape, dtype=bool)
        colored = filters.any(axis=(1, 2))
        small[colored] = small_parts(stamps.weight[colored] == 0)
        return NoiseFilters(filters, small), correlation, flags

    def _correlation(self, batch, row):
        """The correlation of the noise of a cutout, a `NoiseCorrelation`."""
        if self.known is not None:
            return self.known
        cutout = batch.cutouts[row] if isinstance(batch.cutouts, list) else None
        if isinstance(cutout, CheckedCutout) and cutout.noise_correlation is not None:
            return cutout.noise_correlation
        weight = batch.stamps.weight[row]
        return find_correlation(batch.stamps.data[row] * weight, weight > 0)

    def _widths(self, batch):
        """Standard deviations of what is left of the sky, in the units of the images, (N,)."""
        level = batch.stamps.frame.noise_level
        if self.sky_err is None:
            known = np.array([_known_sky(cutout) for cutout in _listed(batch)], dtype=float)
            return np.fmax(known, LEAST_SKY * level)
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


def known_correlation(noise_correlation):
    """Check the argument ``noise_correlation``.

    Parameters
    ----------
    noise_correlation
        As in `~sersicnet.SersicNet.predict`.

    Returns
    -------
    `~sersicnet.preprocessing.correlation.NoiseCorrelation` or None
        None where it is measured.

    Raises
    ------
    TypeError, ValueError, OSError
        If it is neither a correlation nor the file of one.
    """
    if isinstance(noise_correlation, str) and noise_correlation == "measure":
        return None
    if noise_correlation is None:
        return NoiseCorrelation(None, 0.0)
    return NoiseCorrelation(read_correlation(noise_correlation), 0.0)


def _hidden_light(batch, stamps):
    """The numbers of faint sources of windows of a survey image, None where none is known."""
    if not batch.is_checked or all(cutout.counts is None for cutout in batch.cutouts):
        return None
    values = np.zeros((3, len(stamps)))
    for row, cutout in enumerate(batch.cutouts):
        if cutout.counts is not None:
            frame = stamps.frame
            values[:, row] = cutout.counts.in_stamp(frame.noise_level[row], frame.bins[row])
    return HiddenLight(*values)


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
