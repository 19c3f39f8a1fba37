"""The columns of all tables: units, descriptions, digits and UCDs.

A table gets them from here, by the names of its columns, whoever made it. UCDs are the words of the
Virtual Observatory by which TOPCAT and other programs know what a column is
(https://www.ivoa.net/documents/UCD1+/).
"""

from dataclasses import replace

import astropy.units as u

from sersicnet._settings import similar_names
from sersicnet.diagnostics.morphology_columns import MORPHOLOGY_COLUMNS
from sersicnet.parameters import ALL_PARAMETERS, PARAMETERS, PIXEL_SHAPE, Column
from sersicnet.profile_shapes import parameters_of

__all__ = [
    "COLUMNS",
    "POPULATION_COLUMNS",
    "add_columns",
    "check_columns",
]
__all__ += ["describe", "part_columns", "tension_column"]

_OTHERS = (
    Column(
        "id", None, "place in the input, or id of the given catalog", int, ucd="meta.id;meta.main"
    ),
    Column("flags", None, "bits of sersicnet.Flags; decode_flags names them", int, ucd="meta.code"),
    Column("ra", u.deg, "right ascension (ICRS)", format=".7f", ucd="pos.eq.ra;meta.main"),
    Column("dec", u.deg, "declination (ICRS)", format=".7f", ucd="pos.eq.dec;meta.main"),
    Column(
        "pa",
        u.deg,
        "position angle of the major axis, north through east",
        format=".2f",
        ucd="pos.posAng",
    ),
    # of forced photometry
    Column("flux", u.nJy, "flux density", format=".5g", ucd="phot.flux.density"),
    Column("flux_err", u.nJy, "error of flux", format=".5g", ucd="stat.error;phot.flux"),
    # of refinements
    Column(
        "chi2",
        None,
        "sum of squared residuals over the noise, within the galaxy",
        format=".1f",
        ucd="stat.fit.chi2",
    ),
    Column("n_pixels", None, "good pixels within the galaxy", int, ucd="meta.number"),
    Column("sky", None, "fitted sky, in the unit of the image", format=".4g", ucd="instr.skyLevel"),
    Column("n_iter", None, "steps of the fit", int, ucd="meta.number"),
    Column("ess", None, "effective number of samples", format=".1f", ucd="meta.number"),
    Column("log_evidence", None, "logarithm of the evidence", format=".2f", ucd="stat.likelihood"),
    Column("n_samples", None, "samples that were drawn", int, ucd="meta.number"),
    # of joint fits
    Column("group_id", None, "id of the brightest source of the group", int, ucd="meta.id.parent"),
    Column("group_size", None, "sources that share light", int, ucd="meta.number"),
    Column(
        "blend_fraction",
        None,
        "light of neighbors in the half-light ellipse over that of the source",
        format=".4f",
        ucd="phot.flux;arith.ratio",
    ),
    Column(
        "covariance",
        None,
        "upper triangle of the covariance matrix, names in COVNAMES",
        format=".3g",
        ucd="stat.covariance",
    ),
    # of several bands
    Column(
        "r_eff_slope",
        None,
        "change of the logarithm of r_eff per factor of ten in wavelength",
        format=".4f",
        ucd="arith.rate;phys.angSize",
    ),
    Column("r_eff_slope_err", None, "error of r_eff_slope", format=".4f", ucd="stat.error"),
    Column(
        "n_slope",
        None,
        "change of n per factor of ten in wavelength",
        format=".4f",
        ucd="arith.rate",
    ),
    Column("n_slope_err", None, "error of n_slope", format=".4f", ucd="stat.error"),
    # of detection
    Column(
        "x_centroid",
        u.pix,
        "x of the centroid, or of the given position",
        format=".2f",
        ucd="pos.cartesian.x;instr.det",
    ),
    Column(
        "y_centroid",
        u.pix,
        "y of the centroid, or of the given position",
        format=".2f",
        ucd="pos.cartesian.y;instr.det",
    ),
    Column("kron_mag", u.ABmag, "AB magnitude in the Kron aperture", format=".4f", ucd="phot.mag"),
    Column("kron_mag_err", u.mag, "error of kron_mag", format=".4f", ucd="stat.error;phot.mag"),
    Column(
        "half_light_radius",
        u.arcsec,
        "circular half-light radius, with the PSF",
        format=".4f",
        ucd="phys.angSize",
    ),
    Column("star_id", None, "row of the catalog of stars, -1 for none", int, ucd="meta.id"),
    Column("area", u.pix**2, "area of the detected source", format=".0f", ucd="phys.area"),
    Column(
        "local_background", None, "subtracted after the sky map", format=".4g", ucd="instr.skyLevel"
    ),
)

