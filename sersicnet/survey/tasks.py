"""What a survey measures: images with their options, checked, as tasks that travel to workers."""

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from inspect import Parameter, signature
from pathlib import Path

import numpy as np
from astropy.table import Table
from astropy.units import Quantity

from sersicnet.estimator import SersicNet
from sersicnet.io.files import read_table
from sersicnet.measure.image import measure_image

__all__ = ["Task", "make_tasks"]

# Options that name files, which workers read.
_FILES = ("image", "psf", "rms", "weight_map", "mask", "catalog")
_NOT_OPTIONS = ("self", "cutouts", "net", "output", "options", "progress_bar")
# What measure_image takes, and what it passes on, with its value by default.
_DEFAULTS = {
    name: None if parameter.default is Parameter.empty else parameter.default
    for function in (SersicNet.predict, measure_image)
    for name, parameter in signature(function).parameters.items()
    if name not in _NOT_OPTIONS
}


@dataclass(frozen=True)
class Task:
    """The measurement of one image.

    Attributes
    ----------
    name : str
        Of the image, and of its part of the output.
    options : dict
        Of `~sersicnet.measure.measure_image`, ``image`` included; files as absolute paths.
    """

    name: str
    options: dict

    @property
    def part(self):
        """The file of its part, relative to the folder of the output."""
        return f"parts/{self.name}.parquet"

    def describe(self):
        """The options that are not those by default, as JSON can hold them."""
        return {
            name: value if isinstance(value, str | int | float | None) else str(value)
            for name, value in sorted(self.options.items())
            if value is not _DEFAULTS[name] and value != _DEFAULTS[name]
        }

    def __getitem__(self, name):
        """An option, by default that of `~sersicnet.measure.measure_image`."""
        return self.options.get(name, _DEFAULTS[name])

    def arguments(self):
        """All of `~sersicnet.measure.measure_image` but the network, the catalog as a table."""
        catalog = self["catalog"]
        table = None if catalog is None else read_table(catalog)
        return _DEFAULTS | self.options | {"catalog": table}

    def file_states(self):
        """Size and time of the last change (ns) of each file that it reads.

        Raises
        ------
        OSError
            If one is not there.
        """
        files = {name: self.options.get(name) for name in _FILES}
        states = {name: Path(file).stat() for name, file in files.items() if file is not None}
        return {name: [state.st_size, state.st_mtime_ns] for name, state in states.items()}


def make_tasks(images, common):
    """A task for each image.

    Parameters
    ----------
    images : iterable of path or mapping, or `~astropy.table.Table`
        As of `~sersicnet.survey.measure_survey`.
    common : dict
        Options of all images.

    Returns
    -------
    list of Task

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If the call makes no sense.
    """
    if isinstance(images, str | os.PathLike):
        msg = f"images={str(images)!r} must be a list or a table of images, not one path"
        raise TypeError(msg)
    common = _checked(common)
    for name in _FILES:
        if common.get(name) is not None and not Path(common[name]).exists():
            msg = f"{name}={common[name]!r} does not exist"
            raise FileNotFoundError(msg)
    tasks = [_make_task(row, common) for row in _rows(images)]
    if not tasks:
        msg = "images is empty: at least one is needed"
        raise ValueError(msg)
    name, n_images = Counter(task.name for task in tasks).most_common(1)[0]
    if n_images > 1:
        msg = f"images has {n_images} of the name {name!r}: give each its own in 'name'"
        raise ValueError(msg)
    return tasks


def _rows(images):
    """What is said of each image, by name."""
    if isinstance(images, Table):
        return [dict(zip(images.colnames, row, strict=True)) for row in images.iterrows()]
    return [image if isinstance(image, Mapping) else {"image": image} for image in images]


def _make_task(row, common):
    row = {name: value for name, value in row.items() if value is not np.ma.masked}
    if row.get("image") is None:
        msg = f"images has one with {', '.join(row)}: 'image', the path of a file, is needed"
        raise ValueError(msg)
    name = row.pop("name", None)
    options = common | _checked(row)
    if name is None:
        name = re.sub(r"(\.fits?)?(\.[fg]z)?$", "", Path(options["image"]).name)
    # other names are those of hidden files, which readers of Parquet pass over, or no names
    if not re.fullmatch(r"[^._/\\][^/\\]*", str(name)):
        msg = f"name={str(name)!r} cannot be a file's: it begins with . or _, or has a slash"
        raise ValueError(msg)
    return Task(str(name), options)


def _checked(options):
    """The options, files as absolute paths, numbers as Python's."""
    return {name: _check_option(name, value) for name, value in options.items()}


def _check_option(name, value):
    if name not in _DEFAULTS:
        msg = f"{name!r} is not an option of measure_image: {', '.join(sorted(_DEFAULTS))}"
        raise ValueError(msg)
    if name in _FILES and value is not None:
        if isinstance(value, str | os.PathLike):
            return str(Path(value).absolute())
        msg = f"{name} must be the path of a file, which workers read, not {type(value).__name__}"
        raise TypeError(msg)
    value = value.item() if isinstance(value, np.generic) else value
    one = isinstance(value, Quantity) and value.isscalar
    if one or is_dataclass(value) or isinstance(value, str | int | float | None):
        return value
    msg = f"{name}={value!r} must be one number or word: images differ by what is said of each"
    raise TypeError(msg)
