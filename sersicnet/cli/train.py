"""The command ``sersicnet train``."""

from pathlib import Path

from sersicnet.cli.messages import show_progress
from sersicnet.cli.options import add_device, add_jobs
from sersicnet.cli.parser import add_command

__all__ = ["add_train"]

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
        "--devices", type=int, default=1, help="number of GPUs (or CPU processes), universal"
    )
    parser.add_argument("--init", metavar="WEIGHTS", help="weights to start from, universal")
    parser.add_argument(
        "--batch-size", type=int, default=64, help="batch size of each device, universal"
    )
    parser.add_argument(
        "--learning-rate", type=float, default=1.5e-3, help="learning rate, universal"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of scenes and weights, universal")
    add_device(parser)
    parser.add_argument(
        "--precision",
        default="32-true",
        help="precision of the training, such as bf16-mixed; default: %(default)s",
    )


def _train(options):
    """Run the command."""
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


def _train_universal(options):
    """Train the universal weights."""
    from sersicnet.training.universal import train_universal

    scenes = {}
    if options.galaxies is not None:
        scenes["n_scenes"] = options.galaxies
    path = train_universal(
        Path(options.output) / "universal",
        init=options.init,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        seed=options.seed,
        device=options.device,
        n_devices=options.devices,
        n_workers=options.n_jobs,
        precision=options.precision,
        progress_bar=show_progress(options),
        **scenes,
    )
    if path is not None:  # only the first of several processes writes
        print(f"wrote {path}")
    return 0
