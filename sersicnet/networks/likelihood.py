"""The universal network of the second generation: it sees the likelihood at its first answer.

The first answer is that of a `~sersicnet.networks.PosteriorNetwork`. One rendering at it
(`sersicnet.networks.look`) gives residuals and a Gauss-Newton step with its precision. A small head
turns them, with the features of the first network, into the density of the whitened remainder: what
is left after the step, in units of its errors. The posterior is a mixture of this density and of
the first answer, which the head may change as well: where the image is not what the likelihood
takes it for, the step is wrong by many of its errors. Untrained, the first answer has a weight
of 0.05, or of 0.95 where the step leads too far.
"""

from typing import NamedTuple

import torch
import zuko
from torch import nn

from sersicnet.model.labels import N_LABELS
from sersicnet.networks.features import GRID, ZOOMS
from sersicnet.networks.look import N_NUMBERS, look_at
from sersicnet.networks.mixed_flows import MixedFlows, context_length, pack
from sersicnet.networks.posterior import Posterior, PosteriorNetwork

__all__ = ["LikelihoodNetwork", "Seen"]

# Points that the moments of the first answer are computed from.
_N_POINTS = 32
# Largest unconstrained values at which galaxies are rendered: float32 has no flux far above it.
_LARGEST = 20.0
# A step is trusted up to this length, in errors of the first answer, for errors after it up to
# this in unconstrained values: the likelihood is normal over such distances.
_FARTHEST = 8.0
_WIDEST = 0.3
# Chi2 per pixel after it, where it is not that of noise, is below this.
_MISFIT = 1.2
# Error of a step as a share of its square: it was taken as if the images were linear in the values.
_BEND = 1.0
# Images of residuals, and channels of the convolutions that see them.
_N_IMAGES = 6
_CHANNELS = (24, 32, 48)
# Numbers beside those of the look: step in errors of the first answer and of its own, logarithms
# of both errors, correlations of the step, values, and whether the step is trusted.
_N_MORE = 5 * N_LABELS + N_LABELS * (N_LABELS - 1) // 2 + 1
# Logit of the weight of the first answer, untrained; its negative where the step is trusted.
_GATE = 3.0
# Residuals and galaxies are kept in half precision up to this S/N.
_LARGEST_SEEN = 6e4


class Seen(NamedTuple):
    """What the second part takes of N images.

    Attributes
    ----------
    images : (N, 3, 3, 32, 32) half precision `~torch.Tensor`
        Residuals and galaxy in S/N, and the share of good pixels, at three zooms.
    numbers : (N, K) `~torch.Tensor`
        Numbers beside the images.
    state, context : `~torch.Tensor`
        Summary of each galaxy by the first network, and the context of its flow.
    first_mean, first_factor : `~torch.Tensor`
        Mean and whitening factor of the first answer.
    mean, factor : `~torch.Tensor`
        Those after the step, or of the normal distribution of the first answer.
    trusted : (N,) bool `~torch.Tensor`
        Whether the step is trusted.
    """

    images: torch.Tensor
    numbers: torch.Tensor
    state: torch.Tensor
    context: torch.Tensor
    first_mean: torch.Tensor
    first_factor: torch.Tensor
    mean: torch.Tensor
    factor: torch.Tensor
    trusted: torch.Tensor


