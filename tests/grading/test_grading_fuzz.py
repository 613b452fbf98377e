"""Fuzzing: any text ends in a status, verdicts are symmetric, and what once broke stays in the corpus."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.grading import grade, grade_answer
from harness.grading.grader import INTERNAL
from harness.grading.verdict import STATUSES

CORPUS = Path(__file__).parent / "corpus" / "fuzz.jsonl"
PIECES = (CORPUS.parent / "pieces.txt").read_text(encoding="utf-8").split()
soup = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3)), max_size=14).map(" ".join)
anything = st.one_of(st.text(max_size=60), soup, soup.map(lambda s: s.replace(" ", "")))
numbers = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.fractions(max_denominator=99).map(lambda q: f"\\frac{{{q.numerator}}}{{{q.denominator}}}"),
    st.decimals(-99, 99, places=2).map(str),
    st.integers(2, 99).map(lambda n: f"{n}\\sqrt{{{n + 1}}}"),
)
FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FUZZ
@given(anything, anything)
@example("⓼", "\\frac⓼2")
@example("", "\\! \\\\")
@example("\ud800", "\x00")
def test_any_text_ends_in_a_status_and_verdicts_are_symmetric(a: str, b: str) -> None:
    one, other = grade_answer(a, b), grade_answer(b, a)
    assert one.status in STATUSES and INTERNAL not in one.reason, one
    if one.correct is not None and other.correct is not None:
        assert one.correct == other.correct, (a, b, one, other)


@FUZZ
@given(anything)
def test_any_response_ends_in_a_status(text: str) -> None:
    for verdict in (grade(text, "5"), grade(text, "B", "choice"), grade(text, "5", final=False)):
        assert verdict.status in STATUSES and INTERNAL not in verdict.reason, verdict


@FUZZ
@given(anything)
def test_an_answer_equals_itself_or_cannot_be_read(text: str) -> None:
    assert grade_answer(text, text).status in ("correct", "no_answer", "gold_unparseable")


@FUZZ
@given(st.fractions(max_denominator=10**4), st.fractions(max_denominator=10**4))
def test_rationals_are_equal_exactly_when_they_are(p: Fraction, q: Fraction) -> None:
    left, right = f"\\frac{{{p.numerator}}}{{{p.denominator}}}", f"{q.numerator}/{q.denominator}"
    assert grade_answer(left, right).correct is (p == q)


@FUZZ
@given(numbers, numbers, numbers)
def test_equality_is_transitive_on_numbers(a: str, b: str, c: str) -> None:
    if grade_answer(a, b).correct and grade_answer(b, c).correct:
        assert grade_answer(a, c).correct is True


@FUZZ
@given(st.lists(st.integers(-99, 99), min_size=2, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_sets_is_free_and_of_tuples_it_is_not(items: list[int], rng: Any) -> None:
    shuffled = list(items)
    rng.shuffle(shuffled)
    one, two = (", ".join(map(str, xs)) for xs in (items, shuffled))
    assert grade_answer(f"\\{{{two}\\}}", f"\\{{{one}\\}}").correct is True
    assert grade_answer(two, one).correct is True
    assert grade_answer(f"({two})", f"({one})").correct is (items == shuffled)


def corpus() -> list[list[str]]:
    return [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("pair", corpus(), ids=str)
def test_what_fuzzing_once_found_stays_mended(pair: list[str]) -> None:
    a, b = pair
    one, other = grade_answer(a, b), grade_answer(b, a)
    assert INTERNAL not in one.reason + other.reason
    if one.correct is not None and other.correct is not None:
        assert one.correct == other.correct
    assert INTERNAL not in grade(a, b).reason + grade(a, "B", "choice").reason


LONG = {
    "words before many spaces": "so" + " " * 9_000 + "x answer",
    "a word and many commas": "appro" + ", " * 4_900,
    "a currency behind digits": "9" * 9_900 + "€",
    "a currency before digits": "€" + "9" * 9_900,
    "ten thousands": "1万" * 4_900,
    "digits before a Chinese unit": "9" * 9_900 + "万",
    "letters of parts": "(a) 1 " * 1_600,
    "conditions in calls": "P(A|" * 2_000,
    "derivatives": "\\frac{d}{dx}" * 900 + "x",
}


@pytest.mark.parametrize("kind", LONG)
def test_a_long_answer_costs_little_work_whatever_it_repeats(kind: str) -> None:
    start = time.process_time()
    assert grade_answer(LONG[kind], "5").correct is not True
    assert grade_answer("5", LONG[kind]).correct is not True
    assert time.process_time() - start < 1.0
