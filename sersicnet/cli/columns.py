"""Options that say which columns a table has, and whose names."""

__all__ = ["DIALECTS", "ID_NAMES", "add_columns", "column_names"]

# Dialects of `sersicnet.diagnostics.dialects`, which imports astropy's tables, and what ``id`` is
# in each.
ID_NAMES = {"sersicnet": "id", "sextractor": "NUMBER", "lsst": "objectId"}
DIALECTS = tuple(ID_NAMES)


def add_columns(parser):
    """Add the options of the columns of a table.

    Parameters
    ----------
    parser : `argparse.ArgumentParser`
        The command.

    Examples
    --------
    >>> from argparse import ArgumentParser
    >>> from sersicnet.cli.columns import add_columns, column_names
    >>> parser = ArgumentParser()
    >>> add_columns(parser)
    >>> column_names(parser.parse_args(["--columns", "id, mag"]).columns)
    ['id', 'mag']
    """
    parser.add_argument(
        "--columns", metavar="NAMES", help="columns of the table, as id,mag,r_eff; default: all"
    )
    parser.add_argument(
        "--dialect",
        choices=DIALECTS,
        default=DIALECTS[0],
        help="whose names and conventions the columns have; default: %(default)s",
    )


def column_names(columns):
    """Return the names of columns.

    Parameters
    ----------
    columns : str or None
        Names, separated by commas.

    Returns
    -------
    list of str or None
        None for all columns.
    """
    if columns is None:
        return None
    return [name.strip() for name in columns.split(",")]
