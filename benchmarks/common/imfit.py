"""Fits of cutouts by imfit, through its Python interface, pyimfit."""

import numpy as np

__all__ = ["fit_cutouts", "imfit_sersic"]

PARAMETERS = ("mag", "r_eff", "n", "q")
# Shortest minor axis that imfit may find, as a share of the major one.
_LEAST_Q = 0.02


def fit_cutouts(cutouts, start, *, free_sky):
    """Fit a Sérsic galaxy, and a constant sky if it is free, to each cutout.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.CCDData`
        Cutouts with noise map and PSF, and ``PIXSCALE`` and ``MAGZP`` in the header.
    start : `~sersicnet.SersicResults` or `~astropy.table.QTable`
        Table of the values that fits start from: columns of all seven parameters.
    free_sky : bool
        Whether the sky is fitted; it is 0 otherwise.

    Returns
    -------
    dict of (N,) `~numpy.ndarray`
        ``mag``, ``r_eff`` (arcsec), ``n``, ``q``, their errors (``mag_err``), and ``sky``; NaN
        where a fit has failed.
    """
    rows = []
    for number, cutout in enumerate(cutouts):
        first = {}
        for name in (*PARAMETERS, "theta", "x_0", "y_0"):
            first[name] = float(getattr(start[name][number], "value", start[name][number]))
        rows.append(imfit_sersic(cutout, first, free_sky=free_sky))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def imfit_sersic(cutout, start, *, free_sky):
    """Fit one cutout, as in `fit_cutouts`.

    Parameters
    ----------
    cutout : `~astropy.nddata.CCDData`
        The galaxy.
    start : dict of float
        Values of the seven parameters to start from.
    free_sky : bool
        As in `fit_cutouts`.

    Returns
    -------
    dict of float
    """
    from pyimfit import Imfit

    scale = cutout.meta["PIXSCALE"]
    zeropoint = cutout.meta["MAGZP"]
    psf = np.ascontiguousarray(cutout.psf, dtype=np.float64)
    fitter = Imfit(_model(cutout, start, free_sky=free_sky), psf=psf, maxThreads=1)
    error = np.ascontiguousarray(cutout.uncertainty.array, dtype=np.float64)
    data = np.ascontiguousarray(cutout.data, dtype=np.float64)
    mask = np.zeros(data.shape, dtype=bool) if cutout.mask is None else np.array(cutout.mask)
    mask |= ~(np.isfinite(data) & np.isfinite(error) & (error > 0))
    data[mask] = 0.0
    error[mask] = 1.0
    fitter.fit(data, error=error, mask=mask)
    if not fitter.fitConverged:
        names = (*PARAMETERS, *(f"{name}_err" for name in PARAMETERS), "sky")
        return dict.fromkeys(names, np.nan)
    values = np.asarray(fitter.getRawParameters())
    errors = np.asarray(fitter.getParameterErrors())
    return _in_units(values, errors, scale=scale, zeropoint=zeropoint)


def _model(cutout, start, *, free_sky):
    """The description of a galaxy and a sky, with imfit's 1-based pixels."""
    from pyimfit import SimpleModelDescription, make_imfit_function

    scale = cutout.meta["PIXSCALE"]
    flux = 10 ** (0.4 * (cutout.meta["MAGZP"] - start["mag"]))
    r_eff = start["r_eff"] / scale
    n = float(np.clip(start["n"], 0.3, 8))
    galaxy = make_imfit_function("Sersic")
    brightness = flux / _flux_of_unit(r_eff, n, start["q"])
    galaxy.PA.setValue(np.mod(start["theta"] - 90, 180), [-180, 360])
    galaxy.ell.setValue(float(np.clip(1 - start["q"], 0, 1 - _LEAST_Q)), [0, 1 - _LEAST_Q])
    galaxy.n.setValue(n, [0.2, 8])
    galaxy.I_e.setValue(brightness, [1e-4 * brightness, 1e4 * brightness])
    galaxy.r_e.setValue(r_eff, [0.02, 20 * max(cutout.data.shape)])
    model = SimpleModelDescription()
    ny, nx = cutout.data.shape
    model.x0.setValue(start["x_0"] + 1, [1, nx])
    model.y0.setValue(start["y_0"] + 1, [1, ny])
    model.addFunction(galaxy)
    sky = make_imfit_function("FlatSky")
    noise = float(np.nanmedian(cutout.uncertainty.array))
    sky.I_sky.setValue(0.0, [-10 * noise, 10 * noise])
    if not free_sky:
        sky.I_sky.setValue(0.0, fixed=True)
    model.addFunction(sky)
    return model


def _flux_of_unit(r_eff, n, q):
    """Flux of a profile whose brightness is 1 at the half-light radius."""
    from scipy.special import gamma, gammaincinv

    b = gammaincinv(2 * n, 0.5)
    return 2 * np.pi * n * r_eff**2 * q * np.exp(b) * b ** (-2 * n) * gamma(2 * n)


def _in_units(values, errors, *, scale, zeropoint):
    """Values and errors from imfit's: x0, y0, PA, ell, n, I_e, r_e, I_sky.

    The error of the magnitude is not known: errors of brightness and radius are correlated.
    """
    _, _, _, ell, n, brightness, r_eff, sky = values
    flux = brightness * _flux_of_unit(r_eff, n, 1 - ell)
    return {
        "mag": zeropoint - 2.5 * np.log10(flux),
        "r_eff": r_eff * scale,
        "n": n,
        "q": 1 - ell,
        "mag_err": np.nan,
        "r_eff_err": errors[6] * scale,
        "n_err": errors[4],
        "q_err": errors[3],
        "sky": sky,
    }
