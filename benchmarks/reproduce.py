"""How well the two recipes of DeepLeGATo do on their test galaxies, by ``sersicnet train``.

::

    sersicnet train deeplegato -o training -j 2
    sersicnet train deeplegato-mag -o training
    python -m benchmarks.reproduce training docs/_static/reproduce

These are the tables and figures of the page "Reproducing DeepLeGATo".
"""

import numpy as np
from astropy.table import QTable
from matplotlib.figure import Figure

from benchmarks.common.command import make_parser
from benchmarks.common.tables import print_table, write_scores
from sersicnet import SersicNet
from sersicnet.cli.recipes import RECIPES
from sersicnet.diagnostics import split_truth
from sersicnet.plotting import plot_binned_score, plot_history, plot_predicted_vs_true


def main(arguments=None):
    """Write the tables and figures of all recipes that were trained."""
    parser = make_parser(__doc__, "training")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    for name, recipe in RECIPES.items():
        folder = options.training / name
        if (folder / "test.ecsv").exists():
            _write_tables(name, recipe, folder, options.output)
            _plot_training(name, folder, options.output)


def _write_tables(name, recipe, folder, output):
    """Write the scores of a recipe, overall and in bins of magnitude, with their figures."""
    parameters = recipe.parameters
    predicted, truth = split_truth(QTable.read(folder / "test.ecsv"))
    scores = write_scores(predicted, truth, output / f"{name}.csv", parameters=parameters)
    print(name)
    print_table(scores)
    mag = recipe.survey().priors["mag"]
    # Bins of one magnitude.
    edges = np.arange(mag.lower, mag.upper + 0.5)
    bins = write_scores(
        predicted, truth, output / f"{name}-by-mag.csv", parameters=parameters, edges=edges
    )
    axes = plot_predicted_vs_true(predicted, truth, parameters=parameters)
    axes[0].figure.savefig(output / f"{name}-predicted.png", dpi=110)
    plot_binned_score(bins)[0].figure.savefig(output / f"{name}-by-mag.png", dpi=110)


def _plot_training(name, folder, output):
    """Draw the loss of a training against epoch."""
    history = SersicNet.load(folder / f"{name}.safetensors").history_
    ax = plot_history(history, ax=Figure(figsize=(5, 3.2), layout="constrained").subplots())
    ax.figure.savefig(output / f"{name}-history.png", dpi=110)


if __name__ == "__main__":
    main()
