"""The command ``sersicnet measure``."""

from functools import partial

from sersicnet._words import counted
from sersicnet.cli.bands import image_of, let_bands, of_bands
from sersicnet.cli.columns import DIALECTS, add_columns, column_names
from sersicnet.cli.hdus import add_hdus, chosen_images, measure_each
from sersicnet.cli.messages import show_progress, show_rows
from sersicnet.cli.option_files import add_option_file, dump_options
from sersicnet.cli.options import (
    MODELS,
    TABLE_HELP,
    add_device,
    add_draws,
    add_measuring,
    add_option,
    add_planes,
    add_population,
    load_net,
    measuring_of,
    population_file,
)
from sersicnet.cli.parser import add_command
from sersicnet.io.files import check_folder, check_image_path, check_table_path, write_table
from sersicnet.io.hats import check_hats, write_hats
from sersicnet.io.paths import check_inputs, check_outputs
from sersicnet.io.samples_files import check_samples_path, samples_path
from sersicnet.io.tables import read_table
from sersicnet.measure.option_values import files_of
from sersicnet.measure.options import Options

__all__ = ["add_measure"]

# Images that are written on request.
_IMAGES = ("model_image", "residual_image", "background_image", "segmentation_image")
_EXAMPLE = """\
example:
  sersicnet measure field.fits --psf star.fits --rms rms.fits --zeropoint 25.946 -o field.ecsv
  sersicnet measure g=g.fits r=r.fits --psf g=star_g.fits,r=star_r.fits -o field.ecsv

Several bands of one field are NAME=IMAGE each. Options of files and units then are one value, or
NAME=VALUE for each band, separated by commas.
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
    parser.add_argument(
        "image",
        nargs="*",
        metavar="IMAGE",
        help="FITS file, read a tile at a time; NAME=IMAGE for each of several bands",
    )
    _add_bands(parser)
    add_hdus(parser)
    add_planes(parser)
    _add_sources(parser)
    add_measuring(parser)
    add_draws(parser)
    add_population(parser)
    add_device(parser)
    add_option_file(parser)
    parser.add_argument(
        "--dump-options",
        action="store_true",
        help="print all options as JSON for --options, and measure nothing",
    )
    _add_outputs(parser)
    let_bands(parser)


def _add_bands(parser):
    """Add the options of images of several bands."""
    parser.add_argument(
        "--detection",
        metavar="BAND",
        help="of several bands, the one in which sources are detected (default: the first), or "
        "chi2 for all together, where they have the same pixels",
    )
    parser.add_argument(
        "--wavelength",
        type=partial(of_bands, convert=float),
        metavar="G=MICRON,R=MICRON",
        help="wavelengths of several bands: sizes and indices of sources change with it (--model "
        "sersic), or this is one of the models that are compared (auto)",
    )


def _add_sources(parser):
    """Add the options that say where sources are, and which of them are stars."""
    add_option(
        parser,
        "catalog",
        metavar="CAT",
        help="where to measure: x_0 and y_0 (pixels, from 0), ra and dec, or the columns of "
        "SExtractor",
    )
    add_option(
        parser,
        "segmentation",
        metavar="SEG",
        help="number of the source of each pixel (FITS), 0 for sky, instead of what is detected",
    )
    add_option(
        parser,
        "detection_image",
        metavar="DET",
        help="image (FITS) of the same pixels in which sources are detected, as a sum of bands",
    )
    add_option(
        parser,
        "stars",
        metavar="STARS",
        help="table of stars, such as those of Gaia: ra and dec, or x_0 and y_0",
    )


def _add_outputs(parser):
    """Add the options that are files to write."""
    parser.add_argument("-o", "--output", metavar="TABLE", help=TABLE_HELP)
    add_columns(parser)
    parser.add_argument(
        "--hats",
        action="store_true",
        help="sort the table (.parquet) by its places on the sky, with a column _healpix_29 for "
        "HATS and LSDB; needs astropy-healpix",
    )
    parser.add_argument(
        "--model-image", metavar="FITS", help="image of all measured galaxies to write"
    )
    parser.add_argument("--residual-image", metavar="FITS", help="IMAGE without them to write")
    parser.add_argument(
        "--background-image", metavar="FITS", help="image of the subtracted sky to write"
    )
    parser.add_argument(
        "--segmentation-image",
        metavar="FITS",
        help="image of the pixels of sources to write: row of the table from 1, 0 for the sky",
    )
    parser.add_argument(
        "--regions", metavar="REG", help="region file of DS9 to write: half-light ellipses"
    )


def _measure(options):
    """Run the command."""
    options.image = image_of(options.image)
    if isinstance(options.image, dict):
        _check_bands(options)
    if options.dump_options:
        print(dump_options(measuring_of(options)))
        return 0
    for name, shown in (("image", "IMAGE"), ("output", "-o/--output")):
        if getattr(options, name) is None:
            options.parser.error(f"the following arguments are required: {shown}")
    _check_paths(options)
    if isinstance(options.image, dict):
        return _measure_image(options)
    paths = chosen_images(options.image, options)
    if options.all_hdus:
        return _measure_all(paths, options)
    options.image = paths[0]
    return _measure_image(options)


def _check_bands(options):
    """Stop if an option does not go with several bands."""
    for name in ("model_image", "residual_image", "background_image", "population", "hdu"):
        if getattr(options, name) is not None:
            shown = name.replace("_", "-")
            options.parser.error(f"--{shown} is for one band, not for NAME=IMAGE")
    for name in ("all_hdus", "dump_options"):
        if getattr(options, name):
            options.parser.error(f"--{name.replace('_', '-')} is for one band, not for NAME=IMAGE")


def _check_paths(options):
    """Raise an error, before hours of work, if a file cannot be read or may not be written."""
    inputs = {"image": options.image, **files_of(vars(options))}
    inputs["population"] = population_file(options)
    for name, value in inputs.items():
        if isinstance(value, dict):
            inputs[name] = list(value.values())
    check_inputs(inputs)
    check_table_path(options.output, "output")
    if options.hats:
        check_hats(options.output, "output", columns=column_names(options.columns))
    outputs = {name: getattr(options, name) for name in ("output", *_IMAGES, "regions")}
    outputs["samples"] = check_samples_path(options.samples, options.output)
    for name in _IMAGES:
        if outputs[name] is not None:
            check_image_path(outputs[name], name)
    if options.regions is not None:
        check_folder(options.regions, "regions")
    check_outputs(outputs, inputs | {"weights": options.weights, "options": options.options})


def _shown(options):
    """The arguments for the columns of the table, which other outputs need as they are."""
    columns = column_names(options.columns)
    for name in ("model_image", "residual_image", "regions"):
        is_changed = columns is not None or options.dialect != DIALECTS[0]
        if is_changed and getattr(options, name) is not None:
            shown = name.replace("_", "-")
            options.parser.error(f"--{shown} needs the table without --columns and --dialect")
    return {"columns": columns, "dialect": options.dialect}


def _write_catalog(table, options):
    """Write the table, sorted for HATS if that is asked for and possible."""
    if not options.hats:
        write_table(table, options.output, overwrite=True)
        return
    try:
        write_hats(table, options.output, overwrite=True)
    except ValueError as error:  # what was measured is not lost
        write_table(table, options.output, overwrite=True)
        msg = f"{error}; wrote {options.output} without sorting it"
        raise ValueError(msg) from error


def _measure_all(paths, options):
    """Measure all images of a file, and write one table."""
    for name in (*_IMAGES, "regions"):
        if getattr(options, name) is not None:
            options.parser.error("--all-hdus writes a table and nothing else")
    if options.samples:
        options.parser.error("--samples is for one image, not for --all-hdus")
    given = measuring_of(options) | {"population": options.population} | _shown(options)
    if options.catalog is not None:
        given["catalog"] = read_table(options.catalog)
    net = load_net(options)
    table, status = measure_each(
        paths, options, net=net, progress_bar=show_progress(options), **given
    )
    _write_catalog(table, options)
    print(f"wrote {options.output}: {counted(len(table), 'source')}")
    return max(status, show_rows(table))


def _measure_image(options):
    """Measure an image, and write its table and images."""
    from sersicnet.measure.image import measure_image
    from sersicnet.measure.made_psf import known_psf
    from sersicnet.measure.models import check_field_model
    from sersicnet.measure.regions import write_regions

    given = measuring_of(options) | {"population": options.population} | _shown(options)
    given |= {"detection": options.detection, "wavelength": options.wavelength}
    if options.wavelength is not None:
        given["model"] = _chromatic(options)
    if options.catalog is not None:
        given["catalog"] = read_table(options.catalog)
    net = load_net(options)
    if options.model_image is not None or options.residual_image is not None:
        if options.model != MODELS[0]:
            options.parser.error("--model-image and --residual-image are for --model sersic")
        options.psf = given["psf"] = known_psf(options.image, Options(**measuring_of(options)))
        check_field_model(net.parameters_, options.image, options.psf)
    table = measure_image(
        options.image,
        net=net,
        output=None if options.hats and not options.samples else options.output,
        background_image=options.background_image,
        segmentation_image=options.segmentation_image,
        progress_bar=show_progress(options),
        **given,
    )
    if options.hats:
        _write_catalog(table, options)
    print(f"wrote {options.output}: {counted(len(table), 'source')}")
    if options.samples:
        shown = f"{counted(options.samples, 'draw')} of each source"
        print(f"wrote {samples_path(options.output)}: {shown}")
    _write_models(table, options)
    if options.regions is not None:
        write_regions(table, options.regions)
    for name in (*_IMAGES, "regions"):
        if getattr(options, name) is not None:
            print(f"wrote {getattr(options, name)}")
    return show_rows(table)


def _chromatic(options):
    """Return the model in which structure changes with wavelength."""
    from sersicnet.model.choice import AUTO, CHROMATIC
    from sersicnet.model.description import Model

    if options.model == "auto":
        return Model.auto((*AUTO, CHROMATIC))
    if options.model != MODELS[0]:
        options.parser.error("--wavelength is for --model sersic and --model auto")
    return Model("sersic", chromatic=True)


def _write_models(table, options):
    """Write the images of the measured galaxies, and of what is left without them."""
    from sersicnet.measure.models import write_field_model

    for path, residual in ((options.model_image, False), (options.residual_image, True)):
        if path is not None:
            write_field_model(table, options.image, path, psf=options.psf, residual=residual)
