"""From a survey image to a catalog: sky, detection, cutouts, prediction, tile by tile."""

from sersicnet._lazy import lazy_names

_HOMES = {
    "FieldCutouts": "pictures",
    "FieldPSF": "psf",
    "Options": "options",
    "catalog_cutouts": "pictures",
    "field_psf": "psf",
    "inject_galaxies": "injection",
    "measure_image": "image",
    "psf_from_stars": "made_psf",
    "write_field_model": "models",
    "write_regions": "regions",
}

__all__ = [
    "FieldCutouts",
    "FieldPSF",
    "Options",
    "catalog_cutouts",
    "field_psf",
    "inject_galaxies",
    "measure_image",
    "psf_from_stars",
    "write_field_model",
    "write_regions",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
