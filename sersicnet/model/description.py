"""The user's description of what a fit assumes of galaxies: their components, and what is known."""

from copy import copy
from dataclasses import replace

import numpy as np

from sersicnet._settings import check_bool
from sersicnet._words import counted
from sersicnet.model.choice import AUTO, BAND_SHIFT, ModelChoice, checked_shift
from sersicnet.model.combinations import CENTER, NAMED, combined
from sersicnet.model.components import Exponential, NormalPrior, parameter_values, warn_of_mean
from sersicnet.model.given import divided, given_of, names_of, of_rows, settings_of
from sersicnet.model.known_columns import known_in
from sersicnet.model.ties import check_ties, with_tied

__all__ = ["Model", "check_model"]


class Model:
    """What a fit assumes of galaxies: their components, and what is known of the parameters.

    Parameters
    ----------
    components : str, component or dict of components
        ``'sersic'``, or a component: `Sersic`, `Exponential`, `DeVaucouleurs`, `PointSource` or
        that of another profile (`King`); two at one center by their names, which columns have,
        or ``'sersic+exp'`` (``bulge`` and ``disk``), ``'point+sersic'`` (``point`` and ``host``) or
        ``'point+exp'`` (``point`` and ``disk``); ``'point'``, a point source. Their order does not
        matter, but of two of one profile of which nothing is known the first is the smaller one.
    fixed : dict, optional
        Values by the names of parameters, in the unit of tables, for all galaxies or for each:
        the same as in the component. Those of two components have the names of their columns, such
        as ``n_bulge``; ``mag`` is that of all light, ``bulge_to_total`` a share of it.
    priors : dict of NormalPrior, optional
        Priors by the names of parameters.
    tied : dict of tuple of str, optional
        Names of two components by the parameter that is the same for both: ``mag``, ``r_eff``,
        ``q``, ``theta``, or a shape parameter that both have. Their center is one anyway.
    band_shift : float or `~astropy.units.Quantity`, optional
        Standard deviation of the normal prior, in arcsec, of the shifts of a galaxy in all bands
        but the first; 0 for none.
    chromatic : bool, optional
        Whether log r_eff and n of one Sersic profile change linearly with the logarithm of the
        wavelength from band to band.

    Raises
    ------
    TypeError, ValueError, `~astropy.units.UnitConversionError`
        If a name or a value is impossible, something is said twice, or the components cannot be
        fitted together.

    Examples
    --------
    >>> from sersicnet import Exponential, Model, NormalPrior, Sersic
    >>> Model("sersic", fixed={"n": 4}, priors={"q": NormalPrior(0.7, 0.1)})
    Model(Sersic(n=4, q=NormalPrior(mean=0.7, err=0.1, low=None, high=None)))
    >>> parts = {"bulge": Sersic(n=4), "disk": Exponential()}
    >>> Model(parts, tied={"theta": ("bulge", "disk")}).describe()
    'sersic+exp, fixed: n_bulge, tied: theta'
    """

    def __init__(
        self,
        components="sersic",
        *,
        fixed=None,
        priors=None,
        tied=None,
        band_shift=BAND_SHIFT,
        chromatic=False,
    ):
        check_bool("chromatic", chromatic)
        self.rows = None  # those of `at`
        self.corners = {}
        self.chromatic = chromatic
        self.band_shift = checked_shift(band_shift)
        names = names_of("fixed", fixed) + names_of("priors", priors)
        named = combined(components).with_known(names)
        given = given_of("fixed", fixed, named) | given_of("priors", priors, named)
        twice = set(fixed or {}) & set(priors or {})
        if twice:
            msg = f"{', '.join(sorted(twice))}: a parameter is either in fixed or in priors"
            raise ValueError(msg)
        for name, value in given.items():
            if value is None or isinstance(value, NormalPrior) != (name in (priors or {})):
                msg = f"{name}={value!r}: values belong in fixed, and a NormalPrior in priors"
                raise TypeError(msg)
        self.whole = {}
        parts = dict(named.components)
        for name, value in given.items():
            part, parameter = named.parameters[name]
            parameter_values(parameter, value, name)
            if part is None:
                self.whole[name] = value
            else:
                parts[part] = replace(parts[part], **{parameter: value})
        self.combination = combined(parts)
        self.tied = check_ties(tied, self.combination)
        settings = self.whole | settings_of(self.combination)
        self.settings = with_tied(settings, self.tied, self.combination)
        for name, value in self.settings.items():
            parameter = self.combination.parameters[name][1]
            found = parameter_values(parameter, value, name)
            if isinstance(value, NormalPrior):
                warn_of_mean(parameter, found, name)
        self._check_light()
        self._check_free()
        if chromatic and not self.is_free:
            msg = f"chromatic=True: {self!r} must be one Sersic profile of which nothing is known"
            raise ValueError(msg)

    def _check_light(self):
        """Raise ValueError if the light of two parts is known in two ways."""
        if len(self.combination.parts) == 1:
            return
        whole, own = self.combination.light
        known = [name for name in (*whole, *own) if name in self.settings]
        of_whole = set(known) & set(whole)
        if of_whole and (set(known) & set(own) or "mag" in self.tied):
            msg = (
                f"{', '.join(known)} of the model: the light of two parts is known by "
                f"{' and '.join(whole)}, or by {' and '.join(own)}"
            )
            raise ValueError(msg)

    def _check_free(self):
        """Raise ValueError if nothing is left to fit."""
        fixed, _ = divided(self.settings)
        free = self.combination.parameters.keys() - fixed.keys()
        if len(self.combination.parts) == 2:
            light = {*self.combination.light[0], *self.combination.light[1]}
            if len(light & fixed.keys()) == 2:
                free -= light
        if not free:
            msg = f"{self!r}: all parameters are fixed, and nothing is left to fit"
            raise ValueError(msg)

    @staticmethod
    def auto(models=AUTO, *, odds=None, band_shift=BAND_SHIFT):
        """Compare several models of each galaxy, and choose by the evidence.

        Parameters
        ----------
        models : sequence of str, optional
            Names of the models; in several bands, ``'chromatic'`` is one Sersic profile whose size
            and index change with wavelength.
        odds : dict of float, optional
            Prior probabilities of models over that of the others, by name; by default 1.
        band_shift : float or `~astropy.units.Quantity`, optional
            As in `Model`.

        Returns
        -------
        `~sersicnet.model.ModelChoice`
        """
        return ModelChoice(models, odds=odds, band_shift=band_shift)

    @classmethod
    def from_table(cls, table, components="sersic", *, fixed=()):
        """Make the model of the galaxies of a table, with their priors and limits.

        Parameters
        ----------
        table : `~astropy.table.Table`
            One row per galaxy. Columns ``n_prior_mean`` and ``n_prior_err`` are a normal prior,
            ``n_min`` and ``n_max`` limits of it, or of the universal prior where there is no mean;
            the same for all parameters, and for those of parts, such as ``n_bulge``. Rows in
            which one of mean and error is NaN or masked have no prior.
        components : str, component or dict of components, optional
            As in `Model`.
        fixed : sequence of str, optional
            Names of columns whose values are fixed.

        Returns
        -------
        Model

        Raises
        ------
        ValueError, `~astropy.units.UnitConversionError`
            If a column is missing, has another unit, or belongs to no parameter of the model; if a
            fixed parameter has a prior, or the table has nothing of the model.

        Examples
        --------
        >>> from astropy.table import Table
        >>> from sersicnet import Model
        >>> table = Table({"n_prior_mean": [1.0, 4.0], "n_prior_err": [0.2, 0.5]})
        >>> Model.from_table(table).describe()
        'sersic, priors: n'
        """
        known = known_in(table, combined(components), fixed)
        return cls(components, **known)

    @classmethod
    def from_galfit(cls, path, *, components=None, pixel_scale=None, zeropoint=None):
        """Read an input file of GALFIT, with its constraint file.

        Parameters
        ----------
        path : str or path-like
            The file.
        components : int or sequence of int, optional
            Numbers of one component or of two at one place, from 1; by default all but the sky.
        pixel_scale : float or `~astropy.units.Quantity`, optional
            Arcsec per pixel, by default that of the file (K).
        zeropoint : float or `~astropy.units.Quantity`, optional
            AB magnitude of one unit of the image, if it is not that of the file (J).

        Returns
        -------
        Model
            With the values that are fixed, limits as flat priors, and what is tied to be equal.
            Where fits start is not part of a model: they start from the network.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is none, or a model cannot express what it says: all reasons by their lines.

        Warns
        -----
        `~astropy.utils.exceptions.AstropyUserWarning`
            If the file says something that other arguments of ``predict`` are for, such as a sky.
        """
        from sersicnet.model.galfit import read_galfit

        return read_galfit(path, cls, components, pixel_scale, zeropoint)

    @classmethod
    def from_imfit(cls, path, *, components=None, pixel_scale=None, zeropoint=None):
        """Read a configuration file of imfit, as `from_galfit` reads one of GALFIT.

        Parameters
        ----------
        path, components, pixel_scale, zeropoint
            As in `from_galfit`; the file has no units, so that radii need a pixel scale, and light
            that is fixed needs a zero point.

        Returns
        -------
        Model
        """
        from sersicnet.model.imfit import read_imfit

        return read_imfit(path, cls, components, pixel_scale, zeropoint)

    def __repr__(self):
        words = [repr(self.combination.components)]
        if self.is_named:
            words = [repr(self.name)]
        elif len(self.combination.parts) == 1:
            words = [repr(self.component)]
        fixed, priors = divided(self.whole)
        for argument, values in (("fixed", fixed), ("priors", priors), ("tied", self.tied)):
            if values:
                words.append(f"{argument}={values!r}")
        if self.band_shift != BAND_SHIFT:
            words.append(f"band_shift={float(self.band_shift)!r}")
        if self.chromatic:
            words.append("chromatic=True")
        return f"Model({', '.join(words)})"

    @property
    def name(self):
        """What the components are: ``'sersic'``, ``'sersic+exp'`` and so on."""
        return self.combination.name

    @property
    def component(self):
        """The component, or the first of two."""
        return next(iter(self.combination.components.values()))

    @property
    def is_composite(self):
        """Whether it is a point source, or has several parts."""
        return self.name != "sersic"

    @property
    def is_named(self):
        """Whether it is one of the composites that have names, and nothing is known of it."""
        return self.is_composite and self.describe() == self.name

    @property
    def is_free(self):
        """Whether it is one Sersic profile, of which nothing is known."""
        return not self.is_composite and not self.settings

    def describe(self):
        """Describe the model in a few words, as a FITS header can hold them."""
        words = self.name
        if not self.is_composite:
            words = type(self.component).__name__.lower()
            if self.chromatic:
                words += " (chromatic)"
        elif tuple(self.combination.components) != tuple(NAMED.get(self.name, {})):
            words += f" ({', '.join(self.combination.components)})"
        fixed, priors = divided(self.settings)
        if len(self.combination.parts) > 1:
            for name, component in self.combination.components.items():
                if isinstance(component, Exponential):
                    del fixed[f"n_{name}"]  # which its name says
        for what, names in (("fixed", fixed), ("priors", priors), ("tied", self.tied)):
            if names:
                words += f", {what}: {' '.join(names)}"
        return words

    def _values(self):
        """Yield name and values of what is known, in the units of tables."""
        for name, value in self.settings.items():
            yield name, parameter_values(self.combination.parameters[name][1], value, name)

    def check_length(self, n_galaxies):
        """Raise ValueError unless each parameter has one value, or one for each galaxy."""
        if self.rows is not None:
            return
        for name, values in self._values():
            parts = values.values() if isinstance(values, dict) else [values]
            for part in parts:
                if part.shape not in ((), (n_galaxies,)):
                    cutouts = counted(n_galaxies, "cutout")
                    msg = (
                        f"{name} of the model has {len(part)} values: one value, or one for each "
                        f"of {cutouts}"
                    )
                    raise ValueError(msg)

    def at(self, rows, corners):
        """Return the model of some galaxies, with centers in pixels of cutouts of an image.

        Parameters
        ----------
        rows : (R,) int `~numpy.ndarray`
            Numbers of the galaxies.
        corners : (R, 2) `~numpy.ndarray`
            x and y of the first pixels of their cutouts.

        Returns
        -------
        Model
        """
        chosen = copy(self)
        chosen.rows = rows
        chosen.corners = dict(zip(CENTER, np.transpose(corners), strict=True))
        return chosen

    def known(self, rows):
        """Return what is known of some galaxies, in the units of tables.

        Parameters
        ----------
        rows : (R,) int `~numpy.ndarray`
            Numbers of the galaxies.

        Returns
        -------
        fixed : dict of (R,) `~numpy.ndarray`
            Fixed values by the names of parameters.
        priors : dict of dict of (R,) `~numpy.ndarray`
            ``mean``, ``err``, ``low`` and ``high`` by the names of parameters.
        """
        own = rows if self.rows is None else self.rows[rows]
        fixed, priors = {}, {}
        for name, values in self._values():
            corner = self.corners[name][rows] if name in self.corners else 0.0
            if isinstance(values, dict):
                priors[name] = {part: of_rows(array, own) for part, array in values.items()}
                for part in ("mean", "low", "high"):
                    priors[name][part] = priors[name][part] - corner
            else:
                fixed[name] = of_rows(values, own) - corner
        return fixed, priors


def check_model(model):
    """Return the model that the argument ``model`` stands for.

    Parameters
    ----------
    model : str, Sersic, Model or ModelChoice
        As in `~sersicnet.SersicNet.predict`.

    Returns
    -------
    Model or ModelChoice

    Raises
    ------
    ValueError
        If it is something else.
    """
    if isinstance(model, Model | ModelChoice):
        return model
    if isinstance(model, str) and model == "auto":
        return ModelChoice()
    return Model(model)
