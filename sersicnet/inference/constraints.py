"""What a user's model knows of galaxies, in the units of their stamps."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from astropy.utils.exceptions import AstropyUserWarning

from sersicnet._rows import Rows
from sersicnet._words import counted
from sersicnet.flags import Flags
from sersicnet.inference.composites import Composite
from sersicnet.model.labels import LABELS, angle, split_labels
from sersicnet.model.layout import Layout
from sersicnet.model.prior import LOG_R_EFF_LIMITS, MAX_OFFSET, N_LIMITS, Q_LIMITS
from sersicnet.model.scene import Scene
from sersicnet.parameters import wrap_theta

__all__ = ["Constraints", "warn_unfitted"]

# Labels of parameters that have one.
_LABEL_OF = {"mag": "log_flux", "r_eff": "log_r_eff", "n": "n", "x_0": "dx", "y_0": "dy"}
_QUANTITY_OF = {**_LABEL_OF, "r_eff": "r_eff", "q": "q", "theta": "turn"}
_LIMITS = {
    "log_r_eff": LOG_R_EFF_LIMITS,
    "r_eff": tuple(10**limit for limit in LOG_R_EFF_LIMITS),
    "n": N_LIMITS,
    "q": Q_LIMITS,
    "turn": (-np.pi / 2, np.pi / 2),
    "dx": (-MAX_OFFSET, MAX_OFFSET),
    "dy": (-MAX_OFFSET, MAX_OFFSET),
}
# Those of known numbers; squares of fluxes are sums of float32.
_KNOWN_LIMITS = {**_LIMITS, "log_flux": (-15.0, 15.0), "theta": (-np.inf, np.inf)}


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
            return Composite(model.name, numbers)
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
        with np.errstate(all="ignore"):  # some values may be those of no galaxy
            known = self._known_numbers(start, frame, log_light, offset)
            normals = self._normals(frame, log_light, offset)
        usable = self._usable(frame, known, normals)
        free = [name for name in self._parameters() if name not in known]
        if "theta" not in self.fixed and "e1" not in free:
            free.insert(free.index("dx") if "dx" in free else len(free), "turn")
        layout = Layout(tuple(free), tuple(known), tuple(normals))
        columns = [
            np.where(usable, values, np.clip(0.0, *_KNOWN_LIMITS[name]))
            for name, values in known.items()
        ]
        known = torch.from_numpy(np.reshape(columns, (len(known), len(self))).T.copy())
        made = None
        if normals:
            made = np.stack(list(normals.values()), axis=1)
            made[~usable] = (0.0, 1.0, -np.inf, np.inf)
            made = torch.from_numpy(made)
        return Scene.of(layout, known, made), usable

    def starts(self, labels, scene):
        """Return labels that fits start from: those of the network, with what is known."""
        return [scene.labels(scene.values(torch.from_numpy(labels))).numpy()]

    def _parameters(self):
        """Names of the parameters of a galaxy of which nothing is known but its kind of shape."""
        if {"q", "theta"} & {*self.fixed, *self.priors}:
            return ["log_flux", "log_r_eff", "n", "q", "dx", "dy"]
        return list(LABELS)

    def _known_numbers(self, start, frame, log_light, offset):
        """Known numbers of the layout, by their names, (N,) `~numpy.ndarray` each."""
        fixed = frame.in_pixels(self.fixed)
        names = [name for name in _LABEL_OF if name in fixed]
        labels = frame.to_labels(fixed, names)
        known = {_LABEL_OF[name]: labels[_LABEL_OF[name]] for name in names}
        for name, shift in (("log_flux", log_light), ("dx", offset[:, 0]), ("dy", offset[:, 1])):
            if name in known:
                known[name] = known[name] + shift
        if "q" in fixed:
            known["q"] = fixed["q"]
        if "theta" in fixed:
            known["theta"] = np.radians(fixed["theta"])
        elif "theta" in self.priors:
            known["theta"] = np.radians(self.priors["theta"]["mean"])
        elif "q" not in self._parameters():
            return known
        else:
            columns = split_labels(start)
            known["theta"] = np.nan_to_num(angle(columns.e1, columns.e2))
        return known

    def _normals(self, frame, log_light, offset):
        """Normal priors of the quantities of the layout, (N, 4) `~numpy.ndarray` each."""
        found = {}
        for name, prior in self.priors.items():
            middle, scale = _linear(name, prior, frame, log_light, offset)
            ends = [(prior[part] - middle) / scale for part in ("mean", "low", "high")]
            mean, low, high = ends
            quantity = _QUANTITY_OF[name]
            lowest, highest = _LIMITS.get(quantity, (-np.inf, np.inf))
            low, high = np.minimum(low, high), np.maximum(low, high)
            ends = np.maximum(low, lowest), np.minimum(high, highest)  # NaN if one is
            found[quantity] = np.stack([mean, prior["err"] / np.abs(scale), *ends], axis=1)
        return found

    def _usable(self, frame, known, normals):
        """Return which galaxies have known numbers and normal priors that make sense, (N,)."""
        usable = self._can_be_held(frame)
        for name, values in known.items():
            low, high = _KNOWN_LIMITS[name]
            usable &= np.isfinite(values) & (values >= low) & (values <= high)
        for values in normals.values():
            mean, err, low, high = values.T
            usable &= np.isfinite(mean) & np.isfinite(err) & (err > 0) & (low < high)
        return usable

    def _can_be_held(self, frame):
        """Whether sizes and axis ratios can be held: one on the sky is not one in pixels."""
        named = {*self.fixed, *self.priors}
        if not {"r_eff", "q"} & named or {"r_eff", "q", "theta"} <= set(self.fixed):
            return np.ones(len(self), dtype=bool)
        return frame.is_square.copy()

    def put_into(self, quantiles, parameters):
        """Put fixed values into quantiles of measured galaxies, (P, 3, N) `~numpy.ndarray`."""
        quantiles = quantiles.copy()
        for name, values in self.fixed.items():
            if name not in parameters:
                continue
            row = quantiles[parameters.index(name)]
            measured = np.isfinite(row[1])
            known = values[measured]
            if name == "theta":  # as it came, if it is an angle of the table
                known = np.where(np.abs(known) < 90, known, wrap_theta(known))
            row[:, measured] = known
        return quantiles


def _linear(name, prior, frame, log_light, offset):
    """Zero point and scale of a parameter of tables, in units of a quantity of stamps."""
    match name:
        case "mag":
            zero = frame.zeropoint - 2.5 * (np.log10(frame.noise_level) - log_light)
            return zero, -2.5
        case "r_eff":
            return 0.0, frame.pixel_scale * frame.bins
        case "theta":
            return prior["mean"], np.degrees(1)
        case "x_0":
            return frame.x_middle - offset[:, 0] * frame.bins, frame.bins
        case "y_0":
            return frame.y_middle - offset[:, 1] * frame.bins, frame.bins
        case _:
            return 0.0, 1.0


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
            "outside of the limits of the universal prior, or a size or axis ratio where pixels "
            "are not square"
        )
        warnings.warn(msg, AstropyUserWarning, stacklevel=stacklevel + 1)
