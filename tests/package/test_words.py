"""Numbers of things in messages."""

import pytest

from sersicnet._words import counted


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [(1, "cutout", "1 cutout"), (0, "row", "0 rows"), (2, "galaxy", "2 galaxies")],
)
def test_singular_and_plural(number, noun, words):
    assert counted(number, noun) == words
