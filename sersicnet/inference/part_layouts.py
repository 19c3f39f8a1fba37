"""Layouts of galaxies of one or two parts: which of their parameters are free, known or tied."""

from dataclasses import dataclass

from sersicnet.model.layout import Layout
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["name_in_layout", "part_layout", "shaped_by_axes"]

# Parameters of layouts that those of tables are, and the other way round.
_KIND_OF = {"mag": "log_flux", "r_eff": "log_r_eff", "x_0": "dx", "y_0": "dy"}
_QUANTITY_OF = _KIND_OF | {"r_eff": "r_eff", "theta": "turn"}
_PARAMETER_OF = {
    "log_flux": "mag",
    "log_r_eff": "r_eff",
    "turn": "theta",
    "e1": "q",
    "e2": "q",
}


def shaped_by_axes(combination, part, known, tied):
    """Return whether the ellipticity of a part is described by an axis ratio and an angle.

    Parameters
    ----------
    combination : `~sersicnet.model.combinations.Combination`
        The components.
    part : str or None
        Name of one.
    known : set of str
        Names of columns of which something is known.
    tied : dict
        Names of parts by the parameters that they have together.

    Returns
    -------
    bool
    """
    if dict(combination.parts).get(part, "point") == "point":
        return False
    if len({"q", "theta"} & set(tied)) == 1:
        return True
    return bool({combination.column(part, name) for name in ("q", "theta")} & set(known))


def name_in_layout(combination, part, kind, tied):
    """Return the name of a parameter of a part in the layout.

    Parameters
    ----------
    combination, part, tied
        As in `shaped_by_axes`.
    kind : str
        The parameter, such as ``'log_r_eff'``, or the quantity of a prior, such as ``'r_eff'``.

    Returns
    -------
    str
        With the part after a dot, unless there is one of it.
    """
    parameter = _PARAMETER_OF.get(kind, kind)
    if part is None or len(combination.parts) == 1 or parameter in tied:
        return kind
    if parameter != "mag" and len(combination.shaped) == 1:
        return kind
    return f"{kind}.{part}"


def part_layout(combination, fixed=(), priors=(), tied=None):
    """Return the layout of a model.

    Parameters
    ----------
    combination : `~sersicnet.model.combinations.Combination`
        The components.
    fixed, priors : sequence of str
        Names of columns with fixed values and with normal priors.
    tied : dict, optional
        Names of parts by the parameters that they have together.

    Returns
    -------
    `~sersicnet.model.Layout`

    Examples
    --------
    >>> from sersicnet import Model
    >>> from sersicnet.inference.part_layouts import part_layout
    >>> part_layout(Model("point+exp").combination, ["n_disk"]).free
    ('log_flux', 'share', 'log_r_eff', 'e1', 'e2', 'dx', 'dy')
    """
    named = _Names(combination, tied or {})
    known = named.of_columns(fixed, _KIND_OF)
    normals = named.of_columns(priors, _QUANTITY_OF)
    free = named.fluxes({*known, *normals})
    free += named.sizes({*known, *normals})
    for part, profile in combination.parts:
        shapes = PROFILE_SHAPES[profile].names if profile in PROFILE_SHAPES else ("n",)
        free += [named.of(part, name) for name in shapes if profile != "point"]
    for part in combination.shaped:
        if not shaped_by_axes(combination, part, {*fixed, *priors}, named.tied):
            free += [named.of(part, "e1"), named.of(part, "e2")]
            continue
        free.append(named.of(part, "q"))
        if named.of(part, "theta") not in known:
            free.append(named.of(part, "turn"))
            known.append(named.of(part, "theta"))  # that the turn is from
    free = [name for name in (*free, "dx", "dy") if name not in known]
    unique = [tuple(dict.fromkeys(names)) for names in (free, known, normals)]
    return Layout(*unique, combination.parts)


@dataclass(frozen=True)
class _Names:
    """Names in the layout of a model.

    Attributes
    ----------
    combination : `~sersicnet.model.combinations.Combination`
    tied : dict
    """

    combination: object
    tied: dict

    def of(self, part, kind):
        """Return the name of a parameter of a part."""
        return name_in_layout(self.combination, part, kind, self.tied)

    def of_columns(self, columns, kinds):
        """Return the names of the parameters, or quantities, that columns show."""
        found = []
        for column in columns:
            if column in self.combination.parameters:
                part, parameter = self.combination.parameters[column]
                found.append(self.of(part, kinds.get(parameter, parameter)))
        return found

    def fluxes(self, known):
        """Return the parameters of the light: fluxes, and the share of the first part."""
        parts = self.combination.components
        if len(parts) == 1 or "mag" in self.tied:
            return ["log_flux"]
        own = [f"log_flux.{part}" for part in parts if f"log_flux.{part}" in known]
        if len(own) == 2:
            return own
        return [*(own or ["log_flux"]), "share"]

    def sizes(self, known):
        """Return the parameters of the sizes of Sersic profiles."""
        shaped = self.combination.shaped
        sizes = [self.of(part, "log_r_eff") for part in shaped]
        alone = len(set(sizes)) < 2 or not self.combination.is_ordered
        if alone or {sizes[0], self.of(shaped[0], "r_eff")} & known:
            return sizes
        return ["log_ratio", sizes[1]]
