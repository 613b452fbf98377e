"""Options of a multiple choice question: their order and their prompt.

The order is a function of (problem id, seed) and of nothing else: option texts are sorted by
sha256("{seed}|{problem id}|{text}"), so every machine and every run sits the same exam (s1's task shuffled without a
seed). Ties, that is equal texts, keep their given order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from harness.errors import UserError
from harness.questions import LETTERS


def shuffled_choices(
    problem_id: str, correct: str, incorrect: Sequence[str], seed: int = 0
) -> tuple[tuple[str, ...], str]:
    """(options in the order shown, letter of the correct one) of the exam `seed`."""
    if not problem_id:
        raise UserError("a multiple choice question needs an id: its option order is derived from it")
    if len(incorrect) + 1 > len(LETTERS):
        raise UserError(f"{problem_id}: {len(incorrect) + 1} options, at most {len(LETTERS)} have a letter")
    options = (correct, *incorrect)
    keys = [hashlib.sha256(f"{seed}|{problem_id}|{text}".encode("utf-8", "surrogatepass")).digest() for text in options]
    order = sorted(range(len(options)), key=lambda k: (keys[k], k))
    return tuple(options[k] for k in order), LETTERS[order.index(0)]


def format_choices(question: str, options: Sequence[str]) -> str:
    r"""The prompt text of a question with its options, one per line, as s1's evaluation has it: `{Q}\n\nA) ...`."""
    lines = [f"{letter}) {text}" for letter, text in zip(LETTERS[: len(options)], options, strict=True)]
    return f"{question}\n\n" + "\n".join(lines)
