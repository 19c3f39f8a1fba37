"""The columns of the catalog of an image: known from the call, before anything is measured.

So tiles without sources, rows that are nowhere in the image and all parts of a survey have the same
columns.
"""

from dataclasses import replace

import astropy.units as u
from astropy.table import QTable

from sersicnet.diagnostics.morphology_columns import MORPHOLOGY_COLUMNS
from sersicnet.diagnostics.schema import COLUMNS, POPULATION_COLUMNS
from sersicnet.inference.misfit import MISFIT_COLUMNS
from sersicnet.inference.refine import check_refinement
from sersicnet.parameters import PARAMETERS, PIXEL_SHAPE, Column

__all__ = ["PHOTOMETRY", "blank_table", "catalog_columns", "source_columns"]

PHOTOMETRY = (
    "x_centroid",
    "y_centroid",
    "kron_mag",
    "kron_mag_err",
    "half_light_radius",
    "area",
    "local_background",
)
# How sources are known and sorted before the catalog is finished.
_KEY = (
    Column("row", None, "row of the given catalog", int),
    Column("peak_y", None, "y of the brightest pixel", int),
    Column("peak_x", None, "x of the brightest pixel", int),
    Column("noise_level", None, "median noise of the pixels of the cutout"),
    Column("shared", None, "whether other rows are in the same detected source", bool),
    Column("linear_flux", u.nJy, "flux without a prior, if it is not detected"),
    Column("linear_flux_err", u.nJy, "error of linear_flux"),
)
# What joint fits add: the group's brightest source by `place_code`, 0 where there is none.
_OF_GROUPS = (
    COLUMNS["group_size"],
    COLUMNS["blend_fraction"],
    Column("fitted_with", None, "place of the source that a group is named for", int),
)


def source_columns(
    parameters,
    refine=None,
    *,
    judged=False,
    population=False,
    joint=False,
    morphology=False,
    known=(),
):
    """Columns of the sources of tiles, before the catalog is finished.

    Parameters
    ----------
    parameters : tuple of str
        Parameters that the network predicts.
    refine : None, str or refinement, optional
        As in `~sersicnet.SersicNet.predict`.
    judged : bool, optional
        Whether the models are compared with the image, as those of the universal network are.
    population : bool, optional
        Whether there are columns with a population as prior.
    joint : bool, optional
        Whether sources are fitted together with their neighbors.
    morphology : bool, optional
        Whether there is what needs no profile.
    known : sequence of `~sersicnet.parameters.Column`, optional
        Columns of what the user knows of sources: tensions of priors, and stars.

    Returns
    -------
    list of `~sersicnet.parameters.Column`

    Examples
    --------
    >>> from sersicnet.measure.columns import source_columns
    >>> [column.name for column in source_columns(("n",))][:6]
    ['id', 'n', 'n_err', 'n_lo', 'n_hi', 'flags']
    """
    measured = _measured_columns(parameters, refine, judged, population, morphology)
    measured += known
    if joint:
        measured += _OF_GROUPS
    measured += _shape_columns(parameters)
    photometry = [COLUMNS[name] for name in PHOTOMETRY]
    return [COLUMNS["id"], *measured, COLUMNS["flags"], *photometry, *_KEY]


def catalog_columns(
    parameters,
    refine=None,
    *,
    judged=False,
    population=False,
    morphology=False,
    known=(),
    grouped=False,
    unit=None,
    celestial=False,
    one_pixel_scale=True,
):
    """Columns of the catalog of an image, in their order.

    Parameters
    ----------
    parameters : tuple of str
        Parameters that the network predicts.
    refine : None, str or refinement, optional
        As in `~sersicnet.SersicNet.predict`.
    judged, population, morphology, known : optional
        As in `source_columns`.
    grouped : bool, optional
        Whether it is said which sources share light.
    unit : `~astropy.units.UnitBase`, optional
        Unit of the image.
    celestial : bool, optional
        Whether the image has a celestial WCS.
    one_pixel_scale : bool, optional
        Whether one scale describes all pixels. If not, there are columns of ellipses in pixels.

    Returns
    -------
    list of `~sersicnet.parameters.Column`

    Examples
    --------
    >>> from sersicnet.measure.columns import catalog_columns
    >>> [column.name for column in catalog_columns(("n",), celestial=True)][5:9]
    ['ra', 'dec', 'flags', 'x_centroid']
    """
    measured = _measured_columns(parameters, refine, judged, population, morphology)
    columns = [COLUMNS["id"], *measured, *known]
    if grouped:
        columns += [COLUMNS[name] for name in ("group_id", "group_size", "blend_fraction")]
    if celestial:
        columns += [COLUMNS["ra"], COLUMNS["dec"]]
    if celestial and "theta" in parameters:
        columns.append(COLUMNS["pa"])
    if not one_pixel_scale:
        columns += _shape_columns(parameters)
    columns += [COLUMNS[name] for name in ("flags", *PHOTOMETRY)]
    in_image_unit = ("sky", "local_background")
    return [replace(c, unit=unit) if c.name in in_image_unit else c for c in columns]


def _measured_columns(parameters, refine, judged, population, morphology):
    """Columns of the parameters, also with a population, of misfit, fits and images."""
    columns = []
    for name in parameters:
        columns += PARAMETERS[name].columns
    if population:
        columns += POPULATION_COLUMNS
    if judged:
        columns += (COLUMNS["prob_star"], *MISFIT_COLUMNS)
    refinement = check_refinement(refine)
    if refinement is not None:
        columns += refinement.columns
    if morphology:
        columns += MORPHOLOGY_COLUMNS
    return columns


def _shape_columns(parameters):
    """Columns of the ellipses in pixels."""
    return [PIXEL_SHAPE[f"{name}_pix"] for name in ("r_eff", "q") if name in parameters]


def blank_table(columns, n_rows):
    """A table of rows that were not measured.

    Parameters
    ----------
    columns : list of `~sersicnet.parameters.Column`
        Its columns.
    n_rows : int
        Number of rows.

    Returns
    -------
    `~astropy.table.QTable`
        NaN, and 0 in columns of integers.

    Examples
    --------
    >>> from sersicnet.measure.columns import blank_table, source_columns
    >>> blank_table(source_columns(("mag",)), 0)["mag"].unit
    Unit("mag(AB)")
    """
    return QTable({column.name: column.blank(n_rows) for column in columns})
