"""Images of many sources: galaxies and stars of a table, which may overlap."""

import numpy as np
from astropy.table import QTable

from sersicnet.parameters import PARAMETERS
from sersicnet.simulate_catalog.render import render_model

__all__ = ["render_field"]

# Half-light radius in pixels of what stands for a point, behind a PSF that is convolved with it.
_POINT = 1e-3


def render_field(catalog, shape, *, pixel_scale, zeropoint, psf):
    """Draw the noise-free image of galaxies and stars.

    Parameters
    ----------
    catalog : `~astropy.table.Table`
        Their parameters, with the names and units of `~sersicnet.parameters.PARAMETERS`; a
        half-light radius of 0 is a star.
    shape : (int, int)
        Numbers of rows and columns.
    pixel_scale : float
        Arcsec per pixel of image and PSF.
    zeropoint : float
        AB magnitude of a flux of 1.
    psf : (K, K) `~numpy.ndarray`
        Star-like stamp, which includes the response of the pixel.

    Returns
    -------
    (ny, nx) `~numpy.ndarray`

    Raises
    ------
    ValueError
        If the catalog lacks a parameter, or GalSim cannot draw a galaxy.

    Examples
    --------
    >>> from astropy.table import QTable
    >>> from sersicnet.simulate_catalog import PSFModel, draw_psf, render_field
    >>> rows = QTable({"mag": [20.0, 19.0], "r_eff": [0.3, 0.0], "n": [1.0, 1.0], "q": [0.7, 1.0]})
    >>> rows["theta"], rows["x_0"], rows["y_0"] = [30.0, 0.0], [20.0, 50.0], [31.0, 40.0]
    >>> psf = draw_psf(PSFModel("gaussian", fwhm=0.2, size=21), pixel_scale=0.06)
    >>> image = render_field(rows, (64, 80), pixel_scale=0.06, zeropoint=25.9, psf=psf)
    >>> image.shape, bool(image[40, 50] == image.max())
    ((64, 80), True)
    """
    missing = [name for name in PARAMETERS if name not in catalog.colnames]
    if missing:
        msg = f"catalog has no {', '.join(missing)}: it needs {', '.join(PARAMETERS)}"
        raise ValueError(msg)
    columns = {}
    for name, parameter in PARAMETERS.items():
        column = QTable(catalog)[name]
        unit = getattr(column, "unit", None)
        columns[name] = np.asarray(column.to_value(parameter.unit) if unit else column, float)
    image = np.zeros(shape)
    for row in range(len(catalog)):
        values = {name: float(column[row]) for name, column in columns.items()}
        if values["r_eff"] == 0:
            values |= {"r_eff": _POINT * pixel_scale, "n": 0.5, "q": 1.0}
        image += render_model(values, shape, pixel_scale=pixel_scale, zeropoint=zeropoint, psf=psf)
    return image
