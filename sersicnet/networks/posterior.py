"""The network for any survey: from stamps and their PSFs to posteriors of the seven labels.

An encoder summarizes the image in one vector; a normalizing flow turns it into a density. Like
all that training needs, it imports torch, NumPy and zuko only.
"""

import gc
from itertools import pairwise

import torch
import zuko
from torch import nn

from sersicnet.model.labels import LOG_FLUX, N_LABELS
from sersicnet.model.psf import PSF_SIZE
from sersicnet.model.unconstrained import from_unconstrained, log_volume, to_unconstrained
from sersicnet.networks.features import GRID, N_CHANNELS, N_SUMS, ZOOMS, Features

__all__ = ["PSF_SIZE", "Posterior", "PosteriorNetwork"]


class Posterior:
    """Posteriors of the labels of N galaxies.

    Parameters
    ----------
    flow : `~zuko.flows.Flow`
        Normalizing flow of the whitened labels, given the context.
    context : (N, C) `~torch.Tensor`
        Summary of each galaxy by the encoder.
    mean : (N, 7) `~torch.Tensor`
        Mean of the unconstrained labels.
    factor : (N, 7, 7) `~torch.Tensor`
        Lower triangular matrix that whitens the unconstrained labels.
    """

    def __init__(self, flow, context, mean, factor):
        self.flow = flow
        self.context = context
        self.mean = mean
        self.factor = factor

    def log_prob_unconstrained(self, values):
        """Evaluate the logarithm of the density of unconstrained labels: (N,) for (N, 7)."""
        white = (self.factor @ (values - self.mean)[..., None])[..., 0]
        volume = torch.log(torch.diagonal(self.factor, dim1=-2, dim2=-1)).sum(-1)
        return self.flow(self.context).log_prob(white) + volume

    def log_prob(self, labels):
        """Evaluate the logarithm of the density of labels.

        Parameters
        ----------
        labels : (N, 7) or (S, N, 7) `~torch.Tensor`
            Labels in the order of `~sersicnet.model.LABELS`.

        Returns
        -------
        (N,) or (S, N) `~torch.Tensor`
        """
        values = to_unconstrained(labels)
        return self.log_prob_unconstrained(values) - log_volume(values)

    def transport(self, normal):
        """Transform standard normal numbers to unconstrained labels, both (S, N, 7)."""
        white = self.flow(self.context).transform.inv(normal)
        # Transforms and their inverses refer to each other: their tensors, 1 MB per galaxy for 64
        # draws, would stay until Python looks for such circles.
        gc.collect(0)
        inverse = torch.linalg.inv(self.factor)
        return self.mean + (inverse @ white[..., None])[..., 0]

    def sample(self, n, *, generator=None):
        """Draw samples of the labels.

        Parameters
        ----------
        n : int
            Number of samples S.
        generator : `~torch.Generator`, optional
            Generator of random numbers, on the device of the network.

        Returns
        -------
        (S, N, 7) `~torch.Tensor`
        """
        normal = torch.randn(n, *self.mean.shape, generator=generator, device=self.mean.device)
        return from_unconstrained(self.transport(normal))


class _Block(nn.Module):
    """A 3 x 3 convolution whose result is added to its input."""

    def __init__(self, channels):
        super().__init__()
        self.layers = nn.Sequential(*_layer(channels, channels))

    def forward(self, x):
        return x + self.layers(x)


def _layer(before, after, stride=1):
    return [
        nn.Conv2d(before, after, 3, padding=1, stride=stride, bias=False),
        nn.GroupNorm(8, after),
        nn.ReLU(),
    ]


def _encoder(channels, blocks):
    layers = []
    for before, after in pairwise((N_CHANNELS, *channels)):
        layers += _layer(before, after, stride=2)
        layers += [_Block(after) for _ in range(blocks)]
    return nn.Sequential(*layers)


