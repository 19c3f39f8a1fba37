"""Fluxes beside magnitudes, and surface brightness, as columns of tables.

A flux density is a function of one magnitude, so its quantiles are those of the magnitude. Surface
brightness is one of several parameters, so its errors need their draws.
"""

import astropy.units as u
import numpy as np
from scipy.special import gamma, gammaincinv

from sersicnet.parameters import Column, to_floats

__all__ = [
    "add_fluxes",
    "add_surface_brightness",
    "magnitudes_of",
    "put_fluxes",
    "replace_fluxes",
    "with_fluxes",
]

# Magnitudes of a square arcsec: all programs read this unit.
_BRIGHTNESS = u.mag / u.arcsec**2
# Standard deviations between the median and the 84 % quantile are 1 for half of this interval.
_LEVELS = (0.16, 0.5, 0.84)
_DIGITS = ".5g"
# Columns of fluxes of galaxies, by their names in all dialects.
_LINEAR = {"flux": "flux", "sersicFlux": "flux", "FLUX_MODEL": "flux"}
_LINEAR |= {"flux_err": "flux_err", "sersicFluxErr": "flux_err", "FLUXERR_MODEL": "flux_err"}


def add_fluxes(table):
    r"""Add flux densities beside the magnitudes of a table of galaxies.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table of `~sersicnet.SersicResults`.

    Returns
    -------
    `~astropy.table.Table`
        A copy with ``flux`` and ``flux_err`` [nJy] behind the columns of ``mag``, and in the same
        way of each magnitude of a part, a band or a population: ``flux_bulge``, ``flux_g``. The
        error is half of the interval that belongs to the quantiles of the magnitude; of a table
        without these, 0.921 times flux and error of the magnitude. Fluxes that the table has, as
        catalogs of `~sersicnet.measure.measure_image` do, stay as they are.

    Raises
    ------
    ValueError
        If the table has no magnitude with an error.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from sersicnet.diagnostics import add_fluxes
    >>> table = QTable({"mag": [23.9, 31.4] * u.ABmag, "mag_err": [0.1, 0.2] * u.mag})
    >>> print(add_fluxes(table)["flux"].round(1))
    [1000.    1.] nJy
    """
    if not any(_is_magnitude(name, table.colnames) for name in table.colnames):
        msg = f"table has the columns {', '.join(table.colnames)}: mag and mag_err are needed"
        raise ValueError(msg)
    found = table.copy()
    put_fluxes(found)
    return found


def put_fluxes(table):
    """Add to a table, in place, the flux densities that it lacks.

    Parameters
    ----------
    table : `~astropy.table.Table`
        As for `add_fluxes`; it may have no magnitude.
    """
    for name in _without_fluxes(table.colnames):
        flux = _flux(table[name])
        if f"{name}_lo" in table.colnames:
            err = (_flux(table[f"{name}_lo"]) - _flux(table[f"{name}_hi"])) / 2
        else:
            err = flux * np.log(10) / 2.5 * to_floats(table[f"{name}_err"], u.mag)
        place = _place_behind(name, table.colnames)
        for number, (column, values) in enumerate(zip(_columns_of(name), (flux, err), strict=True)):
            table.add_column(values * u.nJy, index=place + number, name=column.name)
            _describe(table[column.name], column.description, column.ucd, column.format)


def replace_fluxes(table, flux, flux_err, *, band=None):
    """Put fluxes without a prior, in place, into the rows of galaxies that are not detected.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table of N galaxies, which may have the names of another dialect, or no fluxes.
    flux, flux_err : (N,) `~numpy.ndarray`
        Fluxes in nJy, NaN for galaxies that are detected.
    band : str, optional
        Name of the band, if the fluxes are of one of several.
    """
    rows = np.isfinite(flux)
    given = {"flux": flux, "flux_err": flux_err}
    names = _LINEAR
    if band is not None:
        names = {f"flux_{band}": "flux", f"flux_{band}_err": "flux_err"}
    for name, own in names.items():
        if name in table.colnames:
            table[name][rows] = given[own][rows] * u.nJy


def with_fluxes(columns):
    """Add the columns of flux densities behind those of magnitudes, as `add_fluxes` does.

    Parameters
    ----------
    columns : list of `~sersicnet.parameters.Column`
        Columns of a catalog.

    Returns
    -------
    list of `~sersicnet.parameters.Column`

    Examples
    --------
    >>> from sersicnet.diagnostics.fluxes import with_fluxes
    >>> from sersicnet.parameters import PARAMETERS
    >>> [column.name for column in with_fluxes([*PARAMETERS["mag"].columns])][3:]
    ['mag_hi', 'flux', 'flux_err']
    """
    columns = list(columns)
    for name in _without_fluxes([column.name for column in columns]):
        place = _place_behind(name, [column.name for column in columns])
        columns[place:place] = _columns_of(name)
    return columns


def _without_fluxes(names):
    """Return the magnitudes among names of columns that have an error, and no flux."""
    found = []
    for name in names:
        if _is_magnitude(name, names) and name.replace("mag", "flux", 1) not in names:
            found.append(name)
    return found


def _place_behind(name, names):
    """Return the place behind a magnitude, its error and quantiles."""
    own = (name, f"{name}_err", f"{name}_lo", f"{name}_hi")
    return 1 + max(names.index(each) for each in own if each in names)


def _columns_of(name):
    """Make the columns of the flux density of a magnitude, and of its error."""
    flux = name.replace("mag", "flux", 1)
    about = f"flux density of {name}"
    error = f"error of {flux}"
    return (
        Column(flux, u.nJy, about, format=_DIGITS, ucd="phot.flux.density"),
        Column(f"{flux}_err", u.nJy, error, format=_DIGITS, ucd="stat.error;phot.flux"),
    )


