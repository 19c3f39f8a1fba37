"""Wavelengths of bands."""

import reprlib

import astropy.units as u
import numpy as np

from sersicnet._settings import similar_names

__all__ = ["known_wavelengths", "log_wavelengths", "without_wavelengths"]

# Micron that a number without a unit may be: larger ones are nanometers or angstroms.
_PLAIN = (0.01, 100.0)


def log_wavelengths(wavelength, bands):
    """Return the decimal logarithms of the wavelengths of bands in micron.

    Parameters
    ----------
    wavelength : dict
        Wavelengths, frequencies or energies with units, or numbers in micron, by the names of
        bands.
    bands : sequence of str
        The names.

    Returns
    -------
    (B,) `~numpy.ndarray`

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If it is not a dict of these, a band is missing or unknown, a value is not positive, a
        number is below 0.01 or above 100, or all are the same.

    Examples
    --------
    >>> import astropy.units as u
    >>> from sersicnet.inference.wavelengths import log_wavelengths
    >>> log_wavelengths({"v": 1.0, "h": 10000 * u.nm}, ["v", "h"])
    array([0., 1.])
    """
    if not isinstance(wavelength, dict):
        msg = (
            f"wavelength={wavelength!r} must be a dict with the wavelength of each band "
            f"({', '.join(bands)}): a quantity, or micron"
        )
        raise TypeError(msg)
    for band in wavelength:
        if band not in bands:
            hint = similar_names(str(band), bands)
            msg = f"wavelength has a band {band!r}, but there are {', '.join(bands)}{hint}"
            raise ValueError(msg)
    found = []
    for band in bands:
        if band not in wavelength:
            msg = f"wavelength has no band {band!r}: a dict needs the value of each band"
            raise ValueError(msg)
        found.append(_micron(band, wavelength[band]))
    if len(set(found)) == 1 and len(found) > 1:
        msg = f"wavelength is {found[0]:g} micron in all bands: nothing can change with it"
        raise ValueError(msg)
    return np.log10(found)


def known_wavelengths(wavelength, model, bands):
    """Return decimal logarithms of the wavelengths of bands, where a model changes with them.

    Parameters
    ----------
    wavelength : dict or None
        The user's wavelengths.
    model : `~sersicnet.Model` or `~sersicnet.model.ModelChoice`
        What is fitted.
    bands : list of str
        Names of the bands.

    Returns
    -------
    dict or None
        None if nothing changes with wavelength.

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If they are missing, impossible, or not needed.
    """
    if model.chromatic:
        return dict(zip(bands, log_wavelengths(wavelength, bands), strict=True))
    if wavelength is not None:
        msg = (
            f"wavelength={wavelength!r} is for models that change with it, such as "
            f'Model("sersic", chromatic=True): {model!r} does not'
        )
        raise ValueError(msg)
    return None


def without_wavelengths(data, model):
    """Return arguments of a call with one band, in which nothing can change with wavelength.

    Parameters
    ----------
    data : dict
        Arguments of `~sersicnet.SersicNet.predict` that say what the data are.
    model : `~sersicnet.Model` or ModelChoice
        What is fitted.

    Returns
    -------
    dict
        The same without ``wavelength``.

    Raises
    ------
    ValueError
        If the call has a wavelength, a chromatic model, or a dict of values of bands.
    """
    data = dict(data)
    wavelength = data.pop("wavelength", None)
    for name, value in data.items():
        if isinstance(value, dict):
            bands = ", ".join(map(str, value))
            if name == "psf":
                msg = (
                    f"psf={reprlib.repr(value)} must be a 2-D array of numbers: a dict of PSFs "
                    "needs a dict of cutouts by the same names of bands"
                )
                raise TypeError(msg)
            msg = f"{name} has values of bands ({bands}): cutouts must be a dict of them as well"
            raise ValueError(msg)
    if wavelength is None and not model.chromatic:
        return data
    asked = f"model={model!r}" if wavelength is None else f"wavelength={wavelength!r}"
    msg = f"{asked} is for several bands: cutouts must be a dict of them"
    raise ValueError(msg)


def _micron(band, value):
    """Return a wavelength in micron."""
    try:
        micron = u.Quantity(value)
        if not isinstance(value, u.Quantity):
            micron = micron * u.micron
        micron = micron.to_value(u.micron, equivalencies=u.spectral())
    except u.UnitConversionError as error:
        msg = f"wavelength of the band {band!r} is {value}: a length, in micron, is needed"
        raise u.UnitConversionError(msg) from error
    except TypeError as error:
        msg = f"wavelength of the band {band!r} is {value!r}: a number of micron is needed"
        raise TypeError(msg) from error
    if np.ndim(micron) or not 0 < micron < np.inf:
        msg = f"wavelength of the band {band!r} is {value}: one positive number is needed"
        raise ValueError(msg)
    low, high = _PLAIN
    if not isinstance(value, u.Quantity) and not low <= micron <= high:
        msg = (
            f"wavelength of the band {band!r} is {value!r}: numbers are micron and between {low:g} "
            f"and {high:g}, others need a unit, such as 620 * u.nm"
        )
        raise ValueError(msg)
    return float(micron)
