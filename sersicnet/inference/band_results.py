"""Results of galaxies in several bands."""

import copy
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from sersicnet._rows import chosen_rows
from sersicnet._words import counted
from sersicnet.diagnostics.band_schema import band_columns, color_columns
from sersicnet.diagnostics.fluxes import replace_fluxes
from sersicnet.diagnostics.schema import COLUMNS, describe
from sersicnet.flags import Flags
from sersicnet.inference.band_density import SLOPES, of_first_band
from sersicnet.inference.linear_fluxes import FLUXES
from sersicnet.inference.tension import TENSION
from sersicnet.results import SersicResults

__all__ = ["BandResults"]

# Keys of meta that say what the images of a band are.
_OF_IMAGES = ("PIXSCALE", "MAGZP", "MASKFROM", "INPUT", "PSFFWHM", "PSFSAMP", "PHOTONS", "GAIN")
# Columns of a band that have its name behind theirs.
_OF_BAND = ("chi2", "n_pixels", "sky")
# Beginnings of columns of models that are compared.
_OF_MODELS = ("prob_", "log_evidence_")
_ENDINGS = ("", "_err", "_lo", "_hi")


@dataclass(frozen=True, eq=False, repr=False)
class BandResults(SersicResults):
    """Results for N galaxies in several bands: one structure, and the light in each band.

    ``mag``, ``x_0``, ``y_0`` and ``theta`` are those in the first band, the reference, and NaN
    where this has no cutout. ``flags`` are those of all bands.

    Attributes
    ----------
    bands : dict of `~sersicnet.SersicResults`
        Results in the pixels of each band that has cutouts, as the method ``band`` returns them.

    Notes
    -----
    All else is as in `~sersicnet.SersicResults`.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet import SersicNet
    >>> y, x = np.mgrid[:64, :64] - 31.5
    >>> psf = np.exp(-0.5 * (x**2 + y**2) / 1.5**2)
    >>> image = 30 * np.exp(-np.hypot(x, y) / 4)
    >>> noise = np.random.default_rng(1).normal(size=(2, 64, 64))
    >>> cutouts = {"g": [image + noise[0]], "r": [2 * image + noise[1]]}
    >>> net = SersicNet.from_pretrained()
    >>> results = net.predict(cutouts, psf=psf, pixel_scale=0.1, zeropoint=25)
    >>> color, error = results.color("g", "r")
    >>> print(color.round(1), results.band("r").median("n").shape)
    [0.8] (1,)
    """

    bands: dict = field(default_factory=dict)

    @classmethod
    def of(cls, bands, posterior):
        """Make them of the results in each band.

        Parameters
        ----------
        bands : dict of `~sersicnet.SersicResults`
            Results in each band that has cutouts.
        posterior : BandDensity
            The joint posteriors.

        Returns
        -------
        BandResults
        """
        each = list(bands.values())
        first = each[0]
        places = list(map(posterior.bands.index, bands))
        quantiles = first.quantiles.copy()
        frame = first.frame
        wcs = list(first.wcs)
        shapes = first.shapes.copy()
        pixel_shapes = copy.deepcopy(first.pixel_shapes)
        for place, own in zip(places, each, strict=True):
            rows = np.flatnonzero(posterior.first == place)
            quantiles[:, :, rows] = own.quantiles[:, :, rows]
            frame = frame.with_rows(rows, own.frame[rows])
            shapes[rows] = own.shapes[rows]
            for row in rows:
                wcs[row] = own.wcs[row]
            for name, values in pixel_shapes.items():
                values[rows] = own.pixel_shapes[name][rows]
        for row, name in enumerate(first.parameters):
            quantiles[row] = of_first_band(name, quantiles[row], posterior.first)
        columns = _common_columns(each) | _part_columns(each, places, posterior)
        flags = np.zeros_like(first.flags)
        for own in each:
            flags |= own.flags
        if len(bands) < len(posterior.bands):
            flags = flags | int(Flags.MISSING_BAND)
        known = {"BANDS": ", ".join(posterior.bands), "REFBAND": posterior.bands[0]}
        meta = _meta_of(bands, posterior.bands[0]) | known
        for name, own in bands.items():
            own.meta.update(known | {"BAND": name})
        return cls(
            parameters=first.parameters,
            posterior=posterior,
            quantiles=quantiles,
            frame=frame,
            flags=flags,
            shapes=shapes,
            wcs=tuple(wcs),
            columns=columns,
            pixel_shapes=pixel_shapes,
            meta=meta,
            bands=bands,
        )

    def __repr__(self):
        n_failed = np.count_nonzero(~self.posterior.is_measured)
        text = (
            f"<BandResults: {counted(len(self), 'galaxy')} in {', '.join(self.posterior.bands)}; "
        )
        return text + f"{np.count_nonzero(self.flags)} flagged, {n_failed} not measured>"

    def __getitem__(self, rows):
        """Return the results of some galaxies, which keep their ``ids`` and their samples."""
        chosen = chosen_rows(rows, len(self))
        bands = {}
        for name, each in self.bands.items():
            bands[name] = each[chosen]
        return replace(super().__getitem__(chosen), bands=bands)

    def band(self, name=None):
        """Return the results in one band, in the pixels of its cutouts.

        Parameters
        ----------
        name : str, optional
            Name of the band, by default the reference.

        Returns
        -------
        `~sersicnet.SersicResults`

        Raises
        ------
        ValueError
            If there is no band of this name, or it has no cutouts.
        """
        if name is None:
            name = self.posterior.bands[0]
        self._check_band(name)
        if name not in self.bands:
            msg = f"band {name!r} has no cutout: there are some in {', '.join(self.bands)}"
            raise ValueError(msg)
        return self.bands[name]

    def _check_band(self, name):
        if name not in self.posterior.bands:
            msg = f"there is no band {name!r}: there are {', '.join(self.posterior.bands)}"
            raise ValueError(msg)

    def color(self, one, other):
        """Return colors, with the errors of the joint fit.

        Parameters
        ----------
        one, other : str
            Names of two bands.

        Returns
        -------
        color, error : (N,) `~numpy.ndarray`
            Magnitude in the first band minus that in the second, and its error, which follows from
            the covariance of both. NaN where a band is missing or does not show the galaxy.
        """
        for band in (one, other):
            self._check_band(band)
        color, error = self.posterior.color(one, other)
        unseen = np.zeros(len(self), dtype=bool)
        for band in {one, other} & set(self.bands):
            unseen |= self.bands[band].not_detected
        return np.where(unseen, np.nan, color), np.where(unseen, np.nan, error)

    def flags_of(self, band):
        """Return the flags in one band, (N,) int `~numpy.ndarray`."""
        self._check_band(band)
        if band not in self.bands:
            return np.full(len(self), int(Flags.MISSING_BAND))
        return self.bands[band].flags

    def to_table(self, columns=None, *, dialect="sersicnet", fluxes=False):
        """Return a table with one row per galaxy, as `~sersicnet.SersicResults.to_table`.

        Parameters
        ----------
        columns : sequence of str, optional
            Names of the columns, in their order; by default all.
        dialect : {"sersicnet", "sextractor", "lsst"}, optional
            As there; columns of one band, such as ``mag_<band>``, keep their names.
        fluxes : bool, optional
            Whether to add fluxes, such as ``flux_<band>``, and surface brightness.

        Returns
        -------
        `~astropy.table.QTable`
            With ``mag_<band>`` of each band, its error and quantiles, ``x_shift_<band>`` and
            ``y_shift_<band>`` with their errors of all bands but the reference, along the pixels of
            this, and ``chi2_<band>``, ``n_pixels_<band>``, ``sky_<band>`` and ``flags_<band>``;
            ``color_<band>_<next band>`` of bands that follow each other, with its error.
            Of a chromatic model, ``r_eff_slope`` and ``n_slope`` with their errors. Of parts, such
            as bulge and disk, also ``mag_bulge_<band>`` and ``bulge_to_total_<band>``; those
            without a band are of the reference.
        """
        table = super().to_table()
        self._add_directions(table)
        found = {}
        for name in SLOPES if self.posterior.is_chromatic else ():
            found[name], found[f"{name}_err"] = self.posterior.slope(name)
        for number, band in enumerate(self.posterior.bands):
            found |= self._columns_of(band, shifted=number > 0)
        # exposures have one flux
        for one, other in pairwise(() if "EXPOSURE" in self.meta else self.posterior.bands):
            name = f"color_{one}_{other}"
            found[name], found[f"{name}_err"] = self.color(one, other)
        flags = np.array(table["flags"])
        del table["flags"]
        known = dict(COLUMNS)
        of_bands = band_columns(self.posterior.bands, self.parts)
        for column in [*of_bands, *color_columns(self.posterior.bands)]:
            known[column.name] = column
        for name, values in found.items():
            table[name] = known[name].with_unit(values)
        table["flags"] = flags
        describe(table)
        describe(table, known)
        return self._shown_table(table, columns, dialect, fluxes)

    def _replace_fluxes(self, table):
        """Put fluxes without a prior into the rows of a table that a band does not show."""
        super()._replace_fluxes(table)
        for band, own in self.bands.items():
            replace_fluxes(table, **own.linear_fluxes, band=band)

    def _columns_of(self, band, *, shifted):
        """Return the columns of one band, by their names."""
        low = median = high = np.full(len(self), np.nan)
        own = {}
        if band in self.bands:
            low, median, high = self.bands[band]._row("mag")
            own = self.bands[band]._shown_columns()
        found = {f"mag_{band}": median}
        found[f"mag_{band}_err"] = (high - low) / 2
        found |= {f"mag_{band}_lo": low, f"mag_{band}_hi": high}
        for name in self.posterior.light:
            for ending in _ENDINGS:
                values = own.get(name + ending, np.full(len(self), np.nan))
                found[f"{name}_{band}{ending}"] = values
        for axis in "xy" if shifted else ():
            shift, error = self.posterior.shift(axis, band)
            found |= {f"{axis}_shift_{band}": shift, f"{axis}_shift_{band}_err": error}
        for name in _OF_BAND:
            empty = np.zeros(len(self), dtype=int) if name == "n_pixels" else np.nan
            found[f"{name}_{band}"] = own.get(name, np.broadcast_to(empty, len(self)))
        return found | {f"flags_{band}": self.flags_of(band)}

    def _add_directions(self, table):
        """Add positions on the sky of galaxies without a cutout in the reference band."""
        for band, own in self.bands.items():
            number = self.posterior.bands.index(band)
            rows = np.flatnonzero((self.posterior.first == number) & (number > 0))
            if not len(rows):
                continue
            there = own[rows].to_table()
            for name in {"ra", "dec", "pa"} & set(table.colnames) & set(there.colnames):
                table[name][rows] = there[name]

    def to_model(self, index, *, band=None, **known):
        """Return a galaxy in one band as a model of `astropy.modeling`, before the PSF.

        Parameters
        ----------
        index : int
            Row of the galaxy.
        band : str, optional
            Name of the band, by default the reference.
        **known
            As in `~sersicnet.SersicResults.to_model`.

        Returns
        -------
        `~astropy.modeling.functional_models.Sersic2D`
        """
        return self.band(band).to_model(index, **known)

    def model_image(self, index, cutout, *, band=None, **options):
        """Render a galaxy as it would look in the cutout of one band, without noise.

        Parameters
        ----------
        index : int
            Row of the galaxy.
        cutout : `~astropy.nddata.NDData` or 2-D `~numpy.ndarray`
            Its cutout in this band.
        band : str, optional
            Name of the band, by default the reference.
        **options
            As in `~sersicnet.SersicResults.model_image`.

        Returns
        -------
        (ny, nx) `~numpy.ndarray`
        """
        return self.band(band).model_image(index, cutout, **options)

    def residual(self, index, cutout, *, band=None, **options):
        """Return the cutout of one band minus its model image with the sky, (ny, nx)."""
        return self.band(band).residual(index, cutout, **options)


