"""Sources of tiles in several bands: where their neighbors are known."""

from types import SimpleNamespace

import numpy as np
from astropy.table import Table

from sersicnet.measure.band_sources import parts_of

ROWS = {"row": [0, 0, 0], "peak_y": [70, 70, 300], "peak_x": [70, 300, 300]}


def sources(labels, numbers):
    table = Table(ROWS) if len(numbers) == 3 else Table(ROWS)[: len(numbers)]
    table["x"] = table["peak_x"].astype(float)
    table["y"] = table["peak_y"].astype(float)
    table["extent"] = 5
    table["label"] = numbers
    window = SimpleNamespace(origin=(0, 0))
    return SimpleNamespace(labels=labels, table=table, window=window)


def test_around_sources_at_the_border_of_a_tile_they_are_detected_again():
    labels = np.zeros((400, 400), dtype=int)
    for number, row in enumerate(sources(labels, [1, 2, 3]).table, start=1):
        labels[int(row["y"]), int(row["x"])] = number
    labels[75, 75] = 4  # of another tile
    found = sources(labels, [1, 2, 3])
    again = sources(labels, [1])
    tiles = []

    def find(tile):
        tiles.append(tile)
        return again

    parts = list(parts_of(found, find, most=1))
    assert [len(part) for _, part in parts] == [1, 1, 1]
    assert [around is again for around, _ in parts] == [False, False, True]
    assert parts[-1][1]["peak_x"][0] == 70
    assert tiles == [(slice(7, 135), slice(7, 135))]
    assert [len(part) for _, part in parts_of(found, None, most=2)] == [2, 1]


def test_a_source_that_is_not_found_again_stays():
    labels = np.zeros((400, 400), dtype=int)
    labels[70, 70] = 1
    labels[75, 75] = 4
    found = sources(labels, [1])
    nothing = SimpleNamespace(table=found.table[:0])
    ((around, part),) = parts_of(found, lambda tile: nothing, most=8)
    assert around is found
    assert len(part) == 1
