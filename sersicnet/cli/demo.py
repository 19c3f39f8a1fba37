"""The command ``sersicnet demo``."""

from sersicnet.cli.messages import show_progress
from sersicnet.cli.options import add_device, add_units, read_named_cutouts, units_of
from sersicnet.cli.parser import add_command
from sersicnet.io.files import check_output_folder

__all__ = ["add_demo"]

_EXAMPLE = """\
examples:
  sersicnet demo
  sersicnet demo galaxy1.fits galaxy2.fits --zeropoint 25.946 --pixel-scale 0.06 -o demo
"""


def add_demo(commands):
    """Add the command ``demo`` to a parser's commands."""
    parser = add_command(
        commands,
        "demo",
        summary="Measure galaxies, and write a table and pictures.",
        example=_EXAMPLE,
        run=_demo,
    )
    parser.add_argument(
        "cutouts", nargs="*", metavar="CUTOUT", help="FITS files; default: simulated galaxies"
    )
    parser.add_argument(
        "-o",
        "--output",
        default="demo",
        metavar="DIR",
        help="folder to write into; default: %(default)s",
    )
    add_units(parser)
    add_device(parser)


def _demo(options):
    """Run the command."""
    from sersicnet.cli.demonstration import FILES, run_demo

    check_output_folder(options.output, files=FILES)

    cutouts, names, status = read_named_cutouts(options.cutouts)
    if options.cutouts and not cutouts:
        return status
    options.names = names
    files = run_demo(
        options.output,
        cutouts=cutouts,
        names=names,
        weights=options.weights,
        device=options.device,
        progress_bar=show_progress(options),
        **units_of(options),
    )
    print("wrote", ", ".join(map(str, files)))
    return status
