"""Tables of galaxies as notebooks show them: numbers with errors and units, flags in words."""

from html import escape

import numpy as np

from sersicnet._words import counted
from sersicnet.flags import decode_flags, flag_table

__all__ = ["table_html"]

# Digits of an error.
_DIGITS = 2
_ENDINGS = ("_err", "_lo", "_hi")


def table_html(table, *, n_rows, about):
    """Write a table of galaxies as HTML.

    Parameters
    ----------
    table : `~astropy.table.Table`
        The rows that are shown.
    n_rows : int
        Number of all rows.
    about : str
        Line above the table.

    Returns
    -------
    str

    Examples
    --------
    >>> from astropy.table import Table
    >>> from sersicnet.diagnostics.html import table_html
    >>> table = Table({"n": [1.234], "n_err": [0.0567], "flags": [32]})
    >>> html = table_html(table, n_rows=1, about="one galaxy")
    >>> "1.234 ± 0.057" in html, "NOISE_ESTIMATED" in html
    (True, True)
    """
    meanings = {line["name"]: line["meaning"] for line in flag_table()}
    names = [name for name in table.colnames if not name.endswith(_ENDINGS)]
    lines = [f"<p>{escape(about)}</p><table>", "<tr>"]
    for name in names:
        lines.append(_head(table, name))
    lines.append("</tr>")
    for row in range(len(table)):
        lines.append("<tr>")
        for name in names:
            lines.append(f"<td>{_cell(table, name, row, meanings)}</td>")
        lines.append("</tr>")
    lines.append("</table>")
    if n_rows > len(table):
        lines.append(
            f"<p>and {counted(n_rows - len(table), 'more row')}; all are in to_table()</p>"
        )
    return "\n".join(lines)


def _head(table, name):
    """Write the head of a column, with its unit and its description as a tip."""
    unit = getattr(table[name], "unit", None)
    text = escape(name) + (f"<br>[{escape(str(unit))}]" if unit else "")
    return f'<th title="{escape(table[name].info.description or name)}">{text}</th>'


def _cell(table, name, row, meanings):
    """Write a value: with its error, or flags in words."""
    value = getattr(table[name], "value", table[name])[row]
    if name.partition("_")[0] == "flags":
        words = []
        for flag in decode_flags(int(value)):
            words.append(f'<span title="{escape(meanings[flag])}">{flag}</span>')
        return "<br>".join(words) or "none"
    if not isinstance(value, float | np.floating):
        return escape(str(value))
    if not np.isfinite(value):
        return "not measured"
    error = np.nan
    if f"{name}_err" in table.colnames:
        column = table[f"{name}_err"]
        error = float(getattr(column, "value", column)[row])
    if not np.isfinite(error) or error <= 0:
        fixed = " (fixed)" if error == 0 else ""
        return f"{value:.6g}{fixed}"
    places = max(0, _DIGITS - 1 - int(np.floor(np.log10(error))))
    return f"{value:.{places}f} ± {error:.{places}f}"
