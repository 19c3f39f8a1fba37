"""What is logged about a survey: each image when it ends, and all of them."""

import logging
from collections import Counter

from sersicnet._words import counted
from sersicnet.diagnostics.summary import summarize_counts

__all__ = ["log_image", "log_start", "log_survey"]

_LOG = logging.getLogger("sersicnet")


def log_start(n_images, n_missing):
    """Log how many images there are, and how many will be measured.

    Parameters
    ----------
    n_images, n_missing : int
        Number of images, and of those that no run has measured before.
    """
    _LOG.info("%s, %d of them to measure", counted(n_images, "image"), n_missing)


def log_image(name, result, place):
    """Log the end of an image, and its warnings.

    Parameters
    ----------
    name : str
        Name of the image.
    result : dict
        Its record.
    place : str
        Its number and that of all images, in words.
    """
    if "error" in result:
        _LOG.info("%s (%s): %s", name, place, result["error"])
    else:
        sources = counted(result["n_sources"], "source")
        _LOG.info("%s (%s): %s in %.0f s", name, place, sources, result["seconds"])
    for text in result.get("warnings", []):
        _LOG.warning("%s: %s", name, text)


def log_survey(records):
    """Log the number of rows of all images, of those without a result, and of each flag.

    Parameters
    ----------
    records : iterable of dict
        Records of the images.
    """
    n_rows = 0
    n_lost = 0
    counts = Counter()
    for record in records:
        n_rows += record.get("n_sources", 0)
        n_lost += record.get("n_without_result", 0)
        counts.update(record.get("flags", {}))
    _LOG.info("%s", summarize_counts(n_rows, n_lost, counts))
