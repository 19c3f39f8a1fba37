"""Small files as the archives of surveys write them, each of one galaxy of a known magnitude.

The names of extensions and the cards are those of real files; which, and where they are known from,
is in the table of ``docs/user_guide/files.rst``.
"""

import json
from functools import cache

import galsim
import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from helpers.sky import make_wcs
from helpers.stars import draw_star

SHAPE = (93, 101)
MAGNITUDE = 20.0
X_0, Y_0 = 50.3, 46.2
# The noise of a pixel in units of the light of the galaxy.
NOISE = 1e-4


@cache
def star():
    """The PSF, with the response of the pixel."""
    return draw_star(galsim.Moffat(3.5, fwhm=3.0), (41, 41))


@cache
def light():
    """The galaxy, of a flux of 1, without noise."""
    psf = galsim.Convolve(galsim.Moffat(3.5, fwhm=3.0), galsim.Pixel(1.0))
    galaxy = galsim.Sersic(1.0, half_light_radius=4.0).shear(q=0.7, beta=30 * galsim.degrees)
    ny, nx = SHAPE
    offset = (X_0 - (nx - 1) / 2, Y_0 - (ny - 1) / 2)
    drawn = galsim.Convolve(galaxy, psf).drawImage(
        nx=nx, ny=ny, scale=1, method="no_pixel", offset=offset
    )
    return drawn.array.astype(float)


@cache
def scatter():
    """The noise of each pixel."""
    return np.random.default_rng(5).normal(0, NOISE, SHAPE)


def flux(zeropoint):
    """The flux of the galaxy."""
    return 10 ** (-0.4 * (MAGNITUDE - zeropoint))


def image(zeropoint, dtype=np.float32):
    """Pixels of which a flux of 1 has the magnitude ``zeropoint``."""
    return (flux(zeropoint) * (light() + scatter())).astype(dtype)


def noise(zeropoint, dtype=np.float32):
    return np.full(SHAPE, flux(zeropoint) * NOISE, dtype)


def wcs_header(scale, **changes):
    ny, nx = SHAPE
    wcs = make_wcs(scale=scale, angle=0.3, crval=(150.1, 2.2), crpix=[nx / 2, ny / 2], linear="CD")
    return wcs.to_header() + fits.Header(changes)


def area(scale):
    """Steradian of a pixel of so many arcsec."""
    return (scale / 3600 * np.pi / 180) ** 2


def surface_zeropoint(scale):
    """Magnitude of 1 MJy/sr in a pixel."""
    return 8.9 - 2.5 * np.log10(1e6 * area(scale))


def bits(dtype, *bad):
    """A mask with a few pixels: the value, and where it is (y, x)."""
    mask = np.zeros(SHAPE, dtype)
    for value, y, x in bad:
        mask[y, x] = value
    return mask


def table(name, rows=1, **columns):
    array = np.zeros(rows, [(key, *kind) for key, kind in columns.items()])
    return fits.BinTableHDU(array, name=name)


def long_cards(cards):
    """Cards whose names may have more than eight letters."""
    return {f"HIERARCH {name}" if len(name) > 8 else name: cards[name] for name in cards}


def write(path, primary, *hdus):
    """Write a file whose primary HDU has no data."""
    header = fits.Header(long_cards(primary))
    fits.HDUList([fits.PrimaryHDU(header=header), *hdus]).writeto(path)
    return path


def ext(data, name, header=None, ver=1, **cards):
    header = fits.Header() if header is None else header.copy()
    header.update(cards)
    return fits.ImageHDU(data, header, name=name, ver=ver)


def jwst_primary(**cards):
    primary = {"TELESCOP": "JWST", "INSTRUME": "NIRCAM", "DETECTOR": "NRCB1", "FILTER": "F200W"}
    return primary | {"CAL_VER": "1.18.0", "EFFEXPTM": 1030.7} | cards


