"""Tables with the names and conventions of other programs: SExtractor and LSST.

Columns without a name there keep ours. Radii are in pixels there, and need the pixel scale.

=========== ================================================================================
sextractor  names of SExtractor's model fits; pixels count from 1. ``flags`` keeps its name, as its
            bits are others, and fluxes are in nJy, not in counts
lsst        the ``sersic`` columns of the table Object of DP1
            (https://sdm-schemas.lsst.io/dp1.html#Object), without the letter of the band:
            ``sersicFlux``. The ellipse is given by its half-light radii along x and y, as the
            standard deviations of a Gaussian, and their correlation ``rho``
=========== ================================================================================
"""

import astropy.units as u
import numpy as np
from astropy.table import QTable

from sersicnet.diagnostics.schema import check_columns
from sersicnet.parameters import to_floats

__all__ = ["DIALECTS", "check_dialect", "lsst_ellipse", "shown_table", "to_dialect"]

DIALECTS = ("sersicnet", "sextractor", "lsst")
# AB magnitude of 1 nJy, as LSST has it.
_NJY = 31.4
_SEXTRACTOR = {
    "id": "NUMBER",
    "x_0": "XMODEL_IMAGE",
    "y_0": "YMODEL_IMAGE",
    "x_0_lo": "XMODEL_IMAGE_LO",
    "x_0_hi": "XMODEL_IMAGE_HI",
    "y_0_lo": "YMODEL_IMAGE_LO",
    "y_0_hi": "YMODEL_IMAGE_HI",
    "x_centroid": "X_IMAGE",
    "y_centroid": "Y_IMAGE",
    "ra": "ALPHAMODEL_J2000",
    "dec": "DELTAMODEL_J2000",
    "mag": "MAG_MODEL",
    "mag_err": "MAGERR_MODEL",
    "flux": "FLUX_MODEL",
    "flux_err": "FLUXERR_MODEL",
    "r_eff": "SPHEROID_REFF_IMAGE",
    "r_eff_err": "SPHEROID_REFFERR_IMAGE",
    "n": "SPHEROID_SERSICN",
    "n_err": "SPHEROID_SERSICNERR",
    "q": "SPHEROID_ASPECT_IMAGE",
    "q_err": "SPHEROID_ASPECTERR_IMAGE",
    "theta": "SPHEROID_THETA_IMAGE",
    "theta_err": "SPHEROID_THETAERR_IMAGE",
    "pa": "SPHEROID_THETA_J2000",
    "kron_mag": "MAG_AUTO",
    "kron_mag_err": "MAGERR_AUTO",
    "half_light_radius": "FLUX_RADIUS",
    "area": "ISOAREA_IMAGE",
    "prob_star": "CLASS_STAR",
}
_LSST = {
    "id": "objectId",
    "flux": "sersicFlux",
    "flux_err": "sersicFluxErr",
    "x_0": "sersic_x",
    "x_0_err": "sersic_xErr",
    "y_0": "sersic_y",
    "y_0_err": "sersic_yErr",
    "ra": "coord_ra",
    "dec": "coord_dec",
    "n": "sersic_index",
    "n_err": "sersic_indexErr",
}
# Radii on the sky that are in pixels there, and positions that count from 1 there.
_RADII = ("r_eff", "r_eff_err", "half_light_radius")
_FROM_ONE = ("x_0", "x_0_lo", "x_0_hi", "y_0", "y_0_lo", "y_0_hi", "x_centroid", "y_centroid")
_SHAPE = ("r_eff", "q", "theta")
_ELLIPSE = ("sersic_reff_x", "sersic_reff_y", "sersic_rho")
# What is made for LSST: description, UCD and format.
_MADE = {
    "sersicFlux": ("flux density of the model", "phot.flux.density", ".5g"),
    "sersicFluxErr": ("error of sersicFlux", "stat.error;phot.flux.density", ".3g"),
}
for _axis in "xy":
    _name = f"sersic_reff_{_axis}"
    _MADE[_name] = f"half-light radius along {_axis} of the model", "phys.angSize", ".4f"
    _MADE[f"{_name}Err"] = f"error of {_name}", "stat.error;phys.angSize", ".4f"
