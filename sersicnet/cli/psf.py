"""The command ``sersicnet psf``."""

from sersicnet.cli.options import add_mask_bits, add_option, add_planes
from sersicnet.cli.parser import add_command
from sersicnet.io.files import check_folder, check_image_path
from sersicnet.io.paths import check_inputs, check_outputs

__all__ = ["add_psf"]

_EXAMPLE = """\
examples:
  sersicnet psf field.fits -o psf.fits --page psf.html
  sersicnet measure field.fits --psf psf.fits -o field.ecsv

The file holds a stamp, or stamps at places of the image where the PSF changes, with the cards
OVERSAMP and PIXELSCL. It includes the response of the pixel.
"""
_OPTIONS = ("rms", "weight_map", "mask", "mask_bits", "saturation", "pixel_scale")
_OPTIONS += ("background_box", "gain")


def add_psf(commands):
    """Add the command ``psf`` to a parser's commands."""
    parser = add_command(
        commands,
        "psf",
        summary="Make the PSF of an image from its stars.",
        example=_EXAMPLE,
        run=_psf,
    )
    parser.add_argument("image", metavar="IMAGE", help="FITS file")
    add_planes(parser)
    add_mask_bits(parser)
    add_option(
        parser,
        "saturation",
        type=float,
        metavar="LEVEL",
        help="value of saturated pixels, with the sky, in the unit of IMAGE; default: SATURATE",
    )
    add_option(
        parser,
        "gain",
        type=float,
        help="electrons per unit of IMAGE, for the noise of the stars' photons where the noise "
        "map lacks it (inf: none); default: unit and header",
    )
    add_option(parser, "pixel_scale", type=float, help="arcsec/pixel; default: WCS or header")
    add_option(parser, "background_box", type=int, metavar="PIXELS")
    parser.add_argument("-o", "--output", required=True, metavar="FITS", help="PSF to write")
    parser.add_argument("--page", metavar="HTML", help="page of stars and residuals to write")


def _psf(options):
    """Run the command."""
    given = {name: getattr(options, name) for name in _OPTIONS}
    files = {name: given[name] for name in ("rms", "weight_map", "mask")}
    inputs = {"image": options.image, **files}
    check_inputs(inputs)
    check_image_path(options.output, "output")
    if options.page is not None:
        check_folder(options.page, "page")
        from sersicnet.report import write_psf_page  # raises without Bokeh, before the work
    check_outputs({"output": options.output, "page": options.page}, inputs)
    from sersicnet.measure.made_psf import psf_from_stars

    psf = psf_from_stars(options.image, output=options.output, **given)
    words = f"{psf.words()}; {psf.trial.words()}"
    print(f"wrote {options.output}: {words}")
    if options.page is not None:
        page = {"shape": psf.shape, "width": psf.widths(), "words": f"{words}."}
        path = write_psf_page(options.page, psf.star_columns(), **page)
        print(f"wrote {path}")
    return 0
