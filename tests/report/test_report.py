"""The page about a catalog: its numbers, its pictures, and what it does in a browser."""

import base64
import importlib
import io
import os
import re
import shutil
import sys

import numpy as np
import pytest
import torch
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from astropy.table import MaskedColumn, QTable
from numpy.testing import assert_allclose, assert_array_equal

pytest.importorskip("bokeh")

from PIL import Image
from scipy.stats import norm

from sersicnet.cli.main import main
from sersicnet.diagnostics.scores import join_truth
from sersicnet.flags import Flags
from sersicnet.io.cutouts import write_cutout, write_cutouts
from sersicnet.model.profile import psf_transform, sersic_images
from sersicnet.parameters import PARAMETERS
from sersicnet.report.data import (
    binned,
    equal_bins,
    page_columns,
    quantile_curves,
    sample_curves,
    split_normal_samples,
)
from sersicnet.report.pictures import galaxy_pictures
from sersicnet.report.write import write_report

SHOWN = ("mag", "r_eff", "n", "q")
META = {"PIXSCALE": 0.1, "MAGZP": 25.0}


@pytest.fixture(scope="module")
def results(trained, galaxies):
    """Those of sixty galaxies; not to be changed by a test."""
    return trained.predict(galaxies[0])


@pytest.fixture
def table(results):
    return results.to_table()


@pytest.fixture(scope="module")
def truth(galaxies):
    return galaxies[1]


# --- numbers ----------------------------------------------------------------------------------


def test_columns_are_those_of_the_catalog(table, truth):
    table["flags"][3] = int(Flags.LOW_SNR | Flags.EXCEEDS_CUTOUT)
    columns = page_columns(table, truth, tuple(PARAMETERS))
    for name in PARAMETERS:
        assert_array_equal(columns[name], np.array(table[name].value))
        assert_array_equal(columns[f"{name}_err"], np.array(table[f"{name}_err"].value))
        error, sigma = columns[f"error_{name}"], columns[f"sigma_{name}"]
        assert_allclose(columns[f"pull_{name}"], error / sigma)
    assert_allclose(columns["error_n"], columns["n"] - truth["n"])
    assert_allclose(columns["error_r_eff"], np.log10(columns["r_eff"] / truth["r_eff"].value))
    assert np.abs(columns["error_theta"]).max() <= 90
    pulls = [np.abs(columns[f"pull_{name}"]) for name in PARAMETERS]
    assert_array_equal(columns["worst_pull"], np.max(pulls, axis=0))
    assert columns["flags"][3] == "LOW_SNR EXCEEDS_CUTOUT"
    assert columns["id"][:3] == ["0", "1", "2"]


def test_other_columns_of_numbers_and_texts_are_kept(table):
    n = len(table)
    table["chi2"] = MaskedColumn(np.arange(n, dtype=float), mask=np.arange(n) == 2)
    table["field"] = ["north"] * n
    table["spectrum"] = np.ones((n, 3))
    table["place"] = SkyCoord([1.0] * n, [2.0] * n, unit="deg")
    columns = page_columns(table, None, SHOWN)
    assert np.isnan(columns["chi2"][2])
    assert columns["chi2"][3] == 3
    assert columns["field"] == ["north"] * n
    assert not {"spectrum", "place", "true_n", "pull_n", "worst_pull"} & set(columns)


def test_catalog_without_errors_or_flags(table):
    columns = page_columns(table["mag", "n"], None, ("mag", "n"))
    assert np.isnan(columns["n_lo"]).all()
    assert np.isnan(columns["sigma_n"]).all()
    assert set(columns["flags"]) == {""}
    assert split_normal_samples(table["mag", "n"], ("mag", "n"), 10) == {}
    _, heights = quantile_curves(columns, ("mag", "n"))
    assert_array_equal(heights, 0)


def test_samples_have_the_quantiles_of_the_catalog(table):
    samples = split_normal_samples(table, tuple(PARAMETERS), 20_000)
    for name in ("mag", "r_eff", "n", "x_0"):
        found = np.quantile(samples[name], [0.16, 0.5, 0.84], axis=1)
        width = table[f"{name}_err"].value
        for values, end in zip(found, ("_lo", "", "_hi"), strict=True):
            expected = np.array(table[name + end].value)
            assert_allclose((values - expected) / width, 0, atol=0.06, err_msg=name + end)
    assert (samples["r_eff"] > 0).all()
    assert np.abs(samples["theta"]).max() <= 90


