"""What a model answers to a few fixed prompts: how an engine shows that it generates with the weights it was given.

The trainer holds the trained model in memory and writes `probe.json` beside the checkpoint: prompts with the thinking
delimiters and a forced continuation, as ids, and the most likely next tokens at each position. An engine that was told
to use the checkpoint must give the same log-probabilities, up to what its dtype rounds away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.files import read_json, write_json
from harness.generation.prompts import render_prompt
from harness.thinking import ThinkingFormat

FILE = "probe.json"
QUESTIONS = ("What is 17 times 3?", "Solve 2x + 3 = 11 for x.", "Which is larger, 3/4 or 5/7? (A) 3/4 (B) 5/7")
THOUGHT = "\nLet me see: 2 + 2 = 4. Wait"  # forced behind thinking_start; then thinking_end, final_answer and a number
ANSWER = " 4"
PROMPT_TOKENS = 64  # the prompt's last; a byte tokenizer's would be hundreds
FORCED_TOKENS = 48
NUM_TOP = 8  # most likely next tokens stored for each position
NUM_ASKED = 20  # asked of an engine, since its order of near ties may differ; vLLM gives at most 20
Top = dict[int, float]  # token id -> log-probability, in nats


@dataclass(frozen=True)
class Difference:
    """How far log-probabilities lie apart, in nats: the largest difference, and the root of the mean square of all."""

    largest: float
    rms: float

    def __le__(self, bound: Difference) -> bool:
        return self.largest <= bound.largest and self.rms <= bound.rms


# What is rounding and not other weights, by the dtype of the coarser side. Measured on a CPU (benchmarks/NOTES.md, "The
# probe"), largest and rms: fresh starts in float32 0.00005 and 0.00001, in bfloat16 0.70 and 0.059 on trained models,
# 1.07 and 0.17 on random ones; an output head left over from the base model 2.5 and 0.71 at the least. float32 leaves
# room for the tf32 of attention kernels on GPUs; float16 has 8 times bfloat16's precision.
ALLOWED = {
    "float32": Difference(0.02, 0.005),
    "float16": Difference(0.25, 0.032),
    "bfloat16": Difference(2.0, 0.25),
}


@dataclass(frozen=True)
class Forced:
    """Token ids, of which those from `start` on are forced behind the prompt."""

    ids: tuple[int, ...]
    start: int


@dataclass(frozen=True)
class Probe:
    """The answers of one model. `tops[s][i]`: what follows `sequences[s].ids[: start + i]`; `dtype`: computed in."""

    dtype: str
    sequences: tuple[Forced, ...]
    tops: tuple[tuple[Top, ...], ...]

    def difference(self, answers: Sequence[Sequence[Top]]) -> Difference:
        """The difference to `answers`, which are `top_logprobs` of the same sequences.

        Shorter ones are compared as far as they go. A stored token that an answer leaves out counts with the answer's
        least likely token.

        Raises:
            ValueError: no position can be compared.
        """
        apart: list[float] = []
        for sequence, tops, answer in zip(self.sequences, self.tops, answers, strict=True):
            for top, given in zip(tops, answer[sequence.start - 1 :], strict=False):
                # vLLM adds the prompt's own next token, however unlikely it is.
                least = sorted(given.values(), reverse=True)[:NUM_ASKED][-1]
                if not math.isfinite(least):
                    apart.append(math.nan)
                    continue
                for token, value in top.items():
                    apart.append(abs(value - given[token]) if token in given else value - min(least, value))
        if not apart:
            raise ValueError("no position of the probe fits into the model's context")
        rms = math.sqrt(sum(value**2 for value in apart) / len(apart))
        return Difference(rms if math.isnan(rms) else max(apart), rms)

    def allowed(self, dtype: str) -> Difference:
        """The difference that rounding explains for an engine that computes in `dtype`; unknown: the widest."""
        widest = max(ALLOWED.values(), key=lambda bound: bound.largest)
        return max((ALLOWED.get(name, widest) for name in (self.dtype, dtype)), key=lambda bound: bound.largest)

    def write(self, path: Path) -> None:
        """Write as JSON."""
        plain = {
            "dtype": self.dtype,
            "sequences": [
                {"ids": s.ids, "start": s.start, "tops": [[[i, round(v, 6)] for i, v in top.items()] for top in tops]}
                for s, tops in zip(self.sequences, self.tops, strict=True)
            ],
        }
        write_json(path, plain, indent=None)

    @classmethod
    def read(cls, path: Path) -> Probe:
        """The probe in `path`. Raises `UserError` when it is not one."""
        plain = read_json(path, "remove it, or train again")
        try:
            sequences = tuple(Forced(tuple(s["ids"]), int(s["start"])) for s in plain["sequences"])
            tops = tuple(
                tuple({int(i): float(value) for i, value in top} for top in s["tops"]) for s in plain["sequences"]
            )
            found = cls(str(plain["dtype"]), sequences, tops)
            if not sequences or any(
                not 0 < s.start <= len(s.ids) or len(s.ids) - s.start + 1 != len(answer) or not all(answer)
                for s, answer in zip(sequences, tops, strict=True)
            ):
                raise ValueError("positions without an answer")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"{path} is not a probe ({type(error).__name__}: {error}); remove it, or train again"
            ) from None
        return found


def beside(model: str | Path) -> Path | None:
    """Where the probe of a checkpoint folder is; None where there is none (also for hub names)."""
    path = Path(model).resolve().parent / FILE
    return path if Path(model).is_dir() and path.is_file() else None


def sequences(tokenizer: Any, thinking: ThinkingFormat) -> tuple[Forced, ...]:
    """What is asked, in ids of `tokenizer`. Raises `UserError` for one without a chat template."""
    forced = THOUGHT + thinking.thinking_end + thinking.final_answer + ANSWER
    made = []
    for question in QUESTIONS:
        text, ids = render_prompt(tokenizer, question, ask=thinking.ask)
        opened = not thinking.thinking_start or thinking.opened_in(text)
        start = [] if opened else tokenizer.encode(thinking.thinking_start, add_special_tokens=False)
        prompt = [*ids, *start][-PROMPT_TOKENS:]
        continuation = tokenizer.encode(forced, add_special_tokens=False)[:FORCED_TOKENS]
        made.append(Forced((*prompt, *continuation), len(prompt)))
    return tuple(made)


def taken(asked: Sequence[Forced], answers: Sequence[Sequence[Mapping[int, float]]], dtype: str) -> Probe:
    """A probe from a model's own `answers` to `asked`, of which the `NUM_TOP` most likely tokens are stored."""

    def most_likely(answer: Mapping[int, float]) -> Top:
        return dict(sorted(answer.items(), key=lambda item: -item[1])[:NUM_TOP])

    tops = tuple(
        tuple(most_likely(top) for top in answer[sequence.start - 1 :])
        for sequence, answer in zip(asked, answers, strict=True)
    )
    return Probe(dtype, tuple(asked), tops)


def top_logprobs(model: Any, ids: Sequence[Sequence[int]], num_top: int = NUM_TOP) -> list[list[Top]]:
    """The most likely next tokens of a transformers model after each prefix of each of `ids`.

    By plain forward passes: one sequence at a time, nothing padded, dropout off.
    """
    import torch

    answers = []
    device, training = next(model.parameters()).device, model.training
    model.eval()
    try:
        with torch.no_grad():
            for sequence in ids:
                logits = model(input_ids=torch.tensor([list(sequence)], device=device)).logits[0].float()
                values, order = torch.log_softmax(logits, dim=-1).topk(min(num_top, logits.shape[-1]), dim=-1)
                pairs = zip(order.tolist(), values.tolist(), strict=True)
                answers.append([dict(zip(*pair, strict=True)) for pair in pairs])
    finally:
        model.train(training)
    return answers
