"""Adaptation: the universal network learns from labeled galaxies, without forgetting the others.

Half of each batch are labeled galaxies in random orientations. The other half are fresh scenes of
the kind that the network was trained on, which keep it from forgetting (rehearsal).

Measured on 50 galaxies of a survey with wrong PSFs and smoothed noise, at a learning rate of 1e-4:
in 80 steps the loss of clean galaxies from the prior rises by 5 without such scenes, in 100 steps
by 0.8 with them. Training only the layers behind the encoder forgets as much and learns less.
"""

import copy
import hashlib
import math
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset

from sersicnet import __version__
from sersicnet._caller import warn_caller
from sersicnet._words import counted
from sersicnet.model.labels import LABELS
from sersicnet.model.psf import is_list_of_stamps
from sersicnet.networks.registry import torch_device
from sersicnet.training.contaminants import Contaminants
from sersicnet.training.data import turn
from sersicnet.training.labeled import SEVEN, labeled_scenes
from sersicnet.training.loop import train_module
from sersicnet.training.modules import UniversalModule
from sersicnet.training.prepared import check_pair, split_rows
from sersicnet.training.streams import SceneStream

__all__ = ["AdaptationModule", "adapt"]

# Measured on 50 and 200 galaxies: three times this rate learns more of them and forgets more.
LEARNING_RATE = 5e-5
# Fewest steps of an epoch, where the labeled galaxies fill fewer.
_FEWEST_STEPS = 10
# Noise-free galaxies of an epoch, of which the scenes to rehearse are made.
_N_GALAXIES = 128
# Share of the galaxies that are held out for validation.
_HELD_OUT = 0.1


class MixedStream(IterableDataset):
    """Batches of one epoch: labeled galaxies first, then as many fresh scenes.

    Parameters
    ----------
    labeled : `~sersicnet.training.Scenes`
        Labeled galaxies; all are seen before one is seen again.
    seed : tuple of int
        Seed of order, orientations and scenes.
    batch_size : int
        Number of labeled galaxies in a batch, and of scenes.
    n_batches : int
        Number of batches.
    **options
        Further options of `~sersicnet.training.streams.SceneStream`.
    """

    def __init__(self, labeled, seed, *, batch_size, n_batches, **options):
        self.labeled = labeled
        self.seed = seed
        self.batch_size = batch_size
        self.n_batches = n_batches
        self.options = options

    def __iter__(self):
        rng = np.random.default_rng(self.seed)
        n = len(self.labeled)
        n_rounds = math.ceil(self.batch_size * self.n_batches / n)
        order = np.concatenate([rng.permutation(n) for _ in range(n_rounds)])
        fresh = SceneStream(
            self.seed, batch_size=self.batch_size, n_batches=self.n_batches, **self.options
        )
        for number, scenes in enumerate(fresh):
            rows = order[number * self.batch_size :][: self.batch_size]
            some = turn(self.labeled[torch.from_numpy(rows)], int(rng.integers(8)))
            pairs = zip(some.tensors(), scenes, strict=True)
            yield tuple(torch.cat([one.to(other.device), other]) for one, other in pairs)


class AdaptationModule(UniversalModule):
    """Lightning module that adapts a `~sersicnet.networks.PosteriorNetwork`.

    Parameters
    ----------
    network : `~sersicnet.networks.PosteriorNetwork`
        Network, which is trained in place.
    labeled, held_out : `~sersicnet.training.Scenes`
        Galaxies to learn from, and galaxies that decide which epoch was best.
    learning_rate : float
        Highest learning rate of AdamW, after a warm-up; it falls to zero along half a cosine.
    batch_size : int
        Number of labeled galaxies in a step; as many scenes come on top.
    seed : int
        Seed of all that is random.
    contaminants : `~sersicnet.training.Contaminants`
        Simulated imperfections of the scenes.
    """

    def __init__(
        self, network, labeled, held_out, *, learning_rate, batch_size, seed, contaminants
    ):
        n_batches = max(_FEWEST_STEPS, math.ceil(len(labeled) / batch_size))
        super().__init__(
            network,
            learning_rate=learning_rate,
            batch_size=batch_size,
            n_batches=n_batches,
            n_validation=len(held_out),
            seed=seed,
            n_workers=0,
            scenes={"contaminants": contaminants, "n_galaxies": _N_GALAXIES},
        )
        self.labeled = labeled
        self.held_out = held_out
        digest = hashlib.sha256(labeled.labels.numpy().tobytes())
        digest.update(held_out.labels.numpy().tobytes())
        self.fingerprint = digest.hexdigest()

    def on_save_checkpoint(self, checkpoint):
        """Store the fingerprint of the galaxies."""
        checkpoint["galaxies"] = self.fingerprint

    def on_load_checkpoint(self, checkpoint):
        """Raise ValueError unless the galaxies are the same."""
        if checkpoint["galaxies"] != self.fingerprint:
            msg = "resume holds an adaptation to other galaxies: use another folder, or empty it"
            raise ValueError(msg)

    def train_dataloader(self):
        """Return the batches of this epoch; a resumed run draws the same."""
        # The 1 at the end as in the universal training.
        stream = MixedStream(
            self.labeled,
            (self.seed, self.current_epoch, 1),
            batch_size=self.batch_size,
            n_batches=self.n_batches,
            device=self.device,
            **self.scenes,
        )
        return DataLoader(stream, batch_size=None, generator=torch.Generator())

    def val_dataloader(self):
        """Return the held-out galaxies."""
        starts = range(0, len(self.held_out), self.batch_size)
        parts = [self.held_out[i : i + self.batch_size].tensors() for i in starts]
        return DataLoader(parts, batch_size=None, generator=torch.Generator())

    def held_out_loss(self):
        """Return the mean of -log of the density at the truth, over the held-out galaxies."""
        with torch.no_grad():
            losses = [self._loss(batch) for batch in self.val_dataloader()]
        return float(torch.cat(losses).mean())

    def training_step(self, batch, index):
        """Return the mean of -log of the density at the truth; log that of labeled galaxies."""
        loss = self._loss(batch)
        labeled = loss[: self.batch_size].mean()
        options = {"on_epoch": True, "on_step": False, "batch_size": self.batch_size}
        self.log("train_loss", labeled, **options)
        return loss.mean()


