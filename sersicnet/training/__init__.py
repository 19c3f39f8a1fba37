"""Training: simulated scenes, data, and the loops that produce weights."""

from sersicnet._lazy import lazy_names

_HOMES = {
    "AdaptationModule": "adapt",
    "Contaminants": "contaminants",
    "SceneMaker": "scenes",
    "Scenes": "data",
    "TrainingData": "data",
    "TrainingModule": "regression",
    "UniversalModule": "universal",
    "beta_nll": "regression",
    "train_module": "loop",
    "train_network": "regression",
    "train_universal": "universal",
    "turn": "data",
}

__all__ = [
    "AdaptationModule",
    "Contaminants",
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
