"""Files with the options of a measurement: written by ``--dump-options``, read by ``--options``."""

import json
import os
import tomllib
from dataclasses import fields
from pathlib import Path

from sersicnet.measure.option_json import to_json
from sersicnet.measure.option_values import files_of
from sersicnet.measure.options import Options

__all__ = ["add_option_file", "dump_options", "read_options"]


def add_option_file(parser):
    """Add the option that reads others from a file.

    Parameters
    ----------
    parser : `argparse.ArgumentParser`
        A command with options of `~sersicnet.measure.Options`.
    """
    parser.add_argument(
        "--options",
        metavar="FILE",
        help="file with options by their names in Python (JSON, as sersicnet measure "
        "--dump-options prints it, or .toml), files relative to its folder; what the command line "
        "says comes first",
    )


def read_options(path):
    """Read options from a file.

    Parameters
    ----------
    path : str or path-like
        File as `dump_options` writes it; the options that it does not name keep their defaults. A
        file that ends in ``.toml`` is TOML. Paths in it are relative to its folder.

    Returns
    -------
    dict
        Values by name.

    Raises
    ------
    OSError, TypeError, ValueError
        If the file cannot be read, or has an unknown name or an impossible value.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sersicnet.cli.option_files import read_options
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "options.toml"
    ...     _ = path.write_text("threshold = 2.5")
    ...     read_options(path)
    {'threshold': 2.5}
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"options={str(path)!r} is neither JSON nor, with the suffix .toml, TOML: {error}"
        raise ValueError(msg) from error
    if not isinstance(found, dict):
        msg = f"options={str(path)!r} must hold values by name, not a {type(found).__name__}"
        raise ValueError(msg)
    try:
        options = Options.from_dict(found)
    except (TypeError, ValueError) as error:
        msg = f"options={str(path)!r}: {error}"
        raise type(error)(msg) from error
    values = {name: getattr(options, name) for name in found}
    return _with_paths(values, lambda file: path.parent / file)


def dump_options(options):
    """Write all options of a measurement as JSON, with absolute paths.

    Parameters
    ----------
    options : dict
        Values by name; the others have their defaults.

    Returns
    -------
    str

    Examples
    --------
    >>> from sersicnet.cli.option_files import dump_options
    >>> print(dump_options({"threshold": 2.5})[:44])
    {
      "psf": null,
      "psf_oversampling": null,
    """
    checked = Options.from_dict(_with_paths(options, Path.absolute))
    described = {}
    for option in fields(Options):
        described[option.name] = to_json(option.name, getattr(checked, option.name))
    return json.dumps(described, indent=2)


def _with_paths(values, change):
    """Return options by name with other paths of files."""
    changed = dict(values)
    for name, file in files_of(values).items():
        if isinstance(file, str | os.PathLike):
            changed[name] = str(change(Path(file)))
    return changed
