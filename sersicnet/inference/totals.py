"""Totals of galaxies of several parts: light, center, ellipticity and half-light radius."""

from itertools import repeat

import numpy as np
from scipy.special import gammainc, gammaincinv, gammaln

from sersicnet.inference.growth_curves import LOG_RADII, LOG_STEP, growth_curves
from sersicnet.model.labels import LABELS, PROFILE_LABELS, angle, axis_ratio, length, part_slices
from sersicnet.profile_shapes import PROFILE_SHAPES

__all__ = ["joined_labels", "total_radius"]

# Directions in which the light of a part is summed.
_RAYS = 16
# Steps by which the ellipse of half of the light is found, and the error of its logarithm that is
# enough: Newton's, or half of the range where these leave it. The range is 1.3 wider than the sizes
# on both sides.
_STEPS = 30
_ENOUGH = 3e-5
_MARGIN = 1.3
# Draws whose radii are found at a time, in 100 MB.
_MOST = 100_000
_MOST_OTHERS = 4_000


def joined_labels(labels, parts):
    """Return labels of the whole and of its parts.

    Parameters
    ----------
    labels : (N, S, K) `~numpy.ndarray`
        Labels of all parts.
    parts : tuple of (str, str)
        Name and profile of each part.

    Returns
    -------
    dict of (N, S) `~numpy.ndarray`
        The seven labels of the whole, and ``q``: of the sum of the light, the center of light, the
        mean of (e1, e2) by light, the semi-major axis of that ellipse that holds half of the light,
        and NaN for ``n`` (that of a core-Sersic profile is its own). Those of parts have the name
        of the part after a dot; ``share`` is that of the first of several parts.
    """
    most = _MOST
    if len(parts) > 1 and PROFILE_SHAPES.keys() & set(dict(parts).values()):
        most = _MOST_OTHERS
    step = max(1, most // labels.shape[1])
    found = [_joined(some, parts) for some in np.split(labels, range(step, len(labels), step))]
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}


def _joined(labels, parts):
    """Return the same for some of the galaxies."""
    found = {}
    columns = []
    places = part_slices([profile for _, profile in parts])
    for (name, profile), place in zip(parts, places, strict=True):
        values = np.moveaxis(labels[..., place], -1, 0)
        own = dict(zip(PROFILE_LABELS[profile], values, strict=True))
        columns.append(own)
        found |= {f"{label}.{name}": values for label, values in own.items()}
    flux = np.stack([10 ** own["log_flux"] for own in columns])
    total = flux.sum(axis=0)
    share = flux / total
    if len(parts) > 1:
        found["share"] = share[0]
    whole = dict.fromkeys(LABELS, np.full_like(total, np.nan))
    whole["log_flux"] = np.log10(total)
    for label in ("dx", "dy"):
        whole[label] = np.sum(share * [own[label] for own in columns], axis=0)
    if any("e1" in own for own in columns):
        none = np.zeros_like(total)
        for label in ("e1", "e2"):
            whole[label] = np.sum(share * [own.get(label, none) for own in columns], axis=0)
        if len(parts) == 1 and parts[0][1] in PROFILE_SHAPES:
            whole["log_r_eff"] = columns[0]["log_r_eff"]
            whole["n"] = columns[0].get("n", whole["n"])
        else:
            profiles = [profile for _, profile in parts]
            ellipse = whole["e1"], whole["e2"]
            whole["log_r_eff"] = total_radius(columns, share, *ellipse, profiles)
    whole["q"] = axis_ratio(length(whole["e1"], whole["e2"]))
    return whole | found