def _meta_of(bands, reference):
    """Return the meta of the reference band; of another, without what is of its images."""
    if reference in bands:
        return bands[reference].meta
    meta = dict(next(iter(bands.values())).meta)
    for key in _OF_IMAGES:
        meta.pop(key, None)
    return meta


def _part_columns(each, places, posterior):
    """Return columns of models, parts, priors and fluxes, in the first band of each galaxy."""
    found = {}
    names = [part for part, _ in posterior.parts or ()]
    for name, values in each[0].columns.items():
        of_part = any(f"_{part}" in name or name.startswith(f"{part}_") for part in names)
        of_models = name == "model" or name.startswith(_OF_MODELS)
        if not (of_part or of_models or name in FLUXES or name.endswith(TENSION)):
            continue
        if name != "model":
            values = np.full(len(posterior), np.nan)
        for place, own in zip(places, each, strict=True):
            values = np.where(posterior.first == place, own.columns[name], values)
        found[name] = of_first_band(name, values, posterior.first)
    return found


def _common_columns(each):
    """Return columns of all bands: sums of chi2, NaN where no band has one, and of pixels."""
    found = {}
    chi2 = []
    n_pixels = []
    for own in each:
        chi2.append(own.columns["chi2"])
        n_pixels.append(own.columns["n_pixels"])
    found["chi2"] = np.where(np.isnan(chi2).all(axis=0), np.nan, np.nansum(chi2, axis=0))
    found["n_pixels"] = np.sum(n_pixels, axis=0)
    if "n_iter" in each[0].columns:
        found = {"n_iter": np.max([own.columns["n_iter"] for own in each], axis=0)} | found
    if "group_size" in each[0].columns:
        found["group_size"] = each[0].columns["group_size"]
        fractions = np.stack([own.columns["blend_fraction"] for own in each])
        found["blend_fraction"] = np.fmax.reduce(fractions)
    for name in ("ess", "log_evidence", "n_samples"):
        if name in each[0].columns:  # which are of all bands together
            found[name] = each[0].columns[name]
    return found
