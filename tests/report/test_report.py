"""The leaderboard's tables, files and the sample browser's data."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import tests.made_up_study as made_up
from harness.analysis.compare import compare
from harness.analysis.measure import Measured, measure_cells
from harness.analysis.settings import load
from harness.config import Claim, to_plain
from harness.errors import UserError
from harness.report import budget_tables, leaderboard, paper, recipe_tables
from harness.report.pair_page import write_pair
from harness.report.samples import collect, forced_ranges, pieces
from harness.report.tables import Column, Entry, Table, markdown, moved, together
from harness.report.terminal import rendered

PROBLEMS, RECIPES = 30, ("base", "random", "full", "s1k")
GENERATIONS = 2 * len(RECIPES) * 6 * PROBLEMS  # two tasks, six settings


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.study(tmp_path_factory.mktemp("study"), num_problems=PROBLEMS, recipes=RECIPES)


@pytest.fixture(scope="module")
def measured(study: Any) -> Measured:
    return measure_cells(load([study]))


@pytest.fixture(scope="module")
def written(study: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "new" / "folder"
    paths = leaderboard.write([study], out)
    assert all(path.is_relative_to(out) for path in paths)
    return out


def shown(*renderables: Any) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(*renderables)
    return console.export_text()


def test_every_promised_file_is_written(written: Any) -> None:
    paths = [path for path in written.rglob("*") if path.is_file()]
    names = {path.relative_to(written).as_posix() for path in paths}
    assert {"LEADERBOARD.md", "leaderboard.csv", "leaderboard.html"} <= names
    for figure in ("scaling", "pareto", "flips"):
        assert {f"figures/{figure}_made_up.svg", f"figures/{figure}_made_up.png"} <= names
    assert all(path.stat().st_size > 500 for path in paths)


def test_a_leaderboard_of_the_same_rows_is_the_same_file(study: Any, written: Any, tmp_path: Path) -> None:
    leaderboard.write([study], tmp_path)
    for name in ("LEADERBOARD.md", "leaderboard.csv", "leaderboard.html"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()


def test_the_terminal_shows_all_of_it_in_100_columns(study: Any) -> None:
    text = shown(leaderboard.terminal([study]))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "…" not in text  # nothing is cut off
    for part in (
        "accuracy by recipe",
        "to s1k",
        "accuracy by thinking budget",
        "auto+2 Wait",
        "Control %",
        "per doubling",
        "per 1K tokens",
        "Performance",
        "forced",
        "cut",
        "loop",
        "unparsed",
        "points are easily missed",
    ):
        assert part in text
    for note in ("Bold: best", "Counts are generations", "Percent, with 95 % intervals.", "Scaling: mean slope"):
        assert text.count(note) == 1, note
    tables, _, said = text.partition("\n  1) ")
    marks = re.findall(r"(?:^|[^\d.])([\d,]+)\)", tables)
    numbers = {1, *map(int, re.findall(r"^ *(\d+)\) ", said, re.MULTILINE))}
    assert {int(number) for mark in marks for number in mark.split(",")} == numbers


def test_a_long_name_hides_no_number_in_the_terminal(tmp_path: Path) -> None:
    name = "a_recipe_with_a_very_long_name_" * 6
    rows = [
        made_up.sample(recipe=r, run_id=r, problem_id=f"p{i}", correct=i > 1) for r in (name, "s1k") for i in range(8)
    ]
    text = shown(leaderboard.terminal([made_up.write(tmp_path, rows)]))
    assert text.count("75.0") == 2 and max(map(len, text.splitlines())) <= 100
    cells = [line.split()[0] for line in text.splitlines() if line.split()]
    assert name in "".join(cells)


def test_the_markdown_names_every_recipe_with_its_interval_and_the_power(written: Any) -> None:
    text = (written / "LEADERBOARD.md").read_text()
    for recipe in RECIPES:
        assert re.search(rf"\| {recipe} \| \*{{0,2}}\d+\.\d\*{{0,2}}( ≈)? \[\d+\.\d, \d+\.\d\]", text), recipe
    assert "With n=30 problems differences below" in text


def test_the_markdown_has_one_table_per_question_and_each_note_once(written: Any, measured: Any) -> None:
    text = (written / "LEADERBOARD.md").read_text()
    titles = re.findall(r"^### (.*)$", text, re.MULTILINE)
    assert len(set(titles)) == len(titles) and not any("quick_" in title for title in titles)
    board = text.split("### Accuracy by recipe\n")[1].split("###")[0]
    head, _, *rows = [line for line in board.splitlines() if line.startswith("|")]
    assert re.findall(r"quick_\w+: \S+", head) == [
        f"{task}: {name}" for task in ("quick_easy", "quick_hard") for name in ("accuracy", "to", "p")
    ]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == list(RECIPES)
    for task, place in (("quick_easy", 1), ("quick_hard", 4)):  # each figure stands under its own task
        shown = {row.split(" | ")[0].strip("| "): row.split(" | ")[place].replace("*", "").split()[0] for row in rows}
        for (_, found, _, recipe), i in measured.headlines.items():
            assert found != task or shown[recipe] == f"{100 * measured.figures[i]['accuracy'].mean:.1f}"
    for note in ("Bold: best", "of 30 a row", "Share of problems whose answer the last Wait changed"):
        assert text.count(note) == 1, note
    notes = re.findall(
        r"^<sup>\d+</sup> (.*)$", text.split("### Does the method control")[1].split("###")[0], re.MULTILINE
    )
    assert notes and len(set(notes)) == len(notes)


def test_the_csv_has_a_row_for_each_setting_and_marks_the_headline(written: Any) -> None:
    with (written / "leaderboard.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(RECIPES) * 6
    headline = [row for row in rows if row["headline"] == "True"]
    assert len(headline) == 2 * len(RECIPES) and all(
        row["max_thinking_tokens"] == "" and row["num_ignores"] == "0" for row in headline
    )
    assert all(float(row["accuracy_low"]) <= float(row["accuracy"]) <= float(row["accuracy_high"]) for row in rows)


def test_rows_not_distinguishable_from_the_best_are_marked(tmp_path: Path) -> None:
    """full and s1k differ on 3 problems of 40, base on 30."""
    right = {"full": 35, "s1k": 32, "base": 5}
    rows = [
        made_up.sample(recipe=recipe, run_id=recipe, problem_id=f"p{i}", correct=i < n)
        for recipe, n in right.items()
        for i in range(40)
    ]
    table = recipe_tables.recipe_table(measure_cells(load([made_up.write(tmp_path, rows)])), "made_up", "quick")
    assert {row[0].text: row[1].style for row in table.rows} == {"full": "best", "s1k": "tied", "base": ""}
    assert "80.0 ≈" in markdown(table) and "**87.5**" in markdown(table)


def test_a_row_without_a_rival_is_not_called_best(tmp_path: Path) -> None:
    study = made_up.write(tmp_path, [made_up.sample(problem_id=f"p{i}", correct=i > 3) for i in range(10)])
    table = recipe_tables.recipe_table(measure_cells(load([study])), "made_up", "quick")
    assert [row[1].style for row in table.rows] == [""] and "best" not in table.caption


def test_a_row_at_another_setting_than_the_headline_says_so(tmp_path: Path) -> None:
    config = {"headline": {"max_thinking_tokens": "auto", "num_ignores": 0}, "reference_recipe": "s1k"}
    good = [made_up.sample(problem_id=f"p{i}", run_id="a") for i in range(4)]
    base = [made_up.sample(problem_id=f"p{i}", run_id="b", recipe="base", method="no_thinking") for i in range(4)]
    runs = [made_up.run(rows, config=json.dumps(config)) for rows in (good, base)]
    measured = measure_cells(load([made_up.write(tmp_path, good + base, runs)]))
    table = recipe_tables.recipe_table(measured, "made_up", "quick")
    assert any(row[0].text == "base" and row[0].detail == "at no thinking" and row[0].footnotes for row in table.rows)
    assert table.footnotes == ["not at the headline setting"]


def test_the_papers_number_stands_beside_a_row_that_has_one(tmp_path: Path) -> None:
    rows = [
        made_up.sample(problem_id=f"p{i}", run_id=r, recipe=r, task="aime24_nofigures")
        for i in range(3)
        for r in ("s1k", "random")
    ]
    measured = measure_cells(load([made_up.write(tmp_path, rows)]))
    text = markdown(recipe_tables.recipe_table(measured, "made_up", "aime24_nofigures"))
    assert "36.7 [-26.7, -3.3]" in text and "50.0" in text
    assert "paper" not in markdown(
        recipe_tables.recipe_table(
            measure_cells(load([made_up.write(tmp_path / "q", [made_up.sample()])])), "made_up", "quick"
        )
    )


def test_strings_are_compared_where_a_study_has_several(tmp_path: Path) -> None:
    rows = []
    for string in ("Wait", "Hmm", None):
        rows += [
            made_up.sample(problem_id=f"p{i}", run_id=f"r{string}", num_ignores=2, ignore_str=string, task="math500")
            for i in range(3)
        ]
    measured = measure_cells(load([made_up.write(tmp_path, rows)]))
    text = markdown(budget_tables.extrapolation_table(measured, "made_up", "math500"))
    assert "| Hmm |" in text and "| (nothing) |" in text and "90.2" in text  # Table 4's 2x without a string


def test_training_lengths_are_compared_where_recipes_differ_in_them(tmp_path: Path) -> None:
    rows, runs = [], []
    for size in (4096, 32768):
        part = [
            made_up.sample(problem_id=f"p{i}", run_id=f"r{size}", recipe=f"s{size}", task="aime24_nofigures")
            for i in range(3)
        ]
        rows += part
        runs.append(made_up.run(part, config=json.dumps({"training": {"block_size": size}})))
    measured = measure_cells(load([made_up.write(tmp_path, rows, runs)]))
    text = markdown(recipe_tables.sequence_table(measured, "made_up", "aime24_nofigures"))
    assert "30.0 / 20721" in text and "50.0 / 6984" in text


def test_the_papers_tables_2_and_3_are_rebuilt_from_data() -> None:
    table2, table3 = paper.rebuilt_table2(), paper.rebuilt_table3()
    assert len(table2.rows) == 12
    names = [column.name for column in table2.columns]
    exact = sum(row[names.index("95% interval")].text in row[names.index("printed")].text for row in table2.rows)
    assert exact >= 11  # 1K-longest on AIME24 is a coin toss, see test_bootstrap
    scaling = {row[0].text: round(float(str(row[2].value))) for row in table3.rows}
    assert scaling == {"BF": 15, "TCC": -24, "TCC+BF": 13, "SCC": 3, "SCC+BF": 6, "CCC": 25, "RS": -29}
    control = {row[0].text: row[1].text for row in table3.rows}
    assert control == {
        "BF": "100.0",
        "TCC": "40.0",
        "TCC+BF": "100.0",
        "SCC": "60.0",
        "SCC+BF": "100.0",
        "CCC": "50.0",
        "RS": "100.0",
    }
    assert "-35" in shown(rendered(table3))


# forced tokens


def test_the_rebuilt_tables_lose_no_heading_in_a_pipe() -> None:
    command = [sys.executable, "-m", "harness.report.paper"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "…" not in printed and "McNemar p" in printed and "Performance" in printed


def test_forced_waits_are_told_from_the_models_own_by_their_ids() -> None:
    text = "a Wait b Wait c Wait"
    ids = [1, 7, 2, 7, 3, 7]
    spans = [{"start": 3, "length": 1, "kind": "ignore"}]
    assert forced_ranges(text, ids, spans, "Wait") == [(9, 13)]


def test_a_string_that_is_spelled_with_other_ids_elsewhere_is_found_by_its_place() -> None:
    text = "Wait a long thought that goes on. Wait"
    ids = [8, 9, *range(20, 40), 7]  # the first "Wait" is two other tokens
    assert forced_ranges(text, ids, [{"start": 22, "length": 1, "kind": "ignore"}], "Wait") == [(34, 38)]


def test_rotating_strings_and_the_newline_are_found() -> None:
    text = "a Wait b Hmm c\n"
    spans = [
        {"start": 1, "length": 1, "kind": "ignore"},
        {"start": 3, "length": 1, "kind": "ignore"},
        {"start": 5, "length": 1, "kind": "newline"},
    ]
    assert forced_ranges(text, [1, 7, 2, 8, 3, 9], spans, "Wait|Hmm") == [(2, 6), (9, 12), (14, 15)]


def test_a_span_whose_string_is_not_in_the_text_marks_nothing() -> None:
    assert forced_ranges("abc", [1, 2], [{"start": 0, "length": 1, "kind": "ignore"}], "Wait") == []
    assert forced_ranges("abc", [1, 2], [{"start": 0, "length": 1, "kind": "ignore"}], None) == []


@given(st.text(max_size=80), st.lists(st.tuples(st.integers(0, 80), st.integers(0, 10)), max_size=4))
def test_pieces_put_together_are_the_thought(text: Any, spans: Any) -> None:
    ranges = sorted({(a, min(a + n, len(text))) for a, n in spans if a < len(text)})
    assert "".join(piece for piece, _ in pieces(text, ranges, most=10_000)) == text


def test_a_long_thought_loses_its_middle_and_says_how_much() -> None:
    found = pieces("a" * 100 + "b" * 900, [], most=100)
    assert found[1] == ["… 900 characters left out here; they are in the Parquet file …", 2]
    assert found[0][0] == "a" * 60 and found[2][0] == "b" * 40


def unpacked(browser: Any) -> list[dict[str, Any]]:
    return [sample for block in browser.blocks for sample in json.loads(gzip.decompress(b64decode(block)))]


def test_the_browser_holds_every_sample_of_a_small_study_with_its_waits_marked(study: Any, measured: Any) -> None:
    browser = collect([study], measured)
    samples = unpacked(browser)
    assert len(samples) == len(browser.index["run"]) == GENERATIONS and browser.note == ""
    marked = [[text for text, kind in sample["thinking"] if kind == 1] for sample in samples]
    runs = [browser.index["runs"][i] for i in browser.index["run"]]
    for run, forced in zip(runs, marked, strict=True):
        assert forced == ["Wait"] * (2 if "+2" in run else 1 if "+1" in run else 0)


def test_beyond_its_size_the_browser_takes_headline_runs_first_and_says_so(study: Any, measured: Any) -> None:
    browser = collect([study], measured, most=300)
    assert len(browser.index["run"]) == 300
    assert f"300 of {GENERATIONS:,} samples" in browser.note
    assert sum(browser.index["runs"][i].endswith("· auto") for i in browser.index["run"]) == 2 * len(RECIPES) * PROBLEMS


# odd folders


def test_a_folder_of_empty_files_still_makes_a_page(tmp_path: Path) -> None:
    out = tmp_path / "out"
    leaderboard.write([made_up.write(tmp_path / "in", [], runs=[])], out)
    assert "Runs" in (out / "leaderboard.html").read_text()


def test_one_problem_without_tokens_makes_a_page_without_a_made_up_number(tmp_path: Path) -> None:
    row = made_up.sample(
        thinking_tokens=None, answer_tokens=None, closing_tokens=None, correct=None, status="gold_unparseable"
    )
    leaderboard.write([made_up.write(tmp_path / "in", [row])], tmp_path / "out")
    text = (tmp_path / "out" / "LEADERBOARD.md").read_text()
    assert "nan" not in text.lower() and "1 generation(s) not scored" in text
    assert "nan" not in (tmp_path / "out" / "leaderboard.csv").read_text().lower()


def test_markup_in_names_and_texts_stays_text(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>"
    row = made_up.sample(recipe=evil, question=evil, thinking=evil, extracted=evil, problem_id=evil)
    leaderboard.write([made_up.write(tmp_path / "in", [row])], tmp_path / "out")
    assert "<script>alert" not in (tmp_path / "out" / "leaderboard.html").read_text()


def test_a_folder_without_samples_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no samples"):
        leaderboard.write([tmp_path], tmp_path / "out")


def test_two_folders_make_one_leaderboard(study: Any, tmp_path: Path) -> None:
    rows = [made_up.sample(problem_id=f"quick_hard/{i}", study="other", task="quick_hard") for i in range(5)]
    text = leaderboard.as_markdown(measure_cells(load([study, made_up.write(tmp_path / "in", rows)])))
    assert "## made_up" in text and "## other" in text


def of_task(rows: dict[str, int], footnote: str, note: str, num_figures: int = 1) -> Table:
    table = Table("x", "t", [Column("recipe"), *(Column(f"figure {n}", True) for n in range(num_figures))], caption="c")
    for name, value in rows.items():
        table.add(name, *(Entry(str(value), value, footnotes=table.footnote(footnote)) for _ in range(num_figures)))
    table.notes.append(note)
    return table


def test_one_question_is_one_table_with_tasks_as_columns_and_each_footnote_once() -> None:
    tables = {"a": of_task({"s1k": 1, "full": 2}, "odd", "n"), "b": of_task({"full": 3, "base": 4}, "odd", "m")}
    whole = together(tables, "x_study", "Question")
    assert [column.name for column in whole.columns] == ["recipe", "a: figure 0", "b: figure 0"]
    assert [[entry.text for entry in row] for row in whole.rows] == [
        ["s1k", "1", "–"],
        ["full", "2", "3"],
        ["base", "–", "4"],
    ]
    assert whole.footnotes == ["odd"] and {e.footnotes for row in whole.rows for e in row[1:] if e.text != "–"} == {
        (1,)
    }
    assert whole.notes == ["c", "a: n", "b: m"]


def test_a_fact_is_one_footnote_with_the_range_of_its_counts() -> None:
    table = Table("x", "t", [])
    said = (
        "1 pair(s) with equal tokens left out",
        "paired over 44 of 50 problems",
        "no slope: 2 usable run(s), all with equal tokens; 3 pair(s) with equal tokens left out",
        "",
        "2 pair(s) within 3.5 % in tokens",
        "paired over 47 of 50 problems; 2 pair(s) with equal tokens left out",
        "paired over 44 of 198 problems",
    )
    assert [table.footnote(text) for text in said] == [(1,), (2,), (1, 3), (), (4,), (1, 2), (5,)]
    assert table.footnotes == [
        "1 to 3 pair(s) with equal tokens left out",
        "paired over 44 to 47 of 50 problems",
        "no slope: 2 usable run(s), all with equal tokens",
        "2 pair(s) within 3.5 % in tokens",
        "paired over 44 of 198 problems",
    ]
    other = Table("y", "t", [], footnotes=["5 pair(s) with equal tokens left out", "2 pair(s) within 3.5 % in tokens"])
    other.columns = [Column("recipe")]
    other.add(Entry("s1k", footnotes=(1, 2)))
    assert moved(other, table)[0][0].footnotes == (1, 4)
    assert table.footnotes[0] == "1 to 5 pair(s) with equal tokens left out"


def test_a_row_at_another_setting_on_one_task_alone_is_not_one_row_for_both() -> None:
    tables = {"a": of_task({"s1k": 1}, "", "n"), "b": of_task({"s1k": 2}, "", "n")}
    tables["b"].rows[0][0] = Entry("s1k", detail="at 32", footnotes=tables["b"].footnote("not at the headline setting"))
    whole = together(tables, "x_study", "Question")
    assert [[entry.text + entry.detail for entry in row] for row in whole.rows] == [
        ["a", "s1k", "1"],
        ["b", "s1kat 32", "2"],
    ]


def test_more_figures_than_fit_side_by_side_make_the_task_a_column() -> None:
    tables = {"a": of_task({"s1k": 1}, "one", "n", 5), "b": of_task({"s1k": 2}, "two", "n", 5)}
    whole = together(tables, "x_study", "Question")
    assert [[entry.text for entry in row[:3]] for row in whole.rows] == [["a", "s1k", "1"], ["b", "s1k", "2"]]
    assert whole.footnotes == ["one", "two"] and [row[2].footnotes for row in whole.rows] == [(1,), (2,)]
    assert whole.notes == ["c", "n"]
    alone = together({"a": tables["a"]}, "x_study", "Question")
    assert [column.name for column in alone.columns][:2] == ["recipe", "figure 0"]


@pytest.mark.parametrize(
    ("num_tasks", "num_figures", "first"), [(3, 3, "recipe"), (2, 4, "recipe"), (3, 4, "task"), (10, 1, "task")]
)
def test_tasks_are_columns_as_long_as_a_sheet_holds_them(num_tasks: int, num_figures: int, first: str) -> None:
    tables = {f"t{n}": of_task({"s1k": 1, "full": 2}, "", "n", num_figures) for n in range(num_tasks)}
    whole = together(tables, "x_study", "Question")
    assert whole.columns[0].name == first and len(whole.columns) <= 10
    assert len(whole.rows) == (2 if first == "recipe" else 2 * num_tasks)


def test_the_page_of_two_runs_gives_no_verdict_that_they_cannot(tmp_path: Path) -> None:
    claims = (
        Claim("s1k beats base", ("s1k",), ("base",)),
        Claim("s1k beats all others", ("s1k",), ("base", "random")),
        Claim("accuracy rises with the budget", ("s1k", "base"), measure="slope"),
        Claim("full beats random", ("full",), ("random",)),
    )
    rows = [
        made_up.sample(run_id=recipe, recipe=recipe, problem_id=f"p{i}", question_hash=f"h{i}", correct=i % 3 == at)
        for at, recipe in enumerate(("base", "s1k", "random"))
        for i in range(9)
    ]
    out = made_up.write(tmp_path / "out", rows, claims=to_plain(claims), hypothesis="Which rows?")
    page = {}
    for other in ("base", "random"):
        write_pair(compare(f"{out}:s1k", f"{out}:{other}"), tmp_path / f"{other}.html")
        page[other] = (tmp_path / f"{other}.html").read_text()
    found = {other: re.findall(r'<span class="verdict [^<]*</span> <strong>([^<]*)', page[other]) for other in page}
    assert found == {"base": ["s1k beats base"], "random": []}
    assert "Which rows?" in page["base"] and "Which rows?" not in page["random"]
    assert not any("not run" in text for text in page.values())
    leaderboard.write([out], tmp_path / "whole")
    whole = (tmp_path / "whole" / "leaderboard.html").read_text()
    assert all(claim.text in whole for claim in claims) and whole.count(">not run<") == 2
