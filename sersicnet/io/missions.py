"""Which mission writes which zero point, and in which system of magnitudes."""

import re
from dataclasses import dataclass

__all__ = ["MISSIONS", "Card", "Mission", "find_mission"]


@dataclass(frozen=True)
class Card:
    """A header card that holds a zero point.

    Attributes
    ----------
    name : str
        Keyword of the card.
    of : {"data", "exposure", "second"}
        What has one count: the pixel values as they are, the counts of the exposure, or the counts
        of one second. The last two are converted by ``EXPTIME`` where the unit of the data asks for
        it.
    is_flux : bool
        Whether the card holds the counts of magnitude 0.
    """

    name: str
    of: str = "data"
    is_flux: bool = False


@dataclass(frozen=True)
class Mission:
    """The zero points of one mission.

    Attributes
    ----------
    name : str
        Name of the mission or of its product.
    known_by : dict
        Regular expression for the values of cards, any of which shows the mission.
    cards : tuple of Card
        Its own zero points; the general ones are read as well.
    vega : bool
        Whether its magnitudes are Vega magnitudes.
    remark : str
        What else there is to know.
    """

    name: str
    known_by: dict
    cards: tuple = ()
    vega: bool = False
    remark: str = ""


MISSIONS = (
    Mission(
        "WISE",
        {"TELESCOP": "(NEO)?WISE.*", "BAND": "W[1-4]", "FILTER": "W[1-4]"},
        vega=True,
        remark="the nanomaggies of the Legacy Surveys' W1 to W4 too",
    ),
    Mission("2MASS", {"TELESCOP": ".*2MASS.*", "ORIGIN": "2MASS.*"}, vega=True),
    Mission("UKIDSS", {"INSTRUME": "WFCAM"}, (Card("MAGZPT", "second"),), vega=True),
    Mission("VISTA", {"INSTRUME": "VIRCAM"}, (Card("MAGZPT", "second"),), vega=True),
    Mission("unWISE", {"UNW_VER": ".+", "UNW_SKY": ".+", "TELESCOP": "UNWISE"}, vega=True),
    Mission("NEWFIRM", {"INSTRUME": "NEWFIRM"}, vega=True),
    Mission("WIRCam", {"INSTRUME": "WIRCAM"}, vega=True),
    Mission("HAWK-I", {"INSTRUME": "HAWK-?I"}, vega=True),
    Mission("MOSFIRE", {"INSTRUME": "MOSFIRE"}, vega=True),
    Mission("FourStar", {"INSTRUME": "FOURSTAR"}, vega=True),
    Mission(
        "other infrared cameras",
        {"INSTRUME": "SOFI|ISAAC|ISPI|NIRI|F2|FLAMINGOS.*|GSAOI|LIRIS|OMEGA.?2000|WHIRC|LUCI.*"},
        vega=True,
        remark="of the ground, from 1 to 2.5 micron",
    ),
    Mission(
        "HST",
        {"TELESCOP": "HST", "PHOTMODE": "(ACS|WFC3|WFPC2|NICMOS).*"},
        remark="PHOTFLAM and PHOTPLAM, of counts per second",
    ),
    Mission("JWST", {"TELESCOP": "JWST"}, remark="MJy/sr with the area of the pixel"),
    Mission("Roman", {"TELESCOP": "ROMAN"}, remark="MJy/sr with the area of the pixel"),
    Mission(
        "Euclid",
        {"TELESCOP": "EUCLID", "INSTRUME": "(VIS|NISP)"},
        (Card("MAGZEROP", "second"), Card("ZPAB"), Card("MAGZERO")),
        remark="MAGZEROP (a string) of VIS frames, ZPAB of NISP frames, MAGZERO of mosaics",
    ),
    Mission(
        "LSST, HSC",
        {"TELESCOP": "(LSST|RUBIN|SUBARU).*", "INSTRUME": "(HSC|HYPER SUPRIME-CAM|LSST.*)"},
        (Card("FLUXMAG0", "exposure", is_flux=True),),
        remark="nJy, or the counts of magnitude 0",
    ),
    Mission(
        "DECam",
        {"INSTRUME": "DECAM"},
        (Card("MAGZERO", "exposure"), Card("MAGZPT", "second")),
        remark="MAGZERO = MAGZPT + 2.5 log10 EXPTIME",
    ),
    Mission("CFHT MegaPipe", {"TELESCOP": "CFHT.*", "INSTRUME": "MEGAPRIME"}, (Card("PHOTZP"),)),
    Mission(
        "KiDS",
        {"INSTRUME": "OMEGACAM", "TELESCOP": "(ESO-)?VST"},
        (Card("PHOTZP"),),
        remark="magnitude 0 is a flux of 1: a zero point of 0 is a number here",
    ),
    Mission("Legacy Surveys, SDSS", {}, remark="nanomaggies: 22.5"),
    Mission(
        "Pan-STARRS",
        {"TELESCOP": "PS1", "INSTRUME": "GPC1", "FPA.TELESCOPE": "PS1", "FPA.ZP": ".+"},
        (Card("FPA.ZP", "second"),),
        remark="stacks with BSOFTEN and BOFFSET hold asinh values and are refused",
    ),
    Mission(
        "ZTF",
        {"INSTRUME": "ZTF.*", "TELESCOP": "PALOMAR.*|P48"},
        (Card("MAGZP", "exposure"),),
        remark="without the color term",
    ),
)


_KNOWN_BY = tuple(sorted({card for mission in MISSIONS for card in mission.known_by}))


def find_mission(header):
    """Return the mission that wrote a header, None if it is none of `MISSIONS`."""
    values = {card: str(header.get(card, "")).strip() for card in _KNOWN_BY}
    if not any(values.values()):  # of most cutouts: a header is slow to read
        return None
    for mission in MISSIONS:
        for card, pattern in mission.known_by.items():
            if re.fullmatch(pattern, values[card], re.IGNORECASE):
                return mission
    return None
