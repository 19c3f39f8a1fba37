"""What each change to the original network brought, at equal cost in galaxies seen.

::

    python -m benchmarks.ablation training/candels_f160w-50000-2018 docs/_static/reproduce

The first directory holds stamps that ``sersicnet train deeplegato`` left. Every variant
sees the same galaxies equally often. The first is close to the original: stacked 3 x 3
convolutions with max-pooling, dropout, Gaussian noise on the input, dense layers of 128
and 64, absolute errors as loss, each image with one noise for ever.
"""

import tempfile

import numpy as np
import torch
from astropy.table import QTable
from torch import nn
from torch.distributions import Independent, Normal

from benchmarks.common.command import parser_of
from benchmarks.common.tables import write_rounded
from sersicnet.networks.cnn import SOFTENING, RegressionCNN
from sersicnet.networks.registry import build_network, predict_labels
from sersicnet.training import loop as training
from sersicnet.training.prepared import build_training_data

NAMES = ("log_flux", "log_r_eff", "n", "q")
STEPS = (
    "original",
    "then asinh of S/N at two stretches",
    "then new noise and symmetry at each step",
    "then residual blocks and batch normalization",
    "then Gaussian likelihood (the shipped network)",
)


class OriginalCNN(nn.Module):
    """Stacked small convolutions with max-pooling, as in the original work."""

    def __init__(self, n_labels, *, stretch, channels=(16, 32, 64, 96), size=128):
        super().__init__()
        self.stretch, before, layers = stretch, 2, []
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
        """Normal distributions of unit width: only the mean is learned."""
        if self.stretch:
            images = [torch.asinh(data), torch.asinh(data / SOFTENING)]
        else:
            images = [data / SOFTENING, (weight > 0).float()]
        images = torch.stack(images, 1)
        if self.training:
            images = images + 0.01 * torch.randn_like(images)
        mean = self.label_mean + self.label_scale * self.layers(images)
        return _of_unit_width(mean, self.label_scale)


class MeanCNN(RegressionCNN):
    """The network of the package without its widths, which absolute errors do not teach."""

    def forward(self, data, weight):
        """Normal distributions of unit width."""
        return _of_unit_width(super().forward(data, weight).mean, self.label_scale)


def _of_unit_width(mean, label_scale):
    """Their likelihood, by which the best epoch is chosen, is that of squared errors."""
    return Independent(Normal(mean, label_scale.expand_as(mean)), 1)


def absolute_error(distribution, labels, *, label_scale):
    """The original loss."""
    return ((labels - distribution.mean) / label_scale).abs().mean()


def main(arguments=None):
    """Train and score every variant."""
    parser = parser_of(__doc__, "stamps")
    parser.add_argument("--galaxies", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args(arguments)
    train, test = (
        build_training_data(None, None, stamp_size=128, directory=options.stamps / part)
        .select(NAMES)
        .subset(np.arange(n))
        for part, n in (("train", options.galaxies), ("validation", options.galaxies // 4))
    )
    train, test = _noisy(train, seed=1), _noisy(test, seed=2)
    rows = []
    for step, label in enumerate(STEPS):
        r2 = _run(step, train, test, options.epochs)
        rows.append((label, *r2))
        print(label, np.round(r2, 3), flush=True)
    table = QTable(rows=rows, names=("variant", "log_flux", "log_r_eff", "n", "q"))
    write_rounded(table, options.output / "ablation.csv", decimals=3)


def _noisy(clean, *, seed):
    """The set twice: without noise, and with one noise for each galaxy."""
    generator = torch.Generator().manual_seed(seed)
    data, weight, labels = clean[np.arange(len(clean))]
    noisy = training.add_noise(data, weight, torch.ones(1, 1), generator)
    make = training.TrainingData
    return {
        "clean": make(data.numpy(), weight.numpy(), labels, clean.names),
        "noisy": make(noisy.numpy(), weight.numpy(), labels, clean.names),
    }


def _run(step, train, test, epochs):
    """R2 of each label of one variant."""
    if step == 4:
        network = build_network("cnn", n_labels=len(NAMES))
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = OriginalCNN(len(NAMES), stretch=step > 0) if step < 3 else MeanCNN(len(NAMES))
    labels = train["clean"].labels
    network.label_mean.copy_(torch.as_tensor(labels.mean(0)))
    network.label_scale.copy_(torch.as_tensor(labels.std(0)))
    fresh = step >= 2
    with tempfile.TemporaryDirectory() as scratch:
        training.train_network(
            network,
            train["clean" if fresh else "noisy"],
            test["clean" if fresh else "noisy"],
            directory=scratch,
            max_epochs=epochs,
            noise_kernel=np.ones((1, 1)) if fresh else None,
            symmetries=fresh,
            loss=absolute_error if step < 4 else training.beta_nll,
        )
    data, weight, truth = test["noisy"][np.arange(len(test["noisy"]))]
    mean, _ = predict_labels(network, data.numpy(), weight.numpy())
    truth = truth.numpy()
    return 1 - ((mean - truth) ** 2).mean(0) / truth.var(0)


if __name__ == "__main__":
    main()
