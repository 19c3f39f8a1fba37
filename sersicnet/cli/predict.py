"""The command ``sersicnet predict``."""

from sersicnet._settings import check_positive
from sersicnet._words import counted
from sersicnet.cli.columns import ID_NAMES, add_columns, column_names
from sersicnet.cli.hdus import add_hdus
from sersicnet.cli.messages import show_progress, show_rows
from sersicnet.cli.options import (
    MODELS,
    TABLE_HELP,
    add_device,
    add_mask_bits,
    add_option,
    add_recenter,
    add_refine,
    add_units,
    load_net,
    read_named_cutouts,
    read_psf,
    units_of,
)
from sersicnet.cli.parser import add_command
from sersicnet.io.files import check_table_path, write_table
from sersicnet.io.paths import check_inputs, check_outputs
from sersicnet.io.samples_files import check_samples_path

__all__ = ["add_predict"]

_EXAMPLE = """\
example:
  sersicnet predict galaxies/*.fits --psf star.fits --zeropoint 25.946 --refine lm -o out.ecsv

The column id has the name of the file, with a number where it occurs again. Angles are in
degrees, radii in arcsec, magnitudes AB, positions 0-based pixels of the cutout (x_0, y_0).
"""


def add_predict(commands):
    """Add the command ``predict`` to a parser's commands."""
    parser = add_command(
        commands,
        "predict",
        summary="Measure the galaxies in the middle of cutouts, one row per cutout.",
        example=_EXAMPLE,
        run=_predict,
    )
    parser.add_argument("cutouts", nargs="+", metavar="CUTOUT", help="FITS files")
    add_hdus(parser, "CUTOUT")
    parser.add_argument("-o", "--output", required=True, metavar="TABLE", help=TABLE_HELP)
    add_columns(parser)
    parser.add_argument(
        "--covariance",
        action="store_true",
        help="add a column with the covariance matrix of the parameters, its upper triangle",
    )
    parser.add_argument(
        "--samples",
        type=int,
        metavar="K",
        help="draws from the posterior of each galaxy, in a second file beside TABLE, "
        "NAME.samples.parquet",
    )
    parser.add_argument(
        "--psf", metavar="FITS", help="star-like stamp for all cutouts; default: their own"
    )
    add_option(
        parser,
        "psf_oversampling",
        type=int,
        metavar="K",
        help="pixels of a PSF stamp on a side of a pixel of the cutout; default: what the file "
        "of the PSF says, else 1",
    )
    add_mask_bits(parser)
    add_recenter(parser)
    add_refine(parser)
    parser.add_argument(
        "--model",
        choices=MODELS,
        default="sersic",
        help="what is fitted: one Sersic profile, a star, a bulge and a disk, a nucleus and its "
        "host or disk; 'auto' compares all but the host by evidence; default: %(default)s",
    )
    parser.add_argument(
        "--neighbors",
        choices=("mask", "fit"),
        default="mask",
        help="whether sources around the galaxy are those that the mask hides, or are found and "
        "fitted with it; default: %(default)s",
    )
    parser.add_argument(
        "--likelihood",
        choices=("gaussian", "poisson", "student"),
        default="gaussian",
        help="how pixels scatter: normally; as counts of photons, with the sky still in them; or "
        "normally with outliers; default: %(default)s",
    )
    add_units(parser)
    add_device(parser)


def _predict(options):
    """Run the command."""
    check_table_path(options.output, "output")
    check_inputs({"psf": options.psf})
    inputs = {name: getattr(options, name) for name in ("cutouts", "psf", "weights")}
    samples = _samples_path(options)
    check_outputs({"output": options.output, "samples": samples}, inputs)
    _check_columns(options)
    psf = read_psf(options.psf)
    hdu = "all" if options.all_hdus else options.hdu
    cutouts, names, status = read_named_cutouts(
        options.cutouts, hdu=hdu, mask_bits=options.mask_bits
    )
    if not cutouts:
        return status
    options.names = names
    results = load_net(options).predict(
        cutouts,
        psf=psf,
        psf_oversampling=options.psf_oversampling,
        recenter_psf=options.recenter_psf,
        augment=options.augment,
        refine=options.refine,
        model=options.model,
        neighbors=options.neighbors,
        morphology=options.morphology,
        sky=options.sky,
        sky_err=options.sky_err,
        noise_correlation=options.noise_correlation,
        likelihood=options.likelihood,
        progress_bar=show_progress(options),
        **units_of(options),
    )
    table = results.to_table(covariance=options.covariance)
    table["id"] = names
    write_table(_shown(table, results, options), options.output, overwrite=True)
    print(f"wrote {options.output}: {counted(len(table), 'row')}")
    if samples is not None:
        draws = results.to_sample_table(options.samples)
        draws["id"] = names
        write_table(draws, samples, overwrite=True)
        print(f"wrote {samples}: {counted(options.samples, 'draw')} of each row")
    return max(status, show_rows(table))


def _check_columns(options):
    """Stop if the covariance is asked for and left out."""
    columns = column_names(options.columns)
    if options.covariance and columns is not None and "covariance" not in columns:
        options.parser.error("--covariance is not among --columns")


def _shown(table, results, options):
    """Return the table with the columns and names that are wanted."""
    columns = column_names(options.columns)
    try:
        shown = results.to_table(columns, dialect=options.dialect, covariance=options.covariance)
    except ValueError as error:  # what was measured is not lost
        write_table(table, options.output, overwrite=True)
        msg = f"{error}; wrote {options.output} with all columns"
        raise ValueError(msg) from error
    name = ID_NAMES[options.dialect]
    if name in shown.colnames:
        shown[name] = table["id"]
    return shown


def _samples_path(options):
    """Return the file of draws, None where none are wanted, after a check."""
    if options.samples is not None:
        check_positive("samples", options.samples)
    return check_samples_path(options.samples, options.output)
