"""What commands print besides their results: the log, progress, warnings and errors."""

import logging
import re
import sys
import warnings
from contextlib import contextmanager, suppress

from sersicnet._words import counted

__all__ = ["in_options", "messages_of", "show_counts", "show_progress", "show_rows"]

# Arguments of functions that messages name, and the argument that has the option.
_OTHER_NAMES = {"name": "weights"}
# An argument in a message: psf=None, psf_oversampling=0, or psf= with no value behind it.
_ARGUMENT = re.compile(r"(?<![\w./'\"-])([a-z_]+)=(None\b)?(?=([\w'\"{\[-])?)")
# A cutout in a message.
_CUTOUT = re.compile(r"\bcutouts\[(\d+)\]")


class _Handler(logging.Handler):
    """Print records on the error stream of the moment, above a progress bar if there is one."""

    def __init__(self, options):
        super().__init__()
        self._options = options

    def emit(self, record):
        from tqdm import tqdm

        text = in_options(self.format(record), self._options)
        tqdm.write(f"sersicnet: {text}", file=sys.stderr)


@contextmanager
def messages_of(options):
    """Print log and warnings of a block in lines that name options.

    Parameters
    ----------
    options : `argparse.Namespace`
        Options of a command, with ``quiet`` and ``verbose``.
    """
    # astropy sets its own way to show warnings when it is imported; training works without astropy
    with suppress(ImportError):
        import astropy  # noqa: F401

    def show(message, *_, **__):
        print(f"sersicnet: warning: {in_options(str(message), options)}", file=sys.stderr)

    log = logging.getLogger("sersicnet")
    before = log.level
    log.setLevel(_level(options))
    handler = _Handler(options)
    log.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = show
            yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def _level(options):
    """The least important records that are shown."""
    if options.quiet:
        return logging.WARNING
    if options.verbose:
        return logging.DEBUG
    return logging.INFO


def show_progress(options):
    """Return whether to show a progress bar: on a terminal, unless quiet.

    Parameters
    ----------
    options : `argparse.Namespace`
        Options of a command.

    Returns
    -------
    bool
    """
    return sys.stderr.isatty() and not options.quiet


def show_rows(table):
    """Report on the error stream how many rows have no result.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Table of measured galaxies, which may have some of the columns that were measured.

    Returns
    -------
    int
        Exit status: 1 if no row has a result, else 0.
    """
    from sersicnet.diagnostics.summary import NO_RESULT, without_result

    lost = table.meta.get(NO_RESULT, int(without_result(table).sum()))
    return show_counts(len(table), lost)


def show_counts(n_rows, lost):
    """Report on the error stream how many rows have no result.

    Parameters
    ----------
    n_rows, lost : int
        Number of rows, and of those without a result.

    Returns
    -------
    int
        Exit status: 1 if no row has a result, else 0.
    """
    if n_rows == 0:
        print("sersicnet: no source was found", file=sys.stderr)
    elif lost == n_rows:
        print(
            f"sersicnet: none of {counted(n_rows, 'row')} has a result: see flags", file=sys.stderr
        )
    elif lost:
        have = "has" if lost == 1 else "have"
        print(f"sersicnet: {lost} of {n_rows} rows {have} no result: see flags", file=sys.stderr)
    return int(lost == n_rows)


def in_options(message, options):
    """Name options instead of arguments in a message of the Python API.

    Parameters
    ----------
    message : str
        The message.
    options : `argparse.Namespace`
        Options of a command, with its ``parser``: arguments without an option stay as they are. If
        there are cutouts, it has their ``names`` as well.

    Returns
    -------
    str
        ``--psf`` instead of ``psf=``, ``IMAGE`` instead of ``image=``, and the name of a cutout
        instead of its number.

    Examples
    --------
    >>> from sersicnet.cli.messages import in_options
    >>> from sersicnet.cli.options import add_option
    >>> from sersicnet.cli.parser import CommandParser
    >>> parser = CommandParser()
    >>> parser.set_defaults(parser=parser)
    >>> add_option(parser, "tile_size", type=int)
    >>> in_options("tile_size=0 must be a positive integer", parser.parse_args([]))
    '--tile-size=0 must be a positive integer'
    """
    actions = options.parser._actions
    # an option that switches off is another word than its argument
    names = {action.dest: _shown(action) for action in actions if action.const is not False}
    for action in actions:
        if isinstance(action.const, bool):
            message = message.replace(f"{action.dest}={action.const}", _shown(action))

    def translated(found):
        argument, none, value = found.groups()
        name = names.get(argument, names.get(_OTHER_NAMES.get(argument)))
        if name is None:
            return found[0]
        if none:
            return f"no {name}"
        if value is None:
            return name
        return f"{name}="

    def named(found):
        row = int(found[1])
        if row < len(options.names):
            return f"CUTOUT {options.names[row]}"
        return found[0]

    message = _ARGUMENT.sub(translated, message)
    if getattr(options, "names", None):
        message = _CUTOUT.sub(named, message)
    return message


def _shown(action):
    """How the help names an argument of a command, None where that is a short option."""
    if not action.option_strings:
        return action.metavar
    for option in action.option_strings:
        if option.startswith("--"):
            return option
    return None