# What a population adds to a catalog: the parameters that it is a distribution of, once more.
_NOTE = "given the population"
_SHORT = {"mag": "total AB magnitude", "r_eff": "half-light radius", "n": "Sersic index"}
_OF_POPULATIONS = (
    Column(
        "ess_population",
        None,
        f"effective number of samples, {_NOTE}",
        format=".1f",
        ucd="meta.number",
    ),
    Column("flags_population", None, f"bits of sersicnet.Flags, {_NOTE}", int, ucd="meta.code"),
)


def _population_columns():
    """Make the columns of the parameters with a population as prior."""
    columns = []
    for name in ("mag", "r_eff", "n", "q"):
        whole = PARAMETERS[name].columns[0].description
        for column in PARAMETERS[name].columns:
            renamed = column.name.replace(name, f"{name}_population", 1)
            about = column.description.replace(whole, _SHORT.get(name, whole))
            about = f"{about}, {_NOTE}"
            columns.append(replace(column, name=renamed, description=about))
    return (*columns, *_OF_POPULATIONS)


# Parts of models that have names.
_NAMED_PARTS = (
    ("bulge", "sersic"),
    ("disk", "sersic"),
    ("host", "sersic"),
    ("point", "point"),
)
_SHORT_OF_PARTS = _SHORT | {"theta": "angle of the major axis from +x"}


def part_columns(parts):
    """Make the columns of the parameters of parts of galaxies, and of their shares in the light.

    Parameters
    ----------
    parts : sequence of (str, str)
        Name and profile of each part.

    Returns
    -------
    list of `~sersicnet.parameters.Column`

    Examples
    --------
    >>> from sersicnet.diagnostics.schema import part_columns
    >>> part_columns([("core", "point")])[0].name
    'mag_core'
    """
    columns = []
    for part, profile in parts:
        for name in parameters_of(profile):
            whole = ALL_PARAMETERS[name].description
            for column in ALL_PARAMETERS[name].columns:
                renamed = column.name.replace(name, f"{name}_{part}", 1)
                about = column.description.replace(whole, _SHORT_OF_PARTS.get(name, whole))
                columns.append(replace(column, name=renamed, description=f"{about}, of the {part}"))
    for part, _ in parts:
        about = f"share of the {part} in the light"
        plain = Column(f"{part}_to_total", None, about, format=".4f", ucd="phot.flux;arith.ratio")
        columns.append(plain)
        for ending, what in (("err", "error of the"), ("lo", "16 % of the"), ("hi", "84 % of the")):
            ucd = "stat.error;phot.flux;arith.ratio" if ending == "err" else "phot.flux;arith.ratio"
            name = f"{plain.name}_{ending}"
            columns.append(replace(plain, name=name, description=f"{what} {about}", ucd=ucd))
    return columns


