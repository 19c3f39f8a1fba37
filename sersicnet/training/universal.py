"""Training of the universal network on scenes that are made as they are needed.

Imports torch, numpy, zuko, lightning and safetensors only, so that it runs on a bare GPU machine.
"""

import platform
import subprocess
from pathlib import Path

import torch
from lightning.pytorch.callbacks import Callback, Timer, TQDMProgressBar

from sersicnet import __version__
from sersicnet.io.files import check_output_folder
from sersicnet.io.weights import read_weights, weights_path, write_weights
from sersicnet.model.labels import LABELS
from sersicnet.model.prior import prior_record
from sersicnet.networks.registry import build_network, network_name
from sersicnet.training.contaminants import Contaminants
from sersicnet.training.loop import History, run_trainer
from sersicnet.training.modules import VALIDATION_SEED, UniversalModule
from sersicnet.training.seen import LikelihoodModule
from sersicnet.training.validation import validate_by_snr

__all__ = ["train_universal"]

# Scenes between two validations: of the second generation, those that are kept in one file.
_EPOCH_SCENES = {"posterior": 65_536, "likelihood": 8192}
_PARAMETERS = ("mag", "r_eff", "n", "q", "theta", "x_0", "y_0")


class _Snapshot(Callback):
    """Write the weights after each epoch, to look at while training goes on."""

    def __init__(self, save):
        self.save = save

    def on_validation_end(self, trainer, module):
        """Write the weights."""
        if trainer.is_global_zero:
            self.save(trainer.current_epoch + 1)