def total_radius(columns, share, e1, e2, profiles=None):
    """Return the logarithm of the semi-major axis of that ellipse that holds half of the light.

    Parameters
    ----------
    columns : list of dict of (...) `~numpy.ndarray`
        Labels of the parts; those of point sources have no size.
    share : (C, ...) `~numpy.ndarray`
        Shares of the parts in the light.
    e1, e2 : (...) `~numpy.ndarray`
        Ellipticity of the ellipse.
    profiles : sequence of str, optional
        Profiles of the parts, by default Sersic profiles and point sources.

    Returns
    -------
    (...) `~numpy.ndarray`
        Minus infinity where a point source has half of the light.
    """
    rays = []
    within = np.zeros_like(e1)  # the light of point sources
    for own, weight, profile in zip(columns, share, profiles or repeat(None), strict=False):
        if "log_r_eff" not in own:
            within = within + weight
            continue
        light = _light
        if profile in PROFILE_SHAPES:
            light = _light_of_curves
            shape = growth_curves(own, profile, _turns())
        else:
            b = gammaincinv(2 * own["n"], 0.5)[..., None]
            shape = own["n"][..., None], b
        first = angle(own["e1"], own["e2"]) if profile == "edge_on" else 0.0
        rays.append((light, (*shape, weight, _reaches(own, e1, e2, first))))
    sizes = [own["log_r_eff"] for own in columns if "log_r_eff" in own]
    weights = [weight for own, weight in zip(columns, share, strict=True) if "log_r_eff" in own]
    low = np.min(sizes, axis=0) - _MARGIN
    high = np.max(sizes, axis=0) + _MARGIN
    found = np.sum(np.multiply(sizes, weights), axis=0) / np.sum(weights, axis=0)
    far = within < 0.5
    for _ in range(_STEPS):
        here = found[far]
        light = within[far]
        slope = np.zeros_like(light)
        for function, each in rays:
            own, own_slope = function(here, *(values[far] for values in each))
            light += own
            slope += own_slope
        high[far] = np.where(light > 0.5, here, high[far])
        low[far] = np.where(light > 0.5, low[far], here)
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = here - (light - 0.5) / slope
        inside = (newton > low[far]) & (newton < high[far])
        moved = np.where(inside, newton, (low[far] + high[far]) / 2)
        found[far] = moved
        far[far] = np.abs(moved - here) > _ENOUGH
        if not far.any():
            break
    return np.where(within < 0.5, found, -np.inf)


def _turns():
    """Angles of the rays."""
    return np.pi * (np.arange(_RAYS) + 0.5) / _RAYS


def _reaches(own, e1, e2, first):
    """Semi-major axes of ellipses at the half-light radius of a part, along rays, (..., R).

    The rays are counted from some angle.

    Equal shares of the light are along equal angles where the part is stretched to a circle.
    """
    turns = _turns() + np.asarray(first)[..., None]
    x, y = _stretched(np.cos(turns), np.sin(turns), own["e1"], own["e2"])
    r_eff = 10 ** own["log_r_eff"][..., None] / (1 + length(own["e1"], own["e2"])[..., None])
    # the inverse stretch of the ellipse
    x, y = _stretched(x, y, -e1, -e2)
    return r_eff * np.hypot(x, y) / (1 - length(e1, e2)[..., None])


def _stretched(x, y, e1, e2):
    """Points after the stretch that turns circles into ellipses, up to a factor."""
    e1 = e1[..., None]
    e2 = e2[..., None]
    return (1 + e1) * x + e2 * y, e2 * x + (1 - e1) * y


def _light(log_a, n, b, weight, reaches):
    """Light of a part within ellipses of some semi-major axis, and its derivative by log_a."""
    radius = 10 ** log_a[..., None] / reaches
    if (n == 1).all():
        faded = np.exp(-b * radius)
        light = 1 - (1 + b * radius) * faded
        change = (b * radius) ** 2 * faded
    else:
        depth = b * radius ** (1 / n)
        light = gammainc(2 * n, depth)
        change = np.exp(2 * n * np.log(depth) - depth - gammaln(2 * n)) / n
    change = np.log(10) * change
    return weight * light.mean(axis=-1), weight * change.mean(axis=-1)


def _light_of_curves(log_a, curves, slopes, weight, reaches):
    """Return the same from growth curves and their derivatives, by cubic polynomials."""
    place = (log_a[..., None] - np.log10(reaches) - LOG_RADII[0]) / LOG_STEP
    place = np.clip(place, 0, len(LOG_RADII) - 1.001)
    cell = place.astype(int)[..., None]
    ends = []
    for values in (curves, slopes * LOG_STEP):
        values = np.broadcast_to(values, (*place.shape, len(LOG_RADII)))
        ends += [np.take_along_axis(values, cell + step, axis=-1)[..., 0] for step in (0, 1)]
    here, there, slope, slope_there = ends
    t = place - cell[..., 0]
    rise = there - here
    curve = slope + slope_there - 2 * rise
    bend = rise - slope - curve
    light = here + t * (slope + t * (bend + t * curve))
    change = (slope + t * (2 * bend + 3 * t * curve)) / LOG_STEP
    return weight * light.mean(axis=-1), weight * change.mean(axis=-1)
