"""Files: reading and writing of cutouts, tables and weights.

This room knows nothing of galaxies: header cards, units, extensions and tables.
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "atomic_path": "files",
    "list_pretrained": "weights",
    "read_cutout": "cutouts",
    "read_cutouts": "cutouts",
    "read_table": "files",
    "read_weights": "weights",
    "write_cutout": "cutouts",
    "write_cutouts": "cutouts",
    "write_table": "files",
    "write_weights": "weights",
}

__all__ = [
    "atomic_path",
    "list_pretrained",
    "read_cutout",
    "read_cutouts",
    "read_table",
    "read_weights",
    "write_cutout",
    "write_cutouts",
    "write_table",
    "write_weights",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
