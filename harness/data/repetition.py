"""Loops in a trace: words or lines again and again, texts that pack to nearly nothing, lines that differ by a number.

"Wait, let me check 17. Wait, let me check 18." goes on for ever and says nothing, but cases in a row look like it. The
limits are those of 4,444 public traces (sft_pool, and outputs of five models on AIME24 and MATH): what their authors
meant has 56 cases at most, and 2,400 characters; what never ends has 103 and more, and 9,000 characters.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from harness.generation.loops import is_looping

# A loop of any period, in words or not, packs to a few hundredths; of 2,554 public traces without one none below 0.079.
SQUEEZED, SQUEEZED_SIZES = 0.07, (512, 1024, 2048, 4096, 8192, 16384)  # bytes
SENTENCE_ENDS = (b". ", b"? ", b"! ", b"; ", b": ")
WIDE_ENDS = tuple(end.encode() for end in "。？！；：")
ONE_DIGIT = bytes.maketrans(b"123456789", b"0" * 9)
NUMBER = re.compile(rb"\d+(?:[.,]\d+)*")
COMMAND = re.compile(r"\\[A-Za-z]+")
LONGEST_PERIOD = 12  # sentences that come again together
MIN_CYCLES = 32  # of the sentences that come again
MIN_LETTERS = 6  # bytes, of a cycle whose numbers are counted up, without LaTeX's commands: a table of numbers has less
MIN_BYTES = 5000  # of all cycles, where the numbers are not counted up: something may be worked out with them


def loops(text: str) -> bool:
    """Whether `text` says the same again and again, numbers aside."""
    return repeats(text) or counts_on(text)


def repeats(text: str) -> bool:
    """Whether `text` has the same words, lines, or bytes again and again."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return any(is_looping(_hashes(parts)) for parts in (text.split(), lines)) or _squeezes(text)


def _hashes(parts: Sequence[Hashable]) -> list[int]:
    """A number for each part, equal for equal ones in this process."""
    return [hash(part) & 0x7FFFFFFFFFFFFFFF for part in parts]


def _squeezes(text: str) -> bool:
    """Whether some part of `text` packs to nearly nothing: a paragraph again and again, or signs without spaces."""
    data = text.encode("utf-8", "surrogatepass")
    for size in SQUEEZED_SIZES:
        starts = [*range(0, len(data) - size + 1, size), len(data) - size] if len(data) >= size else []
        if any(len(zlib.compress(data[at : at + size], 1)) < SQUEEZED * size for at in starts):
            return True
    return False


def counts_on(text: str) -> bool:
    """Whether sentences or lines that differ by numbers alone come again `MIN_CYCLES` times in a row.

    And are either a count, each number going on in equal steps, or `MIN_BYTES` long.
    """
    data = text.encode("utf-8", "surrogatepass")
    masked = _sentences(_masked(data))
    if len(masked) - len(set(masked)) < MIN_CYCLES - 1:
        return False  # nearly always
    sentences, numbers = _sentences(data), np.array(_hashes(masked))
    for period in range(1, min(LONGEST_PERIOD, len(masked) // MIN_CYCLES) + 1):
        for start, end in _stretches(numbers[period:] == numbers[:-period], (MIN_CYCLES - 1) * period):
            found = sentences[start : end + period]
            if sum(map(len, found)) >= MIN_BYTES or _is_count(found, period):
                return True
    return False


def _sentences(data: bytes) -> list[bytes]:
    for end in SENTENCE_ENDS if data.isascii() else (*SENTENCE_ENDS, *WIDE_ENDS):  # many times as fast as a pattern
        data = data.replace(end, end + b"\n")
    return [sentence for sentence in map(bytes.strip, data.split(b"\n")) if sentence]


def _masked(data: bytes) -> bytes:
    """`data` with "0" for every number."""
    data = data.translate(ONE_DIGIT)
    while b"00" in data:
        data = data.replace(b"00", b"0")
    return data.replace(b"0.0", b"0").replace(b"0,0", b"0")


def _stretches(flags: Any, least: int) -> list[tuple[int, int]]:
    """Where `least` or more flags in a row are set, as (start, end)."""
    if np.count_nonzero(flags) < least:
        return []
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= least]


def _is_count(sentences: list[bytes], period: int) -> bool:
    """Whether numbers in sentences that are equal without them go on in equal steps for `MIN_CYCLES` cycles."""
    words = COMMAND.sub("", b" ".join(sentences[:period]).decode("utf-8", "replace"))
    if len("".join(filter(str.isalpha, words)).encode()) < MIN_LETTERS:
        return False
    numbers = [[float(number.replace(b",", b"")) for number in NUMBER.findall(one)] for one in sentences]
    steps = [
        [round(b - a, 6) for a, b in zip(before, after, strict=False)]
        for before, after in zip(numbers, numbers[period:], strict=False)
    ]
    same = [a == b for a, b in zip(steps, steps[period:], strict=False)]
    return bool(_stretches(np.array(same, dtype=bool), (MIN_CYCLES - 2) * period))
