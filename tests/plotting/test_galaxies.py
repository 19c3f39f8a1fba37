"""One galaxy: image, model, residual, profile, numbers and flags."""

import numpy as np
import pytest
from astropy.nddata import CCDData, StdDevUncertainty
from helpers.drawn import draws

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from sersicnet import SersicNet
from sersicnet.plotting import plot_galaxy

SIDE = 48


@pytest.fixture(scope="module")
def galaxy():
    """A cutout and its results."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    image = 60 * np.exp(-np.hypot(x, y / 0.7) / 4)
    noise = np.random.default_rng(1).normal(size=image.shape)
    uncertainty = StdDevUncertainty(np.ones(image.shape))
    cutout = CCDData(image + noise, unit="adu", uncertainty=uncertainty)
    star = np.exp(-(x**2 + y**2) / 8)[4:-3, 4:-3]
    net = SersicNet.from_pretrained()
    return cutout, net.predict([cutout], psf=star, pixel_scale=0.2, zeropoint=27)


def test_all_that_is_seen_of_a_galaxy(galaxy):
    cutout, results = galaxy
    figure = results.show(0, cutout)
    pictures, profile = figure.subfigs
    assert [ax.get_title() for ax in pictures.axes[:3]] == ["image", "model", "residual"]
    np.testing.assert_array_equal(pictures.axes[0].images[0].get_array(), cutout.data)
    assert profile.axes[1].get_xlabel() == "semi-major axis [arcsec]"
    title = pictures.get_suptitle()
    assert f"{results.median('mag')[0]:.2f} ±" in title
    assert "no flags" in title or "_" in title
    assert draws(figure.subfigs[0].axes[0])


def test_figures_of_the_user(galaxy):
    cutout, results = galaxy
    own = Figure(figsize=(9, 3), layout="constrained")
    assert plot_galaxy(cutout, results, figure=own) is own
    with pytest.raises(IndexError, match="index=1 must be the number of a row"):
        results.show(1, cutout)


def test_notebooks_show_numbers(galaxy):
    _, results = galaxy
    html = results._repr_html_()
    assert html.startswith("<p>SersicResults: 1 galaxy")
    assert f"{results.median('mag')[0]:.1f}" in html
    assert " ± " in html
