"""The command ``sersicnet report``."""

import reprlib
from pathlib import Path

from sersicnet._words import counted
from sersicnet.cli.options import add_option, read_named_cutouts, read_psf
from sersicnet.cli.parser import add_command
from sersicnet.io.files import check_folder
from sersicnet.io.paths import check_inputs, check_outputs
from sersicnet.io.tables import read_table

__all__ = ["add_report"]

_EXAMPLE = """\
examples:
  sersicnet report measured.ecsv --cutouts galaxies/ -o measured.html
  sersicnet report catalog.ecsv --image field.fits --psf star.fits -o catalog.html
  sersicnet report measured.ecsv --truth simulation/catalog.ecsv -o measured.html

The page is one HTML file: distributions, errors, calibration where the truth is known, and a
table that sorts and filters, in which a click opens a galaxy.
"""


def add_report(commands):
    """Add the command ``report`` to a parser's commands."""
    parser = add_command(
        commands,
        "report",
        summary="Write an HTML page about a catalog.",
        example=_EXAMPLE,
        run=_report,
    )
    parser.add_argument(
        "catalog", metavar="CATALOG", help="table from predict or measure, or folder of a survey"
    )
    parser.add_argument(
        "--truth", metavar="TABLE", help="true values, one row per galaxy in the same order"
    )
    parser.add_argument(
        "--cutouts",
        nargs="+",
        metavar="PATH",
        help="FITS files that predict measured, or folders of them, for pictures; matched by id",
    )
    parser.add_argument(
        "--image",
        metavar="FITS",
        help="survey image that measure measured, for pictures of its brightest 2000 galaxies and "
        "for a map",
    )
    parser.add_argument(
        "--psf", metavar="PSF", help="star-like stamp (or PSFEx file, with --image), as for predict"
    )
    add_option(
        parser,
        "psf_oversampling",
        type=int,
        metavar="K",
        default=None,
        help="pixels of the PSF on a side of a pixel of the image; default: that of CATALOG",
    )
    parser.add_argument("--pixel-scale", type=float, help="arcsec/pixel, as for predict")
    parser.add_argument(
        "--zeropoint", type=float, help="AB magnitude of one unit of the data, as for predict"
    )
    parser.add_argument("--title", help="title of the page; default: name of the file")
    parser.add_argument(
        "-o",
        "--output",
        default="report.html",
        metavar="HTML",
        help="page to write; default: %(default)s",
    )


def _report(options):
    """Run the command."""
    check_folder(options.output, "output")
    files = None
    if options.cutouts is not None:
        files = _files(options.cutouts)
    if options.image is not None and files is not None:
        msg = "either --cutouts or --image is needed for pictures, not both"
        raise ValueError(msg)
    inputs = {name: getattr(options, name) for name in ("truth", "psf", "image")}
    check_inputs(inputs)
    inputs |= {"catalog": options.catalog, "cutouts": files}
    check_outputs({"output": options.output}, inputs)
    table = _read_catalog(options.catalog)
    truth = None
    if options.truth is not None:
        truth = read_table(options.truth)
    status = 0
    pictures = {"cutouts": None}
    if options.image is not None:
        pictures = _field_pictures(table, options)
    else:
        pictures |= {"psf": read_psf(options.psf), "psf_oversampling": options.psf_oversampling}
    if files is not None:
        cutouts, names, status = read_named_cutouts(files)
        pictures["cutouts"] = _match(table, cutouts, names)
    _write(table, options, truth=truth, **pictures)
    return status


def _field_pictures(table, options):
    """Arguments of `~sersicnet.report.write_report` for the pictures of a survey image."""
    from sersicnet.measure import catalog_cutouts

    field = catalog_cutouts(
        table,
        options.image,
        psf=options.psf,
        psf_oversampling=options.psf_oversampling,
        pixel_scale=options.pixel_scale,
        zeropoint=options.zeropoint,
    )
    return {
        "cutouts": field.cutouts,
        "corners": field.corners,
        "image": field.image,
        "image_shape": field.shape,
        "psf_oversampling": field.psf_oversampling,
    }


def _write(table, options, *, truth, cutouts, **pictures):
    """Write the page, and print what it shows."""
    from sersicnet.report import write_report

    path = write_report(
        table,
        options.output,
        truth=truth,
        cutouts=cutouts,
        pixel_scale=options.pixel_scale,
        zeropoint=options.zeropoint,
        title=options.title,
        **pictures,
    )
    shown = counted(len(table), "galaxy")
    if cutouts is not None:
        found = sum(cutout is not None for cutout in cutouts)
        shown = f"cutouts of {found} of {shown}"
    print(f"wrote {path}: {shown}")


def _read_catalog(path):
    """Read a catalog, or the catalogs of all images of the folder of a survey."""
    folder = Path(path)
    if not folder.is_dir():
        check_inputs({"catalog": path})
        return read_table(path)
    if not (folder / "manifest.jsonl").is_file():
        msg = f"catalog={path!r} is a folder without manifest.jsonl, which each survey has"
        raise IsADirectoryError(msg)
    from sersicnet.survey import read_survey

    table = read_survey(folder)
    table["id"] = [f"{image}-{number}" for image, number in table.iterrows("image", "id")]
    return table


def _files(paths):
    """Replace folders by the FITS files in them."""
    files = []
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(path.glob("*.fits*"))
            if not found:
                msg = f"cutouts={str(path)!r} is a folder without FITS files"
                raise FileNotFoundError(msg)
            files += found
        else:
            files.append(path)
    return files


def _match(table, cutouts, names):
    """Return the cutout whose name is the id of each row, None if there is none."""
    if "id" not in table.colnames:
        msg = f"--cutouts needs a column id; the catalog has only {', '.join(table.colnames)}"
        raise ValueError(msg)
    by_name = dict(zip(names, cutouts, strict=True))
    chosen = [by_name.get(str(name)) for name in table["id"]]
    if all(cutout is None for cutout in chosen):
        ids = reprlib.repr(list(map(str, table["id"])))
        msg = (
            f"none of {counted(len(cutouts), 'cutout')} has the name of an id in the catalog: "
            f"the names are {reprlib.repr(names)}, the ids {ids}. Pass the files that predict "
            "measured; a catalog of measure has no cutouts, but --residual-image"
        )
        raise ValueError(msg)
    return chosen
