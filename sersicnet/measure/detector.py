"""Detection of the sources of a tile: in the image that is measured, or in another one.

With another image (SExtractor's dual-image mode), sources, their pixels, positions and apertures
are those of the image of the detection, and everything else is measured in the other.
"""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial

from sersicnet.measure.band_grids import BandGrid
from sersicnet.measure.detection import find_sources, photometry
from sersicnet.measure.matched import MatchedFilter, describe_detection, filter_of
from sersicnet.measure.options import Options
from sersicnet.measure.windows import read_window

__all__ = ["LEAST_REACH", "Detector", "find_in", "open_detector"]

# Pixels that a window may be larger than a tile, at least: galaxies of that size stay whole.
LEAST_REACH = 512
# Options of the detection, that are those of the measurement.
_OPTIONS = ("threshold", "n_pixels", "contrast", "kernel_fwhm", "background_box", "tile_size")
_OPTIONS += ("noise_correlation", "large_first")
# What photutils measures in the apertures of the detection.
_PHOTOMETRY = ("kron_flux", "kron_flux_err")


@dataclass(frozen=True, eq=False)
class Detector:
    """The image in which the sources of another one are detected.

    Attributes
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image of the detection.
    """

    measurement: object

    @cached_property
    def sky(self):
        """Sky and noise of the image, a `~sersicnet.measure.sky.SkyMap`."""
        with _naming():
            sky = self.measurement.map_sky()
        if not self.measurement.has_sky:
            sky = sky.without_level()
        return sky

    def matched(self, measurement):
        """Return the filter of the image, as wide as the PSF of the measured one if it has none.

        Parameters
        ----------
        measurement : `~sersicnet.measure.tiles.Measurement`
            The image that is measured.

        Returns
        -------
        `~sersicnet.measure.matched.MatchedFilter`
        """
        found = filter_of(self.measurement, self.sky)
        if self.measurement.psf is None:
            return MatchedFilter(filter_of(measurement, self.sky).fwhm, found.correlation)
        return found

    def describe(self, measurement):
        """Describe for ``meta`` how sources were detected, and in which image (``DETIMAGE``).

        Parameters
        ----------
        measurement : `~sersicnet.measure.tiles.Measurement`
            The image that is measured.

        Returns
        -------
        dict
        """
        name = self.measurement.field.name or "given"
        found = describe_detection(self.measurement, self.sky, self.matched(measurement))
        return found | {"DETIMAGE": name.encode("ascii", "replace").decode()}

    def find(self, tile, measurement, sky):
        """Detect the sources of a tile, and return them with the pixels that are measured.

        Parameters
        ----------
        tile : pair of slices
            The tile.
        measurement : `~sersicnet.measure.tiles.Measurement`
            The image that is measured.
        sky : `~sersicnet.measure.sky.SkyMap`
            Its sky.

        Returns
        -------
        `~sersicnet.measure.detection.Sources`
        """
        matched = self.matched(measurement)
        found = _found(self.measurement, tile, self.sky, matched, measurement)
        saturation = measurement.saturation
        window = read_window(measurement.field, sky, found.window.box, saturation=saturation)
        table = found.table.copy()
        numbers = table["label"].data
        measured = photometry(window, found.labels, numbers, detected=found.window)
        for name in _PHOTOMETRY:
            table[name] = measured[name]
        return replace(found, window=window, sky=found.sky & ~window.bad, table=table)


@contextmanager
def open_detector(measurement, open_image):
    """Open the image of the detection, if it is another one.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image that is measured.
    open_image : callable
        `~sersicnet.measure.tiles.open_measurement`.

    Yields
    ------
    Detector or None

    Raises
    ------
    ValueError
        If its pixels are others than those of the measured image.
    """
    options = measurement.options
    if options.detection_image is None:
        yield None
        return
    own = {name: getattr(options, name) for name in _OPTIONS}
    own |= {"zeropoint": measurement.zeropoint, "pixel_scale": measurement.pixel_scale}
    with ExitStack() as stack:
        with _naming():
            opened = open_image(options.detection_image, Options(**own), net=measurement.net)
            detection = stack.enter_context(opened)
            _check_grid(measurement.field, detection.field)
        yield Detector(detection)


def find_in(measurement, tile, sky):
    """Detect the sources of a tile of an image, in this or in that of the detection.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image that is measured.
    tile : pair of slices
        The tile.
    sky : `~sersicnet.measure.sky.SkyMap`
        Sky of the image that is measured.

    Returns
    -------
    `~sersicnet.measure.detection.Sources`
    """
    if measurement.detector is not None:
        return measurement.detector.find(tile, measurement, sky)
    return _found(measurement, tile, sky, filter_of(measurement, sky), measurement)


def _found(detection, tile, sky, matched, measurement):
    """Find the sources of a tile in an image, those that are wanted in another."""
    return find_sources(
        partial(read_window, detection.field, sky, saturation=detection.saturation),
        tile,
        detection.field.data.shape,
        detection.options,
        matched,
        positions=measurement.positions,
        is_wanted=measurement.field.is_wanted,
        reach=max(detection.options.tile_size, LEAST_REACH),
    )


def _check_grid(field, detection):
    """Raise ValueError unless an image has the pixels of another."""
    shapes = detection.data.shape, field.data.shape
    if shapes[0] != shapes[1] or not BandGrid(field, detection).same():
        msg = (
            f"it has shape {shapes[0]}, and the image {shapes[1]}, or their WCS differ: both must "
            "have the same pixels. Images of others are measured as bands, with detection="
        )
        raise ValueError(msg)


@contextmanager
def _naming():
    """Put the name of the argument in front of the messages of errors."""
    try:
        yield
    except (TypeError, ValueError, OSError) as error:
        msg = f"detection_image=: {error}"
        raise type(error)(msg) from error
