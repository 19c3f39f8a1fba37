"""One number for the pixel of the peak of each source."""

import numpy as np
from astropy.table import Table

from sersicnet.measure.places import place_codes


def test_numbers_are_in_the_order_of_rows():
    """That of y, then of x, also in images that are far wider than high."""
    rng = np.random.default_rng(5)
    table = Table({"peak_y": rng.integers(0, 9, 50), "peak_x": rng.integers(0, 60_000, 50)})
    codes = place_codes(table)
    assert codes.min() > 0
    np.testing.assert_array_equal(
        np.argsort(codes, kind="stable"), np.lexsort((table["peak_x"], table["peak_y"]))
    )
