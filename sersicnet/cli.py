"""The command ``sersicnet``: thin over the Python API."""

import argparse
import sys
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

from sersicnet._cli_measure import add_measure
from sersicnet._cli_options import add_refine, add_units, in_options, show_progress, units_of
from sersicnet._cli_report import add_report
from sersicnet._cli_survey import add_survey

__all__ = ["main"]


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit status: 0, 1 after an error, which is told in one line, or 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        with _warnings_in_one_line(options):
            return options.run(options)
    except KeyboardInterrupt:
        print("sersicnet: interrupted", file=sys.stderr)
        return 130
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        print(f"sersicnet: {in_options(str(error), options)}", file=sys.stderr)
        return 1


@contextmanager
def _warnings_in_one_line(options):
    # astropy has its own way to show warnings, which has to come before ours; training needs none
    with suppress(ImportError):
        import astropy  # noqa: F401

    def show(message, *_, **__):
        print(f"sersicnet: warning: {in_options(str(message), options)}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _parser():
    parser = argparse.ArgumentParser("sersicnet", description="Sersic parameters of galaxies.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_demo, _add_predict, add_measure, add_survey, _add_simulate, _add_train):
        add(commands)
    add_report(commands, _read)
    for command in commands.choices.values():
        command.set_defaults(parser=command)
    return parser


def _add_demo(commands):
    parser = commands.add_parser("demo", help="measure galaxies; leaves a table and pictures")
    parser.add_argument("cutouts", nargs="*", metavar="CUTOUT", help="FITS files; none: simulate")
    parser.add_argument(
        "-o", "--output", default="demo", metavar="DIR", help="default: %(default)s"
    )
    add_units(parser)
    parser.set_defaults(run=_demo)


def _add_predict(commands):
    parser = commands.add_parser("predict", help="measure cutouts into a table")
    parser.add_argument("cutouts", nargs="+", metavar="CUTOUT", help="FITS files")
    parser.add_argument("-o", "--output", required=True, help="table: .ecsv, .fits or .parquet")
    parser.add_argument(
        "--psf", metavar="FITS", help="star-like stamp for all cutouts; default: their own"
    )
    add_refine(parser)
    add_units(parser)
    parser.set_defaults(run=_predict)


def _add_simulate(commands):
    parser = commands.add_parser("simulate", help="simulate galaxies: a truth table and cutouts")
    parser.add_argument(
        "survey", help="candels_f160w, cosmos_f814w, or one of surveycodex, e.g. LSST:r"
    )
    parser.add_argument("-n", type=int, default=100, help="galaxies (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-j", "--jobs", type=int, default=1, help="processes")
    parser.add_argument("-o", "--output", default="simulation", metavar="DIR")
    parser.set_defaults(run=_simulate)


def _add_train(commands):
    parser = commands.add_parser("train", help="make shipped weights from nothing; resumes")
    parser.add_argument("name", help="universal, deeplegato, deeplegato-mag or cosmos")
    parser.add_argument("-o", "--output", default="training", metavar="DIR")
    parser.add_argument(
        "--galaxies", type=int, help="simulated galaxies (universal: scenes seen in training)"
    )
    parser.add_argument("--epochs", type=int, help="instead of the recipe's; not for universal")
    parser.add_argument("-j", "--jobs", type=int, help="processes that simulate")
    parser.add_argument("--devices", type=int, default=1, help="GPUs (or CPU processes), universal")
    parser.add_argument("--init", metavar="WEIGHTS", help="go on from these, universal")
    parser.add_argument("--batch-size", type=int, default=64, help="of each device, universal")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3, help="universal")
    parser.add_argument("--seed", type=int, default=1, help="of scenes and weights, universal")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "gpu"))
    parser.add_argument("--precision", default="32-true", help="e.g. bf16-mixed")
    parser.set_defaults(run=_train)


def _demo(options):
    from sersicnet.demo import run_demo

    cutouts, names, status = _read(options.cutouts)
    if options.cutouts and not cutouts:
        return status
    files = run_demo(
        options.output,
        cutouts=cutouts,
        names=names,
        weights=options.weights,
        progress_bar=show_progress(),
        **units_of(options),
    )
    print("wrote", ", ".join(map(str, files)))
    return status


def _predict(options):
    from astropy.io import fits

    from sersicnet._tables import check_table_path
    from sersicnet.estimator import SersicNet
    from sersicnet.truth_catalog import write_catalog
    from sersicnet.weights import weights_path

    check_table_path(options.output)
    cutouts, names, status = _read(options.cutouts)
    if cutouts:
        net = SersicNet.load(weights_path(options.weights))
        psf = None if options.psf is None else fits.getdata(options.psf)
        how = {name: getattr(options, name) for name in ("symmetrize", "refine")}
        table = net.predict(cutouts, psf=psf, **how, **units_of(options)).to_table()
        table["id"] = names
        write_catalog(table, options.output, overwrite=True)
        print(f"wrote {options.output}")
    return status


def _simulate(options):
    from sersicnet.cutouts import write_cutouts
    from sersicnet.simulate_catalog import draw_catalog, render_catalog

    config, folder = _survey(options.survey), Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    catalog = draw_catalog(options.n, config, seed=options.seed)
    catalog.write(folder / "catalog.ecsv", overwrite=True)
    drawing = {"seed": options.seed, "n_jobs": options.jobs, "progress_bar": show_progress()}
    cutouts = render_catalog(catalog, config, **drawing)
    write_cutouts(cutouts, folder / "cutouts.fits", overwrite=True)
    print(f"wrote {folder / 'catalog.ecsv'}, {folder / 'cutouts.fits'}")
    return 0


def _train(options):
    if options.name == "universal":
        return _train_universal(options)
    from sersicnet.recipes import train_recipe

    _, scores = train_recipe(
        options.name,
        options.output,
        n_galaxies=options.galaxies,
        max_epochs=options.epochs,
        n_jobs=options.jobs or 1,
        device=options.device,
        precision=options.precision,
        progress_bar=show_progress(),
    )
    print(*scores.pformat(max_width=-1), sep="\n")
    return 0


def _train_universal(options):
    from sersicnet.universal import train_universal

    scenes = {} if options.galaxies is None else {"n_scenes": options.galaxies}
    path = train_universal(
        Path(options.output) / "universal",
        init=options.init,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
        device=options.device,
        n_devices=options.devices,
        n_workers=options.jobs,
        precision=options.precision,
        progress_bar=show_progress(),
        **scenes,
    )
    if path is not None:  # the first of several processes
        print(f"wrote {path}")
    return 0


def _survey(name):
    from sersicnet.simulate_catalog import SimulationConfig

    if name in ("candels_f160w", "cosmos_f814w"):
        return getattr(SimulationConfig, name)()
    survey, _, band = name.partition(":")
    return SimulationConfig.from_survey(survey, band or None)


def _read(paths):
    """Cutouts and names of the files that can be read; the others are told, status 1."""
    from sersicnet.cutouts import read_cutouts

    cutouts, names, status = [], [], 0
    for path in paths:
        try:
            found = read_cutouts(path)
        except (OSError, ValueError) as error:
            print(f"sersicnet: {error}", file=sys.stderr)
            status = 1
            continue
        cutouts += found
        stem = Path(path).stem
        names += [stem] if len(found) == 1 else [f"{stem}-{i}" for i in range(len(found))]
    return cutouts, names, status


if __name__ == "__main__":
    sys.exit(main())
