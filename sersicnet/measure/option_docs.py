"""Descriptions of options in the docstrings of what takes them."""

from textwrap import fill

__all__ = ["documented"]

# Line of a docstring that the descriptions of all options stand for.
_PLACE = "    {options}\n"


def documented(docstring, options):
    """Write the descriptions of options into a docstring.

    Parameters
    ----------
    docstring : str or None
        Text with the line ``{options}``; None where Python has dropped it.
    options : tuple of `dataclasses.Field`
        The options, with ``kind``, ``summary`` and ``details`` in their metadata.

    Returns
    -------
    str or None
    """
    if docstring is None:
        return None
    lines = []
    for option in options:
        lines.append(f"    {option.name} : {option.metadata['kind']}")
        text = f"{option.metadata['summary']} {option.metadata['details']}"
        margin = 8 * " "
        lines.append(
            fill(
                text,
                width=100,
                initial_indent=margin,
                subsequent_indent=margin,
                break_on_hyphens=False,
            )
        )
    return docstring.replace(_PLACE, "\n".join(lines) + "\n")
