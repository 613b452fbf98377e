"""What the grader says about one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from harness.questions import Kind

__all__ = ["STATUSES", "Kind", "Status", "Verdict"]

# How a comparison came out: gold_unparseable is excluded from accuracy, all others but `correct` count as wrong.
Status = Literal[
    "correct",
    "incorrect",
    "no_answer",  # the answer part holds no answer
    "ambiguous",  # the answer part states two answers and commits to neither
    "truncated",  # generation was cut before an answer was given
    "answer_unparseable",
    "answer_timeout",
    "undecided",  # neither arithmetic nor sympy can prove or refute that answer and gold are equal
    "gold_unparseable",
]
STATUSES: tuple[Status, ...] = get_args(Status)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` says how it came out; `tier` names the cheapest comparison that decided.

    Tiers: extract (nothing to compare), string, rational, numeric, structure, text, symbolic, choice, limit.
    """

    status: Status
    extracted: str | None
    reason: str
    tier: str = ""

    @property
    def correct(self) -> bool | None:
        """None where the gold answer cannot be parsed: the row is excluded from accuracy."""
        return None if self.status == "gold_unparseable" else self.status == "correct"

    @property
    def columns(self) -> dict[str, Any]:
        """The verdict as the columns of a stored sample and of a graded file."""
        return {
            "status": self.status,
            "extracted": self.extracted,
            "correct": self.correct,
            "reason": self.reason,
            "tier": self.tier,
        }