_MADE["sersic_rho"] = "correlation of the ellipse along x and y", "stat.correlation", ".4f"
_MADE["sersic_rhoErr"] = "error of sersic_rho", "stat.error", ".4f"
# Relative and absolute steps of derivatives.
_STEP = 1e-5


def check_dialect(dialect):
    """Raise ValueError unless a dialect is known.

    Parameters
    ----------
    dialect : str
        The user's argument.

    Raises
    ------
    ValueError
        If it is another one.
    """
    if dialect not in DIALECTS:
        msg = f"dialect={dialect!r} must be one of {', '.join(map(repr, DIALECTS))}"
        raise ValueError(msg)


def to_dialect(table, dialect, *, pixel_scale=None):
    """Return a table with the names and conventions of another program.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        A catalog, which stays as it is.
    dialect : {"sersicnet", "sextractor", "lsst"}
        Whose names.
    pixel_scale : float or (N,) array_like, optional
        Arcsec per pixel; by default ``PIXSCALE`` of ``meta``.

    Returns
    -------
    `~astropy.table.QTable`

    Raises
    ------
    ValueError
        If the dialect is unknown, or radii have to be in pixels and their scale is not known.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from sersicnet.diagnostics.dialects import to_dialect
    >>> table = QTable({"id": [7], "x_0": [10.0] * u.pix, "r_eff": [0.4] * u.arcsec})
    >>> print(*to_dialect(table, "sextractor", pixel_scale=0.2)[0].values())
    7 11.0 pix 2.0 pix
    """
    check_dialect(dialect)
    if dialect == "sersicnet":
        return table
    scale = _scale_of(table, pixel_scale)
    if dialect == "sextractor":
        return _sextractor(table, scale)
    return _lsst(table, scale)


def shown_table(table, columns, dialect, *, pixel_scale=None):
    """Return the columns that a user wants, with the names of a dialect.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        A catalog.
    columns : str, sequence of str or None
        Names in the dialect, in their order; None for all.
    dialect, pixel_scale
        As in `to_dialect`.

    Returns
    -------
    `~astropy.table.QTable`

    Raises
    ------
    ValueError
        If there is no column of such a name, or no such dialect.
    """
    table = to_dialect(table, dialect, pixel_scale=pixel_scale)
    if columns is None:
        return table
    return table[check_columns(columns, table.colnames)]


def _scale_of(table, pixel_scale):
    """Return arcsec per pixel."""
    if pixel_scale is None:
        pixel_scale = table.meta.get("PIXSCALE")
    if pixel_scale is None and any(name in table.colnames for name in _RADII):
        msg = "pixel_scale is not known (neither given nor PIXSCALE of meta), and radii need it"
        raise ValueError(msg)
    return pixel_scale


def _in_pixels(table, name, scale):
    """Return a radius in pixels, of the ellipse in pixels where the table has it."""
    pixels = to_floats(table[name], u.arcsec) / scale
    if "r_eff_pix" in table.colnames and name in ("r_eff", "r_eff_err"):
        on_sky = to_floats(table["r_eff"], u.arcsec) / scale
        ratio = np.ones(len(table))
        np.divide(to_floats(table["r_eff_pix"], u.pix), on_sky, out=ratio, where=on_sky != 0)
        pixels = pixels * ratio
    return pixels


def _sextractor(table, scale):
    """Rename columns as SExtractor does."""
    named = QTable(meta=dict(table.meta))
    for name in table.colnames:
        column = table[name]
        if name in _RADII:
            column = _in_pixels(table, name, scale) * u.pix
        elif name in _FROM_ONE:
            column = (to_floats(column, u.pix) + 1) * u.pix
        elif name == "q" and "q_pix" in table.colnames:
            column = table["q_pix"]
        _add(named, _SEXTRACTOR.get(name, name), column, table[name])
    return named


