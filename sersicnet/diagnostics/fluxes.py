"""Fluxes beside magnitudes, and surface brightness, as columns of tables.

A flux density is a function of one magnitude, so its quantiles are those of the magnitude. Surface
brightness is one of several parameters, so its errors need their draws.
"""

import astropy.units as u
import numpy as np
from scipy.special import gamma, gammaincinv

from sersicnet.parameters import to_floats

__all__ = ["add_fluxes", "add_surface_brightness", "magnitudes_of"]

# Magnitudes of a square arcsec: all programs read this unit.
_BRIGHTNESS = u.mag / u.arcsec**2
# Standard deviations between the median and the 84 % quantile are 1 for half of this interval.
_LEVELS = (0.16, 0.5, 0.84)


def add_fluxes(table):
    r"""Add flux densities beside the magnitudes of a table of galaxies.

    Parameters
    ----------
    table : `~astropy.table.Table`
        A table of `~sersicnet.SersicResults` or `~sersicnet.measure.measure_image`.

    Returns
    -------
    `~astropy.table.Table`
        A copy with ``flux`` and ``flux_err`` [nJy] behind the columns of ``mag``, and in the same
        way of each magnitude of a part, a band or a population: ``flux_bulge``, ``flux_g``. The
        error is half of the interval that belongs to the quantiles of the magnitude; of a table
        without these, 0.921 times flux and error of the magnitude.

    Raises
    ------
    ValueError
        If the table has no magnitude with an error, or has fluxes already.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from sersicnet.diagnostics import add_fluxes
    >>> table = QTable({"mag": [23.9, 31.4] * u.ABmag, "mag_err": [0.1, 0.2] * u.mag})
    >>> print(add_fluxes(table)["flux"].round(1))
    [1000.    1.] nJy
    """
    found = table.copy()
    magnitudes = [name for name in table.colnames if _is_magnitude(name, table.colnames)]
    if not magnitudes:
        msg = f"table has the columns {', '.join(table.colnames)}: mag and mag_err are needed"
        raise ValueError(msg)
    for name in magnitudes:
        flux_name = name.replace("mag", "flux", 1)
        if flux_name in table.colnames:
            msg = f"table has a column {flux_name!r} already"
            raise ValueError(msg)
        flux = _flux(table[name])
        if f"{name}_lo" in table.colnames:
            err = (_flux(table[f"{name}_lo"]) - _flux(table[f"{name}_hi"])) / 2
        else:
            err = flux * np.log(10) / 2.5 * to_floats(table[f"{name}_err"], u.mag)
        own = (name, f"{name}_err", f"{name}_lo", f"{name}_hi")
        place = 1 + max(found.colnames.index(each) for each in own if each in found.colnames)
        found.add_column(flux * u.nJy, index=place, name=flux_name)
        found.add_column(err * u.nJy, index=place + 1, name=f"{flux_name}_err")
        about = f"flux density of {name}"
        _describe(found[flux_name], about, "phot.flux.density")
        _describe(found[f"{flux_name}_err"], f"error of {flux_name}", "stat.error;phot.flux")
    return found


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


def _describe(column, description, ucd, digits=".5g"):
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
