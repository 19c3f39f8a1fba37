"""PSFs that a file holds as stamps at many places of an image, of which the nearest counts."""

import numpy as np
from astropy.wcs import WCS

from sersicnet.io.fits_files import read_pixels

__all__ = ["NearestPSF", "is_mer_grid", "read_mer_grid"]

# Card with the side of the stamps that Euclid's MER puts side by side in one image.
_SIDE_CARD = "STMPSIZE"


class NearestPSF:
    """The stamp of the nearest of many places.

    Parameters
    ----------
    stamps : (N, K, K) `~numpy.ndarray`
        The stamps, of which those with pixels that are not finite, or without light, are left out.
    places : (N, 2) array_like
        x and y of each in the image, 0-based pixels.

    Attributes
    ----------
    oversampling : int
        Pixels of the stamps on a side of a pixel of the image: 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.io.psf_places import NearestPSF
    >>> psf = NearestPSF(np.arange(1.0, 19.0).reshape(2, 3, 3), [[0, 0], [100, 0]])
    >>> psf(60, 3)[0]
    array([10., 11., 12.])
    """

    oversampling = 1
    kind = "one of stamps at places of the image"

    def __init__(self, stamps, places):
        from scipy.spatial import cKDTree  # not with each import of the package

        stamps = np.asarray(stamps)
        places = np.asarray(places, dtype=float)
        sums = stamps.sum(axis=(1, 2))
        good = np.isfinite(sums) & (sums > 0) & np.isfinite(places).all(axis=1)
        self._stamps = stamps[good]
        self._tree = cKDTree(places[good])

    def __len__(self):
        return len(self._stamps)

    def __call__(self, x, y):
        """Return the stamp at 0-based pixels of the image."""
        return self._stamps[self._tree.query((x, y))[1]].astype(float)


def is_mer_grid(hdu):
    """Return whether an HDU has the PSFs of a tile of Euclid (MER), side by side."""
    return hdu.is_image and _SIDE_CARD in hdu.header and len(hdu.shape) == 2


def read_mer_grid(hdu, hdus, path, *, wcs=None):
    """Read the PSFs of a tile of Euclid, of a file ``EUC_MER_GRID-PSF``.

    Parameters
    ----------
    hdu : HDU
        The image of all stamps.
    hdus : `~astropy.io.fits.HDUList`
        The file, which has a table of their places.
    path : path
        The file, for messages.
    wcs : `~astropy.wcs.WCS`, optional
        Of the image that is measured, which may be a part of the tile. By default it is the tile.

    Returns
    -------
    NearestPSF

    Raises
    ------
    ValueError
        If there is no table of places, or none of them has a stamp.
    """
    tables = [each for each in hdus if not each.is_image]
    columns = {}
    if tables:
        columns = {
            name.lower(): np.asarray(tables[0].data[name]) for name in tables[0].columns.names
        }
    on_sky = isinstance(wcs, WCS) and wcs.has_celestial
    needed = {"x_center", "y_center", *(("ra", "dec") if on_sky else ("x", "y"))}
    if not needed <= columns.keys():
        names = ", ".join(sorted(needed))
        msg = f"psf={str(path)!r} has no table of the places of its PSFs ({names})"
        raise ValueError(msg)
    if on_sky:
        places = wcs.celestial.world_to_pixel_values(columns["ra"], columns["dec"])
    else:
        places = (columns["x"] - 1, columns["y"] - 1)
    side = int(hdu.header[_SIDE_CARD])
    pixels = read_pixels(hdu)
    # whole numbers of stamps from the corner: it does not matter whether centers count from 0 or 1
    rows = np.floor(columns["y_center"] / side).astype(int)
    cells = np.floor(columns["x_center"] / side).astype(int)
    n_y, n_x = pixels.shape[0] // side, pixels.shape[1] // side
    stamps = pixels[: n_y * side, : n_x * side].reshape(n_y, side, n_x, side).swapaxes(1, 2)
    inside = (rows >= 0) & (rows < n_y) & (cells >= 0) & (cells < n_x)
    places = np.column_stack(places)[inside]
    psf = NearestPSF(stamps[rows[inside], cells[inside]], places)
    if not len(psf):
        msg = f"psf={str(path)!r} has no PSF with light whose place in the image is known"
        raise ValueError(msg)
    return psf
