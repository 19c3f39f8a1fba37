"""An HTML page of results: table, pictures and diagrams (Bokeh)."""

from sersicnet._lazy import lazy_names

_HOMES = {
    "write_report": "write",
}

__all__ = [
    "write_report",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
