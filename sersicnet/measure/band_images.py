"""The images of several bands as they are opened: options, alignment, sky and PSF of each."""

import logging

from sersicnet.inference.band_arguments import naming, of_each_band
from sersicnet.measure.band_cutouts import ImageBand
from sersicnet.measure.band_grids import BandGrid, check_one_grid
from sersicnet.measure.log import log_inputs, log_sky
from sersicnet.measure.options import Options
from sersicnet.measure.psf_stage import with_psf
from sersicnet.measure.tiles import open_measurement

__all__ = ["open_bands"]

_LOG = logging.getLogger("sersicnet")
# Options that may differ between bands, and those of the detection alone.
_OF_BANDS = ("psf", "psf_oversampling", "normalize_psf", "recenter_psf", "rms", "weight_map")
_OF_BANDS += ("mask", "mask_bits", "saturation", "zeropoint", "pixel_scale", "gain")
_OF_BANDS += ("background_box", "sky", "sky_err", "noise_correlation")
_OF_DETECTION = ("catalog", "segmentation")


def open_bands(stack, images, options, *, net, one_grid):
    """Open the images of several bands, and measure sky and PSF of each.

    Parameters
    ----------
    stack : `contextlib.ExitStack`
        What closes the images.
    images : dict
        Images by the names of bands, the reference first.
    options : dict
        Options of `~sersicnet.measure.measure_image`, some of them dicts by the names of bands.
    net : `~sersicnet.SersicNet`
        The network.
    one_grid : bool
        Whether all images must have the same pixels.

    Returns
    -------
    dict of `~sersicnet.measure.band_cutouts.ImageBand`

    Raises
    ------
    TypeError, ValueError, OSError, `~astropy.units.UnitConversionError`
        If an image or an option is impossible; the message names the band.
    """
    opened = {}
    given = _options_of(options, list(images))
    for band, image in images.items():
        with naming(band):
            opened[band] = stack.enter_context(open_measurement(image, given[band], net=net))
    if next(iter(opened.values())).priors is not None:
        msg = "catalog= has priors, which are for images of one band: fit cutouts with predict"
        raise ValueError(msg)
    grids = {}
    reference = next(iter(opened.values())).field
    for band, measurement in opened.items():
        with naming(band):
            grids[band] = BandGrid(reference, measurement.field)
    if one_grid:
        check_one_grid(grids)
    bands = {}
    for band, measurement in opened.items():
        _LOG.info("band %s", band)
        with naming(band):
            bands[band] = _looked_at(measurement, grids[band])
    return bands


def _options_of(options, bands):
    """Return the options of each band, `Options` by name."""
    own = {}
    common = {}
    for name, value in options.items():
        if name in _OF_BANDS:
            own[name] = value
        else:
            common[name] = value
    common["refine"] = options.get("refine") or "lm"
    found = {}
    for band, given in of_each_band(own, bands).items():
        with naming(band):
            found[band] = Options(**common, **given)
        for name in _OF_DETECTION:
            common.pop(name, None)  # of the first band alone
    return found


def _looked_at(measurement, grid):
    """Return the image of a band with its sky and PSF."""
    log_inputs(measurement)
    sky = measurement.map_sky()
    log_sky(measurement, sky)
    return ImageBand(with_psf(measurement, sky), sky, grid)
