"""A report is one file with all that it needs."""

import base64
import dataclasses
import gzip
import importlib
import re
import sys

import numpy as np
import pytest
from astropy.table import QTable
from astropy.utils.exceptions import AstropyUserWarning
from numpy.testing import assert_array_equal

pytest.importorskip("bokeh")

from sersicnet.diagnostics.scores import join_truth
from sersicnet.io.files import write_table
from sersicnet.io.tables import read_table
from sersicnet.parameters import PARAMETERS
from sersicnet.report.write import write_report


def test_page_holds_all_that_it_needs(results, truth, tmp_path):
    path = write_report(results, tmp_path / "page.html", truth=truth, title="5 < 6 & more")
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    text = path.read_text(encoding="utf-8")
    assert "http" not in re.sub("<script.*?</script>", "", text, flags=re.DOTALL)
    assert "<title>5 &lt; 6 &amp; more</title>" in text


def test_pictures_are_text_beside_the_document(table, tmp_path, monkeypatch):
    """A browser would read all of them, and large arrays that are packed, before it shows any."""
    pictures = ["", *(f"data:image/png;base64,{row}" for row in range(1, len(table)))]
    monkeypatch.setattr("sersicnet.report.write.galaxy_pictures", lambda *_, **__: pictures)
    path = write_report(table, tmp_path / "page.html", cutouts=[])
    text = path.read_text(encoding="utf-8")
    (block,) = re.findall('<script type="text/plain" id="pictures">([^<]*)</script>', text)
    assert block.split("\n") == pictures
    (document,) = re.findall('<script type="application/json"[^>]*>([^<]*)</script>', text)
    assert pictures[1] not in document
    (mag,) = re.findall(r'\["mag",(\{"type":"ndarray".*?"data":"(.*?)")', document)
    values = np.frombuffer(gzip.decompress(base64.b64decode(mag[1])))
    assert_array_equal(values, table["mag"].value)
    assert len(mag[1]) > 4 / 3 * values.nbytes  # not compressed


@pytest.mark.parametrize(
    ("meta", "gain"),
    [
        ({"PHOTONS": "added to the noise map", "GAIN": 7.0}, 7.0),
        ({"PHOTONS": "not added: gain=inf"}, np.inf),
        ({"PHOTONS": "gain not known"}, None),
        ({"GAIN": 0.0}, None),  # of another program
    ],
)
def test_pictures_have_the_gain_of_the_measurement(meta, gain, table, drawn, tmp_path):
    """Their residuals are in units of the noise that it assumed."""
    table = table.copy()
    table.meta = meta
    write_report(table, tmp_path / "page.html", cutouts=[])
    assert drawn["units"]["gain"] == gain


def test_true_values_may_be_in_the_catalog(table, truth, tmp_path):
    joined = join_truth(table, QTable(truth))
    path = write_report(joined, tmp_path / "page.html")
    assert "Calibration" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("columns", "known"),
    [
        (["mag"], tuple(PARAMETERS)),
        (["n", "q"], ("q",)),
        (["x_0", "n_err", "n"], ()),
        (["theta"], ("theta",)),
    ],
)
def test_any_columns_make_a_page(columns, known, table, truth, tmp_path):
    known = {name: truth[name] for name in known} or None
    path = write_report(table[columns], tmp_path / "page.html", truth=known)
    assert (known is None) == ("Calibration" not in path.read_text(encoding="utf-8"))


def test_galaxies_without_an_answer(table, truth, tmp_path):
    for name in PARAMETERS:
        for end in ("", "_err", "_lo", "_hi"):
            table[name + end][:] = np.nan
    text = write_report(table, tmp_path / "page.html", truth=truth).read_text(encoding="utf-8")
    assert "60 not measured" in text


def test_bad_calls(table, truth, tmp_path):
    path = tmp_path / "page.html"
    with pytest.raises(ValueError, match="results have 0 rows"):
        write_report(table[:0], path)
    with pytest.raises(ValueError, match="one or more galaxies with columns out of mag"):
        write_report(QTable({"id": [1]}), path)
    with pytest.raises(ValueError, match="truth has 60 rows, and there are 3 galaxies"):
        write_report(table[:3], path, truth=truth)
    with pytest.raises(ValueError, match="truth has the columns a: one or more out of mag, r_eff"):
        write_report(table, path, truth={"a": np.ones(len(table))})
    assert not path.exists()


