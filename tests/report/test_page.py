"""index.html in a real headless browser: no errors, no network, and it does what it offers."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ddim.records.results import Results, load
from ddim.report import metrics_json

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        BROWSER is None or DRIVER is None,
        reason="needs a browser: apt-get install -y chromium chromium-driver",
    ),
]
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def folder(built: Results) -> Path:
    return built.folder


@pytest.fixture(scope="module")
def driver(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    selenium = pytest.importorskip("selenium.webdriver", reason="needs the selenium package")
    options = selenium.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = selenium.Chrome(options=options, service=selenium.ChromeService(DRIVER))
    yield browser
    browser.quit()


@pytest.fixture
def page(driver: Any, folder: Path) -> Any:
    """The page, freshly loaded at desktop width in the light scheme, its curves on it."""
    resize(driver, 1280)
    scheme(driver, "light")
    driver.get((folder / "index.html").as_uri())
    wait(driver, "return document.documentElement.dataset.curves === 'light'")
    return driver


def resize(driver: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def scheme(driver: Any, name: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": name}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def wait(driver: Any, script: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(driver, 30).until(lambda d: d.execute_script(script))


def column(driver: Any, index: int) -> list[float]:
    script = """return [...document.querySelectorAll('[data-table=table1_fid] tbody tr')]
        .map(row => Number(row.cells[arguments[0]].dataset.value))"""
    return driver.execute_script(script, index)


def test_it_loads_without_errors_and_without_network(page):
    log = page.get_log("browser")
    assert [entry for entry in log if entry["level"] in ("SEVERE", "WARNING")] == []
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert asked  # the page itself: the log is alive
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "chrome"}
    pages = {url for url in asked if url.startswith("file:")}
    assert all(url.endswith("/index.html") for url in pages)


def test_it_shows_the_numbers_of_the_records(page, folder):
    metrics = metrics_json.everything(load(folder))
    for index, steps in enumerate((10, 20, 50, 100, 1000), 1):
        rows = [f"eta{eta}" for eta in ("0.0", "0.2", "0.5", "1.0", "hat")]
        expected = [metrics[f"S{steps}"][row]["fid"] for row in rows]
        assert column(page, index) == expected
    embedded = page.execute_script("return JSON.parse(document.getElementById('metrics').text)")
    assert embedded == metrics


def test_tables_sort_by_click_and_by_keyboard(page):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    original = column(page, 1)
    button = page.find_element(By.CSS_SELECTOR, "[data-table=table1_fid] thead th button")
    page.execute_script("arguments[0].click()", button)
    assert column(page, 1) == sorted(original)
    button.send_keys(Keys.ENTER)
    assert column(page, 1) == sorted(original, reverse=True)
    head = button.find_element(By.XPATH, "..")
    assert head.get_attribute("aria-sort") == "descending"
    button.send_keys(Keys.SPACE)
    assert column(page, 1) == original


def test_columns_of_text_offer_no_sorting_and_a_table_is_one_tab_stop(page):
    script = """
      const isText = (table, i) =>
        [...table.tBodies[0].rows].some(row => row.cells[i].dataset.value === undefined);
      return [...document.querySelectorAll('.table:not(.panel) table')].map(table => [
        [...table.tHead.rows[0].cells].flatMap((head, i) =>
          head.querySelector('button') && isText(table, i) ? [i] : []),
        table.tHead.querySelectorAll("button[tabindex='0']").length,
        table.tHead.querySelectorAll('button').length])"""
    found = page.execute_script(script)
    assert all(text_columns == [] for text_columns, _, _ in found)
    assert all(stops == min(buttons, 1) for _, stops, buttons in found)
    assert sum(buttons for *_, buttons in found) > 20


def test_arrow_keys_move_over_the_heads_of_a_table(page):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    page.find_element(By.CSS_SELECTOR, "[data-table=table1_fid] thead button").send_keys(
        Keys.ARROW_RIGHT
    )
    assert page.switch_to.active_element.text == "S = 20"


def test_every_claim_and_section_is_one_link_away(page):
    script = """const claims = [...document.querySelectorAll('.panel tbody th')];
      const links = [...document.querySelectorAll('.panel tbody th a, nav a')];
      const found = links.map(link => document.getElementById(link.hash.slice(1)) !== null);
      return [claims.length, found, document.querySelectorAll('nav.sections a').length]"""
    claims, found, sections = page.execute_script(script)
    assert all(found)
    assert sections > 5
    assert len(found) > claims + sections


def test_figures_of_lines_are_turned_for_dark_ground(page):
    style = """const chart = document.createElement('img'); chart.className = 'chart';
      document.body.append(chart); const found = getComputedStyle(chart).filter;
      chart.remove(); return found"""
    scheme(page, "dark")
    assert page.execute_script(style) == "invert(1) hue-rotate(180deg)"
    scheme(page, "light")
    assert page.execute_script(style) == "none"


def test_the_panel_needs_no_sideways_scrolling_on_a_phone(page):
    resize(page, 360)
    script = """const box = document.querySelector('.panel .scroll');
      return [box.scrollWidth - box.clientWidth, box.tabIndex]"""
    assert page.execute_script(script) == [0, -1]


def test_the_panel_shows_every_verdict_on_top(page, folder):
    script = """return [...document.querySelectorAll('.lead .panel tbody strong')]
        .map(word => word.textContent)"""
    words = page.execute_script(script)
    rows = (folder / "tables" / "verdicts.csv").read_text().splitlines()[1:]
    assert words == [row.rsplit(",", 1)[1] for row in rows]


def test_the_best_of_each_column_is_marked(page):
    script = """return [...document.querySelectorAll('[data-table=table1_fid] td.best')]
        .map(cell => cell.cellIndex)"""
    assert page.execute_script(script) == [1, 2, 3, 4, 5]


def test_arrow_keys_move_over_the_numbers_and_show_the_protocol(page):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    first = page.find_element(By.CSS_SELECTOR, "[data-table=table1_fid] td[tabindex='0']")
    first.send_keys(Keys.ARROW_RIGHT)
    page.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    tip = page.find_element(By.ID, "tip")
    assert tip.is_displayed()
    assert "S = 20, η = 0.2" in tip.text
    assert "n = 360 against 1,437" in tip.text
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not tip.is_displayed()


def test_the_sliders_choose_the_grid(page, folder):
    import base64

    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    image = page.find_element(By.CSS_SELECTOR, ".browser img")
    assert image.get_attribute("data-cell") == "10 0.0"
    page.find_element(By.CSS_SELECTOR, ".browser [name=steps]").send_keys(Keys.ARROW_RIGHT)
    page.find_element(By.CSS_SELECTOR, ".browser [name=eta]").send_keys(Keys.END)
    assert image.get_attribute("data-cell") == "20 hat"
    assert image.get_attribute("alt") == "Generated images, S = 20, σ̂"
    source = base64.b64decode(image.get_attribute("src").split(",")[1])
    assert source == (folder / "cells" / "S20_etahat_seed0.png").read_bytes()


def test_the_legend_hides_a_curve(page):
    from selenium.webdriver.common.action_chains import ActionChains

    visible = """return Bokeh.documents.map(d => d.get_model_by_name(arguments[0] + '/line'))
        .filter(Boolean)[0].visible"""
    item = """const find = (root, label) => {
        for (const e of root.querySelectorAll('*')) {
          if (e.className === 'bk-item' && e.textContent.trim() === label) return e;
          const inner = e.shadowRoot && find(e.shadowRoot, label);
          if (inner) return inner;
        } };
      return find(document.querySelector('[data-plot=fid] .canvas'), arguments[0]);"""
    for key, label in (("hat", "σ̂"), ("floor", "floor, n = 360")):
        assert page.execute_script(visible, key) is True
        entry = page.execute_script(item, label)
        page.execute_script(
            "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", entry
        )
        ActionChains(page).move_to_element(entry).click().perform()
        assert page.execute_script(visible, key) is False
    assert page.execute_script(visible, "0.0") is True


def test_curves_follow_the_colour_scheme(page):
    scheme(page, "dark")
    wait(page, "return document.documentElement.dataset.curves === 'dark'")
    ink = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert ink == "rgb(22, 24, 27)"
    count = page.execute_script("return document.querySelectorAll('.canvas > *').length")
    assert count == 5  # fid, the paper's, error, loss, time: each once
    colours = """return Bokeh.documents.flatMap(d => [...d._all_models.values()])
        .filter(m => m.type === 'Line').map(m => m.line_color.value ?? m.line_color)"""
    assert "#f2efe9" in page.execute_script(colours)  # the first curve, light on dark ground


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_width_scrolls_sideways(page, width):
    resize(page, width)
    script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.execute_script(script) <= 0


def test_every_picture_has_a_text(page):
    script = "return [...document.images].filter(i => !i.alt.trim() || !i.complete).length"
    assert page.execute_script(script) == 0


@pytest.mark.parametrize("name", ["light", "dark"])
def test_text_has_contrast(page, name):
    """WCAG AA: 4.5 to 1 for every text colour on its own ground."""
    scheme(page, name)
    script = """
    const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => v / 255)
      .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
      return .2126 * r + .7152 * g + .0722 * b; };
    const ground = e => { for (; e; e = e.parentElement) {
      const c = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$|transparent/.test(c)) return c; } };
    const low = new Set();
    const text = 'h1,h2,h3,p,li,td,th,small,a,summary,label,.number';
    for (const e of document.querySelectorAll(text)) {
      const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
      if ((a + .05) / (b + .05) < 4.5) low.add(e.outerHTML.slice(0, 80));
    }
    return [...low];"""
    assert page.execute_script(script) == []


def test_it_is_small_and_prints(page, folder):
    assert (folder / "index.html").stat().st_size < 4_000_000
    printed = page.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 10_000
