"""What a start or a training is doing, read from its log, and how much generation is still to come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.logs import last_lines

LOOKED_LINES = 60  # at the end of a log
# What vLLM writes -> what it is doing then, in the order of a start.
STEPS = (
    ("Resolved architecture", "reading the configuration"),
    ("Initializing a V1 LLM engine", "starting its core"),
    ("Starting to load model", "loading weights"),
    ("Loading weights took", "weights are loaded"),
    ("Dynamo bytecode transform", "compiling"),
    ("KV cache size", "warming up"),
    ("Capturing CUDA graph", "capturing CUDA graphs"),
    ("init engine (", "ready"),
)
_SHARDS = re.compile(r"checkpoint shards:\s+(\d+)% Completed")
_SIZE = re.compile(r"Checkpoint size: ([\d.]+) GiB")
_STEP = re.compile(r"^\{'loss': '?([^',]+)'?,.*'epoch': '?([\d.]+)'?", re.MULTILINE)


def engine_step(log: Path) -> str:
    """The step of vLLM's start that its log ends in, with the weights' share and size; empty where it does not say."""
    text = last_lines(log, LOOKED_LINES)
    found = max(((text.rfind(mark), step) for mark, step in STEPS), default=(-1, ""))
    if found[0] < 0:
        return ""
    if found[1] != "loading weights" or not (shards := _SHARDS.findall(text)):
        return found[1]
    share, size = int(shards[-1]), _SIZE.findall(text)
    return f"loading weights, {share}%" + (f" of {float(size[-1]):.1f} GiB" if size else "")


def training_step(log: Path) -> tuple[float, float] | None:
    """Epochs done and the last loss, of a training that goes on; None before its first step."""
    steps = _STEP.findall(last_lines(log, LOOKED_LINES))
    try:
        return (float(steps[-1][1]), float(steps[-1][0])) if steps else None
    except ValueError:
        return None


@dataclass
class Forecast:
    """Tokens that are still to come in one pass over samples. Rows come late: the longest thoughts begin first.

    Attributes:
        known: sample -> thinking tokens of an earlier thought on its problem, where there is one.
        open: samples that are not finished.
        finished_tokens: sampled for the others.
    """

    known: Mapping[tuple[str, int], float]
    open: set[tuple[str, int]]
    finished: int = 0
    finished_tokens: int = 0
    finished_known: float = 0.0  # what `known` had said of them

    def finish(self, sample: tuple[str, int], tokens: int, *, whole: bool) -> None:
        """A row of `sample` came, for which `tokens` were sampled; `whole`: it was the last one."""
        self.finished_tokens += tokens
        if whole and sample in self.open:
            self.open.remove(sample)
            self.finished += 1
            self.finished_known += self.known.get(sample, 0.0)

    def left_seconds(self, sampled: int, seconds: float) -> float | None:
        """Seconds to the end at the rate so far, or None before anything tells.

        Args:
            sampled: tokens that the engines have sampled in this pass, of unfinished samples, too.
            seconds: since it began.
        """
        if sampled <= 0 or seconds <= 0 or not (self.finished or self.known):
            return None
        mean = self.finished_tokens / self.finished if self.finished else _mean(self.known.values())
        # This model thinks longer or shorter than the one of the known thoughts by this much.
        times = self.finished_tokens / self.finished_known if self.finished_known else 1.0
        wanted = sum(self.known[sample] * times if sample in self.known else mean for sample in self.open)
        begun = max(0, sampled - self.finished_tokens)
        return max(0.0, wanted - begun) / (sampled / seconds)


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers) if numbers else 0.0
