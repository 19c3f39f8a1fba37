"""Draw simulated galaxies with GalSim; no other module imports it.

Galaxy ``id`` has its own random numbers, so it is the same galaxy to the last bit, no matter how
many others are drawn, in which order and by how many processes.
"""

import multiprocessing
import signal
import threading
import warnings
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from functools import lru_cache
from itertools import chain

import astropy.units as u
import galsim
import numpy as np
from astropy.io.fits import Header
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.wcs import WCS
from scipy.ndimage import convolve
from tqdm.auto import tqdm

from sersicnet.flags import FLAG_CARD, Flags
from sersicnet.parameters import PARAMETERS, to_floats
from sersicnet.simulate_catalog.catalog import draw_row
from sersicnet.simulate_catalog.config import PSFModel
from sersicnet.simulate_catalog.surveys import airy_fwhm

__all__ = ["draw_psf", "render_catalog", "render_model"]

# Number of galaxies that a process draws at a time: about half a second.
_CHUNK = 8
# Largest side of a transform: 2.5 GB. GalSim only warns when a transform is larger than its own
# limit of 8192 pixels on a side, and continues. The largest of all surveys of surveycodex, of
# Roman's F087 images, has 8900.
_MAX_FFT = 10_240


def render_catalog(catalog, config, *, seed, n_jobs=1, noise=True, progress_bar=False):
    """Draw the cutouts of a catalog, one after the other.

    Parameters
    ----------
    catalog : `~astropy.table.QTable`
        Catalog from `draw_catalog`, or any subset of its rows.
    config : `~sersicnet.simulate_catalog.SimulationConfig`
        Configuration of the survey.
    seed : int
        Seed of noise and neighbors.
    n_jobs : int
        Number of processes; the cutouts do not depend on it.
    noise : bool
        Whether to add noise. Without noise, the ``uncertainty`` is still that of noisy images.
    progress_bar : bool
        Whether to show a progress bar.

    Yields
    ------
    `~astropy.nddata.CCDData`
        Cutout with ``uncertainty`` (the noise map), ``mask``, ``wcs``, ``psf`` (star-like, with
        the pixel's response), ``unit``, and ``MAGZP``, ``PIXSCALE``, ``ID`` and ``SNFLAGS`` in
        ``meta``.
        A galaxy that GalSim cannot draw is all NaN, masked, and flagged ``RENDER_FAILED``.

    Raises
    ------
    ValueError
        If ``n_jobs`` is not positive or the catalog lacks a column.

    Examples
    --------
    >>> from sersicnet.simulate_catalog import SimulationConfig, draw_catalog, render_catalog
    >>> config = SimulationConfig.candels_f160w()
    >>> catalog = draw_catalog(1, config, seed=1)
    >>> (cutout,) = render_catalog(catalog, config, seed=1)
    >>> cutout.psf.shape
    (41, 41)
    """
    if n_jobs < 1:
        msg = f"n_jobs={n_jobs} must be 1 or more"
        raise ValueError(msg)
    rows = _plain_rows(catalog)
    tasks = [
        (rows[start : start + _CHUNK], config, seed, noise) for start in range(0, len(rows), _CHUNK)
    ]
    # ends the processes when this generator is closed, and not when it is collected
    with closing(_map(tasks, n_jobs)) as chunks:
        images = chain.from_iterable(chunks)
        bar = tqdm(
            zip(rows, images, strict=True), total=len(rows), unit="galaxy", disable=not progress_bar
        )
        for row, (data, sigma, mask, flags) in bar:
            yield _to_cutout(row, config, data, sigma, mask, flags)


def _map(tasks, n_jobs):
    """Yield the results of `_render_chunk` in order, with a few tasks in flight."""
    if n_jobs == 1:
        yield from map(_render_chunk, tasks)
        return
    context = multiprocessing.get_context("spawn")
    # Ctrl-C reaches all processes: each of the others would print a traceback
    ignore = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_IGN)}
    with ProcessPoolExecutor(n_jobs, mp_context=context, **ignore) as pool:
        running = deque()
        try:
            for task in tasks:
                with _signals_held():  # a process whose start they cut short prints a traceback
                    running.append(pool.submit(_render_chunk, task))
                if len(running) == 2 * n_jobs:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:  # whoever interrupts does not wait for the rest
            pool.shutdown(cancel_futures=True)


