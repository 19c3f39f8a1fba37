"""How much each change to the original network improves the scores, at equal training cost.

::

    python -m benchmarks.ablation training/candels_f160w-50000-2018 docs/_static/reproduce

The first directory holds stamps that ``sersicnet train deeplegato`` has left. Every variant sees
the same galaxies equally often. The first variant is close to the original: stacked 3 x 3
convolutions with max-pooling, dropout, Gaussian noise on the input, dense layers of 128 and 64,
absolute errors as the loss, and one noise realization per image that never changes.
"""

import tempfile

import numpy as np
import torch
from astropy.table import QTable
from torch import nn
from torch.distributions import Independent, Normal

from benchmarks.common.command import make_parser
from benchmarks.common.tables import write_rounded
from sersicnet.networks import RegressionCNN, build_network, predict_labels
from sersicnet.networks.cnn import SOFTENING
from sersicnet.training import TrainingData, beta_nll, train_network
from sersicnet.training.data import add_noise
from sersicnet.training.prepared import build_training_data

NAMES = ("log_flux", "log_r_eff", "n", "q")
STEPS = (
    "original",
    "then asinh of S/N at two stretches",
    "then new noise and symmetry at each step",
    "then residual blocks and batch normalization",
    "then Gaussian likelihood (the shipped network)",
)
# First step of each change: the variants from there on have it.
STRETCHED = 1
FRESH_NOISE = 2
RESIDUAL_BLOCKS = 3
SHIPPED = 4


class OriginalCNN(nn.Module):
    """Stacked small convolutions with max-pooling, as in the original work.

    Parameters
    ----------
    n_labels : int
        Number of labels to predict.
    stretch : bool
        Whether the input is the asinh of the S/N at two stretches, instead of the scaled image and
        the mask.
    channels : sequence of int
        Channels after each convolution.
    size : int
        Side of the stamps, in pixels.
    """

    def __init__(self, n_labels, *, stretch, channels=(16, 32, 64, 96), size=128):
        super().__init__()
        self.stretch = stretch
        before = 2
        layers = []
        for after in channels:
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            before = after
        side = size // 2 ** len(channels)
        layers += [nn.Flatten(), nn.Dropout(0.25), nn.Linear(before * side**2, 128), nn.ReLU()]
        layers += [nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, n_labels)]
        self.layers = nn.Sequential(*layers)
        self.register_buffer("label_mean", torch.zeros(n_labels))
        self.register_buffer("label_scale", torch.ones(n_labels))

    def forward(self, data, weight):
        """Return normal distributions of unit width: only the mean is learned."""
        if self.stretch:
            images = [torch.asinh(data), torch.asinh(data / SOFTENING)]
        else:
            images = [data / SOFTENING, (weight > 0).float()]
        images = torch.stack(images, 1)
        if self.training:
            images = images + 0.01 * torch.randn_like(images)
        mean = self.label_mean + self.label_scale * self.layers(images)
        return _unit_normal(mean, self.label_scale)


class MeanCNN(RegressionCNN):
    """The network of the package without its widths, which absolute errors cannot train."""

    def forward(self, data, weight):
        """Return normal distributions of unit width."""
        return _unit_normal(super().forward(data, weight).mean, self.label_scale)


def _unit_normal(mean, label_scale):
    """Return distributions whose likelihood, which chooses the best epoch, is squared error."""
    return Independent(Normal(mean, label_scale.expand_as(mean)), 1)


def absolute_error(distribution, labels, *, label_scale):
    """Return the loss of the original work, the mean absolute error in units of ``label_scale``."""
    return ((labels - distribution.mean) / label_scale).abs().mean()


def main(arguments=None):
    """Train and score every variant."""
    parser = make_parser(__doc__, "stamps")
    text = "galaxies of the training, by default 4000"
    parser.add_argument("--galaxies", type=int, default=4000, help=text)
    parser.add_argument("--epochs", type=int, default=6, help="epochs, by default 6")
    options = parser.parse_args(arguments)
    train = _noisy(_read(options.stamps / "train", options.galaxies), seed=1)
    test = _noisy(_read(options.stamps / "validation", options.galaxies // 4), seed=2)
    rows = []
    for step, label in enumerate(STEPS):
        r2 = _run(step, train, test, options.epochs)
        rows.append((label, *r2))
        print(label, np.round(r2, 3), flush=True)
    table = QTable(rows=rows, names=("variant", *NAMES))
    write_rounded(table, options.output / "ablation.csv", decimals=3)


def _read(directory, n):
    """Read the first galaxies of a prepared set."""
    stamps = build_training_data(None, None, stamp_size=128, directory=directory)
    return stamps.select(NAMES).subset(np.arange(n))


def _noisy(clean, *, seed):
    """Return the set twice: without noise, and with one noise realization per galaxy."""
    generator = torch.Generator().manual_seed(seed)
    data, weight, labels = clean[np.arange(len(clean))]
    noisy = add_noise(data, weight, torch.ones(1, 1), generator)
    return {
        "clean": TrainingData(data.numpy(), weight.numpy(), labels, clean.names),
        "noisy": TrainingData(noisy.numpy(), weight.numpy(), labels, clean.names),
    }


def _run(step, train, test, epochs):
    """Train one variant, and return the R2 of each label."""
    network = _network(step)
    labels = train["clean"].labels
    network.label_mean.copy_(torch.as_tensor(labels.mean(0)))
    network.label_scale.copy_(torch.as_tensor(labels.std(0)))
    if step >= FRESH_NOISE:
        kind = "clean"
        noise_kernel = np.ones((1, 1))
    else:
        kind = "noisy"
        noise_kernel = None
    with tempfile.TemporaryDirectory() as scratch:
        train_network(
            network,
            train[kind],
            test[kind],
            directory=scratch,
            max_epochs=epochs,
            noise_kernel=noise_kernel,
            symmetries=step >= FRESH_NOISE,
            loss=beta_nll if step >= SHIPPED else absolute_error,
        )
    data, weight, truth = test["noisy"][np.arange(len(test["noisy"]))]
    mean, _ = predict_labels(network, data.numpy(), weight.numpy())
    truth = truth.numpy()
    return 1 - ((mean - truth) ** 2).mean(0) / truth.var(0)


def _network(step):
    """Return the untrained network of a variant."""
    if step >= SHIPPED:
        return build_network("cnn", n_labels=len(NAMES))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if step >= RESIDUAL_BLOCKS:
            return MeanCNN(len(NAMES))
        return OriginalCNN(len(NAMES), stretch=step >= STRETCHED)


if __name__ == "__main__":
    main()
