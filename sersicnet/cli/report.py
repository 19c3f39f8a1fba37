"""The command ``sersicnet report``, part of `sersicnet.cli.main`."""

import reprlib
from pathlib import Path

__all__ = ["add_report"]


def add_report(commands, read_cutouts):
    """Add the command.

    Parameters
    ----------
    commands : subparsers of `argparse`
        Where to add it.
    read_cutouts : callable
        Returns cutouts, their names, and an exit status, for a list of files.
    """
    parser = commands.add_parser(
        "report",
        help="a page about a catalog, for the browser",
        description="One HTML file: distributions, errors, calibration where the truth is known, "
        "and a table that sorts and filters, in which a click opens a galaxy.",
        epilog="example: sersicnet report measured.ecsv --cutouts galaxies/ -o measured.html",
    )
    parser.add_argument("catalog", metavar="CATALOG", help="table that predict or measure wrote")
    parser.add_argument("--truth", metavar="TABLE", help="true values, a row a galaxy, same order")
    parser.add_argument(
        "--cutouts",
        nargs="+",
        metavar="PATH",
        help="FITS files that predict measured, or folders with them, for pictures; found by id",
    )
    parser.add_argument("--psf", metavar="FITS", help="as for predict")
    parser.add_argument("--pixel-scale", type=float, help="arcsec/pixel, as for predict")
    parser.add_argument("--zeropoint", type=float, help="AB mag of a flux of 1, as for predict")
    parser.add_argument("--title", help="of the page; default: name of the file")
    parser.add_argument("-o", "--output", default="report.html", help="default: %(default)s")
    parser.set_defaults(run=lambda options: _report(options, read_cutouts))


def _report(options, read_cutouts):
    from astropy.io import fits

    from sersicnet.io.files import read_table
    from sersicnet.report.write import write_report

    table, status, chosen = read_table(options.catalog), 0, None
    if options.cutouts is not None:
        cutouts, names, status = read_cutouts(_files(options.cutouts))
        chosen = _match(table, cutouts, names)
    path = write_report(
        table,
        options.output,
        truth=None if options.truth is None else read_table(options.truth),
        cutouts=chosen,
        psf=None if options.psf is None else fits.getdata(options.psf),
        pixel_scale=options.pixel_scale,
        zeropoint=options.zeropoint,
        title=options.title,
    )
    found = sum(cutout is not None for cutout in chosen or ())
    pictures = "" if chosen is None else f": cutouts of {found} of {len(table)} galaxies"
    print(f"wrote {path}{pictures}")
    return status


def _files(paths):
    """The files, and those of the folders."""
    paths = [Path(path) for path in paths]
    return [
        file
        for path in paths
        for file in (sorted(path.glob("*.fits*")) if path.is_dir() else [path])
    ]


def _match(table, cutouts, names):
    """The cutout of each row, None where none has its id for a name."""
    if "id" not in table.colnames:
        msg = f"--cutouts needs a column id, the catalog has only {', '.join(table.colnames)}"
        raise ValueError(msg)
    by_name = dict(zip(names, cutouts, strict=True))
    chosen = [by_name.get(str(name)) for name in table["id"]]
    if all(cutout is None for cutout in chosen):
        ids = reprlib.repr(list(map(str, table["id"])))
        msg = (
            f"none of the {len(cutouts)} cutouts has a name that is an id of the catalog: "
            f"{reprlib.repr(names)} are names, {ids} ids. Pass the files that predict measured; "
            "a catalog of measure has no cutouts, its --residual image shows what is left"
        )
        raise ValueError(msg)
    return chosen
