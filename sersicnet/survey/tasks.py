"""What a survey measures: images with their options, checked, as tasks that travel to workers."""

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table
from astropy.units import Quantity

from sersicnet.io.files import read_table
from sersicnet.measure.options import Options

__all__ = ["Task", "make_tasks"]

# Options that name files, which workers read.
_FILES = ("psf", "rms", "weight_map", "mask", "catalog")


@dataclass(frozen=True)
class Task:
    """The measurement of one image.

    Attributes
    ----------
    name : str
        Name of the image, and of its part of the output.
    image : str
        Absolute path of the image.
    options : `~sersicnet.measure.Options`
        How it is measured; files are absolute paths.
    """

    name: str
    image: str
    options: Options

    @property
    def part(self):
        """The file of its part, relative to the folder of the output."""
        return f"parts/{self.name}.parquet"

    def describe(self):
        """The image and the options that differ from the defaults, as JSON can hold them."""
        return {"image": self.image, **self.options.to_dict()}

    def read_options(self):
        """The options with the catalog as a table, for the process that measures."""
        if self.options.catalog is None:
            return self.options
        return self.options.replace(catalog=read_table(self.options.catalog))

    def file_states(self):
        """Size and time of the last change (ns) of each file that it reads.

        Raises
        ------
        OSError
            If one is not there.
        """
        files = {"image": self.image}
        files |= {name: getattr(self.options, name) for name in _FILES}
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
    common = _portable(common)
    Options.from_dict(common)  # raises where one is unknown or impossible
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
    image = _absolute("image", row.pop("image"))
    name = row.pop("name", None)
    if name is None:
        name = re.sub(r"(\.fits?)?(\.[fg]z)?$", "", Path(image).name)
    # readers of Parquet pass over hidden files
    if not re.fullmatch(r"[^._/\\][^/\\]*", str(name)):
        msg = f"name={str(name)!r} cannot be a file's: it begins with . or _, or has a slash"
        raise ValueError(msg)
    return Task(str(name), image, Options.from_dict(common | _portable(row)))


def _portable(options):
    """The options with files as absolute paths and numbers as Python's, to travel to workers."""
    portable = {}
    for name, value in options.items():
        if name in _FILES and value is not None:
            portable[name] = _absolute(name, value)
        else:
            portable[name] = _number_or_word(name, value)
    return portable


def _absolute(name, path):
    if isinstance(path, str | os.PathLike):
        return str(Path(path).absolute())
    msg = f"{name} must be the path of a file, which workers read, not {type(path).__name__}"
    raise TypeError(msg)


def _number_or_word(name, value):
    if isinstance(value, np.generic):
        value = value.item()
    scalar = isinstance(value, Quantity) and value.isscalar
    if scalar or is_dataclass(value) or isinstance(value, str | int | float | None):
        return value
    msg = f"{name}={value!r} must be one number or word: images differ by what is said of each"
    raise TypeError(msg)
