"""Simulated galaxies: the truth table first, then the cutouts drawn from it by GalSim.

For example::

    config = SimulationConfig.candels_f160w()
    catalog = draw_catalog(1000, config, seed=1)
    cutouts = list(render_catalog(catalog, config, seed=1, n_jobs=2))

Each galaxy has its own random numbers, so it is the same to the last bit, no matter how many
others are drawn, in which order and by how many processes.

config
    `SimulationConfig`, `PSFModel`: instrument, PSF, noise and priors of a simulation.
surveys
    Numbers of real surveys, from the package surveycodex.
catalog
    `draw_catalog`, `split_catalog`, `write_catalog`, `read_catalog`: the truth table.
render
    `render_catalog`, `render_model`, `draw_psf`: the images. The only module that imports GalSim.
field
    `render_field`: an image of many galaxies and stars.
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "PSFModel": "config",
    "SimulationConfig": "config",
    "draw_catalog": "catalog",
    "draw_psf": "render",
    "read_catalog": "catalog",
    "render_catalog": "render",
    "render_field": "field",
    "render_model": "render",
    "split_catalog": "catalog",
    "write_catalog": "catalog",
}

__all__ = [
    "PSFModel",
    "SimulationConfig",
    "draw_catalog",
    "draw_psf",
    "read_catalog",
    "render_catalog",
    "render_field",
    "render_model",
    "split_catalog",
    "write_catalog",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
