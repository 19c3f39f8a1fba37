"""Joint fits in the place of those that do not know of neighbors."""

import numpy as np

from sersicnet.flags import Flags
from sersicnet.inference.fits import BatchFit
from sersicnet.inference.refined import FitDensity, fit_quantiles
from sersicnet.model.scene import Scene
from sersicnet.parameters import PARAMETERS

__all__ = ["put_joint_fits"]

MAG = tuple(PARAMETERS).index("mag")
# What the flag of a blend stands for: share of light within the half-light ellipse, and change of
# the flux in units of its error.
_BLEND_FRACTION = 0.05
_MOVED = 0.5
# Flags that a joint fit sets anew.
_OF_FITS = Flags.NOT_REFINED | Flags.AT_BOUND | Flags.SKY_DEGENERATE


def put_joint_fits(joint, refined, quantiles, columns, flags, stamps, *, psfs, pixels, prior, seed):
    """Put joint fits in the place of fits to stamps on which neighbors are masked.

    Where a joint fit has not converged, the other is kept, with a flag.

    Parameters
    ----------
    joint : `~sersicnet.inference.joint_fits.JointFits` or None
        The joint fits.
    refined, quantiles, columns, flags
        What `~sersicnet.inference.LevenbergMarquardt` returns for all sources.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of all sources.
    psfs : `~sersicnet.model.PSFs`
        PSFs of their cutouts.
    pixels : `~sersicnet.inference.assumptions.PixelModel`
        What is known of their pixels.
    prior : bool
        Whether the prior counts.
    seed : int
        Seed of random draws.

    Returns
    -------
    refined, quantiles, columns, flags, stamps
        The same for joint fits, with the columns ``group_size`` and ``blend_fraction``.
    """
    n = len(stamps)
    columns = columns | {"group_size": np.ones(n, dtype=np.int64), "blend_fraction": np.zeros(n)}
    columns["blend_fraction"][np.isnan(quantiles[MAG, 1])] = np.nan
    if joint is None:
        return refined, quantiles, columns, flags, stamps
    flags = flags.copy()
    flags[joint.rows[~joint.fit.converged]] |= int(Flags.GROUP_NOT_CONVERGED)
    joint = joint[joint.fit.converged]
    rows = joint.rows
    if not len(rows):
        return refined, quantiles, columns, flags, stamps
    scene = Scene.sersic(len(rows))
    start = np.full((len(rows), scene.layout.n_parameters), np.nan)
    fits = BatchFit(start, scene, joint.fit, psfs.log_light[rows], joint.offset, [])
    network = refined.network[rows]
    covariance = fits.widened(network, seed)
    shifts = fits.log_light, fits.offset
    density = FitDensity(network, joint.fit.mean, covariance, *shifts, fits.skies(), prior, scene)
    fitted = fit_quantiles(density, joint.fit.held, joint.stamps.frame)
    flags[rows] &= ~int(_OF_FITS)
    flags[rows] |= np.where(joint.fit.held.any(axis=1), int(Flags.AT_BOUND), 0)
    flags[rows] |= fits.sky_flags(pixels[rows])
    blended = joint.blend_fraction >= _BLEND_FRACTION
    blended |= _has_moved(quantiles[:, :, rows], fitted)
    flags[rows] |= np.where(blended, int(Flags.BLENDED), 0)
    found = fits.columns(joint.stamps, joint.fit.converged) | {"n_iter": joint.fit.n_iter}
    found |= {"group_size": joint.group_size, "blend_fraction": joint.blend_fraction}
    for name, values in found.items():
        columns[name][rows] = values
    quantiles = quantiles.copy()
    quantiles[:, :, rows] = fitted
    stamps = stamps.with_rows(rows, joint.stamps)
    return refined.with_rows(rows, density), quantiles, columns, flags, stamps


def _has_moved(masked, fitted):
    """Return whether fluxes differ between fits with and without neighbors."""
    low, median, high = fitted[MAG]
    with np.errstate(invalid="ignore"):
        return np.abs(median - masked[MAG, 1]) > _MOVED * (high - low) / 2
