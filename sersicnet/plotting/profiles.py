"""Surface brightness against radius: a galaxy, its model, and the parts of the model."""

from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from sersicnet.plotting.axes import canvas
from sersicnet.plotting.pixels import noise_of, pixels_of, residual
from sersicnet.plotting.style import LINE_COLOR, PART_COLORS
from sersicnet.preprocessing.annuli import Annuli
from sersicnet.preprocessing.images import as_image
from sersicnet.preprocessing.isophotes import fit_isophotes

__all__ = ["plot_profile"]

# S/N below which a mean is drawn as an upper limit, and the height of the limit in errors.
_LEAST_SNR = 1.0
_LIMIT = 2.0


def plot_profile(cutout, results, *, index=0, psf=None, isophotes=False, figure=None, ax=None):
    r"""Plot the surface brightness of a galaxy against radius, with its model and residuals.

    Pixels are averaged in elliptical annuli with the center, axis ratio and angle that were
    measured (in circles around a point source, which has no shape), and so are those of
    `~sersicnet.SersicResults.model_image`; a fitted sky is subtracted. Mask neighbors first
    (`~sersicnet.preprocessing.mask_neighbors`), since their light is in the means. Errors are those
    of the noise map, or of the scatter of the residual where the cutout has none, with the
    correlation of the noise that the residual shows.
    Means below their error are upper limits of two errors (arrows). Half of the FWHM of the PSF is
    marked: what is inside of it shows the PSF.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or 2-D array
        The cutout of the galaxy.
    results : `~sersicnet.SersicResults`
        Results of the same cutout; of several bands, those in the reference band are shown.
    index : int, optional
        Row of the galaxy in ``results``.
    psf : (K, L) array_like, optional
        Star-like stamp; by default that of the measurement.
    isophotes : bool, optional
        Whether to add the means along isophotes that `photutils.isophote.Ellipse` fits, whose shape
        changes with radius. Where it finds none, as for faint galaxies, the panel says so.
    figure : `~matplotlib.figure.Figure` or subfigure, optional
        Figure to draw on.
    ax : `~matplotlib.axes.Axes`, optional
        Axes of ``figure.subplots()`` that the panels replace, instead of ``figure``.

    Returns
    -------
    (2,) `~numpy.ndarray` of `~matplotlib.axes.Axes`
        Surface brightness [mag/arcsec\ :sup:`2`], and (data - model) / error, against the
        semi-major axis [arcsec] (pixel scale: the square root of a pixel's area).

    Raises
    ------
    ValueError
        If the galaxy was not measured, its shape and center were not, the cutout is another one,
        or no annulus has pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import CCDData
    >>> from sersicnet import SersicNet
    >>> from sersicnet.plotting import plot_profile
    >>> y, x = np.mgrid[:41, :41] - 20
    >>> star = np.exp(-(x**2 + y**2) / 8)
    >>> noise = np.random.default_rng(1).normal(size=(41, 41))
    >>> cutout = CCDData(40 * np.exp(-np.hypot(x, y) / 5) + noise, unit="adu")
    >>> results = SersicNet.from_pretrained().predict(
    ...     [cutout], psf=star, pixel_scale=0.2, zeropoint=27
    ... )
    >>> brightness, residual = plot_profile(cutout, results)
    >>> brightness.get_ylabel()
    'surface brightness\n[mag arcsec$^{-2}$]'
    """
    if hasattr(results, "bands"):
        results = results.band()
    cutout = as_image(cutout, "cutout")
    options = {"psf": psf, "sky": False}
    model = results.model_image(index, cutout, **options)
    with_sky = results.model_image(index, cutout, psf=psf)
    pixels = pixels_of(cutout) - (with_sky - model)
    annuli = Annuli(_ellipse(results, index), np.isfinite(pixels))
    data = annuli.mean(pixels)
    errors = annuli.error(noise_of(cutout, with_sky), residual(cutout, with_sky))
    scale = float(results.frame.pixel_scale[index])
    blur = results.inputs.find_psf(index, cutout, psf, None).widths()[0] / 2 * scale
    brightness = _Brightness(float(results.frame.zeropoint[index]), scale)
    radius = annuli.radius * scale

    figure = canvas(figure, ax, (4.4, 4.8), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    faintest = _draw_data(axes[0], radius, data, errors, brightness)
    if isophotes:
        found = fit_isophotes(pixels, _ellipse(results, index), _start(results, index))
        _draw_isophotes(axes[0], found, scale, brightness)
    parts = [name for name, _ in results.parts_of(index)]
    for name, color in zip(parts, PART_COLORS, strict=False):
        part = annuli.mean(results.model_image(index, cutout, component=name, **options))
        axes[0].plot(radius, brightness(part), color=color, ls="--", label=name)
    total = annuli.mean(model)
    axes[0].plot(radius, brightness(total), color=LINE_COLOR, label="model")
    axes[1].errorbar(radius, (data - total) / errors, yerr=1, fmt="o", ms=3, color="k", lw=0.8)
    axes[1].axhline(0, color=LINE_COLOR, lw=0.8)
    for ax, label in zip(axes, ("PSF HWHM", None), strict=True):
        ax.axvline(blur, color=LINE_COLOR, ls=":", lw=1, label=label)
    _label(axes, faintest)
    return axes


@dataclass(frozen=True)
class _Brightness:
    """Turns flux in a pixel into surface brightness [mag/arcsec^2]; NaN where it is negative."""

    zeropoint: float
    pixel_scale: float

    def __call__(self, flux):
        positive = np.where(flux > 0, flux, np.nan)
        return self.zeropoint - 2.5 * np.log10(positive / self.pixel_scale**2)


def _ellipse(results, index):
    """Return center [pix], axis ratio and angle [rad] in pixels; a point source is round."""
    missing = {"q", "theta", "x_0", "y_0"} - set(results.parameters)
    if missing:
        msg = f"{', '.join(sorted(missing))} were not predicted: a profile needs them"
        raise ValueError(msg)
    center = (float(results.median("x_0")[index]), float(results.median("y_0")[index]))
    q = float(results.pixel_shapes["q_pix"][index])
    theta = float(np.radians(results.median("theta")[index]))
    if np.isnan([q, theta]).any():
        return center, 1.0, 0.0
    return center, q, theta


def _draw_data(ax, radius, data, errors, brightness):
    """Draw the means of the pixels, points with errors and upper limits; return the faintest."""
    seen = data > _LEAST_SNR * errors
    brighter = brightness(data) - brightness(data + errors)
    fainter = brightness(data - errors) - brightness(data)
    spread = np.stack([brighter, fainter])[:, seen]
    ax.errorbar(radius[seen], brightness(data)[seen], spread, fmt="o", ms=3, color="k", lw=0.8)
    limits = brightness(np.maximum(data, 0) + _LIMIT * errors)[~seen]
    arrows = {"marker": r"$\downarrow$", "color": "0.5", "s": 30, "lw": 0}
    ax.scatter(radius[~seen], limits, label="upper limit" if limits.size else None, **arrows)
    return np.nanmax(np.concatenate([brightness(data)[seen], limits]))


def _start(results, index):
    """Return the semi-major axis that isophotes start from, in pixels."""
    radius = float(results.pixel_shapes["r_eff_pix"][index])
    return radius if np.isfinite(radius) else 0.0


def _draw_isophotes(ax, found, scale, brightness):
    """Draw means along isophotes, or say that there are none."""
    if found is None:
        ax.text(0.03, 0.03, "photutils fits no isophotes", transform=ax.transAxes, size="small")
        return
    radius, mean, error = found
    seen = mean > _LEAST_SNR * error
    radius, mean, error = radius[seen] * scale, mean[seen], error[seen]
    brighter = brightness(mean) - brightness(mean + error)
    fainter = np.nan_to_num(brightness(mean - error) - brightness(mean))
    style = {"fmt": "s", "ms": 4, "mfc": "none", "color": "0.5", "lw": 0.8, "zorder": 1}
    ax.errorbar(radius, brightness(mean), np.stack([brighter, fainter]), label="isophotes", **style)


def _label(axes, faintest):
    """Label the panels; magnitudes run downward, to a magnitude below the faintest datum."""
    _, brightest = sorted(axes[0].get_ylim(), reverse=True)
    axes[0].set_ylim(faintest + 1, brightest)
    axes[0].set_ylabel("surface brightness\n[mag arcsec$^{-2}$]")  # also in low panels
    axes[0].legend(frameon=False)
    axes[1].set_ylabel("(data $-$ model)\n/ error")
    axes[1].set_xlabel("semi-major axis [arcsec]")
    axes[1].set_xscale("log")
    axes[1].xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes[1].xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes[1].xaxis.set_minor_formatter(NullFormatter())
