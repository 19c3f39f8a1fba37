"""Turn cutouts into stamps in S/N units, and labels back into physical values.

Start with `center` and `mask_neighbors` where cutouts need it, and `prepare` to see what a network
sees. `~sersicnet.SersicNet.predict` does the rest by itself: cropping and padding, the noise where
there is no uncertainty, units, binning of large galaxies, and flags. All of it works on numpy
arrays and NDData; nothing here imports torch.
"""

from sersicnet._lazy import lazy_names

_HOMES = {
    "StampFrame": "frame",
    "Stamps": "stamps",
    "ZEROPOINT_CARDS": "zeropoints",
    "center": "sources",
    "crop_or_pad": "windows",
    "estimate_noise": "noise",
    "find_center": "sources",
    "mask_neighbors": "sources",
    "drizzle_correlation": "known_correlation",
    "measure_correlation": "correlation",
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
    "drizzle_correlation",
    "measure_correlation",
    "measure_shape",
    "prepare",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
