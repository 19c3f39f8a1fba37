"""Scores of a network in strata of S/N, of both generations."""

from dataclasses import replace

import pytest

from sersicnet.networks.registry import build_network
from sersicnet.training.contaminants import Contaminants
from sersicnet.training.validation import STRATA, validate_by_snr

SMALL = {"channels": (8, 16), "hidden": 16, "context": 8, "transforms": 1, "flow_hidden": 8}


@pytest.mark.parametrize("kind", ["posterior", "likelihood"])
def test_scores(kind):
    network = build_network(kind, **SMALL)
    contaminants = replace(Contaminants.none(), sky=0.5)
    rows = validate_by_snr(network, seed=3, n_scenes=64, n_samples=8, contaminants=contaminants)
    assert len(rows) == len(STRATA) - 1
    assert sum(row["n"] for row in rows) == 64
