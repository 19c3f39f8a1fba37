"""What is logged about the measurement of a survey image: inputs, sky, progress and results."""

import logging
import warnings
from contextlib import contextmanager
from time import perf_counter

import numpy as np
from tqdm.auto import tqdm

from sersicnet._words import counted
from sersicnet.diagnostics.summary import summarize_rows, without_result
from sersicnet.inference.log import log_unused
from sersicnet.measure.option_values import MEASURE
from sersicnet.measure.star_catalog import NAME
from sersicnet.model.psf import collect_psfs
from sersicnet.networks.posterior import PosteriorNetwork
from sersicnet.preprocessing.photons import PHOTONS
from sersicnet.preprocessing.zeropoints import find_zeropoint

__all__ = [
    "log_counts",
    "log_detection",
    "log_inputs",
    "log_joined",
    "log_results",
    "log_sky",
    "tile_progress",
]

_LOG = logging.getLogger("sersicnet")
# Progress is logged this many times.
_N_REPORTS = 10
# Boxes of the sky, all over the image, of which the pixels are counted that are bad.
_N_BOXES = 16


def log_inputs(measurement):
    """Log how an image is read: units, noise, PSF and mask.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image with its options.
    """
    if not _LOG.isEnabledFor(logging.INFO):
        return
    field = measurement.field
    n_y, n_x = field.data.shape
    unit = str(field.unit or "") or "no unit"
    _LOG.info(
        "image: %d x %d pixels (x, y), %s, zero point %.4f%s, %.5g arcsec per pixel",
        n_x,
        n_y,
        unit,
        measurement.zeropoint,
        _zeropoint_source(measurement),
        measurement.pixel_scale,
    )
    _LOG.info("noise: %s", field.noise_name)
    _LOG.info("PSF: %s", _describe_psf(measurement))
    if field.mask_name is not None:
        _LOG.info("mask: %s", field.mask_name)
    if np.isfinite(measurement.saturation):
        _LOG.info("saturated from %g on", measurement.saturation)


def _zeropoint_source(measurement):
    """Where the zero point comes from when the user gives none, in brackets."""
    if measurement.options.zeropoint is not None:
        return ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it warns of was said when the image was opened
        found = find_zeropoint(
            measurement.field, None, "image", pixel_scale=measurement.options.pixel_scale
        )
    return f" ({found.source})"


def _describe_psf(measurement):
    """The PSF in the middle of the image in words."""
    if measurement.psf is None and isinstance(measurement.net.network_, PosteriorNetwork):
        return "to be made from the stars of the image"
    if measurement.psf is None:
        return "none"
    n_y, n_x = measurement.field.data.shape
    stamp = np.asarray(measurement.psf.at((n_x - 1) / 2, (n_y - 1) / 2))
    psfs = collect_psfs([stamp], oversampling=measurement.psf.oversampling)
    if not psfs.stamps:
        return "not usable in the middle of the image"
    fwhm = psfs.fwhm()[0]
    n_y, n_x = stamp.shape
    return (
        f"FWHM {fwhm:.3g} pixels, {fwhm * measurement.pixel_scale:.3g} arcsec (stamp of {n_x} x "
        f"{n_y}, oversampling {measurement.psf.oversampling})"
    )


def log_sky(measurement, sky):
    """Log sky, noise and mask of an image.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    """
    if not _LOG.isEnabledFor(logging.INFO):
        return
    level = np.median(sky.level[1:-1, 1:-1])
    scatter = np.median(sky.rms[1:-1, 1:-1])
    text = "sky: median level %.4g, scatter %.4g in boxes of %d x %d pixels"
    if not measurement.has_sky:
        text += " (not subtracted)"
    _LOG.info(text, level, scatter, *sky.sides[::-1])
    _log_photons(sky.photons)
    if sky.correlation is not None:
        _log_correlation(sky.correlation)
    percent = float(f"{100 * _bad_share(measurement):.2g}")  # 100 is no 1e+02
    _LOG.info("mask: about %g %% of the pixels are bad", percent)
    options = measurement.options
    if options.refine is None:
        # the detection uses the correlation of the noise
        log_unused(options.replace(noise_correlation=MEASURE).assumptions())


def log_detection(options, described):
    """Log what a source is, and how often noise is one.

    Parameters
    ----------
    options : `~sersicnet.measure.Options`
        Detection settings.
    described : dict
        What `~sersicnet.measure.matched.describe_detection` returns.
    """
    if not described:
        _LOG.info("detection: none, the sources are those of segmentation=")
        return
    if "DETIMAGE" in described:
        _LOG.info("detection image: %s", described["DETIMAGE"])
    _LOG.info(
        "detection: %d or more connected pixels above %g sigma in the image that is filtered by a "
        "Gaussian of FWHM %.3g pixels; noise alone makes about %.2g sources",
        options.n_pixels,
        options.threshold,
        described["KERNFWHM"],
        described["NFALSE"],
    )


