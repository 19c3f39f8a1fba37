"""Zero points in headers as missions write them."""

import numpy as np
import pytest

from sersicnet.io.zeropoints import ZEROPOINT_CARDS, header_zeropoint, unused_cards

# An ACS/WFC F814W image; STScI's calculator gives 25.94 to 25.96 over the years.
HST = {"TELESCOP": "HST", "PHOTFLAM": 7.0332e-20, "PHOTPLAM": 8045.0, "PHOTZPT": -21.1}
DECAM = {"INSTRUME": "DECam", "MAGZERO": 29.915, "MAGZPT": 24.842, "EXPTIME": 107.0}
VIS = {"TELESCOP": "Euclid", "INSTRUME": "VIS", "MAGZEROP": "24.566", "EXPTIME": 566.0}


@pytest.mark.parametrize(
    ("header", "per_second", "zeropoint"),
    [
        # HST: of one count per second; drizzled images often have no unit
        (HST, True, 25.946),
        (HST | {"EXPTIME": 2000.0}, False, 25.946 + 2.5 * np.log10(2000)),
        # DECam: MAGZERO is of the image, MAGZPT of one second
        (DECAM, False, 29.915),
        (DECAM, None, 29.915),
        (DECAM, True, 24.842),
        ({key: DECAM[key] for key in ("INSTRUME", "MAGZPT", "EXPTIME")}, False, 29.915),
        # Euclid: a string, of one second; NISP; a mosaic
        (VIS, False, 24.566 + 2.5 * np.log10(566)),
        (VIS, None, 24.566 + 2.5 * np.log10(566)),
        ({"TELESCOP": "EUCLID", "INSTRUME": "NISP", "ZPAB": 30.05, "EXPTIME": 87.2}, None, 30.05),
        ({"TELESCOP": "Euclid", "INSTRUME": "VIS", "MAGZERO": 24.6}, None, 24.6),
        # LSST and HSC: the counts of magnitude 0
        ({"FLUXMAG0": 63095734448.0194}, None, 27.0),
        ({"INSTRUME": "HSC", "FLUXMAG0": 63095734448.0194, "EXPTIME": 30.0}, False, 27.0),
        # CFHT, KiDS (where 0 is a number), Legacy Surveys
        ({"TELESCOP": "CFHT 3.6m", "PHOTZP": 30.0, "EXPTIME": 615.0}, False, 30.0),
        ({"INSTRUME": "OMEGACAM", "PHOTZP": 0.0}, None, 0.0),
        ({"INSTRUME": "DECam", "MAGZERO": 22.5}, None, 22.5),
        # Pan-STARRS: 25 per second
        ({"TELESCOP": "PS1", "FPA.ZP": "25.0", "EXPTIME": 945.0}, None, 25 + 2.5 * np.log10(945)),
        # ZTF: of the exposure
        ({"INSTRUME": "ZTF/MOSAIC", "MAGZP": 26.2, "EXPTIME": 30.0}, False, 26.2),
        # a system that is named AB
        ({"INSTRUME": "VIRCAM", "ZEROPNT": 30.0, "PHOTSYS": "AB"}, None, 30.0),
        ({"INSTRUME": "WIRCam", "PHOTZP": 30.0, "MAGSYS": "AB"}, None, 30.0),
        # the card of Pan-STARRS, alone
        ({"FPA.ZP": 25.0, "EXPTIME": 100.0}, False, 30.0),
        # drizzled images of HST without a unit
        (HST | {"EXPTIME": 2000.0, "D001OUUN": "cps"}, None, 25.946),
        (HST | {"EXPTIME": 2000.0, "D001OUUN": "counts"}, None, 25.946 + 2.5 * np.log10(2000)),
        (HST | {"EXPTIME": 2000.0, "FILENAME": "j8xi0x010_drc.fits"}, None, 25.946),
    ],
)
def test_zero_points_of_missions(header, per_second, zeropoint):
    found = header_zeropoint(header, per_second=per_second)
    assert found.value == pytest.approx(zeropoint, abs=0.01)
    assert found.doubt is None


@pytest.mark.parametrize("card", [card for card in ZEROPOINT_CARDS if card != "FLUXMAG0"])
def test_each_card_alone(card):
    header = {card: 25.0, "EXPTIME": 100.0, "TELESCOP": "Euclid"}
    if card == "FPA.ZP":
        header["TELESCOP"] = "PS1"
    found = header_zeropoint(header, per_second=False)
    of_a_second = card in ("MAGZPT", "MAGZEROP", "FPA.ZP")
    assert found.value == pytest.approx(30.0 if of_a_second else 25.0)
    assert found.source.startswith(card)


def test_a_zero_point_per_second_for_counts():
    """The exposure time of 3200 s is 8.8 mag."""
    header = {"MAGZPT": 25.0, "EXPTIME": 3200.0}
    assert header_zeropoint(header, per_second=False).value == pytest.approx(33.763, abs=1e-3)
    assert header_zeropoint(header, per_second=True).value == 25.0
    for seconds in ({}, {"EXPTIME": 0.0}, {"EXPTIME": "long"}):
        with pytest.raises(ValueError, match=r"MAGZPT is of counts in another time .* no EXPTIME"):
            header_zeropoint({"MAGZPT": 25.0, **seconds}, per_second=False)
    with pytest.raises(ValueError, match="PHOTFLAM and PHOTPLAM is of counts in another time"):
        header_zeropoint(HST, per_second=False)