def magnitudes_of(names):
    """Return which columns are magnitudes of the model, and errors and quantiles of these.

    Parameters
    ----------
    names : iterable of str
        Names of columns.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from sersicnet.diagnostics.fluxes import magnitudes_of
    >>> magnitudes_of(["id", "mag", "mag_err", "mag_tension", "mag_disk_lo", "kron_mag"])
    ['mag', 'mag_err', 'mag_disk_lo']
    """
    found = []
    for name in names:
        if (name == "mag" or name.startswith("mag_")) and not name.endswith("_tension"):
            found.append(name)
    return found


def _is_magnitude(name, names):
    """Whether a column is a magnitude of the model that has an error."""
    return (name == "mag" or name.startswith("mag_")) and f"{name}_err" in names


def _flux(magnitudes):
    """Convert a column of magnitudes to flux densities in nJy."""
    return (to_floats(magnitudes, u.ABmag) * u.ABmag).to_value(u.nJy)


def _describe(column, description, ucd, digits):
    """Give a column its description, UCD and digits."""
    column.info.description = description
    column.info.format = digits
    column.info.meta = {"ucd": ucd}


def add_surface_brightness(table, samples):
    r"""Add surface brightness to a table of galaxies, with the errors of its draws.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Table of N galaxies.
    samples : dict of (N, S) `~numpy.ndarray`
        Draws of the same galaxies, as `~sersicnet.SersicResults.samples` returns them.

    Returns
    -------
    `~astropy.table.Table`
        A copy with ``mu_mean``, the mean surface brightness within the ellipse of ``r_eff``, and
        ``mu_0``, that in the center of a single Sersic profile, both before the PSF, in
        mag/arcsec\ :sup:`2`: medians of the draws, with ``mu_mean_err`` and ``mu_0_err``; of each
        part in the same way, ``mu_mean_bulge``. NaN for what half of the draws or more do not have.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.table import QTable
    >>> from sersicnet.diagnostics import add_surface_brightness
    >>> draws = {"mag": 20.0, "r_eff": 1.0, "n": 1.0, "q": 0.5}
    >>> draws = {name: np.full((1, 9), value) for name, value in draws.items()}
    >>> table = add_surface_brightness(QTable({"id": [0]}), draws)
    >>> print(f"{table['mu_mean'][0]:.3f} {table['mu_0'][0]:.3f}")
    21.243 mag / arcsec2 20.118 mag / arcsec2
    """
    found = table.copy()
    for name in samples:
        if not name.startswith("r_eff") or name.startswith("r_eff_pix"):
            continue
        part = name.removeprefix("r_eff")
        draws = {}
        for each in ("mag", "r_eff", "q", "n"):
            if f"{each}{part}" in samples:
                draws[each] = samples[f"{each}{part}"]
        if not {"mag", "q"} <= set(draws):
            continue
        unknown = {}
        for each in draws:
            if f"{each}{part}_err" in table.colnames:
                unknown[each] = np.isnan(table[f"{each}{part}_err"])
        if f"mag{part}" in table.colnames:  # those that are not detected have draws as well
            not_detected = np.isnan(table[f"mag{part}"])
            draws["mag"] = np.where(not_detected[:, None], np.nan, draws["mag"])
        mean = _mean_brightness(draws)
        _add(found, f"mu_mean{part}", mean, _any(unknown, ("mag", "r_eff", "q")))
        found[f"mu_mean{part}"].info.description = f"mean surface brightness within {name}"
        if "n" in draws:
            center = mean + _center_over_mean(draws["n"])
            _add(found, f"mu_0{part}", center, _any(unknown, ("mag", "r_eff", "q", "n")))
            found[f"mu_0{part}"].info.description = "central surface brightness before the PSF"
    return found


def _any(unknown, names):
    """Which galaxies have no error of one of some parameters."""
    lost = np.zeros(1, dtype=bool)
    for name in names:
        lost = lost | np.asarray(unknown.get(name, False))
    return lost


def _mean_brightness(draws):
    """Mean surface brightness within the ellipse that holds half of the light."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a point source has a radius of 0
        area = 2 * np.pi * draws["r_eff"] ** 2 * draws["q"]
        found = draws["mag"] + 2.5 * np.log10(area)
    return np.where(np.isfinite(found), found, np.nan)


def _center_over_mean(n):
    """Magnitudes from the mean within ``r_eff`` to the center (Graham & Driver 2005, eq. 9)."""
    b = gammaincinv(2 * n, 0.5)
    return 2.5 * np.log10(n * b ** (-2 * n) * gamma(2 * n))


def _add(table, name, draws, lost):
    """Add a column and its error from draws, (N, S)."""
    known = np.isfinite(draws)
    low, middle, high = np.full((3, len(draws)), np.nan)
    rows = np.flatnonzero(known.mean(axis=1) > 0.5)
    if rows.size:
        some = np.where(known, draws, np.nan)[rows]
        low[rows], middle[rows], high[rows] = np.nanquantile(some, _LEVELS, axis=1)
    table[name] = middle * _BRIGHTNESS
    table[f"{name}_err"] = np.where(lost, np.nan, (high - low) / 2) * _BRIGHTNESS
    _describe(table[name], name, "phot.mag.sb", ".4f")
    _describe(table[f"{name}_err"], f"error of {name}", "stat.error;phot.mag.sb", ".4f")
