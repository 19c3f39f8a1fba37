"""Galaxies with structure, rendered as sums of Sersic profiles and Gaussian blobs.

A structured galaxy has a main part, the Sersic profile that it would have without structure, and,
each by chance: a bulge, a nucleus, a bar, a ring, spiral arms, clumps and a tidal arc. Bar, ring,
arms, clumps and arc are circular Gaussian blobs in the plane of the galaxy's ellipse. The transform
of such a blob is a product of functions of x and y, so that a hundred of them cost a matrix product
and all together one inverse FFT.

The **label** of a structured galaxy in a scene is the best single Sersic profile of its noise-free
image behind the true PSF, with the weights of that scene (noise map and mask) and no sky: the least
chi2, to 1e-4 of it. It is what a fit of one profile would find without noise.
"""

import math

import torch

from sersicnet.model.labels import (
    CENTER,
    ELLIPTICITY,
    LOG_FLUX,
    LOG_R_EFF,
    SERSIC_N,
    angle,
    axis_ratio,
    length,
    split_labels,
)
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.newton import best_sersic
from sersicnet.model.prior import LOG_R_EFF_LIMITS, MAX_OFFSET, N_LIMITS, Q_LIMITS, log_snr
from sersicnet.model.profile import fft_size, sersic_images, stamps_of, wave_numbers

__all__ = ["best_labels", "draw_structure", "may_have_structure", "structured_images"]

# Half-light radii in pixels of galaxies that may have structure: it is seen, and in the stamp.
SIZES = (2.0, 25.0)
# Shares of structured galaxies with each part.
_SHARES = {
    "bulge": 0.5,
    "nucleus": 0.25,
    "bar": 0.3,
    "ring": 0.25,
    "arms": 0.35,
    "clumps": 0.35,
    "arc": 0.25,
}
# Numbers of blobs of each part.
_N_BAR = 9
_N_RING = 24
_N_ARM = 14
_N_CLUMPS = 8
_N_ARC = 10
# Blobs further than this from the middle of the stamp would come in at the other side, in pixels.
_FARTHEST = 90.0
# Labels closer to the limits of the prior than this share of their range are not used.
_EDGE = 0.01
# Galaxies up to this half-light radius are fitted in the middle of the stamp, in pixels.
_SMALL = 8.0
_MIDDLE = 64
# Most steps of a fit from the main profile, and of one for the weights of a scene.
N_FIRST = 12
N_AGAIN = 4
# S/N at which galaxies are fitted before their scenes are known.
_FIRST_SNR = 100.0
# Changes of chi2 by a step that are small, as shares of it: in scenes, and before.
_TOLERANCE = 1e-4
_FIRST_TOLERANCE = 2e-3
# PSFs that are sampled more finely are behind galaxies without structure: fits of these are slow.
FINEST = 2


def may_have_structure(labels):
    """Return whether galaxies are large and small enough to have structure, (N,) bool."""
    low, high = (math.log10(size) for size in SIZES)
    return (labels[:, LOG_R_EFF] > low) & (labels[:, LOG_R_EFF] < high)


def draw_structure(labels, generator):
    """Draw the structure of galaxies.

    Parameters
    ----------
    labels : (M, 7) `~torch.Tensor`
        Labels of the main parts, of unit flux.
    generator : `~torch.Generator`
        Source of randomness.

    Returns
    -------
    smooth : (2, M, 7) `~torch.Tensor`
        Labels of main part and bulge; the flux of all parts together is 1.
    blobs : (4, M, B) `~torch.Tensor`
        Flux, position (x, y) in pixels from the middle of the stamp, and sigma in pixels.
    """
    draw = _Draws(len(labels), generator)
    has = {name: draw(0, 1) < share for name, share in _SHARES.items()}
    parts = [
        _nucleus(draw, has["nucleus"]),
        _bar(draw, has["bar"]),
        _ring(draw, has["ring"]),
        _arms(draw, has["arms"]),
        _clumps(draw, has["clumps"]),
        _arc(draw, has["arc"]),
    ]
    flux, u, v, sigma = (torch.cat(columns, dim=1) for columns in zip(*parts, strict=True))
    smooth, bulge = _smooth_parts(labels, draw, has["bulge"])
    columns = split_labels(labels[:, None])
    size = 10**columns.log_r_eff
    theta = angle(columns.e1, columns.e2)
    v = v * axis_ratio(length(columns.e1, columns.e2))
    x = columns.dx + size * (u * theta.cos() - v * theta.sin())
    y = columns.dy + size * (u * theta.sin() + v * theta.cos())
    flux = flux * (torch.maximum(x.abs(), y.abs()) < _FARTHEST)
    total = 1 + bulge + flux.sum(dim=1)
    smooth[0, :, LOG_FLUX] = -total.log10()
    smooth[1, :, LOG_FLUX] = (bulge / total).clamp(min=1e-9).log10()
    return smooth, torch.stack([flux / total[:, None], x, y, sigma * size])


