"""Sersic parameters of galaxies from image cutouts with neural networks.

Names are loaded when they are first used (:pep:`562`), so that importing the package costs
nothing and does not import torch. The rooms of the package, each of which imports only from
those before it:

io
    Files in and out: cutouts, header cards, extensions, tables, weights.
model
    What a galaxy looks like: labels, prior, profile, PSF, likelihood (torch).
diagnostics
    Scores and calibration of results.
preprocessing
    Cutouts to stamps in S/N units, and the way back (numpy).
simulate_catalog
    Simulated galaxies (GalSim).
networks
    Stamps to probability distributions.
plotting
    Figures (matplotlib).
training
    How weights come about.
report
    The HTML page (Bokeh).
inference
    Stamps to results: prediction, flags, fits, importance sampling.
measure
    One survey image to a catalog.
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
    "Flags": "flags",
    "SersicNet": "estimator",
    "SersicResults": "results",
    "decode_flags": "flags",
    "measure_image": "measure.image",
    "measure_survey": "survey.run",
    "read_cutout": "io.cutouts",
    "read_cutouts": "io.cutouts",
    "write_cutout": "io.cutouts",
    "write_cutouts": "io.cutouts",
}

__all__ = [
    "Flags",
    "SersicNet",
    "SersicResults",
    "decode_flags",
    "measure_image",
    "measure_survey",
    "read_cutout",
    "read_cutouts",
    "write_cutout",
    "write_cutouts",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
