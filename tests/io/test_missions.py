"""The table of missions, and which one wrote a header."""

import pytest
from astropy.io import fits

from sersicnet.io.missions import MISSIONS, find_mission
from sersicnet.io.zeropoints import header_zeropoint


def test_fits_headers():
    header = fits.Header({"INSTRUME": "DECam  ", "MAGZERO": 29.915})
    header["HIERARCH FPA.ZP"] = 25.0
    assert find_mission(header).name == "DECam"
    assert find_mission(fits.Header()) is None
    assert header_zeropoint(header, per_second=False).source == "MAGZERO"


def test_names_of_missions():
    names = [mission.name for mission in MISSIONS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ({"TELESCOP": "NEOWISE"}, "WISE"),
        ({"TELESCOP": "unWISE"}, "unWISE"),
        ({"INSTRUME": "HAWK-I"}, "HAWK-I"),
        ({"INSTRUME": "FLAMINGOS-2"}, "other infrared cameras"),
        ({"INSTRUME": "ACS", "TELESCOP": "HST"}, "HST"),
    ],
)
def test_how_a_mission_is_known(header, name):
    assert find_mission(header).name == name
