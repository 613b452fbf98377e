"""The order in which rows are trained: a function of the seed alone, whatever the machine, the workers or a resume.

An epoch is a list of row numbers, in batches of `global_batch_size`; its last batch is filled up with `FILLER`, a row
that has no loss. So one optimizer step sees the same rows on one worker and on sixteen, and nobody sees a row twice
(accelerate would repeat rows of the epoch's beginning there).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any

from harness.config import Training

FILLER = -1
MEGA_BATCH = 50  # batches among which rows are sorted by length, as transformers' LengthGroupedSampler does


def epochs(lengths: Sequence[int], training: Training) -> list[int]:
    """Row numbers of all epochs, in order; a multiple of the global batch each. `lengths`: tokens of each row."""
    return [row for epoch in range(training.num_epochs) for row in one_epoch(lengths, training, epoch)]


def one_epoch(lengths: Sequence[int], training: Training, epoch: int) -> list[int]:
    """The rows of one epoch in batches, shuffled by sha256 of seed, epoch and row; grouped by length if asked for."""
    size = training.global_batch_size
    rows = sorted(range(len(lengths)), key=lambda row: _draw(training.seed, epoch, "row", row))
    if training.group_by_length:
        mega = MEGA_BATCH * size
        rows = [
            row
            for start in range(0, len(rows), mega)
            for row in sorted(rows[start : start + mega], key=lambda row: (-lengths[row], row))
        ]
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    short = [batches.pop()] if batches and len(batches[-1]) < size else []
    if training.group_by_length:
        batches = [
            batches[i] for i in sorted(range(len(batches)), key=lambda i: _draw(training.seed, epoch, "batch", i))
        ]
    return [
        *(row for batch in (*batches, *short) for row in batch),
        *[FILLER] * (-len(rows) % size),
    ]


def _draw(seed: int, epoch: int, what: str, number: int) -> bytes:
    return hashlib.sha256(f"{seed}\0{epoch}\0{what}\0{number}".encode()).digest()


def lengths_of(examples: Any) -> list[int]:
    """Tokens of each example, the last one (which fills up batches) left out. `examples`: a Dataset."""
    return [len(ids) for ids in examples["input_ids"][:]][:-1]


def waiting(lengths: Sequence[int], training: Training) -> float:
    """The share of all workers' time that waits for the longest rows of a step, with time in proportion to tokens.

    Each worker takes `per_device_batch_size` rows at a time, padded to the longest of them unless they stand in one
    sequence.
    """
    busy, _, spent = _work(lengths, training)
    return 1 - busy / spent if spent else 0.0


def padding(lengths: Sequence[int], training: Training) -> float:
    """The share of the tokens that are computed on and belong to no row."""
    busy, computed, _ = _work(lengths, training)
    return 1 - busy / computed if computed else 0.0


def packed_lengths(lengths: Sequence[int], block_size: int) -> list[int]:
    """The lengths of the sequences that best fit makes of rows (as TRL packs them), the longest rows first."""
    rooms: list[int] = []  # of the sequences so far, in ascending order
    for length in sorted(lengths, reverse=True):
        at = bisect_left(rooms, length)
        insort(rooms, (rooms.pop(at) if at < len(rooms) else block_size) - length)
    return [block_size - room for room in rooms]


def _work(lengths: Sequence[int], training: Training) -> tuple[int, int, int]:
    """Tokens of all epochs: of rows, with their padding, and with what workers wait for."""
    order = epochs(lengths, training)
    busy = computed = spent = 0
    at_once, workers = training.per_device_batch_size, training.num_workers
    for start in range(0, len(order), at_once * workers):
        shares = [order[start + at_once * rank : start + at_once * (rank + 1)] for rank in range(workers)]
        tokens = [[0 if row == FILLER else lengths[row] for row in share] for share in shares]
        sizes = [sum(share) if training.in_a_row else max(share, default=0) * len(share) for share in tokens]
        busy += sum(map(sum, tokens))
        computed += sum(sizes)
        spent += max(sizes) * workers
    return busy, computed, spent