def _model_columns():
    """Make the columns of models that are compared."""
    columns = [
        Column("model", None, "most likely model", str, ucd="meta.code"),
        Column(
            "prob_star",
            None,
            "probability of a point source, of it and of one Sersic profile",
            format=".4f",
            ucd="stat.probability",
        ),
    ]
    for name in ("sersic", "point", "sersic_exp", "point_exp", "point_sersic", "chromatic"):
        about = name.replace("_", "+")
        columns += [
            Column(
                f"prob_{name}",
                None,
                f"probability of the model {about}",
                format=".4f",
                ucd="stat.probability",
            ),
            Column(
                f"log_evidence_{name}",
                None,
                f"log evidence of {about}, to be compared within the row",
                format=".2f",
                ucd="stat.likelihood",
            ),
        ]
    return columns


def _tension_columns():
    """Make the columns of how far priors are from what images say."""
    names = list(PARAMETERS)
    for part, profile in _NAMED_PARTS:
        names += [f"{name}_{part}" for name in parameters_of(profile)] + [f"{part}_to_total"]
    return [tension_column(name) for name in names]


def tension_column(name):
    """Make the column of how far the prior of a parameter is from what images say.

    Parameters
    ----------
    name : str
        Name of the parameter.

    Returns
    -------
    `~sersicnet.parameters.Column`

    Examples
    --------
    >>> from sersicnet.diagnostics.schema import tension_column
    >>> tension_column("n_core").name
    'n_core_tension'
    """
    about = f"distance of the prior of {name} from the image, in errors"
    return Column(f"{name}_tension", None, about, format=".2f", ucd="stat.value")


POPULATION_COLUMNS = _population_columns()

COLUMNS = {column.name: column for column in _OTHERS} | PIXEL_SHAPE
COLUMNS |= {column.name: column for column in POPULATION_COLUMNS}
COLUMNS |= {column.name: column for column in part_columns(_NAMED_PARTS)}
COLUMNS |= {column.name: column for column in (*_model_columns(), *MORPHOLOGY_COLUMNS)}
COLUMNS |= {column.name: column for column in _tension_columns()}
for _parameter in ALL_PARAMETERS.values():
    COLUMNS |= {column.name: column for column in _parameter.columns}


def add_columns(table, columns, parts=None):
    """Add columns to a table of galaxies, and describe all that are known.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The table, which is changed in place.
    columns : dict of (N,) `~numpy.ndarray`
        Values by the names of columns, in their units.
    parts : sequence of (str, str), optional
        Parts of the galaxies, as in `part_columns`.
    """
    known = COLUMNS | {column.name: column for column in part_columns(parts or ())}
    for name, values in columns.items():
        table[name] = known[name].with_unit(values) if name in known else values
    describe(table, known)


def describe(table, columns=COLUMNS):
    """Give the columns of a table that are known their descriptions, digits and UCDs.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The table, whose columns are changed in place.
    columns : dict of `~sersicnet.parameters.Column`, optional
        The columns that are known, by name.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.diagnostics.schema import describe
    >>> table = Table({"q": [0.712345]})
    >>> describe(table)
    >>> print(table["q"].description, table["q"].meta["ucd"], table["q"].info.format)
    axis ratio b/a phys.size.axisRatio .4f
    """
    for name in table.colnames:
        if name in columns:
            column = columns[name]
            info = table[name].info
            info.description = column.description
            info.format = column.format
            info.meta = {"ucd": column.ucd}


def check_columns(columns, known):
    """Return the names of columns as a list.

    Parameters
    ----------
    columns : str or sequence of str
        The user's argument.
    known : sequence of str
        Names of the columns that there are.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If there is no column of such a name; similar names are suggested.

    Examples
    --------
    >>> from sersicnet.diagnostics.schema import check_columns
    >>> check_columns("mag", ["id", "mag"])
    ['mag']
    """
    if isinstance(columns, str):
        columns = [columns]
    for name in columns:
        if name not in known:
            hint = similar_names(str(name), known) or f": there are {', '.join(known)}"
            msg = f"columns={columns!r}: there is no column {name!r}{hint}"
            raise ValueError(msg)
    return list(columns)
