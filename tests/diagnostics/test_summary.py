"""Counts of rows without a result, and of flags."""

import astropy.units as u
import numpy as np
from astropy.table import QTable

from sersicnet.diagnostics.summary import summarize_rows, without_result
from sersicnet.flags import Flags


def test_rows_without_a_result_have_no_parameter():
    table = QTable(
        {
            "mag": [20.0, np.nan, np.nan] * u.ABmag,
            "n": np.ma.array([1.0, 2.0, 3.0], mask=[False, False, True]),
            "kron_mag": [np.nan, 20.0, 20.0],
        }
    )
    np.testing.assert_array_equal(without_result(table), [False, False, True])


def test_tables_in_other_words():
    table = QTable({"sersicFlux": [1.0, np.nan] * u.nJy, "id": [1, 2]})
    np.testing.assert_array_equal(without_result(table), [False, True])
    np.testing.assert_array_equal(without_result(table["id",]), [False, False])


def test_all_flags_are_counted():
    flags = np.array([int(flag) for flag in Flags] + [int(Flags.LOW_SNR), 0])
    text = summarize_rows(flags, np.zeros(len(flags), bool))
    assert text.startswith(f"{len(flags)} rows, 0 without a result; flags: ")
    for flag in Flags:
        assert f"{flag.name} {1 + (flag == Flags.LOW_SNR)}" in text


def test_no_rows():
    assert summarize_rows([], []) == "0 rows, 0 without a result; flags: none"
