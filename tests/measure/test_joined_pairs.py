"""Detected pairs are one source where the evidence says so."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from helpers.fields import NOISE, ZEROPOINT, make_field, render

from sersicnet import Flags, SersicNet
from sersicnet.measure import detection
from sersicnet.measure.image import measure_image
from sersicnet.measure.joined_pairs import are_close, join_pairs, rows_of_gone
from sersicnet.measure.places import place_codes
from sersicnet.model.labels import CENTER, LOG_FLUX, LOG_R_EFF
from sersicnet.preprocessing.stamps import CheckedCutout
from sersicnet.preprocessing.surroundings import Group, Member

OPTIONS = {"refine": "lm", "background_box": None, "companions": False}
# A galaxy, and another one far from it.
ONE = {"x_0": [60.3, 20.0], "y_0": [60.1, 104.0], "flux": [9e3, 3e3], "r_eff": [3.5, 2.0]}
ONE |= {"n": [1.0, 1.0], "q": [0.6, 0.9], "theta": [20.0, 0.0]}
# Two that detection separates.
TWO = {"x_0": [56.3, 63.4], "y_0": [60.1, 61.3], "flux": [6e3, 5e3], "r_eff": [1.5, 1.5]}
TWO |= {"n": [1.0, 1.0], "q": [0.8, 0.8], "theta": [20.0, 0.0]}


@pytest.fixture(scope="module")
def net():
    return SersicNet.from_pretrained().set_params(device="cpu")


def noisy(truth):
    image = render({name: np.array(values) for name, values in truth.items()}, (124, 130))
    field = make_field(image, mask=None)
    field.data = image + NOISE * np.random.default_rng(8).normal(size=image.shape)
    return field


@pytest.fixture
def torn(monkeypatch):
    """A detection that tears what is in the middle of the image into two."""
    join_large = detection.join_large

    def split(pieces, *given):
        joined = join_large(pieces, *given)
        left = (joined == joined[60, 60]) & (np.arange(joined.shape[1]) < 61)
        return np.where(left, joined.max() + 1, joined)

    monkeypatch.setattr(detection, "join_large", split)


@pytest.mark.usefixtures("torn")
def test_one_galaxy_that_was_torn_is_one_again(net, tmp_path):
    """A row has all of its pixels, and the number of those of another one is that of its row."""
    field = noisy(ONE)
    assert len(measure_image(field, net=net, **OPTIONS)) == 3
    path = tmp_path / "pixels.fits"
    joined = {"join_pairs": True, "segmentation_image": path}
    table = measure_image(field, net=net, **joined, **OPTIONS)
    assert len(table) == 2
    assert table["group_size"].tolist() == [1, 1]
    assert table.meta["JOINPAIR"] is True
    assert table.meta["NJOINED"] == 1
    error = table["mag"][0].value - (ZEROPOINT - 2.5 * np.log10(ONE["flux"][0]))
    assert abs(error / table["mag_err"][0].value) < 4
    assert fits.getdata(path)[[60, 60, 104], [58, 63, 20]].tolist() == [1, 1, 2]


def test_two_galaxies_stay_two(net):
    field = noisy(TWO)
    table = measure_image(field, net=net, join_pairs=True, **OPTIONS)
    apart = measure_image(field, net=net, **OPTIONS)
    assert len(table) == len(apart) == 2
    assert (table["mag"] == apart["mag"]).all()
    assert table.meta["NJOINED"] == 0
    assert apart.meta["JOINPAIR"] is False


def test_several_bands_have_no_evidence_of_pairs():
    images = {"g": np.ones((40, 40)), "r": np.ones((40, 40))}
    with pytest.raises(ValueError, match="join_pairs= is for images of one band"):
        measure_image(images, join_pairs=True, refine="lm")


def labels_of(x, flux, r_eff=2.0):
    labels = np.zeros((len(x), 7))
    labels[:, CENTER.start] = x
    labels[:, LOG_FLUX] = np.log10(flux)
    labels[:, LOG_R_EFF] = np.log10(r_eff)
    return labels


def test_pairs_that_may_be_one():
    """They are close, and of similar flux; the first one stays in any case."""
    assert are_close(labels_of([0.0, 5.9], [2.0, 1.0]), 3.0) == [(0, 1)]
    assert are_close(labels_of([0.0, 5.9], [1.0, 2.0]), 3.0) == [(0, 1)]
    assert are_close(labels_of([0.0, 6.1], [2.0, 1.0]), 3.0) == []
    assert are_close(labels_of([0.0, 6.1], [2.0, 1.0], r_eff=7.0), 3.0) == [(0, 1)]
    assert are_close(labels_of([0.0, 5.9], [11.0, 1.0]), 3.0) == []
    labels = labels_of([90.0, 0.0, 5.0, 3.0], [9.0, 1.0, 2.0, 3.0])
    assert are_close(labels, 3.0) == [(3, 2), (3, 1), (2, 1)]


def test_a_pair_may_be_one_by_its_fluxes_before_the_joint_fit():
    """The joint fit may give nearly all of the light of one galaxy to a part of it."""
    together = labels_of([0.0, 5.9], [20.0, 1.0])
    assert are_close(together, 3.0, labels_of([0.0, 5.9], [2.0, 1.0])) == [(0, 1)]
    assert are_close(together, 3.0, labels_of([0.0, 5.9], [11.0, 1.0])) == []
    assert are_close(together, 3.0, labels_of([0.0, 5.9], [np.nan, 1.0])) == []


def test_rows_of_parts_are_marked():
    table = Table({"row": [1, 2], "peak_y": [3, 4], "peak_x": [5, 6], "mag": [7.0, 8.0]})
    table["fitted_with"] = 9
    gone = rows_of_gone(table, [((0, 33, 55), (2, 4, 6))])
    assert gone["mag"].tolist() == [8.0]
    assert [gone[name][0] for name in ("row", "peak_y", "peak_x")] == [0, 33, 55]
    assert gone["fitted_with"].tolist() == (-place_codes(table[1:])).tolist()
    assert table["peak_y"].tolist() == [3, 4]


@pytest.mark.parametrize("misfit", [0, 2])
def test_the_misfit_is_that_of_the_pair(misfit):
    """Two have no evidence: they are one if what is in their place fits, whatever others do."""
    pixels = np.zeros((9, 9))
    cutout = CheckedCutout(pixels, pixels + 1, pixels > 0)
    labels = labels_of([0.0, 30.0, 34.0], [9.0, 2.0, 1.0])
    group = Group(cutout, labels, labels[:, CENTER])
    cutouts = [
        CheckedCutout(cutout.data, cutout.noise, cutout.mask, member=Member(group, n, (0, 0)))
        for n in range(3)
    ]
    part = Table({"row": [0, 1, 2]})

    def predict(cutouts, part, **options):
        numbers = np.asarray(part["row"])
        evidence = np.full(len(cutouts), np.nan)
        if len(cutouts[0].member.group.labels) == 2:
            evidence[:] = -9.0
        return SimpleNamespace(
            columns={"log_evidence": evidence},
            flags=np.where(numbers == misfit, int(Flags.MISFIT), 0),
        )

    cutter = SimpleNamespace(cut=lambda turn: (cutouts, part))
    turn = SimpleNamespace(rows=np.arange(3))
    measurement = SimpleNamespace(predict=predict)
    found = join_pairs(measurement, cutter, [turn], {0: [(2, 1)]})
    joined = [(pair.kept, pair.left_out) for pairs in found.values() for pair in pairs]
    assert joined == ([] if misfit == 2 else [(2, 1)])
