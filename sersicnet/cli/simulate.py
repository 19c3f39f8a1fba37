"""The command ``sersicnet simulate``."""

from contextlib import closing
from pathlib import Path

from sersicnet.cli.messages import show_progress
from sersicnet.cli.options import add_jobs
from sersicnet.cli.parser import add_command
from sersicnet.io.files import check_output_folder

__all__ = ["add_simulate"]

_EXAMPLE = """\
examples:
  sersicnet simulate candels_f160w -n 100 -o simulation
  sersicnet simulate LSST:r -n 100 --seed 1 --jobs 2 -o simulation
"""


def add_simulate(commands):
    """Add the command ``simulate`` to a parser's commands."""
    parser = add_command(
        commands,
        "simulate",
        summary="Simulate galaxies: a table of the truth, and cutouts.",
        example=_EXAMPLE,
        run=_simulate,
    )
    parser.add_argument(
        "survey",
        metavar="SURVEY",
        help="candels_f160w, cosmos_f814w, or one of surveycodex, e.g. LSST:r",
    )
    parser.add_argument(
        "-n", type=int, default=100, metavar="N", help="number of galaxies; default: %(default)s"
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of galaxies and noise; default: %(default)s"
    )
    add_jobs(parser, dest="n_jobs", default=1, help="number of processes; default: %(default)s")
    parser.add_argument(
        "-o",
        "--output",
        default="simulation",
        metavar="DIR",
        help="folder to write catalog.ecsv and cutouts.fits into; default: %(default)s",
    )


def _simulate(options):
    """Run the command."""
    from sersicnet.io.cutouts import write_cutouts
    from sersicnet.io.files import write_table
    from sersicnet.simulate_catalog.catalog import draw_catalog
    from sersicnet.simulate_catalog.named import named_config
    from sersicnet.simulate_catalog.render import render_catalog

    check_output_folder(options.output, files=("catalog.ecsv", "cutouts.fits"))
    config = named_config(options.survey)
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    catalog = draw_catalog(options.n, config, seed=options.seed)
    write_table(catalog, folder / "catalog.ecsv", overwrite=True)
    cutouts = render_catalog(
        catalog,
        config,
        seed=options.seed,
        n_jobs=options.n_jobs,
        progress_bar=show_progress(options),
    )
    with closing(cutouts):  # whatever interrupts ends the processes as well
        write_cutouts(cutouts, folder / "cutouts.fits", overwrite=True)
    print(f"wrote {folder / 'catalog.ecsv'}, {folder / 'cutouts.fits'}")
    return 0
