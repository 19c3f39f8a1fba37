"""What a normalizing flow says about the labels of N galaxies."""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet._rows import Rows, own_normal
from sersicnet.model.labels import CENTER, LOG_FLUX, N_LABELS, axis_ratio, length, split_labels
from sersicnet.model.symmetries import inverse_orientation, orient_labels
from sersicnet.model.unconstrained import from_unconstrained
from sersicnet.networks.posterior import Posterior

__all__ = ["FlowDensity", "base_points", "flow_labels", "label_dict"]

# Samples that are drawn at a time: 64 MB of the flow's intermediate numbers.
_CHUNK = 2**16


@dataclass(frozen=True, eq=False)
class FlowDensity(Rows):
    """Densities of all seven labels by a normalizing flow.

    Attributes
    ----------
    flow : `~zuko.flows.Flow`
        On the CPU.
    context : (N, W, C) `~numpy.ndarray`
        What the encoder said of each galaxy, seen in W of the eight ways to flip and transpose
        a stamp, as it is first. The density is the mean of theirs.
    mean : (N, W, 7) `~numpy.ndarray`
        Of the unconstrained labels; NaN for a galaxy without an answer.
    factor : (N, W, 7, 7) `~numpy.ndarray`
        Whitens them.
    log_light : (N,) `~numpy.ndarray`
        Decimal logarithm of the share of the light that the PSF holds which the network saw,
        subtracted from ``log_flux``.
    offset : (N, 2) `~numpy.ndarray`
        Shift of the PSF to the middle of its stamp, subtracted from ``dx`` and ``dy``.
    """

    shared = ("flow",)

    flow: torch.nn.Module
    context: np.ndarray
    mean: np.ndarray
    factor: np.ndarray
    log_light: np.ndarray
    offset: np.ndarray

    def distribution(self, rows, way=0):
        """The `~sersicnet.networks.Posterior` of some galaxies, seen in one way.

        Its flux and center are raw.
        """
        parts = (getattr(self, name)[rows, way] for name in ("context", "mean", "factor"))
        return Posterior(self.flow, *(torch.from_numpy(part.copy()) for part in parts))

    def draw(self, rows, n, seed):
        """Labels of some galaxies, dict of (R, n) `~numpy.ndarray`; each has its own generator."""
        rows = np.asarray(rows)
        labels = np.full((len(rows), n, N_LABELS), np.nan)
        good = np.flatnonzero(np.isfinite(self.mean[rows]).all(axis=(1, 2)))
        n_ways = self.mean.shape[1]
        step = max(1, _CHUNK // max(n, 1))
        for start in range(0, len(good), step):
            part = good[start : start + step]
            normal = np.swapaxes(own_normal(rows[part], (n, N_LABELS), seed), 0, 1)
            for way in range(n_ways):
                posterior, drawn = self.distribution(rows[part], way), normal[way::n_ways]
                found = flow_labels(posterior, torch.from_numpy(drawn))
                labels[part, way::n_ways] = orient_labels(found, inverse_orientation(way))
        labels[:, :, LOG_FLUX] -= self.log_light[rows, None]
        labels[:, :, CENTER] -= self.offset[rows, None]
        return label_dict(labels)


def label_dict(labels):
    """Samples (N, S, 7) by the names of labels, with the axis ratio ``q`` that they imply."""
    columns = split_labels(labels)
    q = axis_ratio(length(columns.e1, columns.e2))
    return columns._asdict() | {"q": q}


@torch.no_grad()
def flow_labels(posterior, normal):
    """Labels, (N, S, 7) `~numpy.ndarray`, at standard normal numbers, (S, N, 7) tensor."""
    normal = normal.to(posterior.mean.device, posterior.mean.dtype)
    labels = from_unconstrained(posterior.transport(normal))
    return labels.transpose(0, 1).double().cpu().numpy()


def base_points(n, seed):
    """Evenly spread standard normal points, the same for each galaxy: (n, 7) `~numpy.ndarray`.

    Scrambled Sobol points: medians from 64 of them are off by 0.04 of the error (rms), as from
    900 independent ones, and errors by 5 %.
    """
    from scipy.stats import norm  # a machine that only trains may lack it

    sobol = torch.quasirandom.SobolEngine(N_LABELS, scramble=True, seed=int(seed))
    points = sobol.draw(int(n), dtype=torch.float64).numpy()
    return norm.ppf(points * (1 - 2e-6) + 1e-6)
