"""Pictures of galaxies of several parts."""

import numpy as np
import pytest
from astropy.table import Table
from helpers.populations import frame_of
from numpy.testing import assert_allclose

pytest.importorskip("bokeh")

from sersicnet.model.labels import LOG_R_EFF, split_labels
from sersicnet.report.parts import column_groups, part_labels, part_values, parts_of

BULGE = {"mag": 20.0, "r_eff": 0.2, "n": 4.0, "q": 0.8, "theta": 30.0}
DISK = {"mag": 19.0, "r_eff": 0.8, "n": 1.0, "q": 0.5, "theta": -60.0}
PARTS = (("bulge", "sersic"), ("disk", "sersic"))


def table_of(parts, **columns):
    for part, values in parts.items():
        for name, value in values.items():
            for ending in ("", "_err", "_lo", "_hi"):
                columns[f"{name}_{part}{ending}"] = [value]
    for name in ("mag", "r_eff"):
        columns |= {f"{name}{ending}": [1.0] for ending in ("", "_err", "_lo", "_hi")}
    return Table(columns)


def test_parts_of_tables():
    assert (
        parts_of(
            table_of({"bulge": BULGE, "disk": DISK}, bulge_to_total=[0.3], bulge_to_total_err=[0.1])
        )
        == PARTS
    )
    host = table_of({"agn": {"mag": 20.0}, "host": DISK}, agn_to_total=[0.3])
    assert parts_of(host) == (("agn", "point"), ("host", "sersic"))
    assert parts_of(table_of({"population": BULGE})) == ()
    star = Table({"mag": [19.0]}, meta={"MODEL": "point, fixed: x_0"})
    assert parts_of(star) == (("", "point"),)
    several = table_of({"bulge": BULGE, "disk": DISK, "point": {"mag": 20.0}})
    several["bulge_to_total"] = several["point_to_total"] = 0.3
    assert parts_of(several) == ()


def test_labels_are_those_of_the_parts():
    table = table_of({"bulge": BULGE, "disk": DISK})
    values = part_values(table, PARTS) | {"x_0": np.array([64.0]), "y_0": np.array([63.0])}
    labels, size = part_labels(values, PARTS, frame_of(1))
    bulge, disk = split_labels(labels[:, :7]), split_labels(labels[:, 7:])
    assert_allclose(bulge.log_flux, 0.4 * (25 - 20))
    assert_allclose(10**disk.log_r_eff, 8)
    assert_allclose(size, labels[:, 7 + LOG_R_EFF])
    assert_allclose(disk.e1, np.cos(-2 * np.pi / 3) / 3)
    assert_allclose(disk.e2, np.sin(-2 * np.pi / 3) / 3)
    assert_allclose(disk.dx, bulge.dx)
    assert_allclose([disk.dx, disk.dy], [[0.5], [-0.5]])


def test_a_column_that_is_missing():
    table = table_of({"bulge": BULGE, "disk": DISK})
    table.remove_column("q_disk")
    with pytest.raises(ValueError, match="results have no column 'q_disk', which a model of disk"):
        part_values(table, PARTS)


def test_columns_of_parts_and_bands_are_groups():
    shares = {f"bulge_to_total{end}": [0.3] for end in ("", "_err")}
    others = {"mag_g": [1.0], "mag_g_err": [1.0], "kron_mag": [1.0], "kron_mag_err": [1.0]}
    groups = column_groups(table_of({"bulge": BULGE, "disk": DISK}, **shares, **others))
    assert list(groups) == ["bulge", "g", "disk"]
    assert set(groups["bulge"]) == {"bulge_to_total", *(f"{name}_bulge" for name in BULGE)}
    assert groups["g"] == ["mag_g"]
    assert column_groups(table_of({})) == {}
