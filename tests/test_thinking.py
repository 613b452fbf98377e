"""Where a thought ends: one table of marks that every reader of text uses, and none where the border is known."""

from __future__ import annotations

from typing import Any

import pytest

import tests.made_up_study as made_up
from harness.config import Budget
from harness.records import Generation, Problem
from harness.runtime.scoring import score, score_row
from harness.thinking import thinking_format

OWN = thinking_format('["<<plan>>", "<<say>>", "Final Answer:", "<<say>>"]')  # marks that no table knows
PROBLEM = Problem("p", "quick", "2 + 3 = ?", "5", "math")


def generation(thinking: str, closing: str, answer: str, finish: str = "stop") -> Generation:
    return Generation(
        problem_id="p",
        budget=Budget(),
        sample_index=0,
        seed=0,
        prompt_ids=(1,),
        thinking_ids=(2,),
        closing_ids=(3,),
        answer_ids=(4,),
        forced_spans=(),
        prompt="",
        thinking=thinking,
        closing=closing,
        answer=answer,
        budget_tokens=9,
        num_rounds=1,
        thinking_finish="stop",
        answer_finish=finish,
        forced_end=False,
    )


def as_row(made: Generation) -> dict[str, Any]:
    return made_up.sample(
        gold="5",
        kind="math",
        thinking=made.thinking,
        closing=made.closing,
        answer=made.answer,
        answer_finish=made.answer_finish,
    )


ANSWERS = {
    "no answer is given": ("I guess \\boxed{5}.", OWN.thinking_end, "I do not know.", "stop", "no_answer"),
    "another answer is given": ("I guess \\boxed{5}.", OWN.thinking_end, "\\boxed{6}", "stop", "incorrect"),
    "a right answer after a wrong thought": ("So \\boxed{6}?", OWN.thinking_end, "\\boxed{5}", "stop", "correct"),
    "the thought was cut": ("I guess \\boxed{5}.", "", "", "length", "truncated"),
    "a forced end": ("So \\boxed{6}", f"\n{OWN.thinking_end}\nFinal Answer:", " 5", "stop", "correct"),
    "s1's own marks": ("I guess \\boxed{5}.", "<|im_start|>answer", "\nIt is 6.", "stop", "incorrect"),
    "no thinking at all": ("", "", "The answer is 5.", "stop", "correct"),
}


@pytest.mark.parametrize(("thinking", "closing", "answer", "finish", "status"), ANSWERS.values(), ids=ANSWERS)
def test_the_known_answer_part_is_graded_whatever_the_format_calls_its_marks(
    thinking: Any, closing: Any, answer: Any, finish: Any, status: Any
) -> None:
    made = generation(thinking, closing, answer, finish)
    assert score(PROBLEM, made).status == status
    assert score_row(as_row(made)) == score(PROBLEM, made)  # the audit reads what the pipeline read
