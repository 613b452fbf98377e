"""A selected pool as training text: plain, token-annotated or step-annotated, with packing and truncation statistics.

For token- and step-conditional control (s1, section 4.2 and App. D.1) a model is trained to hear a budget: the prompt
says "Think for up to N tokens." (or steps), N being the trace's own length at the next power of two; a step-annotated
trace counts its steps down, "<|im_start|>63 steps left", a step being what a blank line ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.config import Budget, Method
from harness.data.schema import with_thinking
from harness.errors import unknown
from harness.generation.instructions import instruct
from harness.generation.prompts import prompt_text
from harness.thinking import FORMATS, ThinkingFormat
from harness.training.text import check_tokenizer, completion_text, end_of_turn, masked

BATCH_ROWS = 64
VARIANTS = ("plain", "tokens", "steps")
# A step-annotated trace is always s1's; its last step is closed by a newline, as the others are.
STEPS = replace(FORMATS["s1-steps"], thinking_end="\n" + FORMATS["s1-steps"].thinking_end)


def bucket(length: int) -> int:
    """The next power of two that holds `length`."""
    return 1 << max(0, length - 1).bit_length()


def steps_of(thinking: str) -> list[str]:
    """The steps of a trace: what blank lines part (the paper's count, App. E.1), none empty."""
    return [step.strip() for step in thinking.split("\n\n") if step.strip()]


def counted_down(thinking: str) -> tuple[str, int]:
    """A trace with "N steps left" before every step, N from the bucket down, and the bucket.

    A trace of 40 steps begins at 64 and ends at "25 steps left": the model hears 64 and stops when it is done.
    """
    steps = steps_of(thinking)
    most = bucket(len(steps))
    start = f"\n{STEPS.thinking_start}"
    return start.join(f"{most - number} steps left\n{step}" for number, step in enumerate(steps)), most


def format_batch(
    tokenizer: Any, rows: Sequence[Mapping[str, Any]], thinking: ThinkingFormat, block_size: int, variant: str = "plain"
) -> list[dict[str, Any]]:
    """`rows` as training examples, with their text, budget (None for plain) and lengths in tokens.

    Rows are tokenised together, so that a fast tokenizer uses every core.
    """
    if variant not in VARIANTS:
        raise unknown("variant", variant, VARIANTS)
    end = end_of_turn(tokenizer, thinking)
    traces = [row["thinking"].strip() for row in rows]
    budgets: list[int | None] = [None] * len(rows)
    questions = [row["question"] for row in rows]
    method: Method = "token_conditional"
    if variant == "tokens":
        budgets = [bucket(len(ids)) for ids in _ids(tokenizer, traces)]
    elif variant == "steps":
        traces, budgets = map(list, zip(*map(counted_down, traces), strict=True))
        method, thinking = "step_conditional", replace(STEPS, ask=thinking.ask)
    if variant != "plain":
        told = [Budget(method=method, instructed=str(budget)) for budget in budgets]
        questions = [instruct(question, budget) for question, budget in zip(questions, told, strict=True)]
    prompts = [prompt_text(tokenizer, question, ask=thinking.ask) for question in questions]
    completions = [
        completion_text({**row, "thinking": trace}, thinking, end, prompt)
        for row, trace, prompt in zip(rows, traces, prompts, strict=True)
    ]
    ids = _ids(tokenizer, prompts + completions)
    examples = []
    for number, row in enumerate(rows):
        example = masked(ids[number], ids[len(rows) + number], block_size)
        examples.append(
            {
                "id": row["id"],
                "text": prompts[number] + completions[number],
                "budget": budgets[number],
                "prompt_tokens": len(ids[number]),
                "num_tokens": len(example["input_ids"]),
                "lost_tokens": len(ids[number]) + len(ids[len(rows) + number]) - len(example["input_ids"]),
                **example,
            }
        )
    return examples


def _ids(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    # Not verbose: a row longer than the model's context is counted in the statistics, not warned of here.
    return list(tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"])


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
    check_tokenizer(tokenizer, STEPS if variant == "steps" else thinking)
    waiting: list[Mapping[str, Any]] = []

    def flush() -> Iterator[dict[str, Any]]:
        for example in format_batch(tokenizer, waiting, thinking, block_size, variant) if waiting else ():
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