def jwst_i2d(path, scale=0.03):
    value = surface_zeropoint(scale)
    sci = wcs_header(scale, BUNIT="MJy/sr", PHOTMJSR=1.24, PHOTUJA2=29.1)
    sci["PIXAR_SR"] = area(scale)
    sci["PIXAR_A2"] = scale**2
    context = np.ones((1, *SHAPE), np.uint32)
    context[0, 5, 7] = 0
    weight = np.full(SHAPE, 812.0, np.float32)
    var = noise(value) ** 2
    hdus = [ext(image(value), "SCI", sci), ext(noise(value), "ERR", BUNIT="MJy/sr")]
    hdus += [ext(context, "CON"), ext(weight, "WHT"), ext(var, "VAR_POISSON")]
    hdus += [ext(var, "VAR_RNOISE"), ext(var, "VAR_FLAT"), table("HDRTAB", X=("f8",))]
    hdus.append(table("ASDF", ASDF_METADATA=("u1", 50)))
    return write(path, jwst_primary(FILENAME="jw02561_f200w_i2d.fits"), *hdus)


def jwst_cal(path, scale=0.031):
    """An exposure whose pixels grow by 8 % from the left to the right."""
    value = surface_zeropoint(scale)
    sci = wcs_header(scale, BUNIT="MJy/sr", PHOTMJSR=1.24, PIXAR_A2=scale**2)
    sci["PIXAR_SR"] = area(scale)
    dq = bits(np.uint32, (1, 5, 7), (4, 46, 50), (1 + 2, 8, 8))
    areas = np.ones(SHAPE, np.float32) * np.linspace(0.96, 1.04, SHAPE[1], dtype=np.float32)
    hdus = [ext(image(value) / areas, "SCI", sci)]
    hdus += [ext(noise(value) / areas, "ERR", BUNIT="MJy/sr")]
    hdus += [ext(dq, "DQ"), ext(areas, "AREA")]
    var = noise(value) ** 2
    hdus += [ext(var, name) for name in ("VAR_POISSON", "VAR_RNOISE", "VAR_FLAT")]
    hdus.append(table("ASDF", ASDF_METADATA=("u1", 50)))
    return write(path, jwst_primary(FILENAME="jw02561_nrcb1_cal.fits"), *hdus)


HST = {"TELESCOP": "HST", "INSTRUME": "ACS", "DETECTOR": "WFC", "FILTER1": "F814W"}
PHOT = {"PHOTFLAM": 7.0332e-20, "PHOTPLAM": 8045.0, "PHOTZPT": -21.1, "PHOTMODE": "ACS WFC1 F814W"}
HST_ZEROPOINT = -2.5 * np.log10(7.0332e-20) - 5 * np.log10(8045.0) - 2.408


def hst_drc(path, scale=0.05):
    primary = HST | {"EXPTIME": 2028.0, "FILENAME": "j9cv_drc.fits", "D001OUUN": "cps"}
    primary |= {"D001WTSC": "EXP", "CCDGAIN": 2.0, "NDRIZIM": 8}
    sci = wcs_header(scale, BUNIT="ELECTRONS/S", **PHOT)
    # cards that the drizzled image inherits from an exposure, without -SIP in its CTYPE
    sci.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 8e-5, "B_0_2": 9e-5})
    weight = np.full(SHAPE, 2028.0, np.float32)
    weight[5, 7] = 0
    context = np.ones(SHAPE, np.int32)
    hdus = [ext(image(HST_ZEROPOINT), "SCI", sci), ext(weight, "WHT"), ext(context, "CTX")]
    return write(path, primary, *hdus, table("HDRTAB", X=("f8",)))


def hst_flc(path, scale=0.05, exptime=507.0):
    primary = HST | {"EXPTIME": exptime, "FILENAME": "j9cv01_flc.fits", "CCDGAIN": 2.0}
    value = HST_ZEROPOINT + 2.5 * np.log10(exptime)
    hdus = []
    for version in (1, 2):
        sci = wcs_header(scale, BUNIT="ELECTRONS", **PHOT)
        sci["CRVAL1"] += 0.05 * (version - 1)
        sci.update({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"})
        sci.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 1e-6, "B_0_2": 1e-6})
        for axis in (1, 2):
            sci.update({f"CPDIS{axis}": "Lookup", f"CPERR{axis}": 0.0})
            number = 2 * (version - 1) + axis
            for field in (f"EXTVER: {number}", "NAXES: 2", "AXIS.1: 1", "AXIS.2: 2"):
                sci.append((f"DP{axis}", field))
        dq = bits(np.int16, (4096, 5, 7), (64, 46, 50), (256, 8, 8))
        data = image(value) * version
        hdus += [ext(data, "SCI", sci, ver=version)]
        hdus += [ext(noise(value), "ERR", ver=version, BUNIT="ELECTRONS")]
        hdus += [ext(dq, "DQ", ver=version, BUNIT="UNITLESS")]
    for version in (1, 2, 3, 4):
        cards = {"CRPIX1": 1.0, "CRPIX2": 1.0, "CRVAL1": 1.0, "CRVAL2": 1.0}
        cards |= {"CDELT1": 64.0, "CDELT2": 64.0}
        hdus.append(ext(np.zeros((3, 3), np.float32), "WCSDVARR", ver=version, **cards))
    return write(path, primary, *hdus, table("WCSCORR", X=("f8",)))