def adapt(net, start, cutouts, truth, *, psf, validation, resume, progress_bar, **options):
    """Adapt a copy of a trained network to labeled galaxies.

    Parameters
    ----------
    net : `~sersicnet.SersicNet`
        Estimator, whose settings are used.
    start : `~sersicnet.networks.PosteriorNetwork`
        Trained network to start from; it stays as it is.
    cutouts, truth, psf, validation, resume, progress_bar
        Arguments of `~sersicnet.SersicNet.fit`.
    **options
        Further options of ``sersicnet.training.labeled.labeled_scenes``.

    Returns
    -------
    network, parameters, history, label_range, record
        Results of ``sersicnet.training.fit.fit``; the label range is None.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, as for `~sersicnet.SersicNet.fit`.
    """
    labeled, left_out, images = labeled_scenes(cutouts, truth, psf=psf, **options)
    _check_number("cutouts", labeled, left_out, needed=2)
    if validation is None:
        kept, left = split_rows(len(labeled), fraction=_HELD_OUT, seed=net.seed)
        held_out = labeled[left]
        labeled = labeled[kept]
    else:
        held_out = _validation_scenes(validation, psf, options)
    module = AdaptationModule(
        copy.deepcopy(start).cpu(),
        labeled,
        held_out,
        learning_rate=float(LEARNING_RATE if net.learning_rate is None else net.learning_rate),
        batch_size=max(1, net.batch_size // 2),
        seed=net.seed,
        contaminants=Contaminants(**net.record_.get("contaminants", {})),
    )
    before = module.held_out_loss()
    with tempfile.TemporaryDirectory() as scratch:
        history, seconds = train_module(
            module,
            names=LABELS,
            directory=Path(scratch if resume is None else resume),
            patience=net.patience,
            progress_bar=progress_bar,
            accelerator=torch_device(net.device).type,
            max_epochs=net.max_epochs,
            precision=net.precision,
            gradient_clip_val=5.0,
            reload_dataloaders_every_n_epochs=1,
        )
    losses = {"before": before, "after": module.held_out_loss()}
    learned = losses["after"] < before
    if not learned:
        msg = (
            f"the adaptation made the {len(held_out)} held-out galaxies no better (loss "
            f"{before:.3f} before, {losses['after']:.3f} after): the weights stay as they were"
        )
        warn_caller(msg)
        module.network.load_state_dict(start.state_dict())
    if not learned:
        images = net.record_.get("images", {})
    record = _record(net, module, losses, left_out, seconds, images, learned=learned)
    return module.network.eval(), SEVEN, history, None, record


def _validation_scenes(validation, psf, options):
    """Scenes of the user's validation set; a list of PSFs is that of the training set alone."""
    if is_list_of_stamps(psf):
        psf = None
    held_out, left_out, _ = labeled_scenes(*check_pair(validation), psf=psf, **options)
    _check_number("validation", held_out, left_out, needed=1)
    return held_out


def _record(net, module, losses, left_out, seconds, images, *, learned):
    """Facts about the adaptation, which are stored with the weights."""
    before = net.record_
    n = len(module.labeled)
    if learned:
        outcome = f"adapted to {counted(n, 'galaxy')}"
        n_train = n
    else:
        outcome = f"not changed by {counted(n, 'galaxy')}"
        n_train = before.get("n_train", 0)
    return {
        "description": f"{before.get('description', '')}, {outcome}",
        "survey": before.get("survey", ""),
        "n_train": n_train,
        "n_validation": len(module.held_out),
        "n_left_out": left_out,
        "images": images,
        "validation_loss": losses,
        "learning_rate": module.learning_rate,
        "batch_size": net.batch_size,
        "seed": net.seed,
        "contaminants": vars(module.scenes["contaminants"]),
        "training_seconds": round(seconds),
        "sersicnet": __version__,
        "init": before,
    }


def _check_number(name, scenes, left_out, *, needed):
    """Raise ValueError unless there are as many usable galaxies as needed."""
    if len(scenes) < needed:
        reasons = ", ".join(f"{n} for their {reason}" for reason, n in left_out.items())
        msg = f"{name} has {len(scenes)} usable galaxies, but needs {needed}; left out: {reasons}"
        raise ValueError(msg)