def test_curves_of_quantiles_peak_at_the_median(table):
    columns = page_columns(table, None, SHOWN)
    limits, heights = quantile_curves(columns, SHOWN)
    assert heights.shape == (len(table), 4, 41)
    x = limits[..., :1] + (limits[..., 1:] - limits[..., :1]) * np.linspace(0, 1, 41)
    peak = np.take_along_axis(x, heights.argmax(axis=-1)[..., None], axis=-1)[..., 0]
    medians = np.stack([columns[name] for name in SHOWN], axis=1)
    assert (np.abs(peak - medians) <= np.diff(limits)[..., 0] / 40).all()
    for k, name in enumerate(SHOWN):
        assert limits[:, k].min() >= PARAMETERS[name].lower
        assert limits[:, k].max() <= PARAMETERS[name].upper


def test_curves_of_samples_are_those_of_their_density():
    rng = np.random.default_rng(1)
    samples = {"mag": rng.normal(20, 0.3, (2, 20_000)), "theta": rng.normal(89, 4, (2, 20_000))}
    samples["mag"][1, 0] = np.nan
    columns = {"mag": np.array([20.0, np.nan]), "theta": np.array([89.0, 89.0])}
    samples["theta"] = (samples["theta"] + 90) % 180 - 90
    limits, heights, points = sample_curves(samples, columns, ("mag", "theta"))
    for k, (middle, width) in enumerate([(20, 0.3), (89, 4)]):
        x = np.linspace(*limits[0, k], 41)
        density = norm.pdf(x, middle, width)
        assert_allclose(heights[0, k] / 255, density / density.max(), atol=0.1)
        drawn = limits[0, k, 0] + np.diff(limits[0, k]) * points[0, k] / 255
        assert np.std(drawn) == pytest.approx(width, rel=0.03)
    assert_array_equal(heights[1, 0], 0)


def test_bins_have_equal_numbers_of_galaxies():
    x = np.append(np.random.default_rng(2).normal(size=240), np.nan)
    edges = equal_bins(x)
    assert_array_equal(np.histogram(x[:-1], edges)[0], 20)
    assert_array_equal(binned("median", x, 2 * x, edges)[:1], 2 * np.median(np.sort(x)[:20]))
    assert len(equal_bins(x[:3])) == 0
    assert len(equal_bins(np.ones(100))) == 0
    assert np.isnan(binned("median", x, np.full(241, np.nan), edges)).all()


# --- pictures ---------------------------------------------------------------------------------


def star():
    y, x = np.mgrid[-12:13, -12:13]
    return np.exp(-(x**2 + y**2) / 8) / (8 * np.pi)


def make_scene(*, size=100, r_eff=0.4, noise=0.03, seed=0, psf=True):
    """A galaxy in noise, its cutout and values, by the renderer of the package."""
    values = {"mag": 20.0, "r_eff": r_eff, "n": 1.0, "q": 0.6, "theta": 30.0}
    middle = (size - 1) / 2
    values |= {"x_0": middle + 0.3, "y_0": middle - 0.4}
    e = (1 - 0.6) / (1 + 0.6)
    angle = 2 * np.radians(30)
    labels = [np.log10(100), np.log10(r_eff / 0.1), 1.0, e * np.cos(angle), e * np.sin(angle)]
    transform = psf_transform(torch.from_numpy(star()), size)
    image = sersic_images(
        torch.tensor([[*labels, 0.3, -0.4]], dtype=torch.float64), transform, stamp_size=size
    )[0].numpy()
    data = image + np.random.default_rng(seed).normal(0, noise, image.shape)
    cutout = CCDData(
        data,
        unit="adu",
        uncertainty=StdDevUncertainty(np.full(data.shape, noise)),
        psf=star() if psf else None,
        meta=META,
    )
    return cutout, values


def pictures_of(cutouts, values, **options):
    arguments = {"psf": None, "psf_options": {"oversampling": 1, "normalize": True}}
    arguments |= {"units": {"pixel_scale": None, "zeropoint": None}} | options
    columns = {name: np.array([value[name] for value in values]) for name in values[0]}
    return galaxy_pictures(columns, cutouts, **arguments)


def read(url):
    """The three panels in colors."""
    header, content = url.split(",")
    assert header == "data:image/png;base64"
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"), float)
    return np.split(pixels, 3, axis=1)