def test_true_values_are_found_by_their_ids(table, truth, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    shown = []
    monkeypatch.setattr(
        "sersicnet.report.write.page_html", lambda galaxies, **_: shown.append(galaxies) or ""
    )
    truth = QTable(truth)
    truth["id"] = table["id"]
    for some in (truth, truth[::-1]):
        write_report(table, path, truth=some)
    first, second = (galaxies.columns["true_mag"] for galaxies in shown)
    assert first.tolist() == second.tolist()
    truth["id"][:3] = [997, 998, 999]
    with pytest.raises(
        ValueError, match=r"truth has the ids \['997', .*, the catalog \['0', '1', "
    ):
        write_report(table, path, truth=truth)
    truth["id"] = np.arange(len(table)) + 500
    with pytest.warns(AstropyUserWarning, match=r"truth has the ids \['500', .*in their order"):
        write_report(table, path, truth=truth)
    truth["id"] = [f"galaxy {row}" for row in range(len(table))]  # and the others number rows
    write_report(table, path, truth=truth)


def test_without_bokeh_the_message_says_what_to_install(monkeypatch):
    for name in [*sys.modules]:
        if name.split(".")[0] == "bokeh" or name.startswith("sersicnet.report."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "bokeh", None)
    report = importlib.import_module("sersicnet.report")
    monkeypatch.delitem(vars(report), "write_report", raising=False)
    with pytest.raises(ImportError, match=r"needs bokeh: pip install 'sersicnet\[report\]'"):
        report.write_report  # noqa: B018


def test_a_folder_that_is_not_there(table, tmp_path):
    path = tmp_path / "no" / "report.html"
    with pytest.raises(FileNotFoundError, match=r"path='.*html': there is no folder '.*no'"):
        write_report(table, path)


@pytest.fixture
def three(results):
    """Results of three galaxies, with a fitted sky and options of their PSFs."""
    meta = results.meta | {"PSFSAMP": 2, "PSFNORM": False}
    columns = {"sky": np.array([np.nan, 0.5, 0.0])}
    return dataclasses.replace(results[:3], columns=columns, meta=meta)


@pytest.fixture
def drawn(monkeypatch):
    """What the pictures of a page are drawn from; the page is empty."""
    arguments = {}

    def draw(values, cutouts, **options):
        arguments.update(options)
        return [""] * len(cutouts)

    monkeypatch.setattr("sersicnet.report.write.galaxy_pictures", draw)
    monkeypatch.setattr("sersicnet.report.write.page_html", lambda *args, **options: "")
    return arguments


def test_pictures_have_psfs_and_sky_of_the_prediction(three, galaxies, drawn, tmp_path):
    cutouts = galaxies[0][:3]
    write_report(three, tmp_path / "page.html", cutouts=cutouts)
    assert drawn["psf_options"] == {"oversampling": 2, "normalize": False, "recenter": True}
    assert drawn["sky"].tolist() == [0, 0.5, 0]
    assert drawn["inputs"] is three.inputs
    write_report(three, tmp_path / "page.html", cutouts=cutouts, psf_oversampling=3)
    assert drawn["meta"]["PSFSAMP"] == 2
    assert drawn["psf_options"] == {"oversampling": 3, "normalize": False, "recenter": True}


def test_pictures_of_a_table_that_was_written(three, galaxies, drawn, tmp_path):
    write_table(three.to_table(), tmp_path / "table.fits")
    table = read_table(tmp_path / "table.fits")
    write_report(table, tmp_path / "page.html", cutouts=galaxies[0][:3])
    assert drawn["psf_options"] == {"oversampling": 2, "normalize": False, "recenter": True}


def test_pictures_of_other_cutouts_are_refused(results, galaxies, tmp_path):
    _, second, third = galaxies[0][:3]
    with pytest.raises(ValueError, match=r"cutouts\[1\] is not the one that was measured"):
        write_report(results[:3], tmp_path / "page.html", cutouts=[None, third, second])
