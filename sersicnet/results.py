"""Results of a prediction: medians, errors, flags, samples and tables."""

from dataclasses import dataclass, field, replace

import numpy as np
from astropy.table import QTable

from sersicnet._looks import Looks
from sersicnet._rows import chosen_rows, freeze_rows, join_rows, take_rows
from sersicnet._words import counted
from sersicnet.diagnostics.dialects import shown_table
from sersicnet.diagnostics.fluxes import (
    add_fluxes,
    add_surface_brightness,
    magnitudes_of,
    replace_fluxes,
)
from sersicnet.diagnostics.schema import add_columns
from sersicnet.networks.densities import drawn_samples, sample_covariance, samples_on_sky
from sersicnet.parameters import PARAMETERS, PIXEL_SHAPE
from sersicnet.preprocessing.drawing import shown_parts
from sersicnet.preprocessing.frame import StampFrame
from sersicnet.preprocessing.inputs import Inputs
from sersicnet.preprocessing.pixels import add_sky_positions

__all__ = ["SersicResults"]

# Fields with one row per galaxy; in `quantiles` galaxies are the last axis.
_PER_GALAXY = ("posterior", "frame", "flags", "shapes", "wcs", "columns")
_PER_GALAXY += ("pixel_shapes", "inputs", "ids")
# Columns of galaxies that are not detected: fluxes without a prior.
_LINEAR = ("flux", "flux_err")
# Draws of each galaxy that errors of surface brightness are from.
_N_BRIGHTNESS = 500