@pytest.mark.parametrize(("size", "r_eff", "side"), [(100, 0.4, 64), (40, 0.4, 40), (150, 1.5, 64)])
def test_right_model_leaves_only_noise(size, r_eff, side):
    cutout, values = make_scene(size=size, r_eff=r_eff)
    image, model, residual = read(pictures_of([cutout], [values])[0])
    assert image.shape == (side, side, 3)
    # image and model have one stretch: bright where the galaxy is, in both
    bright = [np.argsort(panel.sum(axis=2), axis=None)[-30:] for panel in (image, model)]
    assert len(np.intersect1d(*bright)) > 15
    # blue and red are as frequent: no residual of the galaxy, also in its middle
    excess = (residual[..., 0] - residual[..., 2]) / 255
    middle = excess[side // 2 - 4 : side // 2 + 4, side // 2 - 4 : side // 2 + 4]
    assert abs(middle.mean()) < 5 * excess.std() / 8
    brighter = values | {"mag": 19.8}
    excess = np.subtract(*read(pictures_of([cutout], [brighter])[0])[2].T[[0, 2]]).T / 255
    assert excess[side // 2 - 2 : side // 2 + 2, side // 2 - 2 : side // 2 + 2].mean() < -0.3


def test_north_is_up_and_bad_pixels_are_gray():
    cutout, values = make_scene(size=64)
    cutout.mask = np.zeros(cutout.shape, bool)
    cutout.mask[60, 5] = True  # near the upper left
    image, model, residual = read(pictures_of([cutout], [values])[0])
    gray = [(panel == 0x99).all(axis=2) for panel in (image, model, residual)]
    for panel in (gray[0], gray[2]):
        assert_array_equal(np.argwhere(panel), [[3, 5]])
    assert not gray[1].any()


def test_galaxies_without_cutout_pixels_or_psf():
    cutout, values = make_scene()
    empty = CCDData(np.full((50, 50), np.nan), unit="adu", meta=META)
    without, _ = make_scene(psf=False)
    lost = dict.fromkeys(values, np.nan)
    urls = pictures_of([None, empty, without, cutout, cutout], [*[values] * 4, lost])
    assert urls[:2] == ["", ""]
    for url in (urls[2], urls[4]):
        image, model, residual = read(url)
        assert (model == 0x99).all()
        assert (residual == 0x99).all()
        assert not (image == 0x99).all()
    given = pictures_of([without], [values], psf=star())[0]
    assert_array_equal(read(given), read(urls[3]))


def test_angle_and_center_that_were_not_measured():
    """They are those of the image's moments."""
    cutout, values = make_scene(noise=0.01)
    fewer = {name: values[name] for name in SHOWN}
    residual = read(pictures_of([cutout], [fewer])[0])[2]
    assert (residual != 0x99).all()
    stack = CCDData(cutout.data[None], unit="adu", psf=star(), meta=META)
    assert len(pictures_of(stack, [fewer])) == 1


def test_cutouts_must_be_as_many_as_rows():
    cutout, values = make_scene()
    with pytest.raises(ValueError, match=r"cutouts \(2\) must be as many as the rows .* \(1\)"):
        pictures_of([cutout] * 2, [values])


# --- the file ---------------------------------------------------------------------------------


def test_page_holds_all_that_it_needs(results, truth, tmp_path):
    path = write_report(results, tmp_path / "page.html", truth=truth, title="5 < 6 & more")
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
    text = path.read_text(encoding="utf-8")
    assert "http" not in re.sub("<script.*?</script>", "", text, flags=re.DOTALL)
    assert "<title>5 &lt; 6 &amp; more</title>" in text


def test_true_values_may_be_in_the_catalog(table, truth, tmp_path):
    joined = join_truth(table, QTable(truth))
    path = write_report(joined, tmp_path / "page.html")
    assert "Calibration" in path.read_text(encoding="utf-8")
    path = write_report(table, tmp_path / "page.html")
    assert "Calibration" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", [["mag"], ["n", "q"], ["x_0", "n_err", "n"], ["theta"]])
def test_any_columns_make_a_page(columns, table, truth, tmp_path):
    for known in (None, truth, {"q": truth["q"]} if "q" in columns else None):
        assert write_report(table[columns], tmp_path / "page.html", truth=known).is_file()


def test_galaxies_without_an_answer(table, truth, tmp_path):
    for name in PARAMETERS:
        for end in ("", "_err", "_lo", "_hi"):
            table[name + end][:] = np.nan
    text = write_report(table, tmp_path / "page.html", truth=truth).read_text(encoding="utf-8")
    assert "60 not measured" in text
    assert write_report(table[:1], tmp_path / "page.html").is_file()


def test_bad_calls(table, truth, tmp_path):
    path = tmp_path / "page.html"
    with pytest.raises(ValueError, match="results have 0 rows"):
        write_report(table[:0], path)
    with pytest.raises(ValueError, match="one or more galaxies with columns out of mag"):
        write_report(QTable({"id": [1]}), path)
    with pytest.raises(ValueError, match="predicted has 3 rows and truth 60"):
        write_report(table[:3], path, truth=truth)
    assert not path.exists()


def test_without_bokeh_the_message_says_what_to_install(monkeypatch):
    for name in [*sys.modules]:
        if name.split(".")[0] == "bokeh" or name.startswith("sersicnet.report."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "bokeh", None)
    report = importlib.import_module("sersicnet.report")
    monkeypatch.delitem(vars(report), "write_report", raising=False)
    with pytest.raises(ImportError, match=r"needs bokeh: pip install 'sersicnet\[report\]'"):
        report.write_report  # noqa: B018


# --- the command ------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A catalog of three galaxies, their truth, and cutouts of two of them."""
    cutout, values = make_scene()
    table = QTable({name: [value] * 3 for name, value in values.items()})
    table["id"] = ["one", "two-0", "absent"]
    table.write(tmp_path / "catalog.ecsv")
    table.write(tmp_path / "catalog.fits")
    (tmp_path / "images").mkdir()
    write_cutout(cutout, tmp_path / "images" / "one.fits")
    write_cutouts([cutout, cutout], tmp_path / "images" / "two.fits")
    return tmp_path


def n_pictures(path):
    return path.read_text(encoding="utf-8").count("data:image/png")


def test_command_finds_cutouts_by_id(folder, capsys):
    output = folder / "page.html"
    arguments = ["report", str(folder / "catalog.fits"), "-o", str(output)]
    assert main([*arguments, "--truth", str(folder / "catalog.ecsv")]) == 0
    without = n_pictures(output)
    assert main([*arguments, "--cutouts", str(folder / "images"), "--title", "mine"]) == 0
    assert n_pictures(output) == without + 2
    assert main([*arguments, "--cutouts", str(folder / "images" / "one.fits")]) == 0
    assert n_pictures(output) == without + 1
    printed = capsys.readouterr().out.splitlines()
    counted = ["", ": cutouts of 2 of 3 galaxies", ": cutouts of 1 of 3 galaxies"]
    assert printed == [f"wrote {output}{count}" for count in counted]


def test_command_takes_a_psf(folder):
    cutout, _ = make_scene(psf=False)
    write_cutout(cutout, folder / "images" / "one.fits", overwrite=True)
    fits.writeto(folder / "psf.fits", star())
    output = folder / "page.html"
    arguments = ["report", str(folder / "catalog.ecsv"), "--cutouts", str(folder / "images")]
    assert main([*arguments, "--psf", str(folder / "psf.fits"), "-o", str(output)]) == 0
    assert n_pictures(output) >= 2


def test_command_says_what_is_wrong(folder, capsys):
    output = ["-o", str(folder / "page.html")]
    broken = folder / "images" / "broken.fits"
    broken.write_bytes(b"not a FITS file")
    arguments = ["report", str(folder / "catalog.ecsv"), "--cutouts", str(folder / "images")]
    assert main([*arguments, *output]) == 1
    assert "broken.fits" in capsys.readouterr().err
    assert (folder / "page.html").exists()
    write_cutout(make_scene()[0], folder / "other.fits")
    arguments = ["report", str(folder / "catalog.ecsv"), "--cutouts", str(folder / "other.fits")]
    assert main([*arguments, *output]) == 1
    error = capsys.readouterr().err
    assert "none of the 1 cutouts has a name that is an id" in error
    assert "['other'] are names, ['one', 'two-0', 'absent'] ids" in error
    assert "a catalog of measure has no cutouts" in error
    table = QTable.read(folder / "catalog.ecsv")
    table.remove_column("id")
    table.write(folder / "plain.ecsv")
    arguments[1] = str(folder / "plain.ecsv")
    assert main([*arguments, *output]) == 1
    assert "--cutouts needs a column id" in capsys.readouterr().err
    assert main(["report", str(folder / "nothing.ecsv"), *output]) == 1


def test_a_folder_that_is_not_there(table, tmp_path):
    path = tmp_path / "no" / "report.html"
    with pytest.raises(FileNotFoundError, match=r"path='.*html': there is no folder '.*no'"):
        write_report(table, path)


# --- in a browser -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    """Chromium, driven by playwright."""
    playwright = pytest.importorskip("playwright.sync_api")
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.skip("no chromium on this machine")
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=root)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page_file(results, truth, tmp_path_factory):
    """A page of sixty galaxies, the first with a picture."""
    table = results.to_table()
    table["flags"] = np.where(np.arange(60) % 3, 0, int(Flags.LOW_SNR))
    table["id"] = [f"galaxy{i}" for i in range(60)]
    cutouts = [make_scene(size=40)[0]] + [None] * 59
    path = tmp_path_factory.mktemp("report") / "page.html"
    return write_report(table, path, truth=truth, cutouts=cutouts), table


@pytest.fixture(scope="module")
def opened(browser, page_file):
    """A window for the page, in which nothing may go wrong."""
    page, troubles = browser.new_page(viewport={"width": 1500, "height": 1100}), []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console",
        lambda message: message.type in ("warning", "error") and troubles.append(message.text),
    )
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    yield page
    page.close()
    assert not troubles
    kinds = {url.split(":")[0] for url in requests}
    assert kinds <= {"file", "data", "blob"}