WFC3_IR = {"TELESCOP": "HST", "INSTRUME": "WFC3", "DETECTOR": "IR", "FILTER": "F160W"}
PHOT_IR = {"PHOTFLAM": 1.9276e-20, "PHOTPLAM": 15369.18, "PHOTMODE": "WFC3 IR F160W"}
IR_ZEROPOINT = -2.5 * np.log10(1.9276e-20) - 5 * np.log10(15369.18) - 2.408


def hst_drz(path, scale=0.06):
    """A drizzled image of WFC3/IR, whose weights are inverse variances."""
    primary = WFC3_IR | {"EXPTIME": 1612.0, "FILENAME": "ibxx_drz.fits", "D001OUUN": "cps"}
    sci = wcs_header(scale, BUNIT="ELECTRONS/S", **PHOT_IR)
    weight = noise(IR_ZEROPOINT) ** -2.0
    weight[5, 7] = 0
    context = np.ones(SHAPE, np.int32)
    hdus = [ext(image(IR_ZEROPOINT), "SCI", sci), ext(weight, "WHT"), ext(context, "CTX")]
    return write(path, primary | {"D001WTSC": "IVM"}, *hdus)


def hst_flt(path, scale=0.128):
    """An exposure of WFC3/IR: counts per second, and counts of samples and their times."""
    primary = WFC3_IR | {"EXPTIME": 402.9, "FILENAME": "ibxx01_flt.fits"}
    sci = wcs_header(scale, BUNIT="ELECTRONS/S", **PHOT_IR)
    dq = bits(np.int16, (4, 5, 7), (2048, 46, 50), (64, 46, 51), (256, 8, 8))
    hdus = [ext(image(IR_ZEROPOINT), "SCI", sci)]
    hdus += [ext(noise(IR_ZEROPOINT), "ERR", BUNIT="ELECTRONS/S"), ext(dq, "DQ")]
    hdus += [ext(np.full(SHAPE, 15, np.int16), "SAMP"), ext(np.full(SHAPE, 402.9), "TIME")]
    return write(path, primary, *hdus)


# The bits of masks of HSC's pipeline, of which those of single exposures have no SENSOR_EDGE.
PLANES = {"BAD": 0, "SAT": 1, "INTRP": 2, "CR": 3, "EDGE": 4, "DETECTED": 5, "SUSPECT": 7}
PLANES |= {"NO_DATA": 8, "CROSSTALK": 9, "NOT_DEBLENDED": 10, "UNMASKEDNAN": 11}
COADD_PLANES = PLANES | {"BRIGHT_OBJECT": 12, "CLIPPED": 13, "REJECTED": 14, "SENSOR_EDGE": 15}
NJY = 31.4


def lsst(path, value, primary, planes, *, unit=None, tables=(), scale=0.168):
    """An exposure of the LSST stack: image, mask and variance, compressed, and an archive."""
    sky = wcs_header(scale, LTV1=-0.0, LTV2=-0.0, INHERIT=True)
    cards = long_cards({f"MP_{name}": bit for name, bit in planes.items()})
    detected, bad = 1 << planes["DETECTED"], 1 << planes["BAD"]
    mask = bits(np.int32, (bad, 5, 7), (detected, 46, 50), (detected, 46, 51), (8, 8, 8))
    units = [{}, {}] if unit is None else [{"BUNIT": unit}, {"BUNIT": f"{unit}**2"}]
    hdus = []
    planes = (image(value), "IMAGE", units[0]), (mask, "MASK", cards)
    for data, name, own in (*planes, (noise(value) ** 2, "VARIANCE", units[1])):
        header = sky.copy()
        header.update(own)
        header["EXTTYPE"] = name
        kind = {"compression_type": "GZIP_2"}
        hdus.append(fits.CompImageHDU(data, header, name=name, **kind))
    return write(path, primary, *hdus, *tables)


