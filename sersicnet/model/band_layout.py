"""Layouts of galaxies in several bands: one structure, and light and a small shift of each band.

The parameters are those of the galaxy, or of its parts, in the stamp of a first band, but the light
of each band. A matrix and a place for each of the others lead to its pixels, whatever their size
and orientation.
"""

from dataclasses import dataclass
from functools import cached_property

import torch

from sersicnet.model.labels import LABELS, LOG_FLUX, PROFILE_LABELS, length, part_slices
from sersicnet.model.layout import SERSIC, Layout, kind_of
from sersicnet.model.prior import N_LIMITS

__all__ = [
    "ELLIPSE",
    "LEAST_SNR",
    "LIGHT",
    "N_RANGE",
    "SHAPE",
    "SLOPES",
    "BandLayout",
    "BandView",
    "band_layout",
    "moved_ellipse",
    "names_of_bands",
    "view_of_band",
]

# Least S/N within the half-light ellipse that the flux of a band can have.
LEAST_SNR = 1.0
# Parameters that all bands have together.
SHAPE = LABELS[LOG_FLUX + 1 :]
# Parameters of the light, of which each band has its own.
LIGHT = ("log_flux", "share")
# Those of a galaxy whose size and index change with wavelength.
SLOPES = ("size_slope", "n_slope")
ELLIPSE = ("log_r_eff", "e1", "e2")
# Known numbers of a band: the matrix that turns steps in pixels of the stamp of the first band into
# those of its own stamp, where the middle of the first stamp is in it, and the decimal logarithm of
# its wavelength over that of the first.
_MAP = ("xx", "xy", "yx", "yy", "x_at", "y_at", "wave")
# Indices that a band can have.
N_RANGE = (N_LIMITS[0] + 1e-3, N_LIMITS[1] - 1e-3)


def moved_ellipse(log_r_eff, e1, e2, matrix):
    """Return an ellipse in other pixels.

    With M the matrix of the second moments of the ellipse, those in the other pixels are A M A'.
    In units of a quarter of the squared sum of the semi-axes, M is (1 + e^2) I plus twice (e1, e2)
    along the diagonal and off it, and the square root of its determinant 1 - e^2.

    Parameters
    ----------
    log_r_eff, e1, e2 : (...) `~torch.Tensor`
        Labels of the ellipse.
    matrix : sequence of four (...) `~torch.Tensor`
        Elements xx, xy, yx and yy of A, which turns steps in pixels into those in the others.

    Returns
    -------
    log_r_eff, e1, e2 : (...) `~torch.Tensor`

    Examples
    --------
    >>> import torch
    >>> from sersicnet.model.band_layout import moved_ellipse
    >>> half_turned = torch.tensor([0.0, -0.5, 0.5, 0.0]).unbind()
    >>> moved = moved_ellipse(torch.tensor(1.0), torch.tensor(0.3), torch.tensor(0.1), half_turned)
    >>> [round(float(number), 3) for number in moved]
    [0.699, -0.3, -0.1]
    """
    xx, xy, yx, yy = matrix
    square = e1**2 + e2**2
    along_x = 1 + square + 2 * e1
    along_y = 1 + square - 2 * e1
    mixed = 2 * e2
    new_x = xx**2 * along_x + 2 * xx * xy * mixed + xy**2 * along_y
    new_y = yx**2 * along_x + 2 * yx * yy * mixed + yy**2 * along_y
    new_mixed = xx * yx * along_x + (xx * yy + xy * yx) * mixed + xy * yy * along_y
    root = (xx * yy - xy * yx).abs() * (1 - square)
    total = (new_x + new_y) / 2 + root
    new_e1 = (new_x - new_y) / (2 * total)
    new_e2 = new_mixed / total
    longer = (1 + length(new_e1, new_e2)) / (1 + length(e1, e2))
    return log_r_eff + torch.log10((total / 2).sqrt() * longer), new_e1, new_e2


