"""The options ``--hdu`` and ``--all-hdus``: which images of a FITS file are measured."""

import sys

from sersicnet._words import counted
from sersicnet.cli.messages import in_options
from sersicnet.io.paths import path_with, split_path
from sersicnet.io.tables import stack_tables

__all__ = ["add_hdus", "chosen_images", "measure_each"]

# Names of the column of numbers, ours and of other dialects.
_IDS = ("id", "NUMBER", "objectId")


def add_hdus(parser, file="IMAGE"):
    """Add the options that choose images of a file.

    Parameters
    ----------
    parser : `argparse.ArgumentParser`
        The command.
    file : str, optional
        What it calls the file.
    """
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--hdu",
        metavar="HDU",
        help=f"number, NAME or NAME,VERSION of the HDU of {file}, as {file}[HDU]; default: the "
        "first",
    )
    which.add_argument("--all-hdus", action="store_true", help="measure all images of the file")


def chosen_images(path, options):
    """List the images of a file that are measured, as paths.

    Parameters
    ----------
    path : str
        The file.
    options : `argparse.Namespace`
        Options of a command with `add_hdus`.

    Returns
    -------
    list of str
    """
    if options.all_hdus:
        from sersicnet.io.hdus import image_paths

        return image_paths(path)
    return [path_with(path, options.hdu)]


def measure_each(paths, options, **settings):
    """Measure several images of a file into one table.

    Parameters
    ----------
    paths : list of str
        The images, from `chosen_images`.
    options : `argparse.Namespace`
        Options of the command, for messages.
    **settings
        Arguments of `~sersicnet.measure.measure_image`.

    Returns
    -------
    table : `~astropy.table.QTable`
        All rows, with the column ``hdu``; ``id`` counts on, unless a catalog gives it.
    status : int
        Exit status: 1 if an image cannot be measured, which is printed.

    Raises
    ------
    ValueError
        If no image can be measured.
    """
    import numpy as np

    from sersicnet.diagnostics.summary import NO_RESULT
    from sersicnet.measure.image import measure_image

    tables = []
    for path in paths:
        try:
            table = measure_image(path, **settings)
        except (ValueError, OSError, MemoryError) as error:
            print(f"sersicnet: {path}: {in_options(str(error), options)}", file=sys.stderr)
            continue
        table["hdu"] = np.full(len(table), _label(path))
        tables.append(table)
    if not tables:
        msg = f"{options.image}: none of its {counted(len(paths), 'image')} can be measured"
        raise ValueError(msg)
    together = stack_tables(tables)
    if NO_RESULT in tables[0].meta:
        together.meta[NO_RESULT] = sum(table.meta[NO_RESULT] for table in tables)
    if settings.get("catalog") is None:
        for name in _IDS:
            if name in together.colnames:
                together[name] = np.arange(len(together))
    return together, int(len(tables) < len(paths))


def _label(path):
    """Return the HDU of a path as it is chosen."""
    hdu = split_path(path)[1]
    if isinstance(hdu, tuple):
        return f"{hdu[0]},{hdu[1]}"
    return str(hdu)
