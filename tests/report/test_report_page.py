"""The page in a real headless Chromium: it sorts, filters, opens samples, and asks the network for nothing."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from selenium.webdriver.support.ui import WebDriverWait

import tests.made_up_study as made_up
from harness.analysis.compare import compare
from harness.config import Claim, to_plain
from harness.report import leaderboard
from harness.report.pair_page import write_pair

pytestmark = pytest.mark.slow
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--window-size=1280,900",
)


EXACT = """const s = document.getElementById(arguments[0]);
s.value = [...s.options].find(o => o.text === arguments[1]).value; s.dispatchEvent(new Event('change'))"""
# The least contrast (WCAG 2) of a visible text on the page with what lies behind it.
CONTRAST = """
const read = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map(x => x / 255)
  .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
  .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (node) => { for (let at = node; at; at = at.parentElement) {
  const c = read(getComputedStyle(at).backgroundColor); if (c.length < 4 || c[3] === 1) return c; }
  return [255, 255, 255]; };
let worst = {ratio: 99};
for (const node of document.querySelectorAll("main *, header *")) {
  if (node.closest("svg, option") || !node.offsetParent) continue;
  if (![...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim())) continue;
  if (node.closest("button:disabled")) continue;
  const [x, y] = [light(read(getComputedStyle(node).color)), light(behind(node))];
  const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  if (ratio < worst.ratio) worst = {ratio, text: node.textContent.slice(0, 40), kind: node.className};
}
return worst;"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    claims = to_plain((Claim("s1k beats base", ("s1k",), ("base",)), Claim("random beats s1k", ("random",), ("s1k",))))
    folder, recipes = tmp_path_factory.mktemp("study"), ("base", "random", "s1k")
    study = made_up.study(folder, num_problems=20, recipes=recipes, claims=claims, command="harness ablate made_up")
    (study / "audit.json").write_text('{"summary": "audit: 36 of 36 hold", "created_at": "2026-01-02T00:00:00"}')
    return study


