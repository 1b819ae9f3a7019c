"""The documentation site: built without a warning, asks no other server, lists every module."""

import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.imports import modules

ROOT = Path(__file__).parent.parent.parent
# What the browser would fetch: not links, which a reader follows.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["'](?:https?:)?//[^"']+"""
    r"""|<link(?![^>]*rel="canonical")[^>]*\shref=["'](?:https?:)?//[^"']+"""
    r"""|url\(["']?(?:https?:)?//[^)]+|@import\s[^;]*//[^;]+""",
    re.IGNORECASE,
)


def test_a_docstring_keeps_its_formulae_sections_and_lists(monkeypatch: Any) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    as_rest = importlib.import_module("conf").as_rest
    given = ["Takes *x | y* and `a*b`:", "    x = 1 * 2", "done.", "", "Args:", "    x: a number"]
    literal = ["", "::", "", "    x = 1 * 2", ""]
    expected = [r"Takes \*x \| y\* and `a*b`:", *literal, "done.", "", "Args:", "    x: a number"]
    assert as_rest(given) == expected
    assert as_rest(["- one", "  and more"]) == ["- one", "  and more"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by CONTRIBUTING's command; a warning is an error."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"`uv run --group docs (sphinx-build [^`]+)`", text)
    folder = tmp_path_factory.mktemp("site")
    words = command.replace("out/site", str(folder)).split()[1:]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder


def pages(site: Path) -> Iterator[tuple[Path, str]]:
    for page in sorted(site.rglob("*.html")):
        if not re.fullmatch(r"reports/\w+/index\.html", page.relative_to(site).as_posix()):
            yield page, page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_whole_site_is_built_without_a_warning(site: Path) -> None:
    for name in ("index.html", "docs/index.html", "docs/paper.html", "search.html"):
        assert (site / name).is_file()
    for module in modules():
        assert (site / f"docs/api/{module}.html").is_file(), module


@pytest.mark.slow
def test_the_site_asks_no_other_server(site: Path) -> None:
    for page, text in pages(site):
        assert not (found := FETCHED.findall(text)), (page, found)
    for style in site.rglob("*.css"):
        assert not FETCHED.findall(style.read_text(encoding="utf-8")), style


@pytest.mark.slow
def test_every_relative_link_leads_to_a_file_of_the_site(site: Path) -> None:
    for page, text in pages(site):
        for target in re.findall(r"""\s(?:href|src)=["']([^"'#?]+)["'#?]""", text):
            if not re.match(r"[a-z]+:", target):
                assert (page.parent / target).exists(), (page, target)


@pytest.mark.slow
def test_reports_are_reached_with_their_pages_and_pictures(site: Path) -> None:
    for report in sorted(ROOT.glob("reports/*/README.md")):
        page = site / report.relative_to(ROOT).with_suffix(".html")
        assert page.is_file()
        if "](index.html)" in report.read_text(encoding="utf-8"):
            assert page.with_name("index.html").read_bytes() == (
                report.with_name("index.html").read_bytes()
            )


@pytest.mark.slow
def test_formulae_are_drawn_in_the_texts_colour(site: Path) -> None:
    text = (site / "docs/paper.html").read_text(encoding="utf-8")
    assert text.count('<svg role="img" aria-label=') > 20
    assert 'fill="currentColor"' in text
    assert "$" not in re.sub(r"<(pre|code).*?</\1>|aria-label=\"[^\"]*\"", "", text, flags=re.S)


BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}


@pytest.fixture(scope="module")
def phone() -> Iterator[Any]:
    """Chromium as narrow as a phone."""
    if BROWSER is None or DRIVER is None:
        pytest.skip("needs a browser: apt-get install -y chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs the selenium package")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    service = webdriver.ChromeService(executable_path=DRIVER)
    browser = webdriver.Chrome(options=options, service=service)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    yield browser
    browser.quit()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("page", ["docs/index", "docs/paper", "docs/scaling", "README"])
def test_a_page_fits_a_phone(site: Path, phone: Any, page: str) -> None:
    phone.get((site / f"{page}.html").as_uri())
    root = "document.documentElement"
    assert phone.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")


@pytest.mark.slow
@pytest.mark.browser
def test_what_the_keyboard_reaches_is_on_the_screen(site: Path, phone: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    phone.get((site / "docs/hydra.html").as_uri())
    for _ in range(12):
        ActionChains(phone).send_keys(Keys.TAB).pause(0.4).perform()
        left, width = phone.execute_script(
            "const r = document.activeElement.getBoundingClientRect(); return [r.left, r.width]"
        )
        assert left + width > 0


@pytest.mark.slow
@pytest.mark.browser
def test_the_search_works_from_the_disk(site: Path, phone: Any) -> None:
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    phone.get((site / "search.html").as_uri() + "?q=trajectory")
    found = (By.CSS_SELECTOR, "#search-results li a")
    WebDriverWait(phone, 20).until(lambda browser: len(browser.find_elements(*found)) > 3)
