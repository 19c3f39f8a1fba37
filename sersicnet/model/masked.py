"""Masked pixels of stamps with correlated noise, as free linear amplitudes.

A filter spreads a pixel without data over its neighbors. Its value is unknown: all that a whitened
image has in common with the filtered image of this pixel is projected out, of residuals,
derivatives and sky alike, and nothing else is lost.
"""

from dataclasses import dataclass, fields, replace

import torch

__all__ = ["MaskedParts"]

# Largest number of masked pixels of a stamp that are projected out; the rest is left as it is.
_MOST = 500
# Prior of the amplitudes, as a share of their information: they are then never degenerate.
_RIDGE = 1e-4


@dataclass(frozen=True, eq=False)
class MaskedParts:
    """The masked pixels of N stamps, M each.

    Attributes
    ----------
    places : (N, M, T) int `~torch.Tensor`
        Pixels of a stamp that each of them is spread over; one beyond the last, where there is
        none.
    values : (N, M, T) `~torch.Tensor`
        What a masked pixel of 1 is there.
    root : (N, M, M) `~torch.Tensor`
        Inverse of the lower root of their Gram matrix.
    sky : (N, 1, M) `~torch.Tensor`
        Coordinates of the image of the sky.
    n_pixels : (N,) int `~torch.Tensor`
        Number of them whose own whitened pixel counts.
    """

    places: torch.Tensor
    values: torch.Tensor
    root: torch.Tensor
    sky: torch.Tensor
    n_pixels: torch.Tensor

    @classmethod
    def of(cls, small, scale, filters, sky, edge):
        """Make those of some stamps.

        Parameters
        ----------
        small : (N, W, W) bool `~torch.Tensor`
            Pixels that are masked in small parts.
        scale : (N, S, S) `~torch.Tensor`
            Factors of the filtered image in the middle part of the stamps.
        filters : (N, K, K) `~torch.Tensor`
            The filters.
        sky : (N, S, S) `~torch.Tensor`
            Whitened image of the sky.
        edge : int
            Pixels around the middle part.

        Returns
        -------
        MaskedParts or None
            None where no pixel is masked.
        """
        reach = filters.shape[-1] // 2
        size = scale.shape[-1]
        n = len(small)
        near = small.clone()
        ring = max(edge - reach, 0)
        near[:, :ring] = near[:, :, :ring] = False
        near[:, edge + size + reach :] = near[:, :, edge + size + reach :] = False
        if not near.any():
            return None
        stamp, y, x = near.nonzero(as_tuple=True)
        count = near.sum(dim=(1, 2))
        number = torch.arange(len(stamp), device=small.device) - (count.cumsum(0) - count)[stamp]
        chosen = number < _MOST
        stamp, y, x, number = (part[chosen] for part in (stamp, y, x, number))
        steps = torch.arange(-reach, reach + 1, device=small.device)
        most = int(count.max().clamp(max=_MOST))
        far = 3 * filters.shape[-1] * torch.arange(most, device=small.device) + 3 * small.shape[-1]
        centers = far[:, None].repeat(n, 1, 2)
        centers[stamp, number] = torch.stack([y, x], dim=1)
        y = (y - edge)[:, None, None] + steps[:, None]
        x = (x - edge)[:, None, None] + steps
        inside = (y >= 0) & (y < size) & (x >= 0) & (x < size)
        place = torch.where(inside, y * size + x, size**2).flatten(1)
        places = place.new_full((n, most, place.shape[1]), size**2)
        places[stamp, number] = place
        values = scale.new_zeros(places.shape)
        padded = torch.cat([scale.flatten(1), scale.new_zeros(n, 1)], dim=1)
        spread = filters.flatten(1)[stamp]
        factors = padded[stamp].gather(1, place)
        values[stamp, number] = spread * factors
        scaled = torch.zeros_like(values)
        scaled[stamp, number] = spread * factors**2
        inner = slice(edge, edge + size)
        n_pixels = (small[:, inner, inner] & (scale > 0)).sum(dim=(1, 2))
        parts = cls(places, values, None, None, n_pixels)
        parts = replace(parts, root=_inverse_roots(_gram(scaled, filters, centers)))
        return replace(parts, sky=parts.coordinates(sky.flatten(1)[:, None]))

    def __getitem__(self, rows):
        taken = {field.name: getattr(self, field.name)[rows] for field in fields(self)}
        return MaskedParts(**taken)

    def inner(self, images):
        """Inner products of the masked pixels with whitened images, (N, M, B) for (N, B, P)."""
        n, most, reach = self.places.shape
        n_pixels = images.shape[2] + 1
        table = images.new_zeros(n, n_pixels, images.shape[1])
        table[:, :-1] = images.transpose(1, 2)
        first = n_pixels * torch.arange(n, device=images.device)
        found = torch.nn.functional.embedding_bag(
            (self.places + first[:, None, None]).view(n * most, reach),
            table.view(n * n_pixels, -1),
            per_sample_weights=self.values.view(n * most, reach),
            mode="sum",
        )
        return found.view(n, most, -1)

    def coordinates(self, images):
        """The parts of whitened images that masked pixels explain, in orthonormal coordinates.

        Parameters
        ----------
        images : (N, B, P) `~torch.Tensor`
            Some images of each stamp.

        Returns
        -------
        (N, B, M) `~torch.Tensor`
        """
        return (self.root @ self.inner(images)).transpose(1, 2)

    def explained(self, coordinates, n_pixels):
        """The whitened images of some coordinates, (N, P) for (N, M)."""
        amplitudes = (coordinates[:, None] @ self.root)[:, 0]
        spread = (self.values * amplitudes[:, :, None]).flatten(1)
        images = spread.new_zeros(len(spread), n_pixels + 1)
        return images.scatter_add_(1, self.places.flatten(1), spread)[:, :-1]


