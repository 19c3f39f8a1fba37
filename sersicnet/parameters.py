"""The seven parameters of a Sersic galaxy: names, units, limits, labels and priors.

Conventions (nothing else in the package spells them out): ``r_eff`` is measured along the major
axis and before the PSF, ``theta`` is the angle of the major axis, counter-clockwise from +x,
``x_0`` and ``y_0`` are 0-based pixels of the cutout that the user passed, and ``mag`` is the total
AB magnitude of the untruncated profile.

A network does not see these values but *labels* in universal units: fluxes divided by the noise of
a pixel, and lengths in pixels from the middle of the stamp.
"""

from dataclasses import dataclass, replace

import astropy.units as u
import numpy as np

from sersicnet.profile_shapes import SHAPES

__all__ = [
    "ALL_PARAMETERS",
    "PARAMETERS",
    "PIXEL_SHAPE",
    "Column",
    "Parameter",
    "Prior",
    "check_parameters",
    "pixel_shape_of",
    "table_values",
]


@dataclass(frozen=True)
class Column:
    """A column of a table of galaxies, known before anything is measured.

    Attributes
    ----------
    name : str
        Name of the column.
    unit : `~astropy.units.UnitBase` or None
        Its unit, None for a pure number.
    description : str
        What it holds.
    dtype : type
        Type of its values.
    format : str or None
        How its values are printed.
    ucd : str or None
        What it is for programs of the Virtual Observatory, a word of
        https://www.ivoa.net/documents/UCD1+/.
    shape : tuple of int
        Shape of each value.

    Examples
    --------
    >>> from sersicnet.parameters import PARAMETERS
    >>> error = PARAMETERS["r_eff"].columns[1]
    >>> error.name, str(error.unit)
    ('r_eff_err', 'arcsec')
    >>> error.blank(2)
    <Quantity [nan, nan] arcsec>
    """

    name: str
    unit: object
    description: str
    dtype: type = float
    format: str | None = None
    ucd: str | None = None
    shape: tuple = ()

    def blank(self, n_rows):
        """Values of rows that were not measured: NaN, or 0 for integers and False for booleans."""
        shape = (n_rows, *self.shape)
        if self.dtype in (float, np.float32):
            return self.with_unit(np.full(shape, np.nan, self.dtype))
        return np.zeros(shape, dtype=self.dtype)

    def with_unit(self, values):
        """The values as a quantity, or as they are where the column is a pure number."""
        if self.unit is None:
            return values
        return values * self.unit


@dataclass(frozen=True)
class Parameter:
    """One parameter of the Sersic model.

    Attributes
    ----------
    name : str
        Name, also that of the table column.
    description : str
        Meaning of the parameter.
    unit : `~astropy.units.UnitBase` or None
        Unit of the table column, None for a pure number.
    labels : tuple of str
        Names of the labels that it is computed from.
    lower, upper : float
        Limits of the values that the package can use, in ``unit``.
    format, ucd : str
        As in `Column`.
    """

    name: str
    description: str
    unit: object
    labels: tuple[str, ...]
    lower: float = -np.inf
    upper: float = np.inf
    format: str = ".4f"
    ucd: str = "meta.number"

    @property
    def err_unit(self):
        """Unit of the parameter's error (a magnitude's error is in mag)."""
        if self.name == "mag":
            return u.mag
        return self.unit

    @property
    def columns(self):
        """Columns of the median, its error, and the quantiles at 16 and 84 %."""
        name = self.name
        about = self.description
        error = f"stat.error;{self.ucd}"
        low = f"{self.ucd};stat.min"
        high = f"{self.ucd};stat.max"
        columns = (
            Column(name, self.unit, about, ucd=self.ucd),
            Column(f"{name}_err", self.err_unit, f"half of 16-84 %: {about}", ucd=error),
            Column(f"{name}_lo", self.unit, f"16 % quantile: {about}", ucd=low),
            Column(f"{name}_hi", self.unit, f"84 % quantile: {about}", ucd=high),
        )
        return tuple(replace(column, format=self.format) for column in columns)


PARAMETERS = {
    parameter.name: parameter
    for parameter in (
        Parameter("mag", "total AB magnitude of the model", u.ABmag, ("log_flux",), ucd="phot.mag"),
        Parameter(
            "r_eff",
            "major-axis half-light radius before the PSF",
            u.arcsec,
            ("log_r_eff",),
            lower=0,
            ucd="phys.angSize.smajAxis",
        ),
        Parameter(
            "n",
            "Sersic index",
            None,
            ("n",),
            lower=0.3,  # what GalSim can draw
            upper=6.2,
            ucd="src.morph.param",
        ),
        Parameter(
            "q", "axis ratio b/a", None, ("q",), lower=0.01, upper=1, ucd="phys.size.axisRatio"
        ),
        # Its UCD is not that of a position angle, which programs would take for one on the sky.
        Parameter(
            "theta",
            "angle of the major axis, counter-clockwise from +x",
            u.deg,
            ("e1", "e2"),
            format=".2f",
            ucd="src.morph.param",
        ),
        Parameter(
            "x_0",
            "x of the center, 0 in the middle of the first pixel",
            u.pix,
            ("dx",),
            format=".3f",
            ucd="pos.cartesian.x;instr.det",
        ),
        Parameter(
            "y_0",
            "y of the center, 0 in the middle of the first pixel",
            u.pix,
            ("dy",),
            format=".3f",
            ucd="pos.cartesian.y;instr.det",
        ),
    )
}

