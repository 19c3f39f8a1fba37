"""Tables of every kind give the same columns."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from helpers.tables import NUMBERS, as_qtable, make_predicted, make_truth

from sersicnet.diagnostics.comparison import compare
from sersicnet.diagnostics.scores import binned_score, parameter_values, score_table


class Results:
    """What the results of a prediction offer."""

    def __init__(self, table):
        self.table = table

    def to_table(self):
        return self.table


def test_every_kind_of_table_gives_the_same():
    truth = make_truth()
    predicted = make_predicted(truth)
    expected = score_table(predicted, truth)
    with_units = as_qtable(predicted)
    in_other_units = with_units.copy()
    in_other_units["r_eff"] = with_units["r_eff"].to(u.mas)
    in_other_units["theta"] = with_units["theta"].to(u.rad)
    in_other_units["mag"] = with_units["mag"].value * u.mag
    lists = {name: list(values) for name, values in predicted.items()}
    big_endian = {name: values.astype(">f8") for name, values in predicted.items()}
    kinds = [Table(predicted), Table(with_units), with_units, in_other_units, lists, big_endian]
    kinds.append(Results(with_units))
    for kind in kinds:
        for other in (truth, as_qtable(truth), Table(as_qtable(truth))):
            score = score_table(kind, other)
            for name in ("n", *NUMBERS):
                np.testing.assert_allclose(score[name], expected[name], rtol=1e-9, atol=1e-12)


def test_bad_tables_are_named():
    truth = make_truth(size=3)
    with pytest.raises(ValueError, match=r"predicted has no column 'n', only mag"):
        compare({"mag": truth["mag"]}, truth, "n")
    with pytest.raises(ValueError, match=r"truth has no column 'n', only mag"):
        compare(truth, {"mag": truth["mag"]}, "n")
    with pytest.raises(ValueError, match=r"truth has no column 'snr'"):
        binned_score(truth, truth, by="snr", edges=[0, 1])
    with pytest.raises(ValueError, match=r"n: predicted has 2 rows and truth 3"):
        compare({"n": [1, 2]}, truth, "n")
    with pytest.raises(ValueError, match=r"predicted has 2 rows and truth 3"):
        binned_score({"n": [1, 2]}, truth, edges=[18, 24])
    with pytest.raises(ValueError, match=r"predicted\['n'\] has shape \(3, 2\)"):
        compare({"n": np.ones((3, 2))}, truth, "n")
    with pytest.raises(ValueError, match=r"columns of truth must have the same length"):
        compare(truth, {"n": [1, 2], "q": [1]}, "n")
    with pytest.raises(TypeError, match=r"predicted must be a table or a dict"):
        compare([1, 2], truth, "n")
    with pytest.raises(ValueError, match=r"must share a column out of mag, r_eff"):
        score_table({"a": [1]}, {"a": [1]})
    with pytest.raises(ValueError, match=r"one or more different names"):
        score_table(truth, truth, parameters=["mag", "size"])
    with pytest.raises(ValueError, match=r"table has no column 'q'"):
        parameter_values({}, "q")
