"""The command ``sersicnet train``."""

from pathlib import Path

from sersicnet.cli.messages import show_progress
from sersicnet.cli.options import add_device, add_jobs
from sersicnet.cli.parser import add_command
from sersicnet.io.files import check_output_folder

__all__ = ["add_train"]

# Options of the weights universal alone, and the argument where it has another name.
_OF_UNIVERSAL = ("devices", "init", "kind", "batch_size", "learning_rate", "seed")
_NAMES = {"devices": "n_devices"}
_EXAMPLE = """\
examples:
  sersicnet train deeplegato -j 8 -o training
  sersicnet train universal --device gpu --precision bf16-mixed --batch-size 512 -o training

After an interruption, the same command resumes.
"""


def add_train(commands):
    """Add the command ``train`` to a parser's commands."""
    parser = add_command(
        commands,
        "train",
        summary="Train shipped weights again, from the simulation on.",
        example=_EXAMPLE,
        run=_train,
    )
    parser.add_argument(
        "name", metavar="NAME", help="universal, deeplegato, deeplegato-mag or cosmos"
    )
    parser.add_argument(
        "-o",
        "--output",
        default="training",
        metavar="DIR",
        help="folder for simulations, checkpoints and weights; default: %(default)s",
    )
    parser.add_argument(
        "--galaxies",
        type=int,
        help="number of simulated galaxies (universal: of scenes seen in training)",
    )
    parser.add_argument(
        "--epochs",
        dest="max_epochs",
        type=int,
        help="number of epochs instead of the recipe's; not for universal",
    )
    add_jobs(parser, dest="n_jobs", help="number of processes that simulate")
    parser.add_argument(
        "--devices", type=int, help="number of GPUs (or CPU processes), universal; default: 1"
    )
    parser.add_argument("--init", metavar="WEIGHTS", help="weights to start from, universal")
    parser.add_argument(
        "--kind",
        choices=("posterior", "likelihood"),
        help="network of the first generation (default) or of the second, universal",
    )
    parser.add_argument(
        "--batch-size", type=int, help="batch size of each device, universal; default: 64"
    )
    parser.add_argument(
        "--learning-rate", type=float, help="learning rate, universal; default: 0.0015"
    )
    parser.add_argument(
        "--seed", type=int, help="seed of scenes and weights, universal; default: 1"
    )
    add_device(parser)
    parser.add_argument(
        "--precision",
        default="32-true",
        help="precision of the training, such as bf16-mixed; default: %(default)s",
    )


def _train(options):
    """Run the command."""
    _check_options(options)
    check_output_folder(options.output)
    if options.name == "universal":
        return _train_universal(options)
    from sersicnet.cli.recipes import train_recipe

    _, scores = train_recipe(
        options.name,
        options.output,
        n_galaxies=options.galaxies,
        max_epochs=options.max_epochs,
        n_jobs=options.n_jobs or 1,
        device=options.device,
        precision=options.precision,
        progress_bar=show_progress(options),
    )
    print(*scores.pformat(max_width=-1), sep="\n")
    return 0


def _check_options(options):
    """End the process with a message if an option does not belong to the weights."""
    of_others = {"--epochs": options.max_epochs}
    if options.name != "universal":
        of_others = {name: getattr(options, name) for name in _OF_UNIVERSAL}
        of_others = {f"--{name.replace('_', '-')}": value for name, value in of_others.items()}
    given = [name for name, value in of_others.items() if value is not None]
    if given:
        options.parser.error(f"{options.name} has no {' or '.join(given)}")
    for name, value in (("-j/--jobs", options.n_jobs), ("--galaxies", options.galaxies)):
        if value is not None and value < 1:
            options.parser.error(f"argument {name}: {value} must be 1 or more")


def _train_universal(options):
    """Train the universal weights."""
    from sersicnet.training.universal import train_universal

    given = {}
    if options.galaxies is not None:
        given["n_scenes"] = options.galaxies
    for name in _OF_UNIVERSAL:
        if getattr(options, name) is not None:
            given[_NAMES.get(name, name)] = getattr(options, name)
    path = train_universal(
        Path(options.output) / "universal",
        device=options.device,
        n_workers=options.n_jobs,
        precision=options.precision,
        progress_bar=show_progress(options),
        **given,
    )
    if path is not None:  # only the first of several processes writes
        print(f"wrote {path}")
    return 0
