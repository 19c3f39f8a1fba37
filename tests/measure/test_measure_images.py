"""Images that a measurement writes on request: its sky, and the pixels of its sources."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from helpers.fields import NOISE, make_wcs
from helpers.measured import value

from sersicnet.measure.image import measure_image


@pytest.fixture(scope="module")
def written(field, net, tmp_path_factory):
    """The catalog and both images, in one piece and in tiles."""
    folder = tmp_path_factory.mktemp("images")
    found = {}
    for tile_size in (1024, 130):
        paths = {
            f"{name}_image": folder / f"{name}-{tile_size}.fits"
            for name in ("background", "segmentation")
        }
        table = measure_image(field, net=net, tile_size=tile_size, **paths)
        found[tile_size] = [table, *(fits.getdata(path) for path in paths.values())]
    found["path"] = paths["background_image"]
    return found


def test_the_background_is_the_sky(written):
    """The field has a slope of 0.01 and -0.005 a pixel, and a level of 80."""
    _, background, _ = written[1024]
    y, x = np.indices(background.shape)
    assert np.abs(background - (80 + 0.01 * x - 0.005 * y)).max() < NOISE / 2
    np.testing.assert_allclose(written[130][1], background, rtol=1e-6)
    header = fits.getheader(written["path"])
    assert header["BUNIT"] == "adu"
    np.testing.assert_allclose(WCS(header).wcs.crval, make_wcs().wcs.crval)


@pytest.mark.parametrize("tile_size", [1024, 130])
def test_the_pixels_of_each_row(written, tile_size):
    """As many as the table says, with the centroid in the midst of them."""
    table, _, segmentation = written[tile_size]
    assert segmentation.dtype.kind == "i"
    areas = np.bincount(segmentation.ravel(), minlength=len(table) + 1)[1:]
    np.testing.assert_array_equal(areas, value(table["area"]))
    x = np.round(value(table["x_centroid"])).astype(int)
    y = np.round(value(table["y_centroid"])).astype(int)
    np.testing.assert_array_equal(segmentation[y, x], 1 + np.arange(len(table)))


def test_the_pixels_do_not_depend_on_the_tiles(written):
    np.testing.assert_array_equal(written[130][2], written[1024][2])


def test_rows_of_a_given_catalog_number_the_pixels(field, net, written, tmp_path):
    table, _, _ = written[1024]
    catalog = Table({name: value(table[f"{name}entroid"]) for name in ("x_c", "y_c")})
    catalog = Table({"x_0": catalog["x_c"][::-1], "y_0": catalog["y_c"][::-1]})[:3]
    path = tmp_path / "segmentation.fits"
    options = {"background_image": tmp_path / "sky.fits", "background_box": None}
    noise = np.full(field.shape, NOISE)
    image = field.data - written[1024][1]
    measured = measure_image(
        image,
        net=net,
        psf=field.psf,
        rms=noise,
        pixel_scale=0.1,
        zeropoint=25,
        catalog=catalog,
        segmentation_image=path,
        **options,
    )
    segmentation = fits.getdata(path)
    assert set(np.unique(segmentation)) == {0, 1, 2, 3}
    x = np.round(value(measured["x_centroid"])).astype(int)
    y = np.round(value(measured["y_centroid"])).astype(int)
    np.testing.assert_array_equal(segmentation[y, x], [1, 2, 3])
    assert not fits.getdata(tmp_path / "sky.fits").any()


@pytest.mark.parametrize("name", ["background_image", "segmentation_image"])
def test_paths_are_checked_first(name, tmp_path):
    path = tmp_path / "field.fits"
    path.write_bytes(b"pixels")
    with pytest.raises(ValueError, match=rf"{name}=.* would overwrite image=.*field.fits'"):
        measure_image(path, **{name: path})
    with pytest.raises(ValueError, match=rf"{name}='a.png' must end in .fits"):
        measure_image(path, **{name: "a.png"})
