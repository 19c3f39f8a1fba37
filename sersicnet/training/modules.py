"""The Lightning module that trains the universal network on scenes."""

import lightning
import torch

from sersicnet.model.unconstrained import to_unconstrained
from sersicnet.training.loop import warmup_cosine
from sersicnet.training.streams import scene_loader

__all__ = ["VALIDATION_SEED", "UniversalModule"]

# Seed of the scenes of validations.
VALIDATION_SEED = 7


class UniversalModule(lightning.LightningModule):
    """Lightning module that trains a `~sersicnet.networks.PosteriorNetwork` on scenes.

    Parameters
    ----------
    network : `~sersicnet.networks.PosteriorNetwork`
        Network, which is trained in place.
    learning_rate : float
        Highest learning rate of AdamW, after a warm-up; it falls to zero along half a cosine.
    batch_size, n_batches : int
        Scenes per step and steps per epoch, of each process.
    n_validation : int
        Number of scenes of the validation set.
    seed : int
        Seed of the scenes.
    n_workers : int
        Number of processes that make scenes; 0 makes them where the network trains.
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
        self.network = network
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_batches = n_batches
        self.n_validation = n_validation
        self.seed = seed
        self.n_workers = n_workers
        self.scenes = scenes

    def train_dataloader(self):
        """Return the scenes of this epoch; a resumed run draws the same."""
        # The 1 keeps any seed from that of the validation: zeros at the end do not count.
        seed = (self.seed, self.current_epoch, self.global_rank, 1)
        return self.scene_loader(seed, n_batches=self.n_batches)

    def val_dataloader(self):
        """Return the scenes of the validation, the same in each epoch and process."""
        n_batches = max(1, self.n_validation // self.batch_size)
        return self.scene_loader((VALIDATION_SEED,), n_batches=n_batches, n_workers=0)

    def scene_loader(self, seed, **options):
        """Return a loader of scenes; options are those of `scene_loader`."""
        options = {"n_workers": self.n_workers} | options
        return scene_loader(
            seed, batch_size=self.batch_size, device=self.device, **options, **self.scenes
        )

    def _loss(self, batch):
        """Minus the logarithm of the density at the truth, (N,)."""
        *images, labels = batch
        return -self.network(*images).log_prob_unconstrained(to_unconstrained(labels))

    def training_step(self, batch, index):
        """Return the mean of -log of the density at the truth, and log it."""
        loss = self._loss(batch).mean()
        options = {"on_epoch": True, "on_step": False, "sync_dist": True}
        self.log("train_loss", loss, batch_size=len(batch[0]), **options)
        return loss

    def validation_step(self, batch, index):
        """Log the mean of -log of the density at the truth."""
        loss = self._loss(batch).mean()
        self.log("val_loss", loss, prog_bar=True, sync_dist=True, batch_size=len(batch[0]))

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, **options):
        """Clip gradients; a step whose gradients are not finite changes nothing."""
        parameters = list(self.network.parameters())
        norm = torch.nn.utils.clip_grad_norm_(parameters, gradient_clip_val)
        if not norm.isfinite():
            for parameter in parameters:
                parameter.grad = None  # with zeros, momentum would still move the parameters

    def configure_optimizers(self):
        """Return AdamW with warm-up and cosine decay."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.learning_rate, weight_decay=1e-4
        )
        steps = self.trainer.max_epochs * self.n_batches
        return warmup_cosine(optimizer, steps=steps, warmup=min(1000, steps // 20 + 1))
