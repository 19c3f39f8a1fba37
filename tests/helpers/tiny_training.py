"""Short trainings of a small universal network."""

from sersicnet.networks.registry import build_network
from sersicnet.training.modules import UniversalModule
from sersicnet.training.universal import train_universal

__all__ = ["NETWORK", "TINY", "make_module", "train"]

NETWORK = {
    "channels": (8, 16),
    "hidden": 32,
    "context": 16,
    "transforms": 1,
    "flow_hidden": 16,
    "bins": 4,
}
# Two epochs of four batches.
TINY = {
    "n_scenes": 256,
    "batch_size": 32,
    "epoch_scenes": 128,
    "n_validation": 64,
    "n_galaxies": 64,
    "learning_rate": 3e-3,
    "device": "cpu",
    "n_workers": 0,
    "network": NETWORK,
    "progress_bar": False,
}


def train(directory, **changes):
    return train_universal(directory, **(TINY | changes))


def make_module(**changes):
    options = {"learning_rate": 1e-3, "batch_size": 32, "n_batches": 2, "n_validation": 32}
    options |= {"seed": 1, "n_workers": 0, "scenes": {"n_galaxies": 64}}
    return UniversalModule(build_network("posterior", **NETWORK), **(options | changes))
