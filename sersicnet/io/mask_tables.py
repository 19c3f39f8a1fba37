"""Bits of the masks of missions, as they are published.

=============== ====================================================================================
JWST            https://jwst-pipeline.readthedocs.io/en/latest/jwst/references_general/, and
                ``stdatamodels.jwst.datamodels.dqflags``
Roman           ``roman_datamodels.dqflags``; bits 4 and 7 differ from those of JWST
HST: ACS        https://www.stsci.edu/hst/instrumentation/acs/data-analysis/dq-flag-definitions
HST: WFC3       ``wf3dq.h``, ``pixok.c`` and ``cridcalc.c`` of
                https://github.com/spacetelescope/hstcal
HST: STIS       ``stisdq.h``, from the same place
HST: WFPC2      https://www.stsci.edu/hst/wfpc2/analysis/WFPC2_flags.html
LSST, HSC       https://dp1.lsst.io/products/images/mask_planes.html, and ``_mask.py`` of
                https://github.com/lsst/images for the names from DP2 on
Euclid VIS      https://euclid.esac.esa.int/msp/dpdd/live/visdpd/dpcards/vis_flagmap.html
Euclid NISP     the header of each mask; which bits are good as in ``euclid.py`` of
                https://github.com/legacysurvey/legacypipe (no document of Euclid was found)
Euclid MER      the bits of VIS frames, and those of NISP frames in ``euclid.py`` of legacypipe;
                which are bad as in ``config.py`` of
                https://github.com/NimaChartab/euclid-forced-photometry (no document of Euclid
                lists those of mosaics)
DECam           https://community.lsst.org/t/decam-data-quality-masks/133
KiDS            https://kids.strw.leidenuniv.nl/DR1/masking.php
Legacy Surveys  https://www.legacysurvey.org/dr10/bitmasks/
ZTF             ``ztfimg.science`` of https://github.com/MickaelRigault/ztfimg
=============== ====================================================================================
"""

__all__ = [
    "ACS",
    "DECAM_BITS",
    "DECAM_CODES",
    "JWST",
    "KIDS",
    "LEGACY",
    "LEGACY_GOOD",
    "LSST_BAD",
    "LSST_COADD",
    "LSST_COADD_MSKN",
    "LSST_ONE_VISIT",
    "MER_NISP",
    "MER_NISP_BAD",
    "MER_VIS_BAD",
    "NISP_GOOD",
    "ROMAN",
    "STIS",
    "VIS",
    "VIS_GOOD",
    "WFC3_IR",
    "WFC3_UVIS",
    "WFPC2",
    "ZTF",
]


def _numbered(names):
    """Number names by their place, without dots, which stand for bits without a name."""
    return {name: bit for bit, name in enumerate(names.split()) if name != "."}