class PosteriorNetwork(nn.Module):
    """A network from stamps, weights and PSFs to a `Posterior`.

    It sees the middle of the stamp unbinned, and more of it binned by 2 and 4: the
    core is sharp, the outskirts are deep, and the three cost as little as one image of 55 pixels.
    A convolutional encoder sees all three zooms with the same weights; in addition, exact sums
    over rings and their angular modes keep the precision of bright galaxies, which the rounding
    of a deep network would lose. A first guess of the flux from apertures is subtracted from the
    label, so that the network only learns the rest.

    Parameters
    ----------
    channels : tuple of int
        Number of channels of each stage, which halves the image of the stage before.
    blocks : int
        Number of residual blocks per stage.
    hidden : int
        Width of the dense layers.
    context : int
        Length of the vector that conditions the flow.
    transforms, flow_hidden, bins : int
        Number of transforms, width and number of bins of the neural spline flow.
    stamp_size : int
        Pixels on a side of the stamps, always 128.

    Raises
    ------
    ValueError
        If ``stamp_size`` is not 128.

    References
    ----------
    Durkan et al. 2019, NeurIPS (neural spline flows); zuko's implementation.
    """

    # Whether it also takes PSFs that are sampled as finely as rendering needs.
    needs_fine = False

    def __init__(
        self,
        *,
        channels=(32, 64, 128),
        blocks=1,
        hidden=256,
        context=96,
        transforms=3,
        flow_hidden=64,
        bins=8,
        stamp_size=128,
    ):
        super().__init__()
        if stamp_size != 128:
            msg = f"stamp_size={stamp_size!r} must be 128 for this network"
            raise ValueError(msg)
        self.config = {
            "channels": list(channels),
            "blocks": blocks,
            "hidden": hidden,
            "context": context,
            "transforms": transforms,
            "flow_hidden": flow_hidden,
            "bins": bins,
            "stamp_size": stamp_size,
        }
        self.features = Features()
        self.encoder = _encoder(channels, blocks)
        side = GRID >> len(channels)
        self.gather = nn.Linear(len(ZOOMS) * channels[-1] * side**2, hidden)
        self.sums = nn.Sequential(nn.Linear(N_SUMS, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.head = nn.Sequential(
            nn.LayerNorm(2 * hidden), nn.GELU(), nn.Linear(2 * hidden, hidden), nn.GELU()
        )
        self.context = nn.Linear(hidden, context)
        self.whiten = nn.Linear(hidden, N_LABELS + N_LABELS * (N_LABELS + 1) // 2)
        nn.init.zeros_(self.whiten.weight)
        nn.init.zeros_(self.whiten.bias)
        self.flow = zuko.flows.NSF(
            N_LABELS,
            context,
            transforms=transforms,
            bins=bins,
            hidden_features=(flow_hidden, flow_hidden),
            passes=2,
            randperm=False,
        )

    def forward(self, data, weight, psf):
        """Predict the posterior of the labels.

        Parameters
        ----------
        data, weight : (N, 128, 128) `~torch.Tensor`
            Stamps and their weights, as in `~sersicnet.preprocessing.Stamps`.
        psf : (N, 63, 63) `~torch.Tensor`
            Star-like PSFs of unit sum.

        Returns
        -------
        Posterior
        """
        return self.answer(*self.state(data, weight, psf), self.flow)

    @property
    def context_size(self):
        """Length of the contexts of its posteriors."""
        return self.config["context"]

    def state(self, data, weight, psf):
        """Return the summary of each galaxy, (N, hidden), and the first guess of its flux, (N,)."""
        # Half precision would round the pixels themselves.
        with torch.autocast(data.device.type, enabled=False):
            zooms, sums, guess = self.features(data, weight, psf)
            exact = self.sums(sums)
        encoded = self.encoder(zooms.contiguous(memory_format=torch.channels_last))
        encoded = encoded.reshape(len(data), -1)
        state = self.head(torch.cat([self.gather(encoded), exact], dim=1))
        return state.float(), guess

    def answer(self, state, guess, flow):
        """Return the `Posterior` that follows from the summary, by a flow."""
        with torch.autocast(state.device.type, enabled=False):
            mean, factor = self._whitening(self.whiten(state), guess)
            return Posterior(flow, self.context(state), mean, factor)

    def _whitening(self, outputs, guess):
        n = N_LABELS
        shift, log_scale, lower = outputs.split([n, n, n * (n - 1) // 2], dim=1)
        mean = shift.clone()
        mean[:, LOG_FLUX] = shift[:, LOG_FLUX] + guess.log10()
        rows, columns = torch.tril_indices(n, n, offset=-1, device=outputs.device)
        factor = torch.diag_embed(torch.ones_like(log_scale))
        factor = factor.index_put(
            (torch.arange(len(mean), device=mean.device)[:, None], rows, columns), lower
        )
        return mean, torch.exp(log_scale.clamp(-4, 9))[:, :, None] * factor