@pytest.fixture
def page(opened, page_file):
    """The page as it opens, whatever another test did to it."""
    opened.goto(page_file[0].as_uri())
    opened.wait_for_selector(".slick-row")
    opened.wait_for_selector("h3")
    return opened


def ids(page):
    """Of the first rows of the table, from above."""
    rows = page.locator(".grid-canvas-left .slick-row")
    found = rows.evaluate_all(
        "rows => rows.map((row) => [row.getBoundingClientRect().y, row.innerText])"
    )
    return [text for _, text in sorted(found) if text]  # the scores have no frozen column


def filtered(page, conditions):
    """Text about how many are shown."""
    box = page.get_by_placeholder("mag < 23")
    box.fill(conditions)
    box.press("Enter")
    page.wait_for_timeout(200)
    return page.locator("text=galaxies shown").inner_text()


def test_first_galaxy_is_open(page, page_file):
    assert page.locator("h3").inner_text() == "galaxy0"
    assert page.locator("img").evaluate("image => image.naturalWidth") == 120
    panel = page.locator("div:has(> h3)").inner_text()
    shown = float(re.search(r"^mag\s+([\d.]+)", panel, flags=re.MULTILINE)[1])
    row = page_file[1][0]
    # The page rounds to two digits of the error: by 5 % of it at most.
    assert abs(shown - row["mag"].value) < 0.06 * row["mag_err"].value
    assert "LOW_SNR no source is detected" in panel


