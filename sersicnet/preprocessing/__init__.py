"""From cutouts to stamps in S/N units, and the way back.

Centering, cropping and padding, masks of neighbors, noise, units and binning. numpy, no torch.
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "StampFrame": "frame",
    "Stamps": "stamps",
    "ZEROPOINT_CARDS": "units",
    "center": "sources",
    "crop_or_pad": "windows",
    "estimate_noise": "noise",
    "find_center": "sources",
    "mask_neighbors": "sources",
    "measure_shape": "sources",
    "prepare": "batches",
}

__all__ = [
    "StampFrame",
    "Stamps",
    "ZEROPOINT_CARDS",
    "center",
    "crop_or_pad",
    "estimate_noise",
    "find_center",
    "mask_neighbors",
    "measure_shape",
    "prepare",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
