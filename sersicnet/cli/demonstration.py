"""The demonstration: measure galaxies, and leave a table and pictures."""

from pathlib import Path

import numpy as np
from astropy.table import QTable

from sersicnet.diagnostics.scores import join_truth, parameter_values
from sersicnet.estimator import SersicNet
from sersicnet.flags import Flags
from sersicnet.io.weights import weights_path
from sersicnet.parameters import PARAMETERS, wrap_theta
from sersicnet.plotting import plot_predicted_vs_true, plot_residuals
from sersicnet.preprocessing.units import header_number
from sersicnet.simulate_catalog.catalog import draw_catalog
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog

__all__ = ["run_demo"]

# Header cards of a published fit, see `published_values`.
REFERENCE_CARDS = {"mag": "REFMAG", "r_eff": "REFRE", "n": "REFN", "q": "REFQ", "theta": "REFTHETA"}
N_SIMULATED = 200
N_SHOWN = 6


def run_demo(
    directory, *, cutouts=None, names=None, weights="universal", progress_bar=True, **units
):
    """Measure cutouts, or simulated galaxies if there are none.

    Writes ``measured.ecsv`` (measured and, with the prefix ``true_``, true or published
    values), ``residuals.png`` (image, model, residual) and ``comparison.png``.

    Parameters
    ----------
    directory : path
        Where the results go.
    cutouts : list of `~astropy.nddata.CCDData`, optional
        What to measure. Published values may be in header cards
        ``REFMAG`` (AB), ``REFRE`` (arcsec, major axis), ``REFN``, ``REFQ``, ``REFTHETA`` (deg).
    names : list of str, optional
        Of the cutouts, for table and pictures.
    weights : str
        A ``*.safetensors`` file, or see `~sersicnet.SersicNet.list_pretrained`.
    progress_bar : bool
        Whether to show one for the simulation.
    **units
        ``pixel_scale`` and ``zeropoint``, as in `~sersicnet.SersicNet.predict`.

    Returns
    -------
    list of `~pathlib.Path`
        The files.
    """
    if cutouts:
        truth = published_values(cutouts)
        reference = "published"
    else:
        reference = "true"
        config = SimulationConfig.candels_f160w()
        catalog = draw_catalog(N_SIMULATED, config, seed=42)
        cutouts = list(render_catalog(catalog, config, seed=42, progress_bar=progress_bar))
        truth = catalog
    names = names or [str(i) for i in range(len(cutouts))]
    results = SersicNet.load(weights_path(weights)).predict(cutouts, **units)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    measured = results.to_table()
    measured["id"] = names
    join_truth(measured, truth).write(directory / "measured.ecsv", overwrite=True)
    figures = {}
    shown = [i for i in range(len(names)) if _has_model(results, cutouts, i)]
    if shown:
        figures["residuals.png"] = _residual_figure(results, cutouts, names, shown)
    known = [p for p in results.parameters if np.isfinite(parameter_values(truth, p)).any()]
    if known:
        axes = plot_predicted_vs_true(measured, truth, parameters=known, reference=reference)
        figures["comparison.png"] = axes[0].figure
    for name, figure in figures.items():
        figure.savefig(directory / name, dpi=120)
    return [directory / "measured.ecsv", *(directory / name for name in figures)]


def published_values(cutouts, *, cards=None):
    """Values in the headers of cutouts, NaN where there is no number.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.CCDData`
        The cutouts.
    cards : dict of str to str, optional
        Header card of each parameter, by default ``REFMAG`` (AB), ``REFRE`` (arcsec, major
        axis), ``REFN``, ``REFQ`` and ``REFTHETA`` (deg from +x).

    Returns
    -------
    `~astropy.table.QTable`
        One row a cutout.
    """
    table = QTable()
    cards = dict.fromkeys(PARAMETERS) | (REFERENCE_CARDS if cards is None else cards)
    for name, parameter in PARAMETERS.items():
        found = [cards[name] and header_number(cutout, cards[name]) for cutout in cutouts]
        column = np.array(found, dtype=float)  # None becomes NaN
        column = wrap_theta(column) if name == "theta" else column
        table[name] = column if parameter.unit is None else column * parameter.unit
    return table


def _has_model(results, cutouts, index):
    """Whether a model image can be drawn: there are an answer and a usable PSF."""
    unusable = int(Flags.BAD_PSF) & results.flags[index]
    return bool(
        np.isfinite(results.quantiles[:, :, index]).all()
        and not unusable
        and cutouts[index].psf is not None
    )


def _residual_figure(results, cutouts, names, usable):
    """Image, model and residual of galaxies spread over the list."""
    shown = [usable[k] for k in np.unique(np.linspace(0, len(usable) - 1, N_SHOWN).astype(int))]
    labels = ["\n".join([names[i], *_values(results, i)]) for i in shown]
    models = [results.model_image(i, cutouts[i]) for i in shown]
    axes = plot_residuals([cutouts[i] for i in shown], models, labels=labels)
    return axes[0, 0].figure


def _values(results, index):
    """The first parameters of a galaxy, a text each."""
    return [f"{name} = {results.median(name)[index]:.2f}" for name in results.parameters[:4]]
