"""What a prediction returns: medians, errors and flags, and the way to tables and models."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.modeling.models import Sersic2D
from astropy.table import QTable
from scipy.special import gamma, gammaincinv
from scipy.stats import norm

from sersicnet.flags import FAILED, Flags
from sersicnet.parameters import PARAMETERS, StampFrame, label_names, wrap_theta
from sersicnet.preprocessing import measure_shape
from sersicnet.psf import check_psf

__all__ = ["SersicResults"]

# Of the standard normal distribution; lower and upper quantiles are at 16 and 84 %.
QUANTILE = norm.ppf(0.84)

# Surveys resample to within less of their nominal pixel scale.
SCALE_TOLERANCE = 0.05

_ARRAYS = ("mean", "scale", "flags", "shapes")


@dataclass(frozen=True, eq=False)
class SersicResults:
    """The answer for N galaxies: normal distributions of L labels, in the order of the cutouts.

    It cannot be changed: its arrays are read-only.

    Attributes
    ----------
    parameters : tuple of str
        What was predicted.
    mean, scale : (N, L) `~numpy.ndarray`
        Of the labels; NaN for a galaxy without an answer.
    frame : `~sersicnet.parameters.StampFrame`
        The way from labels to parameters.
    flags : (N,) `~numpy.ndarray`
        See `~sersicnet.flags.decode_flags`.
    shapes : (N, 2) `~numpy.ndarray`
        Rows and columns of the cutouts.
    wcs : tuple of WCS or None
        The cutouts' celestial WCS.
    """

    parameters: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    frame: StampFrame
    flags: np.ndarray
    shapes: np.ndarray
    wcs: tuple

    def __post_init__(self):
        frame = StampFrame(
            *(_frozen(getattr(self.frame, f)) for f in StampFrame.__dataclass_fields__)
        )
        arrays = {name: _frozen(getattr(self, name)) for name in _ARRAYS}
        for name, value in {**arrays, "frame": frame, "wcs": tuple(self.wcs)}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_labels(cls, parameters, mean, scale, stamps, *, label_range=None, pixel_scale=None):
        """Results of a network's labels, with the flags that follow from them.

        Parameters
        ----------
        parameters : tuple of str
            What was predicted.
        mean, scale : (N, L) `~numpy.ndarray`
            Of the labels.
        stamps : `~sersicnet.preprocessing.Stamps`
            What they were predicted from.
        label_range : (2, L) array_like, optional
            Smallest and largest labels of the training set.
        pixel_scale : float, optional
            Arcsec per pixel of the training set, if it had only one.
        """
        flags = stamps.flags.copy()
        flags[~np.isfinite(mean + scale).all(axis=1)] |= int(Flags.PREDICTION_FAILED)
        lost = (flags & int(FAILED)) != 0
        mean, scale = (np.where(lost[:, None], np.nan, array) for array in (mean, scale))
        names = label_names(parameters)
        if label_range is not None:
            flags |= _range_flags(mean, scale, np.asarray(label_range), names)
        if pixel_scale is not None:
            other = np.abs(stamps.frame.pixel_scale / pixel_scale - 1) > SCALE_TOLERANCE
            flags[other & ~lost] |= int(Flags.OTHER_SCALE)
        if "r_eff" in parameters:
            r_eff = 10 ** mean[:, names.index("log_r_eff")]
            flags[2 * r_eff > stamps.shapes.min(axis=1)] |= int(Flags.LARGE)
        return cls(parameters, mean, scale, stamps.frame, flags, stamps.shapes, stamps.wcs)

    def __len__(self):
        return len(self.flags)

    def median(self, name):
        """Medians of the parameter ``name`` in its unit, (N,) `~numpy.ndarray`."""
        return self._quantile(name, 0)

    def interval(self, name):
        """Quantiles at 16 and 84 % of ``name``, two (N,) `~numpy.ndarray`.

        Those of ``theta`` lie around the median and may leave [-90, 90).
        """
        if name == "theta":
            median, width = self.median(name), self._theta_width()
            return median - width, median + width
        ends = self._quantile(name, -QUANTILE), self._quantile(name, QUANTILE)
        return np.minimum(*ends), np.maximum(*ends)

    def error(self, name):
        """Half the width of ``interval``, (N,) `~numpy.ndarray`."""
        lower, upper = self.interval(name)
        return (upper - lower) / 2

    def _quantile(self, name, sigmas):
        if name not in self.parameters:
            msg = f"{name!r} was not predicted: there are {', '.join(self.parameters)}"
            raise ValueError(msg)
        labels = dict(
            zip(label_names(self.parameters), (self.mean + sigmas * self.scale).T, strict=True)
        )
        parameter = PARAMETERS[name]
        return np.clip(
            self.frame.from_labels(labels, (name,))[name], parameter.lower, parameter.upper
        )

    def _theta_width(self):
        """First-order error of the angle of (e1, e2), at most that of no knowledge."""
        names = label_names(self.parameters)
        columns = [names.index("e1"), names.index("e2")]
        e1, e2 = self.mean[:, columns].T
        s1, s2 = self.scale[:, columns].T
        direction, size = np.arctan2(e2, e1), np.maximum(np.hypot(e1, e2), 1e-9)
        across = np.hypot(np.sin(direction) * s1, np.cos(direction) * s2)
        width = 0.5 * np.degrees(across / size) * QUANTILE
        return np.minimum(width, 0.34 * 180)

    def to_table(self):
        """One row a galaxy.

        Returns
        -------
        `~astropy.table.QTable`
            ``id`` (place in the input), for each parameter ``<p>`` (median), ``<p>_err`` (half the
            width between the 16 and 84 % quantiles), ``<p>_lo`` and ``<p>_hi`` (those
            quantiles), with units; ``ra``, ``dec`` where the centre was predicted and the
            cutout has a celestial WCS, ``pa`` (north through east) where ``theta`` was too;
            ``flags``.
        """
        table = QTable({"id": np.arange(len(self))})
        for name in self.parameters:
            parameter = PARAMETERS[name]
            lower, upper = self.interval(name)
            columns = {"": self.median(name), "_lo": lower, "_hi": upper}
            for suffix, values in columns.items():
                table[name + suffix] = values if parameter.unit is None else values * parameter.unit
            error = (upper - lower) / 2
            table.add_column(
                error if parameter.err_unit is None else error * parameter.err_unit,
                name=f"{name}_err",
                index=table.colnames.index(name) + 1,
            )
        self._add_sky(table)
        table["flags"] = self.flags
        return table

    def _add_sky(self, table):
        """Columns ``ra``, ``dec`` and ``pa`` where they can be had."""
        celestial = [i for i, wcs in enumerate(self.wcs) if wcs is not None]
        if not celestial or not {"x_0", "y_0"} <= set(self.parameters):
            return
        sky = np.full((3, len(self)), np.nan)
        x, y = self.median("x_0"), self.median("y_0")
        theta = self.median("theta") if "theta" in self.parameters else np.full(len(self), np.nan)
        for i in celestial:
            sky[:, i] = _to_sky(self.wcs[i], x[i], y[i], theta[i])
        table["ra"], table["dec"] = sky[:2] * u.deg
        if "theta" in self.parameters:
            table["pa"] = sky[2] * u.deg

    def samples(self, n, *, seed=0):
        """Draws from the predicted distributions.

        Parameters
        ----------
        n : int
            Draws a galaxy.
        seed : int
            Galaxy ``i`` depends on it and on ``i`` alone.

        Returns
        -------
        dict of (N, n) `~numpy.ndarray`
            In the units of `~sersicnet.parameters.PARAMETERS`.
        """
        normal = np.stack(
            [
                np.random.default_rng([seed, i]).standard_normal((n, self.mean.shape[1]))
                for i in range(len(self))
            ]
        )
        labels = self.mean[:, None] + self.scale[:, None] * normal
        labels = dict(zip(label_names(self.parameters), np.moveaxis(labels, 2, 0), strict=True))
        values = self.frame[:, None].from_labels(labels, self.parameters)
        return {
            name: np.clip(value, PARAMETERS[name].lower, PARAMETERS[name].upper)
            for name, value in values.items()
        }

    def values(self, index, **known):
        """The seven parameters of one galaxy, predicted or given.

        Parameters
        ----------
        index : int
            Its row.
        **known : float
            Parameters that were not predicted, in the units of `~sersicnet.parameters.PARAMETERS`.

        Raises
        ------
        ValueError
            If some are neither predicted nor given, one has an unknown name, or the prediction
            is NaN.
        """
        unknown = [name for name in known if name not in PARAMETERS]
        if unknown:
            msg = f"{', '.join(unknown)}: the parameters are {', '.join(PARAMETERS)}"
            raise ValueError(msg)
        values = dict(known)
        for name in self.parameters:
            values.setdefault(name, float(self.median(name)[index]))
        missing = [name for name in PARAMETERS if name not in values]
        if missing:
            msg = f"{', '.join(missing)} were not predicted: give them as arguments"
            raise ValueError(msg)
        if not np.isfinite(list(values.values())).all():
            msg = f"galaxy {index} has no answer: {Flags(int(self.flags[index]))!r}"
            raise ValueError(msg)
        return values

    def to_model(self, index, **known):
        """The galaxy as a model of `astropy.modeling`, before the PSF.

        Parameters
        ----------
        index : int
            Its row.
        **known : float
            Parameters that were not predicted, in the units of `~sersicnet.parameters.PARAMETERS`.

        Returns
        -------
        `~astropy.modeling.functional_models.Sersic2D`
            In pixels of the cutout and in its unit; the amplitude is the surface brightness
            at ``r_eff`` (Graham & Driver 2005, PASA 22, 118, eq. 4).
        """
        values = self.values(index, **known)
        flux = 10 ** (-0.4 * (values["mag"] - self.frame.zeropoint[index]))
        r_eff, n, q = values["r_eff"] / self.frame.pixel_scale[index], values["n"], values["q"]
        b = gammaincinv(2 * n, 0.5)
        area = 2 * np.pi * n * r_eff**2 * q * np.exp(b) * b ** (-2 * n) * gamma(2 * n)
        return Sersic2D(
            amplitude=flux / area,
            r_eff=r_eff,
            n=n,
            x_0=values["x_0"],
            y_0=values["y_0"],
            ellip=1 - q,
            theta=np.radians(values["theta"]),
        )

    def model_image(self, index, cutout, *, psf=None, **known):
        """The predicted galaxy as it would look in the cutout, without noise.

        Parameters
        ----------
        index : int
            Its row.
        cutout : `~astropy.nddata.NDData`
            The cutout that it was predicted from.
        psf : (K, K) array_like, optional
            Star-like stamp; by default that of the cutout.
        **known : float
            Parameters that were not predicted. Angle and centre, where neither predicted nor
            given, are those of the second moments of the cutout
            (`~sersicnet.preprocessing.measure_shape`).

        Returns
        -------
        (ny, nx) `~numpy.ndarray`
            In the unit of the cutout.

        Raises
        ------
        ValueError
            If there is no PSF, no prediction, or GalSim cannot draw the galaxy.
        """
        from sersicnet.simulate_catalog import render_model

        psf = cutout.psf if psf is None else psf
        if psf is None:
            msg = "psf=None and the cutout has none: a model image needs the PSF"
            raise ValueError(msg)
        absent = {"theta", "x_0", "y_0"} - set(self.parameters) - set(known)
        if absent:
            shape = measure_shape(cutout)
            known = known | {name: shape[name] for name in absent}
        return render_model(
            self.values(index, **known),
            cutout.data.shape,
            pixel_scale=float(self.frame.pixel_scale[index]),
            zeropoint=float(self.frame.zeropoint[index]),
            psf=check_psf(psf),
        )

    def residual(self, index, cutout, *, psf=None, **known):
        """The cutout less ``model_image``, (ny, nx) `~numpy.ndarray`."""
        image = self.model_image(index, cutout, psf=psf, **known)
        return np.asarray(cutout.data, dtype=float) - image


def _frozen(array):
    """A read-only copy."""
    array = np.array(array)
    array.flags.writeable = False
    return array


def _range_flags(mean, scale, label_range, names):
    """`OUT_OF_RANGE` beyond the training set, `UNRESOLVED` at its smallest galaxies."""
    lowest, highest = label_range
    outside = ((mean < lowest) | (mean > highest)).any(axis=1)
    flags = np.where(outside, int(Flags.OUT_OF_RANGE), 0)
    if "log_r_eff" in names:
        column = names.index("log_r_eff")
        small = mean[:, column] - scale[:, column] < lowest[column]
        flags = flags | np.where(small, int(Flags.UNRESOLVED), 0)
    return flags


def _to_sky(wcs, x, y, theta):
    """Right ascension, declination and position angle (north through east), in degrees."""
    if not np.isfinite([x, y]).all():
        return np.nan, np.nan, np.nan
    centre = wcs.pixel_to_world(x, y).icrs
    if not np.isfinite(theta):
        return centre.ra.deg, centre.dec.deg, np.nan
    along = np.radians(theta)
    end = wcs.pixel_to_world(x + np.cos(along), y + np.sin(along)).icrs
    return centre.ra.deg, centre.dec.deg, float(wrap_theta(centre.position_angle(end).deg))
