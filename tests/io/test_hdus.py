"""Which image of a file with several is read."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning
from helpers.fits_files import make_cutout, make_wcs, write_extensions

from sersicnet.io import image_paths, read_cutout, read_cutouts, write_cutouts
from sersicnet.measure.field import open_field

# Each HDU is told by its values.
CHIPS = {"N2": 1.0, "S29": 2.0, "S30": 3.0}


def image(value, *, shape=(4, 5)):
    return np.full(shape, value, dtype=np.float32)


@pytest.fixture
def chips(path):
    """A file with one HDU a CCD, as the DECam pipeline writes it."""
    extensions = {name: (image(value), {"BUNIT": "ADU"}) for name, value in CHIPS.items()}
    return write_extensions(path, extensions, MAGZERO=30.0)


@pytest.fixture
def pairs(path):
    """A file with two images, each with noise and mask, as HST's pipeline writes it."""
    hdus = [fits.PrimaryHDU(header=fits.Header({"TELESCOP": "HST"}))]
    for version in (1, 2):
        hdus.append(fits.ImageHDU(image(version), name="SCI", ver=version))
        hdus.append(fits.ImageHDU(image(10 * version), name="ERR", ver=version))
        mask = np.zeros((4, 5), np.int16)
        mask[version, version] = 4
        hdus.append(fits.ImageHDU(mask, name="DQ", ver=version))
    hdus.append(fits.ImageHDU(image(7.0), name="WCSDVARR", ver=1))
    fits.HDUList(hdus).writeto(path)
    return path


def test_a_file_with_brackets_in_its_name(tmp_path):
    path = tmp_path / "odd.fits[1]"
    fits.PrimaryHDU(image(1.0)).writeto(path)
    assert read_cutout(path).data[0, 0] == 1


def test_the_first_of_several_images_with_a_warning(chips):
    message = (
        r"3 images \(N2, S29, S30\), of which N2 is taken: choose one with hdu=, or as '.*N2\]'"
    )
    with pytest.warns(AstropyUserWarning, match=message):
        assert read_cutout(chips).data[0, 0] == CHIPS["N2"]
    with pytest.warns(AstropyUserWarning, match=message), open_field(chips) as field:
        assert field.data[0, 0] == CHIPS["N2"]


@pytest.mark.parametrize("hdu", [2, "S29", "s29", ("S29", 1)])
def test_a_chosen_image(chips, hdu):
    cutout = read_cutout(chips, hdu=hdu)
    assert cutout.data[0, 0] == CHIPS["S29"]
    assert cutout.meta["MAGZERO"] == 30
    label = ",".join(map(str, hdu)) if isinstance(hdu, tuple) else hdu
    assert read_cutout(f"{chips}[{label}]").data[0, 0] == CHIPS["S29"]
    with open_field(f"{chips}[{label}]") as field:
        assert field.data[0, 0] == CHIPS["S29"]


def test_several_images_at_once(chips):
    values = list(CHIPS.values())
    assert [cutout.data[0, 0] for cutout in read_cutouts(chips, hdu="all")] == values
    assert [cutout.data[0, 0] for cutout in read_cutouts(chips, hdu=[3, "N2"])] == [3, 1]
    assert image_paths(chips) == [f"{chips}[{name}]" for name in CHIPS]
    assert image_paths(f"{chips}[2]") == [f"{chips}[2]"]


@pytest.mark.parametrize(
    ("hdu", "error", "match"),
    [
        (7, ValueError, r"fits\[7\]: there is no such HDU: 0 PRIMARY, 1 N2, 2 S29, 3 S30"),
        ("S31", ValueError, r"fits\[S31\]: there is no such HDU"),
        (0, ValueError, r"fits\[0\]: this HDU is not a 2-D image"),
        (1.5, TypeError, "hdu=1.5 must be a number, a name, or a name and a version"),
        (True, TypeError, "hdu=True must be a number"),
    ],
)
def test_no_such_image(chips, hdu, error, match):
    with pytest.raises(error, match=match):
        read_cutout(chips, hdu=hdu)
    with pytest.raises(ValueError, match=r"hdu=1 is given, and .*fits\[2\] names one already"):
        read_cutout(f"{chips}[2]", hdu=1)


@pytest.mark.parametrize("version", [1, 2])
def test_noise_and_mask_of_the_chosen_image(pairs, version):
    cutout = read_cutout(f"{pairs}[SCI,{version}]")
    assert cutout.data[0, 0] == version
    assert cutout.uncertainty.array[0, 0] == 10 * version
    assert np.argwhere(cutout.mask).tolist() == [[version, version]]
    with open_field(f"{pairs}[SCI,{version}]") as field:
        assert field.noise[0, 0] == 10 * version


