"""What the page does in a browser."""

import os
import re
import shutil

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from helpers.pages import make_scene

pytest.importorskip("bokeh")

from sersicnet.flags import Flags, flag_table
from sersicnet.parameters import PARAMETERS
from sersicnet.report import write
from sersicnet.report.png import png_url
from sersicnet.report.write import write_report


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
    del table.meta["PSFFWHM"]  # that of the picture is another
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


def settle(page):
    """Wait until a page has drawn what has changed: two frames, and what they have started."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.evaluate("new Promise((done) => setTimeout(done))")


def filtered(page, conditions):
    """Text about how many are shown."""
    box = page.get_by_placeholder("mag < 23")
    box.fill(conditions)
    box.press("Enter")
    settle(page)
    return page.locator("text=galaxies shown").inner_text()


def test_first_galaxy_is_open(page, page_file):
    assert page.locator("h3").inner_text() == "galaxy0"
    assert page.locator("img").evaluate("image => image.naturalWidth") == 120
    panel = page.locator("div:has(> h3)").inner_text()
    shown = float(re.search(r"^mag\s+([\d.]+)", panel, flags=re.MULTILINE)[1])
    row = page_file[1][0]
    # The page rounds to two digits of the error: by 5 % of it at most.
    assert abs(shown - row["mag"].value) < 0.06 * row["mag_err"].value
    meanings = {row["name"]: row["meaning"] for row in flag_table()}
    assert f"LOW_SNR {meanings['LOW_SNR']}" in panel


def test_click_on_a_name_sorts(page, page_file):
    header = page.locator(".slick-header-column").filter(has_text="r_eff")
    order = np.argsort(page_file[1]["r_eff"].value)
    for expected in (order, order[::-1]):
        header.click()
        settle(page)
        assert ids(page)[:10] == [f"galaxy{i}" for i in expected[:10]]


def test_rows_without_a_value_are_last_in_both_directions(browser, results, tmp_path):
    table = results.to_table()[:10]
    table["id"] = [f"galaxy{i}" for i in range(10)]
    table["mag"][[2, 5]] = np.nan
    path = write_report(table, tmp_path / "page.html")
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("h3")
    order = [i for i in np.argsort(table["mag"].value) if i not in (2, 5)]
    for expected in (order, order[::-1]):
        page.locator(".slick-header-column").filter(has_text="mag").click()
        settle(page)
        found = ids(page)
        assert found[:8] == [f"galaxy{i}" for i in expected]
        assert set(found[8:]) == {"galaxy2", "galaxy5"}
    filtered(page, "n > 0")
    assert set(ids(page)[-2:]) == {"galaxy2", "galaxy5"}
    page.close()


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


def test_conditions_are_combined(page, page_file):
    """With words in any case, ranges, and names of flags."""
    mag = page_file[1]["mag"].value
    n = page_file[1]["n"].value
    low, high = np.quantile(mag, [0.2, 0.7])
    flagged = np.arange(60) % 3 == 0
    inside = (low < mag) & (mag <= high)
    cases = {
        f"{low:.17g} < MAG <= {high:.17g}": inside,
        f"mag > {low:.17g} AND mag <= {high:.17g}": inside,
        f"mag <= {low:.17g} or n > {np.median(n):.17g}": (mag <= low) | (n > np.median(n)),
        "low_snr": flagged,
        "not LOW_SNR": ~flagged,
        f"low_snr and mag > {low:.17g} OR id = galaxy1": (flagged & (mag > low))
        | np.array(["galaxy1" in name for name in page_file[1]["id"]]),
    }
    for conditions, shown in cases.items():
        assert filtered(page, conditions).startswith(f"{shown.sum()} of 60"), conditions
    for wrong in ("mag <", "constructor = 1", "1 < id < 2", "NO_FLAG"):
        assert f"not understood: {wrong}" in filtered(page, wrong)
    filtered(page, "")


def test_flags_filter_the_table(page):
    chooser = page.locator("select")
    for option, number in (("LOW_SNR (20)", 20), ("none (40)", 40), ("any", 60)):
        chooser.select_option(label=option)
        settle(page)
        assert page.locator("text=galaxies shown").inner_text().startswith(f"{number} of 60")


def test_only_the_selected_are_kept(page):
    page.get_by_text("galaxy7", exact=True).click()
    page.get_by_text("galaxy9", exact=True).click(modifiers=["Control"])
    page.get_by_text("Only the selected").click()
    settle(page)
    assert ids(page) == ["galaxy7", "galaxy9"]
    page.get_by_text("Only the selected").click()
    settle(page)
    assert len(ids(page)) > 2


def test_every_tab_can_be_seen(page):
    for title in ("Errors", "Calibration", "Distributions"):
        page.get_by_text(title, exact=True).click()
        page.locator(".bk-Figure:visible").nth(4 + 3).wait_for()  # after four of the panel


# Counts elements, also those within other ones; the figures in the first frame with a row of the
# table; and the images that scripts make.
COUNT = """
window.images = 0
window.Image = class extends Image { constructor() { super(); images++ } }
window.count = (selector, root = document) => {
  let number = root.querySelectorAll(selector).length
  for (const each of root.querySelectorAll("*")) {
    if (each.shadowRoot) number += count(selector, each.shadowRoot)
  }
  return number
}
const look = () => {
  if (count(".slick-row") == 0) requestAnimationFrame(look)
  else window.at_first = count(".bk-Figure")
}
requestAnimationFrame(look)
"""


def make_catalog(n):
    """A catalog of a survey image."""
    rng = np.random.default_rng(n)
    columns = {"mag": rng.uniform(20, 24, n) * u.ABmag, "mag_err": np.full(n, 0.1) * u.mag}
    columns |= {"r_eff": rng.uniform(0.2, 2, n) * u.arcsec, "r_eff_err": np.full(n, 0.1) * u.arcsec}
    columns |= {"n": rng.uniform(0.5, 4, n), "q": rng.uniform(0.2, 1, n)}
    columns |= {name: rng.uniform(0, 100, n) * u.pix for name in ("x_0", "y_0", "x_centroid")}
    columns |= {name: rng.uniform(1, 2, n) * u.deg for name in ("ra", "dec")}
    return QTable(columns | {"flags": rng.integers(0, 4, n)}, meta={"PIXSCALE": 0.1})


def test_a_large_page_is_opened_with_the_work_of_a_small_one(browser, tmp_path, monkeypatch):
    """The table comes first, and only what is seen is drawn: figures, rows and one picture."""
    elements = []
    for n in (50, 5000):
        pictures = [png_url(np.zeros((4, 12), np.uint8))] * n
        monkeypatch.setattr(write, "galaxy_pictures", lambda *_, made=pictures, **__: made)
        image = {"image": np.ones((9, 9)), "image_shape": (100, 100)}
        path = write_report(make_catalog(n), tmp_path / f"{n}.html", cutouts=[], **image)
        page = browser.new_page(viewport={"width": 1500, "height": 1100})
        page.add_init_script(COUNT)
        page.goto(path.as_uri())
        # those of the posteriors, and of a tab
        page.wait_for_function("count('.bk-Figure') == 4 + 4 + 4", polling=200)
        assert page.evaluate("at_first") == 0
        assert page.evaluate("[count('img'), images]") == [1, 0]
        elements.append(page.evaluate("count('*')"))
        page.get_by_text("Field", exact=True).click()
        page.wait_for_function("count('.bk-Figure') == 4 + 1 + 4 + 4", polling=200)
        assert page.evaluate("[count('img'), images]") == [1, 1]
        page.close()
    assert elements[1] < 1.02 * elements[0] < 6000


@pytest.fixture
def field_page(browser, tmp_path):
    """The page of a survey image: three galaxies, of which the first was not measured."""
    flags = [int(Flags.NO_DATA), 0, int(Flags.BLENDED)]
    table = QTable(
        {
            "id": ["lost", "<b>second</b>", "third"],
            "mag": [np.nan, 20.0, 21.0] * u.ABmag,
            "mag_err": [np.nan, 0.1, 0.2] * u.mag,
            "r_eff": [np.nan, 1.0, 0.5] * u.arcsec,
            "x_0": [np.nan, 30.0, 80.0] * u.pix,
            "y_0": [np.nan, 40.0, 10.0] * u.pix,
            "x_centroid": [5.0, 30.0, 80.0] * u.pix,
            "ra": [np.nan, 150.1, 150.2] * u.deg,
            "dec": [np.nan, 2.1, 2.2] * u.deg,
            "flags": flags,
            "constructor": ["a", "b", "c"],
            "pull_mag": ["d", "e", "f"],
            "<i>x</i>": [1.0, 2.0, 3.0],
        },
        meta={"PIXSCALE": 0.1},
    )
    path = write_report(
        table,
        tmp_path / "field.html",
        title="<script>alert(1)</script>",
        image=np.ones((50, 50)),
        image_shape=(100, 100),
    )
    page = browser.new_page(viewport={"width": 1500, "height": 1100})
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.goto(path.as_uri())
    page.wait_for_selector("h3")
    yield page
    page.close()
    assert not troubles


def test_the_page_of_a_survey_image(field_page):
    """Maps of the field and of the sky; what was not measured comes last; names are only text."""
    for title in ("Field", "Sky"):
        field_page.get_by_text(title, exact=True).click()
        field_page.locator(".bk-Figure:visible").nth(4).wait_for()  # after four of the panel
    assert ids(field_page) == ["<b>second</b>", "third", "lost"]
    panel = field_page.locator("div:has(> h3)").inner_text()
    assert "column constructor = b" in panel
    assert "column pull_mag = e" in panel
    assert "<i>x</i> = 2" in panel
    assert filtered(field_page, "blended").startswith("1 of 3")


# Texts that would run, if a page took them for more than text.
HOSTILE = (
    "</script><script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    '"><svg onload="window.ran = 1">',
    "';window.ran=1;//",
    "${window.ran = 1}{{window.ran = 1}}<%= window.ran = 1 %>",
    "<!--<script>\u2028]]>&lt;b&gt;\\u003cscript\\u003e",
    "javascript:window.ran=1",
    "__proto__",
)


@pytest.fixture
def hostile_page(browser, tmp_path):
    """A page whose ids, columns, values, header cards, options and title are hostile."""
    n = len(HOSTILE)
    columns = {"id": HOSTILE, "mag": np.linspace(20, 21, n) * u.ABmag, "flags": [1] * n}
    columns |= {"mag_err": [0.1] * n * u.mag, "ra": [150.1] * n * u.deg, "dec": [2.1] * n * u.deg}
    columns |= {"r_eff": [0.5] * n * u.arcsec, "name": HOSTILE}
    columns |= dict.fromkeys(("x_0", "y_0", "x_centroid"), np.arange(n) * u.pix)
    columns |= {f"{text} {number}": HOSTILE for number, text in enumerate(HOSTILE)}
    meta = {"PIXSCALE": 0.1, "OBJECT": HOSTILE[1], "comments": list(HOSTILE)}
    meta |= dict.fromkeys(("WEIGHTS", "REFINE", "VERSION", "THRESH", "TELESCOP"), HOSTILE[0])
    table = QTable(columns, meta=meta)
    cutouts = [make_scene(size=40)[0] for _ in range(n)]
    for cutout in cutouts:
        cutout.meta |= {"OBJECT": HOSTILE[0], "FILTER": HOSTILE[1]}
    path = tmp_path / "page.html"
    options = {"image": np.ones((50, 50)), "image_shape": (100, 100)}
    write_report(table, path, cutouts=cutouts, title=" ".join(HOSTILE), **options)
    page = browser.new_page(viewport={"width": 1500, "height": 1100})
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(dialog.message))
    page.on("request", lambda request: troubles.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("h3")
    yield page
    page.close()
    kinds = {trouble.split(":")[0] for trouble in troubles}
    assert kinds <= {"file", "data", "blob"}, troubles


def test_hostile_texts_are_only_text(hostile_page):
    """In the title, the table, the panel, tooltips, and what is typed into the filter."""
    page = hostile_page
    assert HOSTILE[0] in page.title()
    assert set(ids(page)) == set(HOSTILE)
    for text in HOSTILE[:3]:
        page.get_by_text(text, exact=True).first.click()
        settle(page)
        assert page.locator("h3").inner_text() == text
        assert text in page.locator("div:has(> h3)").inner_text()
    for text in HOSTILE:
        for conditions in (text, f"id = {text}", f"{text} < 3", f"mag < {text}"):
            filtered(page, conditions)
    filtered(page, "")
    for title in ("Field", "Sky", "Errors", "Distributions"):
        page.get_by_text(title, exact=True).click()
        page.locator(".bk-Figure:visible").nth(4).wait_for()  # after four of the panel
        for x in range(100, 1400, 100):  # over points, which show tooltips
            page.mouse.move(x, 800)
    assert page.evaluate("window.ran") is None
    assert page.locator("[onerror], [onload]").count() == 0
