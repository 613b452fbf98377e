"""The page in a real headless Chromium: it sorts, filters, opens samples, and asks the network for nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tests.made_up_study as made_up
from harness.report import leaderboard

pytestmark = pytest.mark.slow
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--window-size=1280,900")  # fmt: skip


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = made_up.study(tmp_path_factory.mktemp("study"), num_problems=20, recipes=("base", "random", "s1k"))
    out = tmp_path_factory.mktemp("out")
    leaderboard.write([study], out)
    return out / "leaderboard.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium, driver_file = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver_file:
        pytest.skip("Chromium is not installed, so the page is not tested: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_file))
    driver.set_script_timeout(30)
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Any, page_file: Any) -> Any:
    browser.get_log("performance"), browser.get_log("browser")
    browser.get(page_file.as_uri())
    wait(browser, "document.querySelector('#sample article') !== null")
    return browser


def wait(browser: Any, condition: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(browser, 30).until(lambda b: b.execute_script(f"return {condition}"))


def column(page: Any, table: str, index: int) -> Any:
    return page.execute_script(
        "const rows = [...document.getElementById(arguments[0]).tBodies[0].rows];"
        "return rows.map(row => row.cells[arguments[1]].dataset.sort)",
        table,
        index,
    )


def choose(page: Any, select: str, label: str) -> None:
    page.execute_script(
        "const s = document.getElementById(arguments[0]);"
        "s.value = [...s.options].find(o => o.text.includes(arguments[1])).value; s.dispatchEvent(new Event('change'))",
        select,
        label,
    )


def test_opening_it_logs_no_error_and_asks_only_for_itself(page: Any) -> None:
    assert [entry for entry in page.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    outside = [url for url in asked if not url.startswith(("file://", "data:", "chrome://"))]
    assert outside == [] and sum(url.startswith("file://") for url in asked) == 1


def test_bars_and_figures_have_their_styles_and_no_element_may_bring_one(page: Any) -> None:
    left = "parseFloat(getComputedStyle(document.querySelector('#board_made_up .bar b')).left)"
    accuracy = float(column(page, "board_made_up", 1)[0])
    width = "document.querySelector('#board_made_up .bar').clientWidth"
    assert page.execute_script(f"return 100 * {left} / {width}") == pytest.approx(accuracy, abs=1)
    colour = page.execute_script(
        "const point = document.querySelector('#scaling_made_up svg [data-series=s1k].tip use');"
        "return [getComputedStyle(point).fill, getComputedStyle(point).stroke]"
    )
    assert colour == ["rgb(228, 87, 46)"] * 2
    tried = "const one = document.querySelector('h1'); one.setAttribute('style', 'color: rgb(1, 2, 3)');"
    assert page.execute_script(f"{tried} return getComputedStyle(one).color") != "rgb(1, 2, 3)"
    page.get_log("browser")  # its refusal


def test_a_head_sorts_its_table_and_turns_it_on_the_second_click(page: Any) -> None:
    head = page.find_element("css selector", "#board_made_up thead th:nth-child(2)")
    head.click()
    down = [float(x) for x in column(page, "board_made_up", 1)]
    head.click()
    up = [float(x) for x in column(page, "board_made_up", 1)]
    assert down == sorted(down, reverse=True) and up == sorted(up)
    assert head.get_attribute("aria-sort") == "ascending"


def test_the_keyboard_sorts_too(page: Any) -> None:
    head = page.find_element("css selector", "#board_made_up thead th")
    head.send_keys("\ue007")  # Enter
    assert column(page, "board_made_up", 0) == sorted(column(page, "board_made_up", 0))


def test_a_chip_hides_its_series_in_the_figure(page: Any) -> None:
    chip = page.find_element("css selector", "#scaling_made_up .chips button[data-series=s1k]")
    parts = "[...document.querySelectorAll('#scaling_made_up svg [data-series=s1k]')]"
    assert page.execute_script(f"return {parts}.length") > 5
    page.execute_script("arguments[0].click()", chip)
    assert page.execute_script(f"return {parts}.every(p => getComputedStyle(p).display === 'none')")
    others = "[...document.querySelectorAll('#scaling_made_up svg [data-series=base]')]"
    assert page.execute_script(f"return {others}.every(p => getComputedStyle(p).display !== 'none')")
    page.execute_script("arguments[0].click()", chip)
    assert page.execute_script(f"return {parts}.every(p => getComputedStyle(p).display !== 'none')")


def test_points_explain_themselves(page: Any) -> None:
    title = page.execute_script("return document.querySelector('#scaling_made_up .tip title').textContent")
    assert "tokens" in title and "%" in title and "[" in title


def test_filters_narrow_the_list_of_samples(page: Any) -> None:
    everything = page.execute_script("return JSON.parse(document.getElementById('index').textContent).run.length")
    assert page.find_element("id", "shown").text == f"{everything} of {everything}"
    choose(page, "by-task", "quick_hard")
    choose(page, "by-run", "s1k · auto+2 Wait")
    assert page.find_element("id", "shown").text == f"20 of {everything}"
    choose(page, "by-status", "correct")
    shown = int(page.find_element("id", "shown").text.split()[0])
    assert 0 < shown < 20
    field = page.find_element("id", "by-text")
    field.send_keys("no such problem")
    assert page.find_element("id", "shown").text.startswith("0 of")


def test_a_sample_opens_with_its_forced_tokens_marked(page: Any) -> None:
    choose(page, "by-run", "s1k · auto+2 Wait")
    page.find_element("css selector", "#list .row").click()
    wait(page, "document.querySelectorAll('#sample pre.long mark').length === 2")
    marks = [m.text for m in page.find_elements("css selector", "#sample pre.long mark")]
    assert marks == ["Wait", "Wait"]
    assert "<|im_start|>answer" in page.find_element("css selector", "#sample pre:last-child mark").text


def test_who_ended_an_imported_thought_is_not_known_so_its_end_is_not_marked_as_forced(
    browser: Any, tmp_path: Path
) -> None:
    rows = [made_up.sample(problem_id=f"p{i}", num_rounds=None, closing="</think>") for i in (10, 9)]
    leaderboard.write([made_up.write(tmp_path / "in", rows)], tmp_path / "out")
    browser.get((tmp_path / "out" / "leaderboard.html").as_uri())
    wait(browser, "document.querySelector('#sample article') !== null")
    assert browser.find_elements("css selector", "#sample mark") == []
    assert browser.find_element("css selector", "#sample pre:last-child").text.startswith("</think>")
    assert browser.find_element("css selector", "#list .row span").text.startswith("p9")  # 9 before 10


def test_two_runs_stand_side_by_side_with_the_first_difference_marked(page: Any) -> None:
    choose(page, "by-run", "s1k · auto+2 Wait")
    page.find_element("css selector", "#list .row").click()
    choose(page, "other", "s1k · auto+1 Wait")
    wait(page, "document.querySelectorAll('#sample article').length === 2")
    said = page.find_element("id", "difference").text
    assert said.startswith("First difference at character") and ", token " in said
    assert page.execute_script("return document.querySelectorAll('#sample .differs').length") == 2


def test_the_list_is_walked_with_the_arrow_keys(page: Any) -> None:
    page.find_element("css selector", "#list .row").click()
    page.find_element("id", "list").send_keys("\ue015\ue015")  # down, down
    assert page.execute_script("return document.querySelector('#list .row[aria-selected=true]').style.top") == "88px"


def test_the_theme_is_switched_and_kept(page: Any) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    colour = "getComputedStyle(document.body).backgroundColor"
    before = page.execute_script(f"return {colour}")
    page.find_element("id", "theme").click()
    after = page.execute_script(f"return {colour}")
    assert before != after

    def is_kept(browser: Any) -> bool:
        """Chromium writes its storage behind the page's back: the first reload may come before that."""
        browser.refresh()
        return bool(browser.execute_script(f"return {colour}") == after)

    WebDriverWait(page, 30).until(is_kept)
    page.find_element("id", "theme").click()


