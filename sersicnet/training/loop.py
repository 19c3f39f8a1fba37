"""The training loop: checkpoints, history, schedule and interruption.

Imports torch, numpy and lightning only, so that it runs on a bare GPU machine.
"""

import contextlib
import logging
import math
import signal
import warnings
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, Timer, TQDMProgressBar
from lightning.pytorch.utilities.exceptions import SIGTERMException

from sersicnet.io.files import check_output_folder
from sersicnet.training.checkpoints import (
    CHECKPOINTS,
    WholeCheckpoints,
    find_checkpoint,
    read_checkpoint,
)

__all__ = ["Checkpoint", "History", "run_trainer", "train_module", "warmup_cosine"]


# Exit status of a process that SIGTERM has ended.
_TERMINATED = 128 + signal.SIGTERM


class History(lightning.Callback):
    """Losses of each epoch, which are part of the checkpoint.

    Parameters
    ----------
    names : tuple of str
        Names of the labels.
    """

    def __init__(self, names):
        self.names = list(names)
        self.losses = {"epoch": [], "train_loss": [], "val_loss": []}

    def on_train_epoch_end(self, trainer, module):
        """Append the losses of the epoch."""
        self.losses["epoch"].append(trainer.current_epoch)
        for name in ("train_loss", "val_loss"):
            self.losses[name].append(float(trainer.callback_metrics[name]))

    def state_dict(self):
        """Return the state for the checkpoint."""
        return self.losses | {"names": self.names}

    def load_state_dict(self, state):
        """Restore the state of a checkpoint of the same labels."""
        losses = {name: list(values) for name, values in state.items()}
        names = losses.pop("names")
        if names != self.names:
            msg = f"the checkpoint is of the labels {names}, not {self.names}: use another folder"
            raise ValueError(msg)
        self.losses = losses


class Checkpoint(ModelCheckpoint):
    """Checkpoint of the best or the last epoch, in a folder that may move between two runs."""

    def load_state_dict(self, state):
        """Restore the state of a checkpoint, whose paths are those of the first run."""

        def move(path):
            if not path:
                return path
            return str(Path(self.dirpath) / Path(path).name)

        paths = ("best_model_path", "kth_best_model_path", "last_model_path")
        models = {move(path): score for path, score in state["best_k_models"].items()}
        moved = {name: move(state[name]) for name in paths}
        super().load_state_dict(state | moved | {"dirpath": self.dirpath, "best_k_models": models})


def train_module(module, loaders=(), *, names, directory, patience, progress_bar, **options):
    """Train the network of a module in place, and give it the weights of its best epoch.

    Parameters
    ----------
    module : `~lightning.LightningModule`
        Module with a ``network``, which logs ``train_loss`` and ``val_loss``.
    loaders : tuple of `~torch.utils.data.DataLoader`
        Loaders of training and validation; none where the module has its own.
    names : tuple of str
        Names of the labels.
    directory, patience, progress_bar
        Arguments of `~sersicnet.training.train_network`.
    **options
        Further options of `~lightning.Trainer`.

    Returns
    -------
    history : dict of list
        ``epoch``, ``train_loss`` and ``val_loss``.
    seconds : float
        Time of the training, in all runs that led to this one.
    """
    module.network.train()  # a trained network may come in evaluation mode
    history = History(names)
    timer = Timer()
    best = Checkpoint(directory, "best", monitor="val_loss", enable_version_counter=False)
    run_trainer(
        module,
        loaders,
        directory=directory,
        callbacks=[history, timer, EarlyStopping("val_loss", patience=patience), best],
        progress_bar=TQDMProgressBar() if progress_bar else None,
        devices=1,
        **options,
    )
    state = read_checkpoint(best.best_model_path)["state_dict"]
    module.network.load_state_dict({k.removeprefix("network."): v for k, v in state.items()})
    module.network.eval()
    return history.losses, timer.time_elapsed("train")


def run_trainer(module, loaders=(), *, directory, callbacks, progress_bar, **options):
    """Train a module, from its last checkpoint if there is one.

    Parameters
    ----------
    module : `~lightning.LightningModule`
        The module to train.
    loaders : tuple of `~torch.utils.data.DataLoader`
        Loaders of training and validation; none, where the module has its own.
    directory : path
        Folder of the checkpoint ``last.ckpt``, which is written after each epoch.
    callbacks : list of `~lightning.Callback`
        Callbacks besides the checkpoint and the progress bar.
    progress_bar : `~lightning.pytorch.callbacks.ProgressBar` or None
        The progress bar to show.
    **options
        Options of `~lightning.Trainer`.

    Returns
    -------
    `~lightning.Trainer`
        After training.
    """
    check_output_folder(directory, "directory", files=CHECKPOINTS)
    callbacks = [*callbacks, Checkpoint(directory, "last", enable_version_counter=False)]
    if progress_bar is not None:
        callbacks.append(progress_bar)
    checkpoint = find_checkpoint(directory)
    with quiet(), interruptible():
        trainer = lightning.Trainer(
            callbacks=callbacks,
            enable_progress_bar=progress_bar is not None,
            enable_model_summary=False,
            logger=False,
            num_sanity_val_steps=0,
            plugins=[WholeCheckpoints()],
            **options,
        )
        trainer.fit(module, *loaders, ckpt_path=checkpoint, weights_only=True)
    return trainer


def warmup_cosine(optimizer, *, steps, warmup):
    """Let the learning rate rise linearly, and fall as half a cosine from the first step on.

    Parameters
    ----------
    optimizer : `~torch.optim.Optimizer`
        The optimizer, with the highest learning rate.
    steps : int
        Steps until the learning rate is zero.
    warmup : float
        Steps of the linear rise.

    Returns
    -------
    dict
        What ``configure_optimizers`` of a `~lightning.LightningModule` returns.
    """

    def factor(step):
        cosine = 0.5 * (1 + math.cos(math.pi * min(step / steps, 1)))
        return min((step + 1) / warmup, 1) * cosine

    # Not torch's LinearLR and CosineAnnealingLR: their state in a checkpoint holds the number of
    # steps, so that a run resumed with more epochs would follow the old schedule, and rise again
    # after its end; and LinearLR does not take a rise of a fractional number of steps.
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


@contextlib.contextmanager
def quiet():
    """Silence Lightning's advertisements, and its warnings about what is intended."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Batches are read from memory maps: worker processes would only copy them.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        # Each epoch has scenes of its own, and so workers of its own.
        warnings.filterwarnings("ignore", ".*persistent_workers=True.*")
        # A resumed run finds its own checkpoints there.
        warnings.filterwarnings("ignore", ".*Checkpoint directory .* exists and is not empty.*")
        warnings.filterwarnings("ignore", ".*LeafSpec.*")  # Lightning 2.6 with torch 2.13
        try:
            yield
        finally:
            logger.setLevel(level)


@contextlib.contextmanager
def interruptible():
    """Let signals end the training as they end other code.

    Ctrl-C raises KeyboardInterrupt: Lightning would end Python, and ignore it afterwards. SIGTERM
    ends Python with status 143: Lightning would end it with 0, as if the training was complete.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SIGTERMException:  # an exit with status 0
        raise SystemExit(_TERMINATED) from None
    except SystemExit as stop:
        interrupt = stop.__context__
        if not isinstance(interrupt, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise interrupt from None
