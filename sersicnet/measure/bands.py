"""Images of several bands: sources are detected in one or in all, and measured in all."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack

from sersicnet.diagnostics.dialects import shown_table
from sersicnet.diagnostics.fluxes import with_fluxes
from sersicnet.flags import Flags
from sersicnet.inference.band_arguments import check_names
from sersicnet.inference.bands import NEEDS_FIT, check_call
from sersicnet.inference.linear_fluxes import FLUXES
from sersicnet.inference.refine import LevenbergMarquardt, check_refinement
from sersicnet.inference.wavelengths import known_wavelengths
from sersicnet.measure.band_columns import NOT_OF_BANDS, base_columns, columns_of_bands
from sersicnet.measure.band_images import open_bands
from sersicnet.measure.band_sources import parts_of
from sersicnet.measure.catalog import finish_table, outside
from sersicnet.measure.columns import blank_table
from sersicnet.measure.combined import CombinedMeasurement
from sersicnet.measure.doubts import warn_of_catalog
from sersicnet.measure.draws import Draws, take_draws
from sersicnet.measure.groups import grouping
from sersicnet.measure.images import write_segmentation
from sersicnet.measure.log import log_detection, tile_progress
from sersicnet.measure.matched import describe_detection
from sersicnet.measure.model_columns import columns_of_model, in_front_of_flags
from sersicnet.measure.places import place_codes
from sersicnet.measure.psf_trial import flag_bad_psf
from sersicnet.measure.record import describe_measurement
from sersicnet.measure.source_tables import show_fluxes, source_table

__all__ = ["COMBINED", "check_detection", "measure_bands"]

# The detection in all bands together.
COMBINED = "chi2"
# Sources that are measured at a time.
_BATCH = 64
# Options of posteriors in all bands together.
_OF_ALL = ("covariance", "samples")


def check_detection(image, detection, options):
    """Check what the sources of images of several bands are detected in.

    Parameters
    ----------
    image : dict
        Images by the names of bands.
    detection : str or None
        Name of a band, ``'chi2'``, or None for the first band.
    options : dict
        Options of `~sersicnet.measure.measure_image`.

    Returns
    -------
    dict
        The images, that of the detection first.

    Raises
    ------
    TypeError, ValueError
        If a name of a band is impossible, there is no band of this name, or an option does not go
        together with several bands.

    Examples
    --------
    >>> from sersicnet.measure.bands import check_detection
    >>> list(check_detection({"g": "g.fits", "r": "r.fits"}, "r", {}))
    ['r', 'g']
    """
    check_names(image, "image")
    if COMBINED in image:
        msg = f"image has a band {COMBINED!r}, which stands for a detection in all bands"
        raise ValueError(msg)
    if detection is not None and detection != COMBINED and detection not in image:
        msg = f"detection={detection!r} must be one of {', '.join(image)}, or {COMBINED!r}"
        raise ValueError(msg)
    if detection == COMBINED and options.get("segmentation") is not None:
        msg = "detection='chi2' finds sources, and segmentation= says what they are"
        raise ValueError(msg)
    for name in ("fixed", "morphology", "detection_image", "stars", "join_pairs"):
        if options.get(name) is not None and options[name] is not False:
            msg = f"{name}= is for images of one band: measure each band in its own image"
            raise ValueError(msg)
    if detection in image:
        return {detection: image[detection]} | image
    return image


def measure_bands(
    images,
    *,
    detection,
    model,
    net,
    options,
    wavelength=None,
    columns=None,
    dialect="sersicnet",
    segmentation_image=None,
    progress_bar=False,
):
    """Measure all galaxies of images of several bands.

    Parameters
    ----------
    images : dict
        Images by the names of bands, from `check_detection`.
    detection : str or None
        As there.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.
    net : `~sersicnet.SersicNet`
        The network.
    options : dict
        Options of `~sersicnet.measure.measure_image`, some of them dicts by the names of bands.
    wavelength, columns, dialect, segmentation_image, progress_bar
        As there; the columns are only checked.

    Returns
    -------
    `~astropy.table.QTable`
        One row per source, as `~sersicnet.measure.measure_image` returns it.

    Raises
    ------
    TypeError, ValueError, OSError, `~astropy.units.UnitConversionError`
        If an image or an option is impossible; the message names the band.
    """
    refine = options.get("refine")
    sky = options.get("sky", "prior")
    check_call(net, refine, model, "mask", sky=sky, bands=list(images))
    known_wavelengths(wavelength, model, list(images))
    with ExitStack() as stack:
        one_grid = detection == COMBINED
        alone = {name: value for name, value in options.items() if name not in _OF_ALL}
        bands = open_bands(stack, images, alone, net=net, one_grid=one_grid)
        wanted = {name: options[name] for name in _OF_ALL if name in options}
        measured = _Measured.of(bands, detection, model, wavelength, wanted)
        empty = blank_table(measured.columns, 0)
        take_draws(empty)
        shown_table(empty, columns, dialect, pixel_scale=measured.reference.pixel_scale)
        found = describe_detection(measured.reference, measured.sky, measured.matched)
        log_detection(measured.reference.options, found)
        table = measured.measure_all(progress_bar=progress_bar)
        if segmentation_image is not None:
            write_segmentation(measured.reference, measured.sky, Path(segmentation_image))
        warn_of_catalog(table, measured.reference, stacklevel=4)
    table.meta |= measured.sky.describe() | found
    if refine is None:
        table.meta["REFINE"] = NEEDS_FIT
    return table


@dataclass(frozen=True, eq=False)
class _Measured:
    """Images of several bands that are ready to be measured.

    Attributes
    ----------
    bands : dict of `~sersicnet.measure.band_cutouts.ImageBand`
        The bands, the reference first.
    reference : `~sersicnet.measure.tiles.Measurement`
        What detects the sources.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.
    wavelength : dict or None
        Wavelengths of the bands, if something changes with them.
    wanted : dict
        What the user wants of the posteriors, options of `_OF_ALL`.
    """

    bands: dict
    reference: object
    model: object
    wavelength: dict | None
    wanted: dict

    @classmethod
    def of(cls, bands, detection, model, wavelength, wanted):
        """Make them of the images, the band of the detection, and what is fitted."""
        first, *others = bands.values()
        reference = first.measurement
        if detection == COMBINED:
            known = vars(reference)
            reference = CombinedMeasurement(**known, own=first, others=tuple(others))
        return cls(bands, reference, model, wavelength, wanted)

    @property
    def sky(self):
        """The sky of the image of the reference band."""
        return next(iter(self.bands.values())).sky

    @property
    def matched(self):
        """The filter of the detection in all bands, None in one."""
        return getattr(self.reference, "matched", None)

    @property
    def is_combined(self):
        """Whether sources are detected in all bands."""
        return self.matched is not None

    @property
    def joint(self):
        """Whether neighbors are fitted with each source: one profile, and its best fit."""
        refinement = check_refinement(self.reference.options.refine)
        is_plain = self.model.is_free and not self.model.chromatic
        return is_plain and isinstance(refinement, LevenbergMarquardt)

    @property
    def columns(self):
        """The columns of the catalog."""
        columns = self._plain_columns
        if self.draws is not None:
            columns = in_front_of_flags(columns, self.draws.columns)
        return columns

    @property
    def _plain_columns(self):
        """All columns of the catalog but those of draws."""
        of_bands = columns_of_bands(self.bands, self.model)
        columns = base_columns(self.reference, self.model)
        return with_fluxes(in_front_of_flags(columns, of_bands))

    @cached_property
    def draws(self):
        """What of the posteriors the user wants beside quantiles, `Draws` or None."""
        options = self.reference.options.replace(**self.wanted)
        others = [f"mag_{band}" for band in list(self.bands)[1:]]
        return Draws.wanted(options, self._plain_columns, others=others)

    @property
    def own_columns(self):
        """Columns of models, parts, bands and draws."""
        columns = [*columns_of_model(self.model), *columns_of_bands(self.bands, self.model)]
        if self.draws is not None:
            columns += self.draws.columns
        return columns

    def measure_all(self, *, progress_bar):
        """Measure the sources of all tiles."""
        sky = next(iter(self.bands.values())).subtracted
        tables = []
        tiles = self.reference.tiles
        with tile_progress(len(tiles), progress_bar=progress_bar) as bar:
            for tile in tiles:
                sources = self.reference.find_sources(tile, sky)
                find = partial(self.reference.find_sources, sky=sky) if self.joint else None
                for around, part in parts_of(sources, find, most=_BATCH):
                    tables.append(self._measure(around, part))
                bar.update()
        return self._finish(tables)

    def _measure(self, sources, part):
        """Measure some sources in all bands."""
        found = {}
        for band, image in self.bands.items():
            found[band] = image.cut(sources, part, opens=self.joint)
        shown = {band: cutouts.shown for band, cutouts in found.items()}
        reference = next(iter(shown))
        shown[reference] = shown[reference] | ~np.any(list(shown.values()), axis=0)
        for band, cutouts in found.items():
            found[band] = cutouts.only(shown[band])
        first = found[reference]
        part["local_background"] = first.local_background
        part["flags"] = first.flags
        part["fitted_with"] = place_codes(part)
        results = self._predict(found)
        options = {"zeropoint": self.reference.zeropoint, "noise_known": True, "population": None}
        options["joint"] = not self.joint  # else they have groups
        options |= {"draws": self.draws, "hides": True}
        table = source_table(results, part, **options)
        for band, cutouts in found.items():
            self._add_band(table, band, cutouts)
            fluxes = results.bands[band].linear_fluxes if band in results.bands else {}
            for name in FLUXES:
                values = fluxes.get(name, np.full(len(table), np.nan))
                table[f"linear_{name}_{band}"] = values * u.nJy
        _fill_places(table, results, found)
        return table

    def _predict(self, found):
        """Fit the sources in all bands."""
        images = {}
        options = {}
        for band, cutouts in found.items():
            measurement = self.bands[band].measurement
            images[band] = cutouts.cutouts
            own = measurement.options.predicting()
            own |= {"psf": cutouts.psfs, "psf_oversampling": cutouts.oversampling}
            own |= {"pixel_scale": cutouts.pixel_scale, "zeropoint": measurement.zeropoint}
            for name, value in own.items():
                options.setdefault(name, {})[band] = value
        for name in ("augment", "refine", "morphology", "n_samples", "batch_size", "seed"):
            options[name] = next(iter(options[name].values()))
        options |= {"neighbors": "fit" if self.joint else "mask", "wavelength": self.wavelength}
        return self.reference.net.predict(images, model=self.model, **options)

    def _add_band(self, table, band, cutouts):
        """Add what detection knows of a band to the table of some sources."""
        flags = cutouts.flags
        if self.bands[band].measurement.field.noise is None:
            flags = flags | np.where(cutouts.shown, int(Flags.NOISE_ESTIMATED), 0)
        table[f"flags_{band}"] |= flags
        table["flags"] |= flags
        table[f"local_background_{band}"] = cutouts.local_background
        for name in (f"sky_{band}", f"local_background_{band}"):
            table[name] = u.Quantity(table[name], self.bands[band].measurement.field.unit)

    def _finish(self, tables):
        """Make the catalog of all bands."""
        reference = self.reference
        nowhere = outside(reference.positions, reference.field.data.shape)
        columns = self.own_columns
        blank = reference.blank_rows(nowhere)
        blank.remove_columns(list(NOT_OF_BANDS))
        for column in columns:
            blank[column.name] = column.blank(len(blank))
            if column.name.startswith(("sky_", "local_background_")):
                blank[column.name] = u.Quantity(blank[column.name], column.unit)
            if column.name.startswith("flags_"):
                blank[column.name] = blank["flags"]
        for name, band in product(FLUXES, self.bands):
            blank[f"linear_{name}_{band}"] = np.full(len(blank), np.nan) * u.nJy
        table = vstack([*tables, blank])
        show_fluxes(table, self.bands)
        self._flag_psfs(table)
        known = {"numbered": reference.field.segments is not None, "group": grouping(reference)}
        options = reference.field.wcs, reference.options.catalog
        table = finish_table(table, self.columns, *options, extra=columns, **known)
        table.meta = self._describe()
        return table

    def _flag_psfs(self, table):
        """Add BAD_PSF to what is in a part of an image in which the PSF is bad."""
        x = np.array(u.Quantity(table["x_centroid"], u.pix).value)
        y = np.array(u.Quantity(table["y_centroid"], u.pix).value)
        for band, image in self.bands.items():
            trial = image.measurement.psf.trial
            if trial is None or not trial.bad_parts.any():
                continue
            _, place = image.grid.at(x, y)
            inside = image.grid.is_inside(place)
            there = QTable({"x_centroid": place[inside, 0], "y_centroid": place[inside, 1]})
            there["flags"] = 0
            shape = image.measurement.field.data.shape
            flag_bad_psf(there, trial, shape)
            for name in ("flags", f"flags_{band}"):
                table[name][inside] |= there["flags"]

    def _describe(self):
        """Describe what measured all bands, for ``meta``."""
        record = describe_measurement(self.reference)
        scales = []
        zeropoints = []
        for band, image in self.bands.items():
            scales.append(f"{band} {image.measurement.pixel_scale:.6g}")
            zeropoints.append(f"{band} {image.measurement.zeropoint:.4f}")
        names = list(self.bands)
        record |= {"BANDS": ", ".join(names), "REFBAND": names[0]}
        record["DETECT"] = COMBINED if self.is_combined else names[0]
        record["HIDDEN"] = "not in fits of several bands"
        if self.draws is not None:
            record |= self.draws.describe()
        return record | {"BANDSCAL": ", ".join(scales), "BANDZP": ", ".join(zeropoints)}


def _fill_places(table, results, found):
    """Add where sources are in the image of the reference band, which does not show them."""
    for number, band in enumerate(results.posterior.bands):
        if not number or band not in results.bands:
            continue
        own = results.bands[band]
        for row in np.flatnonzero(results.posterior.first == number):
            grid = found[band].cutouts[row].grid
            place = np.array([own.median("x_0")[row], own.median("y_0")[row]])
            place = np.linalg.solve(grid[:, :2], place - grid[:, 2])
            table["x_0"][row], table["y_0"][row] = place * u.pix
