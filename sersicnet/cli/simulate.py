"""The command ``sersicnet simulate``."""

from pathlib import Path

from sersicnet.cli.options import show_progress

__all__ = ["add_simulate"]


def add_simulate(commands):
    """Add the command ``simulate`` to a parser's commands."""
    parser = commands.add_parser("simulate", help="simulate galaxies: a truth table and cutouts")
    parser.add_argument(
        "survey", help="candels_f160w, cosmos_f814w, or one of surveycodex, e.g. LSST:r"
    )
    parser.add_argument(
        "-n", type=int, default=100, help="number of galaxies (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "-j", "--jobs", dest="n_jobs", type=int, default=1, help="number of processes"
    )
    parser.add_argument("-o", "--output", default="simulation", metavar="DIR", help="output folder")
    parser.set_defaults(run=_simulate)


def _simulate(options):
    """Run the command."""
    from sersicnet.io.cutouts import write_cutouts
    from sersicnet.simulate_catalog.catalog import draw_catalog
    from sersicnet.simulate_catalog.config import SimulationConfig
    from sersicnet.simulate_catalog.render import render_catalog

    if options.survey in ("candels_f160w", "cosmos_f814w"):
        config = getattr(SimulationConfig, options.survey)()
    else:
        survey, _, band = options.survey.partition(":")
        config = SimulationConfig.from_survey(survey, band or None)
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    catalog = draw_catalog(options.n, config, seed=options.seed)
    catalog.write(folder / "catalog.ecsv", overwrite=True)
    cutouts = render_catalog(
        catalog,
        config,
        seed=options.seed,
        n_jobs=options.n_jobs,
        progress_bar=show_progress(),
    )
    write_cutouts(cutouts, folder / "cutouts.fits", overwrite=True)
    print(f"wrote {folder / 'catalog.ecsv'}, {folder / 'cutouts.fits'}")
    return 0
