"""Figures and tables of the page "Reproducing DeepLeGATo".

::

    sersicnet train deeplegato -o training -j 2
    sersicnet train deeplegato-mag -o training
    python -m benchmarks.reproduce training docs/_static/reproduce
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.table import QTable
from matplotlib.figure import Figure

from benchmarks.common.tables import write_scores
from sersicnet import SersicNet
from sersicnet.cli.recipes import RECIPES
from sersicnet.diagnostics.scores import split_truth
from sersicnet.plotting import plot_binned_score, plot_history, plot_predicted_vs_true


def main(arguments=None):
    """Write the figures and tables of one or several trained recipes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training", type=Path, help="directory of 'sersicnet train'")
    parser.add_argument("output", type=Path, help="directory of figures and tables")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    for name, recipe in RECIPES.items():
        if (options.training / name / "test.ecsv").exists():
            _report(name, recipe, options.training / name, options.output)


def _report(name, recipe, folder, output):
    parameters, mag = recipe.parameters, recipe.survey().priors["mag"]
    predicted, truth = split_truth(QTable.read(folder / "test.ecsv"))
    scores = write_scores(predicted, truth, output / f"{name}.csv", parameters=parameters)
    print(name, *scores.pformat(max_width=-1), sep="\n")
    edges = np.arange(mag.lower, mag.upper + 0.5)  # bins of one magnitude
    bins = write_scores(
        predicted, truth, output / f"{name}-by-mag.csv", parameters=parameters, edges=edges
    )
    axes = plot_predicted_vs_true(predicted, truth, parameters=parameters)
    axes[0].figure.savefig(output / f"{name}-predicted.png", dpi=110)
    plot_binned_score(bins)[0].figure.savefig(output / f"{name}-by-mag.png", dpi=110)
    history = SersicNet.load(folder / f"{name}.safetensors").history_
    ax = plot_history(history, ax=Figure(figsize=(5, 3.2), layout="constrained").subplots())
    ax.figure.savefig(output / f"{name}-history.png", dpi=110)


if __name__ == "__main__":
    main()
