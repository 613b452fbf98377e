"""harness.data.quality and fixes: what is dropped and why, what is repaired."""

from __future__ import annotations

import pytest

from harness.data import quality
from harness.data import repairs as fixes
from harness.errors import UserError
from tests.pools import row, shared

LONG = "The server answers with status 500 here, which is the point of the problem. " * 10


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"thinking": "\n "}, "no thinking"),
        ({"attempt": "", "answer": " "}, "no answer"),
        ({"attempt": "", "answer": "4"}, None),
        ({"thinking": "Error code: 429 - too many requests"}, "API error"),
        ({"attempt": "503 Service Unavailable"}, "API error"),
        ({"attempt": "finish_reason: RECITATION"}, "API error"),
        ({"thinking": LONG}, None),  # it only speaks of one
        ({"thinking": "A circle of radius 500 is drawn."}, None),
        ({"question": "Find x. ![](https://cdn.example/x.png)"}, "image reference"),
        ({"thinking": "As in <img src='a.gif'> we see"}, "image reference"),
        ({"thinking": "As in <IMG SRC='a.gif'> we see"}, "image reference"),
        ({"thinking": "See \\IncludeGraphics[width=3cm]{f}"}, "image reference"),
        ({"attempt": "It is at HTTPS://A.B/C.PNG"}, "image reference"),
        ({"attempt": "[Figure] and [x]"}, "image reference"),
        ({"thinking": "Look: ![IMAGE]"}, "image reference"),
        ({"thinking": "http://a.b/c is no picture; what! [a] <i>b</i>"}, None),
        ({"question": "In the figure below, AB = 3. Find BC."}, "image reference"),
        ({"question": "In the figure below, AB = 3. [asy] draw(A--B); [/asy]"}, "ASCII art"),
        ({"question": "Find AB. [asy] draw(A--B); [/asy]", "source": "AIME 1983-2021"}, None),
        ({"question": "Solve:\n+---+---+\n| 1 | 2 |\n+---+---+\n| 3 | ? |\n+---+---+\n"}, "ASCII art"),
        ({"question": "Use:\n| n | f |\n|---|---|\n| 1 | 2 |\n| 2 | 4 |\n"}, None),  # a Markdown table is text
        ({"question": "┌──┐\n│ab│\n└──┘ what is it?"}, "ASCII art"),
        ({"question": "Compute the product.\n\\begin{array}{c|c}1 & 2\\\\ \\hline 3 & 4\\end{array}"}, None),
        ({"question": "p12. How many apples are there?"}, "formatting"),
        ({"question": "Let $p_1.$ be prime; compute p."}, None),
        ({"question": "**3A.** How many?"}, "formatting"),
        ({"question": "**Note** that 3 apples are left."}, None),
        ({"question": "What is \x08inom{3}{2}?"}, "formatting"),
        ({"thinking": "So <|im_start|>answer 4"}, "formatting"),
    ],
)
def test_each_rule_drops_what_it_names_and_nothing_beside_it(changes: dict[str, str], why: str | None) -> None:
    assert quality.why_dropped(row(1, **changes)) == why


@pytest.mark.parametrize(
    ("correct", "by", "expected"),
    [
        ([True, False], "any", True),
        ([True, False], "all", False),
        ([True, True], "all", True),
        ([False, False], "any", False),
        ([None, True], "any", True),
        ([None, True], "all", False),
        ([None, None], "any", None),
        (None, "any", None),
        ([], "all", None),
    ],
)
def test_a_question_is_solved_by_any_or_by_all_models(
    correct: list[bool | None] | None, by: str, expected: object
) -> None:
    assert quality.solved(correct, by) is expected  # type: ignore[arg-type]


def test_another_difficulty_rule_is_the_users_error() -> None:
    with pytest.raises(UserError, match="'both' is neither"):
        quality.solved([True], "both")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected", "names"),
    [
        ("a\u00a0b\u3000c\u2009d\u200be", "a b c de", ["unicode spaces"]),
        ("\x08inom{4}{2} + \x0crac12", "\\binom{4}{2} + \\frac12", ["control characters"]),
        ("2 \times 3, \right) and \text{ cm}", "2 \\times 3, \\right) and \\text{ cm}", ["control characters"]),
        ("a\tb\r\nc", "a\tb\nc", ["line ends"]),
        ("See ![fig](http://x/y.png) here", "See [image] here", ["image links"]),
        ("Plain $x$.", "Plain $x$.", []),
    ],
)
def test_text_is_repaired_and_the_repair_named(text: str, expected: str, names: list[str]) -> None:
    assert fixes.repair(text) == (expected, names)


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("The diagram below shows a square.", True),
        ("As shown below, two circles touch.", True),
        ("In the figure, AB = 3.", True),
        ("The graph shown has 3 edges.", True),
        ("THE IMAGE ABOVE has two circles.", True),
        ("A square is pictured here, drawn here and shown above.", True),
        ("As \u017fhown above, two circles touch.", True),  # which the pattern takes for an s
        ("The diagram below: [asy] draw(A); [/asy]", False),
        ("Figure out the sum of 3 and 4.", False),
        ("The values below 10 are dropped.", False),
    ],
)
def test_a_question_that_leans_on_an_absent_figure_is_known(question: str, missing: bool) -> None:
    assert fixes.misses_figure(question) is missing


def test_aime24_figures_problem_11_gets_its_backslash_back() -> None:
    text = shared("tasks", "aime24_figures.jsonl").read_text(encoding="utf-8")
    import json

    problems = [json.loads(line) for line in text.splitlines() if line]
    broken = [value for one in problems for value in one.values() if isinstance(value, str) and "\x08" in value]
    assert len(broken) == 1  # SOURCES.md
    repaired, names = fixes.repair(broken[0])
    assert "\x08" not in repaired
    assert "control characters" in names
    assert "\\b" in repaired


def test_no_rule_but_the_figure_rules_fires_on_the_real_pool() -> None:
    from harness.data import load as pool

    reasons = [quality.why_dropped(one) for one in pool.load("sft_pool", shared("sft_pool").parent)]
    counted = {why: reasons.count(why) for why in set(reasons)}
    assert set(counted) <= {None, "no thinking", "ASCII art", "image reference"}
    assert counted["no thinking"] == 5
    assert counted["ASCII art"] == 164  # [asy] in the question
