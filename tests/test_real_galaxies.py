"""The shipped weights on real galaxies, where they are beside the repository."""

import numpy as np
import pytest
from astropy.nddata import CCDData

from sersicnet import SersicNet
from sersicnet.cutouts import read_cutout
from sersicnet.demo import published_values
from sersicnet.diagnostics import compare
from sersicnet.flags import Flags
from sersicnet.preprocessing import center

IMFIT = {"mag": "IMFMAG", "r_eff": "IMFRE", "n": "IMFN", "q": "IMFQ", "theta": "IMFTHETA"}


@pytest.fixture(scope="module")
def cosmos(real_galaxies):
    """The 22 cutouts of COSMOS."""
    cutouts = [read_cutout(path) for path in sorted(real_galaxies.glob("*.fits"))]
    chosen = [cutout for cutout in cutouts if cutout.meta["SURVEY"] == "COSMOS"]
    assert len(chosen) == 22
    return chosen


@pytest.fixture(scope="module")
def results(cosmos):
    return SersicNet.from_pretrained("cosmos").predict(cosmos)


# Twice the scatter that was measured when the weights were shipped, see docs/real_galaxies.rst.
@pytest.mark.parametrize(
    ("parameter", "bias", "scatter"),
    [("mag", 0.08, 0.16), ("r_eff", 0.05, 0.10), ("n", 0.25, 0.5), ("q", 0.05, 0.1)],
)
def test_agrees_with_imfit(cosmos, results, parameter, bias, scatter):
    difference = compare(results, published_values(cosmos, cards=IMFIT), parameter)
    assert abs(difference.bias) < bias
    assert difference.scatter < scatter


def test_position_angles_of_elongated_galaxies_agree_with_imfit(cosmos, results):
    imfit = published_values(cosmos, cards=IMFIT)
    elongated = imfit["q"] < 0.7
    angle = compare(results.to_table()[elongated], imfit[elongated], "theta")
    assert np.abs(angle.error).max() < 10


def test_all_have_an_answer_and_few_have_flags(cosmos, results):
    assert np.isfinite(results.mean).all()
    allowed = int(Flags.CROPPED | Flags.OUT_OF_RANGE | Flags.UNRESOLVED)
    assert (results.flags & ~allowed == 0).all()


def test_models_leave_little_of_the_galaxies(cosmos, results):
    """The residual within the half-light ellipse is small beside the light there."""
    for i, cutout in enumerate(cosmos):
        y, x = np.indices(cutout.shape)
        distance = np.hypot(x - results.median("x_0")[i], y - results.median("y_0")[i])
        inside = distance < results.median("r_eff")[i] / 0.03
        light = cutout.data[inside].sum()
        assert abs(results.residual(i, cutout)[inside].sum()) < 0.25 * light


def test_a_galaxy_off_centre_is_the_same_after_centering(cosmos):
    net = SersicNet.from_pretrained("cosmos")
    original = cosmos[0]
    shifted = CCDData(
        np.pad(original.data, ((20, 0), (20, 0))),
        unit=original.unit,
        uncertainty=type(original.uncertainty)(
            np.pad(original.uncertainty.array, ((20, 0), (20, 0)), constant_values=1)
        ),
        meta=original.meta,
        psf=original.psf,
    )
    first, second = net.predict([original, center(shifted, size=original.shape[0])]).median("mag")
    assert first == pytest.approx(second, abs=0.1)
