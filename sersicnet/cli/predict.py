"""The command ``sersicnet predict``."""

from sersicnet.cli.options import add_refine, add_units, read_named_cutouts, units_of

__all__ = ["add_predict"]


def add_predict(commands):
    """Add the command ``predict`` to a parser's commands."""
    parser = commands.add_parser("predict", help="measure cutouts into a table")
    parser.add_argument("cutouts", nargs="+", metavar="CUTOUT", help="FITS files")
    parser.add_argument("-o", "--output", required=True, help="table: .ecsv, .fits or .parquet")
    parser.add_argument(
        "--psf", metavar="FITS", help="star-like stamp for all cutouts; default: their own"
    )
    add_refine(parser)
    add_units(parser)
    parser.set_defaults(run=_predict)


def _predict(options):
    """Run the command."""
    from astropy.io import fits

    from sersicnet.estimator import SersicNet
    from sersicnet.io.files import check_table_path
    from sersicnet.io.weights import weights_path
    from sersicnet.simulate_catalog.catalog import write_catalog

    check_table_path(options.output)
    cutouts, names, status = read_named_cutouts(options.cutouts)
    if cutouts:
        net = SersicNet.load(weights_path(options.weights))
        psf = None
        if options.psf is not None:
            psf = fits.getdata(options.psf)
        results = net.predict(
            cutouts,
            psf=psf,
            augment=options.augment,
            refine=options.refine,
            **units_of(options),
        )
        table = results.to_table()
        table["id"] = names
        write_catalog(table, options.output, overwrite=True)
        print(f"wrote {options.output}")
    return status
