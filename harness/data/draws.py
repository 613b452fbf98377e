"""Seeded draws: every one is a sha256 of (seed, purpose, number or row id); no floating-point number decides."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import count

from harness.errors import UserError

Picked = tuple[list[int], dict[str, int]]  # positions in the candidates, in order; and counts per stage


@dataclass
class Draw:
    """Seeded draws. `purpose` keeps the streams apart, so that one more draw in one changes no other."""

    seed: int
    purpose: str
    _number: count[int] = field(default_factory=count)

    def key(self, row_id: str) -> bytes:
        """A row's place in a random order."""
        return hashlib.sha256(f"{self.seed}\0{self.purpose}\0row\0{row_id}".encode()).digest()

    def _bits(self) -> int:
        text = f"{self.seed}\0{self.purpose}\0draw\0{next(self._number)}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")

    def below(self, bound: int) -> int:
        """Uniform in 0 .. bound - 1 (256 random bits: the bias is below 2^-200)."""
        return self._bits() % bound

    def rank(self, bound: int) -> int:
        """A rank of 0 to bound - 1, with chances in proportion to 2^-rank.

        It is the number of leading zeros of random bits, drawn again when there are too many.
        """
        while (zeros := 256 - self._bits().bit_length()) >= bound:
            pass
        return zeros


def too_small(selection: str, size: int, available: int, stages: dict[str, int]) -> UserError:
    """The error for a selection larger than what it may draw from."""
    left = {name: number for name, number in stages.items() if number >= available and not name.startswith("of these")}
    path = " -> ".join(f"{number} {name}" for name, number in left.items())
    return UserError(
        f"selection {selection} of {size} rows is larger than its pool: {available} rows are left ({path}); "
        f"ask for {available} or fewer, or give a larger pool"
    )
