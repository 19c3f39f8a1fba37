"""From a survey image to a catalog: sky, detection, cutouts, prediction, tile by tile."""

from sersicnet._lazy import lazy_names

_HOMES = {
    "FieldPSF": "psf",
    "Options": "options",
    "field_psf": "psf",
    "measure_image": "image",
    "write_field_model": "models",
    "write_regions": "regions",
}

__all__ = [
    "FieldPSF",
    "Options",
    "field_psf",
    "measure_image",
    "write_field_model",
    "write_regions",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
