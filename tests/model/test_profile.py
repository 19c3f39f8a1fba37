"""The fast renderer draws what GalSim draws, and its gradients are those of what it draws."""

import math
from functools import cache, partial
from pathlib import Path

import galsim
import numpy as np
import pytest
import torch
from helpers import rendered
from helpers.stars import draw_star
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import fftconvolve
from scipy.special import gamma, gammaincinv

from benchmarks import transform_table as tables
from sersicnet.model import copies, profile
from sersicnet.model.labels import E1, E2, LABELS, LOG_FLUX, LOG_R_EFF, N_LABELS
from sersicnet.model.prior import draw_labels
from sersicnet.model.profile import (
    fft_size,
    psf_transform,
    sersic_images,
    stamps_of,
    wrapped_light,
)

# More exact than the tolerance: GalSim's own defaults fold back up to 5e-3 of the light.
EXACT = galsim.GSParams(
    folding_threshold=5e-4, maxk_threshold=2e-4, kvalue_accuracy=1e-6, maximum_fft_size=16384
)
TOLERANCE = 1e-3
labels_of = partial(rendered.labels_of, log_flux=0.0, r_eff=3.0, n=1.0, q=0.5, theta=25.0)
render = partial(rendered.render_tensor, size=64)


@cache
def moffat(fwhm, radius=20):
    """A Moffat profile whose star, with the response of the pixel, has this FWHM in pixels."""
    psf, width = galsim.Moffat(3.5, fwhm=fwhm), 0
    while abs(width / fwhm - 1) > 1e-3:
        width = galsim.Convolve(psf, galsim.Pixel(1.0)).calculateFWHM(scale=0.1)
        psf = psf.dilate((fwhm / width) ** 1.5)
    return galsim.Moffat(3.5, fwhm=psf.original.fwhm * psf.jac[0, 0], trunc=radius, gsparams=EXACT)


def star(psf, size, oversampling=1):
    """Its image, (size, size)."""
    return draw_star(psf, (size, size), oversampling=oversampling)


def galaxy(labels, psf):
    """The same galaxy in GalSim."""
    log_flux, log_r_eff, n, e1, e2, dx, dy = (float(label) for label in labels)
    e = math.hypot(e1, e2)
    radius = 10**log_r_eff * math.sqrt((1 - e) / (1 + e))
    one = galsim.Sersic(n, half_light_radius=radius, flux=10**log_flux, gsparams=EXACT)
    one = one.shear(g1=e1, g2=e2).shift(dx, dy)
    return galsim.Convolve(one, psf, gsparams=EXACT)


def by_galsim(labels, psf, size):
    return galaxy(labels, psf).drawImage(galsim.ImageD(size, size, scale=1.0)).array


def draws(n, seed=1, dtype=torch.float64):
    return draw_labels(n, generator=torch.Generator().manual_seed(seed)).to(dtype)


def assert_close(image, other, tolerance=TOLERANCE):
    """Equal to this share of the peak in each pixel, and of the flux in the sum."""
    image, other = np.asarray(image), np.asarray(other)
    assert_allclose(image / other.max(), other / other.max(), rtol=0, atol=tolerance)
    assert_allclose(image.sum(), other.sum(), rtol=tolerance)


# --- against GalSim ---------------------------------------------------------------------------

SHAPES = {
    "small, flat": {"r_eff": 0.2, "n": 0.3, "q": 1.0},
    "small, steep, thin": {"r_eff": 0.2, "n": 6.2, "q": 0.05, "dx": 3.0, "dy": -3.0},
    "flat, thin": {"r_eff": 3.0, "n": 0.3, "q": 0.05, "dx": 0.5},
    "exponential": {"r_eff": 5.0, "n": 1.0, "q": 0.6, "dx": -2.7, "dy": 1.3},
    "de Vaucouleurs": {"r_eff": 4.0, "n": 4.0, "q": 0.7, "theta": -60.0},
    "steep": {"r_eff": 10.0, "n": 6.2, "q": 1.0},
    "steep, large": {"r_eff": 20.0, "n": 5.0, "q": 0.5, "theta": 90.0, "dx": 1.0},
    "Gaussian, large": {"r_eff": 40.0, "n": 0.5, "q": 1.0, "dy": 3.0},
    "exponential, large": {"r_eff": 40.0, "n": 1.0, "q": 0.3, "theta": 45.0},
    "largest": {"r_eff": 40.0, "n": 4.0, "q": 0.4},
}
# FWHM of the star, oversampling, side of its stamp, side of the image
CAMERAS = (
    (1.5, 2, 81, 101),
    (1.7, 2, 82, 64),
    (3.2, 1, 40, 128),
    (5.0, 1, 41, 100),
    (8.0, 1, 63, 32),
)