# The pipelines set DO_NOT_USE wherever one of the other bits matters.
JWST = _numbered(
    "DO_NOT_USE SATURATED JUMP_DET DROPOUT OUTLIER PERSISTENCE AD_FLOOR CHARGELOSS "
    "UNRELIABLE_ERROR NON_SCIENCE DEAD HOT WARM LOW_QE RC TELEGRAPH NONLINEAR BAD_REF_PIXEL "
    "NO_FLAT_FIELD NO_GAIN_VALUE NO_LIN_CORR NO_SAT_CHECK UNRELIABLE_BIAS UNRELIABLE_DARK "
    "UNRELIABLE_SLOPE UNRELIABLE_FLAT OPEN ADJ_OPEN UNRELIABLE_RESET MSA_FAILED_OPEN "
    "OTHER_BAD_PIXEL REFERENCE_PIXEL"
)
ROMAN = _numbered(
    "DO_NOT_USE SATURATED JUMP_DET DROPOUT GW_AFFECTED_DATA PERSISTENCE AD_FLOOR OUTLIER "
    "UNRELIABLE_ERROR NON_SCIENCE DEAD HOT WARM LOW_QE . TELEGRAPH NONLINEAR BAD_REF_PIXEL "
    "NO_FLAT_FIELD NO_GAIN_VALUE NO_LIN_CORR NO_SAT_CHECK UNRELIABLE_BIAS UNRELIABLE_DARK "
    "UNRELIABLE_SLOPE UNRELIABLE_FLAT . . UNRELIABLE_RESET . OTHER_BAD_PIXEL REFERENCE_PIXEL"
)
# Of CCDs, all but warm pixels are bad: their dark current is subtracted well. AstroDrizzle also
# uses hot pixels (16) and full wells (256), because it has other exposures, and keeps the flux.
ACS = _numbered(
    "LOST FILLED BADPIX MASKED HOT UNSTABLE WARM BIAS SATURATED BADFLAT TRAP ATODSAT CRDRIZ CRREJ "
    "USER"
)
WFC3_UVIS = _numbered(
    "LOST FILLED BADPIX MASKED HOT UNSTABLE WARM BIAS SATURATED BADFLAT TRAP ATODSAT CRDRIZ CRREJ "
    "CROSSTALK"
)
# The light of bright sources in the zeroth read (ZEROSIG) is corrected for. In the reads of an _ima
# file, CRREJ (8192) says that a cosmic ray came before; the fit of all reads has no such bit.
WFC3_IR = _numbered(
    "LOST FILLED BADPIX BADZERO HOT UNSTABLE WARM BADREF SATURATED BADFLAT SPIKE ZEROSIG CRDRIZ "
    "CRREJ CROSSTALK"
)
# The bits of spectra (BACKGROUND, DISCARDED) are not in images.
STIS = _numbered(
    "LOST FILLED BADPIX MASKED HOT LARGE_BLEMISH . OVERSCAN SATURATED BADREF SMALL_BLEMISH "
    "BACKGROUND DISCARDED CRREJ NOT_CTI_CORRECTED"
)
WFPC2 = _numbered(
    "LOST CALIBRATION DEFECT SATURATED MISSING BADPIX . TRAP QUESTIONABLE WARM REPAIRED_WARM CHIP"
)
# LSST and HSC have the bits in the cards MP_<name>, from DP2 on in MSKNnnnn, with other names. A
# pixel with INTRP alone was interpolated well.
LSST_BAD = ("BAD", "SAT", "SATURATED", "SUSPECT", "NO_DATA", "UNMASKEDNAN", "UNMASKED_NAN")
# In coadds, these say that one of many visits was left out, or was interpolated.
LSST_ONE_VISIT = ("CR", "COSMIC_RAY", "CROSSTALK", "EDGE", "DETECTION_EDGE", "STREAK", "ITL_DIP")
# Planes that only coadds have. Masks of single visits with MP_<name> may have INEXACT_PSF as well.
LSST_COADD = ("SENSOR_EDGE", "CELL_EDGE")
LSST_COADD_MSKN = (*LSST_COADD, "INEXACT_PSF", "REJECTED", "CLIPPED")
# Euclid VIS: the light of stars and of objects is no fault, nor is a correction.
VIS = _numbered(
    "INVALID HOT COLD SAT COSMIC GHOST QUADEDGE BAD_COLUMN BAD_CLUSTER CR_REGION . . OVRCOL EXTOBJ "
    "SCATLIGHT CHARINJ . SATXTALKGHOST STARSIGNAL SATURATEDSTAR CTICORRECTION ADCMAX NO_DATA "
    "STITCHBLOCK OBJECTS"
)
VIS_GOOD = ("EXTOBJ", "STARSIGNAL", "CTICORRECTION", "OBJECTS")
# Euclid NISP has the bits in the cards MSK_FLAG_<name>; all others are bad.
NISP_GOOD = ("NLINEAR", "DARKNODET", "OBMASK", "STARSIGNAL")
# Euclid MER: a pixel of a mosaic has the bits of all exposures, whose bad pixels were left out
# (an isolated cosmic ray is in 16 % of the pixels of VIS); objects have bits as well.
MER_VIS_BAD = ("INVALID", "SAT", "NO_DATA")
MER_NISP = {"INVALID": 0, "HOT": 7, "SATUR": 10, "NLINEAR": 11, "PERSIST": 13, "DARKNODET": 15}
MER_NISP["COSMIC"] = 16
MER_NISP_BAD = ("INVALID", "SATUR")
# DECam's community pipeline from V3.5.0 on: codes, not bits; the streaks (8) have too many pixels.
DECAM_CODES = _numbered(". BAD NO_VALUE SATURATED BLEED COSMIC_RAY LOW_WEIGHT TRANSIENT STREAK")
# The same before: bits.
DECAM_BITS = _numbered("BAD SATURATED INTERPOLATED . COSMIC_RAY . BLEED TRANSIENT")
LEGACY = _numbered(
    "NPRIMARY BRIGHT SATUR_G SATUR_R SATUR_Z ALLMASK_G ALLMASK_R ALLMASK_Z WISEM1 WISEM2 BAILOUT "
    "MEDIUM GALAXY CLUSTER SATUR_I ALLMASK_I SUB_BLOB"
)
# Overlap of bricks, WISE, stars that are not bright, other galaxies.
LEGACY_GOOD = ("NPRIMARY", "WISEM1", "WISEM2", "MEDIUM", "GALAXY", "SUB_BLOB")
KIDS = _numbered(
    "READOUT_SPIKE SATURATION_CORE DIFFRACTION_SPIKE PRIMARY_HALO SECONDARY_HALO TERTIARY_HALO "
    "BAD_PIXEL MASKED_BY_HAND"
)
ZTF = _numbered(
    "TRACKS SEXSOURCES LOWRESPONSIVITY HIGHRESPONSIVITY NOISY GHOSTS SPILLAGE SPIKES SATURATED "
    "DEAD NAN PSFSOURCES BRIGHTSTARHALO"
)
