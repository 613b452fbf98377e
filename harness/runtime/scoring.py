"""From a generation to its verdict: the one place where the pipeline and the audit ask the grader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.grading import grade
from harness.grading.verdict import Verdict
from harness.records import Generation, Problem


def score(problem: Problem, generation: Generation) -> Verdict:
    """The grader's verdict on one generation. A generation that failed in the engine has no answer."""
    if generation.error:
        return Verdict("no_answer", None, f"generation failed: {generation.error}")
    found = _score(problem, generation.answer_part, generation.answer_finish)
    if generation.thinking_finish == "rejected" and found.status == "no_answer":
        rejected = f"none of {generation.num_attempts} attempts fits {generation.budget_tokens} thinking tokens"
        return replace(found, reason=rejected)
    return found


def score_row(row: Mapping[str, Any]) -> Verdict:
    """What the grader says today of a stored row (`records.SAMPLE_SCHEMA`)."""
    problem = Problem(
        row["problem_id"], row["task"], row["question"], row["gold"], row["kind"], tuple(row["choices"] or ())
    )
    return _score(problem, row["closing"] + row["answer"], row["answer_finish"])


def _score(problem: Problem, answer_part: str, answer_finish: str) -> Verdict:
    final = answer_finish != "length"  # cut by its cap: an answer that is missing is `truncated`
    return grade(
        answer_part, problem.gold, problem.kind, choices=problem.choices, final=final, question=problem.question
    )
