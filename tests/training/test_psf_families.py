"""PSFs of the training set: unit sum, the width asked for, centered, and as GalSim draws them."""

import math
from itertools import cycle

import galsim
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from sersicnet.model.profile import fft_size, psf_transform
from sersicnet.training import psf_families
from sersicnet.training.psf_families import draw_transforms, perturb, psf_stamps

SIZE = fft_size(128)
FAMILIES = ("moffat", "airy", "kolmogorov", "double_gaussian")  # the order in which they take turns
SYMMETRIC = ("moffat", "kolmogorov", "double_gaussian")
# PSF pixels per image pixel, and the FWHM in image pixels: as the training set has them.
CAMERAS = {"sharp": (2, (1.5, 3.0)), "wide": (1, (3.0, 8.0))}
N = 32

families = pytest.mark.parametrize("family", FAMILIES)
cameras = pytest.mark.parametrize("camera", CAMERAS)


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module", params=CAMERAS)
def drawn(request):
    """PSFs of all families at one sampling: transforms, FWHM and sampling."""
    sampling, limits = CAMERAS[request.param]
    return *draw_transforms(N, SIZE, limits, sampling, generator()), sampling


def of_family(array, family):
    return array[FAMILIES.index(family) :: len(FAMILIES)]


def images_of(transform):
    """Images with the PSF in pixel (0, 0)."""
    return torch.fft.irfft2(transform, s=(transform.shape[1],) * 2)


def without_pixel(transform, sampling):
    f = np.fft.fftfreq(transform.shape[1])
    response = np.outer(np.sinc(sampling * f), np.sinc(sampling * f[: transform.shape[2]]))
    return transform / torch.from_numpy(response.clip(min=1e-3)).float()  # 0 at the highest


def fwhm_of(transform, sampling, *, step=0.1):
    """Of the circle with the area that is brighter than half the peak, in image pixels."""
    size = transform.shape[1]
    points = sampling * torch.arange(-7, 7, step)
    kx, ky = (2 * math.pi * f(size)[:, None] for f in (torch.fft.rfftfreq, torch.fft.fftfreq))
    twice = 1 + (kx > 0).float()  # half of the plane stands for both
    image = (torch.exp(1j * ky * points).T @ transform @ (twice * torch.exp(1j * kx * points))).real
    area = (image > image.amax(dim=(1, 2), keepdim=True) / 2).sum(dim=(1, 2))
    return np.sqrt(4 / math.pi * area.numpy()) * step


def centroid(images):
    """From the middle, and the summed light."""
    images = np.asarray(images, dtype=float)
    axis = np.arange(images.shape[-1]) - (images.shape[-1] - 1) / 2
    flux = images.sum(axis=(1, 2))
    return images.sum(axis=1) @ axis / flux, images.sum(axis=2) @ axis / flux, flux


def draws(*values):
    """A stand-in for random numbers: these shares of what is asked for, by turns."""
    shares = cycle(values)
    return lambda low, high, n: torch.full((n,), low + (high - low) * next(shares))


def stamp_of(family, fwhm, *values, size=SIZE, sampling=1):
    """One PSF as a family makes it, without pixel, stretch or normalization; in pixel (0, 0)."""
    make = getattr(psf_families, f"_{family}")
    transform = make(torch.tensor([sampling * fwhm]), size, draws(*values))
    return psf_stamps(transform / transform[:, :1, :1].real, sampling, 63)[0].numpy()


def by_galsim(profile, *, size=63):
    """The same without pixel."""
    return profile.drawImage(galsim.ImageD(size, size, scale=1.0), method="no_pixel").array


# --- what is drawn ----------------------------------------------------------------------------


@cameras
def test_shapes_limits_and_seed(camera):
    sampling, limits = CAMERAS[camera]
    transform, fwhm = draw_transforms(6, 48, limits, sampling, generator())
    assert transform.shape == (6, 48 * sampling, 24 * sampling + 1)
    assert transform.dtype == torch.complex64
    assert ((fwhm > limits[0]) & (fwhm < limits[1])).all()
    again, _ = draw_transforms(6, 48, limits, sampling, generator())
    other, _ = draw_transforms(6, 48, limits, sampling, generator(2))
    assert torch.equal(transform, again)
    assert (transform != other).any(dim=2).any(dim=1).all()


@pytest.mark.parametrize("n_psfs", [1, 2, 3])
def test_fewer_psfs_than_families(n_psfs):
    transform, _ = draw_transforms(n_psfs, 48, (3, 8), 1, generator())
    assert transform.isfinite().all()


def test_widths_are_uniform_in_the_logarithm():
    _, fwhm = draw_transforms(4000, 8, (1.5, 3), 1, generator())
    share = (fwhm / 1.5).log() / math.log(2)
    levels = [0.01, 0.25, 0.5, 0.75, 0.99]
    assert_allclose(np.quantile(share, levels), levels, atol=0.03)