@dataclass(frozen=True, eq=False, repr=False)
class SersicResults(Looks):
    """Results for N galaxies, in the order of the cutouts: P parameters with their posteriors.

    They cannot be changed: their arrays are read-only.

    Attributes
    ----------
    parameters : tuple of str
        Names of the parameters.
    posterior : `~sersicnet.networks.NormalDensity`, `~sersicnet.networks.FlowDensity`, or refined
        Densities of the labels, or draws from them.
    quantiles : (P, 3, N) `~numpy.ndarray`
        Quantiles of the parameters at 16, 50 and 84 %; NaN for a galaxy that was not measured.
    frame : `~sersicnet.preprocessing.StampFrame`
        Units of the stamps, which turn labels into parameters.
    flags : (N,) `~numpy.ndarray`
        Flags of the galaxies, see `~sersicnet.decode_flags`.
    shapes : (N, 2) `~numpy.ndarray`
        Rows and columns of the cutouts.
    wcs : tuple of WCS or None
        Celestial WCS of each cutout.
    columns : dict of (N,) `~numpy.ndarray`
        Columns of a refinement, see `to_table`; and ``flux`` with ``flux_err`` of galaxies that are
        not detected.
    pixel_shapes : dict of (N,) `~numpy.ndarray`
        Medians ``r_eff_pix`` (pixels) and ``q_pix`` of the ellipses in pixels.
    inputs : Inputs of the call
        The PSFs and checksums of the cutouts, which model images need.
    ids : (N,) int `~numpy.ndarray`
        Places of the galaxies in the input.
    meta : dict
        What measured them, as in the ``meta`` of `to_table`.

    Notes
    -----
    ``r_eff`` and ``q`` are of ellipses on the sky, ``theta`` of those in pixels. Where pixels are
    not square, the latter have another size and axis ratio, ``pixel_shapes``.

    A galaxy whose flux, as a factor of its model, is below three errors is not detected: its
    posterior, which `samples` draws from and models show, is that of the prior. Its magnitude is
    NaN, with ``LOW_SNR``, and ``flux`` is that factor (:ref:`what is not detected <not-detected>`).

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet import SersicNet
    >>> noise = np.random.default_rng(1).normal(size=(2, 64, 64))
    >>> net = SersicNet.from_pretrained("deeplegato")
    >>> results = net.predict(noise, pixel_scale=0.06, zeropoint=25.9)
    >>> results.median("mag").shape, results.samples(100)["n"].shape
    ((2,), (2, 100))
    """

    parameters: tuple[str, ...]
    posterior: object
    quantiles: np.ndarray
    frame: StampFrame
    flags: np.ndarray
    shapes: np.ndarray
    wcs: tuple
    columns: dict = field(default_factory=dict)
    pixel_shapes: dict = field(default_factory=dict)
    inputs: Inputs | None = None
    ids: np.ndarray | None = None
    meta: dict = field(default_factory=dict)

    def __post_init__(self):
        if self.ids is None:
            object.__setattr__(self, "ids", np.arange(len(self)))
        if self.inputs is None:
            object.__setattr__(self, "inputs", Inputs.unknown(len(self)))
        for name in ("quantiles", *_PER_GALAXY):
            object.__setattr__(self, name, freeze_rows(getattr(self, name)))
        object.__setattr__(self, "meta", dict(self.meta))

    def __reduce__(self):
        """Make copies and pickles by the constructor, so that they are read-only as well."""
        return type(self), tuple(getattr(self, name) for name in self.__dataclass_fields__)

    @classmethod
    def concatenate(cls, parts):
        """Join the results of several batches, one after the other, and number them anew."""
        first = parts[0]
        if len(parts) == 1:
            return first
        quantiles = np.concatenate([part.quantiles for part in parts], axis=2)
        joined = {name: join_rows([getattr(part, name) for part in parts]) for name in _PER_GALAXY}
        joined["ids"] = None
        return cls(first.parameters, quantiles=quantiles, meta=first.meta, **joined)

    def __repr__(self):
        lost = np.isnan(self.quantiles[:, 1])
        n_failed = np.count_nonzero(lost.all(axis=0) if self.parts else lost.any(axis=0))
        text = f"<SersicResults: {counted(len(self), 'galaxy')}; {', '.join(self.parameters)}; "
        return text + f"{np.count_nonzero(self.flags)} flagged, {n_failed} not measured>"

    def __len__(self):
        return len(self.flags)

    def __iter__(self):
        """Yield the results of each galaxy."""
        for row in range(len(self)):
            yield self[row]

    def __getitem__(self, rows):
        """Return the results of some galaxies, which keep their ``ids`` and their samples."""
        chosen = chosen_rows(rows, len(self))
        taken = {name: take_rows(getattr(self, name), chosen) for name in _PER_GALAXY}
        return replace(self, quantiles=self.quantiles[:, :, chosen], **taken)

    @property
    def not_detected(self):
        """Which galaxies have a flux without a prior in the place of a magnitude, (N,) bool.

        Not those whose magnitude is known from the user.
        """
        if "flux" not in self.columns:
            return np.zeros(len(self), dtype=bool)
        low, _, high = self.quantiles[self.parameters.index("mag")]
        return np.isfinite(self.columns["flux"]) & (low != high)

    @property
    def linear_fluxes(self):
        """Fluxes without a prior, ``flux`` and ``flux_err``, NaN of what is detected, dict."""
        found = {}
        for name in _LINEAR:
            values = self.columns.get(name, np.nan)
            found[name] = np.where(self.not_detected, values, np.nan)
        return found

    def median(self, name):
        """Return the medians of the parameter ``name`` in its unit, (N,) `~numpy.ndarray`."""
        return self._row(name)[1]

    def interval(self, name):
        """Return the quantiles at 16 and 84 % of ``name``, two (N,) `~numpy.ndarray`.

        Those of ``theta`` lie around the median and may be outside of [-90, 90).
        """
        low, _, high = self._row(name)
        return low, high

    def error(self, name):
        """Return half the width of `interval`, (N,) `~numpy.ndarray`."""
        low, _, high = self._row(name)
        return (high - low) / 2

    def _row(self, name):
        if name not in self.parameters:
            msg = (
                f"{name!r} was not predicted: there are {', '.join(self.parameters)} "
                "(other columns are in to_table(), and their draws in samples())"
            )
            raise ValueError(msg)
        values = self.quantiles[self.parameters.index(name)]
        if name == "mag":
            return np.where(self.not_detected, np.nan, values)
        return values

    def to_table(self, columns=None, *, dialect="sersicnet", fluxes=False, covariance=False):
        """Return a table with one row per galaxy.

        Parameters
        ----------
        columns : sequence of str, optional
            Names of the columns, in their order; by default all. Those of ``fluxes`` can be among
            them.
        dialect : {"sersicnet", "sextractor", "lsst"}, optional
            Whose names and conventions the columns have (:ref:`dialects`).
        fluxes : bool, optional
            Whether to add ``flux`` and ``flux_err`` [nJy] beside each magnitude, and the mean and
            central surface brightness ``mu_mean`` and ``mu_0`` with their errors, also of parts and
            bands (`~sersicnet.diagnostics.add_fluxes`,
            `~sersicnet.diagnostics.add_surface_brightness`).
        covariance : bool, optional
            Whether to add a column ``covariance``: the upper triangle of each matrix of
            `covariance`, row by row, in single precision. ``meta['COVNAMES']`` has the names of the
            parameters.

        Returns
        -------
        `~astropy.table.QTable`
            ``id`` (place in the input); for each parameter ``<p>`` (median), ``<p>_err`` (half the
            width between the 16 and 84 % quantiles), ``<p>_lo`` and ``<p>_hi`` (these quantiles),
            with units; ``ra`` and ``dec`` where the center was predicted and the cutout has a
            celestial WCS, and ``pa`` (north through east) where ``theta`` was predicted too;
            ``r_eff_pix`` and ``q_pix`` of the ellipse in pixels where pixels are not square;
            ``chi2`` and ``n_pixels`` within the galaxy, for the universal network; columns of a
            refinement and of parts; ``flags``. ``meta`` says what measured them, and common units.

        Raises
        ------
        ValueError
            If there is no column of such a name, or no such dialect.
        """
        table = QTable({"id": np.array(self.ids)}, meta=dict(self.meta))
        for name in self.parameters:
            low, median, high = self._row(name)
            values = (median, (high - low) / 2, low, high)
            for column, each in zip(PARAMETERS[name].columns, values, strict=True):
                table[column.name] = column.with_unit(each)
        if {"x_0", "y_0"} <= set(self.parameters):
            names = [name for name in ("x_0", "y_0", "theta") if name in self.parameters]
            q = self.pixel_shapes.get("q_pix", np.full(len(self), np.nan))
            add_sky_positions(table, self.wcs, *map(self.median, names), q=q)
        if not self.frame.is_square.all():
            for name, values in self.pixel_shapes.items():
                table[name] = PIXEL_SHAPE[name].with_unit(values)
        add_columns(table, {**self._shown_columns(), "flags": self.flags}, self.parts)
        if covariance:
            rows, others = np.triu_indices(len(self.parameters))
            triangle = self.covariance()[:, rows, others].astype(np.float32)
            add_columns(table, {"covariance": triangle})
            table.meta["COVNAMES"] = ",".join(self.parameters)
        return self._shown_table(table, columns, dialect, fluxes)

    def _shown_columns(self):
        """Return the columns without those of galaxies that are not detected, by name."""
        found = {name: values for name, values in self.columns.items() if name not in _LINEAR}
        for name in magnitudes_of(found):
            found[name] = np.where(self.not_detected, np.nan, found[name])
        return found

    def _shown_table(self, table, columns, dialect, fluxes):
        """Return the columns that are wanted, with fluxes where they are among them."""
        if fluxes or (dialect == "sersicnet" and not _are_known(columns, table.colnames)):
            if "mag" in self.parameters:
                table = add_fluxes(table)
            table = add_surface_brightness(table, self.samples(_N_BRIGHTNESS))
        table = shown_table(table, columns, dialect, pixel_scale=self.frame.pixel_scale)
        self._replace_fluxes(table)
        return table

    def _replace_fluxes(self, table):
        """Put fluxes without a prior into the rows of a table that are not detected."""
        replace_fluxes(table, **self.linear_fluxes)

    def samples(self, n, *, model=None, seed=0):
        """Draw from the posteriors.

        Parameters
        ----------
        n : int
            Number of draws for each galaxy.
        model : str, optional
            Of several models (``"auto"``), that to draw from; by default each by its probability.
        seed : int
            Seed of the draws: those of a galaxy depend on it and on the galaxy's ``ids`` alone;
            galaxies that were fitted together share draws.

        Returns
        -------
        dict of (N, n) `~numpy.ndarray`
            In the units of `~sersicnet.parameters.PARAMETERS`; with ``r_eff_pix`` (pixels) and
            ``q_pix`` where pixels are not square, ``sky`` (of the image) where it was fitted, and
            the parameters of parts, such as ``mag_bulge``; of several models, ``model``.
        """
        return samples_on_sky(self._samples_in_pixels(n, seed, model), self.frame)

    def to_sample_table(self, n, *, seed=0):
        """Return draws from the posteriors as a table, for a file of their own.

        Parameters
        ----------
        n : int
            Number of draws for each galaxy.
        seed : int
            Seed of the draws, as in `samples`.

        Returns
        -------
        `~astropy.table.QTable`
            ``id``, and for each key of `samples` a column of n numbers in single precision, in the
            unit of the same column of `to_table`.
        """
        table = QTable({"id": np.array(self.ids)}, meta=dict(self.meta))
        add_columns(table, self.samples(n, seed=seed), self.parts)
        for name in table.colnames[1:]:
            if table[name].dtype.kind == "f":
                table.replace_column(name, table[name].astype(np.float32))
        return table

    def _samples_in_pixels(self, n, seed, model=None):
        """Draw from the posteriors; ``r_eff`` and ``q`` are those of ellipses in pixels."""
        drawn = self.posterior, self.frame, self.parameters
        return drawn_samples(*drawn, n=n, seed=seed, numbers=self.ids, model=model)

    @property
    def parts(self):
        """Name and profile of each part of the galaxies, None for one Sersic profile."""
        return getattr(self.posterior, "parts", None)

    def parts_of(self, index):
        """Return name and profile of each part of the most likely model of a galaxy, a tuple."""
        return shown_parts(self.posterior[[index]])

    def covariance(self, *, parameters=None, n=1000, seed=0):
        """Return covariances of the parameters, from draws; angles are taken around their median.

        ``r_eff`` (by the mean pixel scale), ``q`` and ``theta`` are of the ellipse in pixels.

        Parameters
        ----------
        parameters : sequence of str, optional
            Names of P numbers that `samples` has, by default ``parameters``.
        n : int
            Number of draws for each galaxy.
        seed : int
            Seed of the draws.

        Returns
        -------
        (N, P, P) `~numpy.ndarray`
            In the units of `~sersicnet.parameters.PARAMETERS`; NaN for what some draws do not have.

        Raises
        ------
        ValueError
            If ``n`` is 1: one draw has no covariance. If there are no samples of a name.
        """
        if n == 1:
            msg = "n=1: a covariance needs 2 draws or more"
            raise ValueError(msg)
        values = self._samples_in_pixels(n, seed)
        names = self.parameters if parameters is None else parameters
        for name in names:
            if name not in values or values[name].dtype.kind != "f":
                msg = f"parameters={names!r}: there are no numbers of {name!r} in samples()"
                raise ValueError(msg)
        theta = self.median("theta") if "theta" in names else None
        return sample_covariance({name: values[name] for name in names}, theta)


def _are_known(columns, known):
    """Whether a table has all columns that are wanted."""
    if columns is None:
        return True
    if isinstance(columns, str):
        columns = [columns]
    return set(columns) <= set(known)
