"""A dense curve: an answer forced every k tokens along one thought, so that accuracy over thinking has no gaps.

It is a sweep whose budgets stand close together: one trunk, and a branch for the answer at each step.
"""

from __future__ import annotations

from dataclasses import replace

from harness.config import Budget
from harness.errors import UserError


def dense_budgets(longest: Budget, every: int, start: int = 0) -> tuple[Budget, ...]:
    """The budgets `start`, `start` + `every`, ... up to that of `longest`, which is always among them.

    Past a thought's own end they all stop there and share its answer, at no cost. Raises `UserError`.
    """
    last = longest.max_thinking_tokens
    if last == "auto":
        raise UserError("a dense curve needs max_thinking_tokens as a number: where it ends")
    if every <= 0 or start < 0:
        raise UserError(
            f"a dense curve takes steps of 1 token or more from 0 or more; got every={every}, start={start}"
        )
    counts = [*range(start, last, every), last]
    return tuple(replace(longest, max_thinking_tokens=count) for count in counts)