def compare(labels, camera, tolerance=TOLERANCE):
    fwhm, oversampling, side, size = camera
    psf = moffat(fwhm)
    image = render([labels], star(psf, side, oversampling), size=size, oversampling=oversampling)
    assert_close(image[0], by_galsim(labels, psf, size), tolerance)


@pytest.mark.parametrize("shape", SHAPES)
def test_corners_of_the_prior(shape):
    compare(labels_of(**SHAPES[shape]), CAMERAS[2])


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("shape", list(SHAPES)[:5])
def test_cameras(shape, camera):
    compare(labels_of(**SHAPES[shape]), camera)


@pytest.mark.parametrize("number", range(20))
def test_random_galaxies(number):
    camera = CAMERAS[number % len(CAMERAS)]
    labels = draws(200, seed=number)
    e = torch.hypot(labels[:, E1], labels[:, E2])
    # Not those of which less exactness is promised, nor those for which GalSim takes long.
    thin = (e > 0.74) & (labels[:, LOG_R_EFF] > math.log10(15))
    large = labels[:, LOG_R_EFF] > math.log10(0.4 * camera[-1])
    chosen = labels[~thin & ~large].tolist()
    psf = moffat(camera[0])
    quick = (row for row in chosen if galaxy(row, psf).getGoodImageSize(1.0) < 1500)
    compare(next(quick), camera)


@pytest.mark.parametrize("theta", [0.0, 25.0, 45.0])
@pytest.mark.parametrize(("n", "q"), [(0.5, 0.05), (1.0, 0.05), (2.0, 0.1)])
def test_large_thin_galaxies_are_less_exact(n, q, theta):
    labels = labels_of(r_eff=40.0, n=n, q=q, theta=theta)
    compare(labels, CAMERAS[2], tolerance=1e-2)


def test_large_galaxies_in_small_stamps_are_less_exact():
    compare(labels_of(r_eff=40.0, n=0.5, q=0.6), CAMERAS[-1], tolerance=1e-2)


def test_sharp_psf_must_be_oversampled():
    labels, psf = labels_of(r_eff=0.2, n=0.5, q=1.0, dx=0.25, dy=0.25), moffat(1.5)
    exact = by_galsim(labels, psf, 64)
    errors = []
    for oversampling in (1, 2, 3):
        stamp = star(psf, 40 * oversampling + 1, oversampling)
        image = render([labels], stamp, oversampling=oversampling)[0].numpy()
        errors.append(np.abs(image - exact).max() / exact.max())
    assert errors[0] > 0.03
    assert errors[1] < 1e-3
    assert errors[2] < 1e-4


# --- without GalSim ---------------------------------------------------------------------------


def test_flat_profile_against_direct_convolution():
    # GalSim is 2e-3 too bright in the middle of such a galaxy.
    r_eff, n, size, side = 40.0, 0.3, 101, 71
    b = gammaincinv(2 * n, 0.5)
    norm = b ** (2 * n) / (2 * np.pi * n * gamma(2 * n) * r_eff**2)
    axis = np.arange(size + side - 1) - (size + side - 2) / 2
    radius = np.hypot(axis, axis[:, None]) / r_eff
    stamp = star(moffat(3.2), side)
    expected = fftconvolve(norm * np.exp(-b * radius ** (1 / n)), stamp, mode="valid")
    image = render([labels_of(r_eff=r_eff, n=n, q=1.0)], stamp, size=size)[0]
    assert_allclose(image, expected, rtol=0, atol=1e-5 * expected.max())


@pytest.mark.parametrize("n", [2.0, 4.0, 6.2])
def test_light_from_outside_is_taken_off(n):
    # The same galaxy in the middle of a stamp so large that little comes back.
    labels, stamp = [labels_of(r_eff=40.0, n=n, q=0.4, dx=1.5)], star(moffat(3.2), 41)
    image, wide = render(labels, stamp, size=128)[0], render(labels, stamp, size=640)[0]
    assert_close(image, wide[256:-256, 256:-256])


def test_copies_that_leave_no_light_are_left_out():
    """The light of those that count is the same; that of the others is below the limit."""
    labels = torch.tensor(
        [[3.0, 0.5, 1.0, 0.2, 0.1, 0.3, 0.1], [3.0, 1.0, 4.0, 0.2, 0.1, 0.3, 0.1]]
    )
    exact = wrapped_light(labels, 128, 64)
    found = wrapped_light(labels, 128, 64, negligible=1e-9)
    assert not found[0].any()
    assert (exact[0] < 1e-8).all()
    torch.testing.assert_close(found[1], exact[1])
    gain = torch.tensor([1.0, 2.0])
    twice = wrapped_light(labels, 128, 64, gain=gain, negligible=1e-9)
    torch.testing.assert_close(twice[1], 2 * exact[1])


