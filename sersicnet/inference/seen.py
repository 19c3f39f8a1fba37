"""What the batches of a call show of their images."""

from dataclasses import dataclass, field

import numpy as np

from sersicnet.flags import FAILED, Flags
from sersicnet.preprocessing.noise_maps import data_scatter

__all__ = ["Seen"]


@dataclass
class Seen:
    """The results of batches, and what these show of noise, PSFs and photons."""

    results: list = field(default_factory=list)
    scatter: list = field(default_factory=list)
    checks: list = field(default_factory=list)
    photons: list = field(default_factory=list)

    def add(self, batch, results):
        """Add a batch."""
        self.results.append(results)
        self.scatter.append(_noise_scatter(batch))
        self.checks += batch.psfs.checks
        self.photons.append(np.stack([batch.stamps.photons, batch.stamps.gain]))


def _noise_scatter(batch):
    """Return the scatter of the pixels of a batch over their noise, NaN where it was not given.

    The noise of windows of a survey image is checked where the sky is measured.
    """
    scatter = np.full(len(batch), np.nan)
    if batch.is_checked or batch.counts:
        return scatter
    unknown = int(FAILED | Flags.NOISE_ESTIMATED)
    given = batch.stamps.flags & unknown == 0
    scatter[given] = data_scatter(batch.stamps.data[given], batch.stamps.weight[given])
    return scatter