def test_unit_sum(drawn):
    transform, _, _ = drawn
    assert_allclose(transform[:, 0, 0].real, 1, rtol=1e-6)
    assert_allclose(images_of(transform).sum(dim=(1, 2)), 1, rtol=1e-5)


def test_hardly_negative(drawn):
    """The stretch of an Airy pattern may dig a hole of 2 % of the peak beside its core."""
    images = images_of(drawn[0])
    deepest = -images.amin(dim=(1, 2)) / images.amax(dim=(1, 2))
    assert deepest.max() < 0.03
    assert deepest.median() < 1e-4
    assert images.clamp(max=0).sum(dim=(1, 2)).min() > -0.01


def test_fwhm_is_what_was_asked_for(drawn):
    transform, fwhm, sampling = drawn
    ratio = fwhm_of(without_pixel(transform, sampling), sampling) / fwhm.numpy()
    star = fwhm_of(transform, sampling) / np.hypot(fwhm.numpy(), 0.65)  # its pixel adds in squares
    assert_allclose(ratio, 1, atol=0.1)
    assert_allclose(star, 1, atol=0.1)
    for family in FAMILIES:
        assert_allclose(of_family(ratio, family).mean(), 1, atol=0.05)


@families
def test_stamps_are_centered_and_hold_the_light(drawn, family):
    transform, _, sampling = drawn
    stamps = of_family(psf_stamps(transform, sampling, 63), family)
    x, y, flux = centroid(stamps)
    assert (stamps >= 0).all()
    assert ((flux > 0.96) & (flux < 1.005)).all()
    assert set(stamps.flatten(1).argmax(dim=1).tolist()) == {31 * 63 + 31}
    if family in SYMMETRIC:
        assert_allclose([x, y], 0, atol=0.02)


def test_ellipticity_is_that_of_the_stretch():
    """Double Gaussians have second moments: up to 0.16 of the core's variance apart."""
    transform, fwhm = draw_transforms(400, 64, (4, 4.1), 1, generator())
    images = of_family(images_of(transform), "double_gaussian").double().roll((32, 32), (1, 2))
    y, x = torch.meshgrid(*2 * [torch.arange(64.0, dtype=torch.float64) - 32], indexing="ij")
    moments = [(images * part).sum(dim=(1, 2)) for part in (x * x - y * y, 2 * x * y)]
    size = torch.hypot(*moments) / (of_family(fwhm, "double_gaussian") / 2.355) ** 2 / 4
    assert_allclose([size.min(), size.mean(), size.max()], [0, 0.04, 0.08], atol=0.006)
    assert_allclose([part.mean() for part in moments], 0, atol=0.3)


# --- against GalSim ---------------------------------------------------------------------------


def assert_close(image, other, tolerance):
    """Equal to this share of the peak."""
    assert_allclose(image / other.max(), other / other.max(), rtol=0, atol=tolerance)


def assert_same_shape(image, other, tolerance):
    """The same of both scaled to unit sum: ours is periodic, so that its far wings come back."""
    assert_close(image / image.sum(), other / other.sum(), tolerance)
    assert_allclose(image.sum(), other.sum(), rtol=0.05)


@pytest.mark.parametrize("fwhm", [3.0, 8.0])
@pytest.mark.parametrize("beta", [2.2, 3.5, 5.0])
def test_moffat(fwhm, beta):
    share = (1 / beta - 1 / 5) / (1 / 2.2 - 1 / 5)
    expected = by_galsim(galsim.Moffat(beta, fwhm=fwhm))
    assert_same_shape(stamp_of("moffat", fwhm, share), expected, 1e-4)


@pytest.mark.parametrize("fwhm", [3.0, 8.0])
def test_kolmogorov(fwhm):
    expected = by_galsim(galsim.Kolmogorov(fwhm=fwhm))
    assert_close(stamp_of("kolmogorov", fwhm), expected, 1e-3)


@pytest.mark.parametrize("fwhm", [3.0, 8.0])
def test_double_gaussian(fwhm):
    sigma = fwhm / 2.355
    core, wing = (galsim.Gaussian(sigma=ratio * sigma) for ratio in (1, 1.8 + 0.25 * 1.7))
    share = 0.02 + 0.5 * 0.28
    image = stamp_of("double_gaussian", fwhm, 0.5, 0.25)
    assert_close(image, by_galsim((1 - share) * core + share * wing), 3e-4)


def optics(fwhm, **options):
    """An Airy pattern with jitter of 0.3 of the FWHM: both together, in squares, have it."""
    jitter = 0.3 * fwhm
    scale = math.sqrt(fwhm**2 - jitter**2) / 1.03
    return galsim.Convolve(galsim.OpticalPSF(scale, **options), galsim.Gaussian(fwhm=jitter))


@pytest.mark.parametrize("fwhm", [3.0, 8.0])
@pytest.mark.parametrize("hole", [0.0, 0.2, 0.4])
def test_airy(fwhm, hole):
    image = stamp_of("airy", fwhm, 0.4, hole / 0.4, *5 * [0.5])
    assert_same_shape(image, by_galsim(optics(fwhm, obscuration=hole)), 0.015)


