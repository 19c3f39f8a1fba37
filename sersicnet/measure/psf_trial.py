"""A PSF tried on the stars of its image: their light within 2 pixels, and chi2, by place."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.stats import mad_std

from sersicnet._words import counted
from sersicnet.flags import Flags
from sersicnet.measure.star_images import Canvas, fit_stars
from sersicnet.model.psf_center import shifted_stamp
from sersicnet.model.psf_stamp import unit_stamp
from sersicnet.parameters import to_floats

__all__ = ["FEWEST", "FEWEST_BROAD", "PSFTrial", "compare_stars", "flag_bad_psf", "try_psf"]

# Stars without which a PSF is not judged, and in a part of the image.
FEWEST = 5
_FEWEST_HERE = 4
# The same where they are broader than the PSF: fewer may all be small galaxies.
FEWEST_BROAD = 10
# Parts of the image on a side.
_PARTS = 3
# Radius within which light is compared, in pixels, and that of all light, in FWHM.
_RADIUS = 2.0
_ALL = 2.5
# Error of the light of a single star that neighbors and masks leave.
_FLOOR = 0.01
# Stars this many errors off the median do not count.
_OUTLIER = 4.0
# A PSF is bad whose stars have more or less light near their center by this share and three errors,
# in all of the image or in a part of it.
_BAD = 0.02
_BAD_HERE = 0.03
_ERRORS = 3.0
# Stars whose light is as different as this share of its difference from the PSF are not all stars.
_UNLIKE = 0.5
# Sources with less light than the PSF by this share are no stars, but noise or a sky.
_ABSENT = 0.9
# chi2 per degree of freedom above which a star does not fit.
_MISFIT = 1.3


@dataclass(frozen=True, eq=False)
class PSFTrial:
    """What the stars of an image say of a PSF.

    Attributes
    ----------
    n_stars : int
        Number of stars.
    light, light_err : float
        Light of stars within 2 pixels over that of the PSF, minus 1, and its error.
    scatter : float
        Scatter of it from star to star that noise does not explain.
    chi2 : float
        Median chi2 per degree of freedom.
    misfits : float
        Share of the stars whose chi2 is above 1.3.
    parts : (3, 3) `~numpy.ndarray`
        ``light`` in parts of the image along y and x, NaN where it has few stars.
    parts_err : (3, 3) `~numpy.ndarray`
        Its error.
    """

    n_stars: int
    light: float = np.nan
    light_err: float = np.nan
    scatter: float = np.nan
    chi2: float = np.nan
    misfits: float = np.nan
    parts: np.ndarray = None
    parts_err: np.ndarray = None

    @property
    def is_judged(self):
        """Whether there are stars enough, which are like each other, at least in some part."""
        return self._is_whole or (
            self.n_stars >= FEWEST_BROAD and bool(np.isfinite(self.parts).any())
        )

    @property
    def is_bad(self):
        """Whether the PSF is bad in the whole image."""
        return self._is_whole and bool(abs(self.light) > _BAD + _ERRORS * self.light_err)

    @property
    def _is_whole(self):
        if self.light < 0 and self.n_stars < FEWEST_BROAD:
            return False
        return self.n_stars >= FEWEST and _are_alike(self.light, self.scatter)

    @property
    def bad_parts(self):
        """Which parts of the image it is bad in, (3, 3) bool."""
        if self.n_stars < FEWEST_BROAD:
            return np.full((_PARTS, _PARTS), self.is_bad)
        known = np.isfinite(self.parts)
        off = np.abs(np.where(known, self.parts, 0)) - _ERRORS * np.where(known, self.parts_err, 0)
        return (off > _BAD_HERE) | (self.is_bad & ~known)

    def describe(self):
        """Describe it for ``meta``."""
        record = {"PSFSTARS": self.n_stars}
        values = {"PSFLIGHT": self.light, "PSFLERR": self.light_err, "PSFCHI2": self.chi2}
        return record | {name: round(float(v), 5) for name, v in values.items() if np.isfinite(v)}

    def to_dict(self):
        """Return all of it as JSON can hold it."""
        record = dict(vars(self))
        for name in ("parts", "parts_err"):
            if record[name] is not None:
                record[name] = record[name].tolist()
        return record

    @classmethod
    def from_dict(cls, record):
        """Return what `to_dict` was called of."""
        arrays = {}
        for name in ("parts", "parts_err"):
            if record[name] is not None:
                arrays[name] = np.array(record[name])
        return cls(**{**record, **arrays})

    def worst_part(self):
        """Where the PSF is bad, and the largest difference there, in words."""
        bad = self.bad_parts
        worst = np.argmax(np.abs(self.parts[bad]))
        return (
            f"in {counted(bad.sum(), 'part')} of 9, stars have up to "
            f"{100 * self.parts[bad][worst]:+.1f} % (error "
            f"{100 * self.parts_err[bad][worst]:.1f} %)"
        )

    def words(self):
        """What was found, in words."""
        return (
            f"stars have {100 * self.light:+.1f} % of its light within 2 pixels (error "
            f"{100 * self.light_err:.1f} %; {self.n_stars} stars), chi2 of {self.chi2:.2f} per "
            f"degree of freedom, and {100 * self.misfits:.0f} % of them above {_MISFIT}"
        )


def _are_alike(light, scatter):
    """Whether sources are stars: they differ less from each other than from the PSF, or hardly."""
    return light > -_ABSENT and scatter <= max(_UNLIKE * abs(light), _BAD)


def try_psf(psf, stars, shape):
    """Try a PSF on the stars of an image.

    Parameters
    ----------
    psf : `~sersicnet.measure.FieldPSF`
        The PSF.
    stars : `~sersicnet.measure.stars.Stars`
        The stars.
    shape : (int, int)
        Shape of the image.

    Returns
    -------
    PSFTrial
    """
    if len(stars) < FEWEST:
        return PSFTrial(len(stars))
    compared = compare_stars(psf, stars)
    light, error, chi2 = (compared[name] for name in ("light", "light_err", "chi2"))
    mean, mean_err, scatter = _mean(light, error)
    parts = np.full((2, _PARTS, _PARTS), np.nan)
    part_y, part_x = _parts_of(*(np.asarray(stars.table[axis]) for axis in "yx"), shape)
    for row, column in np.ndindex(_PARTS, _PARTS):
        here = (part_y == row) & (part_x == column)
        if np.count_nonzero(here) < _FEWEST_HERE:
            continue
        light_here, err_here, scatter_here = _mean(light[here], error[here])
        if _are_alike(light_here, scatter_here):
            parts[:, row, column] = light_here, err_here
    return PSFTrial(
        n_stars=len(stars),
        light=mean,
        light_err=mean_err,
        scatter=scatter,
        chi2=float(np.median(chi2)),
        misfits=float(np.mean(chi2 > _MISFIT)),
        parts=parts[0],
        parts_err=parts[1],
    )


def compare_stars(psf, stars):
    """Compare each star with the PSF at its place.

    Parameters
    ----------
    psf : `~sersicnet.measure.FieldPSF`
        The PSF.
    stars : `~sersicnet.measure.stars.Stars`
        The stars.

    Returns
    -------
    dict of `~numpy.ndarray`
        ``light`` and ``light_err`` (as of a `PSFTrial`), ``chi2``, and (N, K, K) ``data`` and
        ``model`` in units of the noise, NaN where pixels are bad.
    """
    half = stars.data.shape[-1] // 2
    canvas = Canvas(half, psf.oversampling)
    fits = fit_stars(stars, canvas, _transforms(psf, stars, canvas))
    light, error = _light_ratio(stars, fits, half)
    noise = np.median(stars.noise, axis=(1, 2))[:, None, None]
    data = stars.data - fits.sky[:, None, None]
    return {
        "light": light,
        "light_err": error,
        "chi2": fits.chi2,
        "data": np.where(stars.bad, np.nan, data / noise),
        "model": fits.flux[:, None, None] * fits.images / noise,
    }


def _parts_of(y, x, shape):
    """The part of an image, along y and x, that each place is in."""
    parts = []
    for place, n in zip((y, x), shape, strict=True):
        part = _PARTS * np.nan_to_num(place) // n
        parts.append(np.clip(part, 0, _PARTS - 1).astype(int))
    return tuple(parts)


def _transforms(psf, stars, canvas):
    """The transform of the PSF at each star, or that of all of them."""
    transforms = {}
    each = []
    for x, y in stars.table.iterrows("x", "y"):
        stamp = psf.at(x, y)
        key = id(stamp)
        if key not in transforms:
            transforms[key] = stamp, canvas.transform(canvas.place(_odd(unit_stamp(stamp))))
        each.append(transforms[key][1])
    if len(transforms) == 1:
        return each[0]
    return np.array(each)


def _odd(stamp):
    """A stamp of odd sides, with its star on the middle pixel."""
    pad = [(0, 1 - n % 2) for n in stamp.shape]
    step = [0.5 * after for _, after in pad[::-1]]
    return shifted_stamp(np.pad(stamp, pad), step)


def _light_ratio(stars, fits, half):
    """The light within 2 pixels as a share of that of all, over that of the PSF, and errors."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(x - fits.dx[:, None, None], y - fits.dy[:, None, None])
    whole = min(float(half), max(_ALL * np.median(stars.table["fwhm"]), 2 * _RADIUS))
    model = fits.flux[:, None, None] * fits.images
    # bad pixels have the light of the PSF
    data = model + fits.residuals
    sums = []
    for radius in (_RADIUS, whole):
        share = np.clip(radius + 0.5 - distance, 0, 1)
        noise = np.sqrt((share**2 * ~stars.bad * stars.noise**2).sum(axis=(1, 2)))
        sums.append([(share * part).sum(axis=(1, 2)) for part in (data, model)] + [noise])
    (inner, inner_psf, inner_err), (total, total_psf, total_err) = sums
    light = inner / total / (inner_psf / total_psf) - 1
    outer_err = np.sqrt(np.clip(total_err**2 - inner_err**2, 0, None))
    share = inner_psf / total_psf
    error = np.hypot((1 - share) * inner_err / inner_psf, outer_err / total_psf)
    return light, np.hypot(error, _FLOOR)


