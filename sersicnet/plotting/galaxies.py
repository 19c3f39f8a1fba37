"""A figure of one galaxy: image, model, residual and profile, with its numbers."""

import numpy as np
from matplotlib.figure import Figure

from sersicnet.flags import decode_flags
from sersicnet.plotting.images import plot_residuals
from sersicnet.plotting.profiles import plot_profile

__all__ = ["plot_galaxy"]

# How numbers are written.
_TEXTS = {
    "mag": ("$m_\\mathrm{{AB}}$ {:.2f} ± {:.2f}", "{:.2f}"),
    "r_eff": ("$R_\\mathrm{{e}}$ {:.3g} ± {:.1g}″", "{:.3g}"),
    "n": ("$n$ {:.2f} ± {:.2f}", "{:.2f}"),
    "q": ("$q$ {:.2f} ± {:.2f}", "{:.2f}"),
}
# Flags in one line of a title.
_MOST_FLAGS = 4


def plot_galaxy(cutout, results, *, index=0, psf=None, figure=None):
    """Plot image, model, residual and profile of one galaxy, with its numbers and flags.

    Parameters
    ----------
    cutout : `~astropy.nddata.NDData` or 2-D array
        The cutout of the galaxy.
    results : `~sersicnet.SersicResults`
        Results of the same cutout.
    index : int, optional
        Row of the galaxy in ``results``.
    psf : (K, L) array_like, optional
        Star-like stamp; by default that of the measurement.
    figure : `~matplotlib.figure.Figure` or subfigure, optional
        Figure to draw on.

    Returns
    -------
    `~matplotlib.figure.Figure` or subfigure

    Raises
    ------
    ValueError
        For the reasons of `plot_profile`.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import CCDData
    >>> from sersicnet import SersicNet
    >>> from sersicnet.plotting import plot_galaxy
    >>> y, x = np.mgrid[:41, :41] - 20
    >>> star = np.exp(-(x**2 + y**2) / 8)
    >>> noise = np.random.default_rng(1).normal(size=(41, 41))
    >>> cutout = CCDData(40 * np.exp(-np.hypot(x, y) / 5) + noise, unit="adu")
    >>> results = SersicNet.from_pretrained().predict(
    ...     [cutout], psf=star, pixel_scale=0.2, zeropoint=27
    ... )
    >>> figure = plot_galaxy(cutout, results)
    >>> len(figure.subfigs)
    2
    """
    model = results.model_image(index, cutout, psf=psf)
    if figure is None:
        figure = Figure(figsize=(10.4, 4.2), layout="constrained")
    pictures, profile = figure.subfigures(1, 2, width_ratios=(1.75, 1))
    plot_residuals([cutout], [model], figure=pictures)
    plot_profile(cutout, results, index=index, psf=psf, figure=profile)
    pictures.suptitle(_title(results, index), fontsize=10, x=0.02, ha="left")
    return figure


def _title(results, index):
    """Write the numbers of a galaxy, its model and its flags."""
    numbers = []
    for name, (with_error, alone) in _TEXTS.items():
        if name not in results.parameters:
            continue
        value = results.median(name)[index]
        error = results.error(name)[index]
        if np.isfinite(value):
            text = with_error if np.isfinite(error) else with_error.partition("{:")[0] + alone
            numbers.append(text.format(value, error))
    flags = decode_flags(results.flags[index])
    words = ", ".join(flags[:_MOST_FLAGS]) or "no flags"
    if len(flags) > _MOST_FLAGS:
        words += f" and {len(flags) - _MOST_FLAGS} more"
    parts = " + ".join(name for name, _ in results.parts_of(index))
    return "  ".join(numbers) + "\n" + (f"{parts}: " if parts else "") + words
