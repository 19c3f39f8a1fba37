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


def test_bits_stay_what_they_are():
    """Catalogs on disk hold the numbers: a bit may be added, none may change its meaning."""
    written = {
        "NO_DATA": 1,
        "NO_NOISE": 2,
        "RENDER_FAILED": 4,
        "PREDICTION_FAILED": 8,
        "BAD_PIXELS": 16,
        "NOISE_ESTIMATED": 32,
        "CENTER_MASKED": 64,
        "OFF_CENTER": 128,
        "LOW_SNR": 256,
        "CROPPED": 512,
        "EXCEEDS_CUTOUT": 1024,
        "UNRESOLVED": 2048,
        "OUT_OF_RANGE": 4096,
        "BAD_PSF": 8192,
        "PIXEL_SCALE_MISMATCH": 16384,
        "UNDERSAMPLED_PSF": 32768,
        "BINNED": 65536,
        "MISFIT": 131072,
        "NOT_REFINED": 262144,
        "AT_BOUND": 524288,
        "LOW_ESS": 1048576,
        "EDGE": 2097152,
        "BLENDED": 4194304,
        "SATURATED": 8388608,
        "HIGH_CHI2": 16777216,
        "NOT_CONVERGED": 33554432,
        "SMALL_CUTOUT": 67108864,
        "BEYOND_TRAINING": 134217728,
        "NOISE_FROM_DATA": 268435456,
        "SKY_DEGENERATE": 536870912,
        "CORRELATION_UNKNOWN": 1073741824,
        "GROUP_NOT_CONVERGED": 2147483648,
        "MISSING_BAND": 4294967296,
        "COMPANION": 8589934592,
        "NOT_COUNTS": 17179869184,
        "EXCHANGED": 34359738368,
        "NOT_NORMAL": 68719476736,
    }
    assert {name: int(Flags[name]) for name in written} == written