# Noll's names, and his normalization of which the families have two digits.
WAVES = {
    "defocus": 1.7 / 3**0.5,
    "astig2": 2.4 / 6**0.5,
    "astig1": 2.4 / 6**0.5,
    "coma2": 2.8 / 8**0.5,
    "coma1": 2.8 / 8**0.5,
}


@pytest.mark.parametrize("fwhm", [3.0, 8.0])
@pytest.mark.parametrize("name", WAVES)
def test_aberrations_of_0_04_waves(fwhm, name):
    shares = [1.0 if wave == name else 0.5 for wave in WAVES]
    image = stamp_of("airy", fwhm, 0.4, 0.5, *shares)
    expected = optics(fwhm, obscuration=0.2, **{name: 0.04 * WAVES[name]})
    assert_same_shape(image, by_galsim(expected), 0.01)


@pytest.mark.parametrize(("sampling", "width"), [(2, 1.5), (1, 3.0), (1, 8.0)])
def test_the_pixel_is_included_once(sampling, width, monkeypatch):
    """A star is what GalSim draws through a pixel."""
    monkeypatch.setattr(psf_families, "_FAMILIES", (psf_families._kolmogorov,))
    monkeypatch.setattr(psf_families, "_ellipticity", lambda *_: torch.zeros(3, 1))
    transform, fwhm = draw_transforms(1, SIZE, (width, width), sampling, generator())
    image = psf_stamps(transform, sampling, 63)[0].numpy()
    star = galsim.Convolve(galsim.Kolmogorov(fwhm=float(fwhm)), galsim.Pixel(1.0))
    assert_close(image, by_galsim(star), 1e-3)


# --- samplings and errors ---------------------------------------------------------------------


@families
def test_both_samplings_agree(family, monkeypatch):
    """The same PSF on a grid twice as fine has the same stamp at the scale of the image."""
    monkeypatch.setattr(psf_families, "_FAMILIES", (getattr(psf_families, f"_{family}"),))
    stamps = [
        psf_stamps(draw_transforms(4, SIZE, (4, 6), sampling, generator())[0], sampling, 63)
        for sampling in (1, 2)
    ]
    assert_close(stamps[0].numpy(), stamps[1].numpy(), 2e-3)


@cameras
def test_a_stamp_has_the_transform_that_it_came_from(camera):
    sampling, limits = CAMERAS[camera]
    transform, _ = draw_transforms(4, SIZE, limits, sampling, generator())
    fine = psf_stamps(transform, 1, sampling * SIZE - 1)  # at the PSF's own sampling
    again = psf_transform(fine, 128, oversampling=sampling)
    assert_allclose(again, transform, atol=0.005)


def test_perturb_changes_only_what_was_chosen(drawn):
    transform, fwhm, sampling = drawn
    chosen = torch.arange(N) % 2 == 0
    wrong = perturb(transform, fwhm, sampling, chosen, generator())
    assert torch.equal(wrong[~chosen], transform[~chosen])
    assert ((wrong - transform).abs().amax(dim=(1, 2))[chosen] > 1e-3).all()
    assert_allclose(images_of(wrong).sum(dim=(1, 2)), 1, rtol=1e-5)


@pytest.mark.parametrize("sampling", [1, 2])
def test_perturb_is_as_large_as_documented(sampling, monkeypatch):
    """2 % of the width, 0.01 of ellipticity and 0.1 pixel, rms, measured on Gaussians."""
    n, size, fwhm = 2000, 32, torch.tensor([4.0])
    kx, ky = psf_families._grid(sampling * size, "cpu")
    gaussian = torch.exp(-0.5 * (kx**2 + ky**2) * (sampling * fwhm / 2.355) ** 2)[None] + 0j
    wrong = perturb(
        gaussian.expand(n, -1, -1), fwhm.expand(n), sampling, torch.ones(n) > 0, generator()
    )
    images = images_of(wrong).double().roll(2 * (sampling * size // 2,), (1, 2))
    axis = (torch.arange(sampling * size, dtype=torch.float64) / sampling - size // 2).numpy()
    along, across = images.sum(dim=1).numpy(), images.sum(dim=2).numpy()
    x, y = along @ axis, across @ axis
    xx, yy = along @ axis**2 - x**2, across @ axis**2 - y**2
    xy = np.einsum("nyx,y,x->n", images.numpy(), axis, axis) - x * y
    for value in (x, y):
        assert_allclose([value.mean(), value.std()], [0, 0.1], atol=0.006)
    sigma = 4.0 / 2.355
    width = np.sqrt((xx + yy) / 2) / sigma - 1
    assert_allclose([width.mean(), width.std()], [0, 0.02], atol=0.0015)
    for value in ((xx - yy) / (xx + yy), 2 * xy / (xx + yy)):
        assert_allclose([value.mean(), value.std()], [0, 0.02], atol=0.0015)
