"""Masked pixels as free amplitudes."""

import torch

from sersicnet.model.masked import MaskedParts

SIDE = 20


def parts_of(*, edge=0, n=2):
    generator = torch.Generator().manual_seed(1)
    small = torch.rand(n, SIDE + 2 * edge, SIDE + 2 * edge, generator=generator) < 0.05
    kernel = torch.rand(n, 5, 5, generator=generator)
    scale = torch.rand(n, SIDE, SIDE, generator=generator)
    sky = torch.rand(n, SIDE, SIDE, generator=generator)
    return MaskedParts.of(small, scale, kernel, sky, edge), small, kernel, scale


def columns_of(small, kernel, scale, edge):
    """Filtered images of the masked pixels of the first stamp, one by one."""
    columns = []
    for y, x in small[0].nonzero():
        image = torch.zeros(1, 1, *small.shape[1:])
        image[0, 0, y, x] = 1
        spread = torch.nn.functional.conv2d(image, kernel[:1, None].flip(2, 3), padding=2)[0, 0]
        inner = slice(edge, edge + SIDE)
        columns.append((spread[inner, inner] * scale[0]).flatten())
    return torch.stack(columns)


def test_what_masked_pixels_explain_is_a_least_squares_fit():
    for edge in (0, 4):
        parts, small, kernel, scale = parts_of(edge=edge)
        columns = columns_of(small, kernel, scale, edge).double()
        images = torch.randn(2, 3, SIDE**2, generator=torch.Generator().manual_seed(2))
        found = parts.coordinates(images)
        for image, own in zip(images[0], found[0], strict=True):
            fitted = torch.linalg.lstsq(columns.T, image.double()[:, None], driver="gelsd").solution
            expected = (columns.T @ fitted)[:, 0]
            norm = float(own.double().square().sum())
            assert abs(norm / float(expected.square().sum()) - 1) < 0.02
        explained = parts.explained(found[:, 0], SIDE**2)[0]
        left = images[0, 0] - explained
        assert parts.inner(left[None, None].expand(2, -1, -1))[0].abs().max() < 0.02


def test_some_of_the_stamps():
    parts, *_ = parts_of()
    images = torch.randn(2, 1, SIDE**2, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(parts[1:].coordinates(images[1:]), parts.coordinates(images)[1:])


def test_without_masked_pixels_there_is_nothing_to_project_out():
    nothing = torch.zeros(1, SIDE, SIDE)
    assert MaskedParts.of(nothing > 0, nothing, torch.ones(1, 5, 5), nothing, 0) is None
