"""Surveys whose images are not measured."""

from pathlib import Path


def names(calls):
    """Names of the images that were measured, in the order of the calls."""
    return [Path(call["image"]).stem for call in calls]
