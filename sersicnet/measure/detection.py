"""Detection and deblending of the sources of a tile, by photutils.

What is found does not depend on the tiles: the window around a tile is enlarged until the sources
of the tile are complete in it, and a tile has the sources whose peak is in it.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from scipy import ndimage

from sersicnet.measure.large import join_large
from sersicnet.measure.windows import Window, grown, shortage
from sersicnet.preprocessing.segmentation import merge_fragments, smooth_image

__all__ = ["EXTENTS", "LEAST_SIDE", "Sources", "cutout_box", "find_sources", "photometry"]

# Pixels that a window is larger than its tile at first: half a cutout, and what is below.
_MARGIN = 96
# Within this many pixels of where a window was cut, smoothing lacks pixels, at least: SciPy's
# Gaussian ends at four sigma, the second number in units of its FWHM.
_FRAME = 8
_KERNEL_REACH = 1.7
# Pixels that a window is larger than its cutouts: of an island of light that reaches from a cutout
# to the frame, enough is left that it counts whatever is beyond.
_GUARD = 24
# Smallest side of a cutout: what the network sees.
LEAST_SIDE = 128
# Side of a cutout in extents of its source.
EXTENTS = 2
# Sky is this far from all sources, in pixels: their faint wings cannot be seen any more.
_FREE = 6
# Sigma in pixels of the Gaussian that averages what is around an island of light: four reach as far
# as the guard.
_AROUND = _GUARD / 4
# Height of a peak above the saddle toward the next, in units of the noise of the image that shows
# the parts of blends: chosen where two galaxies are two, and rings stay one (benchmarks.detection).
_PROMINENCE = 3.0
# Lowest level at which they are looked for, in the same units: of levels, logarithms are taken.
_FLOOR = 1.0
# Number of levels. With photutils' 32, a saddle of bright galaxies has to be deeper than a step, up
# to a fifth, and 38 % of equal pairs 2 FWHM apart are two: with 128, 70 % (benchmarks.detection).
# Arms and bars stay one, and so do as many rings but for one of 60.
_N_LEVELS = 128
# Columns that photutils measures.
_MEASURED = ("x", "y", "kron_flux", "kron_flux_err", "half_light_radius", "area")


@dataclass(frozen=True, eq=False)
class Sources:
    """The sources of a tile.

    Attributes
    ----------
    window : `~sersicnet.measure.windows.Window`
        The pixels around the tile.
    labels : 2-D int `~numpy.ndarray`
        Number of the source that a pixel belongs to, 0 for sky and the wings of sources. Islands of
        light beyond the tile are not deblended: all have the highest number.
    sky : 2-D bool `~numpy.ndarray`
        Good pixels away from all sources.
    table : `~astropy.table.Table`
        One row per source of the tile: ``row`` (of the positions, or the number that the user gave
        it), ``label``, ``x``, ``y`` (the centroid, or the position), ``extent`` (pixels),
        ``shared`` (whether other positions have the same label), ``peak_x``, ``peak_y``, and
        photometry.
    """

    window: Window
    labels: np.ndarray
    sky: np.ndarray
    table: Table


def find_sources(read, tile, shape, options, matched, *, positions=None, is_wanted=None, reach):
    """Find the sources of a tile, in a window that is large enough for them.

    Parameters
    ----------
    read : callable
        Function that makes a `~sersicnet.measure.windows.Window` of a pair of slices.
    tile : pair of slices
        The part of the image whose sources are wanted.
    shape : (int, int)
        Shape of the image.
    options : `~sersicnet.measure.Options`
        Detection settings: ``threshold``, ``n_pixels``, ``contrast`` and ``large_first``.
    matched : `~sersicnet.measure.matched.MatchedFilter`
        Filter of the image.
    positions : (2, M) `~numpy.ndarray`, optional
        Positions to measure, x and y in the image, instead of the detected sources.
    is_wanted : callable, optional
        Function of positions that tells which sources are in the table, by default all.
    reach : int
        Pixels that the window may at most be larger than the tile, to each side.

    Returns
    -------
    Sources

    Examples
    --------
    >>> import numpy as np
    >>> from functools import partial
    >>> from sersicnet.measure import Options
    >>> from sersicnet.measure.detection import find_sources
    >>> from sersicnet.measure.field import open_field
    >>> from sersicnet.measure.matched import MatchedFilter
    >>> from sersicnet.measure.sky import map_sky
    >>> from sersicnet.measure.windows import read_window
    >>> y, x = np.mgrid[:90, :80]
    >>> data = 50 * np.exp(-((x - 30) ** 2 + (y - 40) ** 2) / 8)
    >>> whole = (slice(0, 90), slice(0, 80))
    >>> with open_field(data, rms=np.ones(data.shape)) as field:
    ...     sky = map_sky(field, box_size=40, tile_size=90).without_level()
    ...     read = partial(read_window, field, sky, saturation=np.inf)
    ...     given = (whole, data.shape, Options(), MatchedFilter(3.0))
    ...     sources = find_sources(read, *given, reach=512)
    >>> sources.table["peak_x", "peak_y"].as_array().tolist()
    [(30, 40)]
    """
    margin = _MARGIN
    while True:
        last = margin >= reach
        window = read(grown(tile, margin, shape))
        islands, smooth, numbers = _islands(window, options, matched)
        inside = _labels_in(islands, window.place(tile))
        if not last and _cut_off(islands, inside, window, shape, matched.fwhm):
            margin = min(2 * margin, reach)
            continue
        fine = np.maximum(matched.finer.apply(window), _FLOOR)
        labels, n_sources = islands, len(numbers)
        if window.segments is None:
            kept = _without_wings(islands, smooth, window.bad, options.threshold)
            inside = _labels_in(kept, window.place(tile))
            labels, n_sources = _deblend(kept, inside, fine, options, matched.fwhm)
        if positions is None:
            table = _detected(window, labels, n_sources, fine, tile)
        else:
            table = _given(window, labels, tile, positions)
        if window.segments is not None:
            table["row"] = numbers[table["label"] - 1]
        lacking = 0
        for source in table:
            wanted = cutout_box(source) + np.array([-_GUARD, _GUARD])
            lacking = max(lacking, shortage(wanted, window.box, shape))
        if last or lacking <= 0:
            light = ndimage.maximum_filter(islands > 0, size=2 * _FREE + 1)
            if is_wanted is not None:
                table = table[is_wanted(table["x"], table["y"])]
            return Sources(window, labels, ~light & ~window.bad, table)
        margin = min(margin + lacking, reach)


def cutout_box(source):
    """Find the place of the cutout of a source.

    Parameters
    ----------
    source : `~astropy.table.Row`
        Row of the table of `Sources`.

    Returns
    -------
    (2, 2) int `~numpy.ndarray`
        First and last pixel, along y and x of the image.

    Examples
    --------
    >>> from sersicnet.measure.detection import cutout_box
    >>> cutout_box({"x": 300.0, "y": 200.2, "extent": 10}).tolist()
    [[137, 264], [237, 364]]
    """
    side = max(LEAST_SIDE, EXTENTS * int(source["extent"]))
    center = np.array([source["y"], source["x"]])
    first = np.floor(center - side / 2 + 1).astype(int)
    return np.transpose([first, first + side - 1])


def _islands(window, options, matched):
    """Numbers of connected regions of light, and the filtered image that shows them.

    Where the user says what the sources are, they are these, with the user's numbers as well.
    """
    from photutils.segmentation import detect_sources

    smooth = matched.significance(window)
    if window.segments is not None:
        numbers = np.setdiff1d(window.segments, 0)
        islands = np.searchsorted(numbers, window.segments) + 1
        return np.where(window.segments > 0, islands, 0).astype(np.int32), smooth, numbers
    nothing = np.zeros(smooth.shape, np.int32)
    if window.gone.all():
        return nothing, smooth, ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no sources were found is no reason to warn
        found = detect_sources(smooth, options.threshold, options.n_pixels, mask=window.gone)
    if found is None:
        return nothing, smooth, ()
    return found.data, smooth, ()


def _labels_in(labels, box):
    """The labels of a part of a window."""
    found = np.unique(labels[box])
    return found[found > 0]


def _cut_off(islands, chosen, window, shape, fwhm):
    """Whether one of the chosen islands goes on beyond the window."""
    frame = max(_FRAME, int(_KERNEL_REACH * fwhm) + 1)
    boxes = ndimage.find_objects(islands)
    first = np.array(window.origin)[:, None]
    for label in chosen:
        limits = [[side.start - frame, side.stop - 1 + frame] for side in boxes[label - 1]]
        if shortage(np.array(limits) + first, window.box, shape) > 0:
            return True
    return False


def _without_wings(islands, smooth, bad, threshold):
    """Remove islands that are above the threshold only because of the wings of another.

    Their pixels stay in the cutout of the galaxy whose light they are. SExtractor's CLEAN has the
    same purpose.
    """
    level = smooth_image(smooth, bad | (islands > 0), sigma=_AROUND)
    numbers = np.arange(1, islands.max() + 1)
    peaks = np.array(ndimage.maximum_position(smooth, islands, numbers), dtype=int).reshape(-1, 2)
    alone = smooth[tuple(peaks.T)] - level[tuple(peaks.T)] >= threshold
    return np.where(np.append(False, alone)[islands], islands, 0)


def _deblend(islands, chosen, fine, options, fwhm):
    """Numbers of the sources in the chosen islands, then of all else, and how many sources."""
    if not len(chosen):
        return np.where(islands > 0, 1, 0), 0
    is_chosen = np.zeros(islands.max() + 1, bool)
    is_chosen[chosen] = True
    light = np.where(is_chosen[islands], islands, 0)
    pieces = _deblended_pieces(light, fine, options, fwhm)
    sources = np.zeros_like(islands)
    n_sources = 0
    if pieces is not None:
        pieces.relabel_consecutive()
        sources = pieces.data.astype(np.int32)
        n_sources = pieces.n_labels
    faint = (light > 0) & (sources == 0)  # light that is no source of its own
    sources[faint] = n_sources + light[faint]
    sources[(islands > 0) & (light == 0)] = sources.max() + 1
    return sources, n_sources


def _deblended_pieces(light, fine, options, fwhm):
    """The islands in pieces, as photutils deblends them, without fragments; None if there are none.

    An island stays, however low its peak: it is above the threshold that the user has asked for.
    """
    from photutils.segmentation import SegmentationImage, deblend_sources

    pieces = SegmentationImage(light)
    several = _several_peaks(light, fine)
    if len(several):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of thresholds that are spaced in another way
            pieces = deblend_sources(
                fine,
                pieces,
                options.n_pixels,
                labels=several,
                n_levels=_N_LEVELS,
                contrast=options.contrast,
                progress_bar=False,
            )
    pieces = merge_fragments(fine, pieces, _PROMINENCE, keep_islands=True)
    if pieces is None or not options.large_first:
        return pieces
    return SegmentationImage(join_large(pieces.data, light, fine, fwhm))


def _several_peaks(light, fine):
    """The islands with more than one peak: no other can be split, and to try takes most time."""
    high = (light > 0) & (fine >= _FLOOR + _PROMINENCE)
    is_peak = high & (fine == ndimage.maximum_filter(fine, size=3))
    labels, counts = np.unique(light[is_peak], return_counts=True)
    return labels[counts > 1]


def _detected(window, labels, n_sources, fine, tile):
    """The table of the sources whose peak is in the tile."""
    numbers = np.arange(1, n_sources + 1)
    peaks = ndimage.maximum_position(fine, labels, numbers)
    peaks = np.array(peaks, dtype=int).reshape(-1, 2) + window.origin
    owned = _is_in(peaks, tile)
    table = photometry(window, labels, numbers[owned])
    table["peak_y"] = peaks[owned, 0]
    table["peak_x"] = peaks[owned, 1]
    for axis in "xy":  # a centroid that has left its source is replaced by the peak
        peak = table[f"peak_{axis}"]
        lost = ~(np.abs(table[axis] - peak) <= table["extent"])
        table[axis] = np.where(lost, peak, table[axis])
    return table


def _given(window, labels, tile, positions):
    """The table of the positions that are in the tile."""
    pixels = np.floor(positions[::-1].T + 0.5).astype(int)
    in_window = _is_in(pixels, window.box)
    rows = np.flatnonzero(_is_in(pixels, tile))
    numbers = np.zeros(len(pixels), int)
    numbers[in_window] = labels[tuple((pixels[in_window] - window.origin).T)]
    table = photometry(window, labels, numbers[rows])
    table["x"] = positions[0, rows]
    table["y"] = positions[1, rows]
    table["peak_y"] = pixels[rows, 0]
    table["peak_x"] = pixels[rows, 1]
    found, counts = np.unique(numbers[in_window], return_counts=True)
    table["shared"] = (table["label"] > 0) & np.isin(table["label"], found[counts > 1])
    table["row"] = rows
    return table


def _is_in(pixels, box):
    """Which (y, x) are in a box."""
    first = [side.start for side in box]
    stop = [side.stop for side in box]
    return ((pixels >= first) & (pixels < stop)).all(axis=1)


def photometry(window, labels, numbers, *, detected=None):
    """Measure sources with photutils.

    Parameters
    ----------
    window : `~sersicnet.measure.windows.Window`
        The pixels.
    labels : 2-D int `~numpy.ndarray`
        Number of the source that a pixel belongs to.
    numbers : (N,) int `~numpy.ndarray`
        Numbers of the wanted sources, 0 for none.
    detected : `~sersicnet.measure.windows.Window`, optional
        The same pixels of another image, in which centers and apertures are found.

    Returns
    -------
    `~astropy.table.Table`
        One row per number, as in `Sources`; NaN where it is 0.
    """
    from photutils.segmentation import SegmentationImage

    table = Table({name: np.zeros(len(numbers), int) for name in ("row", "label", "extent")})
    table["peak_x"] = 0
    table["peak_y"] = 0
    table["shared"] = False
    for name in _MEASURED:
        table[name] = np.full(len(numbers), np.nan)
    table["label"] = numbers
    known = np.flatnonzero(numbers > 0)
    if not len(known):
        return table
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        segments = SegmentationImage(labels)
        first = None if detected is None else _catalog(detected, segments)
        catalog = _catalog(window, segments, first)
        catalog = catalog[np.searchsorted(segments.labels, numbers[known])]
        center = catalog.centroid_win
        center = np.where(np.isfinite(center), center, catalog.centroid) + window.origin[::-1]
        table["x"][known] = center[:, 0]
        table["y"][known] = center[:, 1]
        table["kron_flux"][known] = catalog.kron_flux
        table["kron_flux_err"][known] = catalog.kron_flux_err
        table["half_light_radius"][known] = catalog.flux_radius(0.5).value
        table["area"][known] = catalog.segment_area.value
    for row, (along_y, along_x) in zip(known, catalog.slices, strict=True):
        sides = (along_y.stop - along_y.start, along_x.stop - along_x.start)
        table["extent"][row] = max(sides)
    return table


def _catalog(window, segments, detected=None):
    """The catalog of photutils of a window, with the centers and apertures of another's."""
    from photutils.segmentation import SourceCatalog

    error = window.noise_of_sources
    options = {"error": error, "mask": window.bad, "detection_catalog": detected}
    return SourceCatalog(window.data, segments, **options)
