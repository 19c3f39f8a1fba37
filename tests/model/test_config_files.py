"""What readers of files of other codes have in common."""

import astropy.units as u
import pytest
from numpy.testing import assert_allclose

from sersicnet import Model, PointSource, Sersic
from sersicnet.model.config_files import (
    FilePart,
    FileValue,
    Findings,
    ab_magnitude,
    arcsec_per_pixel,
    read_lines,
)


@pytest.mark.parametrize("value", [0.2, 0.2 * u.arcsec, 200 * u.mas, 0.2 * u.arcsec / u.pix])
def test_pixel_scales(value):
    assert_allclose(arcsec_per_pixel(value), 0.2)
    with pytest.raises(ValueError, match=r"pixel_scale=-0\.2 must be finite and above 0"):
        arcsec_per_pixel(-value)


@pytest.mark.parametrize("value", [25, 25 * u.ABmag, 25 * u.mag])
def test_zero_points(value):
    assert ab_magnitude(value) == 25
    with pytest.raises(TypeError, match="zeropoint='a' must be a number"):
        ab_magnitude("a")


def test_lines_without_comments(tmp_path):
    path = tmp_path / "file"
    path.write_text("# a\n\nb 1 # c\n")
    assert read_lines(path) == {3: "b 1"}


def test_two_point_sources():
    center = {"x_0": FileValue(3.0, 2, False), "y_0": FileValue(3.0, 2, False)}
    parts = [FilePart(PointSource, line, dict(center)) for line in (1, 5)]
    with pytest.raises(ValueError, match=r"file has .*: line 5: a model cannot have two of this"):
        Findings("file", Model).model(parts)


def test_of_two_sersic_profiles_the_first_is_the_smaller():
    parts = []
    for line, radius in ((1, 9.0), (5, 2.0)):
        values = {name: FileValue(3.0, line, False) for name in ("x_0", "y_0")}
        parts.append(FilePart(Sersic, line, values | {"r_eff": FileValue(radius, line, True)}))
    model = Findings("file", Model).model(parts)
    assert model.settings == {"r_eff_inner": 2.0, "r_eff_outer": 9.0}
