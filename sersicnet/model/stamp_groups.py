"""Galaxies of a batch in groups that are fitted together, each with its likelihood."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
import torch

from sersicnet._rows import Rows
from sersicnet.model.free_parts import FreeParts, slope_images
from sersicnet.model.insets import Insets
from sersicnet.model.likelihood import StampLikelihood
from sersicnet.model.parts import scene_images
from sersicnet.model.pixel_laws import PixelLaw, law_likelihood
from sersicnet.model.render import n_together, psf_transforms
from sersicnet.model.sizes import FAINTEST, holding_sizes, scene_stamp_sizes
from sersicnet.model.whitening import filter_transform, whitened_likelihood

__all__ = ["NoiseFilters", "SharedStamps", "likelihoods", "stamp_likelihood"]


@dataclass(frozen=True, eq=False)
class NoiseFilters(Rows):
    """How the noise of N stamps is whitened.

    Attributes
    ----------
    filters : (N, 17, 17) float32 `~numpy.ndarray`
        Filters of `~sersicnet.model.whitening_filters`; 0 where the noise is white.
    small : (N, S, S) bool `~numpy.ndarray`
        Pixels without data in small parts, which are projected out.
    """

    filters: np.ndarray
    small: np.ndarray

    @property
    def is_white(self):
        """Whether the noise is white, (N,) bool `~numpy.ndarray`."""
        return ~self.filters.any(axis=(1, 2))


@dataclass(frozen=True, eq=False)
class SharedStamps(Rows):
    """The pixels on which several models of N galaxies are compared.

    Attributes
    ----------
    labels : (N, 7) `~numpy.ndarray`
        Labels of one Sersic profile for each galaxy, whose light outside of the stamp is
        subtracted there.
    sizes : (N,) int `~numpy.ndarray`
        Sides of the stamps.
    """

    labels: np.ndarray
    sizes: np.ndarray


def likelihoods(
    labels,
    data,
    weight,
    psfs,
    *,
    chunk,
    profiles=("sersic",),
    sky_err=None,
    plane=False,
    noise=None,
    shared=None,
    kinds=None,
    members=None,
    faintest=FAINTEST,
    device="cpu",
):
    """Group galaxies that are fitted together, and make the likelihood of each group.

    Parameters
    ----------
    labels : (N, K) `~numpy.ndarray`
        Labels that the fit starts from; galaxies with NaN are left out.
    data, weight : (N, S, S) `~numpy.ndarray`
        Images and weights of even size, as in `~sersicnet.preprocessing.Stamps`.
    psfs : `~sersicnet.model.PSFs`
        PSFs of the galaxies.
    chunk : int
        Largest number of galaxies in a group.
    profiles : tuple of str, optional
        Profiles of the parts of a galaxy, as in `~sersicnet.model.StampLikelihood`.
    sky_err : (N,) `~numpy.ndarray`, optional
        Standard deviations of the prior of the sky, as in `~sersicnet.model.StampLikelihood`.
    plane : bool, optional
        Whether the sky has a free slope as well.
    noise : `NoiseFilters` or `~sersicnet.model.PixelLaw`, optional
        Correlation of the noise, or a distribution that is not normal; by default pixels are
        independent and normal.
    shared : SharedStamps, optional
        Stamps that other models have too; by default they are made for these labels.
    kinds : (N, G) str `~numpy.ndarray`, optional
        Profiles of the parts, if galaxies have different ones: all have seven labels then, and
        ``profiles`` are Sersic profiles. Each part is drawn on few pixels of the stamp; what it has
        beyond them is subtracted as it is for ``labels``.
    members : `~sersicnet.model.PSFs`, optional
        PSFs of the N * G parts, needed with ``kinds``.
    faintest : float, optional
        Surface brightness in units of the data down to which parts are drawn, with ``kinds``.
    device : str or `~torch.device`
        Device that renders.

    Yields
    ------
    rows : (M,) `~numpy.ndarray`
        Numbers of the galaxies of a group.
    likelihood : `~sersicnet.model.StampLikelihood`
        Likelihood of the group.
    """
    good = np.isfinite(labels).all(axis=1) & (psfs.which >= 0)
    if shared is not None:
        good &= np.isfinite(shared.labels).all(axis=1)
    if sky_err is None:
        sky_err = np.full(len(labels), np.inf)
    white = np.ones(len(labels), dtype=bool)
    if noise is not None:
        white = noise.is_white
    whole = data.shape[-1]
    shown, own, sizes = _deciding(labels, profiles, psfs.widths(), shared)
    sizes = np.minimum(sizes, whole)
    if plane or kinds is not None:  # all pixels show the slope; insets are small on any stamp
        sizes = np.full(len(labels), whole)
    has_law = isinstance(noise, PixelLaw)
    if has_law:  # pixels around a stamp could not be summed up
        sizes = np.minimum(holding_sizes(weight), whole)
    options = {"device": device, "plane": plane, "profiles": own}
    for size, alike in product(np.unique(sizes[good]), (True, False)):
        chosen = np.flatnonzero(good & (sizes == size) & (white == alike))
        chosen = chosen[np.argsort(psfs.which[chosen], kind="stable")]
        step = n_together(chunk, whole, psfs.oversampling, device)
        for start in range(0, len(chosen), step):
            rows = chosen[start : start + step]
            stamps = shown[rows], data[rows], weight[rows], psfs[rows], sky_err[rows]
            correlated = None if alike else noise[rows]
            likelihood = stamp_likelihood(*stamps, correlated, size=int(size), **options)
            likelihood = replace(likelihood, profiles=profiles)
            if has_law:
                likelihood = law_likelihood(likelihood, noise[rows])
            if kinds is not None:
                parts = (rows[:, None] * kinds.shape[1] + np.arange(kinds.shape[1])).ravel()
                own = labels[rows], members[parts], kinds[rows], correlated
                likelihood = _with_insets(likelihood, *own, faintest)
            yield rows, likelihood


def _deciding(labels, profiles, widths, shared):
    """Labels whose light outside of a stamp is subtracted, their profiles, and sides of stamps."""
    if shared is None:
        return labels, profiles, scene_stamp_sizes(labels, widths, profiles)
    return shared.labels, ("sersic",), shared.sizes


def _with_insets(likelihood, labels, psfs, kinds, noise, faintest):
    """Return a likelihood whose parts are drawn on insets."""
    size = likelihood.data.shape[-1]
    device = likelihood.device
    options = {"kinds": kinds, "faintest": faintest, "device": device}
    insets = Insets.around(labels, psfs, size, **options)
    whole = insets.on_whole(psfs, size, device)
    if noise is not None:
        filters = torch.from_numpy(noise.filters).to(device)
        response = partial(filter_transform, filters, oversampling=psfs.oversampling)
        insets = insets.times(response)
        whole = whole.times(response)
    start = torch.from_numpy(labels).float().to(device)
    beyond = replace(likelihood, insets=whole).model(start)
    likelihood = replace(likelihood, insets=insets)
    likelihood.data = likelihood.data - (beyond - likelihood.model(start))
    return likelihood


def stamp_likelihood(labels, data, weight, psfs, sky_err, noise, *, size, **options):
    """Make the likelihood of galaxies whose stamps have one size.

    Parameters
    ----------
    labels, data, weight, psfs, sky_err
        As in `likelihoods`.
    noise : `NoiseFilters` or None
        Correlation of the noise, None where it is white.
    size : int
        Pixels on a side of the stamps, of which those around only constrain the sky.
    **options
        ``plane``, ``profiles`` and ``device``, as in `likelihoods`.

    Returns
    -------
    `~sersicnet.model.StampLikelihood`
    """
    if noise is None:
        return _white(labels, data, weight, psfs, sky_err, size=size, **options)
    return _colored(labels, data, weight, psfs, sky_err, noise, size=size, **options)


def _white(labels, data, weight, psfs, sky_err, *, size, plane, profiles, device):
    """The likelihood of some galaxies with white noise."""
    edge = (data.shape[-1] - size) // 2
    inner = (slice(None), slice(edge, edge + size), slice(edge, edge + size))
    scale = torch.from_numpy(weight[inner]).contiguous().to(device)
    slopes = None
    if plane:
        slopes = FreeParts.of(None, scale[:, None] * slope_images(size, scale), scale)
    return StampLikelihood(
        data=torch.from_numpy(data[inner]).contiguous().to(device),
        weight=scale,
        masked=slopes,
        transform=psf_transforms(psfs, psfs.which, size, device),
        oversampling=psfs.oversampling,
        sky_err=torch.from_numpy(sky_err).to(device),
        outside=_outside(labels, data, weight, psfs, size, profiles, device),
        profiles=profiles,
    )


def _colored(labels, data, weight, psfs, sky_err, noise, *, size, plane, profiles, device):
    """The likelihood of some galaxies with correlated noise."""
    return whitened_likelihood(
        torch.from_numpy(labels).float().to(device),
        torch.from_numpy(data).to(device),
        torch.from_numpy(weight).to(device),
        torch.from_numpy(noise.filters).to(device),
        torch.from_numpy(noise.small).to(device),
        psfs,
        size=size,
        sky_err=torch.from_numpy(sky_err).to(device),
        plane=plane,
        profiles=profiles,
    )


def _outside(labels, data, weight, psfs, size, profiles, device):
    """Sums over the pixels around the stamps, with the light of ``labels`` subtracted, (N, 4)."""
    whole = data.shape[-1]
    data = torch.from_numpy(data).to(device).double()
    weight = torch.from_numpy(weight).to(device).double()
    edge = (whole - int(size)) // 2
    weight[:, edge : whole - edge, edge : whole - edge] = 0
    if edge:
        model = scene_images(
            torch.from_numpy(labels).float().to(device),
            psf_transforms(psfs, psfs.which, whole, device),
            profiles=profiles,
            stamp_size=whole,
            oversampling=psfs.oversampling,
        )
        data = data - model
    square = weight.square()
    parts = ((weight > 0).double(), square, square * data, square * data**2)
    return torch.stack([part.sum(dim=(1, 2)) for part in parts], dim=1)
