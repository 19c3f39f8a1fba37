"""Profiles of surface brightness: means in ellipses, with errors that hold."""

from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty
from helpers.correlated import smoothed
from helpers.drawn import draws

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from sersicnet import SersicNet
from sersicnet.plotting import plot_profile

SIDE = 81
Q = 0.6
THETA = 30.0
SCALE = 0.2
ZEROPOINT = 27.0


def radius():
    """Elliptical radius of each pixel."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    angle = np.radians(THETA)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    return np.hypot(along, across / Q)


PARTS = {"bulge": 300 * np.exp(-radius() / 4), "disk": 100 * np.exp(-radius() / 8)}


class Results:
    """Results of one galaxy of two parts, on a sky of 5."""

    parameters = ("mag", "r_eff", "n", "q", "theta", "x_0", "y_0")
    parts = tuple((name, "exponential") for name in PARTS)
    pixel_shapes = MappingProxyType({"q_pix": np.array([Q]), "r_eff_pix": np.array([10.0])})
    frame = SimpleNamespace(pixel_scale=np.array([SCALE]), zeropoint=np.array([ZEROPOINT]))

    @property
    def inputs(self):
        """The PSF has a FWHM of 3 pixels, a given one another."""

        def find_psf(index, cutout, psf, oversampling):
            return SimpleNamespace(widths=lambda: np.array([3.0 if psf is None else 5.0]))

        return SimpleNamespace(find_psf=find_psf)

    def parts_of(self, index):
        return self.parts

    def median(self, name):
        return np.array([{"theta": THETA}.get(name, SIDE // 2)])

    def model_image(self, index, cutout, *, psf, sky=True, component=None):
        return PARTS.get(component, sum(PARTS.values())) + 5 * sky


def make_cutout(noise=0.0, *, sigma=1.0, mask=None):
    uncertainty = StdDevUncertainty(np.full((SIDE, SIDE), sigma))
    data = sum(PARTS.values()) + 5 + noise
    return CCDData(data, unit="adu", uncertainty=uncertainty, mask=mask)


def points(ax):
    """The radii and values of points with error bars."""
    return ax.containers[0].lines[0].get_data()


def test_profile_of_a_known_galaxy():
    brightness, residual = plot_profile(make_cutout(), Results(), index=0)
    arcsec, mag = points(brightness)
    total = 300 * np.exp(-arcsec / SCALE / 4) + 100 * np.exp(-arcsec / SCALE / 8)
    expected = ZEROPOINT - 2.5 * np.log10(total / SCALE**2)
    np.testing.assert_allclose(mag, expected, atol=0.06)  # an annulus has a width
    np.testing.assert_allclose(points(residual)[1], 0, atol=1e-6)
    assert {line.get_label() for line in brightness.lines} >= {"bulge", "disk", "model"}
    low, high = brightness.get_ylim()
    assert low > high
    assert draws(brightness)
    assert residual.get_xlabel() == "semi-major axis [arcsec]"


@pytest.mark.parametrize(("psf", "width"), [(None, 3), (np.ones((3, 3)), 5)])
def test_the_width_of_the_psf_is_marked(psf, width):
    axes = plot_profile(make_cutout(), Results(), psf=psf)
    assert "PSF HWHM" in axes[0].get_legend_handles_labels()[1]
    for ax in axes:
        places = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"]
        np.testing.assert_allclose(places, [width / 2 * SCALE])


def test_profile_of_a_point_source():
    """In circles, in which a flat galaxy is fainter than along its major axis."""
    star = Results()
    star.pixel_shapes = {"q_pix": np.array([np.nan])}
    _, mag = points(plot_profile(make_cutout(), star)[0])
    _, along = points(plot_profile(make_cutout(), Results())[0])
    assert (mag[5:10] > along[5:10]).all()


@pytest.mark.parametrize("sigma", [0, 1.5])
def test_errors_hold_in_noise_of_any_correlation(sigma):
    noise = np.random.default_rng(1).normal(size=(8, SIDE, SIDE))
    if sigma:
        noise = smoothed(8, SIDE, sigma)
    pulls = []
    for each in noise:
        cutout = make_cutout(each, sigma=noise.std())
        pulls.append(points(plot_profile(cutout, Results())[1])[1][5:])
    assert 0.8 < np.std(pulls) < 1.2


def test_faint_means_are_upper_limits():
    noise = np.random.default_rng(2).normal(0, 30, (SIDE, SIDE))
    brightness, residual = plot_profile(make_cutout(noise, sigma=30), Results())
    n_limits = len(brightness.collections[-1].get_offsets())
    assert n_limits > 3
    assert len(points(brightness)[0]) + n_limits == len(points(residual)[0])
    assert "upper limit" in brightness.get_legend_handles_labels()[1]


def test_masked_pixels_do_not_count():
    mask = radius() < 3
    cutout = make_cutout(mask=mask)
    cutout.data[mask] = 1e9
    _, residual = plot_profile(cutout, Results())
    arcsec, pulls = points(residual)
    assert arcsec.min() > 2 * SCALE
    np.testing.assert_allclose(pulls, 0, atol=1e-6)
    with pytest.raises(ValueError, match="no annulus around the galaxy"):
        plot_profile(make_cutout(mask=np.ones((SIDE, SIDE), bool)), Results())


def test_profiles_need_shape_and_center():
    noise = np.random.default_rng(1).normal(size=(64, 64))
    results = SersicNet.from_pretrained("deeplegato").predict(
        [noise], pixel_scale=0.06, zeropoint=25.9
    )
    psf = np.zeros((5, 5))
    psf[2, 2] = 1
    with pytest.raises(ValueError, match="theta, x_0, y_0 were not predicted"):
        plot_profile(noise, results, psf=psf)


def test_isophotes_are_drawn(monkeypatch):
    radii = np.array([2.0, 8.0, 30.0])
    mean = 100 * np.exp(-radii / 8)
    found = np.array([radii, mean, 0.1 * mean + [0, 0, 100]])  # the last one is noise
    monkeypatch.setattr("sersicnet.plotting.profiles.fit_isophotes", lambda *_: found)
    axes = plot_profile(make_cutout(), Results(), isophotes=True)
    assert "isophotes" in axes[0].get_legend_handles_labels()[1]
    radius, mag = axes[0].containers[-1].lines[0].get_data()
    np.testing.assert_allclose(radius, radii[:2] * SCALE)
    np.testing.assert_allclose(mag, ZEROPOINT - 2.5 * np.log10(mean[:2] / SCALE**2))


def test_the_panel_says_that_there_are_no_isophotes(monkeypatch):
    monkeypatch.setattr("sersicnet.plotting.profiles.fit_isophotes", lambda *_: None)
    axes = plot_profile(make_cutout(), Results(), isophotes=True)
    assert [text.get_text() for text in axes[0].texts] == ["photutils fits no isophotes"]


def test_labels_are_within_the_figure():
    """Also where panels are lower than those of the default figure."""
    figure = Figure(figsize=(5, 3), layout="constrained")
    image = sum(PARTS.values()) + 5 + np.random.default_rng(1).normal(size=(SIDE, SIDE))
    axes = plot_profile(CCDData(image, unit="adu"), Results(), ax=figure.subplots())
    figure.draw_without_rendering()
    for ax in axes:
        box = ax.yaxis.label.get_window_extent()
        assert box.ymin >= figure.bbox.ymin
        assert box.ymax <= figure.bbox.ymax
