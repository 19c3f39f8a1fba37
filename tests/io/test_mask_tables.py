"""Bits of masks by name, as the pipelines define them."""

import pytest

from sersicnet.io.mask_bits import mask_bits_of

HST = {"TELESCOP": "HST"}
VIS = {"TELESCOP": "EUCLID", "INSTRUME": "VIS"}
DECAM = {"INSTRUME": "DECam", "PLVER": "V2.8"}
BITS = [
    ({"TELESCOP": "JWST"}, {"OUTLIER": 16, "CHARGELOSS": 128, "REFERENCE_PIXEL": 2**31}),
    ({"TELESCOP": "ROMAN"}, {"GW_AFFECTED_DATA": 16, "OUTLIER": 128, "OTHER_BAD_PIXEL": 2**30}),
    (HST | {"INSTRUME": "ACS"}, {"HOT": 16, "UNSTABLE": 32, "SATURATED": 256, "CRREJ": 8192}),
    (HST | {"INSTRUME": "STIS"}, {"HOT": 16, "SMALL_BLEMISH": 1024, "CRREJ": 8192}),
    (HST | {"INSTRUME": "WFPC2"}, {"SATURATED": 8, "WARM": 512, "CHIP": 2048}),
    (VIS, {"SAT": 8, "OVRCOL": 4096, "NO_DATA": 1 << 22, "OBJECTS": 1 << 24}),
    (DECAM, {"SATURATED": 2, "COSMIC_RAY": 16, "BLEED": 64}),
    ({"IMTYPE": "maskbits"}, {"BAILOUT": 1024, "GALAXY": 4096, "SATUR_I": 1 << 14}),
    ({"INSTRUME": "ZTF/MOSAIC"}, {"SATURATED": 256, "PSFSOURCES": 2048}),
]


@pytest.mark.parametrize(("cards", "bits"), BITS)
def test_bits_by_their_names(cards, bits):
    rule = mask_bits_of(cards)
    assert {name: rule.choose(name) for name in bits} == bits
