"""Catalogs of survey images, and how they are compared."""

import numpy as np
from numpy.testing import assert_allclose

from helpers.fields import (
    make_field,
    render,
)
from sersicnet.parameters import PARAMETERS

# Part of the quoted error that rounding to float32 may move an answer by.
ROUNDING = 5e-3


def value(column):
    return np.asarray(getattr(column, "value", column))


def has(table, flag):
    return (table["flags"] & int(flag)) != 0


def nearest(table, truth):
    """The row of the table for each row of the truth, and how far away it is."""
    x, y = value(table["x_centroid"]), value(table["y_centroid"])
    distance = np.hypot(x - truth["x_0"][:, None], y - truth["y_0"][:, None])
    return distance.argmin(axis=1), distance.min(axis=1)


def assert_same(table, expected, *, rounding=ROUNDING):
    """Photometry and flags to the bit or nearly so, predictions to float32 rounding."""
    assert table.colnames == expected.colnames
    assert len(table) == len(expected)
    for name in expected.colnames:
        parameter = name.partition("_err")[0].removesuffix("_lo").removesuffix("_hi")
        scale = 1.0
        if parameter in (*PARAMETERS, "flux", "ra", "dec", "pa"):
            error = {"ra": "x_0", "dec": "x_0", "pa": "theta"}.get(parameter, parameter)
            scale = value(expected[f"{error}_err"])
        tolerance = rounding if np.ndim(scale) or name == "chi2" else 1e-8
        if name in ("blend_fraction", "prob_star"):  # of predictions
            tolerance = 1e-5
        assert_allclose(
            value(table[name]) / scale, value(expected[name]) / scale, atol=tolerance, err_msg=name
        )


def one_star(x, y, **changes):
    return one_galaxy(x, y, r_eff=0.0, **changes)


def one_galaxy(x, y, *, r_eff, n=1.0, q=0.8, flux=2e4, side=150, **changes):
    truth = {"x_0": x, "y_0": y, "flux": flux, "r_eff": r_eff, "n": n, "q": q, "theta": 20.0}
    truth = {name: np.array([number]) for name, number in truth.items()}
    return make_field(render(truth, (side, side)), **changes)
