"""Joint fits in the place of those that do not know of neighbors."""

import numpy as np

from sersicnet.flags import Flags
from sersicnet.inference.fits import BatchFit
from sersicnet.inference.joint_fits import fit_jointly
from sersicnet.inference.refined import FitDensity, fit_quantiles
from sersicnet.model.scene import Scene
from sersicnet.parameters import PARAMETERS

__all__ = ["BLEND_FRACTION", "MOVED", "with_neighbors"]

MAG = tuple(PARAMETERS).index("mag")
# What the flag of a blend stands for: share of light within the half-light ellipse, and change of
# the flux in units of its error.
BLEND_FRACTION = 0.05
MOVED = 0.5
# Flags that a joint fit sets anew.
_OF_FITS = Flags.NOT_REFINED | Flags.AT_BOUND | Flags.SKY_DEGENERATE


def with_neighbors(around, refined, stamps, *, pixels, assumptions, evaluate, prior, seed, device):
    """Put joint fits in the place of fits to stamps on which neighbors are masked.

    Where a joint fit has not converged, the other is kept, with a flag.

    Parameters
    ----------
    around : `~sersicnet.inference.neighborhoods.Neighborhoods`
        The sources of the cutouts.
    refined : tuple
        Posteriors, quantiles, columns and flags that `~sersicnet.inference.LevenbergMarquardt`
        returns for all sources.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of all sources, on which neighbors are masked.
    pixels : `~sersicnet.inference.assumptions.PixelModel`
        What is known of their pixels.
    assumptions, evaluate, prior, device
        As in `~sersicnet.inference.joint_fits.fit_jointly`.
    seed : int
        Seed of random draws.

    Returns
    -------
    refined : tuple
        The same with the columns ``group_size`` and ``blend_fraction``.
    stamps : `~sersicnet.preprocessing.Stamps`
        The same without the light of neighbors that were fitted.
    """
    posterior, quantiles, columns, flags = refined
    options = {"assumptions": assumptions, "evaluate": evaluate, "prior": prior, "device": device}
    joint = fit_jointly(around, quantiles, stamps, **options)
    size = np.ones(len(stamps), dtype=np.int64)
    fraction = np.where(np.isnan(quantiles[MAG, 1]), np.nan, 0.0)
    columns = columns | {"group_size": size, "blend_fraction": fraction}
    if joint is None:
        return (posterior, quantiles, columns, flags), stamps
    flags = flags.copy()
    flags[joint.rows[~joint.fit.converged]] |= int(Flags.GROUP_NOT_CONVERGED)
    joint = joint[joint.fit.converged]
    rows = joint.rows
    if not len(rows):
        return (posterior, quantiles, columns, flags), stamps
    log_light = around.masked.psfs.log_light[rows]
    fits = BatchFit(None, Scene.sersic(len(rows)), joint.fit, log_light, joint.offset, [])
    network = posterior.network[rows]
    density = FitDensity(
        network,
        joint.fit.mean,
        fits.widened(network, seed),
        log_light,
        joint.offset,
        fits.skies(),
        prior=prior,
        scene=fits.scene,
    )
    fitted = fit_quantiles(density, joint.fit.held, joint.stamps.frame)
    found = fits.columns(joint.stamps, joint.fit.converged) | {"n_iter": joint.fit.n_iter}
    found |= {"group_size": joint.group_size, "blend_fraction": joint.blend_fraction}
    for name, values in found.items():
        columns[name][rows] = values
    flags[rows] = _flags(joint, fits, pixels[rows], flags[rows])
    flags[rows] |= np.where(_has_moved(quantiles[:, :, rows], fitted), int(Flags.BLENDED), 0)
    quantiles = quantiles.copy()
    quantiles[:, :, rows] = fitted
    posterior = posterior.with_rows(rows, density)
    return (posterior, quantiles, columns, flags), stamps.with_rows(rows, joint.stamps)


def _flags(joint, fits, pixels, flags):
    """Return flags with those of joint fits."""
    flags = flags & ~int(_OF_FITS)
    flags |= np.where(joint.fit.held.any(axis=1), int(Flags.AT_BOUND), 0)
    flags |= np.where(joint.blend_fraction >= BLEND_FRACTION, int(Flags.BLENDED), 0)
    return flags | fits.sky_flags(pixels)


def _has_moved(masked, fitted):
    """Return whether fluxes differ between fits with and without neighbors."""
    low, median, high = fitted[MAG]
    with np.errstate(invalid="ignore"):
        return np.abs(median - masked[MAG, 1]) > MOVED * (high - low) / 2
