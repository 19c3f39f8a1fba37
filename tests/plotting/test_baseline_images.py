"""Figures look as they did: compared with images in ``baseline/`` by pytest-mpl.

Only with ``--mpl``, as the environment ``test`` of tox does; else each figure is just drawn.
Texts are left out, as fonts differ from machine to machine. After a change that is meant, ::

    pytest tests/plotting/test_baseline_images.py --mpl-generate-path=tests/plotting/baseline

draws them anew: look at them before you commit them.
"""

import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty

pytest.importorskip("pytest_mpl")
pytest.importorskip("corner")

from matplotlib.figure import Figure

from sersicnet.diagnostics.calibration import coverage_table, sbc_ranks, tarp
from sersicnet.diagnostics.scores import binned_score
from sersicnet.plotting import (
    plot_binned_score,
    plot_corner,
    plot_coverage,
    plot_history,
    plot_mosaic,
    plot_predicted_vs_true,
    plot_residuals,
    plot_sbc,
    plot_tarp,
)

# Of the root mean square difference, of 255: lines move by less than a pixel between releases.
image_test = pytest.mark.mpl_image_compare(
    remove_text=True, tolerance=5, style="default", savefig_kwargs={"dpi": 60}
)


def make_galaxies(n=4, *, size=40):
    """Cutouts, one with masked pixels, and what they are without noise."""
    y, x = np.indices((size, size)) - (size - 1) / 2
    rng = np.random.default_rng(8)
    models = [100 * np.exp(-np.hypot(x, y / (0.3 + 0.2 * i)) / (1 + i)) for i in range(n)]
    noise = StdDevUncertainty(np.ones((size, size)))
    cutouts = [
        CCDData(model + rng.normal(size=model.shape), unit="adu", uncertainty=noise)
        for model in models
    ]
    cutouts[0].mask = (x > 10) & (y > 10)
    return cutouts, models


def make_posteriors(n=300):
    """Truth and samples: the errors of ``n`` are half of what they should be."""
    rng = np.random.default_rng(9)
    truth = {"mag": rng.uniform(18, 24, n), "n": rng.uniform(1, 5, n)}
    truth |= {"r_eff": 10 ** rng.uniform(-1, 0, n), "q": rng.uniform(0.3, 0.9, n)}
    samples = {}
    for name, width in (("mag", 0.1), ("n", 0.2), ("r_eff", 0.02), ("q", 0.02)):
        middle = truth[name] + rng.normal(0, width, n)
        quoted = width / 2 if name == "n" else width
        samples[name] = middle[:, None] + rng.normal(0, quoted, (n, 100))
    predicted = {name: np.median(values, axis=1) for name, values in samples.items()}
    return truth, samples, predicted


@image_test
def test_mosaic():
    cutouts, _ = make_galaxies()
    return plot_mosaic(cutouts, labels="abcd", n_columns=2)[0].figure


@image_test
def test_residuals():
    cutouts, models = make_galaxies(2)
    models[1] = 0.9 * models[1]
    return plot_residuals(cutouts, models)[0, 0].figure


@image_test
def test_corner():
    truth, samples, _ = make_posteriors()
    one = {name: values[0] for name, values in samples.items() if name != "mag"}
    return plot_corner(one, truth={"n": truth["n"][0]})[0, 0].figure


@image_test
def test_predicted_vs_true():
    truth, _, predicted = make_posteriors()
    return plot_predicted_vs_true(predicted, truth)[0].figure


@image_test
def test_binned_score():
    truth, _, predicted = make_posteriors()
    return plot_binned_score(binned_score(predicted, truth, edges=[18, 20, 22, 24]))[0].figure


@image_test
def test_coverage():
    truth, samples, _ = make_posteriors()
    return plot_coverage(coverage_table(samples, truth)).figure


@image_test
def test_sbc():
    truth, samples, _ = make_posteriors()
    ranks = {name: sbc_ranks(samples, truth, name) for name in ("mag", "n")}
    return plot_sbc(ranks)[0].figure


@image_test
def test_tarp():
    truth, samples, _ = make_posteriors()
    return plot_tarp(*tarp(samples, truth, seed=1), n_galaxies=300).figure


@image_test
def test_history():
    epochs = np.arange(1, 21)
    losses = {"train_loss": 1 / epochs, "val_loss": 0.1 + abs(epochs - 12) / 20}
    return plot_history({"epoch": epochs, **losses}).figure


@image_test
def test_all_in_places_of_one_figure():
    """Each function can draw on axes that it is given."""
    cutouts, models = make_galaxies(2)
    truth, samples, predicted = make_posteriors()
    axes = Figure(figsize=(12, 8)).subplots(2, 3)
    plot_mosaic(cutouts, ax=axes[0, 0])
    plot_residuals(cutouts, models, ax=axes[0, 1])
    plot_corner({name: samples[name][0] for name in ("n", "q")}, ax=axes[0, 2])
    plot_predicted_vs_true(predicted, truth, parameters="q", axes=axes[1, 0])
    plot_coverage(coverage_table(samples, truth), ax=axes[1, 1])
    plot_history({"epoch": [1, 2], "train_loss": [2, 1], "val_loss": [2, 1.5]}, ax=axes[1, 2])
    return axes[1, 2].figure
