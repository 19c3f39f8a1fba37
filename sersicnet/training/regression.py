"""Training of networks that predict normal distributions: loss and Lightning module."""

import lightning
import numpy as np
import torch
from torch.utils.data import DataLoader

from sersicnet.model.symmetries import random_symmetry
from sersicnet.training.data import BatchSampler, add_noise, check_kernel
from sersicnet.training.loop import train_module, warmup_cosine

__all__ = ["TrainingModule", "beta_nll", "train_network"]

# Share of the steps in which the learning rate rises to its full value.
WARMUP = 0.05


def beta_nll(distribution, labels, *, label_scale, beta=0.5):
    """Return the Gaussian negative log-likelihood, weighted by the width to the power 2 beta.

    ``beta=0`` gives the plain likelihood, in which faint galaxies hardly contribute to the mean;
    with ``beta=1`` the mean is learned as from squared errors (Seitzer et al. 2022, ICLR). Only
    ``beta=0`` is a score to compare networks by: otherwise a loss near zero may mean that the
    widths, and so the weights, are small.

    Parameters
    ----------
    distribution : `~torch.distributions.Distribution`
        Independent normal distributions of (N, L) labels.
    labels : (N, L) `~torch.Tensor`
        True labels.
    label_scale : (L,) `~torch.Tensor`
        Spread of the labels in the training set, the unit of the widths.
    beta : float
        Exponent between 0 and 1.

    Returns
    -------
    `~torch.Tensor`
        Mean loss, a scalar.

    Examples
    --------
    >>> import torch
    >>> from sersicnet.training import beta_nll
    >>> normal = torch.distributions.Normal(torch.zeros(5, 2), torch.ones(5, 2))
    >>> float(beta_nll(normal, torch.ones(5, 2), label_scale=torch.ones(2)))
    0.5
    """
    width = distribution.stddev / label_scale
    pull = (labels - distribution.mean) / distribution.stddev
    loss = 0.5 * pull**2 + torch.log(width)
    return (loss * width.detach() ** (2 * beta)).mean()


class TrainingModule(lightning.LightningModule):
    """Lightning module that trains a network.

    Parameters
    ----------
    network : `~torch.nn.Module`
        Network that maps stamps to a distribution.
    names : tuple of str
        Names of the labels.
    learning_rate : float
        Highest learning rate of AdamW, after a warm-up; it falls to zero along half a cosine.
    noise_kernel : (K, K) `~numpy.ndarray` or None
        Kernel that correlates the noise, where stamps are free of noise and it is drawn anew at
        each step.
    symmetries : bool
        Whether to flip and transpose training stamps at random.
    loss : callable
        Loss like `beta_nll`.
    seed : int
        Seed of noise and symmetries.
    """

    def __init__(self, network, names, *, learning_rate, noise_kernel, symmetries, loss, seed):
        super().__init__()
        self.network = network
        self.names = names
        self.learning_rate = learning_rate
        self.symmetries = symmetries
        self.loss = loss
        self.seed = seed
        kernel = noise_kernel
        if kernel is not None:
            kernel = torch.as_tensor(check_kernel(kernel)).float()
        self.register_buffer("noise_kernel", kernel, persistent=False)

    def _generator(self, *position):
        """A generator for each step, so that a resumed run draws the same."""
        state = np.random.SeedSequence([self.seed, *position]).generate_state(1, np.uint64)[0]
        return torch.Generator(self.device).manual_seed(int(state >> np.uint64(1)))

    def _losses(self, batch, generator, *, augment):
        """The loss to minimize, and the plain likelihood, which shows the progress."""
        data, weight, labels = batch
        if augment:
            data, weight, labels = random_symmetry(data, weight, labels, self.names, generator)
        if self.noise_kernel is not None:
            data = add_noise(data, weight, self.noise_kernel, generator)
        distribution = self.network(data, weight)
        scale = self.network.label_scale
        likelihood = beta_nll(distribution, labels, label_scale=scale, beta=0.0)
        return self.loss(distribution, labels, label_scale=scale), likelihood.detach()

    def training_step(self, batch, index):
        """Return the loss of a batch, and log its plain likelihood."""
        generator = self._generator(0, self.global_step)
        loss, likelihood = self._losses(batch, generator, augment=self.symmetries)
        self.log("train_loss", likelihood, on_epoch=True, on_step=False, batch_size=len(batch[0]))
        return loss

    def validation_step(self, batch, index):
        """Log the plain likelihood of a batch, with the same noise in each epoch."""
        _, likelihood = self._losses(batch, self._generator(1, index), augment=False)
        self.log("val_loss", likelihood, prog_bar=True, batch_size=len(batch[0]))

    def configure_optimizers(self):
        """Return AdamW with warm-up and cosine decay."""
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=self.learning_rate)
        steps = int(self.trainer.estimated_stepping_batches)
        return warmup_cosine(optimizer, steps=steps, warmup=WARMUP * steps + 1)


def train_network(
    network,
    data,
    validation,
    *,
    directory,
    max_epochs=30,
    batch_size=64,
    learning_rate=2e-3,
    patience=10,
    noise_kernel=None,
    symmetries=True,
    loss=beta_nll,
    seed=0,
    device="auto",
    precision="32-true",
    progress_bar=False,
):
    """Train a network in place, and give it the weights of its best epoch.

    Parameters
    ----------
    network : `~torch.nn.Module`
        Network from `~sersicnet.networks.build_network`.
    data, validation : TrainingData
        Galaxies to learn from, and galaxies that decide which epoch was best.
    directory : path
        Folder of the checkpoints; if it has some, training continues from the last.
    max_epochs, batch_size, learning_rate : int, int, float
        Settings of the optimization.
    patience : int
        Number of epochs without progress after which training stops.
    noise_kernel, symmetries, loss
        Arguments of `~sersicnet.training.TrainingModule`.
    seed : int
        Seed of order, symmetries and noise.
    device : str
        Lightning's accelerator: ``'auto'``, ``'cpu'``, ``'gpu'``.
    precision : str
        Lightning's precision, such as ``'32-true'`` or ``'bf16-mixed'``.
    progress_bar : bool
        Whether to show a progress bar.

    Returns
    -------
    history : dict of list
        ``epoch``, ``train_loss`` and ``val_loss`` (plain likelihoods, see `beta_nll`).
    seconds : float
        Time of the training, in all runs that led to this one.

    Raises
    ------
    ValueError
        If ``data`` has fewer than two galaxies, which batch normalization needs.
    """
    if len(data) < 2:
        msg = f"usable galaxies to train on: {len(data)}, but at least 2 are needed"
        raise ValueError(msg)
    module = TrainingModule(
        network,
        data.names,
        learning_rate=float(learning_rate),  # checkpoints hold no numpy numbers
        noise_kernel=noise_kernel,
        symmetries=symmetries,
        loss=loss,
        seed=seed,
    )
    return train_module(
        module,
        (_loader(data, batch_size, seed=seed), _loader(validation, 4 * batch_size)),
        names=data.names,
        directory=directory,
        patience=patience,
        accelerator=device,
        max_epochs=max_epochs,
        precision=precision,
        gradient_clip_val=1.0,
        progress_bar=progress_bar,
    )


def _loader(data, batch_size, *, seed=None):
    """A loader of batches, in random order if there is a seed."""
    sampler = BatchSampler(len(data), batch_size, seed=seed)
    # It draws a number that nothing depends on, but not from torch's own state.
    return DataLoader(data, sampler=sampler, batch_size=None, generator=torch.Generator())