def train_universal(
    directory,
    *,
    n_scenes=3_000_000,
    batch_size=64,
    learning_rate=1.5e-3,
    init=None,
    kind="posterior",
    frozen=True,
    seed=1,
    device="auto",
    n_devices=1,
    n_workers=None,
    precision="32-true",
    epoch_scenes=None,
    n_validation=4096,
    n_kept=131_072,
    n_galaxies=2048,
    reuse=None,
    contaminants=None,
    network=None,
    strategy="auto",
    progress_bar=True,
):
    """Train the universal network, or continue an interrupted run.

    Parameters
    ----------
    directory : path
        Folder of the checkpoints and of the weights, ``universal.safetensors``. If they cannot be
        written there, an OSError is raised before the training.
    n_scenes : int
        Number of scenes seen in this run, all processes together.
    batch_size : int
        Number of scenes in a step of each process.
    learning_rate : float
        Highest learning rate of the schedule.
    init : str, optional
        Shipped weights or a file to start from; the scenes that they had seen are added to the
        record.
    kind : {'posterior', 'likelihood'}
        Network of the first generation, or of the second; ``init`` may be weights of the first,
        whose answer the second begins with.
    frozen : bool
        Whether this first answer stays as it is.
    seed : int
        Seed of scenes and initial weights.
    device : str
        ``'auto'``, ``'cpu'`` or ``'gpu'``.
    n_devices : int
        Number of GPUs, or of processes on the CPU, that train together (DDP).
    n_workers : int, optional
        Number of processes that make scenes on the CPU. By default one where the CPU trains, and
        none where a GPU trains, which makes its own.
    precision : str
        Lightning's precision, such as ``'bf16-mixed'``.
    epoch_scenes : int, optional
        Number of scenes between two validations; by default 65,536, or 8192 of the second
        generation.
    n_validation : int
        Number of scenes of a validation, which has no more than the training.
    n_kept : int
        Number of scenes of the second generation that are simulated, if the first answer is frozen:
        what it sees of them is kept in ``directory``, 20 kB for each, and shown again. They are
        those of whole epochs, and of at least one.
    n_galaxies, reuse : int
        Options of `~sersicnet.training.SceneMaker`; by default galaxies are shown four times on
        the CPU, once on a GPU.
    contaminants : `~sersicnet.training.Contaminants`, optional
        Simulated imperfections; by default the extended ones for the second generation.
    network : dict, optional
        Options of a new network.
    strategy : str
        Lightning's strategy for several processes.
    progress_bar : bool
        Whether to show a progress bar.

    Returns
    -------
    path or None
        File of the weights; None in all processes but the first.

    Raises
    ------
    ValueError
        If ``kind`` is another one, or ``init`` is of the second generation and ``kind`` is not.
    """
    if kind not in ("posterior", "likelihood"):
        msg = f"kind={kind!r} must be 'posterior' or 'likelihood'"
        raise ValueError(msg)
    gpu = device == "gpu" or (device == "auto" and torch.cuda.is_available())
    if n_workers is None:
        n_workers = 0 if gpu else 1
    if reuse is None:
        reuse = 1 if gpu else 4
    second = kind == "likelihood"
    if contaminants is None:
        contaminants = Contaminants.extended() if second else Contaminants()
    model, before = _first_network(init, network or {}, seed, kind)
    if epoch_scenes is None:
        epoch_scenes = _EPOCH_SCENES[kind]
    own = {"frozen": frozen, "directory": directory, "n_kept": n_kept} if second else {}
    module = (LikelihoodModule if second else UniversalModule)(
        model,
        **own,
        learning_rate=float(learning_rate),
        batch_size=batch_size,
        n_batches=max(1, min(epoch_scenes, n_scenes) // (batch_size * n_devices)),
        n_validation=min(n_validation, n_scenes),
        seed=seed,
        n_workers=n_workers,
        scenes={"contaminants": contaminants, "n_galaxies": n_galaxies, "reuse": reuse},
    )
    record = _record(module, gpu=gpu, n_devices=n_devices, precision=precision, before=before)
    weights = _WeightsFile(Path(directory), module, n_devices, record)
    options = {"devices": n_devices, "strategy": strategy, "precision": precision}
    trainer = _train(module, weights, n_scenes, gpu=gpu, progress_bar=progress_bar, **options)
    if not trainer.is_global_zero:
        return None
    by_snr = validate_by_snr(
        model, seed=VALIDATION_SEED + 1, n_scenes=module.n_validation, contaminants=contaminants
    )
    weights.write(trainer.current_epoch, validation=by_snr)
    return weights.path


def _train(module, weights, n_scenes, *, gpu, progress_bar, **options):
    """Train until the scenes are seen, and return the trainer."""
    return run_trainer(
        module,
        directory=weights.path.parent,
        callbacks=[weights.history, weights.timer, _Snapshot(weights.write)],
        progress_bar=TQDMProgressBar(refresh_rate=50) if progress_bar else None,
        accelerator="gpu" if gpu else "cpu",
        max_epochs=max(1, round(n_scenes / weights.epoch_scenes)),
        gradient_clip_val=5.0,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        **options,
    )


def _first_network(init, options, seed, kind):
    """The network that the training starts from, and the record of its weights."""
    if init is None:
        return build_network(kind, seed=seed, **options), None
    tensors, metadata = read_weights(weights_path(init))
    before = metadata["network"]
    if kind != before and (before, kind) != ("posterior", "likelihood"):
        msg = f"init={str(init)!r} has a network {before!r}, from which kind={kind!r} cannot start"
        raise ValueError(msg)
    config = metadata["network_config"]
    if kind == before:
        model = build_network(kind, **config)
        model.load_state_dict(tensors)
    else:
        model = build_network(kind, seed=seed, **config | options)
        model.load_first(tensors)
    return model, metadata["record"]


def _record(module, *, gpu, n_devices, precision, before):
    """Facts about the training, which are stored with the weights."""
    return {
        "description": "posterior of all seven parameters for any PSF, pixel scale and depth",
        "survey": "any",
        "seed": module.seed,
        "device": torch.cuda.get_device_name() if gpu else f"CPU {platform.machine()}",
        "n_devices": n_devices,
        "precision": precision,
        "batch_size": module.batch_size,
        "learning_rate": module.learning_rate,
        "contaminants": vars(module.scenes["contaminants"]),
        **_of_second(module),
        "sersicnet": __version__,
        "commit": _commit(),
        "torch": torch.__version__,
        "init": before,
    }


def _of_second(module):
    """Facts about the training of the second generation."""
    if not isinstance(module, LikelihoodModule):
        return {}
    return {"frozen": module.frozen} | ({"n_kept": module.n_kept} if module.frozen else {})


class _WeightsFile:
    """The file of the weights, with the history and the time of the training."""

    def __init__(self, directory, module, n_devices, record):
        self.path = directory / "universal.safetensors"
        check_output_folder(directory, "directory", files=[self.path.name])
        directory.mkdir(parents=True, exist_ok=True)
        self.network = module.network
        self.record = record
        self.epoch_scenes = module.n_batches * module.batch_size * n_devices
        self.history = History(LABELS)
        self.timer = Timer()

    def write(self, n_epochs, **more):
        """Write the weights after a number of epochs; further facts are added to the record."""
        n_before = 0
        if self.record["init"] is not None:
            n_before = self.record["init"].get("n_train", 0)
        self.record["n_train"] = n_epochs * self.epoch_scenes + n_before
        self.record["training_seconds"] = round(self.timer.time_elapsed("train"))
        self.record.update(more)
        name = network_name(self.network)
        metadata = {
            "settings": {"parameters": list(_PARAMETERS), "network": name},
            "parameters": list(_PARAMETERS),
            "network": name,
            "network_config": self.network.config,
            "labels": list(LABELS),
            "label_range": None,
            "history": {name: list(values) for name, values in self.history.losses.items()},
            "record": self.record,
        }
        if name == "likelihood":
            metadata["prior"] = prior_record()
        write_weights(self.path, self.network.state_dict(), metadata)


def _commit():
    """The commit of the code, empty where it is not in a repository of its own."""
    folder = Path(__file__).resolve().parents[1]  # of the package
    command = ["git", "rev-parse", "--show-toplevel", "HEAD"]
    try:
        found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return ""
    top, _, commit = found.stdout.strip().partition("\n")
    if found.returncode == 0 and Path(top) == folder.parent:
        return commit
    return ""