def names_of_bands(base, bands, *, shifted, chromatic=False):
    """Return the names of all parameters of a galaxy in some bands.

    Parameters
    ----------
    base : `~sersicnet.model.Layout`
        Layout of the galaxy in one band.
    bands : sequence of str
        Names of the bands.
    shifted : sequence of str
        Names of the bands in which the galaxy may be off its place.
    chromatic : bool, optional
        Whether size and index change with wavelength.

    Returns
    -------
    tuple of str
    """
    names = [name for name in base.free if kind_of(name) not in LIGHT]
    light = [name for name in base.free if kind_of(name) in LIGHT]
    for band in bands:
        names += map(f"{{}}.{band}".format, light)
    for band in shifted:
        names += [f"shift_x.{band}", f"shift_y.{band}"]
    return (*names, *SLOPES) if chromatic else tuple(names)


@dataclass(frozen=True)
class BandView(Layout):
    """The layout of a galaxy as one of several bands shows it.

    Attributes
    ----------
    free, known, priors, parts
        As in `~sersicnet.model.Layout`: parameters are those of the base, with the light of this
        band, and shifts and slopes, if there are some. Known are the numbers of the base, and what
        leads to the stamp of this band.
    base : `~sersicnet.model.Layout`
        Layout of the galaxy in the stamp of the first band.
    """

    base: Layout = SERSIC

    def labels(self, values, known):
        """Return labels in this band, (..., K) for values (..., P) and known numbers (..., F)."""
        n_base = len(self.base.free)
        known_base, ways = known.split([known.shape[-1] - len(_MAP), len(_MAP)], dim=-1)
        there = self.base.labels(values[..., :n_base], known_base)
        free = dict(zip(self.free[n_base:], values[..., n_base:].unbind(-1), strict=True))
        *matrix, x_at, y_at, wave = ways.unbind(-1)
        columns = list(there.unbind(-1))
        for place, profile in zip(part_slices(self.profiles), self.profiles, strict=True):
            own = dict(zip(PROFILE_LABELS[profile], columns[place], strict=True))
            if "log_r_eff" in own:
                moved = moved_ellipse(*(own[name] for name in ELLIPSE), matrix)
                own |= dict(zip(ELLIPSE, moved, strict=True))
            if "n_slope" in free:
                own["log_r_eff"] = own["log_r_eff"] + wave * free["size_slope"]
                own["n"] = (own["n"] + wave * free["n_slope"]).clamp(*N_RANGE)
            x = own["dx"] + free.get("shift_x", 0.0)
            y = own["dy"] + free.get("shift_y", 0.0)
            xx, xy, yx, yy = matrix
            own["dx"] = xx * x + xy * y + x_at
            own["dy"] = yx * x + yy * y + y_at
            columns[place] = own.values()
        return torch.stack(columns, dim=-1)


def view_of_band(base, names, band):
    """Return the layout of a galaxy as a band shows it, and the places of its parameters.

    Parameters
    ----------
    base : `~sersicnet.model.Layout`
        Layout of the galaxy in one band.
    names : sequence of str
        Names of all parameters, as `names_of_bands` returns them.
    band : str
        Name of the band.

    Returns
    -------
    view : BandView
    columns : list of int
        Places of its parameters among all.

    Examples
    --------
    >>> from sersicnet.model.band_layout import names_of_bands, view_of_band
    >>> from sersicnet.model.layout import SERSIC
    >>> names = names_of_bands(SERSIC, ("g", "r"), shifted="r")
    >>> view, columns = view_of_band(SERSIC, names, "r")
    >>> view.free[-2:], columns
    (('shift_x', 'shift_y'), [7, 0, 1, 2, 3, 4, 5, 8, 9])
    """
    columns = []
    for name in base.free:
        of_all = f"{name}.{band}" if kind_of(name) in LIGHT else name
        columns.append(names.index(of_all))
    free = list(base.free)
    for name in ("shift_x", "shift_y"):
        if f"{name}.{band}" in names:
            free.append(name)
            columns.append(names.index(f"{name}.{band}"))
    for name in SLOPES:
        if name in names:
            free.append(name)
            columns.append(names.index(name))
    view = BandView(tuple(free), (*base.known, *_MAP), (), base.parts, base=base)
    return view, columns


