"""How often the sources of an image are measured, and their models in between."""

import numpy as np

from sersicnet.flags import Flags
from sersicnet.inference.refine import LevenbergMarquardt, check_refinement
from sersicnet.model.labels import axis_ratio, ellipticity
from sersicnet.networks.posterior import PosteriorNetwork
from sersicnet.parameters import PARAMETERS, PIXEL_SHAPE, table_values

__all__ = [
    "KEY",
    "count_passes",
    "first_models",
    "fits_neighbors",
    "next_models",
    "replace_rows",
    "source_keys",
]

# How often galaxies are sampled, by default, to get rid of the light of their neighbors.
_PASSES = 6
# How often they are fitted: alone, and twice with their neighbors.
_SWEEPS = 3
# Share of the way that models move to the new measurement: of three that touch, all of it would not
# converge.
_SHARE = 0.5
# Columns of a model: its ellipse is that in pixels.
_MODEL = ("mag", "n", "theta", "x_0", "y_0", *PIXEL_SHAPE)
# What groups need besides: the unit of fluxes, and what detection has found.
_OF_SOURCES = ("noise_level", "flags", "shared", "x_centroid", "y_centroid")
# Columns that identify a source, whichever tile it was found from.
KEY = ("row", "peak_y", "peak_x")
# Change in the last pass, in units of the error, beyond which a source has not converged.
_MOVED = 1.0


def count_passes(options, net, psf):
    """Find the number of times that sources are measured.

    Parameters
    ----------
    options : `~sersicnet.measure.Options`
        How an image is measured.
    net : `~sersicnet.SersicNet`
        The network.
    psf : `~sersicnet.measure.FieldPSF` or None
        The PSF; without one, that of the posterior network is made from stars.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If there is more than one pass, and no model of the neighbors.
    """
    n_passes = options.n_passes
    if n_passes is None and options.refine is None:
        return 1
    if n_passes is None:
        return _SWEEPS if fits_neighbors(options) else _PASSES
    if n_passes > 1 and psf is None and not isinstance(net.network_, PosteriorNetwork):
        msg = f"n_passes={n_passes} needs the psf, without which there are no models of neighbors"
        raise ValueError(msg)
    if n_passes > 1 and set(net.parameters_) != set(PARAMETERS):
        msg = f"n_passes={n_passes} needs a network of all of {', '.join(PARAMETERS)}"
        raise ValueError(msg)
    return n_passes


def fits_neighbors(options):
    """Return whether sources are fitted together with their neighbors.

    Parameters
    ----------
    options : `~sersicnet.measure.Options`
        How an image is measured.

    Returns
    -------
    bool
    """
    return options.n_passes is None and isinstance(
        check_refinement(options.refine), LevenbergMarquardt
    )


def first_models(table):
    """Return the models of sources that have been measured once.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Table of `~sersicnet.measure.tiles.Measurement.measure`.

    Returns
    -------
    `~astropy.table.QTable`
        The seven parameters, of ellipses in pixels, the columns that identify a source, and what
        else groups need.
    """
    return table[[*KEY, *_MODEL, *_OF_SOURCES]]


def next_models(models, table, *, joint=False):
    """Move models half of the way to the latest measurement, shapes by ellipticity.

    Those of joint fits are the latest measurement.

    Parameters
    ----------
    models : `~astropy.table.QTable`
        Models of the pass before.
    table : `~astropy.table.QTable`
        The latest measurement, in the same order.
    joint : bool, optional
        Whether neighbors are fitted with a source.

    Returns
    -------
    `~astropy.table.QTable`
    """
    if joint:
        return first_models(table)
    old = table_values(models, _MODEL)
    new = table_values(table, _MODEL)
    mixed = {}
    for name in ("mag", "n", "x_0", "y_0"):
        mixed[name] = _mixed(old[name], new[name])
    mixed["r_eff_pix"] = np.exp(_mixed(np.log(old["r_eff_pix"]), np.log(new["r_eff_pix"])))
    shape = _mixed(_ellipticity(old), _ellipticity(new))
    mixed["q_pix"] = axis_ratio(abs(shape))
    mixed["theta"] = np.degrees(np.angle(shape)) / 2
    models = models.copy()
    for name, values in mixed.items():
        column = PIXEL_SHAPE.get(name) or PARAMETERS[name].columns[0]
        models[name] = column.with_unit(values)
    return models


def _mixed(old, new):
    """Values between old and new ones; where one is NaN, the other."""
    start = np.where(np.isnan(old), new, old)
    end = np.where(np.isnan(new), old, new)
    return start + _SHARE * (end - start)


def _ellipticity(values):
    """Ellipticity as a complex number."""
    return ellipticity(values["q_pix"]) * np.exp(2j * np.radians(values["theta"]))


def replace_rows(table, measured, *, joint=False):
    """Replace rows of a table, in place, by a new measurement, and flag what has moved.

    Parameters
    ----------
    table, measured : `~astropy.table.QTable`
        Tables of `~sersicnet.measure.tiles.Measurement.measure`, the second of some of the sources.
    joint : bool, optional
        Whether neighbors are fitted with a source: it has moved if it was before.
    """
    numbers = {key: number for number, key in enumerate(source_keys(table))}
    rows = [numbers[key] for key in source_keys(measured)]
    moved = np.zeros(len(rows), bool)
    for name in ("mag", "r_eff", "n"):
        error = measured[f"{name}_err"]
        moved |= abs((measured[name] - table[name][rows]) / error).value > _MOVED
    if joint:
        moved &= np.asarray(table["group_size"])[rows] > 1
        measured["flags"][moved] |= int(Flags.GROUP_NOT_CONVERGED)
        _put_joint(table, np.array(rows, dtype=int), measured)
        return
    table["flags"] &= ~int(Flags.NOT_CONVERGED)  # also of sources not measured again
    measured["flags"][moved] |= int(Flags.NOT_CONVERGED)
    table[rows] = measured[table.colnames]


def _put_joint(table, rows, measured):
    """Put joint fits into rows of a table; where they have failed, only their flag."""
    failed = np.isnan(table_values(measured, ("mag",))["mag"])
    table["flags"][rows[failed]] |= np.asarray(measured["flags"])[failed]
    for name in measured.colnames:
        table[name][rows[~failed]] = measured[name][~failed]


def source_keys(table):
    """Return what identifies each source, whichever tile it was found from.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Table of sources or of models.

    Returns
    -------
    list of tuple of int
    """
    return list(zip(*(np.asarray(table[name]).tolist() for name in KEY), strict=True))