def _gram(scaled, filters, centers):
    """Inner products of filtered masked pixels, (N, M, M), of which distant ones have none.

    Parameters
    ----------
    scaled : (N, M, T) `~torch.Tensor`
        As ``values`` in `MaskedParts`, times the factors of these pixels once more.
    filters : (N, K, K) `~torch.Tensor`
        The filters.
    centers : (N, M, 2) int `~torch.Tensor`
        y and x of the masked pixels; far away from each other where there is none.
    """
    n, most, _ = scaled.shape
    side = filters.shape[-1]
    size = 4 * -(-2 * side // 4)  # distances of up to a side in both directions
    spectrum = torch.fft.rfft2(filters, s=(size, size)).conj()
    gram = torch.zeros(n, most, most, dtype=torch.float64, device=scaled.device)
    for row in range(n):
        patches = torch.fft.rfft2(scaled[row].view(most, side, side), s=(size, size))
        products = torch.fft.irfft2(patches * spectrum[row], s=(size, size))
        steps = centers[row] - centers[row, :, None]
        one, other = (steps.abs() < side).all(dim=2).nonzero(as_tuple=True)
        y, x = (steps[one, other] % size).T
        gram[row, one, other] = products[one, y, x].double()
    return (gram + gram.transpose(1, 2)) / 2


def _inverse_roots(gram):
    """Inverses of the lower roots of Gram matrices, with a ridge, (N, M, M) float32."""
    diagonal = gram.diagonal(dim1=1, dim2=2)
    typical = diagonal.amax(dim=1, keepdim=True).clamp(min=1e-12)
    gram = gram + torch.diag_embed(_RIDGE * typical + (diagonal == 0) * typical)
    root = torch.linalg.cholesky_ex(gram).L
    unit = torch.eye(gram.shape[1], dtype=root.dtype, device=root.device).expand(len(gram), -1, -1)
    return torch.linalg.solve_triangular(root, unit, upper=False).float()
