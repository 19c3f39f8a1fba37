"""Region files of DS9, read by a few lines of our own."""

import re

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from sersicnet.measure import write_regions


@pytest.fixture
def catalog():
    """A galaxy without flags, one with, one without a result, and one that is nowhere."""
    nan = np.nan
    table = QTable(
        {
            "id": ["a", "b", "c", "d"],
            "x_0": [10.0, 20.5, nan, nan] * u.pix,
            "y_0": [30.0, 40.5, nan, nan] * u.pix,
            "x_centroid": [10.2, 20.2, 50.0, nan] * u.pix,
            "y_centroid": [30.2, 40.2, 60.0, nan] * u.pix,
            "r_eff": [0.5, 1.0, nan, nan] * u.arcsec,
            "q": [0.5, 1.0, nan, nan],
            "theta": [-30.0, 0.0, nan, nan] * u.deg,
            "flags": [0, 256, 1, 1],
        }
    )
    table.meta["PIXSCALE"] = 0.1
    return table


def read(path):
    """Kind, numbers and properties of each region."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# Region file format: DS9")
    assert "image" in lines
    regions = []
    for line in lines[lines.index("image") + 1 :]:
        kind, numbers, rest = re.fullmatch(r"(\w+)\(([^)]*)\) #(.*)", line).groups()
        regions.append((kind, [float(number) for number in numbers.split(",")], rest))
    return regions


def test_ellipses_count_pixels_from_one(catalog, tmp_path):
    write_regions(catalog, tmp_path / "field.reg")
    first, second, third = read(tmp_path / "field.reg")
    assert first == ("ellipse", [11, 31, 5, 2.5, -30], " text={a}")
    assert second == ("ellipse", [21.5, 41.5, 10, 10, 0], " color=yellow text={b}")
    assert third == ("point", [51, 61], " point=x color=red text={c}")


def test_pixels_that_are_not_square(catalog, tmp_path):
    catalog["r_eff_pix"] = [4.0, 8.0, np.nan, np.nan] * u.pix
    catalog["q_pix"] = [0.25, 0.5, np.nan, np.nan]
    write_regions(catalog, tmp_path / "field.reg")
    assert [region[1][2:4] for region in read(tmp_path / "field.reg")[:2]] == [[4, 1], [8, 4]]


def test_a_catalog_of_centroids_alone(catalog, tmp_path):
    catalog = catalog["x_centroid", "y_centroid"]
    write_regions(catalog, tmp_path / "field.reg")
    kinds = {region[0] for region in read(tmp_path / "field.reg")}
    assert kinds == {"point"}


def test_what_is_missing(catalog, tmp_path):
    with pytest.raises(ValueError, match=r"catalog has the columns \['q'\]: x_0 and y_0 are"):
        write_regions(catalog["q",], tmp_path / "field.reg")
    del catalog.meta["PIXSCALE"]
    with pytest.raises(ValueError, match="pixel_scale=None and the catalog has no PIXSCALE"):
        write_regions(catalog, tmp_path / "field.reg")
    write_regions(catalog, tmp_path / "field.reg", pixel_scale=0.1)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_regions(catalog, tmp_path / "no" / "field.reg")
