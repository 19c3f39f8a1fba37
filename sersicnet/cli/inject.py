"""The command ``sersicnet inject``."""

from sersicnet._words import counted
from sersicnet.cli.messages import show_progress
from sersicnet.cli.option_files import add_option_file
from sersicnet.cli.options import (
    TABLE_HELP,
    add_device,
    add_measuring,
    add_option,
    add_planes,
    add_population,
    load_net,
    measuring_of,
    population_file,
)
from sersicnet.cli.parser import add_command
from sersicnet.io.files import check_folder, check_table_path, write_table
from sersicnet.io.paths import check_inputs, check_outputs
from sersicnet.measure.option_values import files_of
from sersicnet.measure.options import Options

__all__ = ["add_inject"]

_EXAMPLE = """\
examples:
  sersicnet inject field.fits --psf star.fits --galaxies LSST:i --magnitudes 20 27 \\
      -o injected.ecsv --summary summary.ecsv --page injected.html
  sersicnet inject field.fits --psf star.fits --galaxies galaxies.ecsv -o injected.ecsv

IMAGE is not changed. It is measured as it is, and once more with each set of galaxies that are far
from each other. A table of galaxies has mag (AB), r_eff (arcsec, major axis), n and q.
"""
# Galaxies with pictures on the page, the brightest ones.
_N_PICTURES = 500
_SHOWN = ("mag_lower", "mag_upper", "n_injected", "n_ambiguous", "completeness")
_SHOWN += ("bias_mag", "error_ratio_mag")


def add_inject(commands):
    """Add the command ``inject`` to a parser's commands."""
    parser = add_command(
        commands,
        "inject",
        summary="Inject galaxies into a survey image, and measure which are found, and how well.",
        example=_EXAMPLE,
        run=_inject,
    )
    parser.add_argument("image", metavar="IMAGE", help="FITS file, which is not changed")
    parser.add_argument(
        "--galaxies",
        required=True,
        metavar="NAME|FILE",
        help="what is injected: candels_f160w, cosmos_f814w, a survey of surveycodex such as "
        "LSST:i, a table of galaxies, or the file of a population (.safetensors)",
    )
    parser.add_argument(
        "--magnitudes",
        nargs=2,
        type=float,
        metavar=("BRIGHT", "FAINT"),
        help="range of magnitudes of a survey, instead of its own",
    )
    parser.add_argument(
        "-n",
        "--n-galaxies",
        type=int,
        metavar="N",
        help="number of galaxies; default: 1000, or all rows of a table",
    )
    _add_placing(parser)
    add_planes(parser)
    add_measuring(parser)
    add_population(parser)
    add_device(parser)
    add_option_file(parser)
    parser.add_argument("-o", "--output", required=True, metavar="TABLE", help=TABLE_HELP)
    parser.add_argument(
        "--summary",
        metavar="TABLE",
        help="table of completeness, bias, scatter and error over quoted error to write",
    )
    parser.add_argument("--page", metavar="HTML", help="page about the galaxies to write")


def _add_placing(parser):
    """Add the options that say where galaxies are injected, and when they are found."""
    parser.add_argument(
        "--layout",
        default="grid",
        choices=("grid", "random"),
        help="positions: a grid with a random origin and jitter, or random; default: %(default)s",
    )
    parser.add_argument(
        "--min-distance",
        type=float,
        default=80.0,
        metavar="PIXELS",
        help="smallest distance of two galaxies that are injected together; default: %(default)s",
    )
    parser.add_argument(
        "--match-radius",
        type=float,
        default=3.0,
        metavar="PIXELS",
        help="largest distance of a galaxy and its detection; default: %(default)s",
    )
    add_option(
        parser,
        "seed",
        type=int,
        metavar="SEED",
        help="seed of galaxies, positions and noise (default: %(default)s)",
    )


def _inject(options):
    """Run the command."""
    _check_paths(options)
    if options.page is not None:
        from sersicnet.report import write_report  # raises without Bokeh, before hours of work
    from sersicnet.diagnostics.injections import injection_summary
    from sersicnet.measure.injection import inject_galaxies
    from sersicnet.measure.made_psf import known_psf
    from sersicnet.measure.pictures import catalog_cutouts

    if options.page is not None:
        options.psf = known_psf(options.image, Options(**measuring_of(options)))
    names = ("n_galaxies", "magnitudes", "layout", "min_distance", "match_radius", "output")
    names = (*names, "population")
    table = inject_galaxies(
        options.image,
        options.galaxies,
        net=load_net(options),
        progress_bar=show_progress(options),
        **{name: getattr(options, name) for name in names},
        **measuring_of(options),
    )
    galaxies = counted(len(table), "galaxy")
    print(f"wrote {options.output}: {table['detected'].sum()} of {galaxies} detected")
    summary = injection_summary(table)
    shown = [name for name in _SHOWN if name in summary.colnames]
    print(*summary[summary["by"] == "mag"][shown].pformat(max_lines=-1, max_width=-1), sep="\n")
    if options.summary is not None:
        write_table(summary, options.summary, overwrite=True)
        print(f"wrote {options.summary}")
    if options.page is not None:
        field = catalog_cutouts(
            table,
            options.image,
            psf=options.psf,
            psf_oversampling=options.psf_oversampling,
            pixel_scale=options.pixel_scale,
            n_brightest=_N_PICTURES,
        )
        pictures = {"cutouts": field.cutouts, "corners": field.corners}
        pictures["psf_oversampling"] = field.psf_oversampling
        print(f"wrote {write_report(table, options.page, **pictures)}")
    return 0


def _check_paths(options):
    """Raise an error, before hours of work, if a file cannot be read or may not be written."""
    inputs = {"image": options.image, **files_of(vars(options))}
    inputs["population"] = population_file(options)
    check_inputs(inputs)
    check_table_path(options.output, "output")
    if options.summary is not None:
        check_table_path(options.summary, "summary")
    if options.page is not None:
        check_folder(options.page, "page")
    others = {name: getattr(options, name) for name in ("galaxies", "weights", "options")}
    outputs = {name: getattr(options, name) for name in ("output", "summary", "page")}
    check_outputs(outputs, inputs | others)
