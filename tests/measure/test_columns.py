"""The columns of catalogs: known before anything is measured."""

import numpy as np
import pytest
from helpers.fields import make_field, render, star

from sersicnet import SersicNet
from sersicnet.diagnostics.fluxes import with_fluxes
from sersicnet.measure import measure_image
from sersicnet.measure.columns import blank_table, catalog_columns

SIDE = 90


@pytest.fixture(scope="module")
def image():
    """One galaxy, without noise."""
    galaxy = {"x_0": 40.0, "y_0": 45.0, "flux": 2e4, "r_eff": 3.0, "n": 1.0, "q": 0.8, "theta": 0.0}
    truth = {name: np.array([value]) for name, value in galaxy.items()}
    return render(truth, (SIDE, SIDE))


def kinds(table):
    return [(name, table[name].dtype, str(table[name].unit)) for name in table.colnames]


@pytest.mark.parametrize(
    ("weights", "refine", "celestial"),
    [
        ("universal", None, True),
        ("universal", None, False),
        ("universal", "lm", True),
        ("universal", "importance", False),
        ("deeplegato", None, True),
    ],
)
def test_a_catalog_has_the_columns_of_its_schema(weights, refine, celestial, image):
    """Whether there are sources or none."""
    net = SersicNet.from_pretrained(weights).set_params(device="cpu")
    options = {"net": net, "psf": star(), "refine": refine, "zeropoint": 25, "pixel_scale": 0.1}
    changes = {} if celestial else {"wcs": None}
    field = make_field(image, mask=None, **changes)
    judged = weights == "universal"
    columns = catalog_columns(
        net.parameters_,
        refine,
        judged=judged,
        grouped=judged,
        unit=field.unit,
        celestial=celestial,
    )
    expected = kinds(blank_table(with_fluxes(columns), 0))
    found = measure_image(field, **options)
    nothing = measure_image(field, threshold=1e6, **options)
    assert len(found) >= 1
    assert len(nothing) == 0
    assert kinds(found) == expected
    assert kinds(nothing) == expected


def test_columns_are_described():
    columns = catalog_columns(("mag", "theta"), "lm", judged=True, celestial=True)
    assert all(column.description for column in columns)
    assert len({column.name for column in columns}) == len(columns)
