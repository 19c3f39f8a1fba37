"""The command ``sersicnet measure``."""

import argparse

from sersicnet.cli.options import add_measuring, add_option, measuring_of, show_progress

__all__ = ["add_measure"]

_EXAMPLE = """\
example:
  sersicnet measure field.fits --psf star.fits --rms rms.fits --zeropoint 25.946 -o field.ecsv

Angles are in degrees, radii in arcsec, magnitudes AB, positions 0-based pixels (x_0, y_0)
and degrees (ra, dec). The meaning of the flags: sersicnet.decode_flags.
"""


def add_measure(commands):
    """Add the command ``measure`` to a parser's commands."""
    parser = commands.add_parser(
        "measure",
        help="measure all galaxies of a survey image",
        description="Detect, deblend and measure all galaxies of an image.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    parser.add_argument("-o", "--output", required=True, help="table: .ecsv, .fits or .parquet")
    parser.add_argument("--model", metavar="FITS", help="image of all measured galaxies to write")
    parser.add_argument("--residual", metavar="FITS", help="image without them to write")
    parser.set_defaults(run=_measure)


def _measure(options):
    """Run the command."""
    from sersicnet.estimator import SersicNet
    from sersicnet.io.files import check_folder
    from sersicnet.io.weights import weights_path
    from sersicnet.measure.image import measure_image
    from sersicnet.measure.models import write_field_model

    images = {"model": options.model, "residual": options.residual}
    for name, path in images.items():  # before hours of work
        if path is not None:
            check_folder(path, name)
    given = measuring_of(options)
    if options.catalog is not None:
        given["catalog"] = _read_catalog(options.catalog)
    table = measure_image(
        options.image,
        net=SersicNet.load(weights_path(options.weights)),
        output=options.output,
        progress_bar=show_progress(),
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
                residual=name == "residual",
            )
            print(f"wrote {path}")
    return 0


def _read_catalog(path):
    """Read a catalog; if it does not exist, the error names the option."""
    from sersicnet.io.files import read_table

    try:
        return read_table(path)
    except FileNotFoundError as error:
        msg = f"catalog={path!r} does not exist"
        raise FileNotFoundError(msg) from error
