"""Bad pixels that nobody has masked, and how much of a galaxy's light they hide."""

import numpy as np
import torch

from sersicnet.flags import Flags
from sersicnet.inference.fits import median_labels
from sersicnet.model.render import render_models
from sersicnet.preprocessing.binning import groups_by_bins
from sersicnet.preprocessing.quality import middle_radius

__all__ = ["hidden_light", "judge_gaps"]

# Share of a galaxy's light in unmasked bad pixels from which on they are a flag. The weight of each
# pixel says that it is missing, so that what is measured does not depend on it.
MATTERS = 0.01


@torch.no_grad()
def hidden_light(quantiles, stamps, psfs, *, device="cpu"):
    """Compute the share of the light of galaxies that is in bad pixels which were not masked.

    Parameters
    ----------
    quantiles : (7, 3, N) `~numpy.ndarray`
        Quantiles of all parameters at 16, 50 and 84 %.
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps of the galaxies.
    psfs : `~sersicnet.model.PSFs`
        PSFs of their cutouts.
    device : str or `~torch.device`
        Device on which models are rendered.

    Returns
    -------
    (N,) `~numpy.ndarray`
        0 without such pixels; NaN where there is no model.
    """
    device = torch.device(device)
    share = np.zeros(len(stamps))
    flagged = stamps.flags & int(Flags.BAD_PIXELS) != 0
    if not flagged.any():
        return share
    labels = median_labels(quantiles, stamps, psfs)
    known = np.isfinite(labels).all(axis=1) & (psfs.which >= 0)
    share[flagged & ~known] = np.nan
    size = stamps.data.shape[-1]
    for rows, group in groups_by_bins(stamps, psfs):
        chosen = np.flatnonzero((flagged & known)[rows])
        for part, _, models in render_models(labels[rows], chosen, group, size, device=device):
            gaps = torch.from_numpy(stamps.gaps[rows[part]].astype(np.float32)).to(device)
            hidden = (gaps * models).sum(dim=(1, 2)) / models.sum(dim=(1, 2))
            share[rows[part]] = hidden.cpu().numpy()
    return share


def judge_gaps(stamps, hidden=None):
    """Keep the flag ``BAD_PIXELS`` only where bad pixels hide light of the galaxy.

    Parameters
    ----------
    stamps : `~sersicnet.preprocessing.Stamps`
        Stamps, flagged wherever a pixel is bad.
    hidden : (N,) `~numpy.ndarray`, optional
        Shares of `hidden_light`; without a model, bad pixels in the middle count.

    Returns
    -------
    `~sersicnet.preprocessing.Stamps`
    """
    matters = _in_the_middle(stamps)
    if hidden is not None:
        matters = ~(hidden < MATTERS)  # also where it is not known
    return stamps.without_flags(np.where(matters, 0, int(Flags.BAD_PIXELS)))


def _in_the_middle(stamps):
    """Return whether the middle of stamps has gaps, a circle as for ``OFF_CENTER``."""
    size = stamps.data.shape[-1]
    offset = np.arange(size) - (size - 1) / 2
    distance = np.hypot(offset[:, None], offset)
    length = np.minimum(stamps.shapes.min(axis=1) // stamps.frame.bins, size)
    near = distance <= middle_radius(length)[:, None, None]
    return (near & (stamps.gaps > 0)).any(axis=(1, 2))
