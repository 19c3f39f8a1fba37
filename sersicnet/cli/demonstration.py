"""The demonstration: measure galaxies, and write a table and pictures."""

from pathlib import Path

import numpy as np
from astropy.table import QTable

from sersicnet.diagnostics.scores import join_truth, parameter_values
from sersicnet.estimator import SersicNet
from sersicnet.flags import Flags
from sersicnet.io.cards import header_number
from sersicnet.io.files import atomic_path, check_output_folder, write_table
from sersicnet.io.weights import weights_path
from sersicnet.parameters import PARAMETERS, wrap_theta
from sersicnet.plotting import plot_predicted_vs_true, plot_residuals
from sersicnet.simulate_catalog.catalog import draw_catalog
from sersicnet.simulate_catalog.config import SimulationConfig
from sersicnet.simulate_catalog.render import render_catalog

__all__ = ["run_demo"]

# Header cards with the parameters of a published fit, see `published_values`.
REFERENCE_CARDS = {"mag": "REFMAG", "r_eff": "REFRE", "n": "REFN", "q": "REFQ", "theta": "REFTHETA"}
# The files that are written.
FILES = ("measured.ecsv", "residuals.png", "comparison.png")
# Number of simulated galaxies, and largest number of galaxies in the figure of residuals.
N_SIMULATED = 200
N_SHOWN = 6


def run_demo(
    directory,
    *,
    cutouts=None,
    names=None,
    weights="universal",
    device="auto",
    progress_bar=True,
    **units,
):
    """Measure cutouts, or simulated galaxies if there are none.

    Writes ``measured.ecsv`` (measured and, with the prefix ``true_``, true or published
    values), ``residuals.png`` (image, model, residual) and ``comparison.png``.

    Parameters
    ----------
    directory : path
        Output folder.
    cutouts : list of `~astropy.nddata.CCDData`, optional
        Cutouts to measure. Published values may be in the header cards
        ``REFMAG`` (AB), ``REFRE`` (arcsec, major axis), ``REFN``, ``REFQ``, ``REFTHETA`` (deg).
    names : list of str, optional
        Names of the cutouts, for table and pictures.
    weights : str
        Name of shipped weights, as in `~sersicnet.SersicNet.list_pretrained`, or a
        ``.safetensors`` file.
    device : {'auto', 'cpu', 'gpu'}
        Where the network runs.
    progress_bar : bool
        Whether to show a progress bar of the simulation.
    **units
        ``pixel_scale`` and ``zeropoint``, as in `~sersicnet.SersicNet.predict`.

    Returns
    -------
    list of `~pathlib.Path`
        The written files.

    Raises
    ------
    OSError
        If they cannot be written, before anything is measured.

    Examples
    --------
    >>> from sersicnet.cli.demonstration import run_demo
    >>> files = run_demo("demo")  # doctest: +SKIP
    """
    check_output_folder(directory, "directory", files=FILES)
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
    net = SersicNet.load(weights_path(weights)).set_params(device=device)
    results = net.predict(cutouts, **units)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    measured = results.to_table()
    measured["id"] = names
    write_table(join_truth(measured, truth), directory / "measured.ecsv", overwrite=True)
    figures = {}
    shown = [i for i in range(len(names)) if _has_model(results, cutouts, i)]
    if shown:
        figures["residuals.png"] = _residual_figure(results, cutouts, names, shown)
    known = [p for p in results.parameters if np.isfinite(parameter_values(truth, p)).any()]
    if known:
        axes = plot_predicted_vs_true(measured, truth, parameters=known, reference=reference)
        figures["comparison.png"] = axes[0].figure
    for name, figure in figures.items():
        with atomic_path(directory / name) as partial:
            figure.savefig(partial, dpi=120)
    return [directory / "measured.ecsv", *(directory / name for name in figures)]


def published_values(cutouts, *, cards=None):
    """Read published parameters from the headers of cutouts, NaN where there is no number.

    Parameters
    ----------
    cutouts : list of `~astropy.nddata.CCDData`
        Cutouts with header cards.
    cards : dict of str to str, optional
        Header card of each parameter, by default ``REFMAG`` (AB), ``REFRE`` (arcsec, major
        axis), ``REFN``, ``REFQ`` and ``REFTHETA`` (deg, counter-clockwise from +x).

    Returns
    -------
    `~astropy.table.QTable`
        One row per cutout.

    Examples
    --------
    >>> import numpy as np
    >>> from astropy.nddata import CCDData
    >>> from sersicnet.cli.demonstration import published_values
    >>> cutout = CCDData(np.zeros((9, 9)), unit="adu", meta={"REFN": 2.5})
    >>> print(published_values([cutout])["n"])
     n
    ---
    2.5
    """
    table = QTable()
    if cards is None:
        cards = REFERENCE_CARDS
    for name, parameter in PARAMETERS.items():
        values = np.full(len(cutouts), np.nan)
        if cards.get(name) is not None:
            found = [header_number(cutout.meta, cards[name]) for cutout in cutouts]
            values = np.array(found, dtype=float)  # None becomes NaN
        if name == "theta":
            values = wrap_theta(values)
        if parameter.unit is not None:
            values = values * parameter.unit
        table[name] = values
    return table


def _has_model(results, cutouts, index):
    """Return whether a model image can be made, from finite parameters and a usable PSF."""
    if cutouts[index].psf is None or results.flags[index] & int(Flags.BAD_PSF):
        return False
    return bool(np.isfinite(results.quantiles[:, :, index]).all())


def _residual_figure(results, cutouts, names, usable):
    """Draw image, model and residual of some galaxies, evenly spread over the list."""
    places = np.unique(np.linspace(0, len(usable) - 1, N_SHOWN).astype(int))
    shown = [usable[place] for place in places]
    labels = []
    for i in shown:
        values = [f"{name} = {results.median(name)[i]:.2f}" for name in results.parameters[:4]]
        labels.append("\n".join([names[i], *values]))
    axes = plot_residuals([cutouts[i] for i in shown], results[shown], labels=labels)
    return axes[0, 0].figure
