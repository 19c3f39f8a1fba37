"""Measure galaxies in stamps: the network's posterior, fits, importance sampling and flags.

`~sersicnet.SersicNet.predict` calls all of this. Use `LevenbergMarquardt` and `ImportanceSampling`
to set options of its argument ``refine``; `fit_stamps` and `sample` fit or sample stamps that you
have prepared yourself (`~sersicnet.preprocessing.prepare`).
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "BandResults": "band_results",
    "Fit": "fit",
    "FitDensity": "refined",
    "FlowProposal": "importance",
    "ImportanceSampling": "refine",
    "LevenbergMarquardt": "refine",
    "Population": "population",
    "SampleDensity": "refined",
    "StudentProposal": "importance",
    "WeightedSamples": "importance",
    "fit_quantiles": "refined",
    "fit_stamps": "levenberg_marquardt",
    "log_posterior": "importance",
    "sample": "importance",
}

__all__ = [
    "BandResults",
    "Fit",
    "FitDensity",
    "FlowProposal",
    "ImportanceSampling",
    "LevenbergMarquardt",
    "Population",
    "SampleDensity",
    "StudentProposal",
    "WeightedSamples",
    "fit_quantiles",
    "fit_stamps",
    "log_posterior",
    "sample",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
