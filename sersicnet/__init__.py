"""Measure the Sérsic parameters of galaxies in images with neural networks.

Importing the package costs nothing: its names are loaded when they are first used
(:pep:`562`), so that torch is not imported before it is needed. Each subpackage imports only from
those listed before it:

io
    Reading and writing of cutouts, tables and weights.
model
    What a galaxy looks like: labels, prior, profile, PSF, likelihood (torch).
diagnostics
    Scores and calibration of results.
preprocessing
    From cutouts to stamps in S/N units, and back (NumPy).
simulate_catalog
    Simulated galaxies (GalSim).
networks
    From stamps to probability distributions.
plotting
    Figures (matplotlib).
training
    Training of networks, and adaptation to labeled galaxies.
report
    A page about measured galaxies (Bokeh).
inference
    From stamps to results: prediction, flags, fits, importance sampling.
measure
    From one survey image to a catalog.
survey
    Many survey images on a cluster (Dask).
cli
    The command line.
"""

from sersicnet._lazy import lazy_names

try:
    from sersicnet._version import __version__
except ModuleNotFoundError:  # a source tree that was never built or installed
    __version__ = "0+unknown"

_HOMES = {
    "BrokenExponential": "model.profile_components",
    "CoreSersic": "model.profile_components",
    "EdgeOnDisk": "model.profile_components",
    "Ferrers": "model.profile_components",
    "Gaussian": "model.profile_components",
    "King": "model.profile_components",
    "Moffat": "model.profile_components",
    "DeVaucouleurs": "model.components",
    "Exponential": "model.components",
    "Flags": "flags",
    "Model": "model.description",
    "NormalPrior": "model.components",
    "PointSource": "model.components",
    "Population": "inference.population",
    "Sersic": "model.components",
    "SersicNet": "estimator",
    "SersicResults": "results",
    "check_psf": "model.psf_check",
    "decode_flags": "flags",
    "measure_image": "measure.image",
    "measure_survey": "survey.run",
    "read_cutout": "io.cutouts",
    "read_cutouts": "io.cutouts",
    "write_cutout": "io.cutouts",
    "write_cutouts": "io.cutouts",
}

__all__ = [
    "BrokenExponential",
    "CoreSersic",
    "EdgeOnDisk",
    "Ferrers",
    "Gaussian",
    "King",
    "Moffat",
    "DeVaucouleurs",
    "Exponential",
    "Flags",
    "Model",
    "NormalPrior",
    "PointSource",
    "Population",
    "Sersic",
    "SersicNet",
    "SersicResults",
    "check_psf",
    "decode_flags",
    "measure_image",
    "measure_survey",
    "read_cutout",
    "read_cutouts",
    "write_cutout",
    "write_cutouts",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
