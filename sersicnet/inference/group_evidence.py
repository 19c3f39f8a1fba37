"""Evidences of groups of sources, which say how many sources there are."""

import math

import numpy as np
import torch

from sersicnet.inference.evidence import laplace_evidence
from sersicnet.inference.fit import Modes
from sersicnet.model.groups import members_layout
from sersicnet.model.labels import N_LABELS
from sersicnet.model.prior import SNR_LIMITS
from sersicnet.model.scene import Scene

__all__ = ["group_evidence"]

# Decades of the S/N over which the flux of each source is uniform in its logarithm.
_DECADES = math.log10(SNR_LIMITS[1] / SNR_LIMITS[0])


def group_evidence(fit, places):
    """Return the logarithm of the evidence of a group, by Laplace's approximation.

    The prior of each member is that of a single galaxy, its center within 3 pixels of its place. A
    point source has the prior of what it does not show, so that it counts as a galaxy.

    Parameters
    ----------
    fit : `~sersicnet.inference.Fit`
        Fit of one group, seven parameters per member; others behind these are of empty places.
    places : (M, 2) `~numpy.ndarray`
        What centers of its M members are counted from.

    Returns
    -------
    float
        NaN where it is not known.
    """
    n_members = len(places)
    own = slice(0, N_LABELS * n_members)
    modes = Modes(
        mean=fit.modes.mean[:, :, own],
        covariance=fit.modes.covariance[:, :, own, own],
        cost=fit.modes.cost,
        log_likelihood=fit.modes.log_likelihood,
        slope=fit.modes.slope[:, :, own],
        fisher=fit.modes.fisher[:, :, own, own],
    )
    layout = members_layout(("sersic",) * n_members)
    scene = Scene.of(layout, torch.from_numpy(np.ravel(places)[None].astype(float)))
    found = laplace_evidence(modes, scene)
    if found.rough[0]:
        return np.nan
    return float(found.log_evidence[0]) - n_members * math.log(_DECADES)