def test_a_name_that_several_images_have(pairs):
    message = r"has 2 images \(SCI,1, SCI,2\), of which SCI,1 is taken: .* as '[^\[]*\[SCI,1\]'"
    with pytest.warns(AstropyUserWarning, match=message):
        assert read_cutout(f"{pairs}[SCI]").data[0, 0] == 1
    with pytest.warns(AstropyUserWarning, match=message), open_field(f"{pairs}[SCI]") as field:
        assert field.noise[0, 0] == 10


def test_parts_of_an_image_by_the_name_before_the_point(path):
    """Euclid VIS: one quadrant a group of HDUs."""
    extensions = {}
    for value, name in enumerate(("1-1.E", "1-1.F"), start=1):
        extensions[f"{name}.SCI"] = image(value)
        extensions[f"{name}.RMS"] = image(10 * value)
        flags = np.zeros((4, 5), np.int32)
        flags[value, value] = 8  # saturated
        extensions[f"{name}.FLG"] = flags
    write_extensions(path, extensions, TELESCOP="Euclid", INSTRUME="VIS")
    cutout = read_cutout(f"{path}[1-1.F.SCI]")
    assert cutout.uncertainty.array[0, 0] == 20
    assert np.argwhere(cutout.mask).tolist() == [[2, 2]]
    with pytest.warns(AstropyUserWarning, match="2 images"):
        assert read_cutout(path).uncertainty.array[0, 0] == 10


def test_a_noise_map_that_may_belong_to_several_is_of_none(path):
    write_extensions(path, {"A": image(1), "B": image(2), "ERR": image(10), "PSF": image(3)})
    cutout = read_cutout(path, hdu="B")
    assert cutout.uncertainty is None
    assert cutout.psf[0, 0] == 3  # of all


def test_other_images_are_no_choice(path):
    """Weights, areas, contexts beside SCI, and what the pipelines keep."""
    names = ("WHT", "CON", "AREA", "VAR_POISSON", "VAR_RNOISE", "CTX", "D2IMARR")
    write_extensions(path, {**{name: image(9) for name in names}, "SCI": image(1)})
    assert read_cutout(path).data[0, 0] == 1
    assert read_cutout(path, hdu="AREA").data[0, 0] == 9  # who asks for it gets it


def test_an_image_in_the_primary_hdu_and_others(path):
    fits.HDUList(
        [fits.PrimaryHDU(image(1), fits.Header({"MAGZP": 25.0})), fits.ImageHDU(image(2), name="B")]
    ).writeto(path)
    with pytest.warns(AstropyUserWarning, match=r"2 images \(PRIMARY, B\), of which PRIMARY"):
        assert read_cutout(path).data[0, 0] == 1
    cutout = read_cutout(path, hdu=1)
    assert cutout.data[0, 0] == 2
    assert cutout.meta["MAGZP"] == 25


def test_images_without_names(path):
    """Two compressed images have numbers only."""
    hdus = [fits.PrimaryHDU(), *(fits.CompImageHDU(image(value)) for value in (1, 2))]
    fits.HDUList(hdus).writeto(path)
    assert image_paths(path) == [f"{path}[1]", f"{path}[2]"]
    assert read_cutout(path, hdu=2).data[0, 0] == 2


def test_a_type_instead_of_a_name(path):
    """HSC: EXTTYPE."""
    types = ("IMAGE", "MASK", "VARIANCE")
    hdus = [fits.ImageHDU(image(i), fits.Header({"EXTTYPE": t})) for i, t in enumerate(types, 1)]
    hdus[1].data = np.zeros((4, 5), np.int32)
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    cutout = read_cutout(path)
    assert cutout.data[0, 0] == 1
    assert cutout.uncertainty.array[0, 0] == 3
    assert not cutout.mask.any()


@pytest.mark.parametrize("leading", [(1,), (1, 1)])
def test_a_cube_of_one_plane_is_an_image(path, leading):
    header = make_wcs().to_header()
    header.update({"CTYPE3": "FREQ", "CRVAL3": 1e9, "CDELT3": 1.0, "CRPIX3": 1.0})
    data = np.arange(20.0).reshape(*leading, 4, 5)
    write_extensions(path, {"SCI": (data, header), "ERR": np.full(data.shape, 2.0)})
    cutout = read_cutout(path)
    np.testing.assert_array_equal(cutout.data, data.reshape(4, 5))
    assert cutout.uncertainty.array.shape == (4, 5)
    assert cutout.wcs.naxis == 2
    with open_field(path) as field:
        np.testing.assert_array_equal(field.data[1:3, :2], data.reshape(4, 5)[1:3, :2])
        assert field.noise[1:3, :2].shape == (2, 2)


