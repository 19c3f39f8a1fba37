"""Training: simulated scenes, labeled cutouts, and the loops that produce weights.

================= ================================================================================
module            content
================= ================================================================================
``contaminants``  The imperfections of simulated scenes, one switch each.
``psf_families``  Random PSFs of several families.
``galaxies``      Noise-free galaxies behind PSFs, of which scenes are made.
``structure``     Structured galaxies, and the single profiles that are their labels.
``noises``        Noise of drizzled images and of photon counts.
``missing``       Small cutouts, and masks over the middle.
``scenes``        Scenes of galaxies from the prior, made on the device that trains.
``streams``       Batches of scenes for torch's loaders.
``data``          Stamps and labels: their order, orientations and noise.
``prepared``      Cutouts and their truth, prepared into arrays on disk.
``labeled``       Cutouts and their truth, prepared as scenes.
``loop``          The training loop: checkpoints, history, interruption.
``regression``    Training of networks that predict normal distributions.
``modules``       The Lightning module of the universal network.
``seen``          That of the second generation, for scenes that were seen once.
``universal``     Training of the universal network on scenes.
``validation``    Its losses, errors and coverages in strata of S/N.
``adapt``         Adaptation of the universal network to labeled galaxies.
``fit``           `sersicnet.SersicNet.fit`: the choice among these.
================= ================================================================================
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "AdaptationModule": "adapt",
    "Contaminants": "contaminants",
    "FineScenes": "data",
    "LikelihoodModule": "seen",
    "SceneMaker": "scenes",
    "Scenes": "data",
    "TrainingData": "data",
    "TrainingModule": "regression",
    "UniversalModule": "modules",
    "beta_nll": "regression",
    "train_module": "loop",
    "train_network": "regression",
    "train_universal": "universal",
    "turn": "data",
}

__all__ = [
    "AdaptationModule",
    "Contaminants",
    "FineScenes",
    "LikelihoodModule",
    "SceneMaker",
    "Scenes",
    "TrainingData",
    "TrainingModule",
    "UniversalModule",
    "beta_nll",
    "train_module",
    "train_network",
    "train_universal",
    "turn",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