# Those that other profiles have, and all.
_OF_SHAPES = {
    name: Parameter(name, about, None, (name,), low, high, ucd="src.morph.param")
    for name, (about, low, high) in SHAPES.items()
}
ALL_PARAMETERS = PARAMETERS | _OF_SHAPES

# Columns of the ellipse in pixels, where pixels are not square.
PIXEL_SHAPE = {
    "r_eff_pix": Column(
        "r_eff_pix",
        u.pix,
        "half-light radius of the ellipse in pixels",
        format=".3f",
        ucd="phys.size.smajAxis",
    ),
    "q_pix": Column(
        "q_pix",
        None,
        "axis ratio of the ellipse in pixels",
        format=".4f",
        ucd="phys.size.axisRatio",
    ),
}


def check_parameters(parameters):
    """Check names of parameters, and return them as a tuple.

    Parameters
    ----------
    parameters : str or iterable of str
        Names of parameters.

    Returns
    -------
    tuple of str

    Raises
    ------
    ValueError
        If there is no name, or a name is unknown or comes twice.

    Examples
    --------
    >>> from sersicnet.parameters import check_parameters
    >>> check_parameters("mag")
    ('mag',)
    """
    if isinstance(parameters, str):
        parameters = (parameters,)
    names = tuple(parameters)
    unknown = [name for name in names if name not in PARAMETERS]
    if not names or unknown or len(set(names)) < len(names):
        msg = (
            f"parameters={parameters!r} must be one or more different names "
            f"out of {', '.join(PARAMETERS)}"
        )
        raise ValueError(msg)
    return names


def pixel_shape_of(table):
    """Return the columns of a table that describe ellipses in pixels.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Table with or without the columns of ``PIXEL_SHAPE``.

    Returns
    -------
    tuple of str
        All of them, or none if one is missing.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.parameters import pixel_shape_of
    >>> pixel_shape_of(Table({"r_eff_pix": [3.0], "q_pix": [0.5]}))
    ('r_eff_pix', 'q_pix')
    >>> pixel_shape_of(Table({"r_eff": [0.3], "q_pix": [0.5]}))
    ()
    """
    if set(PIXEL_SHAPE) <= set(table.colnames):
        return tuple(PIXEL_SHAPE)
    return ()


def table_values(table, names):
    """Return columns of a table as arrays, in the units of `~sersicnet.parameters.PARAMETERS`.

    Parameters
    ----------
    table : `~astropy.table.Table`
        Columns with or without units.
    names : tuple of str
        The parameters wanted, or columns of ``PIXEL_SHAPE``.

    Returns
    -------
    dict of `~numpy.ndarray`
        NaN where a column is masked.

    Raises
    ------
    ValueError
        If a column is missing.
    `~astropy.units.UnitConversionError`
        If a column has another kind of unit.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.table import QTable
    >>> from sersicnet.parameters import table_values
    >>> table_values(QTable({"r_eff": [500, 800] * u.mas}), ("r_eff",))
    {'r_eff': array([0.5, 0.8])}
    """
    known = PARAMETERS | PIXEL_SHAPE
    values = {}
    for name in names:
        if name not in table.colnames:
            msg = f"the truth has no column {name!r}, which is needed for {', '.join(names)}"
            raise ValueError(msg)
        try:
            values[name] = to_floats(table[name], known[name].unit)
        except u.UnitConversionError as error:
            msg = f"the truth's column {name!r}: {error}"
            raise u.UnitConversionError(msg) from None
    return values


def to_floats(column, unit):
    """Return a column as floats in ``unit``, NaN where it is masked.

    A column without a unit is taken to be in ``unit``.
    """
    own = getattr(column, "unit", None)
    mask = getattr(column, "mask", False)
    values = np.ma.getdata(getattr(column, "unmasked", column))
    values = np.array(getattr(values, "value", values), dtype=float)
    if own is not None and not (own == u.mag and unit == u.ABmag):
        values = (values << own).to_value(unit or u.dimensionless_unscaled)
    return np.where(mask, np.nan, values)


@dataclass(frozen=True)
class Prior:
    """A uniform or log-uniform distribution on an interval.

    Parameters
    ----------
    lower, upper : float
        The interval, in the parameter's table unit.
    log : bool
        Whether the logarithm is uniform.

    Raises
    ------
    ValueError
        If the interval is empty, not finite, or reaches zero with ``log=True``.

    Examples
    --------
    >>> import numpy as np
    >>> from sersicnet.parameters import Prior
    >>> Prior(0.1, 10, log=True).sample(np.random.default_rng(1), 3).shape
    (3,)
    """

    lower: float
    upper: float
    log: bool = False

    def __post_init__(self):
        finite = np.isfinite(self.lower) and np.isfinite(self.upper)
        if not finite or self.upper < self.lower or (self.log and self.lower <= 0):
            msg = (
                f"the prior from {self.lower} to {self.upper} (log={self.log}) must be a finite, "
                "ordered interval, positive where it is log-uniform"
            )
            raise ValueError(msg)

    def sample(self, rng, size=None):
        """Draw from the prior with the generator ``rng``."""
        if self.log:
            return np.exp(rng.uniform(np.log(self.lower), np.log(self.upper), size))
        return rng.uniform(self.lower, self.upper, size)


def wrap_theta(theta):
    """Return angles of the major axis in degrees, brought into [-90, 90)."""
    wrapped = (np.asarray(theta) + 90) % 180 - 90
    return np.where(wrapped >= 90, -90.0, wrapped)[()]  # -90 less a rounding error gives 90


def label_names(parameters):
    """Return the names of all labels of ``parameters``, in order."""
    return tuple(label for name in parameters for label in PARAMETERS[name].labels)
