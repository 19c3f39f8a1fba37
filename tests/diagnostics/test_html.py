"""Tables in notebooks: numbers with errors and units, flags in words."""

import astropy.units as u
import numpy as np
from astropy.table import QTable

from sersicnet.diagnostics.html import table_html


def make_table(**columns):
    found = {
        "id": ["<a>", "b"],
        "r_eff": [0.51234, np.nan] * u.arcsec,
        "r_eff_err": [0.0123, np.nan] * u.arcsec,
        "r_eff_lo": [0.5, np.nan] * u.arcsec,
        "n": [4.0, 1.5],
        "n_err": [0.0, np.nan],
        "flags": [33, 0],
    }
    return QTable(found | columns)


def test_numbers_have_errors_and_units():
    html = table_html(make_table(), n_rows=2, about="2 galaxies & more")
    assert "0.512 ± 0.012" in html
    assert "r_eff<br>[arcsec]" in html
    assert "4 (fixed)" in html
    assert "<td>1.5</td>" in html
    assert "not measured" in html
    assert "r_eff_lo" not in html
    assert "2 galaxies &amp; more" in html
    assert "&lt;a&gt;" in html


def test_flags_are_words_with_their_meaning():
    html = table_html(make_table(flags_g=[0, 256]), n_rows=2, about="")
    assert ">NO_DATA</span><br>" in html
    assert "the row is NaN" in html
    assert ">LOW_SNR<" in html
    assert "<td>none</td>" in html


def test_further_rows_are_counted():
    assert "and 5 more rows" in table_html(make_table(), n_rows=7, about="")
    assert "and 1 more row;" in table_html(make_table(), n_rows=3, about="")


def test_large_errors_have_no_digits():
    table = make_table(n=[123.4, 1.0], n_err=[45.6, 0.1])
    assert "<td>123 ± 46</td>" in table_html(table, n_rows=2, about="")
