"""Labelled cases, the tasks' own golds and real outputs: accuracy, and speed against Math-Verify."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.grading import grade, grade_answer
from harness.grading.grader import CACHE

SHARED = Path(__file__).resolve().parents[3] / "shared"
CASES = SHARED / "cases"
TASKS = SHARED / "data" / "tasks"
OUTPUTS = SHARED / "data" / "outputs"


def rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        pytest.skip(f"{path} is not there; these cases are not part of the repository")
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def wrong_verdicts(name: str) -> tuple[int, list[str]]:
    """(number of rows without a convention question, what we got wrong among them)."""
    total, wrong = 0, []
    for row in rows(CASES / f"{name}.jsonl"):
        if row["policy"]:
            continue
        total += 1
        judge = grade if row["kind"] == "response" else grade_answer
        verdict = judge(row["response_or_answer"], row["gold"], "choice" if row["task"] == "mcq" else "math")
        if bool(verdict.correct) != row["label"]:
            wrong.append(f"{row['gold']!r} against {row['response_or_answer'][:120]!r}: {verdict}")
    return total, wrong


# Share of right verdicts that must be reached; the best peer measured on each is below it.
@pytest.mark.parametrize(
    ("name", "at_least"),
    [
        ("real_pairs", 0.995),
        ("responses", 0.996),
        ("math500_gold_mutations", 1.0),
        ("unit", 0.99),
        ("issues", 1.0),
        ("families", 1.0),
        ("adversarial", 0.995),
        ("gpqa_formats", 0.995),
    ],
)
def test_the_labelled_cases_are_graded_better_than_by_any_peer(name: str, at_least: float) -> None:
    total, wrong = wrong_verdicts(name)
    assert 1 - len(wrong) / total >= at_least, "\n".join(wrong)


def test_every_gold_of_math500_and_aime24_passes_its_own_grader() -> None:
    failed: list[tuple[Any, ...]] = []
    for row in rows(TASKS / "math500.jsonl"):
        for verdict in (grade_answer(row["answer"], row["answer"]), grade(row["solution"], row["answer"])):
            if verdict.correct is not True:
                failed.append((row["unique_id"], row["answer"], verdict))
        # A gold that no parser reads would be equal to its own text alone.
        if grade_answer("\\text{zebra}", row["answer"]).status != "incorrect":
            failed.append((row["unique_id"], row["answer"], "the gold is not read"))
    for name in ("aime24_nofigures", "aime24_figures"):
        for row in rows(TASKS / f"{name}.jsonl"):
            if grade(f"\\boxed{{{row['answer']}}}", str(row["answer"]), "integer").correct is not True:
                failed.append((name, row["answer"], ""))
    assert not failed


def test_the_whole_math500_of_two_models_agrees_with_its_log_but_for_known_rows() -> None:
    """Every row that differs was looked at one by one; a new one must be too."""
    known = {
        "math500_Qwen2.5-14B-Instruct": {184, 198, 217, 284},
        "math500_Qwen2.5-Math-7B": {5, 198, 296},
    }
    for name, expected in known.items():
        differ = set()
        for row in rows(OUTPUTS / f"{name}.jsonl"):
            if bool(grade(row["code"][0], row["answer"]).correct) != bool(row["score"][0]):
                differ.add(row["idx"])
        assert differ <= expected, (name, differ - expected)


def test_real_responses_take_microseconds_and_none_takes_long() -> None:
    pairs = []
    for row in rows(OUTPUTS / "math500_Qwen2.5-14B-Instruct.jsonl"):
        pairs.append((row["code"][0], row["answer"]))
    grade("\\boxed{\\sqrt{8}}", "2\\sqrt{2}")  # mpmath's import is not what is measured
    CACHE.verdicts.clear()
    seconds = []
    for response, gold in pairs:
        start = time.process_time()
        grade(response, gold)
        seconds.append(time.process_time() - start)
    seconds.sort()
    assert seconds[len(seconds) // 2] < 300e-6  # measured 31 microseconds; room for a busy machine
    assert seconds[int(len(seconds) * 0.99)] < 30e-3
