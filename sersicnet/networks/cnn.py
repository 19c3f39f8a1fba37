"""The plain convolutional network: from stamps to normal distributions of the labels."""

from itertools import pairwise

import torch
from torch import nn
from torch.distributions import Independent, Normal

__all__ = ["RegressionCNN"]

# Scale of the second stretch: where the first one is already logarithmic.
SOFTENING = 50.0


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions whose result is added to their input."""

    def __init__(self, channels):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x):
        return torch.relu(x + self.layers(x))


class RegressionCNN(nn.Module):
    """A plain 2-D CNN from stamps to independent normal distributions of the labels.

    Its inputs are two stretches of the image, ``asinh(data)`` and ``asinh(data / 50)``, and
    the map of good pixels, rearranged by 2 x 2 into channels. Each stage halves
    the image with a strided 3 x 3 convolution and adds one residual block; dense layers
    return mean and logarithm of the width of each label.

    The noise map is not an input: in simulations it is known exactly and would reveal
    the noise-free galaxy.

    Parameters
    ----------
    n_labels : int
        Number of labels.
    stamp_size : int
        Pixels on a side of the stamps, a multiple of 2.
    channels : tuple of int
        Number of channels of each stage.
    hidden : int
        Width of the dense layer.
    dropout : float
        Fraction of the dense layer's inputs that are dropped in training.

    Raises
    ------
    ValueError
        If ``stamp_size`` is odd.

    References
    ----------
    Tuccillo et al. 2018, MNRAS 475, 894 (stacked convolutions and dense layers, one network per
    parameter); He et al. 2016, CVPR (residual blocks).
    """

    def __init__(
        self, n_labels, *, stamp_size=128, channels=(16, 32, 64, 96), hidden=256, dropout=0.0
    ):
        super().__init__()
        if stamp_size < 2 or stamp_size % 2:
            msg = f"stamp_size={stamp_size!r} must be a positive multiple of 2"
            raise ValueError(msg)
        self.config = {
            "n_labels": n_labels,
            "stamp_size": stamp_size,
            "channels": list(channels),
            "hidden": hidden,
            "dropout": dropout,
        }
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, channels[0], 3, padding=1))
        stages = [nn.BatchNorm2d(channels[0]), nn.ReLU(), ResidualBlock(channels[0])]
        for before, after in pairwise(channels):
            stages += [*_halve(before, after), ResidualBlock(after)]
        stages += _halve(channels[-1], channels[-1])
        self.encoder = nn.Sequential(*stages)
        side = stamp_size // 2
        for _ in channels:
            side = (side + 1) // 2
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(channels[-1] * side**2, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 2 * n_labels),
        )
        self.register_buffer("label_mean", torch.zeros(n_labels))
        self.register_buffer("label_scale", torch.ones(n_labels))

    def standardize(self, mean, scale):
        """Set mean and standard deviation of the labels in the training set."""
        self.label_mean.copy_(torch.as_tensor(mean))
        self.label_scale.copy_(torch.as_tensor(scale))

    def forward(self, data, weight):
        """Predict the distribution of the labels.

        Parameters
        ----------
        data, weight : (N, S, S) `~torch.Tensor`
            Stamps and their weights, as in `~sersicnet.preprocessing.Stamps`.

        Returns
        -------
        `~torch.distributions.Distribution`
            Distribution of (N, L) labels.
        """
        good = (weight > 0).to(data.dtype)
        images = torch.stack([torch.asinh(data), torch.asinh(data / SOFTENING), good], dim=1)
        # Half precision would round the pixels themselves, so it begins after the first layer.
        with torch.autocast(data.device.type, enabled=False):
            features = self.stem(images.contiguous(memory_format=torch.channels_last))
        outputs = self.head(self.encoder(features)).to(data.dtype)
        mean, log_scale = outputs.chunk(2, dim=1)
        mean = self.label_mean + self.label_scale * mean
        scale = self.label_scale * torch.exp(log_scale.clamp(-7, 3))
        return Independent(Normal(mean, scale, validate_args=False), 1, validate_args=False)


def _halve(before, after):
    return [
        nn.Conv2d(before, after, 3, padding=1, stride=2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    ]
