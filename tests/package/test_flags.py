"""Flags are single bits with a documented meaning."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sersicnet.flags import Flags, decode_flags, flag_table


def test_flags_are_single_bits_and_documented():
    table = flag_table()
    assert table["value"].tolist() == [2**i for i in range(len(Flags))]
    assert table["name"].tolist() == [flag.name for flag in Flags]
    assert all(table["meaning"])


def test_decode_flags():
    assert decode_flags(0) == []
    assert decode_flags(Flags.LOW_SNR | Flags.NO_DATA) == ["NO_DATA", "LOW_SNR"]
    assert decode_flags(np.array([0, 33])) == [[], ["NO_DATA", "NOISE_ESTIMATED"]]


@given(st.sets(st.sampled_from(list(Flags))))
def test_decode_flags_is_the_inverse(flags):
    assert set(decode_flags(sum(flags))) == {flag.name for flag in flags}