def log_joined(options, joined):
    """Log how many sources are parts of others after their pairs were compared.

    Parameters
    ----------
    options : `~sersicnet.measure.Options`
        Options of the image.
    joined : dict or None
        The sources that were left out.
    """
    if options.join_pairs:
        _LOG.info("pairs: %s joined with others", counted(len(joined or {}), "source"))


def log_counts(measurement, sky):
    """Log from how many sources those follow that are too faint to be found.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky, with the numbers of sources where they were counted.
    """
    if sky.counts is None:
        return
    found = counted(sky.counts.n_counted, "source")
    if sky.counts.density == 0:
        _LOG.info("hidden sources: not in the errors, as only %s could be counted", found)
        return
    flux = sky.counts.density ** (1 / sky.counts.slope)
    _LOG.info(
        "hidden sources: in the errors of fits; %s counted, one in 10,000 pixels brighter than "
        "%.2f mag",
        found,
        measurement.zeropoint - 2.5 * np.log10(flux * 1e4 ** (1 / sky.counts.slope)),
    )


def _log_photons(photons):
    """Log what was done about the photons of sources."""
    text = f"photons of sources: {PHOTONS[photons.done]}"
    if np.isfinite(photons.gain):
        text += f", {photons.gain:g} electrons per unit"
    if photons.source:
        text += f" ({photons.source})"
    _LOG.info("%s", text)


def _log_correlation(found):
    """Log the correlation of the noise, and whether it changes over the image."""
    if not found.whole.is_known:
        _LOG.info("noise: too few pixels show whether it is correlated")
        return
    changes = ""
    if found.parts:
        changes = f", changes between {counted(len(found.parts), 'place')}"
    described = found.describe()
    _LOG.info(
        "noise: correlation of next neighbors %.2f, sum over all distances %.1f%s",
        described["NOISNEXT"],
        described["NOISSUM"],
        changes,
    )


def _bad_share(measurement):
    """Share of masked pixels, and of those that are not finite, in some boxes."""
    field = measurement.field
    mesh = measurement.mesh
    chosen = np.unique(np.linspace(0, np.prod(mesh.counts) - 1, _N_BOXES).astype(int))
    shares = []
    for y, x in np.transpose(np.unravel_index(chosen, mesh.counts)):
        box = mesh.window((slice(y, y + 1), slice(x, x + 1)))
        bad = ~np.isfinite(field.data[box])
        if field.mask is not None:
            bad |= field.mask[box]
        shares.append(bad.mean())
    return np.mean(shares)


@contextmanager
def tile_progress(n_tiles, *, progress_bar, unit="tile"):
    """Show or log the progress of a measurement.

    Parameters
    ----------
    n_tiles : int
        Number of tiles that will be measured.
    progress_bar : bool
        Whether to show a progress bar; else the log has a line for each tenth of the tiles.
    unit : str, optional
        What is counted.

    Yields
    ------
    object
        Its method ``update`` is called after each tile.

    Examples
    --------
    >>> from sersicnet.measure.log import tile_progress
    >>> with tile_progress(2, progress_bar=False) as progress:
    ...     for tile in range(2):
    ...         progress.update()
    """
    if progress_bar:
        with tqdm(total=n_tiles, unit=unit) as bar:
            yield bar
    else:
        yield _LoggedProgress(n_tiles, unit)


class _LoggedProgress:
    """Progress that is logged, in place of a progress bar."""

    def __init__(self, n_tiles, unit):
        self._n_tiles = n_tiles
        self._unit = unit
        self._n_done = 0
        self._start = perf_counter()

    def update(self):
        """Count one more tile."""
        before = self._n_done * _N_REPORTS // self._n_tiles
        self._n_done += 1
        if self._n_done * _N_REPORTS // self._n_tiles > before and self._n_done < self._n_tiles:
            seconds = perf_counter() - self._start
            done = (self._n_done, self._n_tiles, self._unit, seconds)
            _LOG.info("%d of %d %ss in %.0f s", *done)


def log_results(table):
    """Log the number of rows, of those without a result, of each flag, and of known stars.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The catalog.
    """
    _LOG.info("%s", summarize_rows(table["flags"], without_result(table)))
    if NAME in table.colnames:
        n_stars = np.count_nonzero(np.asarray(table[NAME]) >= 0)
        _LOG.info("stars: %s at stars of the catalog", counted(n_stars, "source"))