def test_a_plane_of_a_cube_is_chosen(path):
    data = np.arange(60.0).reshape(3, 4, 5)
    write_extensions(path, {"SCI": data, "ERR": data + 1})
    with pytest.raises(
        ValueError, match=r"SCI has 3 planes of 4 x 5 pixels: choose one, as '.*SCI\]\[0\]'"
    ):
        read_cutout(path)
    for plane in range(3):
        cutout = read_cutout(f"{path}[SCI][{plane}]")
        np.testing.assert_array_equal(cutout.data, data[plane])
        np.testing.assert_array_equal(cutout.uncertainty.array, data[plane] + 1)
    with pytest.raises(ValueError, match="SCI has planes 0 to 2"):
        read_cutout(f"{path}[SCI][3]")


def test_files_of_our_own(path):
    write_cutouts([make_cutout(seed=seed) for seed in range(3)], path)
    with pytest.warns(
        AstropyUserWarning, match=r"3 images \(SCI,1, SCI,2, SCI,3\), of which SCI,1"
    ):
        assert read_cutout(path, hdu="SCI").meta["SEED"] == 0
    assert read_cutout(path, hdu=("SCI", 3)).meta["SEED"] == 2
    assert read_cutout(f"{path}[SCI,2]").meta["SEED"] == 1
    assert image_paths(path) == [f"{path}[SCI,{i}]" for i in (1, 2, 3)]
    with open_field(f"{path}[SCI,2]") as field:
        assert field.meta["SEED"] == 1
        assert field.psf is not None


def test_companions_of_an_image(chips, tmp_path):
    """The weight map of the same CCD, not the first one of its file."""
    weights = tmp_path / "weights.fits"
    write_extensions(weights, {name: image(1 / value**2) for name, value in CHIPS.items()})
    with open_field(f"{chips}[S30]", weight_map=weights) as field:
        assert field.noise[0, 0] == pytest.approx(CHIPS["S30"])
    with open_field(f"{chips}[S30]", weight_map=f"{weights}[2]") as field:
        assert field.noise[0, 0] == pytest.approx(CHIPS["S29"])
    with (
        pytest.raises(ValueError, match=r"rms=.*weights.fits' has 3 images: choose one, as"),
        open_field(image(1.0), rms=weights),
    ):
        pass
    table = tmp_path / "table.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU()]).writeto(table)
    with pytest.raises(ValueError, match="has no 2-D image"), open_field(image(1.0), rms=table):
        pass


def test_compressed_files(path):
    """Tile compression keeps integers, and NaN in floats."""
    data = np.random.default_rng(1).normal(100, 5, (64, 64)).astype(np.float32)
    data[3, 4] = np.nan
    mask = np.zeros((64, 64), np.int8)
    mask[5, 6] = -1
    hdus = [fits.CompImageHDU(data, name="SCI"), fits.CompImageHDU(mask, name="DQ")]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    cutout = read_cutout(path)
    assert np.isnan(cutout.data[3, 4])
    np.testing.assert_allclose(cutout.data, data, rtol=0, atol=2)
    assert np.argwhere(cutout.mask).tolist() == [[5, 6]]


def test_no_image_at_all(path):
    write_extensions(path, {"SCI": np.ones(5)})
    with pytest.raises(ValueError, match="has no 2-D image"):
        image_paths(path)


@pytest.mark.parametrize(
    ("bunit", "noise"),
    [(None, 2), ("UNITLESS", 2), ("nJy", 2), ("uJy", 2000), ("ELECTRONS", None)],
)
def test_unit_of_a_noise_map_of_its_own(tmp_path, bunit, noise):
    """An rms map in uJy of an image in nJy is converted, one in counts refused."""
    path = write_extensions(tmp_path / "image.fits", {"SCI": (image(1), {"BUNIT": "nJy"})})
    cards = {} if bunit is None else {"BUNIT": bunit}
    rms = write_extensions(tmp_path / "rms.fits", {"RMS": (image(2), cards)})
    if noise is None:
        with (
            pytest.raises(u.UnitConversionError, match=r"rms=.*has the unit electron, and needs"),
            open_field(path, rms=rms),
        ):
            pass
        return
    with open_field(path, rms=rms) as field:
        assert field.noise[0, 0] == pytest.approx(noise)
    with open_field(path, weight_map=rms) as field:
        assert field.noise[0, 0] == pytest.approx(2**-0.5)