@dataclass(frozen=True)
class BandLayout(Layout):
    """The layout of a galaxy in several bands, whose parts are those of all bands.

    As in `~sersicnet.model.Layout`; ``shift_x`` and ``shift_y`` of a band, if they are free, are by
    how much the galaxy is off its place there, in pixels of the stamp of the first band.
    ``size_slope`` and ``n_slope``, if they are free, are the change of ``log_r_eff`` and ``n`` with
    ``wave``, the decimal logarithm of the wavelength of a band over that of the first.

    Attributes
    ----------
    base : `~sersicnet.model.Layout`
        Layout of the galaxy in the stamp of the first band.
    bands : tuple of str
        Names of the bands.
    tied : bool
        Whether all bands are exposures with one flux: priors tie theirs to that of the first.
    """

    base: Layout = SERSIC
    bands: tuple[str, ...] = ()
    tied: bool = False

    @cached_property
    def views(self):
        """Layouts and columns of all bands, a list of (BandView, list of int)."""
        found = []
        for band in self.bands:
            found.append(view_of_band(self.base, self.free, band))
        return found

    @property
    def is_chromatic(self):
        """Whether size and index change with wavelength."""
        return "n_slope" in self.free

    @property
    def n_shifts(self):
        """Number of shifts that are free."""
        return len(self.columns("shift_x", "shift_y"))

    def ways(self, known):
        """Return what leads to the other bands, (..., B - 1, 7) for known numbers (..., F)."""
        ways = known[..., len(self.base.known) :]
        return ways.reshape(*ways.shape[:-1], len(self.bands) - 1, len(_MAP))

    def labels(self, values, known):
        """Return labels of all parts in all bands, side by side, (..., K B)."""
        of_base = known[..., : len(self.base.known)]
        ways = self.ways(known)
        (_, columns), *others = self.views
        found = [self.base.labels(values[..., columns[: len(self.base.free)]], of_base)]
        for number, (view, columns) in enumerate(others):
            own = torch.cat([of_base, ways[..., number, :]], dim=-1)
            found.append(view.labels(values[..., columns], own))
        return torch.cat(found, dim=-1)

    def quantities(self, values, known):
        """Return the quantities that have a normal prior.

        They are those of the base, shifts, slopes, and the fluxes of exposures over the first one.
        """
        of_base = known[..., : len(self.base.known)]
        _, columns = self.views[0]
        found = values[..., self.columns("shift_x", "shift_y", *SLOPES)]
        if self.tied:
            fluxes = values[..., self.columns("log_flux")]
            found = torch.cat([found, fluxes[..., 1:] - fluxes[..., :1]], dim=-1)
        if not self.base.priors:
            return found
        own = self.base.quantities(values[..., columns[: len(self.base.free)]], of_base)
        return torch.cat([own, found], dim=-1)


def band_layout(bands, *, base=SERSIC, shifted=True, chromatic=False):
    """Return the layout of a galaxy in some bands.

    Parameters
    ----------
    bands : sequence of str
        Names of the bands; the parameters are those in the stamp of the first.
    base : `~sersicnet.model.Layout`, optional
        Layout of the galaxy in one band, by default that of one Sersic profile.
    shifted : bool, optional
        Whether the galaxy may be off its place in the others.
    chromatic : bool, optional
        Whether size and index change with wavelength.

    Returns
    -------
    BandLayout

    Examples
    --------
    >>> from sersicnet.model.band_layout import band_layout
    >>> band_layout(("g", "r")).free[-4:]
    ('log_flux.g', 'log_flux.r', 'shift_x.r', 'shift_y.r')
    """
    moving = bands[1:] if shifted else ()
    free = names_of_bands(base, bands, shifted=moving, chromatic=chromatic)
    known = list(base.known)
    for band in bands[1:]:
        known += map(f"{{}}.{band}".format, _MAP)
    parts = []
    for band in bands:
        for part, profile in base.parts:
            parts.append((f"{part}.{band}", profile))
    shifts = [name for name in free if kind_of(name) in ("shift_x", "shift_y", *SLOPES)]
    priors = (*base.priors, *shifts)
    return BandLayout(free, tuple(known), priors, tuple(parts), base=base, bands=tuple(bands))
