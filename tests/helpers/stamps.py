"""Stamps of galaxies, and small networks of the posterior."""

import torch

from sersicnet.model.psf import PSF_SIZE
from sersicnet.networks.registry import build_network

N, SIZE = 5, 128
SMALL = {
    "channels": (8, 16),
    "hidden": 24,
    "context": 12,
    "transforms": 2,
    "flow_hidden": 16,
    "bins": 4,
}


def make_stamps(n=N, *, seed=0, snr=30.0):
    """Round blobs in noise with bad pixels, and their PSFs: data, weight, PSF."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.arange(SIZE) - (SIZE - 1) / 2
    radius2 = axis**2 + axis[:, None] ** 2
    width = 2 + 4 * torch.rand(n, 1, 1, generator=generator)
    weight = 0.8 + 0.4 * torch.rand(n, SIZE, SIZE, generator=generator)
    weight[torch.rand(n, SIZE, SIZE, generator=generator) < 0.05] = 0
    noise = torch.randn(n, SIZE, SIZE, generator=generator)
    data = (snr * torch.exp(-0.5 * radius2 / width**2) + noise) * (weight > 0)
    return data, weight, gaussian_psf(n)


def gaussian_psf(n, sigma=1.5):
    axis = torch.arange(PSF_SIZE) - PSF_SIZE // 2
    psf = torch.exp(-0.5 * (axis**2 + axis[:, None] ** 2) / sigma**2)
    return (psf / psf.sum()).expand(n, -1, -1)


def make_network(config=SMALL, *, spread=0.2):
    """A network in evaluation mode whose answers are not those of its beginning."""
    network = build_network("posterior", **config).eval()
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for parameter in (*network.whiten.parameters(), *network.flow.parameters()):
            parameter += spread * torch.randn(parameter.shape, generator=generator)
    return network