def hsc_calexp(path, tables=()):
    """A visit of HSC as hscPipe 6 writes it."""
    primary = {"TELESCOP": "Subaru", "INSTRUME": "Hyper Suprime-Cam", "FILTER": "r"}
    primary |= {"EXPTIME": 150.0, "FLUXMAG0": 8.3e12, "AR_HDU": 5, "PSF_ID": 1}
    primary |= {"T_GAIN1": 3.3, "SKYLEVEL": 512.0}
    return lsst(path, 2.5 * np.log10(8.3e12), primary, PLANES, tables=tables)


def photo_calib(mean, *, constant=True):
    """The archive of an exposure with a PhotoCalib, behind one of an exposure of the coadd."""
    names = ("flags", "calibrationMean", "calibrationErr", "field", "version")
    kinds = ("1X", "D", "D", "J", "J")
    flags = np.array([[constant], [constant]])
    arrays = (flags, [1.0, mean], [0.0, 0.0], [0, 0], [1, 1])
    columns = [
        fits.Column(name, kind, array=np.array(array))
        for name, kind, array in zip(names, kinds, arrays, strict=True)
    ]
    calib = fits.BinTableHDU.from_columns(columns, name="PhotoCalib")
    calib.header.update({"EXTTYPE": "ARCHIVE_DATA", "AR_CATN": 1, "AR_NAME": "PhotoCalib"})
    calib.header["TFLAG1"] = "isConstant"
    return calib


def archive_index(rows):
    """The index of an archive: rows of id, number of the table, first row and number of rows."""
    names = ("id", "cat.archive", "cat.persistable", "row0", "nrows", "name", "module")
    kinds = ("J", "J", "J", "J", "J", "16A", "8A")
    columns = []
    for number, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        columns.append(fits.Column(name, kind, array=np.array([row[number] for row in rows])))
    index = fits.BinTableHDU.from_columns(columns, name="ARCHIVE_INDEX")
    index.header.update({"EXTTYPE": "ARCHIVE_INDEX", "AR_CATN": 0, "AR_NCAT": 2})
    return index


def lsst_deepcoadd(path, *, mean=57.543993733715695, **kind):
    """A coadd of DP0.2 or of hscPipe 7: counts, and nJy of a count in a table."""
    rows = [(3, 1, 0, 0, 1, "PhotoCalib", ""), (7, 1, 0, 1, 1, "PhotoCalib", "")]
    tables = archive_index(rows), photo_calib(mean, **kind)
    primary = {"TELESCOP": "LSST", "AR_HDU": 5, "PHOTOCALIB_ID": 7, "FILTER": "r"}
    value = NJY - 2.5 * np.log10(mean)
    return lsst(path, value, primary, COADD_PLANES, tables=tables, scale=0.2)


def hsc_deepcoadd(path):
    """A coadd of HSC, whose counts have a zero point of 27."""
    primary = {"TELESCOP": "Subaru", "INSTRUME": "HSC", "FILTER": "HSC-I"}
    primary |= {"FLUXMAG0": 63095734448.0194, "AR_HDU": 5}
    return lsst(path, 27.0, primary, COADD_PLANES)


def lsst_visit(path):
    """A visit image of DP1."""
    primary = {"TELESCOP": "Simonyi Survey Telescope", "INSTRUME": "LSSTComCam", "AR_HDU": 5}
    return lsst(path, NJY, primary, PLANES, unit="nJy", scale=0.2)