def _mean(light, error):
    """The weighted mean, its error, and the scatter that errors do not explain."""
    used = np.abs(light - np.median(light)) < _OUTLIER * np.maximum(error, mad_std(light))
    light = light[used]
    weights = error[used] ** -2
    mean = np.sum(weights * light) / weights.sum()
    variance = np.sum(weights * (light - mean) ** 2) / weights.sum()
    n = len(light)
    expected = n / weights.sum()
    scatter = np.sqrt(max(variance * n / max(n - 1, 1) - expected, 0.0))
    return float(mean), float(np.sqrt(1 / weights.sum() + scatter**2 / n)), float(scatter)


def flag_bad_psf(table, trial, shape):
    """Add BAD_PSF to the sources of those parts of an image in which the PSF is bad.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The catalog, with ``x_centroid`` and ``y_centroid``, which is changed in place.
    trial : PSFTrial or None
        What the stars say.
    shape : (int, int)
        Shape of the image.
    """
    if trial is None or not trial.bad_parts.any():
        return
    x = to_floats(table["x_centroid"], u.pix)
    y = to_floats(table["y_centroid"], u.pix)
    bad = trial.bad_parts[_parts_of(y, x, shape)] & np.isfinite(x + y)
    table["flags"] |= np.where(bad, int(Flags.BAD_PSF), 0)
