"""Training of the universal network: scenes made as they are needed, and the Lightning module.

Imports torch, numpy, zuko, lightning and safetensors only, so that it runs on a bare GPU machine.
"""

import math
import platform
import subprocess
from itertools import pairwise
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, Timer, TQDMProgressBar

from sersicnet import __version__
from sersicnet.io.weights import read_weights, weights_path, write_weights
from sersicnet.model.labels import LABELS, N_LABELS
from sersicnet.model.prior import log_snr
from sersicnet.model.unconstrained import from_unconstrained, to_unconstrained
from sersicnet.networks.registry import build_network
from sersicnet.training.contaminants import Contaminants
from sersicnet.training.loop import History, run_trainer, warmup_cosine
from sersicnet.training.scenes import SceneMaker
from sersicnet.training.streams import scene_loader

__all__ = ["UniversalModule", "train_universal", "validate_by_snr"]

_VALIDATION_SEED = 7
_PARAMETERS = ("mag", "r_eff", "n", "q", "theta", "x_0", "y_0")
# S/N within the half-light ellipse that strata begin and end at.
STRATA = (2, 10, 30, 100, 1000, 20000)


class UniversalModule(lightning.LightningModule):
    """What Lightning needs to train a `~sersicnet.networks.PosteriorNetwork`.

    Parameters
    ----------
    network : `~sersicnet.networks.PosteriorNetwork`
        Trained in place.
    learning_rate : float
        Of AdamW, reached after a warm-up and followed by half a cosine down to zero.
    batch_size, n_batches : int
        Scenes a step, and steps an epoch, of each process.
    n_validation : int
        Scenes of the validation set.
    seed : int
        Of the scenes.
    n_workers : int
        Processes that make scenes; 0 makes them where the network trains.
    scenes : dict
        Options of `~sersicnet.training.SceneMaker`.
    """

    def __init__(
        self,
        network,
        *,
        learning_rate,
        batch_size,
        n_batches,
        n_validation,
        seed,
        n_workers,
        scenes,
    ):
        super().__init__()
        self.network, self.learning_rate, self.seed = network, learning_rate, seed
        self.batch_size, self.n_batches, self.n_validation = batch_size, n_batches, n_validation
        self.n_workers, self.scenes = n_workers, scenes

    def train_dataloader(self):
        """Scenes of this epoch: a resumed run draws the same."""
        # The 1 keeps any seed from that of the validation: zeros at the end do not count.
        return scene_loader(
            (self.seed, self.current_epoch, self.global_rank, 1),
            batch_size=self.batch_size,
            n_batches=self.n_batches,
            n_workers=self.n_workers,
            device=self.device,
            **self.scenes,
        )

    def val_dataloader(self):
        """The same scenes in each epoch and process."""
        return scene_loader(
            (_VALIDATION_SEED,),
            batch_size=self.batch_size,
            n_batches=max(1, self.n_validation // self.batch_size),
            device=self.device,
            **self.scenes,
        )

    def _loss(self, batch):
        *images, labels = batch
        return -self.network(*images).log_prob_unconstrained(to_unconstrained(labels))

    def training_step(self, batch, index):
        """Mean of -log of the density at the truth."""
        loss = self._loss(batch).mean()
        options = {"on_epoch": True, "on_step": False, "sync_dist": True}
        self.log("train_loss", loss, batch_size=len(batch[0]), **options)
        return loss

    def validation_step(self, batch, index):
        """The same for the validation scenes."""
        loss = self._loss(batch).mean()
        self.log("val_loss", loss, prog_bar=True, sync_dist=True, batch_size=len(batch[0]))

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, **options):
        """Clip gradients; a step whose gradients are not finite changes nothing."""
        parameters = list(self.network.parameters())
        norm = torch.nn.utils.clip_grad_norm_(parameters, gradient_clip_val)
        if not norm.isfinite():
            for parameter in parameters:
                parameter.grad = None  # zeros would move what momentum moves

    def configure_optimizers(self):
        """AdamW with warm-up and cosine decay."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.learning_rate, weight_decay=1e-4
        )
        steps = self.trainer.max_epochs * self.n_batches
        return warmup_cosine(optimizer, steps=steps, warmup=min(1000, steps // 20 + 1))


class _Snapshot(Callback):
    """Writes the weights as they are after each epoch, to look at while training goes on."""

    def __init__(self, save):
        self.save = save

    def on_validation_end(self, trainer, module):
        """Write them."""
        if trainer.is_global_zero:
            self.save(trainer.current_epoch + 1)


def train_universal(
    directory,
    *,
    n_scenes=3_000_000,
    batch_size=64,
    learning_rate=1.5e-3,
    init=None,
    seed=1,
    device="auto",
    n_devices=1,
    n_workers=None,
    precision="32-true",
    epoch_scenes=65_536,
    n_validation=4096,
    n_galaxies=2048,
    reuse=None,
    contaminants=None,
    network=None,
    strategy="auto",
    progress_bar=True,
):
    """Train the universal network, or go on where an interrupted run ended.

    Parameters
    ----------
    directory : path
        For checkpoints and the weights, ``universal.safetensors``.
    n_scenes : int
        Scenes to be seen in this run, all processes together.
    batch_size : int
        Scenes a step of each process.
    learning_rate : float
        The highest of the schedule.
    init : str, optional
        Shipped weights or a file to begin with; what they had seen is added to the record.
    seed : int
        Of scenes and initial weights.
    device : str
        ``'auto'``, ``'cpu'`` or ``'gpu'``.
    n_devices : int
        GPUs, or processes on the CPU, that train together (DDP).
    n_workers : int, optional
        Processes that make scenes on the CPU. By default one where training is on the CPU
        and none where it is on a GPU, which makes its own.
    precision : str
        Lightning's, e.g. ``'bf16-mixed'``.
    epoch_scenes, n_validation : int
        Scenes between two validations, and of a validation, which has no more than the training.
    n_galaxies, reuse : int
        Of `~sersicnet.training.SceneMaker`; by default galaxies are shown four times on the CPU,
        once on a GPU.
    contaminants : `~sersicnet.training.Contaminants`, optional
        What spoils the scenes.
    network : dict, optional
        Options of a new `~sersicnet.networks.PosteriorNetwork`.
    strategy : str
        Lightning's, for several processes.
    progress_bar : bool
        Whether to show one.

    Returns
    -------
    path or None
        Of the weights; None in all processes but the first.
    """
    gpu = device == "gpu" or (device == "auto" and torch.cuda.is_available())
    n_workers = (0 if gpu else 1) if n_workers is None else n_workers
    reuse = (1 if gpu else 4) if reuse is None else reuse
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    n_validation = min(n_validation, n_scenes)
    model, before = _begin(init, network or {}, seed)
    contaminants = Contaminants() if contaminants is None else contaminants
    module = UniversalModule(
        model,
        learning_rate=float(learning_rate),
        batch_size=batch_size,
        n_batches=max(1, min(epoch_scenes, n_scenes) // (batch_size * n_devices)),
        n_validation=n_validation,
        seed=seed,
        n_workers=n_workers,
        scenes={"contaminants": contaminants, "n_galaxies": n_galaxies, "reuse": reuse},
    )
    per_epoch = module.n_batches * batch_size * n_devices
    history, timer = History(LABELS), Timer()
    record = {
        "description": "posterior of all seven parameters for any PSF, pixel scale and depth",
        "survey": "any",
        "seed": seed,
        "device": torch.cuda.get_device_name() if gpu else f"CPU {platform.machine()}",
        "n_devices": n_devices,
        "precision": precision,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "contaminants": vars(contaminants),
        "sersicnet": __version__,
        "commit": _commit(),
        "torch": torch.__version__,
        "init": before,
    }

    def save(epochs, **more):
        seen = epochs * per_epoch
        record.update(
            n_train=seen + (before or {}).get("n_train", 0),
            training_seconds=round(timer.time_elapsed("train")),
            **more,
        )
        _save(directory / "universal.safetensors", model, history.losses, record)

    trainer = run_trainer(
        module,
        directory=directory,
        callbacks=[history, timer, _Snapshot(save)],
        progress_bar=TQDMProgressBar(refresh_rate=50) if progress_bar else None,
        accelerator="gpu" if gpu else "cpu",
        devices=n_devices,
        strategy=strategy,
        precision=precision,
        max_epochs=max(1, round(n_scenes / per_epoch)),
        gradient_clip_val=5.0,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
    )
    if not trainer.is_global_zero:
        return None
    by_snr = validate_by_snr(
        model, seed=_VALIDATION_SEED + 1, n_scenes=n_validation, contaminants=contaminants
    )
    save(trainer.current_epoch, validation=by_snr)
    return directory / "universal.safetensors"


def _begin(init, options, seed):
    """The network that training begins with, and the record of its weights."""
    if init is None:
        return build_network("posterior", seed=seed, **options), None
    tensors, metadata = read_weights(weights_path(init))
    model = build_network(metadata["network"], **metadata["network_config"])
    model.load_state_dict(tensors)
    return model, metadata["record"]


def _save(path, model, history, record):
    metadata = {
        "settings": {"parameters": list(_PARAMETERS), "network": "posterior"},
        "parameters": list(_PARAMETERS),
        "network": "posterior",
        "network_config": model.config,
        "labels": list(LABELS),
        "label_range": None,
        "history": {name: list(values) for name, values in history.items()},
        "record": record,
    }
    write_weights(path, model.state_dict(), metadata)


def _commit():
    """The commit of the code, empty where it is not in a repository of its own."""
    folder = Path(__file__).resolve().parents[1]  # of the package
    command = ["git", "rev-parse", "--show-toplevel", "HEAD"]
    try:
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    top, _, commit = answer.stdout.strip().partition("\n")
    return commit if answer.returncode == 0 and Path(top) == folder.parent else ""


@torch.no_grad()
def validate_by_snr(network, *, seed, n_scenes=4096, n_samples=64, contaminants=None):
    """How good a network is on scenes of each stratum of S/N.

    Parameters
    ----------
    network : `~sersicnet.networks.PosteriorNetwork`
        On any device.
    seed : int
        Of the scenes.
    n_scenes, n_samples : int
        Scenes, and posterior samples of each.
    contaminants : `~sersicnet.training.Contaminants`, optional
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
        normal = torch.randn(n_samples, len(loss), N_LABELS, generator=generator, device=device)
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