class _Draws:
    """Uniform random numbers of M galaxies."""

    def __init__(self, n, generator):
        self.n = n
        self.generator = generator

    def __call__(self, low, high, *shape):
        draws = torch.rand(self.n, *shape, generator=self.generator, device=self.generator.device)
        return low + (high - low) * draws


def _smooth_parts(labels, draw, has_bulge):
    """Labels of main part and bulge, and the flux of the bulge over that of the main part."""
    main = labels.clone()
    main[:, SERSIC_N] = torch.where(draw(0, 1) < 0.7, draw(0.6, 1.5), main[:, SERSIC_N])
    bulge = labels.clone()
    bulge[:, LOG_R_EFF] = (bulge[:, LOG_R_EFF] - draw(0.3, 1.1)).clamp(min=LOG_R_EFF_LIMITS[0])
    bulge[:, SERSIC_N] = draw(0.6, 5.5)
    bulge[:, ELLIPTICITY] *= draw(0, 1, 1)
    share = draw(0.02, 0.6)
    return torch.stack([main, bulge]), torch.where(has_bulge, share / (1 - share), 0.0)


def _part(draw, present, low, high, weights, u, v, sigma):
    """Fluxes (over that of the main part), positions and sigmas of the blobs of one part."""
    total = torch.where(present, draw(low, high), 0.0)
    flux = total[:, None] * weights / weights.sum(dim=1, keepdim=True)
    return flux, u, v, sigma.expand_as(u)


def _nucleus(draw, present):
    zero = torch.zeros_like(draw(0, 1, 1))
    total = torch.where(present, 10 ** draw(-2.5, -0.6), 0.0)[:, None]
    return total, zero, zero, zero


def _bar(draw, present):
    along = torch.linspace(-1, 1, _N_BAR, device=draw.generator.device)
    half = draw(0.3, 1.0, 1)
    turn = draw(0, math.pi, 1)
    u = half * along * turn.cos()
    v = half * along * turn.sin()
    return _part(draw, present, 0.02, 0.3, torch.ones_like(u), u, v, half * draw(0.12, 0.2, 1))


def _ring(draw, present):
    steps = torch.arange(_N_RING, device=draw.generator.device) / _N_RING
    turn = 2 * math.pi * steps
    radius = draw(0.7, 2.0, 1)
    weights = 1 + draw(0, 0.8, 1) * (turn + draw(0, 2 * math.pi, 1)).cos()
    return _part(
        draw,
        present,
        0.03,
        0.4,
        weights,
        radius * turn.cos(),
        radius * turn.sin(),
        radius * draw(0.1, 0.25, 1),
    )


def _arms(draw, present):
    """Two logarithmic spirals, of which one may be brighter."""
    steps = torch.linspace(0, 1, _N_ARM, device=draw.generator.device).repeat(2)
    opposite = torch.tensor([0.0, 1.0], device=steps.device).repeat_interleave(_N_ARM)
    inner = draw(0.3, 0.8, 1)
    radius = inner * (draw(1.5, 3.0, 1) / inner) ** steps
    sense = torch.where(draw(0, 1, 1) < 0.5, -1.0, 1.0)
    pitch = torch.tan(draw(math.radians(10), math.radians(35), 1))
    turn = sense * torch.log(radius / inner) / pitch + draw(0, 2 * math.pi, 1) + math.pi * opposite
    weights = torch.exp(-radius) * radius * (1 - draw(0, 0.6, 1) * opposite)
    u = radius * turn.cos()
    v = radius * turn.sin()
    return _part(draw, present, 0.05, 0.6, weights, u, v, 0.12 + 0.1 * radius * draw(0.3, 1, 1))


def _clumps(draw, present):
    shape = (_N_CLUMPS,)
    radius = 2 * draw(0, 1, *shape).sqrt()
    turn = draw(0, 2 * math.pi, *shape)
    weights = 10 ** draw(-1.5, 0, *shape)
    sigma = draw(0.03, 0.25, *shape)
    return _part(draw, present, 0.02, 0.5, weights, radius * turn.cos(), radius * turn.sin(), sigma)


def _arc(draw, present):
    """A tidal arc on one side."""
    steps = torch.linspace(-1, 1, _N_ARC, device=draw.generator.device)
    radius = draw(1.5, 3.5, 1) * (1 + draw(-0.4, 0.4, 1) * steps)
    turn = draw(0, 2 * math.pi, 1) + draw(0.3, 1.2, 1) * steps
    u = radius * turn.cos()
    v = radius * turn.sin()
    return _part(draw, present, 0.02, 0.25, torch.ones_like(u), u, v, draw(0.2, 0.5, 1))


