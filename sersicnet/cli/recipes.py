"""How the shipped weights are made: simulate, split, train, test, save."""

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from sersicnet import __version__
from sersicnet.diagnostics.scores import join_truth, score_table
from sersicnet.estimator import SersicNet
from sersicnet.parameters import PARAMETERS
from sersicnet.simulate_catalog.catalog import draw_catalog, split_catalog
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog
from sersicnet.training.prepared import build_training_data

__all__ = ["RECIPES", "Recipe", "train_recipe"]


@dataclass(frozen=True)
class Recipe:
    """What one file of weights was trained on.

    Attributes
    ----------
    description : str
        In one line.
    survey : callable
        Returns the `~sersicnet.simulate_catalog.SimulationConfig`.
    parameters : tuple of str
        What is estimated.
    n_galaxies : int
        Simulated, before the split 8:1:1.
    max_epochs : int
        Passes through the training set.
    seed : int
        Of simulation, split and training.
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
    """Make the weights ``name`` from nothing, or go on where an interrupted run ended.

    Parameters
    ----------
    name : str
        A key of ``RECIPES``.
    directory : path
        Where simulations, checkpoints and results are kept. Recipes of the same survey share
        their simulations.
    n_galaxies, max_epochs : int, optional
        Instead of those of the recipe.
    n_jobs : int
        Processes that simulate.
    device, precision : str
        As in `~sersicnet.SersicNet`.
    progress_bar : bool
        Whether to show one.

    Returns
    -------
    net : `~sersicnet.SersicNet`
        Also written to ``<directory>/<name>/<name>.safetensors``.
    scores : `~astropy.table.QTable`
        On the test set, whose truth and predictions are in ``<directory>/<name>/test.ecsv``.

    Raises
    ------
    ValueError
        If there is no such recipe.
    """
    if name not in RECIPES:
        msg = f"name={name!r} must be one of {', '.join(RECIPES)}"
        raise ValueError(msg)
    recipe = RECIPES[name]
    n_galaxies = recipe.n_galaxies if n_galaxies is None else n_galaxies
    config, folder = recipe.survey(), Path(directory) / name
    options = {"seed": recipe.seed, "n_jobs": n_jobs, "progress_bar": progress_bar}
    catalog = draw_catalog(n_galaxies, config, seed=recipe.seed)
    *parts, test = split_catalog(catalog, seed=recipe.seed)
    simulations = Path(directory) / f"{config.name}-{n_galaxies}-{recipe.seed}"
    train, validation = (
        build_training_data(
            render_catalog(part, config, noise=False, **options),
            part,
            stamp_size=128,
            directory=simulations / label,
        )
        for label, part in zip(("train", "validation"), parts, strict=True)
    )
    net = SersicNet(
        parameters=recipe.parameters,
        max_epochs=recipe.max_epochs if max_epochs is None else max_epochs,
        seed=recipe.seed,
        device=device,
        precision=precision,
    )
    net.fit(
        train,
        validation=(validation, None),
        noise_kernel=config.noise_kernel(),
        resume=folder,
        progress_bar=progress_bar,
    )
    predicted = net.predict(render_catalog(test, config, **options)).to_table()
    scores = score_table(predicted, test, parameters=recipe.parameters)
    net.record_ |= _record(recipe, config, n_galaxies, scores, device, precision)
    join_truth(predicted, test).write(folder / "test.ecsv", overwrite=True)
    net.save(folder / f"{name}.safetensors")
    return net, scores


def _record(recipe, config, n_galaxies, scores, device, precision):
    """What the metadata of the weights tell about their making."""
    gpu = torch.cuda.is_available() and device != "cpu"
    return {
        "description": recipe.description,
        "survey": config.name,
        "simulation": config.to_dict(),
        "n_galaxies": n_galaxies,
        "seed": recipe.seed,
        "device": torch.cuda.get_device_name() if gpu else f"CPU {platform.machine()}",
        "precision": precision,
        "sersicnet": __version__,
        "torch": torch.__version__,
        "test_r2": {row["parameter"]: round(float(row["r2"]), 5) for row in scores},
    }
