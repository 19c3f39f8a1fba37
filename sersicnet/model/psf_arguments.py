"""What a user compares a PSF with: a pixel scale and a cutout, as plain numbers."""

import numpy as np

__all__ = ["arcsec_of", "pixels_of"]


def arcsec_of(pixel_scale):
    """Return a pixel scale in arcsec.

    Parameters
    ----------
    pixel_scale : float or `~astropy.units.Quantity`
        Arcsec per pixel.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If it is not a positive number or angle.

    Examples
    --------
    >>> import astropy.units as u
    >>> from sersicnet.model.psf_arguments import arcsec_of
    >>> arcsec_of(200 * u.mas / u.pix)
    0.2
    """
    import astropy.units as u  # a machine that only trains may lack it

    number = pixel_scale
    if isinstance(pixel_scale, u.Quantity):
        unit = u.arcsec
        if pixel_scale.unit.is_equivalent(u.arcsec / u.pix):
            unit = u.arcsec / u.pix
        try:
            number = pixel_scale.to_value(unit)
        except u.UnitConversionError as error:
            msg = f"pixel_scale={pixel_scale!r}: {error}"
            raise u.UnitConversionError(msg) from None
    number = np.asarray(number)
    if number.ndim or number.dtype.kind not in "iuf":
        msg = f"pixel_scale={pixel_scale!r} must be a number or a Quantity: arcsec per pixel"
        raise TypeError(msg)
    if not 0 < number < np.inf:
        msg = f"pixel_scale={pixel_scale!r} must be positive: arcsec per pixel"
        raise ValueError(msg)
    return float(number)


def pixels_of(cutout):
    """Return the pixels of a cutout.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData`, `~astropy.nddata.Cutout2D` or 2-D array_like
        The cutout.

    Returns
    -------
    2-D `~numpy.ndarray`
        Pixels, 0 where they are masked or not finite.

    Raises
    ------
    TypeError, ValueError
        If it is not a 2-D image of numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.model.psf_arguments import pixels_of
    >>> pixels_of([[1, 2], [np.nan, 4]]).tolist()
    [[1.0, 2.0], [0.0, 4.0]]
    """
    mask = False
    data = cutout
    if not isinstance(cutout, np.ndarray) and hasattr(cutout, "data"):
        data = cutout.data
        if getattr(cutout, "mask", None) is not None:
            mask = cutout.mask
    data = getattr(data, "value", data)  # of a Quantity
    try:
        image = np.ma.array(data, dtype=float, mask=np.ma.getmaskarray(data))
    except (TypeError, ValueError) as error:
        msg = f"cutout must be an image of numbers, not {type(cutout).__name__}"
        raise TypeError(msg) from error
    if image.ndim != 2 or 0 in image.shape:
        msg = f"cutout has shape {image.shape}: a 2-D image with pixels is needed"
        raise ValueError(msg)
    image = np.ma.masked_invalid(image)
    return np.where(np.ma.getmaskarray(image) | mask, 0.0, image.data)
