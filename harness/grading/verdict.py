"""What the grader says about one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` is one of `harness.records.STATUSES`; `tier` names the cheapest comparison that decided.

    Tiers: extract (nothing to compare), string, rational, numeric, structure, text, symbolic, choice, limit.
    """

    status: str
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