def structured_images(smooth, blobs, transform, *, stamp_size, oversampling):
    """Render structured galaxies behind one PSF.

    Parameters
    ----------
    smooth, blobs : `~torch.Tensor`
        Galaxies of `draw_structure`.
    transform : (F, F / 2 + 1) complex `~torch.Tensor`
        PSF, as for `~sersicnet.model.sersic_images`.
    stamp_size, oversampling : int
        As there.

    Returns
    -------
    (M, S, S) `~torch.Tensor`
        Flux per pixel.
    """
    options = {"stamp_size": stamp_size, "oversampling": oversampling}
    images = sersic_images(smooth[0], transform, **options)
    with_bulge = (smooth[1, :, LOG_FLUX] > -8).nonzero()[:, 0]
    if len(with_bulge):
        images[with_bulge] += sersic_images(smooth[1, with_bulge], transform, **options)
    flux, x, y, sigma = blobs[..., None]
    kx, ky = wave_numbers(oversampling * fft_size(stamp_size), images.device, images.dtype)
    middle = (stamp_size - 1) / 2
    width = -0.5 * (oversampling * sigma) ** 2
    along_x = torch.polar(torch.exp(width * kx**2), -oversampling * (middle + x) * kx)
    along_y = torch.polar(flux * torch.exp(width * ky**2), -oversampling * (middle + y) * ky)
    spectrum = along_y.transpose(1, 2) @ along_x
    found = stamps_of(spectrum * transform, stamp_size, oversampling)
    return images + oversampling**2 * found


def best_labels(images, labels, transform, weight=None, *, oversampling, n_steps):
    """Find the labels of structured galaxies: see the module.

    Parameters
    ----------
    images : (M, S, S) `~torch.Tensor`
        Noise-free images.
    labels : (M, 7) `~torch.Tensor`
        Labels to start from.
    transform : (F, F / 2 + 1) or (M, F, F / 2 + 1) complex `~torch.Tensor`
        True PSFs on stamps of S pixels.
    weight : (M, S, S) `~torch.Tensor`, optional
        Weights of their scenes; by default galaxies of S/N 100 in even noise.
    oversampling : int
        PSF pixels per image pixel.
    n_steps : int
        Largest number of steps.

    Returns
    -------
    labels : (M, 7) `~torch.Tensor`
    usable : (M,) bool `~torch.Tensor`
        Whether the fit has converged, well within the prior.
    """
    scale = torch.ones(len(labels), device=labels.device)
    tolerance = _TOLERANCE
    if weight is None:
        tolerance = _FIRST_TOLERANCE
        scale = 10 ** (math.log10(_FIRST_SNR) - log_snr(labels))
        weight = torch.ones_like(images)
    found = labels.clone()
    usable = torch.zeros(len(labels), dtype=torch.bool, device=labels.device)
    small = labels[:, LOG_R_EFF] < math.log10(_SMALL)
    whole = images.shape[-1]
    for size, chosen in ((_MIDDLE, small), (whole, ~small)):
        rows = chosen.nonzero()[:, 0]
        if not len(rows):
            continue
        edge = slice((whole - size) // 2, (whole + size) // 2)
        own = transform[rows] if transform.dim() == 3 else transform
        likelihood = StampLikelihood(
            (scale[rows, None, None] * images[rows])[:, edge, edge].contiguous(),
            weight[rows][:, edge, edge].contiguous(),
            cropped_transform(own, whole, size, oversampling),
            oversampling,
            sky_err=torch.zeros(len(rows), dtype=torch.float64, device=labels.device),
        )
        start = labels[rows].clone()
        start[:, LOG_FLUX] += scale[rows].log10()
        best, converged = best_sersic(likelihood, start, n_steps=n_steps, tolerance=tolerance)
        best[:, LOG_FLUX] -= scale[rows].log10()
        found[rows] = best
        usable[rows] = converged
    return found, usable & _well_inside(found)


def cropped_transform(transform, stamp_size, size, oversampling):
    """Return the transforms of PSFs for smaller stamps, whose transforms have fewer points."""
    if size == stamp_size:
        return transform
    coarse = oversampling * fft_size(stamp_size)
    fine = oversampling * fft_size(size)
    image = torch.fft.irfft2(transform, s=(coarse, coarse))
    half = fine // 2
    places = torch.cat([torch.arange(half), torch.arange(coarse - half, coarse)])
    places = places.to(image.device)
    return torch.fft.rfft2(image[..., places, :][..., places])


def _well_inside(labels):
    """Whether labels are within the prior, not at its limits."""
    columns = split_labels(labels)
    q = axis_ratio(length(columns.e1, columns.e2))
    values = {
        LOG_R_EFF_LIMITS: columns.log_r_eff,
        N_LIMITS: columns.n,
        (Q_LIMITS[0], 2.0): q,
        (-MAX_OFFSET, MAX_OFFSET): labels[:, CENTER].abs().amax(dim=1),
    }
    inside = labels.isfinite().all(dim=1)
    for (low, high), value in values.items():
        edge = _EDGE * (high - low)
        inside &= (value > low + edge) & (value < high - edge)
    return inside
