"""Insets: each part of a scene is drawn on as many pixels of the stamp as it covers."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from sersicnet.model.labels import LABELS, N_LABELS, PROFILE_LABELS
from sersicnet.model.profiles import PROFILES
from sersicnet.model.render import psf_transforms
from sersicnet.model.sizes import FAINTEST, part_stamp_sizes

__all__ = ["Insets", "own_labels"]

# Parts that are drawn at a time: few enough to stay in the cache of a CPU.
_TOGETHER = 16
# As that of `~sersicnet.model.parts`.
_NEGLIGIBLE = 1e-9


def own_labels(profile):
    """Return the columns of the seven labels that a profile has, a list of int."""
    return [LABELS.index(name) for name in PROFILE_LABELS[profile]]


@dataclass(frozen=True, eq=False)
class Insets:
    """Where the parts of N scenes are drawn on their stamps.

    Each of G parts has seven labels, of which a point source needs three; a scene of fewer parts
    has some that are not drawn. Light of a part beyond its inset is left out.

    Attributes
    ----------
    kinds : (N, G) str `~numpy.ndarray`
        Profiles of the parts, "" where there is none.
    sizes : (N, G) int `~numpy.ndarray`
        Sides of their insets.
    first : (N, G, 2) int `~numpy.ndarray`
        Their first pixels (y, x).
    transforms : dict of complex `~torch.Tensor`
        Transforms of the PSFs by side, as in `~sersicnet.model.StampLikelihood`, or (N, G, F,
        F / 2 + 1) where each part has its own.
    """

    kinds: np.ndarray
    sizes: np.ndarray
    first: np.ndarray
    transforms: dict

    @classmethod
    def around(cls, labels, psfs, size, *, kinds, faintest=FAINTEST, device):
        """Make those of the visible light of parts.

        Parameters
        ----------
        labels : (N, 7 G) `~numpy.ndarray`
            Labels of all parts, side by side.
        psfs : `~sersicnet.model.PSFs`
            PSFs of N * G parts.
        size : int
            Pixels on a side of the stamps.
        kinds : (N, G) str `~numpy.ndarray`
            Profiles of the parts.
        faintest : float, optional
            Surface brightness down to which light is visible.
        device : str or `~torch.device`
            Device of the transforms.

        Returns
        -------
        Insets
        """
        parts = labels.reshape(-1, N_LABELS)
        sizes = part_stamp_sizes(parts, psfs.widths(), ("sersic",), faintest)
        sizes = np.minimum(sizes, size).reshape(kinds.shape)
        centers = labels.reshape(*kinds.shape, N_LABELS)[:, :, :-3:-1]
        middle = (size - 1) / 2 + centers
        first = np.rint(middle - (sizes[:, :, None] - 1) / 2).astype(int)
        first = np.clip(first, 0, size - sizes[:, :, None])
        transforms = {}
        for side in np.unique(sizes[kinds != ""]).tolist():
            transforms[side] = _transform(psfs, side, kinds.shape, device)
        return cls(kinds, sizes, first, transforms)

    def on_whole(self, psfs, size, device):
        """Return those of parts that are drawn on all pixels of stamps of this size."""
        transforms = {size: _transform(psfs, size, self.kinds.shape, device)}
        whole = {"sizes": np.full_like(self.sizes, size), "first": np.zeros_like(self.first)}
        return replace(self, transforms=transforms, **whole)

    def times(self, response):
        """Return the same with PSFs that are filtered.

        Parameters
        ----------
        response : callable
            Function that returns transforms of the filters, (N, F, F / 2 + 1), for F.

        Returns
        -------
        Insets
        """
        transforms = {}
        for side, transform in self.transforms.items():
            own = response(transform.shape[-2])
            transforms[side] = transform * (own[:, None] if transform.dim() == 4 else own)
        return replace(self, transforms=transforms)

    def __getitem__(self, rows):
        """Return those of some scenes."""
        if torch.is_tensor(rows):
            rows = rows.cpu().numpy()
        transforms = {}
        for side, transform in self.transforms.items():
            transforms[side] = transform[rows] if transform.dim() > 2 else transform
        return Insets(self.kinds[rows], self.sizes[rows], self.first[rows], transforms)

    def repeated(self, n):
        """Return those of one scene n times."""
        rows = np.zeros(n, dtype=int)
        transforms = {}
        for side, transform in self.transforms.items():
            whole = transform.dim() > 2
            transforms[side] = transform.expand(n, *transform.shape[1:]) if whole else transform
        return Insets(self.kinds[rows], self.sizes[rows], self.first[rows], transforms)

    def images(self, labels, *, stamp_size, **options):
        """Return the sums of all parts, as `~sersicnet.model.parts.scene_images`.

        Labels of one scene may be any number.
        """
        if len(labels) != len(self.kinds):
            return self.repeated(len(labels)).images(labels, stamp_size=stamp_size, **options)
        whole = labels.new_zeros(len(labels), stamp_size, stamp_size)
        for profile, place, own, transform, side in self._alike(labels, stamp_size):
            known = self._own(options, place)
            drawn = PROFILES[profile].images(own, transform, stamp_size=side, **known)
            for image, row, part in zip(drawn, *place, strict=True):
                whole[row][self._box(row, part)] += image
        return whole

    def image_and_slopes(self, labels, *, stamp_size, **options):
        """Return these images, and the derivatives of each part on its inset.

        Parameters
        ----------
        labels, stamp_size, **options
            As in `~sersicnet.model.parts.scene_images`.

        Returns
        -------
        image : (N, S, S) `~torch.Tensor`
        slopes : list of (int, int, (K, s, s) `~torch.Tensor`)
            Scene, part, and derivatives by the K labels that its profile has.
        """
        whole = labels.new_zeros(len(labels), stamp_size, stamp_size)
        found = []
        for profile, place, own, transform, side in self._alike(labels, stamp_size):
            known = self._own(options, place)
            known |= {"stamp_size": side}
            images, slopes = PROFILES[profile].image_and_jacobian(own, transform, **known)
            for image, slope, row, part in zip(images, slopes, *place, strict=True):
                whole[row][self._box(row, part)] += image
                found.append((int(row), int(part), slope))
        return whole, found

    def jacobian(self, slopes, stamp_size):
        """Return derivatives of whole stamps, (N, 7 G, S, S), from those on insets."""
        shape = (*self.kinds.shape, N_LABELS, stamp_size, stamp_size)
        found = slopes[0][2].new_zeros(shape)
        for row, part, slope in slopes:
            y, x = self._box(row, part)
            found[row, part][self._columns(row, part), y, x] = slope
        return found.flatten(1, 2)

    def products(self, slopes, weight, images):
        """Return products of weighted derivatives with images and with each other.

        Only what insets have in common is summed.

        Parameters
        ----------
        slopes : list
            Derivatives from `image_and_slopes`.
        weight : (N, S, S) `~torch.Tensor`
            One over the noise.
        images : (N, B, S, S) `~torch.Tensor`
            Images over the noise.

        Returns
        -------
        of_images : (N, 7 G, B) `~torch.Tensor`
        of_slopes : (N, 7 G, 7 G) `~torch.Tensor`
        """
        n, n_parts = self.kinds.shape
        of_images = weight.new_zeros(n, n_parts, N_LABELS, images.shape[1])
        of_slopes = weight.new_zeros(n, n_parts, N_LABELS, n_parts, N_LABELS)
        before = {}
        first = self.first.tolist()
        sizes = self.sizes.tolist()
        for row, part, slope in slopes:
            y, x = self._box(row, part)
            columns = self._columns(row, part)
            own = slope * weight[row, y, x]
            flat = own.flatten(1)
            of_images[row, part, columns] = flat @ images[row, :, y, x].flatten(1).T
            for other, there in (*before.get(row, ()), (part, own)):
                here, its = _common(first[row], sizes[row], part, other)
                product = own[here].flatten(1) @ there[its].flatten(1).T
                block = of_slopes[row, part, :, other]
                if product.shape == block.shape:
                    block[:] = product
                else:
                    block[np.ix_(columns, self._columns(row, other))] = product
                if other != part:
                    of_slopes[row, other, :, part] = block.T
            before.setdefault(row, []).append((part, own))
        return of_images.flatten(1, 2), of_slopes.flatten(3, 4).flatten(1, 2)

    def _columns(self, row, part):
        """Labels of a part among the seven."""
        return own_labels(self.kinds[row, part])

    def _own(self, options, place):
        """Options of some parts of some scenes."""
        options = options | {"negligible": _NEGLIGIBLE}
        gain = options.get("gain")
        if torch.is_tensor(gain):
            options["gain"] = gain.expand(len(self.kinds))[place[0]]
        return options

    def _box(self, row, part):
        """The pixels of an inset."""
        y, x = self.first[row, part]
        side = self.sizes[row, part]
        return slice(y, y + side), slice(x, x + side)

    def _alike(self, labels, stamp_size):
        """Yield parts that are drawn together: profile, places, labels, transform and side."""
        labels = labels.view(*self.kinds.shape, N_LABELS)
        for profile in PROFILE_LABELS:
            for side in np.unique(self.sizes[self.kinds == profile]).tolist():
                rows, parts = np.nonzero((self.sizes == side) & (self.kinds == profile))
                for start in range(0, len(rows), _TOGETHER):
                    some = slice(start, start + _TOGETHER)
                    place = rows[some], parts[some]
                    own = labels[place][:, own_labels(profile)]
                    middle = self.first[place][:, ::-1] + (side - stamp_size) / 2
                    own[:, -2:] -= torch.from_numpy(middle).to(own)
                    yield profile, place, own, self._of(place, side), side

    def _of(self, place, side):
        """Transforms of the PSFs of some parts."""
        transform = self.transforms[side]
        match transform.dim():
            case 2:
                return transform
            case 3:
                return transform[place[0]]
            case _:
                return transform[place]


def _common(first, sizes, part, other):
    """What the insets of two parts of a scene have in common, as slices of each."""
    own = [slice(None)]
    its = [slice(None)]
    for here, there in zip(first[part], first[other], strict=True):
        begin = max(here, there)
        end = max(begin, min(here + sizes[part], there + sizes[other]))
        own.append(slice(begin - here, end - here))
        its.append(slice(begin - there, end - there))
    return tuple(own), tuple(its)


def _transform(psfs, side, shape, device):
    """Transforms of the PSFs of parts: one, or one for each."""
    found = psf_transforms(psfs, psfs.which, side, device)
    return found if found.dim() == 2 else found.view(*shape, *found.shape[1:])
