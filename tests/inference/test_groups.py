"""Groups of sources on a table."""

import numpy as np
import torch
from helpers.rendered import labels_of, star
from numpy.testing import assert_allclose, assert_array_equal

from sersicnet.inference import groups as module
from sersicnet.inference.groups import find_groups, predicted_light
from sersicnet.model import collect_psfs
from sersicnet.model.groups import blend_fraction, group_images, light_on_flux

FWHM = 3.0


def table(*places, **changes):
    """Alike galaxies at some places."""
    label = np.array(labels_of(**({"snr": 60, "r_eff": 3.0} | changes)))
    labels = np.tile(label, (len(places), 1))
    labels[:, 5:] = places
    return labels


def test_friends_of_friends_are_one_group():
    labels = table((0, 0), (14, 0), (28, 0), (500, 500), (514, 500))
    labels[2, 0] += 0.2
    groups = find_groups(labels, FWHM)
    assert groups.size.tolist() == [3, 3, 3, 2, 2]
    assert groups.brightest[:3].tolist() == [2, 2, 2]
    assert groups.brightest[3] == groups.brightest[4]


def test_order_does_not_matter():
    rng = np.random.default_rng(3)
    labels = table(*rng.uniform(0, 300, size=(40, 2)))
    labels[:, 0] += rng.uniform(-0.5, 0.5, 40)
    order = rng.permutation(40)
    one = find_groups(labels, FWHM)
    other = find_groups(labels[order], FWHM)
    assert_array_equal(one.size[order], other.size)
    assert_array_equal(one.brightest[order], order[other.brightest])
    assert_allclose(one.blend_fraction[order], other.blend_fraction)


def test_pairs_in_parts_are_all_pairs(monkeypatch):
    rng = np.random.default_rng(3)
    labels = table(*rng.uniform(0, 300, size=(40, 2)))
    whole = find_groups(labels, FWHM)
    monkeypatch.setattr(module, "_CHUNK", 10)
    parts = find_groups(labels, FWHM)
    assert_array_equal(parts.size, whole.size)
    assert_allclose(parts.blend_fraction, whole.blend_fraction)
    assert_allclose(parts.light.toarray(), whole.light.toarray())


def test_links_are_friends():
    groups = find_groups(table((0, 0), (100, 100), (200, 200)), FWHM, links=[(0, 2)])
    assert groups.size.tolist() == [2, 1, 2]


def test_sources_without_a_model_are_alone():
    labels = table((0, 0), (10, 0))
    labels[1, 2] = np.nan
    groups = find_groups(labels, FWHM)
    assert groups.size.tolist() == [1, 1]
    assert groups.blend_fraction[0] == 0
    assert np.isnan(groups.blend_fraction[1])


def test_a_table_without_sources():
    assert len(find_groups(np.zeros((0, 7)), FWHM).size) == 0
    assert find_groups(table((3, 4)), FWHM).size.tolist() == [1]


def test_light_behind_an_unknown_psf_is_unknown():
    assert np.isnan(find_groups(table((0, 0), (9, 0)), np.nan).blend_fraction).all()


def test_light_that_is_left_out_does_not_count():
    rng = np.random.default_rng(5)
    labels = table(*rng.uniform(0, 90, size=(40, 2)), q=0.5)
    labels[:, 0] += rng.uniform(-1, 0.5, 40)
    labels[:, 1] += rng.uniform(-0.4, 0.2, 40)
    labels[:, 3:5] = rng.uniform(-0.3, 0.3, size=(40, 2))
    light = np.zeros((40, 40))
    share = np.zeros((40, 40))
    for number, label in enumerate(labels):
        light[number], share[number] = predicted_light(np.tile(label, (40, 1)), labels, FWHM)
    np.fill_diagonal(share, 0)
    friends = (light > 0.25) | (light.T > 0.25)
    for _ in range(40):
        friends = friends @ friends
    groups = find_groups(labels, FWHM)
    assert_array_equal(groups.size, friends.sum(axis=1))
    assert_allclose(groups.blend_fraction, share.sum(axis=1), atol=1e-3)


def test_predictions_are_those_of_images():
    """Within a factor of two."""
    psfs = collect_psfs([star(fwhm=FWHM)])
    cases = []
    for away, n, r_eff in ((8, 1.0, 3.0), (12, 2.0, 4.0), (16, 4.0, 3.0), (10, 0.6, 5.0)):
        own = labels_of(snr=50, r_eff=3, q=0.7, theta=20)
        other = labels_of(snr=100, r_eff=r_eff, n=n, q=0.6, theta=70, dx=away, dy=2.0)
        cases.append((np.array(own), np.array(other)))
    for own, other in cases:
        both = np.concatenate([own, other])
        images = group_images(both, ("sersic", "sersic"), psfs, 128, device=torch.device("cpu"))
        light, share = predicted_light(own[None], other[None], FWHM)
        assert_allclose(np.log(light / light_on_flux(images, np.ones((128, 128)))), 0, atol=0.75)
        assert_allclose(np.log(share / blend_fraction(images, own, FWHM)), 0, atol=0.75)
