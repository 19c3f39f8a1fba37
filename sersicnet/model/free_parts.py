"""Linear parts of stamps whose amplitudes are free: masked pixels, and a slope of the sky.

All that whitened images have in common with them is projected out, of residuals, derivatives and
sky alike.
"""

from dataclasses import dataclass

import torch

from sersicnet.model.masked import MaskedParts

__all__ = ["FreeParts", "slope_images"]

# Least information of an amplitude that counts, as a share of the largest.
_LEAST = 1e-6


def slope_images(size, like):
    """Return images that rise along x and along y, (2, size, size) `~torch.Tensor`.

    Parameters
    ----------
    size : int
        Pixels on a side.
    like : `~torch.Tensor`
        Tensor of the same type and on the same device.

    Returns
    -------
    `~torch.Tensor`
        From about -1 to 1, and 0 in the middle.
    """
    axis = (torch.arange(size, device=like.device) - (size - 1) / 2) / (size / 2)
    axis = axis.to(like.dtype).expand(size, size)
    return torch.stack([axis, axis.T])


@dataclass(frozen=True, eq=False)
class FreeParts:
    """The free parts of N stamps: M masked pixels and C whole images.

    Attributes
    ----------
    masked : `~sersicnet.model.masked.MaskedParts` or None
        The masked pixels.
    images : (N, C, P) `~torch.Tensor`
        Orthonormal images, with which masked pixels have nothing in common.
    sky : (N, 1, M + C) `~torch.Tensor`
        Coordinates of the image of the sky.
    """

    masked: MaskedParts | None
    images: torch.Tensor
    sky: torch.Tensor

    @classmethod
    def of(cls, masked, images, sky):
        """Make those of some stamps.

        Parameters
        ----------
        masked : `~sersicnet.model.masked.MaskedParts` or None
            The masked pixels.
        images : (N, C, S, S) `~torch.Tensor`
            Whitened images with free amplitudes.
        sky : (N, S, S) `~torch.Tensor`
            Whitened image of the sky.

        Returns
        -------
        FreeParts
        """
        images = images.flatten(2)
        if masked is not None:
            common = masked.coordinates(images)
            known = [masked.explained(part, images.shape[2]) for part in common.unbind(1)]
            images = images - torch.stack(known, dim=1)
        gram = images.double() @ images.double().transpose(1, 2)
        diagonal = gram.diagonal(dim1=1, dim2=2)
        largest = diagonal.amax(dim=1, keepdim=True).clamp(min=1e-12)
        gram = gram + torch.diag_embed(_LEAST * largest + (diagonal == 0) * largest)
        root = torch.linalg.cholesky_ex(gram).L
        images = torch.linalg.solve_triangular(root, images.double(), upper=False).to(sky.dtype)
        parts = cls(masked, images, None)
        return cls(masked, images, parts.coordinates(sky.flatten(1)[:, None]))

    def __getitem__(self, rows):
        masked = self.masked
        if masked is not None:
            masked = masked[rows]
        return FreeParts(masked, self.images[rows], self.sky[rows])

    @property
    def n_pixels(self):
        """Number of masked pixels whose own whitened pixel counts, (N,)."""
        if self.masked is None:
            return torch.zeros(len(self.images), dtype=torch.long, device=self.images.device)
        return self.masked.n_pixels

    def coordinates(self, images):
        """The parts of whitened images that are free, in orthonormal coordinates.

        Parameters
        ----------
        images : (N, B, P) `~torch.Tensor`
            Some images of each stamp.

        Returns
        -------
        (N, B, M + C) `~torch.Tensor`
        """
        found = images @ self.images.transpose(1, 2)
        if self.masked is None:
            return found
        return torch.cat([self.masked.coordinates(images), found], dim=2)

    def explained(self, coordinates, n_pixels):
        """The whitened images of some coordinates, (N, P) for (N, M + C)."""
        n_images = self.images.shape[1]
        found = (coordinates[:, None, -n_images:] @ self.images)[:, 0]
        if self.masked is None:
            return found
        return found + self.masked.explained(coordinates[:, :-n_images], n_pixels)
