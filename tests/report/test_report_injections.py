"""The tab of a page about injected galaxies."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

pytest.importorskip("bokeh")

from bokeh.models import DataTable

from sersicnet.diagnostics.scores import join_truth
from sersicnet.report.injections import injection_panel, is_injections
from sersicnet.report.write import write_report


def injections(n=40, seed=1):
    """Measured and true values; faint galaxies were not detected."""
    rng = np.random.default_rng(seed)
    truth = QTable({"mag": rng.uniform(20, 24, n) * u.ABmag})
    truth["r_eff"] = 10 ** rng.uniform(-1, 0, n) * u.arcsec
    detected = truth["mag"].value < 23
    mag = np.where(detected, truth["mag"].value + 0.1 * rng.normal(size=n), np.nan)
    table = QTable({"id": np.arange(n), "detected": detected, "on_source": np.arange(n) == 0})
    table["mag"] = mag * u.ABmag
    table["mag_lo"] = (mag - 0.1) * u.ABmag
    table["mag_hi"] = (mag + 0.1) * u.ABmag
    return table, truth


def test_what_are_injections():
    table, truth = injections()
    assert is_injections(table, truth)
    assert not is_injections(table, None)
    assert not is_injections(table["id", "mag"], truth)
    assert not is_injections(table, truth["mag",])


def test_figures_and_table_of_all_bins():
    panel = injection_panel(*injections(400))
    note, figures, table = panel.children
    assert "Of 400 galaxies, 1 are on a source" in note.text
    # completeness, bias and error by magnitude and by size
    assert len(figures.children) == 6
    assert isinstance(table, DataTable)
    assert list(table.source.data["by"])[:2] == ["all", "mag"]
    labels = {plot.yaxis[0].axis_label for plot, *_ in figures.children}
    assert "completeness" in labels
    assert "error / quoted error of magnitude" in labels


def labels_of(panel):
    """Labels of the figures of a panel with figures."""
    return [plot.yaxis[0].axis_label for plot, *_ in panel.children[1].children]


def test_figures_without_a_point_are_left_out():
    """Bins of few galaxies have no bias: no figure of nothing but its legend."""
    assert labels_of(injection_panel(*injections(24))) == ["completeness"]
    table, truth = injections(400)
    table.remove_columns(["mag_lo", "mag_hi"])  # no errors, so that there is no ratio
    assert labels_of(injection_panel(table, truth)) == 2 * ["completeness"] + 2 * [
        "bias of magnitude [mag]"
    ]
    table, truth = injections(5)
    note, bins = injection_panel(table, truth).children
    assert isinstance(bins, DataTable)
    assert "left out" in note.text


def test_the_page_has_the_tab(tmp_path):
    joined = join_truth(*injections())
    text = write_report(joined, tmp_path / "page.html").read_text(encoding="utf-8")
    assert '"Injections"' in text
    joined.remove_column("detected")
    text = write_report(joined, tmp_path / "page.html").read_text(encoding="utf-8")
    assert '"Injections"' not in text


def test_one_galaxy(tmp_path):
    table, truth = injections()
    faint = np.argsort(-truth["mag"].value)[:1]  # not detected
    joined = join_truth(table[faint], truth[faint])
    text = write_report(joined, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "1 not measured" in text
