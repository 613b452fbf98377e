"""Loop detection: a thought that says the same thing again and again.

s1, section 6.2: suppressing the end of thinking too often "can lead the model into repetitive loops".
"""

from __future__ import annotations

from collections.abc import Sequence

NGRAM = 8  # tokens; long enough that formulae and enumerations do not count
WINDOW = 256  # tokens looked back over
THRESHOLD = 0.75  # share of n-grams in the window that were there before: each stands there four times on average
INTERVAL = 64  # tokens between two checks


def repetition(ids: Sequence[int], ngram: int = NGRAM) -> float:
    """The share of `ids`' n-grams that repeat an earlier one, 0 (all distinct) to nearly 1."""
    total = len(ids) - ngram + 1
    if total <= 0:
        return 0.0
    return 1.0 - len({tuple(ids[i : i + ngram]) for i in range(total)}) / total


def loops_at(ids: Sequence[int], length: int) -> bool:
    """Whether the first `length` ids end in a loop.

    Only looked at every `INTERVAL` tokens, so that the verdict on a thought does not depend on how an engine hands its
    tokens over.
    """
    if length < WINDOW or length % INTERVAL:
        return False
    return repetition(ids[length - WINDOW : length]) >= THRESHOLD


def is_looping(ids: Sequence[int]) -> bool:
    """Whether a loop shows anywhere in `ids`."""
    return any(loops_at(ids, length) for length in range(WINDOW, len(ids) + 1, INTERVAL))