@contextmanager
def _signals_held():
    """Let Ctrl-C and SIGTERM wait until the end of the block; only the main thread receives them.

    What starts within never receives Ctrl-C, where the system has masks of signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, lambda number, _: came.append(number))
    if hasattr(signal, "pthread_sigmask"):
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
    for number in came:
        signal.raise_signal(number)


def _render_chunk(task):
    rows, config, seed, noise = task
    return [_render_row(row, config, seed, noise) for row in rows]


_CANNOT_DRAW = (galsim.GalSimError, ArithmeticError, MemoryError)


def _render_row(row, config, seed, noise):
    """Draw image, noise map, mask and flags of one galaxy."""
    rng = np.random.default_rng([seed, row["id"], 1])
    shape = (row["size"], row["size"])
    psf = _psf_profile(
        config.psf,
        row["psf_fwhm"],
        row["psf_jitter"],
        config.pixel_scale,
        config.folding_threshold,
    )
    try:
        model = _draw_galaxy(row, shape, config, psf)
        neighbors = _draw_neighbors(row, shape, config, psf, rng)
    except _CANNOT_DRAW:
        return np.full(shape, np.nan, "f4"), None, np.ones(shape, bool), Flags.RENDER_FAILED
    scene = model + neighbors
    sigma = np.sqrt(config.sky_noise**2 + np.clip(scene, 0, None) / config.gain)
    mask = (neighbors > model) & (neighbors > config.sky_noise)
    if noise:
        white = rng.standard_normal(shape)
        scene = scene + sigma * convolve(white, config.noise_kernel(), mode="wrap")
    return scene.astype("f4"), sigma.astype("f4"), mask, 0


def _draw_galaxy(row, shape, config, psf):
    return _draw(row, shape, config.pixel_scale, config.zeropoint, *psf)


def _draw_neighbors(row, shape, config, psf, rng):
    """Draw the neighbors, galaxies of the same priors anywhere in the cutout."""
    light = np.zeros(shape)
    for _ in range(rng.poisson(config.n_neighbors)):
        other = draw_row(row["id"], config, rng)
        other["mag"] = row["mag"] + config.neighbor_mag.sample(rng)
        other["x_0"], other["y_0"] = rng.uniform(-0.5, np.array(shape[::-1]) - 0.5)
        light += _draw_galaxy(other, shape, config, psf)
    return light


def _draw(row, shape, pixel_scale, zeropoint, psf, method):
    """Draw the noise-free image of one galaxy, in units of its zero point."""
    if not all(np.isfinite(row[name]) for name in PARAMETERS) or row["r_eff"] <= 0:
        msg = f"the parameters must be finite, and r_eff positive: {row}"
        raise galsim.GalSimError(msg)
    circular = row["r_eff"] * np.sqrt(row["q"])
    flux = 10 ** (-0.4 * (row["mag"] - zeropoint))
    galaxy = galsim.Sersic(row["n"], half_light_radius=circular, flux=flux)
    galaxy = galaxy.shear(q=row["q"], beta=row["theta"] * galsim.degrees)
    ny, nx = shape
    image = galsim.ImageD(nx, ny, scale=pixel_scale)
    # The middle of a GalSim image is ((nx - 1) / 2, (ny - 1) / 2) from its first pixel.
    offset = (row["x_0"] - (nx - 1) / 2, row["y_0"] - (ny - 1) / 2)
    scene = galsim.Convolve(galaxy, psf, gsparams=psf.gsparams)
    with warnings.catch_warnings():
        warnings.simplefilter("error", galsim.GalSimFFTSizeWarning)
        try:
            scene.drawImage(image, offset=offset, method=method)
        except galsim.GalSimFFTSizeWarning as warning:
            raise galsim.GalSimFFTSizeError(warning.message, warning.size) from None
    if not np.isfinite(image.array).all():  # happens, silently, with some huge transforms
        msg = f"GalSim drew NaN for {row}"
        raise galsim.GalSimError(msg)
    return image.array


@lru_cache(maxsize=256)
def _psf_profile(model, fwhm, jitter, pixel_scale, folding_threshold=5e-3):
    """Make GalSim's profile, and find the drawing method, with or without the pixel's response.

    The accuracy is set here and nowhere later: if that of a convolution changes, GalSim 2.8
    keeps the numbers of the old one, so that images would depend on what was drawn before.
    """
    accuracy = galsim.GSParams(folding_threshold=folding_threshold, maximum_fft_size=_MAX_FFT)
    if model.family == "image":
        image = galsim.Image(np.array(model.image), scale=pixel_scale)
        # Ten times closer to the formula of a PSF than GalSim's default, Quintic: 3e-4 of the
        # peak instead of 4e-3 for a compact galaxy of candels_f160w.
        lanczos = galsim.Lanczos(15)
        psf = galsim.InterpolatedImage(image, x_interpolant=lanczos, flux=1, gsparams=accuracy)
        return psf, "no_pixel"
    match model.family:
        case "moffat":
            psf = galsim.Moffat(model.beta, fwhm=fwhm, trunc=model.truncation, gsparams=accuracy)
        case "gaussian":
            psf = galsim.Gaussian(fwhm=fwhm, gsparams=accuracy)
        case "kolmogorov":
            psf = galsim.Kolmogorov(fwhm=fwhm, gsparams=accuracy)
        case "airy":
            width = fwhm / airy_fwhm(model.obscuration)
            psf = galsim.Airy(width, obscuration=model.obscuration, gsparams=accuracy)
    if jitter > 0:
        psf = galsim.Convolve(psf, galsim.Gaussian(sigma=jitter), gsparams=accuracy)
    return psf, "auto"


@lru_cache(maxsize=256)
def draw_psf(model, *, pixel_scale, fwhm=None, jitter=None):
    """Draw the star-like stamp of a PSF, which includes the response of the pixel.

    Parameters
    ----------
    model : `~sersicnet.simulate_catalog.PSFModel`
        Family of the PSF.
    pixel_scale : float
        Arcsec per pixel.
    fwhm, jitter : float, optional
        Widths in arcsec, by default those of ``model``; of a range, the mean.

    Returns
    -------
    (size, size) `~numpy.ndarray`
        Stamp of unit sum, read-only.

    Examples
    --------
    >>> from sersicnet.simulate_catalog import PSFModel, draw_psf
    >>> stamp = draw_psf(PSFModel("gaussian", fwhm=0.2, size=21), pixel_scale=0.06)
    >>> stamp.shape
    (21, 21)
    """
    if model.family == "image":
        stamp = np.array(model.image)
    else:
        if fwhm is None:
            fwhm = np.mean(model.fwhm)
        if jitter is None:
            jitter = np.mean(model.jitter)
        psf, method = _psf_profile(model, float(fwhm), float(jitter), pixel_scale)
        image = galsim.ImageD(model.size, model.size, scale=pixel_scale)
        stamp = psf.drawImage(image, method=method).array
    stamp = stamp / stamp.sum()
    stamp.flags.writeable = False
    return stamp


def render_model(values, shape, *, pixel_scale, zeropoint, psf):
    """Draw the noise-free image of a Sérsic galaxy, convolved with a PSF stamp.

    Parameters
    ----------
    values : dict of str to float
        The seven parameters in the units of `~sersicnet.parameters.PARAMETERS`.
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
        If GalSim cannot draw the galaxy.

    Examples
    --------
    >>> from sersicnet.simulate_catalog import PSFModel, draw_psf, render_model
    >>> psf = draw_psf(PSFModel("gaussian", fwhm=0.2, size=21), pixel_scale=0.06)
    >>> values = {"mag": 20, "r_eff": 0.3, "n": 1, "q": 0.7, "theta": 30, "x_0": 31.5, "y_0": 31.5}
    >>> image = render_model(values, (64, 64), pixel_scale=0.06, zeropoint=25.9, psf=psf)
    >>> image.shape
    (64, 64)
    """
    model = PSFModel("image", image=psf)
    profile = _psf_profile(model, 0.0, 0.0, pixel_scale)
    try:
        return _draw(values, shape, pixel_scale, zeropoint, *profile)
    except _CANNOT_DRAW as error:
        msg = f"GalSim cannot draw a galaxy of {values}: {error}"
        raise ValueError(msg) from error


def _plain_rows(catalog):
    """Convert rows to dictionaries of numbers in the units of `PARAMETERS`."""
    columns = {}
    for name in ("id", *PARAMETERS, "size", "psf_fwhm", "psf_jitter"):
        if name not in catalog.colnames:
            msg = f"the catalog has no column {name!r}: it must come from draw_catalog"
            raise ValueError(msg)
        if name in ("id", "size"):
            columns[name] = np.asarray(catalog[name]).tolist()
        elif name in PARAMETERS:
            columns[name] = to_floats(catalog[name], PARAMETERS[name].unit).tolist()
        else:
            columns[name] = to_floats(catalog[name], u.arcsec).tolist()
    n_rows = len(columns["id"])
    return [{name: column[row] for name, column in columns.items()} for row in range(n_rows)]


def _to_cutout(row, config, data, sigma, mask, flags):
    header = Header()
    header["ID"] = (row["id"], "row of the catalog")
    header["MAGZP"] = (config.zeropoint, "AB magnitude of a flux of 1")
    header["PIXSCALE"] = (config.pixel_scale, "arcsec per pixel")
    header[FLAG_CARD] = (int(flags), "sersicnet flags")
    psf = draw_psf(
        config.psf, pixel_scale=config.pixel_scale, fwhm=row["psf_fwhm"], jitter=row["psf_jitter"]
    )
    uncertainty = None
    if sigma is not None:
        uncertainty = StdDevUncertainty(sigma)
    return CCDData(
        data,
        unit=config.unit,
        uncertainty=uncertainty,
        mask=mask,
        wcs=_wcs(row["size"], config.pixel_scale),
        psf=psf,
        meta=header,
    )


@lru_cache(maxsize=1024)
def _wcs(size, pixel_scale):
    """Make a tangent plane with north up and east left, its reference in the middle."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [150.0, 2.2]
    wcs.wcs.crpix = [(size + 1) / 2, (size + 1) / 2]
    wcs.wcs.cdelt = [-pixel_scale / 3600, pixel_scale / 3600]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.array_shape = (size, size)
    return wcs
