"""The command ``sersicnet measure``."""

from sersicnet.cli.messages import show_progress, show_rows
from sersicnet.cli.options import (
    TABLE_HELP,
    add_device,
    add_measuring,
    add_option,
    load_net,
    measuring_of,
)
from sersicnet.cli.parser import add_command
from sersicnet.measure.options import FILES

__all__ = ["add_measure"]

_EXAMPLE = """\
example:
  sersicnet measure field.fits --psf star.fits --rms rms.fits --zeropoint 25.946 -o field.ecsv

Angles are in degrees, radii in arcsec, magnitudes AB, positions 0-based pixels (x_0, y_0)
and degrees (ra, dec). The meaning of the flags: sersicnet.decode_flags.
"""


def add_measure(commands):
    """Add the command ``measure`` to a parser's commands."""
    parser = add_command(
        commands,
        "measure",
        summary="Measure all galaxies of a survey image.",
        example=_EXAMPLE,
        run=_measure,
    )
    parser.add_argument("image", metavar="IMAGE", help="FITS file, read a tile at a time")
    noise = parser.add_mutually_exclusive_group()
    add_option(noise, "rms", metavar="RMS", help="noise (FITS): 1 sigma, in the unit of IMAGE")
    add_option(noise, "weight_map", metavar="WEIGHT", help="noise (FITS): inverse variances")
    add_option(parser, "mask", metavar="MASK", help="bad pixels (FITS): not zero")
    add_option(
        parser,
        "catalog",
        metavar="CAT",
        help="where to measure: x_0 and y_0 (pixels, from 0), or ra, dec",
    )
    add_measuring(parser)
    add_device(parser)
    parser.add_argument("-o", "--output", required=True, metavar="TABLE", help=TABLE_HELP)
    parser.add_argument(
        "--model-image", metavar="FITS", help="image of all measured galaxies to write"
    )
    parser.add_argument("--residual-image", metavar="FITS", help="IMAGE without them to write")


def _measure(options):
    """Run the command."""
    from sersicnet.io.files import read_table
    from sersicnet.measure.image import measure_image
    from sersicnet.measure.models import write_field_model

    images = {"model_image": options.model_image, "residual_image": options.residual_image}
    _check_paths(options, images)
    given = measuring_of(options)
    if options.catalog is not None:
        given["catalog"] = read_table(options.catalog)
    table = measure_image(
        options.image,
        net=load_net(options),
        output=options.output,
        progress_bar=show_progress(options),
        **given,
    )
    print(f"wrote {options.output}: {len(table)} sources")
    for name, path in images.items():
        if path is not None:
            write_field_model(
                table,
                options.image,
                path,
                psf=options.psf,
                psf_oversampling=options.psf_oversampling,
                residual=name == "residual_image",
            )
            print(f"wrote {path}")
    return show_rows(table)


def _check_paths(options, images):
    """Raise an error, before hours of work, if a file cannot be read or may not be written."""
    from sersicnet.io.files import check_image_path, check_table_path
    from sersicnet.io.paths import check_inputs, check_outputs

    inputs = {name: getattr(options, name) for name in ("image", *FILES)}
    check_inputs(inputs)
    check_table_path(options.output, "output")
    for name, path in images.items():
        if path is not None:
            check_image_path(path, name)
    check_outputs({"output": options.output, **images}, inputs | {"weights": options.weights})
