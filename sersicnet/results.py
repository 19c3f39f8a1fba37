"""Results of a prediction: medians, errors, flags, samples, tables and models."""

from dataclasses import dataclass, field, replace

import numpy as np
from astropy.table import QTable

from sersicnet._rows import check_row, chosen_rows, freeze_rows, join_rows, take_rows
from sersicnet._words import counted
from sersicnet.diagnostics.dialects import shown_table
from sersicnet.diagnostics.schema import add_columns
from sersicnet.flags import decode_flags
from sersicnet.networks.densities import drawn_samples, sample_covariance, samples_on_sky
from sersicnet.parameters import PARAMETERS, PIXEL_SHAPE
from sersicnet.preprocessing.drawing import draw_model, draw_parts, parts2d, sersic2d, shown_parts
from sersicnet.preprocessing.frame import StampFrame
from sersicnet.preprocessing.images import as_image
from sersicnet.preprocessing.inputs import Inputs
from sersicnet.preprocessing.pixels import add_sky_positions
from sersicnet.preprocessing.sources import measure_shape

__all__ = ["SersicResults"]

# Fields with one row per galaxy; in `quantiles` galaxies are the last axis.
_PER_GALAXY = ("posterior", "frame", "flags", "shapes", "wcs", "columns")
_PER_GALAXY += ("pixel_shapes", "inputs", "ids")