def _lsst(table, scale):
    """Rename columns as LSST does, with ellipses and fluxes of its kind."""
    named = QTable(meta=dict(table.meta))
    has_ellipse = set(_SHAPE) <= set(table.colnames)
    ellipse = {*_SHAPE, *(f"{name}_err" for name in _SHAPE)}
    has_fluxes = {"flux", "flux_err"} <= set(table.colnames)  # which may be negative
    for name in table.colnames:
        if name == "mag" and has_fluxes:
            continue
        if name == "mag":
            flux = 10 ** (-0.4 * (to_floats(table[name], u.ABmag) - _NJY))
            _add_made(named, "sersicFlux", flux * u.nJy)
            if "mag_err" in table.colnames:
                relative = 0.4 * np.log(10) * to_floats(table["mag_err"], u.mag)
                _add_made(named, "sersicFluxErr", flux * relative * u.nJy)
        elif has_ellipse and name == "r_eff":
            _add_ellipse(named, table, scale)
        elif name == "mag_err" or (has_ellipse and name in ellipse):
            continue
        else:
            _add(named, _LSST.get(name, name), table[name], table[name])
    return named


def _add(named, name, column, source):
    """Add a column with the description and UCD that it had."""
    named[name] = column
    for attribute in ("description", "format", "meta"):
        setattr(named[name].info, attribute, getattr(source.info, attribute))


def _add_ellipse(named, table, scale):
    """Add the half-light radii along x and y, their correlation, and errors of all three."""
    q_name = "q_pix" if "q_pix" in table.colnames else "q"
    values = [_in_pixels(table, "r_eff", scale), to_floats(table[q_name], None)]
    values.append(np.radians(to_floats(table["theta"], u.deg)))
    made = np.array(lsst_ellipse(*values))
    _add_numbers(named, _ELLIPSE, made)
    if not {f"{name}_err" for name in _SHAPE} <= set(table.colnames):
        return
    errors = [_in_pixels(table, "r_eff_err", scale), to_floats(table["q_err"], None)]
    errors.append(np.radians(to_floats(table["theta_err"], u.deg)))
    variances = np.zeros_like(made)
    for number, error in enumerate(errors):
        step = _STEP
        if number == 0:
            step = np.where(values[0] > 0, _STEP * values[0], _STEP)
        moved = list(values)
        moved[number] = values[number] + step
        slopes = (np.array(lsst_ellipse(*moved)) - made) / step
        variances += (slopes * error) ** 2
    _add_numbers(named, [f"{name}Err" for name in _ELLIPSE], np.sqrt(variances))


def _add_numbers(named, names, values):
    """Add columns of an ellipse: two in pixels, and one without a unit."""
    for name, numbers in zip(names, values, strict=True):
        _add_made(named, name, numbers * u.pix if "reff" in name else numbers)


def _add_made(named, name, column):
    """Add a column that only LSST has, with its description."""
    named[name] = column
    info = named[name].info
    info.description, ucd, info.format = _MADE[name]
    info.meta = {"ucd": ucd}


def lsst_ellipse(r_eff, q, theta):
    """Compute LSST's description of an ellipse.

    Parameters
    ----------
    r_eff : `~numpy.ndarray`
        Semi-major axis.
    q : `~numpy.ndarray`
        Axis ratio.
    theta : `~numpy.ndarray`
        Angle of the major axis in radians, counter-clockwise from x.

    Returns
    -------
    reff_x, reff_y, rho : `~numpy.ndarray`
        Square roots of the diagonal of the covariance matrix of a Gaussian with these axes, and its
        correlation.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.diagnostics.dialects import lsst_ellipse
    >>> x, y, rho = lsst_ellipse(3.0, 0.5, np.pi / 4)
    >>> print(f"{x:.3f} {y:.3f} {rho:.3f}")
    2.372 2.372 0.600
    """
    cosine = np.cos(theta)
    sine = np.sin(theta)
    x = np.sqrt(cosine**2 + (q * sine) ** 2)
    y = np.sqrt(sine**2 + (q * cosine) ** 2)
    return r_eff * x, r_eff * y, (1 - q**2) * sine * cosine / (x * y)
