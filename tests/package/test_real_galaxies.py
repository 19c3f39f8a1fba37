"""The universal network on real galaxies of six surveys, where they are beside the repository."""

import numpy as np
import pytest
from astropy.nddata import CCDData

from benchmarks.real import IMFIT_CARDS
from sersicnet import SersicNet
from sersicnet.cli.demonstration import published_values
from sersicnet.diagnostics.comparison import compare
from sersicnet.flags import Flags
from sersicnet.io.cutouts import read_cutout
from sersicnet.preprocessing.sources import center

# As imfit's residuals show: spiral arms, knots, a companion; and none of them.
STRUCTURED = ("btk_004", "btk_008", "btk_046", "cosmos_141190", "cosmos_166341")
SMOOTH = ("goodss_galfit", "hsc_gal2", "sdss_G266035", "sdss_G267199", "btk_016")


@pytest.fixture(scope="module")
def cutouts(real_galaxies):
    """All 35, by name."""
    found = {path.stem: read_cutout(path) for path in sorted(real_galaxies.glob("*.fits"))}
    assert len(found) == 35
    return found


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained()


@pytest.fixture(scope="module")
def results(net, cutouts):
    return net.predict(list(cutouts.values()), recenter_psf=False)  # as imfit


@pytest.fixture(scope="module")
def imfit(cutouts):
    return published_values(list(cutouts.values()), cards=IMFIT_CARDS)


@pytest.fixture(scope="module")
def cosmos(cutouts):
    """Which are of COSMOS, and its 22."""
    chosen = np.array([cutout.meta["SURVEY"] == "COSMOS" for cutout in cutouts.values()])
    assert chosen.sum() == 22
    return chosen


# Twice the scatter that the documentation has, see docs/trust/real_galaxies.rst.
@pytest.mark.parametrize(
    ("parameter", "bias", "scatter"),
    [("mag", 0.1, 0.16), ("r_eff", 0.06, 0.10), ("n", 0.3, 0.6), ("q", 0.05, 0.08)],
)
@pytest.mark.parametrize("of_cosmos", [True, False])
def test_agrees_with_imfit(results, imfit, cosmos, parameter, bias, scatter, of_cosmos):
    chosen = cosmos == of_cosmos
    difference = compare(results.to_table()[chosen], imfit[chosen], parameter)
    assert abs(difference.bias) < bias
    assert difference.scatter < scatter


def test_position_angles_of_elongated_galaxies_agree_with_imfit(results, imfit):
    elongated = imfit["q"] < 0.7
    angle = compare(results.to_table()[elongated], imfit[elongated], "theta")
    assert np.abs(angle.error).max() < 12


def test_centers_agree_with_imfit_where_there_is_one(results, imfit, cutouts):
    """Not where the PSF is off its middle, or an arm outshines the nucleus."""
    unclear = ("btk", *STRUCTURED)
    centered = np.array([not name.startswith(unclear) for name in cutouts])
    for name in ("x_0", "y_0"):
        error = compare(results.to_table()[centered], imfit[centered], name).error
        assert np.median(np.abs(error)) < 0.25
        assert np.abs(error).max() < 1


def test_all_have_an_answer_and_few_have_flags(results):
    assert np.isfinite(results.quantiles).all()
    allowed = Flags.CROPPED | Flags.BINNED | Flags.MISFIT | Flags.OUT_OF_RANGE
    allowed |= Flags.UNDERSAMPLED_PSF | Flags.CENTER_MASKED | Flags.BAD_PIXELS
    allowed |= Flags.SMALL_CUTOUT | Flags.OFF_CENTER  # one each
    allowed |= Flags.NOISE_FROM_DATA  # two of SDSS, from some hundred counts
    assert (results.flags & ~int(allowed) == 0).all()


@pytest.mark.parametrize(("names", "expected"), [(STRUCTURED, True), (SMOOTH, False)])
def test_structure_is_flagged(results, cutouts, names, expected):
    misfit = dict(zip(cutouts, results.flags & int(Flags.MISFIT) != 0, strict=True))
    assert {name: misfit[name] for name in names} == dict.fromkeys(names, expected)


def test_models_leave_little_of_the_galaxies(results, cutouts):
    """The residual within the half-light ellipse is small beside the light there."""
    for i, cutout in enumerate(cutouts.values()):
        y, x = np.indices(cutout.shape)
        distance = np.hypot(x - results.median("x_0")[i], y - results.median("y_0")[i])
        good = np.isfinite(cutout.data) & (True if cutout.mask is None else ~cutout.mask)
        inside = good & (distance < results.median("r_eff")[i] / results.frame.pixel_scale[i])
        light = cutout.data[inside].sum()
        assert abs(results.residual(i, cutout)[inside].sum()) < 0.25 * light


def test_a_galaxy_off_center_is_the_same_after_centering(net, cutouts):
    original = cutouts["btk_000"]
    shifted = CCDData(
        np.pad(original.data, ((20, 0), (20, 0))),
        unit=original.unit,
        uncertainty=type(original.uncertainty)(
            np.pad(original.uncertainty.array, ((20, 0), (20, 0)), constant_values=1)
        ),
        meta=original.meta,
        psf=original.psf,
    )
    again = center(shifted, size=original.shape[0])
    again.psf = original.psf
    first, second = net.predict([original, again], recenter_psf=False).median("mag")
    assert first == pytest.approx(second, abs=0.1)
