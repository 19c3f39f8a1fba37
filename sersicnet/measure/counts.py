"""How many faint sources an image has, from those that it shows.

Sources that are well above the threshold of the detection are counted, and the numbers go on to
fainter ones by the slope of published counts: no table of magnitudes is needed, of any band.
"""

from dataclasses import replace

import numpy as np

from sersicnet.measure.matched import filter_of
from sersicnet.measure.noise import measured_boxes
from sersicnet.measure.windows import grown, read_window
from sersicnet.preprocessing.counts import SourceCounts, source_fluxes
from sersicnet.preprocessing.segmentation import FWHM_OF_SIGMA

__all__ = ["SLOPE", "count_sources", "with_counts"]

# Slope of the logarithm of the numbers by magnitude, in I: 0.35 +- 0.02 from 20 to 24 mag, and 0.33
# from 21 to 25 mag (McCracken et al. 2001, A&A 376, 756, and Metcalfe et al., quoted there).
SLOPE = 0.33
# Significance of a star at the flux from which on sources are counted: those at the threshold of
# the detection are not complete, and extended ones have lower peaks.
_COMPLETE = 12.0
# Significance from which on a pixel belongs to a source.
_THRESHOLD = 4.5
# Significance of a star up to which sources are in the correlation of the noise: its pixels have
# none of more than 4 sigma in five pixels. In a coadd of LSST, sources up to 4.8 have the power by
# which the sum of the correlation, 1.9, exceeds that without sources, 1.2.
_IN_NOISE = 5.0
# Fewest sources that are enough.
_FEWEST = 20
# Pixels around a window that its sources reach.
_AROUND = 16


def with_counts(measurement, sky):
    """Return the sky of an image with the numbers of its sources, if fits need them.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image, with its PSF.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky and noise.

    Returns
    -------
    `~sersicnet.measure.sky.SkyMap`
    """
    options = measurement.options
    if options.refine is None or options.fixed or not options.hidden_sources:
        return sky
    return replace(sky, counts=count_sources(measurement, sky))


def count_sources(measurement, sky):
    """Count the sources of an image, in windows all over it.

    Parameters
    ----------
    measurement, sky
        As in `with_counts`.

    Returns
    -------
    `~sersicnet.preprocessing.counts.SourceCounts`
    """
    field = measurement.field
    matched = filter_of(measurement, sky)
    area = 4 * np.pi * (matched.fwhm / FWHM_OF_SIGMA) ** 2
    slope = 2.5 * SLOPE
    n_counted = 0
    exposure = 0.0
    units = []
    for box in measured_boxes(field.data.shape):
        around = grown(box, _AROUND, field.data.shape)
        window = read_window(field, sky, around, saturation=measurement.saturation)
        inner = window.place(box)
        good = ~window.bad[inner]
        if not good.any():
            continue
        unit = area * np.median(matched.noise_in(box))
        units.append(unit)
        limit = _COMPLETE * unit * np.median(window.noise[inner][good])
        data = np.where(window.bad, 0.0, window.data)
        fluxes, (y, x) = source_fluxes(data, matched.significance(window), threshold=_THRESHOLD)
        inside = (y >= inner[0].start) & (y < inner[0].stop)
        inside &= (x >= inner[1].start) & (x < inner[1].stop)
        n_counted += int(np.count_nonzero(inside & (fluxes > limit)))
        exposure += np.count_nonzero(good) * limit**-slope
    density = 0.0
    if n_counted >= _FEWEST:
        density = float(n_counted / exposure)
    in_noise = 0.0
    if sky.correlation is not None and sky.correlation.whole.values is not None:
        in_noise = float(_IN_NOISE * np.median(units))
    return SourceCounts(density, slope, in_noise, n_counted)
