"""Text from data is shown as text: in the terminal, in Markdown, in CSV and on the page."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.console import PlainConsole, visible, visible_json
from harness.files import json_line
from harness.report import leaderboard
from harness.report.tables import Column, Table, markdown
from harness.report.terminal import rendered
from tests import made_up_study as made_up
from tests.hostile.odd_folders import MARKUP
from tests.hostile.trial import harness


@given(st.text())
def test_what_is_visible_holds_no_control_and_no_mark_of_direction(text: str) -> None:
    left = visible(text)
    assert not [c for c in left if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") and c not in "\t\n"]
    assert not [c for c in left if unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI")]


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs"))))
def test_letters_of_every_language_stay(text: str) -> None:
    assert visible(text) == text


@given(st.text())
def test_a_terminal_gets_no_order_from_a_cell(text: str) -> None:
    out = io.StringIO()
    console = PlainConsole(file=out, force_terminal=True, color_system=None, width=200)
    table = Table("t", text, [Column(text)], text)
    table.add(text)
    table.notes.append(text)
    console.print(rendered(table), text)
    assert not re.search(r"\x1b\](?!8;)|[\x07\x9b\u202e]", out.getvalue())


def test_markup_is_no_markup() -> None:
    out = io.StringIO()
    PlainConsole(file=out, width=200).print("[red]x[/nope] :smile: [link=http://a]b[/link]")
    assert out.getvalue() == "[red]x[/nope] :smile: [link=http://a]b[/link]\n"


LOOSER = ("style-src-attr", "style-src-elem", "script-src-attr", "script-src-elem")  # they would go before
TAGS = ("<script>alert(1)</script>", "</td>", "<!-- x", "<img src=x onerror=y>", "<?php", "a<b>c")


@pytest.mark.parametrize("text", TAGS)
def test_markdown_holds_no_html_from_data(text: str) -> None:
    table = Table("t", text, [Column(text)], text)
    table.add(text)
    table.footnote(text)
    table.notes.append(text)
    assert not re.search(r"<(?!/?sup>)[A-Za-z/!?]", markdown(table))


@pytest.mark.parametrize("text", ["![x](http://h/a.png)", "[x](http://h/)", "[x][y]", "`code`", "[x]: http://h/"])
def test_markdown_holds_no_links_or_pictures_from_data(text: str) -> None:
    table = Table("t", "t", [Column("c")])
    table.add(text)
    assert not re.search(r"(?<!\\)\][(\[:]|(?<!\\)`", markdown(table).splitlines()[4])


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    rows = [
        made_up.sample(problem_id=f"p{i}", sample_key=str(i), recipe=f"={MARKUP}", study=MARKUP, answer=MARKUP)
        for i in range(4)
    ]
    leaderboard.write([made_up.write(folder / "in", rows)], folder / "out")
    return folder / "out"


@settings(deadline=None)
@given(st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner, max_size=3)))
def test_json_that_is_printed_says_the_same_and_holds_nothing_invisible(value: object) -> None:
    shown = visible_json(json_line(value).decode())
    assert json.loads(shown) == value and visible(shown) == shown


def test_graded_rows_on_the_screen_hold_nothing_that_it_obeys(tmp_path: Path) -> None:
    odd = {"gold": "4", "response": "\x9b31m\u202e\x1b[31m\u2066 \\boxed{4}", "\u200b": "\U000e0041"}
    (tmp_path / "rows.jsonl").write_bytes(json_line(odd))
    ended = harness("grade", tmp_path / "rows.jsonl")
    assert ended.code == 0 and visible(ended.out) == ended.out
    assert odd.items() <= json.loads(ended.out).items()


def test_a_csv_cell_is_no_formula(board: Path) -> None:
    cells = [c for row in csv.reader(io.StringIO((board / "leaderboard.csv").read_text())) for c in row]
    assert any(cell.startswith("'=") for cell in cells)
    assert not [c for c in cells if c[:1] in "=+@\t\r" and c and not re.fullmatch(r"[+-]?[\d.e-]+", c)]


def test_a_report_holds_no_markup_and_nothing_invisible_from_data(board: Path) -> None:
    for name in ("LEADERBOARD.md", "leaderboard.csv"):
        text = (board / name).read_text()
        assert "\\x1b" in text and not set(text) & {"\x1b", "\u202e"}
    assert "</script>" not in (board / "LEADERBOARD.md").read_text()
    assert (board / "leaderboard.html").read_text().count("</script>") == 9  # theme, Temml, four; index, CSV, a block


def test_the_page_runs_its_own_scripts_by_their_hashes_alone(board: Path) -> None:
    page = (board / "leaderboard.html").read_text()
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    rules = dict(rule.strip().split(" ", 1) for rule in found[1].replace("&#39;", "'").split(";"))
    assert rules["default-src"] == "'none'" and "unsafe" not in found[1] and not set(rules) & set(LOOSER)
    for tag, rule in (("script", "script-src"), ("style", "style-src")):
        inside = [
            text for kind, text in re.findall(rf"<{tag}([^>]*)>(.*?)</{tag}>", page, re.DOTALL) if "type=" not in kind
        ]
        assert len(inside) > 2
        for text in inside:
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in rules[rule]
    assert not re.search(r"<[^>]*\s(on[a-z]+|style)=", re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL))
