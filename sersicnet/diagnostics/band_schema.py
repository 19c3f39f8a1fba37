"""The columns of tables of several bands: what each band has, and colors."""

from dataclasses import replace
from itertools import pairwise

import astropy.units as u

from sersicnet.diagnostics.schema import COLUMNS, part_columns
from sersicnet.parameters import PARAMETERS, Column

__all__ = ["band_columns", "color_columns"]


def band_columns(bands, parts=None):
    """Make the columns of what is measured in each of several bands, of which the first is one.

    Parameters
    ----------
    bands : sequence of str
        Names of the bands.
    parts : sequence of (str, str), optional
        Parts of the galaxies, as in `part_columns`, whose light each band has.

    Returns
    -------
    list of `~sersicnet.parameters.Column`

    Examples
    --------
    >>> from sersicnet.diagnostics.band_schema import band_columns
    >>> [column.name for column in band_columns(["r"])][:2]
    ['mag_r', 'mag_r_err']
    """
    columns = []
    for band in bands:
        for column in PARAMETERS["mag"].columns:
            renamed = column.name.replace("mag", f"mag_{band}", 1)
            about = f"{column.description}, in {band}"
            columns.append(replace(column, name=renamed, description=about))
        for column in part_columns(parts or ()):
            for name in _names_of_light(parts):
                ending = column.name.removeprefix(name)
                if column.name.startswith(name) and ending in ("", "_err", "_lo", "_hi"):
                    renamed = f"{name}_{band}{ending}"
                    about = f"{column.description}, in {band}"
                    columns.append(replace(column, name=renamed, description=about))
        for axis in ("x", "y"):
            about = f"shift of the galaxy along {axis} from its place in the reference band"
            name = f"{axis}_shift_{band}"
            ucd = f"pos.cartesian.{axis};arith.diff"
            shift = Column(name, u.arcsec, about, format=".4f", ucd=ucd)
            error = {"name": f"{name}_err", "description": f"error of {name}"}
            columns += [shift, replace(shift, ucd=f"stat.error;pos.cartesian.{axis}", **error)]
        for name in ("chi2", "n_pixels", "sky", "flags"):
            about = f"{COLUMNS[name].description}, in {band}"
            columns.append(replace(COLUMNS[name], name=f"{name}_{band}", description=about))
    return columns


def color_columns(bands):
    """Make the columns of colors, each of two bands that follow each other.

    Parameters
    ----------
    bands : sequence of str
        Names of the bands.

    Returns
    -------
    list of `~sersicnet.parameters.Column`

    Examples
    --------
    >>> from sersicnet.diagnostics.band_schema import color_columns
    >>> [column.name for column in color_columns(["g", "r"])]
    ['color_g_r', 'color_g_r_err']
    """
    columns = []
    for one, other in pairwise(bands):
        name = f"color_{one}_{other}"
        about = f"magnitude in {one} less that in {other}"
        columns.append(Column(name, u.mag, about, format=".4f", ucd="phot.color"))
        about = f"error of {name}, with the covariance of both magnitudes"
        error = Column(f"{name}_err", u.mag, about, format=".4f", ucd="stat.error;phot.color")
        columns.append(error)
    return columns


def _names_of_light(parts):
    """Return the names of the columns of the light of parts, without their errors."""
    names = []
    for part, _ in parts:
        names += [f"mag_{part}", f"{part}_to_total"]
    return names
