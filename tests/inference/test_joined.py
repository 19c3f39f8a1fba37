"""Joint fits in the place of others: where they have not converged, the others stay."""

from dataclasses import replace

import numpy as np
from helpers.blended import NEIGHBOR, blend
from numpy.testing import assert_array_equal

from sersicnet import Flags
from sersicnet.inference import joined as module
from sersicnet.preprocessing import mask_neighbors


def test_a_joint_fit_that_fails_leaves_that_with_the_neighbor_masked(net, monkeypatch):
    real = module.fit_jointly

    def failing(*arguments, **options):
        joint = real(*arguments, **options)
        fit = replace(joint.fit, converged=np.zeros(len(joint.rows), dtype=bool))
        return replace(joint, fit=fit)

    monkeypatch.setattr(module, "fit_jointly", failing)
    cutout = blend(NEIGHBOR)
    found = net.predict([cutout], neighbors="fit")
    masked = net.predict([mask_neighbors(cutout)], refine="lm")
    assert_array_equal(found.quantiles, masked.quantiles)
    assert found.flags[0] & int(Flags.GROUP_NOT_CONVERGED)
    assert found.to_table()["group_size"][0] == 1


def test_nothing_changes_without_joint_fits(net, monkeypatch):
    monkeypatch.setattr(module, "fit_jointly", lambda *arguments, **options: None)
    cutout = blend(NEIGHBOR)
    found = net.predict([cutout], neighbors="fit").to_table()
    masked = net.predict([mask_neighbors(cutout)], refine="lm").to_table()
    for name in set(masked.colnames) - {"flags"}:
        assert_array_equal(found[name], masked[name], err_msg=name)
