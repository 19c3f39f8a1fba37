"""What a prediction returns: medians, errors and flags, and the way to tables and models."""

from dataclasses import dataclass, field

import astropy.units as u
import numpy as np
from astropy.modeling.models import Sersic2D
from astropy.table import QTable
from scipy.special import gamma, gammaincinv

from sersicnet._rows import freeze_rows, join_rows
from sersicnet.flags import decode_flags
from sersicnet.model.psf import check_psf
from sersicnet.networks.densities import parameter_samples
from sersicnet.parameters import PARAMETERS, wrap_theta
from sersicnet.preprocessing.frame import StampFrame
from sersicnet.preprocessing.sources import measure_shape

__all__ = ["SersicResults"]

# Fields with one row per galaxy; in `quantiles` galaxies are the last axis.
_PER_GALAXY = ("posterior", "frame", "flags", "shapes", "wcs", "columns")


@dataclass(frozen=True, eq=False)
class SersicResults:
    """The answer for N galaxies, in the order of the cutouts: P parameters with their posteriors.

    It cannot be changed: its arrays are read-only.

    Attributes
    ----------
    parameters : tuple of str
        What was predicted.
    posterior : `~sersicnet.networks.NormalDensity`, `~sersicnet.networks.FlowDensity`, or refined
        Densities of the labels, or draws from them.
    quantiles : (P, 3, N) `~numpy.ndarray`
        Of the parameters at 16, 50 and 84 %; NaN for a galaxy without an answer.
    frame : `~sersicnet.preprocessing.StampFrame`
        The way from labels to parameters.
    flags : (N,) `~numpy.ndarray`
        See `~sersicnet.decode_flags`.
    shapes : (N, 2) `~numpy.ndarray`
        Rows and columns of the cutouts.
    wcs : tuple of WCS or None
        The cutouts' celestial WCS.
    columns : dict of (N,) `~numpy.ndarray`
        What a refinement tells of itself, see `to_table`.
    """

    parameters: tuple[str, ...]
    posterior: object
    quantiles: np.ndarray
    frame: StampFrame
    flags: np.ndarray
    shapes: np.ndarray
    wcs: tuple
    columns: dict = field(default_factory=dict)

    def __post_init__(self):
        for name in ("quantiles", *_PER_GALAXY):
            object.__setattr__(self, name, freeze_rows(getattr(self, name)))

    def __reduce__(self):
        """Copies and pickles are made anew, so that they are read-only as well."""
        return type(self), tuple(getattr(self, name) for name in self.__dataclass_fields__)

    @classmethod
    def concatenate(cls, parts):
        """The results of several batches, one after the other."""
        first = parts[0]
        if len(parts) == 1:
            return first
        quantiles = np.concatenate([part.quantiles for part in parts], axis=2)
        joined = {name: join_rows([getattr(part, name) for part in parts]) for name in _PER_GALAXY}
        return cls(parameters=first.parameters, quantiles=quantiles, **joined)

    def __len__(self):
        return len(self.flags)

    def median(self, name):
        """Medians of the parameter ``name`` in its unit, (N,) `~numpy.ndarray`."""
        return self._row(name)[1]

    def interval(self, name):
        """Quantiles at 16 and 84 % of ``name``, two (N,) `~numpy.ndarray`.

        Those of ``theta`` lie around the median and may leave [-90, 90).
        """
        low, _, high = self._row(name)
        return low, high

    def error(self, name):
        """Half the width of ``interval``, (N,) `~numpy.ndarray`."""
        low, high = self.interval(name)
        return (high - low) / 2

    def _row(self, name):
        if name not in self.parameters:
            msg = f"{name!r} was not predicted: there are {', '.join(self.parameters)}"
            raise ValueError(msg)
        return self.quantiles[self.parameters.index(name)]

    def to_table(self):
        """One row a galaxy.

        Returns
        -------
        `~astropy.table.QTable`
            ``id`` (place in the input), for each parameter ``<p>`` (median), ``<p>_err`` (half the
            width between the 16 and 84 % quantiles), ``<p>_lo`` and ``<p>_hi`` (those
            quantiles), with units; ``ra``, ``dec`` where the center was predicted and the
            cutout has a celestial WCS, ``pa`` (north through east) where ``theta`` was too;
            those of the refinement, if any (``chi2``, ``n_pixels``, ``sky``, ``n_iter``,
            ``ess``, ``n_samples``, ``log_evidence``); ``flags``.
        """
        table = QTable({"id": np.arange(len(self))})
        for name in self.parameters:
            low, median, high = self._row(name)
            values = (median, (high - low) / 2, low, high)
            for column, each in zip(PARAMETERS[name].columns, values, strict=True):
                table[column.name] = column.with_unit(each)
        self._add_sky(table)
        for name, column in self.columns.items():
            table[name] = column
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
            sky[:, i] = to_sky(self.wcs[i], *(values[i : i + 1] for values in (x, y, theta)))[:, 0]
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
        rows = np.arange(len(self))
        labels = self.posterior.draw(rows, n, seed)
        return parameter_samples(labels, self.frame, self.parameters)

    def covariance(self, *, n=1000, seed=0):
        """Covariances of the parameters, (N, P, P) `~numpy.ndarray`, from ``n`` draws.

        In the units of `~sersicnet.parameters.PARAMETERS`; angles are taken around their median.
        """
        values = self.samples(n, seed=seed)
        if "theta" in values:
            middle = self.median("theta")[:, None]
            values["theta"] = middle + wrap_theta(values["theta"] - middle)
        draws = np.stack([values[name] for name in self.parameters], axis=1)
        draws = draws - draws.mean(axis=2, keepdims=True)
        return draws @ np.swapaxes(draws, 1, 2) / (n - 1)

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
            msg = f"galaxy {index} has no answer: {', '.join(decode_flags(self.flags[index]))}"
            raise ValueError(msg)
        return values

    def to_model(self, index, **known):
        """The galaxy as a model of `astropy.modeling`, before the PSF.

        Parameters
        ----------
        index : int
            Its row.
        **known : float or array
            Parameters that were not predicted, or that replace those that were (such as all
            samples of the galaxy), in the units of `~sersicnet.parameters.PARAMETERS`.

        Returns
        -------
        `~astropy.modeling.functional_models.Sersic2D`
            In pixels of the cutout and in its unit; the amplitude is the surface brightness
            at ``r_eff`` (Graham & Driver 2005, PASA 22, 118, eq. 4). Its parameters are arrays
            where ``known`` are.
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
            Parameters that were not predicted. Angle and center, where neither predicted nor
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
        from sersicnet.simulate_catalog.render import render_model

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


def to_sky(wcs, x, y, theta):
    """Right ascension, declination and position angle (north through east), (3, N), in degrees.

    NaN where the position is, or the angle alone.
    """
    sky = np.full((3, len(x)), np.nan)
    there = np.isfinite(x + y)
    if there.any():
        x, y = x[there], y[there]
        along = np.radians(np.nan_to_num(theta[there]))
        center = wcs.pixel_to_world(x, y).icrs
        end = wcs.pixel_to_world(x + np.cos(along), y + np.sin(along)).icrs
        angle = wrap_theta(center.position_angle(end).deg)
        sky[:, there] = center.ra.deg, center.dec.deg, angle
    sky[2, ~np.isfinite(theta)] = np.nan
    return sky