class LikelihoodNetwork(PosteriorNetwork):
    """A network from stamps, weights and PSFs to a `Posterior`, which sees the likelihood.

    Parameters
    ----------
    second_hidden : int
        Width of the dense layers of the second part.
    **options
        Arguments of `~sersicnet.networks.PosteriorNetwork`, for the first answer and the flow.

    References
    ----------
    Residuals and gradients at a first guess as inputs: arXiv:2410.22573. The sandwich:
    White 1982, Econometrica 50, 1.
    """

    needs_fine = True

    def __init__(self, *, second_hidden=192, **options):
        super().__init__(**options)
        self.config["second_hidden"] = second_hidden
        hidden = self.config["hidden"]
        context = self.config["context"]
        second = zuko.flows.NSF(
            N_LABELS,
            context,
            transforms=self.config["transforms"],
            bins=self.config["bins"],
            hidden_features=(self.config["flow_hidden"],) * 2,
            passes=2,
            randperm=False,
        )
        self.flow = MixedFlows(self.flow, second, N_LABELS)
        layers = []
        before = _N_IMAGES
        for channels in _CHANNELS:
            layers.append(nn.Conv2d(before, channels, 3, padding=1, stride=2, bias=False))
            layers += [nn.GroupNorm(8, channels), nn.ReLU()]
            before = channels
        self.second_encoder = nn.Sequential(*layers, nn.Flatten())
        side = GRID >> len(_CHANNELS)
        width = len(ZOOMS) * before * side**2
        self.second_gather = nn.Linear(width, second_hidden)
        numbers = N_NUMBERS + _N_MORE
        self.second_numbers = nn.Sequential(
            nn.Linear(numbers, second_hidden), nn.GELU(), nn.Linear(second_hidden, second_hidden)
        )
        self.second_head = nn.Sequential(
            nn.LayerNorm(2 * second_hidden + hidden),
            nn.GELU(),
            nn.Linear(2 * second_hidden + hidden, second_hidden),
            nn.GELU(),
        )
        self.second_context = nn.Linear(second_hidden, context)
        n_changes = N_LABELS * (N_LABELS + 3) // 2
        self.second_whiten = nn.Linear(second_hidden, n_changes)
        self.second_first = nn.Linear(second_hidden, n_changes)
        self.second_first_context = nn.Linear(second_hidden, context)
        self.second_gate = nn.Linear(second_hidden, 1)
        self.register_buffer("points", _normal_points(_N_POINTS), persistent=False)
        self._begin()

    def _begin(self):
        """Make the second part the identity."""
        changes = self.second_whiten, self.second_first, self.second_first_context, self.second_gate
        for layer in changes:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        for transform in self.flow.second.transform.transforms:
            if hasattr(transform, "hyper"):
                nn.init.zeros_(transform.hyper[-1].weight)
                nn.init.zeros_(transform.hyper[-1].bias)

    @property
    def context_size(self):
        """Length of the contexts of its posteriors."""
        return context_length(self.config["context"], N_LABELS)

    def load_first(self, tensors):
        """Take the first answer from the state of a `~sersicnet.networks.PosteriorNetwork`.

        Parameters
        ----------
        tensors : dict of str to `~torch.Tensor`
            Its state.
        """
        own = self.state_dict()
        for name, tensor in tensors.items():
            renamed = name.replace("flow.", "flow.first.", 1) if name.startswith("flow.") else name
            own[renamed] = tensor
        self.load_state_dict(own)

    def first_parameters(self):
        """Return the parameters of the first answer."""
        second = ("second_", "flow.second.")
        return [p for name, p in self.named_parameters() if not name.startswith(second)]

    def forward(self, data, weight, psf, star=None, sampling=None):
        """Predict the posterior of the labels.

        Parameters
        ----------
        data, weight : (N, 128, 128) `~torch.Tensor`
            Stamps and their weights, as in `~sersicnet.preprocessing.Stamps`.
        psf : (N, 63, 63) `~torch.Tensor`
            Star-like PSFs of unit sum.
        star : (N, K, K) `~torch.Tensor`, optional
            PSFs that galaxies are rendered with, of an odd number of pixels; by default ``psf``.
            Those with a FWHM below 3 pixels need a finer one.
        sampling : (N,) int `~torch.Tensor`, optional
            Pixels of ``star`` per pixel of the image on a side.

        Returns
        -------
        Posterior
        """
        return self.both(data, weight, psf, star, sampling)[1]

    def both(self, data, weight, psf, star=None, sampling=None):
        """Return the first answer and the posterior, two `Posterior`, of what `forward` takes."""
        first, seen = self._see(data, weight, psf, star, sampling)
        return first, self.judge(seen)

    @torch.no_grad()
    def see(self, data, weight, psf, star=None, sampling=None):
        """Return what the second part takes, a ``Seen``, of what `forward` takes.

        It does not depend on the parameters of the second part, which can so be trained many times
        with what was seen once.
        """
        return self._see(data, weight, psf, star, sampling)[1]

    def _see(self, data, weight, psf, star, sampling):
        """Return the first answer, and what the second part takes."""
        if star is None:
            star = psf
            sampling = torch.ones(len(psf), dtype=torch.long, device=psf.device)
        state, guess = self.state(data, weight, psf)
        first = self.answer(state, guess, self.flow.first)
        with torch.autocast(data.device.type, enabled=False), torch.no_grad():
            values, covariance = self._moments(first)
            look = look_at(values, data, weight, star, sampling)
            start = _start(values, covariance, look)
            finite = first.mean.isfinite().all(dim=1)
            trusted = start.trusted & finite
            values = torch.where(finite[:, None], values, torch.nan)
            broad = _whitening(torch.linalg.inv(covariance)).float()
            mean = torch.where(trusted[:, None], start.mean, values)
            factor = torch.where(trusted[:, None, None], start.factor, broad)
            images = _zooms(look, weight).clamp(-_LARGEST_SEEN, _LARGEST_SEEN).half()
        answer = first.context, first.mean, first.factor
        return first, Seen(images, start.numbers, state, *answer, mean, factor, trusted)

    def judge(self, seen):
        """Return the posterior of what was seen.

        Parameters
        ----------
        seen : Seen
            As from `see`.

        Returns
        -------
        Posterior
        """
        images = _shown(seen.images.float())
        encoded = self.second_encoder(images.contiguous(memory_format=torch.channels_last))
        encoded = self.second_gather(encoded.reshape(len(seen.images), -1))
        parts = [encoded.float(), self.second_numbers(seen.numbers).float(), seen.state]
        second = self.second_head(torch.cat(parts, dim=1))
        with torch.autocast(seen.state.device.type, enabled=False):
            second = second.float()
            given = self.second_whiten(second), seen.mean, seen.factor
            mean, factor = _changed(*given, upper=True)
            given = self.second_first(second), seen.first_mean, seen.first_factor
            first = _changed(*given, upper=False)
            gate = self.second_gate(second)[:, 0] + _GATE * (1 - 2 * seen.trusted.float())
            matrix = torch.linalg.solve_triangular(factor, first[1], upper=True, left=False)
            shift = (first[1] @ (mean - first[0])[:, :, None])[:, :, 0]
            context = seen.context + self.second_first_context(second)
            context = pack(self.second_context(second), context, gate, shift, matrix)
            return Posterior(self.flow, context, mean, factor)

    def _moments(self, first):
        """Mean and covariance of the first answer; 0 and 1 where it is not finite."""
        points = self.points[:, None].expand(-1, len(first.mean), -1)
        values = first.transport(points).double()
        mean = values.mean(dim=0)
        away = (values - mean).transpose(0, 1)
        covariance = away.transpose(1, 2) @ away / (_N_POINTS - 1)
        unit = torch.eye(N_LABELS, dtype=covariance.dtype, device=covariance.device)
        finite = mean.isfinite().all(dim=1) & covariance.isfinite().all(dim=2).all(dim=1)
        covariance = torch.where(finite[:, None, None], covariance + 1e-8 * unit, unit)
        mean = torch.where(finite[:, None], mean.clamp(-_LARGEST, _LARGEST), 0)
        return mean.float(), covariance