def test_a_phone_has_no_sideways_scroll(page: Any) -> None:
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert page.execute_script("return document.documentElement.scrollWidth") <= 360
        assert page.find_element("css selector", "#board_made_up").is_displayed()
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_long_name_leaves_room_for_the_figures_on_a_phone(browser: Any, tmp_path: Path) -> None:
    rows = [
        made_up.sample(run_id=name, model=name, recipe="published", problem_id=f"p{i}", correct=i > 2)
        for name in ("Sky-T1-math-correct-5K-32B_ckpt021", "B")
        for i in range(8)
    ]
    leaderboard.write([made_up.write(tmp_path / "in", rows)], tmp_path / "out")
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.get((tmp_path / "out" / "leaderboard.html").as_uri())
        wide = browser.execute_script("return document.querySelector('.board td').getBoundingClientRect().width")
        assert 60 < wide < 0.5 * 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_paper_the_controls_are_left_out_and_the_tables_stay(page: Any) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert (
            not page.find_element("id", "samples").is_displayed()
            and not page.find_element("id", "theme").is_displayed()
        )
        assert page.find_element("css selector", "#board_made_up").is_displayed()
        assert page.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    finally:
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_ten_thousand_samples_scroll_with_a_few_rows_at_a_time(browser: Any, tmp_path: Path) -> None:
    rows = [
        made_up.sample(
            problem_id=f"p{i // 10:03}", sample_index=i % 10, thinking=f"thought {i} " * 40, correct=i % 3 == 0
        )
        for i in range(10_000)
    ]
    leaderboard.write([made_up.write(tmp_path / "in", rows)], tmp_path / "out")
    browser.get((tmp_path / "out" / "leaderboard.html").as_uri())
    wait(browser, "document.querySelector('#sample article') !== null")
    took = browser.execute_async_script("""
        const done = arguments[0], list = document.getElementById("list"), frames = [];
        let last = performance.now(), left = 40;
        const step = () => {
          const now = performance.now(); frames.push(now - last); last = now;
          list.scrollTop += list.scrollHeight / 41;
          if (--left) requestAnimationFrame(step); else done(frames.slice(1));
        };
        requestAnimationFrame(step);""")
    assert len(browser.find_elements("css selector", "#list .row")) < 60
    assert sorted(took)[len(took) // 2] < 100  # milliseconds a frame, on a shared machine
    last = "document.querySelector('#list .row:last-child span').textContent"
    assert browser.execute_script(f"return {last}").startswith("p9")
    browser.execute_script("document.querySelector('#list .row:last-child').click()")
    wait(browser, "document.querySelector('#sample pre.long').textContent.startsWith('thought 9')")