@pytest.mark.parametrize("value", [0, 0.0, -999, 99.0, np.nan, np.inf, "none", "", True, None])
def test_a_placeholder_is_no_zero_point(value):
    assert header_zeropoint({"MAGZP": value}, per_second=None) is None
    assert header_zeropoint({"MAGZP": value, "ZP": 25}, per_second=None).source == "ZP"
    assert header_zeropoint({"FLUXMAG0": value}, per_second=None) is None


def test_cards_that_contradict_each_other():
    message = r"ZEROPNT says a zero point of 25\.900, MAGZP of 26\.200: pass zeropoint="
    with pytest.raises(ValueError, match=message):
        header_zeropoint({"MAGZP": 26.2, "ZEROPNT": 25.9}, per_second=None)
    with pytest.raises(ValueError, match=r"MAGZPT with EXPTIME of 30\.415"):
        header_zeropoint(DECAM | {"MAGZPT": 25.342}, per_second=False)
    # rounded, and one that needs the exposure time, which is missing
    assert header_zeropoint({"MAGZP": 26.2, "ZP": 26.205}, per_second=None).value == 26.2
    assert header_zeropoint({"MAGZP": 26.2, "MAGZPT": 22.0}, per_second=False).value == 26.2


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"TELESCOP": "WISE", "MAGZP": 20.5}, "MAGZP = 20.5 is a Vega magnitude .WISE"),
        ({"ORIGIN": "2MASS", "MAGZP": 20.9}, "2MASS"),
        ({"INSTRUME": "WFCAM", "MAGZPT": 23.4, "EXPTIME": 10.0}, "UKIDSS"),
        ({"INSTRUME": "VIRCAM", "MAGZPT": 23.4}, "VISTA"),
        ({"TELESCOP": "WISE", "UNW_VER": "1", "MAGZP": 22.5}, "WISE"),
        ({"UNW_SKY": 0.3, "MAGZP": 22.5}, "unWISE"),
        ({"INSTRUME": "newfirm", "MAGZERO": 23.4}, "NEWFIRM, and no card such as MAGSYS says AB"),
        ({"INSTRUME": "WIRCam", "PHOTZP": 25.0}, "WIRCam"),
        ({"INSTRUME": "HAWKI", "ZP": 25.0}, "HAWK-I"),
        ({"INSTRUME": "MOSFIRE", "MAGZP": 25.0}, "MOSFIRE"),
        ({"INSTRUME": "FourStar", "MAGZP": 25.0}, "FourStar"),
        ({"INSTRUME": "ISPI", "MAGZP": 25.0}, "other infrared cameras"),
        ({"MAGZP": 25.0, "MAGSYS": "Vega"}, "MAGSYS = 'VEGA'"),
        ({"PHOTZP": 25.0, "PHOTSYS": "VEGAMAG"}, "PHOTSYS"),
        ({"MAGZP": 25.0, "MAGSYS": "STMAG"}, "is a ST magnitude"),
    ],
)
def test_vega_magnitudes_are_refused(header, reason):
    with pytest.raises(ValueError, match=f"{reason}.*pass zeropoint= .AB magnitude"):
        header_zeropoint(header, per_second=None)


def test_asinh_values_are_refused():
    header = {"BSOFTEN": 1.3, "BOFFSET": 0.1, "FPA.ZP": 25.0, "EXPTIME": 900.0}
    with pytest.raises(ValueError, match="BSOFTEN and BOFFSET say that the pixels hold asinh"):
        header_zeropoint(header, per_second=None)


@pytest.mark.parametrize(
    ("header", "zeropoint", "other"),
    [
        (HST | {"EXPTIME": 1000.0}, 25.946, "counts in EXPTIME = 1000 s, it is 33.446"),
        ({"MAGZPT": 25.0, "EXPTIME": 1000.0}, 32.5, "counts per second, it is 25.000"),
    ],
)
def test_no_unit_and_an_exposure_time(header, zeropoint, other):
    """Counts or counts per second: 7.5 mag."""
    found = header_zeropoint(header, per_second=None)
    assert found.value == pytest.approx(zeropoint, abs=0.01)
    assert f"no unit, and are taken as counts {'per' if zeropoint < 30 else 'in'}" in found.doubt
    assert f"if they are {other}: give them a unit" in found.doubt
    for per_second in (True, False):
        assert header_zeropoint(header, per_second=per_second).doubt is None
    assert header_zeropoint(header | {"EXPTIME": 1.0}, per_second=None).doubt is None


@pytest.mark.parametrize("seconds", [{}, {"EXPTIME": 0.0}, {"EXPTIME": "long"}])
def test_neither_a_unit_nor_an_exposure_time(seconds):
    found = header_zeropoint(HST | seconds, per_second=None)
    assert found.value == pytest.approx(25.946, abs=1e-3)
    assert "no unit, and the header has no EXPTIME: they are taken as counts per" in found.doubt
    assert "2.5 log10 of its seconds higher" in found.doubt
    assert header_zeropoint(HST | seconds, per_second=True).doubt is None
    assert header_zeropoint(HST | seconds | {"D001OUUN": "cps"}, per_second=None).doubt is None


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({}, ""),
        ({"MAGZP": 0, "ZP": "none"}, "MAGZP = 0 is not a magnitude from 5 to 50; ZP = 'none' is"),
        ({"MAGZEROP": "24.6"}, "MAGZEROP = '24.6' counts for the images of its mission alone"),
        ({"FLUXMAG0": 0.0}, "FLUXMAG0 = 0.0 is not the number of counts of magnitude 0"),
        ({"PHOTFLAM": 1e-20}, "PHOTFLAM = 1e-20 and PHOTPLAM = None are not both positive"),
    ],
)
def test_why_zero_points_are_not_used(header, reason):
    assert header_zeropoint(header, per_second=None) is None
    assert unused_cards(header).startswith(reason)