def test_click_on_a_name_sorts(page, page_file):
    header = page.locator(".slick-header-column").filter(has_text="r_eff")
    order = np.argsort(page_file[1]["r_eff"].value)
    for expected in (order, order[::-1]):
        header.click()
        page.wait_for_timeout(200)
        assert ids(page)[:10] == [f"galaxy{i}" for i in expected[:10]]


def test_click_on_a_row_opens_the_galaxy(page):
    page.locator(".slick-header-column").filter(has_text="mag").click()
    wanted = ids(page)[4]
    page.get_by_text(wanted, exact=True).click()
    page.wait_for_selector(f"h3:text-is('{wanted}')")
    assert page.locator("img").count() == (wanted == "galaxy0")
    assert page.locator("div:has(> h3) tr").count() == 1 + len(PARAMETERS)


def test_conditions_filter_the_table(page, page_file):
    values = page_file[1]["mag"].value
    limit = np.median(values)
    shown = np.flatnonzero((values < limit) & (np.arange(60) % 3 > 0))
    text = filtered(page, f"mag < {limit:.17g}, flags != low_snr")
    assert text == f"{len(shown)} of 60 galaxies shown"
    assert set(ids(page)) <= {f"galaxy{i}" for i in shown}
    assert filtered(page, "id = galaxy59").startswith("1 of 60")
    assert "not understood: size > 3" in filtered(page, "size > 3")
    assert filtered(page, "").startswith("60 of 60")


def test_flags_filter_the_table(page):
    chooser = page.locator("select")
    for option, number in (("LOW_SNR (20)", 20), ("none (40)", 40), ("any", 60)):
        chooser.select_option(label=option)
        page.wait_for_timeout(200)
        assert page.locator("text=galaxies shown").inner_text().startswith(f"{number} of 60")


def test_only_the_selected_are_kept(page):
    page.get_by_text("galaxy7", exact=True).click()
    page.get_by_text("galaxy9", exact=True).click(modifiers=["Control"])
    page.get_by_text("Only the selected").click()
    page.wait_for_timeout(200)
    assert ids(page) == ["galaxy7", "galaxy9"]
    page.get_by_text("Only the selected").click()
    page.wait_for_timeout(200)
    assert len(ids(page)) > 2


def test_every_tab_can_be_seen(page):
    for title in ("Errors", "Calibration", "Distributions"):
        page.get_by_text(title, exact=True).click()
        page.wait_for_timeout(300)
        assert page.locator(".bk-Figure:visible").count() > 4
