"""Loop detection: a thought that says the same thing again and again.

s1, section 6.2: suppressing the end of thinking too often "can lead the model into repetitive loops". A window of W
tokens sees cycles of up to W / 4, so there are several: models repeat a word as they repeat a page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

NGRAM = 8  # tokens, a power of two; long enough that formulae and enumerations do not count
WINDOWS = (96, 256, 1024, 4096)  # tokens looked back over
THRESHOLD = 0.75  # share of a window's n-grams that stand in it before: each is there four times on average
CHECKS = 4  # looks at a window, in the time that it takes to move by its length
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # odd: products with it keep all 64 bits of what they mix


def repetition(ids: Sequence[int], ngram: int = NGRAM) -> float:
    """The share of `ids`' n-grams that repeat an earlier one, 0 (all distinct) to nearly 1."""
    total = len(ids) - ngram + 1
    if total <= 0:
        return 0.0
    return 1.0 - len({tuple(ids[i : i + ngram]) for i in range(total)}) / total


def loops_at(ids: Sequence[int], length: int) -> bool:
    """Whether the first `length` ids end in a loop.

    A window is only looked at every quarter of its length, so that the verdict on a thought does not depend on how an
    engine hands its tokens over.
    """
    due = [window for window in WINDOWS if length >= window and length % (window // CHECKS) == 0]
    if not due:
        return False
    ngrams = _ngrams(ids[length - due[-1] : length])
    return any(_repeats(ngrams[len(ngrams) - (window - NGRAM + 1) :]) >= _needed(window) for window in due)


def is_looping(ids: Sequence[int]) -> bool:
    """Whether a loop shows anywhere in `ids`: `loops_at` at one of their lengths."""
    if len(ids) < WINDOWS[0]:
        return False
    ngrams = _ngrams(ids)
    if _repeats(ngrams) < _needed(WINDOWS[0]):
        return False  # most thoughts: not even all together are enough for the smallest window
    before = _before(ngrams)
    places = np.arange(len(ngrams))
    for window in WINDOWS:
        size, step = window - NGRAM + 1, window // CHECKS
        if len(ngrams) < size:
            break
        # An n-gram at i repeats in each window that begins after i - size and not after its last place before.
        first = np.maximum(places - size + 1, 0)
        inside = before >= first
        change = np.bincount(first[inside], minlength=len(ngrams) + 1)
        change -= np.bincount(before[inside] + 1, minlength=len(ngrams) + 1)
        repeats = np.cumsum(change)[: len(ngrams) - size + 1]
        if (repeats[-window % step :: step] >= _needed(window)).any():
            return True
    return False


def _needed(window: int) -> float:
    return THRESHOLD * (window - NGRAM + 1)


def _ngrams(ids: Sequence[int]) -> Any:
    """A number for each n-gram of `ids`; equal n-grams have equal numbers, others but once in 2^64."""
    mixed, length = np.asarray(ids, dtype=np.uint64), 1
    while length < NGRAM:  # of two halves, each of which has its number already
        left, right = mixed[: len(mixed) - length], mixed[length:]
        mixed = (left * MULTIPLIER ^ right) * MULTIPLIER
        mixed ^= mixed >> np.uint64(32)
        length *= 2
    return mixed


def _before(ngrams: Any) -> Any:
    """For each place the last one before it with the same n-gram; -1 for the first."""
    order = np.argsort(ngrams, kind="stable")
    before = np.full(len(ngrams), -1)
    same = ngrams[order[1:]] == ngrams[order[:-1]]
    before[order[1:][same]] = order[:-1][same]
    return before


def _repeats(ngrams: Any) -> int:
    ordered = np.sort(ngrams)
    return int(np.count_nonzero(ordered[1:] == ordered[:-1]))
