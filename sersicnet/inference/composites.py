"""Galaxies of several parts at one center: their parameters, and where fits of them start."""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.model.labels import LABELS, LOG_FLUX, PROFILE_LABELS
from sersicnet.model.layout import Layout
from sersicnet.model.scene import Scene

__all__ = ["Composite"]

LAYOUTS = {
    "point": Layout(free=("log_flux", "dx", "dy"), parts=(("point", "point"),)),
    "sersic+exp": Layout(
        free=(
            *("log_flux", "share", "log_ratio", "log_r_eff.disk", "n.bulge"),
            *("e1.bulge", "e2.bulge", "e1.disk", "e2.disk", "dx", "dy"),
        ),
        known=("n.disk",),
        parts=(("bulge", "sersic"), ("disk", "sersic")),
    ),
    "point+sersic": Layout(
        free=("log_flux", "share", "log_r_eff", "n", "e1", "e2", "dx", "dy"),
        parts=(("point", "point"), ("host", "sersic")),
    ),
    "point+exp": Layout(
        free=("log_flux", "share", "log_r_eff", "e1", "e2", "dx", "dy"),
        known=("n",),
        parts=(("point", "point"), ("disk", "sersic")),
    ),
}
# Shares of the first part in the light that fits start from.
_SHARES = (0.05, 0.3, 0.7)
# Radii of bulge and disk that fits start from, over that of a single Sersic profile: those of
# GALAPAGOS-2 (Haussler et al. 2022, A&A 664, A92, table 1).
_BULGE_RADIUS = 0.3
_DISK_RADIUS = 1.2
_BULGE_N = 2.5
_HOST_N = 2.0


@dataclass(frozen=True, eq=False)
class Composite(Rows):
    """N galaxies of several parts, of which nothing is known.

    Attributes
    ----------
    name : str
        Name of the model.
    numbers : (N,) int `~numpy.ndarray`
        Numbers of the galaxies.
    """

    shared = ("name",)

    name: str
    numbers: np.ndarray

    def scene(self, start, frame, log_light, offset):
        """Return the scene of the fits, and that all galaxies can be fitted."""
        n = len(self.numbers)
        layout = LAYOUTS[self.name]
        known = torch.ones(n, len(layout.known), dtype=torch.float64)  # the index of a disk
        return Scene.of(layout, known), np.ones(n, dtype=bool)

    def starts(self, labels, scene):
        """Return labels of all parts that fits start from, made of those of a single profile.

        Parameters
        ----------
        labels : (N, 7) `~numpy.ndarray`
            Labels of the single profile.
        scene : `~sersicnet.model.Scene`
            Parameters of the fits.

        Returns
        -------
        list of (N, K) `~numpy.ndarray`
            The largest galaxies first.
        """
        parts = scene.layout.parts
        if len(parts) == 1:
            return [_chosen(labels, parts[0][1])]
        starts = []
        for share in _SHARES:
            columns = []
            for (name, profile), light in zip(parts, (share, 1 - share), strict=True):
                own = _shaped(labels, name)
                own[:, LOG_FLUX] += np.log10(light)
                columns.append(_chosen(own, profile))
            starts.append(np.concatenate(columns, axis=1))
        return starts

    def put_into(self, quantiles, parameters):
        """Return the quantiles: nothing is fixed."""
        return quantiles


def _chosen(labels, profile):
    """Return the labels of a profile out of those of a galaxy."""
    return labels[:, [LABELS.index(kind) for kind in PROFILE_LABELS[profile]]]


def _shaped(labels, name):
    """Return labels with the radius, index and ellipticity that fits of a part start from."""
    columns = dict(zip(LABELS, labels.T.copy(), strict=True))
    match name:
        case "bulge":
            columns["log_r_eff"] += np.log10(_BULGE_RADIUS)
            columns["n"][:] = _BULGE_N
            columns["e1"] *= 0.5
            columns["e2"] *= 0.5
        case "disk":
            columns["log_r_eff"] += np.log10(_DISK_RADIUS)
            columns["n"][:] = 1.0
        case "host":
            columns["n"] = np.minimum(columns["n"], _HOST_N)
    return np.stack(list(columns.values()), axis=1)
