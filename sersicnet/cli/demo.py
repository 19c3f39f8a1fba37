"""The command ``sersicnet demo``."""

from sersicnet.cli.options import add_units, read_named_cutouts, show_progress, units_of

__all__ = ["add_demo"]


def add_demo(commands):
    """Add the command ``demo`` to a parser's commands."""
    parser = commands.add_parser("demo", help="measure galaxies, and write a table and pictures")
    parser.add_argument(
        "cutouts", nargs="*", metavar="CUTOUT", help="FITS files; default: simulated galaxies"
    )
    parser.add_argument(
        "-o", "--output", default="demo", metavar="DIR", help="output folder; default: %(default)s"
    )
    add_units(parser)
    parser.set_defaults(run=_demo)


def _demo(options):
    """Run the command."""
    from sersicnet.cli.demonstration import run_demo

    cutouts, names, status = read_named_cutouts(options.cutouts)
    if options.cutouts and not cutouts:
        return status
    files = run_demo(
        options.output,
        cutouts=cutouts,
        names=names,
        weights=options.weights,
        progress_bar=show_progress(),
        **units_of(options),
    )
    print("wrote", ", ".join(map(str, files)))
    return status
