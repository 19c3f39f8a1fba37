"""Images of surface brightness whose file has the area of each pixel, as exposures of JWST.

Their pixels differ in area by some percent. Times the area of each, over the nominal one in the
card ``PIXAR_SR``, they are fluxes in pixels of that area.
"""

import astropy.units as u
import numpy as np

from sersicnet.io.cards import header_number

__all__ = ["AREA_CARD", "Areas", "find_areas"]

# Card of meta that says that pixels were multiplied by their areas.
AREA_CARD = "AREADONE"
_BRIGHTNESS = u.MJy / u.sr


def find_areas(hdus, image, unit, meta):
    """Find the map of areas that belongs to an image.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        The file.
    image : HDU
        The image.
    unit : `~astropy.units.Unit`
        Its unit.
    meta : mapping
        Its header cards.

    Returns
    -------
    HDU or None
        None unless it is a surface brightness with a nominal area.
    """
    nominal = header_number(meta, "PIXAR_SR")
    if nominal is None or nominal <= 0 or not unit.is_equivalent(_BRIGHTNESS):
        return None
    for hdu in hdus:
        if hdu.name == "AREA" and hdu.is_image and hdu.shape == image.shape:
            return hdu
    return None


class Areas:
    """Pixels, read window by window, times their areas.

    Parameters
    ----------
    pixels : `~sersicnet.io.fits_files.Pixels` or `~numpy.ndarray`
        The image or its noise.
    areas : same
        The areas over the nominal one; where these are not positive, they count as 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.io.pixel_areas import Areas
    >>> Areas(np.full((2, 2), 3.0), np.array([[1.0, 1.1], [0.0, np.nan]]))[:, :]
    array([[3. , 3.3],
           [3. , 3. ]])
    """

    def __init__(self, pixels, areas):
        self.shape = tuple(pixels.shape)
        self._pixels = pixels
        self._areas = areas

    def __getitem__(self, box):
        areas = np.asarray(self._areas[box])
        return np.asarray(self._pixels[box]) * np.where(areas > 0, areas, 1).astype(areas.dtype)
