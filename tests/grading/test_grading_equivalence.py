"""Pairs that are equal, pairs that are not, the policy table, and what must hold of every verdict."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.grading import grade, grade_answer
from harness.grading.conventions import CONVENTIONS, table
from harness.grading.verdict import STATUSES

CORPUS = Path(__file__).parent / "corpus"


def pairs(name: str) -> list[tuple[str, str]]:
    """(gold, answer) of a corpus file, in both directions."""
    lines = (CORPUS / name).read_text(encoding="utf-8").splitlines()
    split = [line.split(" ~", 1) for line in lines if " ~" in line and not line.startswith("#")]
    return [pair for gold, answer in split for pair in ((gold, answer.strip()), (answer.strip(), gold))]


@pytest.mark.parametrize(("gold", "answer"), pairs("equal.txt"))
def test_equal_pairs_are_accepted_in_both_directions(gold: str, answer: str) -> None:
    verdict = grade_answer(answer, gold)
    assert verdict.status == "correct", verdict


@pytest.mark.parametrize(("gold", "answer"), pairs("different.txt"))
def test_different_pairs_are_refused_in_both_directions(gold: str, answer: str) -> None:
    verdict = grade_answer(answer, gold)
    assert verdict.correct is not True, verdict


ONE_WAY = [json.loads(line) for line in (CORPUS / "gold_and_answer.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", ONE_WAY, ids=lambda case: f"{case['gold']}|{case['answer']}")
def test_gold_and_answer_are_told_apart_where_their_meaning_differs(case: dict[str, Any]) -> None:
    verdict = grade_answer(case["answer"], case["gold"])
    assert verdict.correct is case["correct"], verdict


def styled() -> dict[str, list[tuple[str, str, bool]]]:
    """(gold, answer, equal) of styles.txt by its sections."""
    found: dict[str, list[tuple[str, str, bool]]] = {}
    section = ""
    for line in (CORPUS / "styles.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            section = line[2:]
        elif line:
            gold, answer = line[2:].split(" ~ ", 1)
            found.setdefault(section, []).append((gold, answer, line[0] == "="))
    return found


STYLES = styled()


@pytest.mark.parametrize("section", STYLES)
def test_answers_in_many_styles_are_graded_as_a_mathematician_would(section: str) -> None:
    wrong = [(g, a, equal) for g, a, equal in STYLES[section] if (grade_answer(a, g).correct is True) != equal]
    assert wrong == []


def test_a_bare_answer_as_the_whole_response_is_graded_like_the_answer() -> None:
    refused = [p for p in pairs("equal.txt") if grade(p[1], p[0]).correct is not True]
    assert refused == []
    assert not [p for p in pairs("different.txt") if grade(p[1], p[0]).correct]


@pytest.mark.parametrize("convention", CONVENTIONS, ids=lambda c: c.name)
def test_every_convention_does_what_the_table_says_and_strict_turns_it_off(convention: Any) -> None:
    for answer, gold in convention.accepts:
        assert grade_answer(answer, gold).correct is True, (answer, gold)
        assert grade_answer(gold, answer).correct is True, (gold, answer)
        assert grade_answer(answer, gold, strict=True).correct is not True, ("strict", answer, gold)
    for answer, gold in convention.refuses:
        assert grade_answer(answer, gold).correct is not True, (answer, gold)


def test_the_policy_table_names_every_switch_once() -> None:
    from dataclasses import fields

    from harness.grading.conventions import Policy

    assert sorted(c.name for c in CONVENTIONS) == sorted(f.name for f in fields(Policy))
    assert len(table()) == 2 + len(CONVENTIONS)


def test_strict_keeps_what_is_mathematics_and_no_convention() -> None:
    for answer, gold in (("0.5", "\\frac12"), ("x^2+2x+1", "(x+1)^2"), ("2\\sqrt2", "\\sqrt8"), ("1,000", "1000")):
        assert grade_answer(answer, gold, strict=True).correct is True, (answer, gold)


@pytest.mark.parametrize(
    ("answer", "gold", "tier"),
    [
        ("$5$", "5", "string"),
        ("5.0", "5", "rational"),
        ("\\frac{10}{4}", "2.5", "rational"),
        ("2\\sqrt2", "\\sqrt8", "numeric"),
        ("\\{2,1\\}", "1,2", "structure"),
        ("East", "\\text{east}", "text"),
        ("\\int_0^1 2x\\,dx", "1", "symbolic"),
    ],
)
def test_the_cheapest_tier_that_can_tell_decides(answer: str, gold: str, tier: str) -> None:
    verdict = grade_answer(answer, gold)
    assert (verdict.status, verdict.tier) == ("correct", tier)


def test_a_near_miss_is_a_miss_at_any_size() -> None:
    for gold, answer in (("10^{100}", "10^{100}+1"), ("1", "1+10^{-45}"), ("\\sqrt{10^{60}+1}", "10^{30}")):
        assert grade_answer(answer, gold).correct is False, (gold, answer)


def test_a_gold_that_cannot_be_read_leaves_the_denominator() -> None:
    verdict = grade_answer("5", "\\nosuchcommand{")
    assert verdict.status == "gold_unparseable" and verdict.correct is None


def test_a_gold_that_cannot_be_read_still_equals_its_own_text() -> None:
    gold = "\\begin{cases} x & x>0 \\\\ 0 & x \\le 0 \\end{cases}"
    assert grade_answer(gold.replace(" ", ""), gold).correct is True


def test_verdicts_are_deterministic_and_of_the_records_vocabulary() -> None:
    from harness.grading.grader import CACHE

    sample = pairs("equal.txt")[::7] + pairs("different.txt")[::5]
    first = [grade_answer(answer, gold) for gold, answer in sample]
    CACHE.verdicts.clear()
    second = [grade_answer(answer, gold) for gold, answer in sample]
    assert first == second
    assert {v.status for v in first} <= set(STATUSES)
    assert all(v.reason and v.tier for v in first)


def test_importing_the_grader_does_not_import_sympy_or_mpmath() -> None:
    import subprocess
    import sys

    code = "import sys, harness.grading; print([m for m in ('sympy', 'mpmath') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
