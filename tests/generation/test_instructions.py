"""The prompts of the conditional methods, word for word (s1's lm-eval tasks)."""

from __future__ import annotations

import pytest

from harness.config import Budget, Method
from harness.errors import UserError
from harness.generation.instructions import instruct


@pytest.mark.parametrize(
    ("budget", "question"),
    [
        (Budget(2048, method="token_conditional", instructed="2048"), "Q\n\nThink for up to 2048 tokens."),
        (Budget("auto", method="step_conditional", instructed="64"), "Q\n\nThink for up to 64 steps."),
        (
            Budget(method="class_conditional", instructed="short"),
            "Q\n\nAnswer after a short amount of thinking. Do not spend excessive time double-checking your work.",
        ),
        (
            Budget(method="class_conditional", instructed="long"),
            "Q\n\nAnswer after a long amount of thinking. If you feel like you are finished early, spend the extra "
            "time trying to double-check your work until you are absolutely sure that you have the correct answer.",
        ),
        (Budget(500, 2), "Q"),
        (Budget(method="no_thinking"), "Q"),
    ],
)
def test_the_instruction_is_s1s(budget: Budget, question: str) -> None:
    assert instruct("Q", budget) == question


@pytest.mark.parametrize(
    ("method", "instructed", "match"),
    [
        ("token_conditional", None, "needs instructed=N"),
        ("step_conditional", "many", "needs instructed=N"),
        ("class_conditional", "longg", "did you mean 'long'"),
    ],
)
def test_an_instruction_that_says_nothing_is_refused(method: Method, instructed: str | None, match: str) -> None:
    with pytest.raises(UserError, match=match):
        Budget(method=method, instructed=instructed)
