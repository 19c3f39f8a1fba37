"""The gain that unit and header of an image say, and when they do not."""

import astropy.units as u
import numpy as np
import pytest

from sersicnet.io.gains import header_gain


@pytest.mark.parametrize(
    ("unit", "cards", "gain"),
    [
        (u.adu, {"GAIN": 2.5}, 2.5),
        (u.DN, {"GAIN": "2.5"}, 2.5),
        (u.electron, {}, 1),
        (u.electron, {"GAIN": 2.5}, 1),
        (u.electron / u.s, {"EXPTIME": 1000.0, "GAIN": 2.5}, 1000),
        (u.ct / u.s, {"EXPTIME": 1000.0, "GAIN": 2.5}, 2500),
        (u.electron / u.s, {"EXPTIME": 1000.0, "NCOMBINE": 8, "TELESCOP": "HST"}, 1000),
        (None, {"GAIN": 2.5, "SOFTNAME": "SWarp"}, 2.5),
        (u.one, {"GAIN": 2.5, "SOFTNAME": "SWarp"}, 2.5),
    ],
)
def test_known_gains(unit, cards, gain):
    assert header_gain(cards, unit).value == gain


@pytest.mark.parametrize(
    ("unit", "cards", "source"),
    [
        (u.adu, {}, ""),
        (u.adu, {"GAIN": 0.0}, "GAIN is not positive"),
        (u.adu, {"GAIN": -1}, "GAIN is not positive"),
        (u.adu, {"GAIN": np.nan}, ""),
        (u.adu, {"GAIN": "unknown"}, ""),
        (u.ct / u.s, {"GAIN": 2.5}, "per second, and there is no EXPTIME"),
        (u.electron / u.s, {}, ""),
        (u.electron / u.s, {"EXPTIME": 0.0}, "EXPTIME is not positive"),
        (u.nJy, {"GAIN": 2.5}, "the data are not counts, but nJy"),
        (u.MJy / u.sr, {"GAIN": 2.5}, "the data are not counts"),
        (None, {"GAIN": 2.5, "EXPTIME": 10.0}, "the data have no unit"),
        (u.adu / u.s, {"GAIN": 250.0, "EXPTIME": 100.0, "SOFTNAME": "SWarp"}, "SWarp may have"),
        (u.adu, {"GAIN": 2.5, "NCOMBINE": 12}, "12 exposures are combined"),
        (u.adu, {"GAIN": 4.0, "INSTRUME": "WFCAM"}, "images of UKIDSS are means of exposures"),
        (u.adu, {"GAIN": 4.0, "INSTRUME": "VIRCAM"}, "images of VISTA are means of exposures"),
    ],
)
def test_gains_that_are_not_known(unit, cards, source):
    found = header_gain(cards, unit)
    assert found.value is None
    assert source in found.source
    assert bool(source) == bool(found.source)
