"""Covariances of the parameters of sources, and draws from their posteriors.

Until the catalog of an image is complete, draws are columns of its table, so that they go wherever
its rows go. Then they become a table of their own, for a file of their own.
"""

from dataclasses import dataclass, replace

import numpy as np
from astropy.table import QTable

from sersicnet.diagnostics.schema import COLUMNS
from sersicnet.measure.cutouts import first_pixels
from sersicnet.measure.samples import numbered
from sersicnet.parameters import ALL_PARAMETERS, PIXEL_SHAPE, Column

__all__ = ["Draws", "check_covariance", "take_draws"]

# What names of columns of draws begin with, until they are columns of a table of their own.
_PREFIX = "draws of "
# Columns without quantiles of which there are draws as well.
_MORE = ("sky", "model", "r_eff_slope", "n_slope", *PIXEL_SHAPE)
_SHIFTS = ("x_shift_", "y_shift_")
# Positions in large images need double precision.
_POSITIONS = ("x_0", "y_0")


@dataclass(frozen=True)
class Draws:
    """What of the posteriors goes into a catalog beside quantiles.

    Attributes
    ----------
    parameters : tuple of str
        Names of P parameters of which there is a covariance matrix; empty for none.
    names : tuple of str
        Names of columns of which there are draws.
    n : int
        Number of draws of each source.
    seed : int
        Their seed.

    Examples
    --------
    >>> from sersicnet.measure import Options
    >>> from sersicnet.measure.columns import catalog_columns
    >>> from sersicnet.measure.draws import Draws
    >>> draws = Draws.wanted(Options(covariance=True), catalog_columns(("mag", "n")))
    >>> draws.parameters, draws.columns[0].shape
    (('mag', 'n'), (3,))
    """

    parameters: tuple
    names: tuple
    n: int
    seed: int

    @classmethod
    def wanted(cls, options, columns, *, others=()):
        """Find what the user wants.

        Parameters
        ----------
        options : `~sersicnet.measure.Options`
            The options of the image.
        columns : list of `~sersicnet.parameters.Column`
            All other columns of the catalog.
        others : sequence of str, optional
            Further names of parameters of the covariance: magnitudes in other bands.

        Returns
        -------
        Draws or None
            None if nothing is wanted.
        """
        if not (options.covariance or options.samples):
            return None
        names = _drawn_names([column.name for column in columns])
        parameters = ()
        if options.covariance:
            parameters = (*(name for name in names if name in ALL_PARAMETERS), *others)
        return cls(parameters, names if options.samples else (), options.samples, options.seed)

    @property
    def columns(self):
        """The columns that these are, list of `~sersicnet.parameters.Column`."""
        columns = []
        if self.parameters:
            n_entries = len(self.parameters) * (len(self.parameters) + 1) // 2
            columns.append(replace(COLUMNS["covariance"], dtype=np.float32, shape=(n_entries,)))
        for name in self.names:
            about = f"draws of {name}"
            columns.append(Column(_PREFIX + name, None, about, _type_of(name), shape=(self.n,)))
        return columns

    def describe(self):
        """Describe them for ``meta``: names of the covariance, and the number of draws."""
        record = {}
        if self.parameters:
            record["COVNAMES"] = ",".join(self.parameters)
        if self.names:
            record["NDRAWS"] = self.n
        return record

    def add_to(self, table, results, part):
        """Add the columns to the table of some sources.

        Parameters
        ----------
        table : `~astropy.table.QTable`
            The table, which is changed in place.
        results : `~sersicnet.SersicResults`
            What was measured.
        part : `~astropy.table.Table`
            Their rows of detection.
        """
        results = numbered(results, part)
        if self.parameters:
            rows, others = np.triu_indices(len(self.parameters))
            matrices = results.covariance(parameters=self.parameters, seed=self.seed)
            table["covariance"] = matrices[:, rows, others].astype(np.float32)
        if not self.names:
            return
        samples = results.samples(self.n, seed=self.seed)
        if "r_eff" in samples:  # as far as pixels are square
            in_pixels = samples["r_eff"] / results.frame.pixel_scale[:, None]
            samples.setdefault("r_eff_pix", in_pixels)
        if "q" in samples:
            samples.setdefault("q_pix", samples["q"])
        first = first_pixels(part)
        for name in self.names:
            values = samples.get(name, np.full((len(table), self.n), np.nan))
            if name in _POSITIONS:
                values = values + first[:, ["y_0", "x_0"].index(name)][:, None]
            table[_PREFIX + name] = values.astype(_type_of(name))


def check_covariance(wanted, columns):
    """Raise ValueError if a covariance is wanted that the columns of the catalog leave out.

    Parameters
    ----------
    wanted : bool or None
        Whether it is wanted.
    columns : sequence of str or None
        Names of the columns of the catalog; None for all.
    """
    if wanted and columns is not None and "covariance" not in columns:
        msg = f"covariance=True, and columns={columns!r} leaves it out"
        raise ValueError(msg)


def _drawn_names(names):
    """Return the names of columns of which there are draws."""
    found = []
    for name in names:
        has_quantiles = f"{name}_lo" in names and not name.endswith("_population")
        is_shift = name.startswith(_SHIFTS) and not name.endswith("_err")
        if has_quantiles or is_shift or name in _MORE:
            found.append(name)
    return tuple(found)


def _type_of(name):
    """Return the type of draws."""
    if name == "model":
        return str
    return float if name in _POSITIONS else np.float32


def take_draws(table):
    """Take the draws out of a catalog.

    Parameters
    ----------
    table : `~astropy.table.QTable`
        The catalog, whose columns of draws are removed.

    Returns
    -------
    `~astropy.table.QTable` or None
        ``id``, and a column of draws of each parameter, in the unit of the column of this name of
        the catalog; None if there are none.
    """
    names = [name for name in table.colnames if name.startswith(_PREFIX)]
    if not names:
        return None
    draws = QTable({"id": table["id"]}, meta=dict(table.meta))
    for name in names:
        own = name.removeprefix(_PREFIX)
        values = np.asarray(table[name])
        unit = getattr(table[own], "unit", None)
        draws[own] = values if unit is None else values * unit
        info = draws[own].info
        info.description = f"draws: {table[own].info.description}"
        info.meta = table[own].info.meta
    table.remove_columns(names)
    return draws