def decam(folder, exptime=107.0):
    """Image, inverse variances and codes of the Community Pipeline, in three files."""
    value = 29.915
    primary = {"INSTRUME": "DECam", "TELESCOP": "CTIO 4.0-m telescope", "FILTER": "z DECam"}
    primary |= {"EXPTIME": exptime, "MAGZERO": value, "MAGZPT": 24.842, "PLVER": "V3.9"}
    sky = wcs_header(0.262, GAINA=4.0, BUNIT="electrons")
    codes = bits(np.int16, (1, 5, 7), (8, 46, 50), (3, 8, 8))
    paths = {}
    for name, key, data in (
        ("image", "ooi", image(value)),
        ("weight_map", "oow", noise(value) ** -2.0),
        ("mask", "ood", codes),
    ):
        header = sky.copy()
        if name != "image":
            del header["BUNIT"]
        hdu = fits.CompImageHDU(data, header, name="S29", compression_type="GZIP_2")
        paths[name] = write(folder / f"c4d_150101_{key}_z_v1.fits.fz", primary, hdu)
    return paths


def legacy(folder):
    """Image, inverse variances and bits of a brick of the Legacy Surveys."""
    primary = {"SURVEYID": "DECaLS", "BRICKNAM": "1501p022", "SURVEY": "DECaLS", "DRVERSIO": 10000}
    sky = wcs_header(0.262, FILTER="r", BANDS="r")
    maskbits = bits(np.int32, (1 << 1, 5, 7), (1 << 12, 46, 50), (1 << 3, 8, 8))
    paths = {}
    for name, kind, unit, data in (
        ("image", "image", "nanomaggy", image(22.5)),
        ("weight_map", "invvar", "1/nanomaggy^2", noise(22.5) ** -2.0),
        ("mask", "maskbits", None, maskbits),
    ):
        header = sky.copy()
        header["IMTYPE"] = kind
        if unit is not None:
            header["BUNIT"] = unit
        extension = {"name": "MASKBITS"} if name == "mask" else {}
        hdu = fits.CompImageHDU(data, header, compression_type="GZIP_2", **extension)
        paths[name] = write(folder / f"legacysurvey-1501p022-{kind}-r.fits.fz", primary, hdu)
    return paths


def kids(folder):
    """Coadd, weights and flags of KiDS."""
    header = wcs_header(0.2, INSTRUME="OMEGACAM", TELESCOP="ESO-VST", EXPTIME=1800.0)
    header.update({"ZEROPNT": 0.0, "GAIN": 3.4e13, "FILTNAME": "OCAM_r_SDSS"})
    names = {"image": "sci", "weight_map": "wei", "mask": "msk"}
    flags = bits(np.int16, (64, 5, 7), (1, 8, 8))
    planes = {"image": image(0.0), "weight_map": noise(0.0) ** -2.0, "mask": flags}
    paths = {}
    for name, data in planes.items():
        paths[name] = folder / f"KiDS_DR4.0_150.1_2.2_r_{names[name]}.fits"
        fits.PrimaryHDU(data, header).writeto(paths[name])
    return paths


def sdss_frame(path):
    """A corrected frame: image, calibration of each column, sky, table of the astrometry."""
    header = wcs_header(0.396, BUNIT="nanomaggy", TELESCOP="2.5m", ORIGIN="SDSS", FILTER="r")
    header.update({"RUN": 94, "CAMCOL": 1, "NMGY": 0.00565, "NMGYIVAR": 112230, "EXPTIME": "53.9"})
    calibration = fits.ImageHDU(np.full(SHAPE[1], 0.00565, np.float32))
    sky = np.zeros(1, [("ALLSKY", ">f4", (19, 25)), ("XINTERP", ">f4", 40)])
    hdus = [fits.PrimaryHDU(image(22.5), header), calibration, fits.BinTableHDU(sky)]
    fits.HDUList([*hdus, table("", CENX=("f8",))]).writeto(path)
    return path


def ztf(folder, value=26.18, sky=140.0):
    """A science image of ZTF, with its sky, and its mask in another file."""
    header = wcs_header(1.01, INSTRUME="ZTF/MOSAIC", TELESCOP="P48", FILTER="ZTF_r")
    header.update({"MAGZP": value, "MAGZPUNC": 1e-5, "CLRCOEFF": -0.04, "EXPTIME": 30.0})
    header.update({"GAIN": 6.2, "SATURATE": 61000.0, "BUNIT": "DN"})
    mask = bits(np.int16, (256, 5, 7), (2, 46, 50), (2048, 46, 51))
    science, flags = folder / "ztf_2018_zr_sciimg.fits", folder / "ztf_2018_zr_mskimg.fits"
    fits.PrimaryHDU(image(value) + np.float32(sky), header).writeto(science)
    fits.PrimaryHDU(mask, header).writeto(flags)
    return {"image": science, "mask": flags}