@pytest.fixture(scope="module")
def page_file(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    browser.get("about:blank")  # a page that differs in its fragment alone would not be opened again
    browser.get(page_file.as_uri())
    wait(browser, "document.querySelector('#sample article') !== null")
    return browser


SHOWN = "document.querySelector('#sample article > strong')?.textContent"


def wait(browser: Any, condition: str) -> None:
    WebDriverWait(browser, 60).until(lambda b: b.execute_script(f"return {condition}"))


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
    assert colour == ["rgb(255, 43, 70)"] * 2
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


def test_a_chip_shows_its_series_as_it_is_drawn(page: Any) -> None:
    looks = {}
    for figure in ("scaling", "pareto", "flips"):
        looks[figure] = page.execute_script(
            "const chip = document.querySelector(arguments[0]); const look = node => getComputedStyle(node);"
            "return [look(chip.querySelector('b')).backgroundImage, look(chip.querySelector('i')).clipPath]",
            f"#{figure}_made_up .chips button[data-series=random]",
        )
    assert "gradient" in looks["scaling"][0] and looks["scaling"][1].startswith("polygon")
    assert looks["pareto"] == ["none", looks["scaling"][1]]  # points without a line
    assert looks["flips"] == ["none", "none"]  # bars


def test_points_explain_themselves(page: Any) -> None:
    title = page.execute_script("return document.querySelector('#scaling_made_up .tip title').textContent")
    assert "tokens" in title and "%" in title and "[" in title


def test_filters_narrow_the_list_of_samples(page: Any) -> None:
    everything = 2 * 3 * 6 * 20  # tasks, recipes, settings, problems
    assert page.find_element("id", "shown").text == f"{everything} of {everything}"
    choose(page, "by-task", "quick_hard")
    choose(page, "by-run", "s1k · auto+2 Wait")
    assert page.find_element("id", "shown").text == f"20 of {everything}"
    wait(page, f"{SHOWN} === 's1k · auto+2 Wait'")
    choose(page, "by-run", "s1k · 128")
    wait(page, f"{SHOWN} === 's1k · 128'")  # what is not listed gives way to the first that is
    assert page.execute_script("return document.querySelector('#list .row').getAttribute('aria-selected')") == "true"
    choose(page, "by-run", "s1k · auto+2 Wait")
    choose(page, "by-status", "correct")
    shown = int(page.find_element("id", "shown").text.split()[0])
    assert 0 < shown < 20
    field = page.find_element("id", "by-text")
    field.send_keys("no such problem")
    wait(page, "document.getElementById('shown').textContent.startsWith('0 of')")
    assert page.find_element("id", "list").text == "No sample fits."


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


def test_a_natural_end_is_drawn_apart_from_a_forced_one(page: Any) -> None:
    choose(page, "by-run", "s1k · 64")
    choose(page, "by-status", "forced end")
    page.find_element("css selector", "#list .row").click()
    closing = "document.querySelector('#sample pre:last-child mark')"
    wait(page, f"{closing}?.title.startsWith('put in by the harness')")
    assert "Final Answer:" in page.execute_script(f"return {closing}.textContent")
    forced = page.execute_script(f"return getComputedStyle({closing}).backgroundColor")
    choose(page, "by-run", "s1k · auto+2 Wait")
    choose(page, "by-status", "any status")
    page.find_element("css selector", "#list .row").click()
    wait(page, f"{closing}?.title === 'the model ended here by itself'")
    assert page.execute_script(f"return getComputedStyle({closing}).backgroundColor") != forced


def test_each_clause_has_its_verdict_with_the_boards_difference(page: Any) -> None:
    lines = [one.text for one in page.find_elements("css selector", ".verdicts > li")]
    assert lines[0].startswith("supported s1k beats base") and "s1k - base on quick_" in lines[0]
    assert lines[1].startswith("contradicted random beats s1k") or lines[1].startswith("not distinguishable random")
    said = re.search(r"random - s1k on (\w+): ([-+\d.]+) \[(.*?)\]", lines[1])
    assert said is not None
    heads = [th.text for th in page.find_elements("css selector", "#board_made_up thead th")]
    place = heads.index(f"{said[1]}, %")
    row = next(
        tr for tr in page.find_elements("css selector", "#board_made_up tbody tr") if tr.text.startswith("random")
    )
    assert f"{said[2]} to s1k [{said[3]}]" in row.find_elements("css selector", "td")[place].text
    page.find_element("css selector", ".verdicts summary").click()
    assert page.find_element("css selector", ".verdicts table").is_displayed()


def opened(page: Any) -> str:
    return str(page.execute_script("return location.hash"))


def test_what_is_opened_has_a_link_and_back_and_forward_go_through_it(browser: Any, page_file: Any) -> None:
    link = "#sample=quick_hard-s1k-None-2/quick_hard%2F7&beside=quick_hard-s1k-None-1"
    browser.get("about:blank")
    browser.get(page_file.as_uri() + link)
    names = "[...document.querySelectorAll('#sample article > strong')].map(one => one.textContent).join()"
    wait(browser, f"{names} === 's1k · auto+2 Wait,s1k · auto+1 Wait'")
    assert "quick_hard/7" in browser.find_element("css selector", "#sample .facts").text
    assert browser.execute_script("return document.querySelector('#list .row[aria-selected=true]') !== null")
    problem = "document.querySelector('#sample .facts b')?.textContent"
    browser.find_element("id", "after").click()
    wait(browser, f"location.hash !== '{link}' && {problem} !== null")
    second = opened(browser)
    browser.back()
    wait(browser, f"location.hash === '{link}' && {names} === 's1k · auto+2 Wait,s1k · auto+1 Wait'")
    browser.forward()
    wait(browser, f"location.hash === '{second}'")
    browser.find_element("id", "before").click()
    wait(browser, f"location.hash === '{link}'")


def test_back_to_the_beginning_shows_the_first_sample_again(page: Any) -> None:
    card = "document.querySelector('#sample article').textContent"
    first = page.execute_script(f"return {card}")
    page.find_element("id", "after").click()
    wait(page, f"location.hash.startsWith('#sample=') && {card} !== {json.dumps(first)}")
    page.back()
    wait(page, f"location.hash === '' && {card} === {json.dumps(first)}")


def test_a_link_to_a_task_and_to_a_study(browser: Any, page_file: Any) -> None:
    for link, shown in (("#task=quick_hard", "360 of 720"), ("#study=made_up&task=quick_easy", "360 of 720")):
        browser.get("about:blank")
        browser.get(page_file.as_uri() + link)
        wait(browser, f"document.getElementById('shown').textContent === '{shown}'")
    browser.get("about:blank")
    browser.get(page_file.as_uri() + "#sample=nobody/p1")
    told = "document.getElementById('sample').textContent"
    wait(browser, f"{told} === 'No sample of run nobody on p1 is on this page.'")


def test_a_link_to_what_is_not_on_the_page_opens_nothing_in_its_place(browser: Any, page_file: Any) -> None:
    run = "quick_hard-s1k-None-2"
    told = "document.getElementById('sample').textContent"
    browser.get("about:blank")
    browser.get(page_file.as_uri() + f"#sample={run}/quick_hard%2F7&index=3")
    wait(browser, f"{told} === 'No sample 4 of run {run} on quick_hard/7 is on this page.'")
    browser.find_element("id", "typeset").click()
    browser.execute_script(EXACT, "other", "s1k · auto")
    wait(browser, "document.querySelectorAll('#sample article').length === 2")  # and all goes on from here
    browser.execute_script(f"location.hash = '#sample={run}/quick_hard%2F7&beside=gone'")
    wait(browser, f"{told}.startsWith('Run gone, to stand beside it, is not on this page.')")
    assert browser.execute_script("return document.querySelectorAll('#sample article').length") == 1
    browser.execute_script("location.hash = '#sample=gone/p'")
    wait(browser, f"{told} === 'No sample of run gone on p is on this page.'")
    browser.back()
    wait(browser, "document.querySelectorAll('#sample article').length === 1")
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_a_table_says_that_rows_are_below_until_the_last_is_in_sight(page: Any) -> None:
    page.set_window_size(1280, 900)
    box, hint = (
        "document.getElementById('runs_table').parentElement",
        "[...document.querySelectorAll('.copies .hint')].at(-1)",
    )
    wait(page, f"{hint}.textContent.includes('more of 36 rows: scroll ↓')")
    page.execute_script(f"{box}.scrollTop = {box}.scrollHeight")
    wait(page, f"!{hint}.textContent.includes('rows')")


def test_gained_and_lost_are_against_the_other_run(page: Any, study: Path) -> None:
    rows = pq.read_table(study / "samples").to_pylist()
    right = {(r["run_id"], r["problem_id"]): r["correct"] for r in rows}
    a, b = "quick_hard-s1k-None-0", "quick_hard-base-None-0"
    problems = [f"quick_hard/{i}" for i in range(20)]
    gained = {p for p in problems if right[a, p] and not right[b, p]}
    lost = {p for p in problems if right[b, p] and not right[a, p]}
    choose(page, "by-task", "quick_hard")
    page.execute_script(EXACT, "by-run", "s1k · auto")
    page.execute_script(EXACT, "other", "base · auto")
    tally = page.find_element("id", "tally").text
    assert (
        tally.startswith(f"quick_hard: of 20 samples {len(gained)} gained, {len(lost)} lost; difference +")
        and "[" in tally
    )
    for label, wanted in (("gained", gained), ("lost", lost)):
        choose(page, "by-pair", label)
        assert {r.text.split(" · ")[0] for r in page.find_elements("css selector", "#list .row")} == wanted
    choose(page, "by-pair", "only differing")
    assert int(page.find_element("id", "shown").text.split()[0]) >= len(gained) + len(lost)


def test_seeds_are_told_apart_and_held_against_the_same_seed(browser: Any, tmp_path: Path) -> None:
    """An imported log's rows, too: no token ids, a run without thoughts, facts of which one is each problem's own."""
    rows = [
        made_up.sample(
            run_id=f"{recipe}{seed}",
            recipe=recipe,
            seed=seed,
            problem_id=f"p{i}",
            question=f"What is {i}?",
            thinking="" if recipe == "silent" else f" \n {recipe} {seed} thinks of {i}",
            thinking_ids=None,
            closing_ids=None,
            answer_ids=None,
            metadata=json.dumps({"subject": "ab"[i % 2], "url": f"u{i}"}),
        )
        for recipe in ("base", "s1k", "silent")
        for seed in (0, 1)
        for i in range(4)
    ]
    leaderboard.write([made_up.write(tmp_path / "in", rows)], tmp_path / "out")
    browser.get("about:blank")
    browser.get((tmp_path / "out" / "leaderboard.html").as_uri() + "#sample=s1k1/p2")
    wait(browser, f"{SHOWN}?.startsWith('s1k')")
    facts = "[...document.getElementById('by-fact').options].map(one => one.text)"
    assert browser.execute_script(f"return {facts}") == ["any subject", "subject: a", "subject: b"]
    choose(browser, "other", "base")
    wait(browser, "document.querySelectorAll('#sample article').length === 2")
    texts = [pre.text for pre in browser.find_elements("css selector", "#sample pre.long")]
    assert [text.strip() for text in texts] == ["s1k 1 thinks of 2", "base 1 thinks of 2"]
    assert browser.find_element("css selector", "#sample .facts b").text == "p2, seed 1"
    assert browser.find_element("id", "difference").text == "First difference at character 3."
    marked = browser.execute_script("return [...document.querySelectorAll('.differs')].map(one => one.textContent)")
    assert marked == ["s1k", "base"]
    choose(browser, "other", "silent")
    wait(browser, "document.getElementById('difference')?.textContent === 'One has a thought, the other none.'")
    heads = [one.text for one in browser.find_elements("css selector", "#sample article:last-child h4")]
    assert heads == ["question", "no thinking", "answer"]


def test_the_search_reads_the_texts_and_says_what_it_read(page: Any) -> None:
    choose(page, "by-run", "s1k · auto+2 Wait")
    field = page.find_element("id", "by-text")
    for words, hits in (("what is 7 + 3", 2), ("gives 30.", 40), ("The answer is 10", None)):
        field.clear()
        field.send_keys(words)
        wait(page, f"document.getElementById('searched').textContent.includes('“{words.lower()}” in problem')")
        wait(page, "document.getElementById('searched').textContent.endsWith('720 of 720 samples')")
        shown = int(page.find_element("id", "shown").text.split()[0])
        assert 0 < shown <= 40 and (hits is None or shown <= hits)
    assert "question, thought and answer" in page.find_element("id", "searched").text
    field.clear()
    field.send_keys("not in any text")
    wait(page, "document.getElementById('shown').textContent.startsWith('0 of')")
    assert not any(page.find_element("id", name).is_enabled() for name in ("before", "after"))


def copied(page: Any, table: str, form: str) -> str:
    page.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    page.execute_script("document.querySelector(arguments[0]).click()", f"[data-table={table}] [data-form={form}]")
    wait(page, f"document.querySelector('[data-table={table}] .said').textContent.startsWith('copied')")
    return str(page.execute_async_script("navigator.clipboard.readText().then(arguments[0])"))


def test_a_table_is_copied_as_csv_markdown_and_latex(page: Any) -> None:
    rows = list(csv.reader(io.StringIO(copied(page, "recipes_made_up", "csv"))))
    shown = page.find_elements("css selector", "#recipes_made_up tbody tr")
    assert len(rows) == 1 + len(shown) and rows[0][:3] == ["task", "recipe", "accuracy"]
    assert rows[1][2].split()[0] == shown[0].find_elements("css selector", "td")[2].text.split("[")[0].strip()
    lines = copied(page, "recipes_made_up", "markdown").splitlines()
    assert lines[0].startswith("| task | recipe | accuracy |") and set(lines[1]) <= set("|-:")
    assert all(line.count("|") == lines[0].count("|") for line in lines[: 2 + len(shown)])
    text = copied(page, "recipes_made_up", "latex")
    for part in ("\\toprule", "\\midrule", "\\bottomrule", "quick\\_easy", "\\begin{tabular}{llrr"):
        assert part in text
    body = text.split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert len(body) == len(shown) and {line.count(" & ") for line in body} == {len(rows[0]) - 1}


def test_downloads_are_the_files_and_the_listed_samples(page: Any, page_file: Any, tmp_path: Path) -> None:
    folder = tmp_path
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    page.execute_script("document.querySelector('[data-file=\"leaderboard.csv\"]').click()")
    page.execute_script("document.querySelector('[data-file=\"scaling_made_up.svg\"]').click()")
    choose(page, "by-run", "s1k · auto+2 Wait")
    page.find_element("id", "take-samples").click()
    names = {"leaderboard.csv", "scaling_made_up.svg", "samples.jsonl"}
    WebDriverWait(page, 60).until(lambda _: names <= {path.name for path in folder.iterdir()})
    assert (folder / "leaderboard.csv").read_bytes() == (page_file.parent / "leaderboard.csv").read_bytes()
    assert (folder / "scaling_made_up.svg").read_bytes() == (
        page_file.parent / "figures/scaling_made_up.svg"
    ).read_bytes()
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert len(lines) == 40 and {line["run_id"] for line in lines} == {
        f"quick_{t}-s1k-None-2" for t in ("easy", "hard")
    }


def test_how_it_was_made_stands_on_the_page(page: Any) -> None:
    text = page.find_element("css selector", "#made_up .made").text
    for part in ("harness ablate made_up", "abc", "2026-01-01", "scripted", "\n36 of 36 hold (2026-01-02)"):
        assert part in text
    assert "@software{s1_harness" in page.find_element("id", "bibtex").text


def test_no_id_stands_twice(page: Any) -> None:
    ids = page.execute_script("return [...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) > 30 and [one for one in set(ids) if ids.count(one) > 1] == []


def test_text_and_marks_have_enough_contrast_in_both_themes(page: Any) -> None:
    for theme in ("light", "dark"):
        page.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
        worst = page.execute_script(CONTRAST)
        assert worst["ratio"] >= 4.5, (theme, worst)


def test_two_runs_stand_side_by_side_with_the_first_difference_marked(page: Any) -> None:
    choose(page, "by-run", "s1k · auto+2 Wait")
    page.find_element("css selector", "#list .row").click()
    choose(page, "other", "s1k · auto+1 Wait")
    wait(page, "document.querySelectorAll('#sample article').length === 2")
    said = page.find_element("id", "difference").text
    assert said.startswith("First difference at character") and ", token " in said
    assert page.execute_script("return document.querySelectorAll('#sample .differs').length") == 2


HOSTILE = (
    r"$\href{javascript:hit()}{x}$",
    r"$\url{javascript:hit()}$",
    r"$\includegraphics{http://127.0.0.1/x.png}$",
    r"$\class{row}{y}$ $\id{samples}{y}$ $\style{position:fixed}{y}$ $\data{a=b}{z}$",
    "$<img src=x onerror=hit()>$",
    r"$\text{<img src=x onerror=hit()><script>hit()</script>}$",
    r"$\def\a{\a\a}\a$",
    r"\[\frac{1}{\]",
    r"$\rule{99999em}{99999em}$",
    "$" + "{" * 1900 + "$",
    r"\(" * 20_000,
)


def test_formulas_are_typeset_offline_and_a_hostile_one_does_nothing(browser: Any, tmp_path: Path) -> None:
    good = r"We get $x^2=\frac{1}{2}$ and \(\sqrt[3]{2}\), so $$\sum_{i=1}^n i$$ "
    good += r"\[\begin{pmatrix}1&2\\3&4\end{pmatrix}\]"
    money = "It costs $5 and $10, or \\$3."
    row = made_up.sample(question=f"{good} {money}", thinking=" ".join(HOSTILE), answer=r"$\boldsymbol{\boxed{204}}$")
    leaderboard.write([made_up.write(tmp_path / "in", [row])], tmp_path / "out")
    browser.get_log("browser"), browser.get_log("performance")
    browser.get((tmp_path / "out" / "leaderboard.html").as_uri())
    wait(browser, "document.querySelectorAll('#sample pre').length === 3")
    question, thought, answer = browser.find_elements("css selector", "#sample pre")
    assert (
        len(question.find_elements("css selector", "math")) == 4
        and len(answer.find_elements("css selector", "math")) == 1
    )
    assert money in question.text and question.find_elements("css selector", "mfrac, mroot, mtable, munderover")
    for selector in ("a", "img", "script", "[href]", "[src]", "[id]", ".row", "[data-a]", "iframe"):
        assert thought.find_elements("css selector", selector) == [], selector
    fixed = (
        "return [...arguments[0].querySelectorAll('*')].filter(e => getComputedStyle(e).position === 'fixed').length"
    )
    assert browser.execute_script(fixed, thought) == 0
    heights = "return [...arguments[0].querySelectorAll('*')].map(one => one.clientHeight)"
    assert max(browser.execute_script(heights, thought)) < 600
    assert r"\href{javascript:hit()}{x}" in thought.text  # what is not allowed stays as it was written
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith(("file://", "data:", "chrome://"))] == []
    browser.execute_script("document.getElementById('typeset').click()")
    wait(browser, "document.querySelectorAll('#sample math').length === 0")
    text = browser.execute_script("return document.querySelectorAll('#sample pre')[1].textContent")
    assert text == " ".join(HOSTILE)


def test_a_comparison_links_the_problems_that_one_alone_got_right(browser: Any, tmp_path: Path) -> None:
    """B numbers its problems from 100."""
    folders = [tmp_path / name for name in "ab"]
    for at, folder in enumerate(folders):
        rows = [
            made_up.sample(
                run_id=folder.name,
                recipe=folder.name,
                problem_id=f"p/{100 * at + i}",
                question=f"What is {i} + 3?",
                question_hash=f"hash{i}",
                thinking=f"{folder.name} thinks of {i}",
                correct=(right := i % 3 != at),
                status="correct" if right else "incorrect",
            )
            for i in range(12)
        ]
        made_up.write(folder, rows)
    write_pair(compare(str(folders[0]), str(folders[1])), tmp_path / "new" / "pair.html")
    browser.get((tmp_path / "new" / "pair.html").as_uri())
    links = browser.find_elements("css selector", "#pair .problems a")
    assert [a.text for a in links] == [f"p/{i}" for i in (1, 4, 7, 10, 0, 3, 6, 9)]
    assert browser.find_element("css selector", "#pair td:nth-child(4)").text == "4"
    wait(browser, "document.querySelector('#sample article') !== null")
    links[1].click()
    wait(browser, "document.querySelectorAll('#sample article').length === 2")
    texts = [pre.text for pre in browser.find_elements("css selector", "#sample pre.long")]
    assert texts == ["a thinks of 4", "b thinks of 4"]


def test_the_list_is_walked_with_the_arrow_keys(page: Any) -> None:
    page.find_element("css selector", "#list .row").click()
    page.find_element("id", "list").send_keys("\ue015\ue015")  # down, down
    wait(page, "document.querySelector('#list .row[aria-selected=true]').style.top === '88px'")


def test_the_theme_is_switched_and_kept(page: Any) -> None:
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


def test_a_figure_wider_than_a_phone_says_so_until_its_end_is_in_sight(page: Any) -> None:
    hints = "[...document.querySelectorAll('figure .hint')].map(hint => hint.offsetParent !== null)"
    num = len(page.find_elements("css selector", "figure"))
    assert num >= 2 and page.execute_script(f"return {hints}") == [False] * num  # a desk's screen holds them
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        wait(page, f"{hints}.every(Boolean)")
        page.execute_script("document.querySelector('figure .wide').scrollLeft = 1000")
        wait(page, f"!{hints}[0]")
        assert page.execute_script(f"return {hints}") == [False] + [True] * (num - 1)
        caption = page.execute_script("return document.querySelector('figcaption').getBoundingClientRect().left")
        assert caption > 0  # what is read below it stays where it is
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("width", [360, 1024, 1440])
def test_a_long_name_leaves_room_for_the_figures(browser: Any, tmp_path: Path, width: int) -> None:
    rows = [
        made_up.sample(
            run_id=f"{name}{limit}",
            model=name,
            recipe="published",
            problem_id=f"p{i}",
            correct=i > 2,
            task="a_task" * 12,
            max_thinking_tokens=limit,
            thinking_tokens=limit,
        )
        for name in ("Sky-T1-math-correct-5K-32B_ckpt021", "a_model_with_a_long_name_" * 8)
        for limit in (32, 64)
        for i in range(8)
    ]
    leaderboard.write([made_up.write(tmp_path / "in", rows)], tmp_path / "out")
    size = {"width": width, "height": 740, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.get((tmp_path / "out" / "leaderboard.html").as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        wide = browser.execute_script("return document.querySelector('.board td').getBoundingClientRect().width")
        assert 60 < wide < 0.5 * width
        tops = browser.execute_script(
            "return [...document.querySelectorAll('.board tbody tr')].map(row => [...row.cells]"
            ".map(cell => { const range = document.createRange(); range.selectNodeContents(cell.firstElementChild);"
            " return range.getClientRects()[0].bottom; }))"
        )
        assert len(tops) == 2 and all(abs(name - figure) < 4 for name, figure in tops)  # the first lines stand level
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_board_of_one_recipe_explains_no_mark_that_it_lacks(browser: Any, tmp_path: Path) -> None:
    leaderboard.write([made_up.write(tmp_path / "in", [made_up.sample(answer_tokens=1)])], tmp_path / "out")
    browser.get((tmp_path / "out" / "leaderboard.html").as_uri())
    wait(browser, "document.querySelector('#sample article') !== null")
    notes = browser.execute_script("return [...document.querySelectorAll('.notes li')].map(li => li.textContent)")
    assert notes and not any("not distinguishable from the best" in note for note in notes)
    assert "1 token" in [fact.text for fact in browser.find_elements("css selector", "#sample .facts b")]
    assert not browser.find_element("id", "after").is_enabled()


def test_on_paper_the_controls_are_left_out_and_the_tables_stay(page: Any) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert (
            not page.find_element("id", "samples").is_displayed()
            and not page.find_element("id", "theme").is_displayed()
        )
        assert page.find_element("css selector", "#board_made_up").is_displayed()
        assert page.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        # Rules for narrow screens must not take hold on A4, which is as narrow within its margins.
        sheet = {"width": 717, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sheet)
        least = "return getComputedStyle(document.querySelector('#board_made_up th')).minWidth"
        assert page.execute_script("return innerWidth") == 717 and page.execute_script(least) in ("auto", "0px")
        # A4 within its margins, times the factor by which a browser shrinks every sheet at least (wider ones more).
        sheet = {"width": 717 * 4 // 3, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sheet)
        assert page.execute_script("return innerWidth") == 956
        over = (
            "return [...document.querySelectorAll('table')].filter(t => t.getBoundingClientRect().right > innerWidth)"
        )
        assert page.execute_script(f"{over}.map(table => table.id)") == []  # cut off at the sheet's edge
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
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