def test_all_light_is_there():
    image = render([labels_of(log_flux=2.0, r_eff=2.0)], star(moffat(3.2, 10), 31))
    assert_allclose(image.sum(), 100 * star(moffat(3.2, 10), 31).sum(), rtol=1e-5)


# --- gradients, dtypes, batches ---------------------------------------------------------------


@pytest.mark.parametrize("label", range(N_LABELS), ids=LABELS)
def test_gradients(label):
    labels = draws(12, seed=3)
    labels[:, LOG_FLUX] = 1
    labels = torch.cat([labels, torch.tensor([labels_of(q=1.0), labels_of(q=1.0, n=5.0)])])
    stamp, step = star(moffat(3.2), 41), 1e-4
    weights = torch.randn(64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights = weights + torch.linspace(-1, 1, 64) + torch.linspace(0, 1, 64)[:, None]

    def total(labels):
        images = render(labels, stamp)
        return (images * weights).sum(dim=(1, 2)) / images.detach().amax(dim=(1, 2))

    variable = labels.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(total(variable).sum(), variable)
    shift = torch.zeros_like(labels)
    shift[:, label] = step
    with torch.no_grad():
        peak = render(labels, stamp).amax(dim=(1, 2))
        ahead, behind = (
            (render(labels + sign * shift, stamp) * weights).sum(dim=(1, 2)) for sign in (1, -1)
        )
    expected = (ahead - behind) / (2 * step) / peak
    assert_allclose(gradient[:, label], expected, rtol=1e-4, atol=1e-4 * expected.abs().max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_round_galaxies_are_finite(dtype):
    labels = torch.tensor([labels_of(q=1.0)], dtype=dtype, requires_grad=True)
    image = render(labels, star(moffat(3.2), 41), dtype=dtype)
    axis = torch.arange(64, dtype=dtype)
    # elongation along x
    (image * ((axis - 31.5) ** 2 - (axis[:, None] - 31.5) ** 2)).sum().backward()
    assert torch.isfinite(labels.grad).all()
    assert labels.grad[0, 3] > 1


def test_float32():
    labels, stamp = draws(100), star(moffat(3.2), 41)
    single = render(labels, stamp, size=128, dtype=torch.float32)
    double = render(labels, stamp, size=128)
    assert single.dtype == torch.float32
    peak = double.amax(dim=(1, 2), keepdim=True)
    assert_allclose(single / peak, double / peak, rtol=0, atol=1e-5)


def test_flux_is_a_factor():
    labels, stamp = draws(5), star(moffat(3.2), 41)
    brighter = labels.clone()
    brighter[:, 0] += 2
    assert_allclose(render(brighter, stamp), 100 * render(labels, stamp), rtol=1e-10, atol=1e-9)


def test_batch_is_its_galaxies():
    labels, stamp = draws(9), star(moffat(3.2), 41)
    single = torch.cat([render(row[None], stamp) for row in labels])
    assert_allclose(render(labels, stamp), single, rtol=1e-12, atol=1e-12)


def test_a_psf_for_each_galaxy():
    labels, stamps = draws(2), np.stack([star(moffat(fwhm), 41) for fwhm in (3.2, 5.0)])
    both = render(labels, stamps)
    for row, stamp, image in zip(labels, stamps, both, strict=True):
        assert_allclose(image, render(row[None], stamp)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [64, 65])
@pytest.mark.parametrize("side", [40, 41])
def test_flips_and_transposition(size, side):
    labels, stamp = draws(20), star(moffat(5.0).shear(g1=0.2, g2=0.1).shift(1, -2), side)
    _, log_r_eff, n, e1, e2, dx, dy = labels.T
    log_flux = torch.zeros_like(dx)
    image = render(torch.stack([log_flux, *labels.T[1:]], dim=1), stamp, size=size)
    peak = image.amax(dim=(1, 2), keepdim=True)
    flipped = torch.stack([log_flux, log_r_eff, n, e1, -e2, -dx, dy], dim=1)
    flipped = render(flipped, stamp[:, ::-1].copy(), size=size).flip(2)
    assert_allclose(flipped / peak, image / peak, rtol=0, atol=1e-5)
    transposed = torch.stack([log_flux, log_r_eff, n, -e1, e2, dy, dx], dim=1)
    transposed = render(transposed, stamp.T.copy(), size=size).transpose(1, 2)
    assert_allclose(transposed / peak, image / peak, rtol=0, atol=1e-5)


def test_index_beyond_the_table_is_held():
    stamp = star(moffat(3.2), 41)
    for beyond, limit in ((0.1, 0.3), (9.0, 6.2)):
        images = render([labels_of(n=beyond), labels_of(n=limit)], stamp)
        assert_array_equal(images[0], images[1])


def test_large_psf_stamp_is_cut_at_its_border():
    labels, size = [labels_of()], 32
    wide = star(moffat(3.2, 70), 2 * fft_size(size) + 1)
    border = (wide.shape[0] - fft_size(size) + 1) // 2
    cut = render(labels, wide[border:-border, border:-border], size=size)
    assert_array_equal(render(labels, wide, size=size), cut)


def test_size_of_the_transform():
    for size in (1, 32, 64, 100, 101, 128, 300):
        found = fft_size(size)
        assert found % 2 == 0
        assert max(1.5 * size, size + 64) <= found < 1.2 * max(1.5 * size, size + 64)


def test_first_use_in_inference_mode():
    # a validation step may come before the first that trains
    for cached in (profile._table, copies._chebyshev):
        cached.cache_clear()
    labels, stamp = draws(2), star(moffat(3.2), 41)
    with torch.inference_mode():
        render(labels, stamp)
    render(labels.requires_grad_(), stamp).sum().backward()
    assert torch.isfinite(labels.grad).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU")
def test_gpu():
    labels, stamp = draws(200, dtype=torch.float32), star(moffat(3.2), 41)
    expected = render(labels, stamp, size=128, dtype=torch.float32)
    transform = psf_transform(torch.tensor(stamp, dtype=torch.float32, device="cuda"), 128)
    images = sersic_images(labels.cuda(), transform, stamp_size=128)
    assert images.device.type == "cuda"
    peak = expected.amax(dim=(1, 2), keepdim=True)
    assert_allclose(images.cpu() / peak, expected / peak, rtol=0, atol=1e-5)


# --- the table --------------------------------------------------------------------------------


def closed_form(n, kappa):
    b = gammaincinv(2 * n, 0.5)
    return np.exp(-(kappa**2) / (4 * b)) if n == 0.5 else (1 + (kappa / b) ** 2) ** -1.5


@pytest.mark.parametrize("n", [0.5, 1.0])
def test_closed_forms(n):
    kappa = np.geomspace(1e-2, 1e3, 1000)
    assert_allclose(tables.transform(n, kappa), closed_form(n, kappa), rtol=0, atol=1e-6)
    # what the renderer reads, between rows and columns
    row, slopes = profile._rows(torch.tensor([n], dtype=torch.float64))
    values = profile._interpolate(row, slopes, torch.tensor(kappa**2)[None, None])
    assert_allclose(values[0, 0], closed_form(n, kappa), rtol=0, atol=2e-6)


def test_shipped_table_is_what_its_benchmark_makes():
    (shipped,) = Path(profile.__file__).parent.glob("data/sersic_transform.npy")
    assert_allclose(np.load(shipped), tables.make_table(), rtol=0, atol=1e-7)


def test_half_of_the_light_is_within_r_eff():
    n = torch.linspace(0.3, 6.2, 100, dtype=torch.float64)
    assert_allclose(profile.sersic_b(n), gammaincinv(2 * n.numpy(), 0.5), rtol=1e-5)


@pytest.mark.parametrize("q", [0.05, 0.3, 1.0])
def test_light_outside_of_a_square(q):
    # counted on a grid, in a square of twice the major axis
    labels = torch.tensor([labels_of(r_eff=1.0, n=1.0, q=q)], dtype=torch.float64)
    _, log_r_eff, n, e1, e2, _, _ = labels.T
    xx, xy, yy = profile._shape(log_r_eff, e1, e2)
    area2 = xx * yy - xy**2
    x = (torch.arange(1200, dtype=torch.float64) + 0.5) / 300 - 2
    y = x[:, None]
    radius2 = (yy * x**2 - 2 * xy * x * y + xx * y**2) / area2
    inside = profile._brightness(radius2, n, area2).sum() / 300**2
    assert_allclose(profile._far(n, xx, xy, yy, 4.0), 1 - inside, rtol=1e-3)


def test_stamps_of_transforms_are_cut_out_of_the_images():
    """Only the rows of the stamp are made, every second one with an oversampling of two."""
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(2, 24, 24, generator=generator, dtype=torch.float64)
    spectrum = torch.fft.rfft2(image)
    torch.testing.assert_close(stamps_of(spectrum, 10), image[:, :10, :10])
    torch.testing.assert_close(stamps_of(spectrum, 5, 2), image[:, :10:2, :10:2])
