"""Many survey images at a time, on a Dask cluster."""

from sersicnet._lazy import lazy_names

_HOMES = {
    "measure_survey": "run",
    "read_manifest": "run",
}

__all__ = [
    "measure_survey",
    "read_manifest",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
