"""The noise of the photons of the sources of a survey image, where its noise map lacks it."""

from dataclasses import dataclass

import numpy as np

from sersicnet._caller import warn_caller
from sersicnet.io.gains import check_gain_unit, header_gain
from sersicnet.measure.noise import measured_boxes, pixels_in
from sersicnet.preprocessing.photons import (
    ADDED,
    IN_MAP,
    NONE,
    PHOTONS,
    UNKNOWN,
    PhotonSums,
    find_gain,
    source_photons,
)
from sersicnet.preprocessing.units import per_cutout

__all__ = ["FieldPhotons", "find_photons"]


@dataclass(frozen=True)
class FieldPhotons:
    """What is known of the photons of the sources of an image.

    Attributes
    ----------
    gain : float
        Electrons per unit of the image: NaN where it is not known, infinite for no photons.
    done : int
        Number in `~sersicnet.preprocessing.photons.PHOTONS`.
    source : str
        Where the gain comes from, or why that of the header is not used.
    """

    gain: float
    done: int
    source: str

    def variance(self, data, good):
        """Compute the variance to add to that of the noise map, None where there is none.

        Parameters
        ----------
        data : (ny, nx) `~numpy.ndarray`
            Pixels of the image without the sky.
        good : (ny, nx) bool `~numpy.ndarray`
            Pixels that are not bad.

        Returns
        -------
        (ny, nx) `~numpy.ndarray` or None
        """
        if self.done != ADDED:
            return None
        return source_photons(data, good, self.gain)

    def describe(self):
        """Describe it for ``meta``: what was done, and the gain if it is known."""
        record = {"PHOTONS": PHOTONS[self.done]}
        if np.isfinite(self.gain):
            record["GAIN"] = float(self.gain)
        return record


def find_photons(field, sky, given):
    """Find the gain of an image, and whether its noise map has the photons of the sources.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky and noise.
    given : float, `~astropy.units.Quantity` or None
        The user's gain.

    Returns
    -------
    FieldPhotons

    Raises
    ------
    `~astropy.units.UnitConversionError`
        If the gain is not one of the unit of the image.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If it differs from that of the header by more than a factor of 2.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import CCDData
    >>> from sersicnet.measure.field import open_field
    >>> from sersicnet.measure.photons import find_photons
    >>> from sersicnet.measure.sky import map_sky
    >>> data = np.random.default_rng(1).normal(size=(200, 200))
    >>> with open_field(CCDData(data, unit="adu", meta={"GAIN": 2.5})) as field:
    ...     sky = map_sky(field, box_size=100, tile_size=200)
    ...     find_photons(field, sky, None).describe()
    {'PHOTONS': 'added to the noise map', 'GAIN': 2.5}
    """
    if given is not None:
        check_gain_unit(given, field.unit)
        given = float(per_cutout(given, 1, "gain")[0])
    gain, doubt = find_gain(field, given, "image")
    if doubt is not None:
        warn_caller(doubt)
    source = "gain="
    if given is None:
        source = header_gain(field.meta, field.unit).source
    if np.isinf(gain):
        return FieldPhotons(gain, NONE, source)
    if np.isnan(gain):
        return FieldPhotons(gain, UNKNOWN, source)
    done = ADDED
    if field.noise is not None and _sums(field, sky, gain).in_map:
        done = IN_MAP
    return FieldPhotons(gain, done, source)


def _sums(field, sky, gain):
    """Sums over some boxes of the image."""
    sums = PhotonSums(np.zeros(6))
    for box in measured_boxes(field.data.shape):
        data, noise, good = pixels_in(field, sky, box)
        sums = sums + PhotonSums.over(data, noise, good, gain)
    return sums
