"""Objects in the tables of images of the LSST stack and of HSC, read without the stack.

An exposure keeps its PSF and its photometric calibration as numbered objects in tables behind its
images. An index says in which rows of which table an object is.
"""

import numpy as np

from sersicnet._caller import warn_caller

__all__ = ["calibration_cards", "stored_rows"]

# AB magnitude of 1 nJy, as LSST has it.
_NJY = 31.4
# Cards with the number of an object, of older and of newer versions of the stack.
_NUMBER_CARDS = ("{}_ID", "ARCHIVE_ID_{}")
_NO_CATALOG = -1


def stored_rows(hdus, kind):
    """Find the rows of an object that belongs to an exposure.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        The file.
    kind : str
        What the object is: ``'PHOTOCALIB'`` or ``'PSF'``.

    Returns
    -------
    name : str
        Name of its class, empty without one.
    rows : list of `~astropy.io.fits.FITS_rec`
        Its rows, of one table or of several.
    """
    number = _number(hdus[0].header, kind)
    index = [hdu for hdu in hdus if hdu.header.get("EXTTYPE") == "ARCHIVE_INDEX"]
    if number is None or not index:
        return "", []
    entries = index[0].data[index[0].data["id"] == number]
    order = np.argsort(entries["cat.persistable"])
    tables = {
        hdu.header.get("AR_CATN"): hdu
        for hdu in hdus
        if hdu.header.get("EXTTYPE") == "ARCHIVE_DATA"
    }
    rows = []
    for entry in entries[order]:
        table = tables.get(int(entry["cat.archive"]))
        if table is not None:
            first = int(entry["row0"])
            rows.append(table.data[first : first + int(entry["nrows"])])
    if not rows:
        return "", []
    return str(entries["name"][0]).strip(), rows


def _number(header, kind):
    """Return the number of an object in the archive, None without."""
    for card in _NUMBER_CARDS:
        number = header.get(card.format(kind))
        if isinstance(number, int) and number > 0:
            return number
    return None


def calibration_cards(hdus, path):
    """Find the counts of magnitude 0 of an exposure that has them in a table, not in a card.

    Parameters
    ----------
    hdus : `~astropy.io.fits.HDUList`
        The file.
    path : path
        The file, for messages.

    Returns
    -------
    dict
        With the card ``FLUXMAG0``, or empty.

    Warns
    -----
    `~astropy.utils.exceptions.AstropyUserWarning`
        If the zero point changes over the image, of which the mean is taken.
    """
    _, rows = stored_rows(hdus, "PHOTOCALIB")
    if not rows or "calibrationMean" not in rows[0].names:
        return {}
    mean = float(rows[0]["calibrationMean"][0])  # nJy of a count
    if not 0 < mean < np.inf:
        return {}
    if not _is_constant(rows[0]):
        msg = (
            f"{path}: its zero point changes over the image (PhotoCalib), and is taken as the mean "
            f"of {_NJY - 2.5 * np.log10(mean):.3f}: pass zeropoint= for another part of it"
        )
        warn_caller(msg)
    return {"FLUXMAG0": 10 ** (0.4 * _NJY) / mean}


def _is_constant(row):
    """Return whether a PhotoCalib is the same everywhere, its only flag."""
    return "flags" not in row.names or bool(np.ravel(row["flags"][0])[0])
