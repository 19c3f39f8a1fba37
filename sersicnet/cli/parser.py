"""The parser of the commands: what all of them have, and what it says about mistakes."""

import argparse
import sys
from difflib import get_close_matches

from sersicnet import __version__

__all__ = ["CommandParser", "add_command", "parse"]


class CommandParser(argparse.ArgumentParser):
    """A parser that suggests the option that may have been meant.

    Options are not abbreviated: ``--model`` must not become another option when one is added.

    Parameters
    ----------
    **settings
        Arguments of `~argparse.ArgumentParser`.

    Examples
    --------
    >>> from sersicnet.cli.parser import CommandParser
    >>> parser = CommandParser(prog="sersicnet")
    >>> parser.unknown(["--verison"])
    'unrecognized arguments: --verison (did you mean --version?)'
    """

    def __init__(self, **settings):
        settings = {"formatter_class": argparse.RawDescriptionHelpFormatter} | settings
        super().__init__(allow_abbrev=False, **settings)
        self.add_argument("--version", action="version", version=f"sersicnet {__version__}")

    def error(self, message):
        """End the process with status 2 and two lines: the mistake, and where the options are.

        Parameters
        ----------
        message : str
            What is wrong.
        """
        self.exit(2, f"{self.prog}: error: {message}\n{self.prog} --help lists all options\n")

    def unknown(self, words):
        """Write a message about arguments that the parser does not know.

        Parameters
        ----------
        words : list of str
            The arguments.

        Returns
        -------
        str
        """
        known = [option for action in self._actions for option in action.option_strings]
        described = []
        for word in words:
            option = word.partition("=")[0]
            starting = [name for name in known if name.startswith(option) and option != "--"]
            close = starting or get_close_matches(option, known)
            if option.startswith("--") and close:
                word = f"{word} (did you mean {' or '.join(close)}?)"
            described.append(word)
        return f"unrecognized arguments: {' '.join(described)}"


def add_command(commands, name, *, summary, example, run):
    """Add a command to the parser.

    Parameters
    ----------
    commands : object
        Result of `~argparse.ArgumentParser.add_subparsers`.
    name : str
        Name of the command.
    summary : str
        Description in one sentence that starts with a verb.
    example : str
        Lines for the end of the help.
    run : callable
        Function that runs the command with its options and returns the exit status.

    Returns
    -------
    CommandParser

    Examples
    --------
    >>> from sersicnet.cli.parser import CommandParser, add_command
    >>> commands = CommandParser(prog="sersicnet").add_subparsers()
    >>> parser = add_command(commands, "count", summary="Count.", example="count", run=len)
    >>> parser.parse_args(["--quiet"]).quiet
    True
    """
    parser = commands.add_parser(
        name,
        help=summary[0].lower() + summary[1:].removesuffix("."),
        description=summary,
        epilog=example,
    )
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument(
        "--quiet",
        action="store_true",
        help="print only warnings and errors, no log and no progress",
    )
    loudness.add_argument("--verbose", action="store_true", help="print more of the log")
    parser.set_defaults(run=run, parser=parser)
    return parser


def parse(parser, arguments):
    """Parse the command line; a mistake ends the process with status 2.

    Parameters
    ----------
    parser : CommandParser
        The parser of all commands.
    arguments : list of str or None
        Words after ``sersicnet``, by default those of the process.

    Returns
    -------
    `argparse.Namespace`
    """
    if arguments is None:
        arguments = sys.argv[1:]
    options, words = parser.parse_known_args(arguments)
    if words:
        options.parser.error(options.parser.unknown(words))
    return options