def _normal_points(n):
    """Evenly spread standard normal points."""
    draws = torch.quasirandom.SobolEngine(N_LABELS, scramble=True, seed=1).draw(n).double()
    points = 2**0.5 * torch.erfinv(2 * (draws * (1 - 2e-6) + 1e-6) - 1)
    return ((points - points.mean(dim=0)) / points.std(dim=0)).float()


class _Start(NamedTuple):
    """Mean and whitening factor of a step, whether it is trusted, and numbers to see."""

    mean: torch.Tensor
    factor: torch.Tensor
    trusted: torch.Tensor
    numbers: torch.Tensor


def _start(values, covariance, look):
    """What the second part starts from, for steps from the mean of the first answer."""
    first = _whitening(torch.linalg.inv(covariance))
    known = look.precision.isfinite().all(dim=2).all(dim=1)
    precision = torch.where(known[:, None, None], look.precision, torch.eye(N_LABELS).to(first))
    inverse = torch.linalg.inv(_whitening(precision))
    step = look.step.double().nan_to_num()
    bend = _BEND * step.abs().amax(dim=1, keepdim=True) * step
    own = inverse @ inverse.transpose(1, 2) + torch.diag_embed(bend.square())
    factor = _whitening(torch.linalg.inv(own))
    errors = torch.diagonal(own, dim1=1, dim2=2).sqrt()
    before = torch.diagonal(covariance, dim1=1, dim2=2).sqrt()
    far = (first @ step[:, :, None])[:, :, 0]
    trusted = known & (far.square().sum(dim=1) < N_LABELS * _FARTHEST**2)
    trusted &= (errors[:, 1:].amax(dim=1) < _WIDEST) & (look.excess < _MISFIT)
    rows, columns = torch.tril_indices(N_LABELS, N_LABELS, offset=-1).to(values.device)
    correlations = own / errors[:, :, None] / errors[:, None]
    numbers = [
        look.numbers.double(),
        torch.asinh(far),
        torch.asinh((factor @ step[:, :, None])[:, :, 0]),
        errors.clamp(min=1e-6).log10(),
        before.clamp(min=1e-6).log10(),
        correlations[:, rows, columns],
        values.double() / 3,
        trusted[:, None].double(),
    ]
    numbers = torch.cat(numbers, dim=1).nan_to_num(0.0, 0.0, 0.0).clamp(-20, 20).float()
    return _Start(values + step.float(), factor.float(), trusted, numbers)


def _whitening(precision):
    """Upper triangular factors with this product of their transposes and themselves."""
    factor, fault = torch.linalg.cholesky_ex(precision)
    diagonal = torch.diag_embed(torch.diagonal(precision, dim1=1, dim2=2).clamp(min=1e-6).sqrt())
    factor = torch.where((fault > 0)[:, None, None], diagonal, factor)
    return factor.transpose(1, 2)


def _zooms(look, weight):
    """Residuals, galaxy and share of good pixels at three zooms, (N, 3, 3, 32, 32)."""
    good = (weight > 0).to(weight.dtype)
    stack = torch.stack([look.residual, look.signal, good], dim=1)
    found = []
    for number in range(len(ZOOMS)):
        if number:
            stack = nn.functional.avg_pool2d(stack, 2)
        edge = (stack.shape[-1] - GRID) // 2
        found.append(nn.functional.pad(stack, (-edge,) * 4))
    return torch.stack(found, dim=1)


def _shown(zooms):
    """Images of residuals and galaxy that the second encoder sees, (3 N, 6, 32, 32)."""
    images = []
    for number, bins in enumerate(ZOOMS):
        residual, signal, share = zooms[:, number].unbind(1)
        scale = bins / share.clamp(min=1 / bins**2).sqrt()
        level = torch.full_like(share, number - 1.0)
        shown = [
            torch.asinh(scale * residual),
            torch.asinh(scale * residual / 30) * 3,
            torch.asinh(scale * signal),
            residual / (signal.abs() + 1 / scale),
            share,
            level,
        ]
        images.append(torch.stack(shown, dim=1).clamp(-20, 20))
    return torch.stack(images, dim=1).flatten(0, 1)


def _changed(outputs, mean, factor, *, upper):
    """Mean and triangular whitening factor after the second part has changed them."""
    n = N_LABELS
    shift, log_scale, others = outputs.split([n, n, n * (n - 1) // 2], dim=1)
    moved = torch.linalg.solve_triangular(factor, shift[:, :, None], upper=upper)
    rows, columns = torch.triu_indices(n, n, offset=1, device=outputs.device)
    change = torch.diag_embed(torch.ones_like(log_scale))
    places = torch.arange(len(mean), device=mean.device)[:, None], rows, columns
    change = change.index_put(places, others)
    if not upper:
        change = change.transpose(1, 2)
    scale = torch.exp(log_scale.clamp(-5, 5))[:, :, None]
    return mean + moved[:, :, 0], scale * (change @ factor)
