"""The columns of what needs no profile."""

from sersicnet.diagnostics.morphology_columns import MORPHOLOGY_COLUMNS
from sersicnet.diagnostics.schema import COLUMNS


def test_all_are_known_to_tables():
    for column in MORPHOLOGY_COLUMNS:
        assert COLUMNS[column.name] is column
        assert column.description
    sizes = [column.name for column in MORPHOLOGY_COLUMNS if column.unit is not None]
    assert sizes == ["r_petro", "r20", "r50", "r80"]
