"""The table of the second generation, of few scenes."""

import pytest
from astropy.table import Table

from benchmarks.second_generation import main


@pytest.mark.parametrize("scenes", ["clean", "extended"])
def test_table(scenes, tmp_path):
    main([str(tmp_path), "--scenes", scenes, "-n", "64"])
    table = Table.read(tmp_path / f"second_generation_{scenes}.csv")
    assert set(table["network"]) == {"first", "step"}
    assert sum(table["scenes"]) > 2 * 56  # structure may be fainter than all strata
    assert len(table) == 10


def test_times(tmp_path):
    main([str(tmp_path), "--times"])
    table = Table.read(tmp_path / "second_generation_times.csv")
    assert list(table["sampling"]) == [1, 2, 3]
    assert (table["ms_second"] > table["ms_first"]).all()
