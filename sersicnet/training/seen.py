"""Training of the second generation: what it sees of scenes is computed once, and kept on disk.

The first answer and one rendering take ten times the time of a step of the second part. As they do
not change with it, scenes that were seen once are shown many times. Files are made again if they
are of other scenes or of another first answer.
"""

import hashlib
import json
from pathlib import Path

import torch
from torch.utils.data import DataLoader, IterableDataset

from sersicnet import __version__
from sersicnet.io.files import atomic_path, named_errors
from sersicnet.model.unconstrained import to_unconstrained
from sersicnet.networks.likelihood import Seen
from sersicnet.training.modules import VALIDATION_SEED, UniversalModule

__all__ = ["LikelihoodModule"]

_TRUTH = "truth"


class LikelihoodModule(UniversalModule):
    """Lightning module that trains a `~sersicnet.networks.LikelihoodNetwork` on scenes.

    Parameters
    ----------
    network : `~sersicnet.networks.LikelihoodNetwork`
        Network, which is trained in place.
    frozen : bool
        Whether the first answer stays as it is; else its own loss is added, and nothing is kept.
    directory : path
        Folder of what was seen, 20 kB for each scene.
    n_kept : int
        Number of scenes of all processes that are kept, in whole epochs and of at least one; these
        are shown again in later epochs.
    **options
        Options of `UniversalModule`.
    """

    def __init__(self, network, *, frozen=True, directory, n_kept, **options):
        super().__init__(network, **options)
        self.frozen = frozen
        self.directory = Path(directory)
        self.n_kept = n_kept
        self.scenes = self.scenes | {"stars": True}
        for parameter in network.first_parameters():
            parameter.requires_grad_(not frozen)

    def train_dataloader(self):
        """Return the scenes of this epoch; a resumed run has the same."""
        if not self.frozen:
            return super().train_dataloader()
        n_epoch = self.n_batches * self.batch_size * self.trainer.world_size
        part = self.current_epoch % max(1, self.n_kept // n_epoch)
        seed = (self.seed, part, self.global_rank, 1)
        tensors = self._seen(f"seen_{self.global_rank}_{part:04d}", seed, self.n_batches)
        batches = _Batches(tensors, self.batch_size, seed=(self.seed, self.current_epoch))
        return DataLoader(batches, batch_size=None, generator=torch.Generator())

    def val_dataloader(self):
        """Return the scenes of the validation, the same in each epoch and process."""
        if not self.frozen:
            return super().val_dataloader()
        name = f"seen_{self.global_rank}_validation"
        n_batches = max(1, self.n_validation // self.batch_size)
        tensors = self._seen(name, (VALIDATION_SEED,), n_batches, n_workers=0)
        return DataLoader(_Batches(tensors, self.batch_size), batch_size=None)

    def _seen(self, name, seed, n_batches, **options):
        """Return what was seen of some scenes, by name, from a file or anew."""
        path = self.directory / f"{name}.safetensors"
        record = self._record(seed, n_batches)
        kept = _read(path, record)
        if kept is not None:
            return kept
        parts = []
        for batch in self.scene_loader(seed, n_batches=n_batches, **options):
            *images, labels = (tensor.to(self.device) for tensor in batch)
            seen = self.network.see(*images)
            parts.append(seen._asdict() | {_TRUTH: to_unconstrained(labels)})
        tensors = {key: torch.cat([part[key] for part in parts]).cpu() for key in parts[0]}
        known = tensors["mean"].isfinite().all(dim=1) & tensors[_TRUTH].isfinite().all(dim=1)
        tensors = {key: tensor[known].contiguous() for key, tensor in tensors.items()}
        from safetensors.torch import save

        self.directory.mkdir(parents=True, exist_ok=True)
        content = save(tensors, metadata={"of": record})
        with named_errors(path), atomic_path(path) as temporary:
            temporary.write_bytes(content)  # safetensors' own errors are of another class
        return tensors

    def _record(self, seed, n_batches):
        """What decides what is seen, as text."""
        digest = hashlib.sha256()
        for parameter in self.network.first_parameters():
            digest.update(parameter.detach().cpu().numpy().tobytes())
        facts = {name: str(value) for name, value in sorted(self.scenes.items())}
        facts |= {"seed": list(seed), "first": digest.hexdigest(), "sersicnet": __version__}
        return json.dumps(facts | {"batch_size": self.batch_size, "n_batches": n_batches})

    def _loss(self, batch):
        """Minus the logarithm of the density at the truth, (N,)."""
        if not self.frozen:
            return super()._loss(batch)
        *seen, truth = batch
        return -self.network.judge(Seen(*seen)).log_prob_unconstrained(truth)

    def training_step(self, batch, index):
        """Return the mean of -log of the density at the truth, and log it."""
        if self.frozen:
            return super().training_step(batch, index)
        *images, labels = batch
        values = to_unconstrained(labels)
        first, second = self.network.both(*images)
        loss = -second.log_prob_unconstrained(values).mean()
        options = {"on_epoch": True, "on_step": False, "sync_dist": True}
        self.log("train_loss", loss, batch_size=len(labels), **options)
        return loss - first.log_prob_unconstrained(values).mean()


class _Batches(IterableDataset):
    """Batches of tensors of one length: in their order, or shuffled by a seed."""

    def __init__(self, tensors, batch_size, *, seed=None):
        self.tensors = [tensors[name] for name in (*Seen._fields, _TRUTH)]
        self.batch_size = batch_size
        self.seed = seed

    def __iter__(self):
        n = len(self.tensors[0])
        order = torch.arange(n)
        if self.seed is not None:
            digest = hashlib.sha256(str(self.seed).encode()).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
            order = torch.randperm(n, generator=generator)
        for part in order.split(self.batch_size):
            yield tuple(tensor[part] for tensor in self.tensors)


def _read(path, record):
    """Tensors of a file by name; None if it is not there, damaged, or of something else."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            if (file.metadata() or {}).get("of") != record:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError):
        return None
