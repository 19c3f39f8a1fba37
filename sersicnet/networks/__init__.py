"""Networks: from stamps to probability distributions."""

from sersicnet._lazy import lazy_names

_HOMES = {
    "FlowDensity": "flow_density",
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
