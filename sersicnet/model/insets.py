"""Insets: each part of a scene is drawn on as many pixels of the stamp as it covers."""

from dataclasses import dataclass

import numpy as np
import torch

from sersicnet.model.labels import PROFILE_LABELS, part_slices
from sersicnet.model.profiles import PROFILES
from sersicnet.model.render import psf_transforms
from sersicnet.model.sizes import part_stamp_sizes

__all__ = ["Insets"]


@dataclass(frozen=True, eq=False)
class Insets:
    """Where the parts of N scenes are drawn on their stamps.

    Light of a part beyond its inset is left out.

    Attributes
    ----------
    sizes : (N, G) int `~numpy.ndarray`
        Sides of the insets of G parts.
    first : (N, G, 2) int `~numpy.ndarray`
        Their first pixels (y, x).
    transforms : dict of complex `~torch.Tensor`
        Transforms of the PSFs by side, as in `~sersicnet.model.StampLikelihood`.
    profiles : tuple of str
        Profiles of the parts.
    """

    sizes: np.ndarray
    first: np.ndarray
    transforms: dict
    profiles: tuple

    @classmethod
    def around(cls, labels, psfs, size, *, profiles, device):
        """Make those of the visible light of parts.

        Parameters
        ----------
        labels : (N, K) `~numpy.ndarray`
            Labels of all parts, side by side.
        psfs : `~sersicnet.model.PSFs`
            PSFs of the stamps.
        size : int
            Pixels on a side of the stamps.
        profiles : tuple of str
            Profiles of the parts.
        device : str or `~torch.device`
            Device of the transforms.

        Returns
        -------
        Insets
        """
        sizes = np.minimum(part_stamp_sizes(labels, psfs.widths(), profiles), size)
        centers = []
        for place in part_slices(profiles):
            centers.append(labels[:, place][:, -2:])
        middle = (size - 1) / 2 + np.stack(centers, axis=1)[:, :, ::-1]
        first = np.rint(middle - (sizes[:, :, None] - 1) / 2).astype(int)
        first = np.clip(first, 0, size - sizes[:, :, None])
        transforms = {}
        for side in np.unique(sizes).tolist():
            transforms[side] = psf_transforms(psfs, psfs.which, side, device)
        return cls(sizes, first, transforms, profiles)

    def __getitem__(self, rows):
        """Return those of some scenes."""
        if torch.is_tensor(rows):
            rows = rows.cpu().numpy()
        transforms = {}
        for side, transform in self.transforms.items():
            transforms[side] = transform[rows] if transform.dim() == 3 else transform
        return Insets(self.sizes[rows], self.first[rows], transforms, self.profiles)

    def images(self, labels, *, stamp_size, **options):
        """Return the sums of all parts, (N, S, S), as `~sersicnet.model.parts.scene_images`."""
        whole = labels.new_zeros(len(labels), stamp_size, stamp_size)
        for profile, place, own, transform, side in self._alike(labels, stamp_size):
            known = self._own(options, place)
            drawn = PROFILES[profile].images(own, transform, stamp_size=side, **known)
            for image, row, part in zip(drawn, *place, strict=True):
                whole[row][self._box(row, part)] += image
        return whole

    def image_and_jacobian(self, labels, *, stamp_size, **options):
        """Return these images and their derivatives, (N, K, S, S)."""
        whole = labels.new_zeros(len(labels), stamp_size, stamp_size)
        jacobian = labels.new_zeros(*labels.shape, stamp_size, stamp_size)
        columns = part_slices(self.profiles)
        for profile, place, own, transform, side in self._alike(labels, stamp_size):
            known = self._own(options, place)
            known |= {"stamp_size": side}
            images, slopes = PROFILES[profile].image_and_jacobian(own, transform, **known)
            for image, slope, row, part in zip(images, slopes, *place, strict=True):
                box = self._box(row, part)
                whole[row][box] += image
                jacobian[row, columns[part]][:, box[0], box[1]] = slope
        return whole, jacobian

    def _own(self, options, place):
        """Options of some parts of some scenes."""
        gain = options.get("gain")
        if torch.is_tensor(gain):
            return options | {"gain": gain[place[0]]}
        return dict(options)

    def _box(self, row, part):
        """The pixels of an inset."""
        y, x = self.first[row, part]
        side = self.sizes[row, part]
        return slice(y, y + side), slice(x, x + side)

    def _alike(self, labels, stamp_size):
        """Yield parts that are drawn together: profile, places, labels, transform and side."""
        slices = part_slices(self.profiles)
        kinds = np.array(self.profiles)
        for profile in PROFILE_LABELS:
            for side in np.unique(self.sizes[:, kinds == profile]).tolist():
                place = np.nonzero((self.sizes == side) & (kinds == profile))
                own = []
                for row, part in zip(*place, strict=True):
                    own.append(labels[row, slices[part]])
                own = torch.stack(own)
                middle = self.first[place][:, ::-1] + (side - stamp_size) / 2
                own[:, -2:] -= torch.from_numpy(middle).to(own)
                transform = self.transforms[side]
                if transform.dim() == 3:
                    transform = transform[place[0]]
                yield profile, place, own, transform, side
