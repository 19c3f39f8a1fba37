"""Many survey images, on the cores of a machine or on a Dask cluster.

run
    `measure_survey` and the cluster that it starts.
tasks
    Images with their checked options, as workers receive them.
blocks
    One large image in many tasks.
catalog
    `read_survey`: the catalogs of all images together.
manifest
    The record of what has been measured, by which an interrupted run goes on.
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "measure_survey": "run",
    "read_manifest": "run",
    "read_survey": "catalog",
}

__all__ = [
    "measure_survey",
    "read_manifest",
    "read_survey",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
