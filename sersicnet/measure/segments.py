"""The pixels of sources, where the user says what the sources of an image are."""

from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np

from sersicnet.measure.field import Plane, pixels_of

__all__ = ["open_segments"]

# Extensions of files with segments.
_NAMES = ("SEG", "SEGM", "SEGMENTATION", "SEGMAP")


@contextmanager
def open_segments(field, segmentation):
    """Open the segments of an image, which are read window by window.

    Parameters
    ----------
    field : `~sersicnet.measure.field.FieldImage`
        The image.
    segmentation : 2-D int array_like, `~photutils.segmentation.SegmentationImage`, path or None
        Number of the source of each pixel, 0 for sky; None if sources are detected.

    Yields
    ------
    `~sersicnet.measure.field.FieldImage`
        The image with its segments.

    Raises
    ------
    ValueError, OSError
        If it has another shape than the image, or cannot be read. A window raises ValueError if a
        number is negative or not an integer.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.measure.field import open_field
    >>> from sersicnet.measure.segments import open_segments
    >>> image = np.zeros((50, 60))
    >>> with open_field(image) as field, open_segments(field, image.astype(int)) as field:
    ...     print(field.segments[:1, :2])
    [[0 0]]
    """
    with ExitStack() as stack:
        if segmentation is not None:
            given = segmentation
            if hasattr(given, "labels"):  # photutils
                given = given.data
            pixels, _ = pixels_of(given, "segmentation", _NAMES, field, stack)
            field = replace(field, segments=Plane(pixels, _numbers))
        yield field


def _numbers(window):
    """The numbers of the sources in a window."""
    numbers = np.nan_to_num(window, nan=-1).astype(np.int64)
    odd = (numbers != window) | (numbers < 0)
    if odd.any():
        msg = (
            f"segmentation= has {window[odd][0]} in a pixel: the number of its source is needed, "
            "an integer from 1 on, or 0 for sky"
        )
        raise ValueError(msg)
    return numbers
