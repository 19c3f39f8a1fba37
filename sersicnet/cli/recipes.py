"""Recipes of the shipped weights: simulate, split, train, test, save."""

import platform
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch

from sersicnet import __version__
from sersicnet.diagnostics.scores import join_truth, score_table
from sersicnet.estimator import SersicNet
from sersicnet.io.files import check_output_folder, write_table
from sersicnet.parameters import PARAMETERS
from sersicnet.simulate_catalog.catalog import draw_catalog, split_catalog
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog
from sersicnet.training.checkpoints import CHECKPOINTS
from sersicnet.training.prepared import build_training_data

__all__ = ["RECIPES", "Recipe", "train_recipe"]


@dataclass(frozen=True)
class Recipe:
    """The recipe of one file of weights.

    Attributes
    ----------
    description : str
        Description in one line.
    survey : callable
        Function that returns the `~sersicnet.simulate_catalog.SimulationConfig`.
    parameters : tuple of str
        Parameters that the network predicts.
    n_galaxies : int
        Number of simulated galaxies before the split 8:1:1.
    max_epochs : int
        Largest number of passes through the training set.
    seed : int
        Seed of simulation, split and training.
    """

    description: str
    survey: Callable[[], SimulationConfig]
    parameters: tuple[str, ...]
    n_galaxies: int = 50_000
    max_epochs: int = 30
    seed: int = 2018


RECIPES = {
    "deeplegato": Recipe(
        "four parameters, as DeepLeGATo (Tuccillo et al. 2018)",
        SimulationConfig.candels_f160w,
        ("mag", "r_eff", "n", "q"),
        max_epochs=22,
    ),
    "deeplegato-mag": Recipe(
        "the magnitude alone, as DeepLeGATo's first network",
        SimulationConfig.candels_f160w,
        ("mag",),
        max_epochs=5,
    ),
    "cosmos": Recipe(
        "all seven parameters, for HST/ACS F814W images of COSMOS",
        SimulationConfig.cosmos_f814w,
        tuple(PARAMETERS),
        n_galaxies=16_000,
        max_epochs=36,
    ),
}


def train_recipe(
    name,
    directory,
    *,
    n_galaxies=None,
    max_epochs=None,
    n_jobs=1,
    device="auto",
    precision="32-true",
    progress_bar=True,
):
    """Train the weights ``name`` from scratch, or resume an interrupted run.

    Parameters
    ----------
    name : str
        Name of the recipe, a key of ``RECIPES``.
    directory : path
        Folder of simulations, checkpoints and results. Recipes of the same survey share their
        simulations.
    n_galaxies, max_epochs : int, optional
        Numbers to use instead of those of the recipe.
    n_jobs : int
        Number of processes that simulate.
    device, precision : str
        Device and precision of the training, as in `~sersicnet.SersicNet`.
    progress_bar : bool
        Whether to show a progress bar.

    Returns
    -------
    net : `~sersicnet.SersicNet`
        The trained estimator, also written to ``<directory>/<name>/<name>.safetensors``.
    scores : `~astropy.table.QTable`
        Scores on the test set. Truth and predictions are in ``<directory>/<name>/test.ecsv``.

    Raises
    ------
    ValueError
        If ``name`` is not a recipe.
    OSError
        If files cannot be written, before anything is simulated.

    Examples
    --------
    >>> from sersicnet.cli.recipes import train_recipe
    >>> net, scores = train_recipe("deeplegato", "training")  # doctest: +SKIP
    """
    if name not in RECIPES:
        msg = f"name={name!r} must be one of {', '.join(RECIPES)}"
        raise ValueError(msg)
    recipe = RECIPES[name]
    if n_galaxies is None:
        n_galaxies = recipe.n_galaxies
    if max_epochs is None:
        max_epochs = recipe.max_epochs
    config = recipe.survey()
    folder = Path(directory) / name
    check_output_folder(folder, "directory", files=("test.ecsv", f"{name}.safetensors"))
    check_output_folder(folder / "checkpoints", "directory", files=CHECKPOINTS)
    options = {"seed": recipe.seed, "n_jobs": n_jobs, "progress_bar": progress_bar}
    catalog = draw_catalog(n_galaxies, config, seed=recipe.seed)
    train, validation, test = split_catalog(catalog, seed=recipe.seed)
    simulations = Path(directory) / f"{config.name}-{n_galaxies}-{recipe.seed}"
    train_data = _simulate(train, config, simulations / "train", options)
    validation_data = _simulate(validation, config, simulations / "validation", options)
    net = SersicNet(
        parameters=recipe.parameters,
        max_epochs=max_epochs,
        seed=recipe.seed,
        device=device,
        precision=precision,
    )
    net.fit(
        train_data,
        validation=(validation_data, None),
        noise_kernel=config.noise_kernel(),
        resume=folder,
        progress_bar=progress_bar,
    )
    with closing(render_catalog(test, config, **options)) as cutouts:
        predicted = net.predict(cutouts).to_table()
    scores = score_table(predicted, test, parameters=recipe.parameters)
    net.record_ |= _record(recipe, config, n_galaxies, scores, device, precision)
    write_table(join_truth(predicted, test), folder / "test.ecsv", overwrite=True)
    net.save(folder / f"{name}.safetensors")
    return net, scores


def _simulate(catalog, config, directory, options):
    """Make a training set without noise, or reopen the one in ``directory``."""
    with closing(render_catalog(catalog, config, noise=False, **options)) as cutouts:
        return build_training_data(cutouts, catalog, stamp_size=128, directory=directory)


def _record(recipe, config, n_galaxies, scores, device, precision):
    """Make the training record for the metadata of the weights."""
    device_name = f"CPU {platform.machine()}"
    if torch.cuda.is_available() and device != "cpu":
        device_name = torch.cuda.get_device_name()
    return {
        "description": recipe.description,
        "survey": config.name,
        "simulation": config.to_dict(),
        "n_galaxies": n_galaxies,
        "seed": recipe.seed,
        "device": device_name,
        "precision": precision,
        "sersicnet": __version__,
        "torch": torch.__version__,
        "test_r2": {row["parameter"]: round(float(row["r2"]), 5) for row in scores},
    }
