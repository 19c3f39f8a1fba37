"""Options of the columns of tables."""

from sersicnet.cli.columns import DIALECTS, ID_NAMES, column_names
from sersicnet.diagnostics import dialects


def test_dialects_are_those_of_the_package():
    assert DIALECTS == dialects.DIALECTS
    assert ID_NAMES["sextractor"] == "NUMBER"


def test_names_of_columns():
    assert column_names(None) is None
    assert column_names("id, mag") == ["id", "mag"]