def euclid_mer(folder, value=24.6):
    """A mosaic of MER, its noise and flags: bits of all exposures, and of objects."""
    header = wcs_header(0.1, MAGZERO=value, TELESCOP="Euclid", INSTRUME="VIS", FILTER="VIS")
    header.update({"EXPTIME": 2280.0, "GAIN": 3.5, "SOFTNAME": "SWarp"})
    flags = bits(np.int32, (1, 5, 7), (1 << 4, 46, 50), (1 << 24, 46, 51), (1 << 3, 8, 8))
    planes = {"image": ("BGSUB-MOSAIC-VIS", image(value)), "mask": ("MOSAIC-VIS-FLAG", flags)}
    planes["rms"] = "MOSAIC-VIS-RMS", noise(value)
    paths = {}
    for name, (product, data) in planes.items():
        paths[name] = folder / f"EUC_MER_{product}_TILE102020531-5ED2D5_00.00.fits"
        fits.PrimaryHDU(data, header).writeto(paths[name])
    return paths


def euclid_mer_nisp(folder):
    """A mosaic of MER of NISP, on the pixels of VIS."""
    paths = euclid_mer(folder, value=30.0)
    flags = bits(np.int32, (1, 5, 7), (1 << 16, 46, 50), (1 << 18, 46, 51), (1 << 10, 8, 8))
    for path in paths.values():
        with fits.open(path, mode="update") as hdus:
            hdus[0].header.update({"INSTRUME": "NISP", "FILTER": "NIR_H"})
            if path == paths["mask"]:
                hdus[0].data = flags
    return paths


def _euclid_frame(path, value, name, of_mask, flags, **cards):
    """One quadrant or detector of a frame of Euclid."""
    sky = wcs_header(0.1, EXPTIME=566.0)
    sky.update(cards)
    hdus = [ext(image(value), f"{name}.SCI", sky), ext(noise(value), f"{name}.RMS", sky)]
    hdus.append(ext(flags, f"{name}.{of_mask[0]}", sky, **of_mask[1]))
    return write(path, {"TELESCOP": "EUCLID", "INSTRUME": cards["INSTRUME"]}, *hdus)


def euclid_vis(path):
    """A quadrant of a frame of VIS, whose zero point is a word and counts per second."""
    flags = bits(np.int32, (1 << 2, 5, 7), (1 << 24, 46, 50), (1 << 18, 46, 51), (1 << 3, 8, 8))
    value = 24.566 + 2.5 * np.log10(566.0)
    cards = {"INSTRUME": "VIS", "MAGZEROP": "24.566", "FILTER": "VIS"}
    return _euclid_frame(path, value, "3-4.F", ("FLG", {}), flags, **cards)


def euclid_nisp(path):
    """A detector of a frame of NISP."""
    bit = {"INVALID": 0, "HOT": 7, "SATUR": 10, "NLINEAR": 11, "DARKNODET": 15}
    flags = bits(np.int32, (1 << 7, 5, 7), (1 << 11, 46, 50), (1 << 15, 46, 51), (1 << 10, 8, 8))
    planes = long_cards({f"MSK_FLAG_{name}": number for name, number in bit.items()})
    cards = {"INSTRUME": "NISP", "ZPAB": 29.95, "FILTER": "H"}
    return _euclid_frame(path, 29.95, "DET11", ("DQ", planes), flags, **cards)


