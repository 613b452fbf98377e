"""A selected pool as training text (`harness.training.variants`), with packing and truncation statistics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.config import VARIANTS
from harness.data.schema import with_thinking
from harness.thinking import ThinkingFormat
from harness.training.variants import (
    STEPS,
    bucket,
    check,
    counted_down,
    format_batch,
    median_length,
    steps_of,
)

BATCH_ROWS = 64


@dataclass
class Statistics:
    """Lengths of a formatted set."""

    rows: int = 0
    without_thinking: int = 0
    cut: int = 0  # longer than the block: the end, with the answer, is lost
    lost_tokens: int = 0  # by the cut
    without_loss: int = 0  # the prompt alone fills the block: the row teaches nothing
    tokens: int = 0  # as trained on, after the cut
    loss_tokens: int = 0
    longest: int = 0
    lengths: list[int] = field(default_factory=list)

    def add(self, example: Mapping[str, Any]) -> None:
        """Count one formatted training example."""
        length = example["num_tokens"]
        learned = max(0, length - example["prompt_tokens"])
        self.rows += 1
        self.cut += example["cut"]
        self.lost_tokens += example["lost_tokens"]
        self.without_loss += learned == 0
        self.tokens += length
        self.loss_tokens += learned
        self.longest = max(self.longest, length)
        self.lengths.append(length)

    def report(self, batch_size: int) -> dict[str, Any]:
        """Totals, percentiles, and the share of a batch, padded to its longest row, that is padding."""
        ordered = sorted(self.lengths)
        padded = sum(
            max(self.lengths[start : start + batch_size]) * len(self.lengths[start : start + batch_size])
            for start in range(0, len(self.lengths), batch_size)
        )
        return {
            "rows": self.rows,
            "rows without thinking": self.without_thinking,
            "rows cut at the block": self.cut,
            "tokens lost by the cut": self.lost_tokens,
            "rows without loss": self.without_loss,
            "tokens": self.tokens,
            "loss tokens": self.loss_tokens,
            "median tokens": ordered[len(ordered) // 2] if ordered else 0,
            "99% are no longer than": ordered[int(0.99 * (len(ordered) - 1))] if ordered else 0,
            "longest": self.longest,
            "padding when batched": 1 - self.tokens / padded if padded else 0.0,
        }


def format_rows(
    tokenizer: Any,
    rows: Iterable[Mapping[str, Any]],
    thinking: ThinkingFormat,
    block_size: int,
    variant: str,
    statistics: Statistics,
) -> Iterator[dict[str, Any]]:
    """Every row with thinking as a training example; `statistics` is complete once they are used up."""
    check(tokenizer, thinking, variant)
    waiting: list[Mapping[str, Any]] = []
    median = None
    if variant == "class":  # short and long are told by the whole set
        rows = list(rows)
        median = median_length(tokenizer, (row for row in rows if with_thinking(row)))

    def flush() -> Iterator[dict[str, Any]]:
        for example in format_batch(tokenizer, waiting, thinking, block_size, variant, median) if waiting else ():
            statistics.add(example)
            yield example
        waiting.clear()

    for row in rows:
        if not with_thinking(row):
            statistics.without_thinking += 1
            continue
        waiting.append(row)
        if len(waiting) == BATCH_ROWS:
            yield from flush()
    yield from flush()


__all__ = ["STEPS", "VARIANTS", "Statistics", "bucket", "counted_down", "format_batch", "format_rows", "steps_of"]
