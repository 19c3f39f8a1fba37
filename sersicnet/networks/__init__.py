"""Networks: from stamps to probability distributions of the labels.

registry
    `build_network`: a network by its name; the device that it runs on.
cnn
    `RegressionCNN`: the plain convolutional network, ``network="cnn"``.
posterior
    `PosteriorNetwork`: the network for any survey, ``network="posterior"``.
likelihood
    `LikelihoodNetwork`: that of the second generation, ``network="likelihood"``.
mixed_flows
    ``MixedFlows``: a mixture of two flows of the same values.
look
    What it sees of the likelihood at its first answer.
features
    The inputs that both compute from stamps: three zooms, and sums over rings.
densities, flow_density
    `NormalDensity`, `FlowDensity`: the distributions of N galaxies, from which samples and
    quantiles follow.
saved
    A trained estimator as a weights file.
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "FlowDensity": "flow_density",
    "LikelihoodNetwork": "likelihood",
    "NETWORKS": "registry",
    "NormalDensity": "densities",
    "Posterior": "posterior",
    "PosteriorNetwork": "posterior",
    "RegressionCNN": "cnn",
    "base_points": "flow_density",
    "build_network": "registry",
    "flow_labels": "flow_density",
    "label_dict": "flow_density",
    "parameter_samples": "densities",
    "predict_labels": "registry",
    "summarize": "densities",
    "torch_device": "registry",
}

__all__ = [
    "FlowDensity",
    "LikelihoodNetwork",
    "NETWORKS",
    "NormalDensity",
    "Posterior",
    "PosteriorNetwork",
    "RegressionCNN",
    "base_points",
    "build_network",
    "flow_labels",
    "label_dict",
    "parameter_samples",
    "predict_labels",
    "summarize",
    "torch_device",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