def psfex_tables(degree=1):
    """The archive of an exposure with a PSF of PSFEx, which moves to the left with x."""
    base = star()
    gradient = np.gradient(base, axis=1)
    n_terms = (degree + 1) * (degree + 2) // 2
    basis = np.zeros((n_terms, *base.shape), np.float32)
    basis[0] = base
    basis[1] = gradient
    scalars = {"ndim": ("J", [2]), "ngroup": ("J", [1]), "ncoeff": ("J", [n_terms])}
    scalars["_pixstep"] = "E", [1.0]
    size = np.array([[base.shape[1], base.shape[0], n_terms]])
    arrays = {"group": ("2J", [[0, 0]]), "degree": ("1J", [[degree]]), "_size": ("3J", size)}
    arrays["_comp"] = f"{basis.size}E", basis.reshape(1, -1)
    arrays |= {"_context_first": ("2D", [[0.0, 0.0]]), "_context_second": ("2D", [[100.0, 100.0]])}
    tables = []
    for number, content in enumerate((scalars, arrays), start=1):
        columns = []
        for name, (kind, values) in content.items():
            columns.append(fits.Column(name, kind, array=np.array(values)))
        hdu = fits.BinTableHDU.from_columns(columns, name="PsfexPsf")
        hdu.header.update({"EXTTYPE": "ARCHIVE_DATA", "AR_CATN": number, "AR_NAME": "PsfexPsf"})
        tables.append(hdu)
    rows = [(1, 1, 0, 0, 1, "PsfexPsf", ""), (1, 2, 1, 0, 1, "PsfexPsf", "")]
    return [archive_index(rows), *tables]


def cell_coadd(path):
    """A coadd of 2 x 2 cells as the package lsst.images writes it; one of them is missing."""
    sky = wcs_header(0.2)
    names = ["COSMIC_RAY", "DETECTED", "INEXACT_PSF", "NO_DATA", "REJECTED", "SATURATED"]
    cards = {f"MSKN{bit:04d}": name for bit, name in enumerate(names)}
    cards |= {f"MSKM{bit:04d}": 1 << bit for bit in range(len(names))}
    mask = bits(np.int32, (1 << 3, 5, 7), (1 << 1, 46, 50), (1 << 2, 46, 51), (1, 8, 8))
    stamps = np.stack([star(), star(), star().T, np.full_like(star(), np.nan)])
    box = {"y": {"start": 150, "stop": 250}, "x": {"start": 300, "stop": 402}}
    grid = {"bbox": {"y": {"start": 0}, "x": {"start": 0}}, "cell_shape": [50, 51]}
    tree = {"image": {"start": [150, 300]}, "psf": {"bounds": {"grid": grid, "bbox": box}}}
    text = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    column = fits.Column("JSON", "PB", array=np.array([text, text[:2]], dtype=object))
    hdus = [ext(image(NJY), "IMAGE", sky, BUNIT="nJy"), ext(mask, "MASK", sky, **cards)]
    hdus += [ext(noise(NJY) ** 2, "VARIANCE", sky, BUNIT="nJy2")]
    hdus += [ext(stamps.reshape(2, 2, *star().shape), "PSF")]
    hdus += [fits.BinTableHDU.from_columns([column], name="JSON")]
    return write(path, {"DATAMODL": "cell_coadd"}, *hdus)


def mer_grid(folder, places, stamps):
    """The PSFs of a tile of MER: stamps side by side, and a table of where they are.

    ``places`` are 0-based pixels of the image of `euclid_mer`, which is a part of the tile.
    """
    side = len(stamps[0])
    pixels = np.full((2 * side, 2 * side), np.nan, np.float32)
    middle = (side + 1) / 2
    columns = {name: [] for name in ("x_center", "y_center", "x", "y", "RA", "Dec")}
    sky = WCS(wcs_header(0.1)).pixel_to_world_values(*np.transpose(places))
    for number, ((x, y), stamp) in enumerate(zip(places, stamps, strict=True)):
        row, column = divmod(number, 2)
        pixels[row * side : (row + 1) * side, column * side : (column + 1) * side] = stamp
        values = (middle + column * side, middle + row * side, x + 9001, y + 4001)
        values += (sky[0][number], sky[1][number])
        for name, value in zip(columns, values, strict=True):
            columns[name].append(value)
    path = folder / "EUC_MER_GRID-PSF-VIS_TILE102020531-7333BC_00.00.fits"
    table_of_places = fits.BinTableHDU(Table(columns))
    return write(path, {}, fits.ImageHDU(pixels, fits.Header({"STMPSIZE": side})), table_of_places)
