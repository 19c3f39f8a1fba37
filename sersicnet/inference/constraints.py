"""What a user's model knows of galaxies, in the units of their stamps."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import torch
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet._rows import Rows
from sersicnet._words import counted
from sersicnet.flags import Flags
from sersicnet.inference.composites import Composite
from sersicnet.inference.known_numbers import (
    can_be_held,
    known_numbers,
    make_scene,
    normal_priors,
    with_fixed,
)
from sersicnet.model.labels import LABELS
from sersicnet.model.layout import Layout

__all__ = ["Constraints", "warn_unfitted"]


@dataclass(frozen=True, eq=False)
class Constraints(Rows):
    """What is known of N galaxies, in the units of tables.

    Attributes
    ----------
    numbers : (N,) int `~numpy.ndarray`
        Numbers of the galaxies.
    fixed : dict of (N,) `~numpy.ndarray`
        Fixed values by the names of parameters.
    priors : dict of dict of (N,) `~numpy.ndarray`
        ``mean``, ``err``, ``low`` and ``high`` of normal priors, by the names of parameters.
    """

    numbers: np.ndarray
    fixed: dict
    priors: dict

    @classmethod
    def of(cls, model, numbers):
        """Make those of some galaxies, or None where a model knows nothing.

        Parameters
        ----------
        model : `~sersicnet.Model`
            The user's model.
        numbers : (N,) int `~numpy.ndarray`
            Numbers of the galaxies.

        Returns
        -------
        Constraints, Composite or None
        """
        if model.is_free:
            return None
        if model.is_composite:
            return Composite.of(model, numbers)
        return cls(numbers, *model.known(numbers))

    def scene(self, start, frame, log_light, offset):
        """Return the scene of the fits, and which galaxies have values that make sense.

        Parameters
        ----------
        start : (N, 7) `~numpy.ndarray`
            Labels that fits start from.
        frame : `~sersicnet.preprocessing.StampFrame`
            Units of the stamps.
        log_light, offset
            As in `~sersicnet.inference.FitDensity`.

        Returns
        -------
        scene : `~sersicnet.model.Scene`
        usable : (N,) bool `~numpy.ndarray`
        """
        units = frame, log_light, offset
        by_axes = bool({"q", "theta"} & {*self.fixed, *self.priors})
        with np.errstate(all="ignore"):  # some values may be those of no galaxy
            known = known_numbers(self.fixed, self.priors, start, *units, by_axes=by_axes)
            normals = normal_priors(self.priors, *units)
        names = list(LABELS)
        if by_axes:
            names = ["log_flux", "log_r_eff", "n", "q", "dx", "dy"]
        free = [name for name in names if name not in known]
        if "theta" not in self.fixed and "e1" not in free:
            free.insert(free.index("dx") if "dx" in free else len(free), "turn")
        layout = Layout(tuple(free), tuple(known), tuple(normals))
        usable = can_be_held(self.fixed, self.priors, frame)
        return make_scene(layout, known, normals, usable)

    def starts(self, labels, scene):
        """Return labels that fits start from: those of the network, with what is known."""
        return [scene.labels(scene.values(torch.from_numpy(labels))).numpy()]

    def put_into(self, quantiles, parameters):
        """Put fixed values into quantiles of measured galaxies, (P, 3, N) `~numpy.ndarray`."""
        return with_fixed(quantiles, parameters, self.fixed)

    def put_into_columns(self, columns):
        """Return the columns of a table as they are: there are none of parts."""
        return columns

    def without_priors(self):
        """Return the same without priors, None where nothing is known then."""
        return replace(self, priors={}) if self.fixed else None


def warn_unfitted(flags, model, *, stacklevel):
    """Warn of galaxies that could not be measured with what is known of them.

    Parameters
    ----------
    flags : (N,) int `~numpy.ndarray`
        Flags of the galaxies.
    model : `~sersicnet.Model`
        What is known of them; without it, the answer of the network is there.
    stacklevel : int
        As in `warnings.warn`.
    """
    n_lost = np.count_nonzero(flags & int(Flags.NOT_REFINED))
    if n_lost and not model.is_free:
        msg = (
            f"{n_lost} of {counted(len(flags), 'galaxy')} could not be fitted with this model "
            "(NOT_REFINED, NaN): the fit did not converge, or a fixed value or prior is NaN, "
            "outside of the limits of the universal prior or of no width, or a size or axis ratio "
            "where pixels are not square"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)
