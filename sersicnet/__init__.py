"""Sersic parameters of galaxies from image cutouts with neural networks.

Names are loaded when they are first used (:pep:`562`), so that importing the
package costs nothing and does not import torch.
"""

from importlib import import_module

try:
    from sersicnet._version import __version__
except ModuleNotFoundError:  # a source tree that was never built or installed
    __version__ = "0+unknown"

_HOMES = {
    "Flags": "flags",
    "SersicNet": "estimator",
    "SersicResults": "results",
    "decode_flags": "flags",
}

__all__ = ["Flags", "SersicNet", "SersicResults", "decode_flags"]


def __getattr__(name):
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
