"""The command ``sersicnet``: a thin layer over the Python API."""

import argparse
import sys
import warnings
from contextlib import contextmanager, suppress

from sersicnet.cli.demo import add_demo
from sersicnet.cli.measure import add_measure
from sersicnet.cli.options import in_options
from sersicnet.cli.predict import add_predict
from sersicnet.cli.report import add_report
from sersicnet.cli.simulate import add_simulate
from sersicnet.cli.survey import add_survey
from sersicnet.cli.train import add_train

__all__ = ["main"]


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        Words after ``sersicnet``, by default those of the process.

    Returns
    -------
    int
        Exit status: 0, 1 after an error, which is printed in one line, or 130 after Ctrl-C.

    Examples
    --------
    >>> from sersicnet.cli.main import main
    >>> main(["predict", "galaxy.fits", "-o", "measured.ecsv"])  # doctest: +SKIP
    0
    """
    options = _parser().parse_args(arguments)
    try:
        with _warnings_in_one_line(options):
            return options.run(options)
    except KeyboardInterrupt:
        print("sersicnet: interrupted", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        print(f"sersicnet: {in_options(str(error), options)}", file=sys.stderr)
        return 1


@contextmanager
def _warnings_in_one_line(options):
    """Print each warning in one line that names options."""
    # astropy sets its own way to show warnings when it is imported; training works without astropy
    with suppress(ImportError):
        import astropy  # noqa: F401

    def show(message, *_, **__):
        print(f"sersicnet: warning: {in_options(str(message), options)}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _parser():
    """Make the parser of all commands."""
    parser = argparse.ArgumentParser("sersicnet", description="Sersic parameters of galaxies.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    verbs = (
        add_demo,
        add_predict,
        add_measure,
        add_survey,
        add_simulate,
        add_train,
        add_report,
    )
    for add_verb in verbs:
        add_verb(commands)
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser
