"""Point sources and disks in the files of other codes."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sersicnet.preprocessing.drawing import parts2d
from sersicnet.preprocessing.foreign import ForeignParts, _part, write_galfit, write_imfit
from sersicnet.preprocessing.frame import StampFrame

VALUES = {"mag_agn": 20.0, "mag_host": 19.0, "r_eff_host": 0.5, "n_host": 1.0, "q_host": 0.6}
VALUES |= {"theta_host": 10.0, "x_0": 20.5, "y_0": 19.5}


@pytest.fixture
def galaxy():
    """A nucleus in a disk."""
    one = np.ones(1)
    frame = StampFrame(one, 25 * one, 0.1 * one, one, 20 * one, 20 * one)[0]
    parts = (("agn", "point"), ("host", "sersic"))
    terms = list(parts2d(VALUES, parts, frame))
    fixed = [set(), {"n"}]
    found = [_part(term, 25.0, own) for term, own in zip(terms, fixed, strict=True)]
    return ForeignParts(found, (40, 41), 25.0, 0.1, None, [])


def test_parts_have_their_light(galaxy):
    (point, first, _), (disk, second, _) = galaxy.parts
    assert (point, disk) == ("point", "exp")
    assert_allclose([first["mag"], second["mag"]], [20, 19])
    assert_allclose(second["r_eff"], 5)


def test_files_of_a_nucleus(galaxy, tmp_path):
    text = write_galfit(tmp_path / "g", galaxy, {}).read_text()
    assert "0) psf\n1) 21.500000 20.500000 1 1\n3) 20 1" in text
    assert "0) expdisk" in text
    text = write_imfit(tmp_path / "i", galaxy).read_text()
    assert "FUNCTION PointSource\nI_tot 100" in text
    assert f"h {5 / 1.678347:.4f}" in text
