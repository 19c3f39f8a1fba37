"""The command line of a benchmark: directories to read, a directory to write, shared options."""

import argparse
from pathlib import Path

from sersicnet.io.files import check_output_folder

__all__ = ["add_cache", "add_count", "add_weights", "make_parser"]

_INPUTS = {
    "bench": "directory of make_bench.py and of peers_seed1.csv",
    "real": "directory of FITS cutouts of real galaxies",
    "sets": "directory that benchmarks.validation_sets has written",
    "stamps": "directory of stamps that 'sersicnet train deeplegato' has left",
    "training": "directory that 'sersicnet train' has written",
}


def make_parser(doc, *inputs, choices=None, output="required", default_output=None):
    """Make the parser of a command: inputs first, then the output, then options.

    Parameters
    ----------
    doc : str
        Docstring of the benchmark; its first line is the description.
    *inputs : str
        Names of directories to read, out of those of this module.
    choices : sequence of str, optional
        Names of which the first argument, ``name``, is one.
    output : {'required', 'optional', 'none'}
        Whether the command takes the argument ``output``, a directory.
    default_output : str, optional
        Directory when the user gives none; it makes ``output`` optional.

    Returns
    -------
    `~argparse.ArgumentParser`
        Parser whose ``output`` is a `~pathlib.Path`, or None where the user gave none.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    if choices is not None:
        parser.add_argument("name", choices=choices, help="what to make")
    for name in inputs:
        parser.add_argument(name, type=Path, help=_INPUTS[name])
    text = "directory to write to"
    if default_output is not None:
        text = f"{text}, by default {default_output}"
        options = {"nargs": "?", "default": default_output}
        parser.add_argument("output", type=_output, help=text, **options)
    elif output == "optional":
        parser.add_argument("output", nargs="?", type=_output, help=text)
    elif output == "required":
        parser.add_argument("output", type=_output, help=text)
    return parser


def _output(text):
    """The path of the output; it is a mistake if nothing can be written there."""
    try:
        check_output_folder(text)
    except OSError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return Path(text)


def add_count(parser, text, *, default=None):
    """Add the option ``-n``, a number of galaxies by default.

    Parameters
    ----------
    parser : `~argparse.ArgumentParser`
        Parser of the command.
    text : str
        Help text: what is counted.
    default : int, optional
        Number when the user gives none.
    """
    if default is not None:
        text = f"{text}, by default {default}"
    parser.add_argument("-n", "--n", type=int, default=default, help=text)


def add_weights(parser):
    """Add the option ``--weights``, the network to measure with."""
    text = "name of shipped weights, or a file, by default universal"
    parser.add_argument("--weights", default="universal", help=text)


def add_cache(parser, what):
    """Add the option ``--cache``, a directory that keeps simulated images between runs."""
    parser.add_argument("--cache", type=Path, help=f"directory that keeps the simulated {what}")
