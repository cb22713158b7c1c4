"""The report in a real browser: no console message, sorting, filtering, hiding, no sideways scrolling on a phone.

Needs Chromium with its driver and the package selenium; where one is missing the tests are skipped. The accessibility
check needs axe.min.js of axe-core: the package axe-core-python has one, or AXE_SCRIPT names the file.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.cli import run
from benchmark.report import sweep as report

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
BROWSER, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (BROWSER and DRIVER), reason="there is no chromium with its chromedriver")

_PACKAGE = importlib.util.find_spec("axe_core_python")
AXE = Path(os.environ.get("AXE_SCRIPT") or Path((_PACKAGE and _PACKAGE.origin) or "nowhere").parent / "axe.min.js")

PHONE = 390
"""Its width in pixels."""

HOSTILE = '<img src=x onerror="console.error(1)">'


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Any, sweep_of: Any, hostile_files: tuple[str, ...]) -> Any:
    """The browser with the report of three candidates on classes and files with hostile names."""
    sweep = sweep_of(("ant", HOSTILE, "'quoted' & \"twice\"", "חתול\u202egpj", "🐈", "n" * 300), 480, hostile_files)
    sweep.add(0.2)
    sweep.add(0.9, weighting={"name": "balanced", "rule": "balanced"})
    sweep.add(0.7, backbone={"name": "lenet"})
    report.write(sweep.directory, "full")
    browser.set_window_size(1280, 1000)
    browser.get((sweep.directory / "report.html").as_uri())
    return browser


def column(page: Any, place: int) -> list[str]:
    """The texts of the visible rows in one column of the board."""
    return page.execute_script(
        "return [...document.querySelectorAll('#board-table tbody tr')].filter(row => !row.hidden)"
        f".map(row => row.cells[{place}].textContent)"
    )


def place_of(page: Any, title: str) -> int:
    heads = page.execute_script(
        "return [...document.querySelectorAll('#board-table thead th')].map(head => head.textContent.trim())"
    )
    return heads.index(title)


def test_the_console_stays_silent(page: Any) -> None:
    assert page.get_log("browser") == []


def test_a_click_sorts_and_a_second_one_turns_the_order(page: Any) -> None:
    place = place_of(page, "balanced accuracy")
    button = page.find_elements("css selector", "#board-table thead th")[place].find_element("tag name", "button")
    button.click()
    scores = [float(text.split()[0]) for text in column(page, place)]
    assert scores == sorted(scores, reverse=True)
    button.click()
    scores = [float(text.split()[0]) for text in column(page, place)]
    assert scores == sorted(scores)
    assert page.find_elements("css selector", "th[aria-sort]")[0].text.startswith("balanced accuracy")
    assert page.find_element("id", "said").get_attribute("textContent") == "sorted by balanced accuracy, ascending"


def test_sorting_works_from_the_keyboard(page: Any) -> None:
    button = page.find_element("css selector", "#board-table thead th button")
    button.send_keys(webdriver.Keys.ENTER)
    names = column(page, 0)
    assert names == sorted(names)


def test_words_and_a_box_filter_the_rows(page: Any) -> None:
    field = page.find_element("id", "filter")
    field.send_keys("LENET")
    assert column(page, 0) == ["lenet"]
    assert page.find_element("id", "count").text == "1 of 3 rows"
    field.clear()
    field.send_keys("nothing like it")
    assert column(page, 0) == []


def test_columns_can_be_hidden_and_shown(page: Any) -> None:
    place = place_of(page, "parameters")
    cell = page.find_elements("css selector", "#board-table tbody tr")[0].find_elements("css selector", "th, td")[place]
    assert not cell.is_displayed()
    page.execute_script(f"document.querySelector('input[data-column=\"{place}\"]').click()")
    assert cell.is_displayed()


def test_a_curve_can_be_taken_out_and_brought_back(page: Any) -> None:
    button = page.find_element("css selector", "button[data-series]")
    curves = page.find_elements("css selector", f"#curves g[data-series='{button.get_attribute('data-series')}']")
    assert len(curves) == 2
    page.execute_script("arguments[0].click()", button)
    assert [curve.get_attribute("hidden") for curve in curves] == ["true", "true"]
    page.execute_script("arguments[0].click()", button)
    assert [curve.get_attribute("hidden") for curve in curves] == [None, None]


@pytest.fixture
def phone(page: Any) -> Iterator[Any]:
    """The browser with the screen of a phone."""
    metrics = {"width": PHONE, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    yield page
    page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_phone_does_not_scroll_sideways(phone: Any, tmp_path: Path) -> None:
    """A browser that emulates a phone widens its window with the page: only the phone's own width tells."""
    changes = tmp_path / "changes.html"
    assert run(["diff", str(tmp_path / "drawn"), str(tmp_path / "drawn"), "--html", str(changes)]) == 0
    pages = (phone.current_url, phone.find_elements("css selector", "td.runs a")[-1].get_attribute("href"))
    for address in (*pages, changes.as_uri()):
        phone.get(address)
        assert phone.execute_script("return document.documentElement.scrollWidth") == PHONE, address


def test_on_a_phone_the_numbers_stand_under_their_bars(phone: Any) -> None:
    cells = phone.find_elements("css selector", "#intervals td.drawn")
    assert len(cells) == 6
    assert all(re.match(r"[.\d]+ \[[.\d]+, [.\d]+\]$|\d(-\d)?$", cell.text) for cell in cells)
    cells += phone.find_elements("css selector", "#effects td.drawn")
    assert len(cells) > 6
    for cell in cells:
        bar, number = cell.find_element("css selector", ".track").rect, cell.rect
        assert bar["height"] <= number["height"] / 2
        assert bar["width"] > 40


def test_the_link_of_a_run_opens_its_page(page: Any) -> None:
    """Also pictures that lie beside the page are shown."""
    link = page.find_elements("css selector", "td.runs a")[-1].get_attribute("href")
    page.get(link)
    assert "test pictures are wrong" in page.find_element("tag name", "body").text
    widths = page.execute_async_script(
        "const done = arguments[0], all = [...document.images]; all.forEach(image => image.loading = 'eager');"
        "Promise.all(all.map(image => image.decode())).then(() => done(all.map(image => image.naturalWidth)), done)"
    )
    assert set(widths) == {60}
    assert len(page.find_elements("css selector", "img[src^='../']")) > 10
    assert page.get_log("browser") == []


@pytest.mark.skipif(not AXE.is_file(), reason="there is no axe.min.js: install axe-core-python or set AXE_SCRIPT")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious(page: Any, scheme: str, width: int) -> None:
    """On the report and on the page of a run; everything folded is opened first."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page.set_window_size(width, 900)
    addresses = (page.current_url, page.find_elements("css selector", "td.runs a")[-1].get_attribute("href"))
    for address in addresses:
        page.get(address)
        page.execute_script("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.execute_script(AXE.read_text("utf-8"))
        found = page.execute_async_script("axe.run().then(arguments[0])")
        serious = [
            (one["id"], node["html"][:120], node["failureSummary"][:200])
            for one in found["violations"]
            for node in one["nodes"][:3]
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == []
        assert len(found["passes"]) > 10
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
