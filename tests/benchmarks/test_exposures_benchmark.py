"""The benchmark of exposures: its coadd, and its scores."""

import numpy as np
import pytest
from astropy.table import Table

from benchmarks import exposures


@pytest.fixture(scope="module")
def labels():
    return exposures.galaxies(4, 1)


def test_coadd_keeps_the_light(labels):
    images = exposures.exposures_of(labels, 1)
    coadd = exposures.drizzled(images)
    assert coadd.shape == (len(labels), 96, 96)
    mean = np.mean([stack.sum(axis=(1, 2)) for stack in images.values()], axis=0)
    np.testing.assert_allclose(coadd.sum(axis=(1, 2)), mean)


def test_scores(labels):
    bounds = exposures.cramer_rao(labels)
    rng = np.random.default_rng(1)
    table = Table({"flags": np.zeros(len(labels), dtype=int)})
    for name, column in exposures.SHOWN.items():
        truth = labels[:, column]
        if name == "mag":
            truth = exposures.ZEROPOINT - 2.5 * truth
        if name == "r_eff":
            truth = exposures.PIXEL_SCALE * 10**truth
        for end, away in (("_lo", -1), ("", 0), ("_hi", 1)):
            table[name + end] = truth + away * rng.uniform(0.1, 1)
    rows = exposures.judge("exposures", table, labels, bounds)
    assert [row["parameter"] for row in rows] == ["mag", "r_eff", "n"]
    assert all(row["coverage"] == 1 for row in rows)
