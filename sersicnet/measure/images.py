"""Images that a measurement writes on request: its sky, and the pixels of its sources."""

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from sersicnet.io.cards import unit_string
from sersicnet.io.files import allocate, atomic_path
from sersicnet.measure.places import place_codes

__all__ = ["blank_image", "write_background", "write_segmentation"]

# Bytes that the data of a FITS file are a multiple of.
_BLOCK = 2880


def write_background(measurement, sky, path):
    """Write the sky that is subtracted from an image.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    path : `~pathlib.Path`
        The FITS file to write, of single precision, in the unit of the image.
    """
    if not measurement.has_sky:
        sky = sky.without_level()
    with atomic_path(path) as partial:
        canvas = blank_image(partial, measurement.field)
        for box in measurement.tiles:
            canvas[box] = sky.level_in(box)
        canvas.flush()


def write_segmentation(measurement, sky, path, *, joined=None):
    """Write which pixels belong to which source.

    The sources are detected once more, so that a measurement need not keep them.

    Parameters
    ----------
    measurement : `~sersicnet.measure.tiles.Measurement`
        The image.
    sky : `~sersicnet.measure.sky.SkyMap`
        Its sky.
    path : `~pathlib.Path`
        The FITS file to write: the row of a source in the catalog, counted from 1, and 0 for the
        sky. Of several rows in one source, it is the last.
    joined : dict of int, optional
        Places of detected sources that have no row, and of those whose parts they are, from
        `~sersicnet.measure.places.place_codes`.
    """
    if not measurement.has_sky:
        sky = sky.without_level()
    with atomic_path(path) as partial:
        canvas = blank_image(partial, measurement.field, dtype=np.int32)
        peaks = []
        for tile in measurement.tiles:
            sources = measurement.find_sources(tile, sky)
            numbers = np.asarray(sources.table["row"]) + 1
            if measurement.positions is None:
                numbers = len(peaks) + 1 + np.arange(len(sources.table))
            _add_sources(canvas, sources, numbers)
            peaks += sources.table.iterrows("peak_y", "peak_x")
        if measurement.positions is None:
            _renumber(canvas, measurement.tiles, peaks, joined or {})
        canvas.flush()


def _add_sources(canvas, sources, numbers):
    """Write the numbers of the sources of a tile, which may reach beyond it."""
    of_label = np.zeros(sources.labels.max() + 1, np.int32)
    of_label[np.asarray(sources.table["label"])] = numbers
    of_label[0] = 0
    found = of_label[sources.labels]
    part = canvas[sources.window.box]
    part[found > 0] = found[found > 0]


def _renumber(canvas, boxes, peaks, joined):
    """Replace numbers in the order of the tiles by those of the rows of the catalog."""
    row = np.zeros(len(peaks) + 1, np.int32)
    if peaks:
        y, x = np.transpose(peaks)
        own = place_codes({"peak_y": y, "peak_x": x})
        places = np.array([joined.get(code, code) for code in own.tolist()])
        # rows are in the order of their places, that of y and then x
        row[1:] = 1 + np.unique(places, return_inverse=True)[1]
    for box in boxes:
        canvas[box] = row[canvas[box]]


def blank_image(path, field, *, dtype=np.float32):
    """Make a FITS file with an image of zeros, mapped into memory.

    Parameters
    ----------
    path : `~pathlib.Path`
        The file.
    field : `~sersicnet.measure.field.FieldImage`
        The image that has its shape and WCS, and the unit of floats.
    dtype : type
        Type of the pixels.

    Returns
    -------
    2-D `~numpy.memmap`
    """
    dtype = np.dtype(dtype)
    header = fits.PrimaryHDU(np.zeros((1, 1), dtype)).header
    header["NAXIS2"], header["NAXIS1"] = field.data.shape
    if dtype.kind == "f":
        header["BUNIT"] = unit_string(field.unit)
    if isinstance(field.wcs, WCS):
        header.update(field.wcs.to_header(relax=True))
    header.tofile(path)
    offset = path.stat().st_size
    n_bytes = dtype.itemsize * np.prod(field.data.shape, dtype=int)
    n_blocks = -(-n_bytes // _BLOCK)
    allocate(path, offset + n_blocks * _BLOCK)
    dtype = dtype.newbyteorder(">")
    return np.memmap(path, dtype=dtype, mode="r+", offset=offset, shape=field.data.shape)
