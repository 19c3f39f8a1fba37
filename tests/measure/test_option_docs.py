"""Descriptions of options in docstrings."""

from dataclasses import dataclass, field, fields

from sersicnet.measure.option_docs import documented


@dataclass
class Toy:
    width: float = field(
        default=1.0, metadata={"kind": "float", "summary": "The width.", "details": "In pixels."}
    )


def test_options_stand_where_the_docstring_has_their_place():
    text = documented("Draw.\n\n    {options}\n    end : int\n", fields(Toy))
    assert text == "Draw.\n\n    width : float\n        The width. In pixels.\n    end : int\n"


def test_python_may_drop_docstrings():
    assert documented(None, fields(Toy)) is None