@dataclass(frozen=True, eq=False, repr=False)
class SersicResults:
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
        Columns of a refinement, see `to_table`.
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
            msg = f"{name!r} was not predicted: there are {', '.join(self.parameters)}"
            raise ValueError(msg)
        return self.quantiles[self.parameters.index(name)]

    def to_table(self, columns=None, *, dialect="sersicnet"):
        """Return a table with one row per galaxy.

        Parameters
        ----------
        columns : sequence of str, optional
            Names of the columns, in their order; by default all.
        dialect : {"sersicnet", "sextractor", "lsst"}, optional
            Whose names and conventions the columns have (:ref:`dialects`).

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
        add_columns(table, {**self.columns, "flags": self.flags}, self.parts)
        return shown_table(table, columns, dialect, pixel_scale=self.frame.pixel_scale)

    def samples(self, n, *, model=None, seed=0):
        """Draw from the posteriors.

        Parameters
        ----------
        n : int
            Number of draws for each galaxy.
        model : str, optional
            Of several models (``"auto"``), that to draw from; by default each by its probability.
        seed : int
            Seed of the draws: those of a galaxy depend on it and on the galaxy's ``ids`` alone.

        Returns
        -------
        dict of (N, n) `~numpy.ndarray`
            In the units of `~sersicnet.parameters.PARAMETERS`; with ``r_eff_pix`` (pixels) and
            ``q_pix`` where pixels are not square, ``sky`` (of the image) where it was fitted, and
            the parameters of parts, such as ``mag_bulge``; of several models, ``model``.
        """
        return samples_on_sky(self._samples_in_pixels(n, seed, model), self.frame)

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

    def covariance(self, *, n=1000, seed=0):
        """Return covariances of the parameters, from draws; angles are taken around their median.

        ``r_eff`` (by the mean pixel scale), ``q`` and ``theta`` are of the ellipse in pixels.

        Parameters
        ----------
        n : int
            Number of draws for each galaxy.
        seed : int
            Seed of the draws.

        Returns
        -------
        (N, P, P) `~numpy.ndarray`
            In the units of `~sersicnet.parameters.PARAMETERS`; NaN for what some draws do not have.
        """
        values = self._samples_in_pixels(n, seed)
        theta = self.median("theta") if "theta" in values else None
        return sample_covariance({name: values[name] for name in self.parameters}, theta)

    def values(self, index, **known):
        """Return the seven parameters of one galaxy, predicted or given.

        Parameters
        ----------
        index : int
            Row of the galaxy.
        **known : float
            Parameters that were not predicted, in the units of `~sersicnet.parameters.PARAMETERS`.

        Returns
        -------
        dict of float

        Raises
        ------
        ValueError
            If some are neither predicted nor given, one has an unknown name, or the prediction
            is NaN.
        """
        check_row(index, len(self))
        if self.parts_of(index):
            msg = f"model {self.meta['MODEL']!r} is not one Sersic profile: to_table has its parts"
            raise ValueError(msg)
        unknown = [name for name in known if name not in PARAMETERS]
        if unknown:
            msg = f"{', '.join(unknown)}: the parameters are {', '.join(PARAMETERS)}"
            raise ValueError(msg)
        values = {name: float(self.median(name)[index]) for name in self.parameters} | known
        missing = [name for name in PARAMETERS if name not in values]
        if missing:
            msg = f"{', '.join(missing)} were not predicted: give them as arguments"
            raise ValueError(msg)
        if not np.isfinite(list(values.values())).all():
            self._raise_missing(index)
        return values

    def _raise_missing(self, index):
        why = ", ".join(decode_flags(self.flags[index])) or "one profile is not likely enough"
        msg = f"galaxy {index} was not measured: {why}"
        raise ValueError(msg)

    def _values_in_pixels(self, index, **known):
        """Return the seven parameters, with ``r_eff`` and ``q`` of the ellipse in pixels."""
        in_pixels = {name: known.pop(name) for name in PIXEL_SHAPE if name in known}
        if len(in_pixels) == 1:
            msg = f"{next(iter(in_pixels))} is given alone: r_eff_pix and q_pix belong together"
            raise ValueError(msg)
        frame = self.frame[index]
        if not (in_pixels or frame.is_square or {"r_eff", "q"} & set(known)):
            in_pixels = {name: float(rows[index]) for name, rows in self.pixel_shapes.items()}
        return frame.in_pixels(self.values(index, **known) | in_pixels)

    def to_model(self, index, *, component=None, **known):
        """Return a galaxy as a model of `astropy.modeling`, before the PSF.

        Parameters
        ----------
        index : int
            Row of the galaxy.
        component : str, optional
            One part of several, such as ``'bulge'``; by default their sum.
        **known : float or array
            Parameters that were not predicted, or that replace those that were (such as all
            samples), in the units of the table, or ``r_eff_pix`` and ``q_pix``.

        Returns
        -------
        `~astropy.modeling.functional_models.Sersic2D` or `~astropy.modeling.CompoundModel`
            In pixels of the cutout and in its unit, with arrays where ``known`` are arrays; the
            amplitude is that at ``r_eff`` (Graham & Driver 2005, PASA 22, 118, eq. 4). A point
            source is a `~astropy.modeling.functional_models.Gaussian2D` of 0.1 pixels with its
            light: draw it on a grid of ten or more points to a pixel.
        """
        check_row(index, len(self))
        parts = self.parts_of(index)
        if parts or component:
            if np.isnan(self.median("mag")[index]):
                self._raise_missing(index)
            values = {name: rows[index] for name, rows in self.columns.items()}
            values |= {name: self.median(name)[index] for name in ("mag", "x_0", "y_0")}
            return parts2d(values, parts, self.frame[index], component=component, known=known)
        values = self._values_in_pixels(index, **known)
        zeropoint = self.frame.zeropoint[index]
        return sersic2d(values, zeropoint=zeropoint, pixel_scale=self.frame.pixel_scale[index])

    def model_image(
        self, index, cutout, *, psf=None, psf_oversampling=None, sky=None, component=None, **known
    ):
        """Render a galaxy as it would look in the cutout, without noise.

        Parameters
        ----------
        index : int
            Row of the galaxy.
        cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
            The cutout that it was predicted from.
        psf : (K, L) array_like, optional
            Star-like stamp; by default that of the prediction, normalized and sampled as there.
        psf_oversampling : int, optional
            Pixels of ``psf`` on a side of a pixel of the cutout; by default as in the prediction.
        sky : bool, optional
            Whether to add the sky that was fitted; by default to the whole, not to a component.
        component : str, optional
            The part to render, such as ``'bulge'``; by default all.
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
        TypeError, ValueError
            If the cutout is not the one that was measured, there is no PSF, or no prediction.
        """
        check_row(index, len(self))
        sky = component is None if sky is None else sky
        cutout = as_image(cutout, "cutout")
        self.inputs.check(index, cutout, self.shapes[index])
        psfs = self.inputs.find_psf(index, cutout, psf, psf_oversampling)
        if self.parts or component:
            if np.isnan(self.median("mag")[index]):
                self._raise_missing(index)
            one = self.posterior[[index]], self.frame[[index]], psfs, cutout.data.shape
            image = draw_parts(*one, component=component, known=known)
        else:
            absent = {"theta", "x_0", "y_0"} - set(self.parameters) - set(known)
            if absent:
                shape = measure_shape(cutout)
                known |= {name: shape[name] for name in absent}
            values = self._values_in_pixels(index, **known)
            image = draw_model(values, self.frame[[index]], psfs, cutout.data.shape)
        if sky and "sky" in self.columns:
            image += np.nan_to_num(self.columns["sky"][index])
        return image

    def residual(self, index, cutout, *, psf=None, psf_oversampling=None, **known):
        """Return the cutout minus `model_image` with its sky, (ny, nx) `~numpy.ndarray`."""
        image = self.model_image(index, cutout, psf=psf, psf_oversampling=psf_oversampling, **known)
        return np.asarray(as_image(cutout, "cutout").data, dtype=float) - image
