"""Losses, errors and coverages of a network on scenes of each stratum of S/N.

Imports torch, numpy and zuko only, so that it runs on a bare GPU machine.
"""

import itertools
import math

import torch

from sersicnet.model.labels import LABELS, N_LABELS
from sersicnet.model.prior import log_snr
from sersicnet.model.unconstrained import from_unconstrained, to_unconstrained
from sersicnet.training.scenes import SceneMaker

__all__ = ["STRATA", "validate_by_snr"]

# Galaxies in a batch.
_BATCH = 64
# Edges of the strata of S/N within the half-light ellipse.
STRATA = (2, 10, 30, 100, 1000, 20000)


@torch.no_grad()
def validate_by_snr(network, *, seed, n_scenes=4096, n_samples=64, contaminants=None):
    """Measure losses, errors and coverages on scenes of each stratum of S/N.

    Parameters
    ----------
    network : `~sersicnet.networks.PosteriorNetwork`
        Network, on any device.
    seed : int
        Seed of the scenes.
    n_scenes, n_samples : int
        Number of scenes, and of posterior samples of each.
    contaminants : `~sersicnet.training.Contaminants`, optional
        Simulated imperfections of the scenes.

    Returns
    -------
    list of dict
        For each stratum ``snr`` (its limits), ``n``, ``loss`` and, for each label, the rms error
        of the median ``rms_<label>`` and the share of truths between the 16 and 84 % quantiles
        ``coverage_<label>``.
    """
    device = next(network.parameters()).device
    n_batches = math.ceil(n_scenes / _BATCH)
    maker = SceneMaker(
        seed,
        contaminants=contaminants,
        n_galaxies=min(2048, n_batches * _BATCH),
        reuse=1,
        device=device,
        stars=network.needs_fine,
    )
    generator = torch.Generator(device).manual_seed(seed)
    network.eval()
    parts = []
    for scenes in itertools.islice(maker.batches(_BATCH), n_batches):
        parts.append(_scene_scores(network, scenes, n_samples, generator))
    snr, loss, error, inside = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
    rows = []
    for low, high in itertools.pairwise(STRATA):
        chosen = (snr >= math.log10(low)) & (snr < math.log10(high))
        row = {"snr": [low, high], "n": int(chosen.sum()), "loss": float(loss[chosen].mean())}
        for number, name in enumerate(LABELS):
            row[f"rms_{name}"] = float(error[chosen, number].square().mean().sqrt())
            row[f"coverage_{name}"] = float(inside[chosen, number].mean())
        rows.append(row)
    return rows


def _scene_scores(network, scenes, n_samples, generator):
    """S/N, loss, errors of the medians, and whether truths are within the 68 % intervals."""
    device = generator.device
    *images, _ = scenes.tensors()
    posterior = network(*images)
    loss = -posterior.log_prob_unconstrained(to_unconstrained(scenes.labels))
    normal = torch.randn(n_samples, len(loss), N_LABELS, generator=generator, device=device)
    samples = from_unconstrained(posterior.transport(normal))
    levels = torch.tensor([0.16, 0.5, 0.84], device=device)
    low, median, high = torch.quantile(samples, levels, dim=0)
    inside = (scenes.labels > low) & (scenes.labels < high)
    return log_snr(scenes.labels), loss, scenes.labels - median, inside.float()
