"""The command ``sersicnet``: a thin layer over the Python API."""

import os
import signal
import sys
from contextlib import contextmanager

from sersicnet.cli.demo import add_demo
from sersicnet.cli.inject import add_inject
from sersicnet.cli.measure import add_measure
from sersicnet.cli.messages import in_options, messages_of
from sersicnet.cli.option_files import read_options
from sersicnet.cli.parser import CommandParser, parse
from sersicnet.cli.predict import add_predict
from sersicnet.cli.psf import add_psf
from sersicnet.cli.report import add_report
from sersicnet.cli.simulate import add_simulate
from sersicnet.cli.survey import add_survey
from sersicnet.cli.train import add_train
from sersicnet.io.paths import check_inputs

__all__ = ["main"]

_EXAMPLE = """\
example:
  sersicnet predict galaxy.fits --psf star.fits --zeropoint 25.946 -o measured.ecsv

sersicnet COMMAND --help describes the options of a command. The exit status is 0, or 1 if
something failed, which a line on the error stream says, or 2 if the command line has a mistake.
"""


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Words after ``sersicnet``, by default those of the process.

    Returns
    -------
    int
        Exit status: 0, 1 after an error, which is printed in one line, 130 after Ctrl-C, or 143
        after SIGTERM. A mistake in the command line ends the process with 2.

    Examples
    --------
    >>> from sersicnet.cli.main import main
    >>> main(["predict", "galaxy.fits", "-o", "measured.ecsv"])  # doctest: +SKIP
    0
    """
    parser = _parser()
    options = parse(parser, arguments)
    try:
        with _terminable(), messages_of(options):
            if getattr(options, "options", None) is not None:
                check_inputs({"options": options.options})
                options.parser.set_defaults(**read_options(options.options))
                options = parse(parser, arguments)  # what is given comes before the new defaults
            status = options.run(options)
            _flush()
            return status
    except Terminated:
        print("sersicnet: terminated", file=sys.stderr)
        return 128 + signal.SIGTERM
    except MemoryError as error:
        print(f"sersicnet: {in_options(_of_memory(error), options)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sersicnet: interrupted", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        print(f"sersicnet: {in_options(_one_line(error), options)}", file=sys.stderr)
        return 1


def _flush():
    """Write out what was printed: a full disk, or a reader that has gone, is an error as well."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more
        msg = f"what is printed cannot be written: {error.strerror}"
        raise OSError(msg) from error


class Terminated(KeyboardInterrupt):
    """The end of a command by SIGTERM; whatever cleans up after Ctrl-C does so after it as well."""


@contextmanager
def _terminable():
    """Let SIGTERM raise `Terminated`: partial files are removed, and processes are ended."""

    def terminate(*_):
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not in the main thread, which alone receives signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _one_line(error):
    """The message of an error without line breaks, or its type where there is none."""
    return " ".join(str(error).split()) or type(error).__name__


def _of_memory(error):
    """The message of a MemoryError, which may be one of NumPy."""
    text = " ".join(str(error).split())
    if "needs more memory" in text:
        return text
    return f"not enough memory: {text}".removesuffix(": ")


def _parser():
    """Make the parser of all commands."""
    parser = CommandParser(
        prog="sersicnet",
        description="Measure the structure of galaxies: Sersic parameters with their errors.",
        epilog=_EXAMPLE,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    verbs = (
        add_demo,
        add_predict,
        add_measure,
        add_survey,
        add_psf,
        add_inject,
        add_simulate,
        add_train,
        add_report,
    )
    for add_verb in verbs:
        add_verb(commands)
    return parser
