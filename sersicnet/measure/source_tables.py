"""The table of some sources of an image: what the network and what photutils measured."""

from dataclasses import replace

import astropy.units as u
import numpy as np

from sersicnet.diagnostics.fluxes import magnitudes_of, put_fluxes, replace_fluxes
from sersicnet.flags import Flags
from sersicnet.measure.cutouts import shift_centers
from sersicnet.measure.populations import add_population
from sersicnet.parameters import PIXEL_SHAPE

__all__ = ["joint_table", "show_fluxes", "source_table"]


def source_table(results, part, *, zeropoint, joint=False, **known):
    """Make the table of some sources, with the columns of `~sersicnet.measure.columns`.

    Parameters
    ----------
    results : `~sersicnet.SersicResults`
        Results of N sources, in pixels of their cutouts.
    part : `~astropy.table.QTable`
        Their rows of detection.
    zeropoint : float
        AB magnitude of a flux of 1.
    joint : bool, optional
        Whether groups are fitted after this.
    **known
        Arguments of `joint_table`.

    Returns
    -------
    `~astropy.table.QTable`
    """
    table = joint_table(results, part, **known)
    _add_photometry(table, part, zeropoint, results.frame.pixel_scale)
    table["shared"] = part["shared"]
    if joint:
        table["group_size"] = 1
        table["blend_fraction"] = 0.0
        table["fitted_with"] = 0
    return table


def joint_table(results, part, *, noise_known, population, draws=None, hides=False):
    """Make the table of some sources without what photutils measured.

    Parameters
    ----------
    results, part
        As in `source_table`.
    noise_known : bool
        Whether the noise of the image was given.
    population : `~sersicnet.inference.Population` or None
        Population of the sources, with which they are measured too.
    draws : `~sersicnet.measure.draws.Draws` or None
        What else of the posteriors the user wants.
    hides : bool, optional
        Whether magnitudes of what is not detected are hidden. Neighbors need all.

    Returns
    -------
    `~astropy.table.QTable`
    """
    shown = results
    if not hides:
        columns = {name: rows for name, rows in results.columns.items() if name[:4] != "flux"}
        shown = replace(results, columns=columns)
    table = shown.to_table()
    for name, values in results.linear_fluxes.items():
        table[f"linear_{name}"] = values * u.nJy
    table.meta.clear()  # that of the catalog comes from the whole measurement
    for name, values in results.pixel_shapes.items():
        table[name] = PIXEL_SHAPE[name].with_unit(values)
    table["flags"] |= np.asarray(part["flags"])
    if not noise_known:
        table["flags"] |= int(Flags.NOISE_ESTIMATED)
    shift_centers(table, part)
    table["noise_level"] = results.frame.noise_level
    for name in ("local_background", "row", "peak_y", "peak_x"):
        table[name] = part[name]
    if "fitted_with" in part.colnames:
        table["fitted_with"] = part["fitted_with"]
    if population is not None:
        add_population(table, results, part, population)
    if draws is not None:
        draws.add_to(table, results, part)
    return table


def show_fluxes(table, bands=()):
    """Add fluxes; those of sources that are not detected know no prior, and magnitudes are NaN.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        Rows of all tiles, which are changed in place. Those of forced photometry have fluxes.
    bands : iterable of str, optional
        Names of bands, if there are several, each with magnitudes of its own, which are hidden.
    """
    if "linear_flux" not in table.colnames:
        return
    for name in () if bands else magnitudes_of(table.colnames):
        table[name][np.isfinite(table["linear_flux"])] = np.nan * table[name].unit
    put_fluxes(table)
    for band in (None, *bands):
        end = "" if band is None else f"_{band}"
        linear = [table[f"linear_{name}{end}"].to_value(u.nJy) for name in ("flux", "flux_err")]
        replace_fluxes(table, *linear, band=band)


def _add_photometry(table, part, zeropoint, pixel_scale):
    """Add what photutils measured, in the units of the parameters."""
    flux = part["kron_flux"]
    with np.errstate(invalid="ignore", divide="ignore"):  # of negative fluxes
        table["kron_mag"] = (zeropoint - 2.5 * np.log10(flux)) * u.ABmag
        relative_error = np.abs(part["kron_flux_err"] / flux)
        table["kron_mag_err"] = 2.5 / np.log(10) * relative_error * u.mag
    table["half_light_radius"] = part["half_light_radius"] * pixel_scale * u.arcsec
    table["area"] = part["area"] * u.pix**2
    table["x_centroid"] = part["x"] * u.pix
    table["y_centroid"] = part["y"] * u.pix
