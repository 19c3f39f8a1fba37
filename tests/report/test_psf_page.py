"""The page about a PSF that was made from stars."""

import numpy as np
import pytest

pytest.importorskip("bokeh")

from sersicnet.report import write_psf_page


def stars(n):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-10:11, -10:11]
    model = 50 * np.exp(-(x**2 + y**2) / 5) * np.ones((n, 1, 1))
    data = model + rng.normal(size=model.shape)
    data[:, :2] = np.nan
    places = {name: rng.uniform(0, 100, n) for name in ("x", "y")}
    return places | {
        "snr": rng.uniform(50, 500, n),
        "fwhm": np.full(n, 3.0),
        "light": np.full(n, 0.0123),
        "light_err": np.full(n, 0.01),
        "chi2": np.full(n, 1.04),
        "data": data,
        "model": model,
    }


def test_it_shows_stars_residuals_and_widths(tmp_path):
    options = {"shape": (120, 100), "width": np.full((3, 3), 3.1), "words": "made from 6 stars"}
    path = write_psf_page(tmp_path / "psf.html", stars(6), **options)
    text = path.read_text(encoding="utf-8")
    assert text.count("data:image/png") >= 6
    assert "made from 6 stars" in text
    assert "light +1.2 %, chi2 1.04" in text
    assert "FWHM of the PSF (pixels)" in text


def test_only_the_brightest_have_pictures(tmp_path):
    options = {"shape": (120, 100), "width": np.full((3, 3), 3.1), "words": ""}
    path = write_psf_page(tmp_path / "psf.html", stars(60), **options)
    assert "the 40 brightest" in path.read_text(encoding="utf-8")


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OSError, match="there is no folder"):
        write_psf_page(tmp_path / "no" / "psf.html", stars(5), shape=(9, 9), width=1, words="")
