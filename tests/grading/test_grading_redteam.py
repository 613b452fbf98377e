"""Cases written against the grader without a look at its code; each of these once found a fault in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.grading import grade, grade_answer

CORPUS = Path(__file__).parent / "corpus" / "redteam.jsonl"
CASES = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['gold']}|{case['text'][-40:]}")
def test_what_once_fooled_the_grader_does_so_no_more(case: dict[str, Any]) -> None:
    """`as` says how the text reads: an answer, a whole response or a response to a multiple choice question."""
    judged = {
        "answer": lambda: grade_answer(case["text"], case["gold"]),
        "response": lambda: grade(case["text"], case["gold"]),
        "choice": lambda: grade(case["text"], case["gold"], "choice"),
    }[case["as"]]()
    assert (judged.status == "correct") == case["correct"], judged


def test_both_verdicts_are_in_the_corpus() -> None:
    assert {case["correct"] for case in CASES} == {True, False}
    assert {case["as"] for case in CASES} == {"answer", "response", "choice"}
