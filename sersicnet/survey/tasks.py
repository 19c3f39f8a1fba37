"""The images of a survey with their checked options, as tasks that are sent to workers."""

import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass, replace
from pathlib import Path

import numpy as np
from astropy.table import Table
from astropy.units import Quantity

from sersicnet.io.paths import file_of, split_path
from sersicnet.io.tables import read_table
from sersicnet.measure.option_values import files_of, has_free_position
from sersicnet.measure.options import Options
from sersicnet.model.known_columns import prior_names

__all__ = ["Task", "make_tasks"]


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
    refinements : tuple
        The refinements of all images of the call, whose columns each part has.
    population : str or None
        Checksum of the population with which sources are measured too, ``'infer'`` before there is
        one.
    """

    name: str
    image: str
    options: Options
    refinements: tuple = ()
    population: str | None = None

    @property
    def part(self):
        """File of its part, relative to the folder of the survey."""
        return f"parts/{self.name}.parquet"

    @property
    def draws(self):
        """File of the draws from its posteriors, relative to this folder."""
        return f"samples/{self.name}.parquet"

    def describe(self):
        """Return the image and the options that differ from the defaults, ready for JSON."""
        described = {"image": self.image, **self.options.to_dict()}
        if self.population is not None:
            described["population"] = self.population
        return described

    def read_options(self):
        """Return the options with the catalog as a table, for the process that measures."""
        if self.options.catalog is None:
            return self.options
        return self.options.replace(catalog=read_table(self.options.catalog))

    def file_states(self):
        """Return the size and the time of the last change (ns) of each file of the task.

        Raises
        ------
        OSError
            If a file does not exist.
        """
        files = {"image": self.image, **files_of(vars(self.options))}
        states = {}
        for name, file in files.items():
            state = Path(file_of(file)).stat()
            states[name] = [state.st_size, state.st_mtime_ns]
        return states


def make_tasks(images, common):
    """Make a task for each image.

    Parameters
    ----------
    images : iterable of path or mapping, or `~astropy.table.Table`
        Images, as in `~sersicnet.survey.measure_survey`.
    common : dict
        Options that all images share.

    Returns
    -------
    list of Task

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        If an image or an option is invalid, or a file does not exist.
    """
    if isinstance(images, str | os.PathLike):
        msg = f"images={str(images)!r} must be a list or a table of images, not one path"
        raise TypeError(msg)
    common = _portable(common)
    Options.from_dict(common)  # raises if one is unknown or invalid
    for name, file in files_of(common).items():
        if not Path(file_of(file)).exists():
            msg = f"{name}={file!r} does not exist"
            raise FileNotFoundError(msg)
    tasks = [_make_task(row, common) for row in _rows(images)]
    if not tasks:
        msg = "images is empty: at least one is needed"
        raise ValueError(msg)
    for name in ("fixed", "morphology", "stars", "covariance", "samples"):
        _check_common(name, [bool(getattr(task.options, name)) for task in tasks], tasks)
    free = [has_free_position(task.options.fixed) for task in tasks]
    _check_common("free positions in fixed", free, tasks)
    _check_models(tasks)
    _check_priors(tasks)
    _check_samples(tasks)
    refinements = tuple(dict.fromkeys(task.options.refine for task in tasks))
    tasks = [replace(task, refinements=refinements) for task in tasks]
    name, n_images = Counter(task.name for task in tasks).most_common(1)[0]
    if n_images > 1:
        msg = f"images has {n_images} with the name {name!r}: give each its own in 'name'"
        raise ValueError(msg)
    return tasks


def _check_common(name, has_it, tasks):
    """Raise ValueError if an option adds columns to the parts of some images, and not to others."""
    chosen = [task.name for task, is_chosen in zip(tasks, has_it, strict=True) if is_chosen]
    if 0 < len(chosen) < len(tasks):
        msg = (
            f"images has {len(chosen)} of {len(tasks)} with {name}=, the first of them "
            f"{chosen[0]!r}: all parts of a survey have the same columns, so pass it for all of "
            "them or for none"
        )
        raise ValueError(msg)


def _check_models(tasks):
    """Raise ValueError unless the same model is fitted to the sources of all images."""
    first = tasks[0]
    for task in tasks:
        if repr(task.options.fitted) != repr(first.options.fitted):
            msg = (
                f"images has {first.name!r} with model={first.options.model!r}, and {task.name!r} "
                f"with {task.options.model!r}: all parts of a survey have the same columns"
            )
            raise ValueError(msg)


def _check_priors(tasks):
    """Raise ValueError unless the catalogs of all images have priors of the same parameters."""
    catalogs = dict.fromkeys(task.options.catalog for task in tasks if not task.options.fixed)
    if len(catalogs) < 2:
        return
    for path in catalogs:
        catalogs[path] = _priors_of(path)
    known = {path: names for path, names in catalogs.items() if names is not None}
    if len(set(known.values())) < 2:
        return
    parts = []
    for names in dict.fromkeys(known.values()):
        task = next(task for task in tasks if known.get(task.options.catalog) == names)
        parts.append(f"{task.name!r} with priors of {', '.join(names) or 'nothing'}")
    msg = (
        f"images has {parts[0]} in its catalog, and {parts[1]}: all parts of a survey have the "
        "same columns (rows without a prior are NaN)"
    )
    raise ValueError(msg)


def _priors_of(path):
    """Return the names of parameters with priors in a file, None if it cannot be read."""
    if path is None:
        return ()
    try:
        return tuple(prior_names(read_table(path)))
    except (OSError, ValueError):  # which its image says, and others are measured
        return None


def _check_samples(tasks):
    """Raise ValueError unless there are as many draws of the sources of all images."""
    numbers = sorted({task.options.samples for task in tasks})
    if len(numbers) > 1:
        msg = f"images has samples={numbers[0]} and samples={numbers[1]}: one number is needed"
        raise ValueError(msg)


def _rows(images):
    """Return the entries of each image, as dictionaries."""
    if isinstance(images, Table):
        return [dict(zip(images.colnames, row, strict=True)) for row in images.iterrows()]
    rows = []
    for image in images:
        if isinstance(image, Mapping):
            rows.append(image)
        else:
            rows.append({"image": image})
    return rows


def _make_task(row, common):
    """Make the task of one image from its entries and the common options."""
    row = {name: value for name, value in row.items() if value is not np.ma.masked}
    if row.get("image") is None:
        msg = f"images has a row with {', '.join(row)}: 'image', the path of a file, is needed"
        raise ValueError(msg)
    image = _absolute("image", row.pop("image"))
    name = row.pop("name", None)
    if name is None:
        name = _name_of(image)
    # readers of Parquet skip hidden files
    if not re.fullmatch(r"[^._/\\][^/\\]*", str(name)):
        msg = (
            f"name={str(name)!r} must be a file name without slashes that starts with neither "
            "'.' nor '_'"
        )
        raise ValueError(msg)
    try:
        options = Options.from_dict(common | _portable(row))
    except (TypeError, ValueError) as error:
        msg = f"images has {str(name)!r} with an option that cannot be: {error}"
        raise type(error)(msg) from error
    return Task(str(name), image, options)


def _name_of(image):
    """Return the name of an image: that of the file, and of the chosen HDU and plane."""
    file, hdu, plane = split_path(image)
    parts = [re.sub(r"(\.fits?)?(\.[fg]z)?$", "", Path(file).name)]
    for choice in (hdu, plane):
        if isinstance(choice, tuple):
            parts += map(str, choice)
        elif choice is not None:
            parts.append(str(choice))
    return "-".join(parts)


def _portable(options):
    """Return options that can be sent to workers: absolute paths, and numbers of Python."""
    portable = {}
    files = files_of(options)
    for name, value in options.items():
        if name in files:
            portable[name] = _absolute(name, value)
            continue
        if isinstance(value, np.generic):
            value = value.item()
        if name == "fixed" and isinstance(value, list | tuple):
            portable[name] = list(value)
            continue
        scalar = isinstance(value, Quantity) and value.isscalar
        is_known = is_dataclass(value) or hasattr(value, "describe")
        if not (scalar or is_known or isinstance(value, str | int | float | None)):
            msg = f"{name}={value!r} must be one number or word; options that differ go into images"
            raise TypeError(msg)
        portable[name] = value
    return portable


def _absolute(name, path):
    """Return the absolute path of a file, or raise TypeError."""
    if isinstance(path, str | os.PathLike):
        return str(Path(path).absolute())
    msg = f"{name} must be the path of a file that workers can read, not {type(path).__name__}"
    raise TypeError(msg)
