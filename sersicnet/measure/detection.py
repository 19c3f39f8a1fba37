"""The sources of a part of a survey image, found and told apart by photutils.

The answer for a source does not depend on the part that it is found in: parts overlap, are
enlarged until what is in their core is complete, and own the sources whose peak is in the core.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from scipy import ndimage

from sersicnet.measure.field import Window, grown, shortage
from sersicnet.preprocessing.segmentation import PROMINENCE, merge_fragments, smooth_image

__all__ = ["Sources", "cutout_box", "find_sources"]

# Window around a core, at first: half a cutout, and what follows.
_MARGIN = 96
# Within this many pixels of where a window was cut, smoothing lacks pixels.
_FRAME = 8
# Pixels that a window is larger than its cutouts: of an island of light that reaches from a cutout
# to the frame, so much is left that it counts whatever is beyond.
_GUARD = 24
# Sides of cutouts: what the network sees, and so many times the extent of the source.
_LEAST_SIDE, _EXTENTS = 128, 2
# Sky is this far from all sources, in pixels: their faint wings are not seen any more.
_FREE = 6
# Sigma in pixels of the Gaussian that averages what is around an island of light: four reach as far
# as the guard.
_AROUND = _GUARD / 4
# Columns that photutils fills.
_MEASURED = ("x", "y", "kron_flux", "kron_flux_err", "half_light_radius", "area")


@dataclass(frozen=True, eq=False)
class Sources:
    """What is in a window.

    Attributes
    ----------
    window : `~sersicnet.measure.field.Window`
        Its pixels.
    labels : 2-D int `~numpy.ndarray`
        Number of the source that a pixel belongs to, 0 for sky and the wings of sources. Islands of
        light beyond the core are not told apart: all have the highest number.
    sky : 2-D bool `~numpy.ndarray`
        Good pixels away from all sources.
    table : `~astropy.table.Table`
        A row for each source of the core: ``row`` (of the positions), ``label``, ``x``, ``y``
        (the centroid, or the position), ``extent`` (pixels), ``shared`` (whether other positions
        have the same label), ``peak_x``, ``peak_y``, and photometry.
    """

    window: Window
    labels: np.ndarray
    sky: np.ndarray
    table: Table


def find_sources(read, core, shape, options, *, positions=None, reach):
    """The sources of a core, in a window that is large enough for them.

    Parameters
    ----------
    read : callable
        Makes a `~sersicnet.measure.field.Window` of a pair of slices.
    core : pair of slices
        The part of the image whose sources are wanted.
    shape : (int, int)
        Of the image.
    options : `~sersicnet.measure.Options`
        Detection settings: ``threshold``, ``n_pixels`` and ``contrast``.
    positions : (2, M) `~numpy.ndarray`, optional
        Where to measure, x and y in the image, instead of what is detected.
    reach : int
        Pixels that the window may at most be larger than the core, to each side.

    Returns
    -------
    Sources
    """
    margin = _MARGIN
    while True:
        last = margin >= reach
        window = read(grown(core, margin, shape))
        islands, smooth = _islands(window, options)
        inside = _labels_in(islands, window.place(core))
        if not last and _cut_off(islands, inside, window, shape):
            margin = min(2 * margin, reach)
            continue
        kept = _without_wings(islands, smooth, window.bad, options.threshold)
        inside = _labels_in(kept, window.place(core))
        labels, n_sources = _tell_apart(kept, inside, smooth, options)
        if positions is None:
            table = _detected(window, labels, n_sources, smooth, core)
        else:
            table = _given(window, labels, core, positions)
        lacking = max((shortage(_with_guard(row), window.box, shape) for row in table), default=0)
        if last or lacking <= 0:
            light = ndimage.maximum_filter(islands > 0, size=2 * _FREE + 1)
            return Sources(window, labels, ~light & ~window.bad, table)
        margin = min(margin + lacking, reach)


def cutout_box(source):
    """First and last pixel, along y and x, of the cutout of a source."""
    side = max(_LEAST_SIDE, _EXTENTS * int(source["extent"]))
    first = np.floor([source["y"] - side / 2 + 1, source["x"] - side / 2 + 1]).astype(int)
    return np.transpose([first, first + side - 1])


def _with_guard(source):
    return cutout_box(source) + np.array([-_GUARD, _GUARD])


def _islands(window, options):
    """Numbers of connected regions of light, and the smoothed S/N that shows them.

    Smoothing bridges bad columns and pixels, which would break a source into two.
    """
    from photutils.segmentation import detect_sources

    snr = np.zeros_like(window.data)
    np.divide(window.data, window.noise, out=snr, where=~window.bad)
    smooth = smooth_image(snr, window.bad)
    if window.gone.all():
        return np.zeros(smooth.shape, np.int32), smooth
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "no sources were found" is an answer here
        found = detect_sources(smooth, options.threshold, options.n_pixels, mask=window.gone)
    return (np.zeros(smooth.shape, np.int32) if found is None else found.data), smooth


def _labels_in(labels, box):
    """Which labels a part of the window has."""
    found = np.unique(labels[box])
    return found[found > 0]


def _cut_off(islands, chosen, window, shape):
    """Whether one of the chosen islands goes on beyond the window."""
    boxes = ndimage.find_objects(islands)
    first = np.array(window.origin)[:, None]
    limits = [
        np.array([[side.start - _FRAME, side.stop - 1 + _FRAME] for side in boxes[label - 1]])
        for label in chosen
    ]
    return any(shortage(limit + first, window.box, shape) > 0 for limit in limits)


def _without_wings(islands, smooth, bad, threshold):
    """The islands, less those that are above the threshold for the wings of another.

    They stay in the cutout of the galaxy whose light they are. SExtractor's CLEAN is for the same.
    """
    level = smooth_image(smooth, bad | (islands > 0), sigma=_AROUND)
    numbers = np.arange(1, islands.max() + 1)
    peaks = np.array(ndimage.maximum_position(smooth, islands, numbers), dtype=int).reshape(-1, 2)
    alone = smooth[tuple(peaks.T)] - level[tuple(peaks.T)] >= threshold
    return np.where(np.append(False, alone)[islands], islands, 0)


def _tell_apart(islands, chosen, smooth, options):
    """Numbers of the sources in the chosen islands, then of all else, and how many sources."""
    from photutils.segmentation import SegmentationImage, deblend_sources

    if not len(chosen):
        return np.where(islands > 0, 1, 0), 0
    is_chosen = np.zeros(islands.max() + 1, bool)
    is_chosen[chosen] = True
    light = np.where(is_chosen[islands], islands, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of thresholds that are spaced in another way
        pieces = deblend_sources(
            smooth,
            SegmentationImage(light),
            options.n_pixels,
            contrast=options.contrast,
            progress_bar=False,
        )
    # An island is above the threshold that the user has asked for.
    prominence = PROMINENCE * options.threshold
    pieces = merge_fragments(smooth, pieces, prominence, keep_islands=True)
    sources, n_sources = np.zeros_like(islands), 0
    if pieces is not None:
        pieces.relabel_consecutive()
        sources, n_sources = pieces.data.astype(np.int32), pieces.n_labels
    faint = (light > 0) & (sources == 0)  # no source of its own, but light
    sources[faint] = n_sources + light[faint]
    sources[(islands > 0) & (light == 0)] = sources.max() + 1
    return sources, n_sources


def _detected(window, labels, n_sources, smooth, core):
    """The table of the sources whose peak is in the core."""
    numbers = np.arange(1, n_sources + 1)
    peaks = ndimage.maximum_position(smooth, labels, numbers)
    peaks = np.array(peaks, dtype=int).reshape(-1, 2) + window.origin
    owned = _is_in(peaks, core)
    table = _photometry(window, labels, numbers[owned])
    table["peak_y"], table["peak_x"] = peaks[owned].T
    for axis in "xy":  # a centroid that has left its source is none
        lost = ~(np.abs(table[axis] - table[f"peak_{axis}"]) <= table["extent"])
        table[axis] = np.where(lost, table[f"peak_{axis}"], table[axis])
    return table


def _given(window, labels, core, positions):
    """The table of the positions that are in the core."""
    pixels = np.floor(positions[::-1].T + 0.5).astype(int)
    seen, rows = _is_in(pixels, window.box), np.flatnonzero(_is_in(pixels, core))
    numbers = np.zeros(len(pixels), int)
    numbers[seen] = labels[tuple((pixels[seen] - window.origin).T)]
    table = _photometry(window, labels, numbers[rows])
    table["x"], table["y"] = positions[:, rows]
    table["peak_y"], table["peak_x"] = pixels[rows].T
    found, counts = np.unique(numbers[seen], return_counts=True)
    table["shared"] = (table["label"] > 0) & np.isin(table["label"], found[counts > 1])
    table["row"] = rows
    return table


def _is_in(pixels, box):
    """Which (y, x) are in a box."""
    first, stop = np.transpose([[side.start, side.stop] for side in box])
    return ((pixels >= first) & (pixels < stop)).all(axis=1)


def _unmeasured(n):
    """The table of `Sources` for ``n`` of which nothing is known."""
    table = Table({name: np.zeros(n, int) for name in ("row", "label", "extent")})
    table["peak_x"], table["peak_y"], table["shared"] = 0, 0, False
    for name in _MEASURED:
        table[name] = np.full(n, np.nan)
    return table


def _photometry(window, labels, numbers):
    """What photutils measures of sources, a row for each number (NaN where it is 0)."""
    table, there = _unmeasured(len(numbers)), np.flatnonzero(numbers > 0)
    table["label"] = numbers
    if not len(there):
        return table
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        catalog = _catalog(window, labels, numbers[there])
        center, fallback = catalog.centroid_win, catalog.centroid
        center = np.where(np.isfinite(center), center, fallback) + window.origin[::-1]
        fluxes = catalog.kron_flux, catalog.kron_flux_err
        radius = catalog.flux_radius(0.5).value
    values = (*center.T, *fluxes, radius, catalog.segment_area.value)
    for name, column in zip(_MEASURED, values, strict=True):
        table[name][there] = column
    table["extent"][there] = [max(s.stop - s.start for s in box) for box in catalog.slices]
    return table


def _catalog(window, labels, numbers):
    from photutils.segmentation import SegmentationImage, SourceCatalog

    segments = SegmentationImage(labels)
    catalog = SourceCatalog(window.data, segments, error=window.noise, mask=window.bad)
    return catalog[np.searchsorted(segments.labels, numbers)]
