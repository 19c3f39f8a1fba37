"""How good a universal network is on scenes of each stratum of S/N; part of its record."""

import math
from itertools import pairwise

import torch

from sersicnet.prior import LABELS, from_unconstrained, log_snr, to_unconstrained
from sersicnet.scenes import SceneMaker

__all__ = ["validate_by_snr"]

# S/N within the half-light ellipse that strata begin and end at.
STRATA = (2, 10, 30, 100, 1000, 20000)


@torch.no_grad()
def validate_by_snr(network, *, seed, n_scenes=4096, n_samples=64, contaminants=None):
    """How good a network is on scenes of each stratum of S/N.

    Parameters
    ----------
    network : `~sersicnet.posterior.PosteriorNetwork`
        On any device.
    seed : int
        Of the scenes.
    n_scenes, n_samples : int
        Scenes, and posterior samples of each.
    contaminants : `~sersicnet.contaminants.Contaminants`, optional
        Of the scenes.

    Returns
    -------
    list of dict
        For each stratum ``snr`` (its limits), ``n``, ``loss`` and, for each label, the rms
        error of the median ``rms_<label>`` and the share of truths between the 16
        and 84 % quantiles ``coverage_<label>``.
    """
    device = next(network.parameters()).device
    n_galaxies = min(2048, -(-n_scenes // 64) * 64)
    maker = SceneMaker(
        seed, contaminants=contaminants, n_galaxies=n_galaxies, reuse=1, device=device
    )
    generator = torch.Generator(device).manual_seed(seed)
    network.eval()
    parts = []
    for scenes, _ in zip(maker.batches(64), range(-(-n_scenes // 64)), strict=False):
        posterior = network(scenes.data, scenes.weight, scenes.psf)
        loss = -posterior.log_prob_unconstrained(to_unconstrained(scenes.labels))
        normal = torch.randn(n_samples, len(loss), len(LABELS), generator=generator, device=device)
        samples = from_unconstrained(posterior.transport(normal))
        levels = torch.tensor([0.16, 0.5, 0.84], device=device)
        low, median, high = torch.quantile(samples, levels, dim=0)
        inside = (scenes.labels > low) & (scenes.labels < high)
        parts.append((log_snr(scenes.labels), loss, scenes.labels - median, inside.float()))
    snr, loss, error, inside = (torch.cat(part).cpu() for part in zip(*parts, strict=True))
    rows = []
    for low, high in pairwise(STRATA):
        rows_in = (snr >= math.log10(low)) & (snr < math.log10(high))
        row = {"snr": [low, high], "n": int(rows_in.sum()), "loss": float(loss[rows_in].mean())}
        for number, name in enumerate(LABELS):
            row[f"rms_{name}"] = float(error[rows_in, number].square().mean().sqrt())
            row[f"coverage_{name}"] = float(inside[rows_in, number].mean())
        rows.append(row)
    return rows
