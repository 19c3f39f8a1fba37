"""From stamps to results: prediction, flags, fits and importance sampling."""

from sersicnet._lazy import lazy_names

_HOMES = {
    "Fit": "levenberg_marquardt",
    "FitAnswer": "refined",
    "FlowProposal": "importance",
    "ImportanceSampling": "refine",
    "LevenbergMarquardt": "refine",
    "SampleAnswer": "refined",
    "StudentProposal": "importance",
    "WeightedSamples": "importance",
    "fit_quantiles": "refined",
    "fit_stamps": "levenberg_marquardt",
    "log_posterior": "importance",
    "sample": "importance",
}

__all__ = [
    "Fit",
    "FitAnswer",
    "FlowProposal",
    "ImportanceSampling",
    "LevenbergMarquardt",
    "SampleAnswer",
    "StudentProposal",
    "WeightedSamples",
    "fit_quantiles",
    "fit_stamps",
    "log_posterior",
    "sample",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
