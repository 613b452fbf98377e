"""Training text in its variants, for any chat template and thinking format; what the text is made of is in text.py.

* plain: the format's own text (`harness.training.text`), which our evaluation continues token for token.
* s1: what s1's released sets hold, byte for byte: "Answer: " before an attempt that does not hold "Answer:", and
  the newline with which the chat template closes the turn, which is learned too. A row that brings its set's own text
  (`s1K-1.1_tokenized`) is trained on that.
* tokens, steps: for token- and step-conditional control (s1, section 4.2 and App. D.1) the prompt says "Think for up to
  N tokens." (or steps), N being the trace's own length at the next power of two; a step-annotated trace counts its
  steps down, "<|im_start|>63 steps left", a step being what a blank line ends.
* class: the prompt asks for a short or a long thought; long is what is longer than the subset's median trace.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.config import VARIANTS, Budget
from harness.errors import UserError, unknown
from harness.generation.instructions import instruct
from harness.generation.prompts import prompt_text
from harness.generation.templates.template import turns_of
from harness.thinking import FORMATS, S1, ThinkingFormat
from harness.training.text import check_tokenizer, completion_text, end_of_turn, masked

ASSISTANT = "<|im_start|>assistant\n"
OWN_TEXT = "text"  # of a row's metadata: its set's own training text
STATED = "Answer:"
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


def check(tokenizer: Any, thinking: ThinkingFormat, variant: str) -> None:
    """Raise `UserError` for an unknown variant, and for a tokenizer that lacks a delimiter of the format's."""
    if variant not in VARIANTS:
        raise unknown("variant", variant, VARIANTS)
    check_tokenizer(tokenizer, {"steps": STEPS, "s1": S1}.get(variant, thinking))


def median_length(tokenizer: Any, rows: Iterable[Mapping[str, Any]]) -> int:
    """The median of the traces' lengths in tokens: what parts short from long (variant class)."""
    traces = [row["thinking"].strip() for row in rows]
    lengths = sorted(len(ids) for at in range(0, len(traces), 64) for ids in ids_of(tokenizer, traces[at : at + 64]))
    return lengths[(len(lengths) - 1) // 2] if lengths else 0


def format_batch(
    tokenizer: Any,
    rows: Sequence[Mapping[str, Any]],
    thinking: ThinkingFormat,
    block_size: int,
    variant: str = "plain",
    median: int | None = None,
) -> list[dict[str, Any]]:
    """`rows` as training examples, with their text, budget and lengths in tokens.

    Rows are tokenised together, so that a fast tokenizer uses every core.

    Args:
        tokenizer: of the model that is trained.
        rows: with question, thinking, attempt and answer.
        thinking: the format; the variants s1 and steps have s1's.
        block_size: tokens that an example is cut to.
        variant: one of `VARIANTS`.
        median: variant class: of the whole subset's traces (`median_length`); None: of `rows`.
    """
    if variant not in VARIANTS:
        raise unknown("variant", variant, VARIANTS)
    budgets: list[int | None] = [None] * len(rows)
    if variant == "s1":
        pairs = [s1_text(tokenizer, row, thinking) for row in rows]
        prompts, completions = [prompt for prompt, _ in pairs], [completion for _, completion in pairs]
    else:
        prompts, completions, budgets = _told(tokenizer, rows, thinking, variant, median)
    ids = ids_of(tokenizer, prompts + completions)
    examples = []
    for number, row in enumerate(rows):
        prompt, completion = ids[number], ids[len(rows) + number]
        example = masked(prompt, completion, block_size)
        examples.append(
            {
                "id": row["id"],
                "text": prompts[number] + completions[number],
                "budget": budgets[number],
                "prompt_tokens": len(prompt),
                "num_tokens": len(example["input_ids"]),
                "lost_tokens": len(prompt) + len(completion) - len(example["input_ids"]),
                **example,
            }
        )
    return examples


def _told(
    tokenizer: Any, rows: Sequence[Mapping[str, Any]], thinking: ThinkingFormat, variant: str, median: int | None
) -> tuple[list[str], list[str], list[int | None]]:
    """Prompts, completions and budgets of the variants in which a format's text is ours."""
    end = end_of_turn(tokenizer, thinking)
    traces = [row["thinking"].strip() for row in rows]
    budgets: list[int | None] = [None] * len(rows)
    told: list[Budget] = []
    if variant == "tokens":
        budgets = [bucket(len(ids)) for ids in ids_of(tokenizer, traces)]
        told = [Budget(method="token_conditional", instructed=str(budget)) for budget in budgets]
    elif variant == "steps":
        counted = [counted_down(trace) for trace in traces]
        traces, budgets = [trace for trace, _ in counted], [most for _, most in counted]
        told = [Budget(method="step_conditional", instructed=str(budget)) for budget in budgets]
        thinking = replace(STEPS, ask=thinking.ask)
    elif variant == "class":
        middle = median_length(tokenizer, rows) if median is None else median
        words = ["long" if len(ids) > middle else "short" for ids in ids_of(tokenizer, traces)]
        told = [Budget(method="class_conditional", instructed=word) for word in words]
    questions = [row["question"] for row in rows]
    if told:
        questions = [instruct(question, budget) for question, budget in zip(questions, told, strict=True)]
    prompts = [prompt_text(tokenizer, question, ask=thinking.ask) for question in questions]
    completions = [
        completion_text({**row, "thinking": trace}, thinking, end, prompt)
        for row, trace, prompt in zip(rows, traces, prompts, strict=True)
    ]
    return prompts, completions, budgets


def s1_text(tokenizer: Any, row: Mapping[str, Any], thinking: ThinkingFormat) -> tuple[str, str]:
    """(prompt, completion) of s1's text (its data/tokenization.py), cut where its loss begins.

    Raises:
        UserError: the chat template does not keep an assistant's turn as it is given.
    """
    own = own_text(row)
    if own is not None:
        prompt, assistant, completion = own.partition(ASSISTANT)
        return prompt + assistant, completion
    attempt = row["attempt"] or row["answer"]
    answer = attempt if STATED in attempt else f"{STATED} {attempt}"
    said = f"{S1.thinking_start}\n{row['thinking'].strip()}\n{S1.thinking_end}\n{answer.strip()}"
    ask = thinking.ask
    turns = [*turns_of(row["question"], ask, None), {"role": "assistant", "content": said}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, **dict(ask.arguments))
    prompt = prompt_text(tokenizer, row["question"], ask=ask)
    if not text.startswith(prompt + said):
        raise UserError(
            f"variant s1: the chat template of '{tokenizer.name_or_path}' does not keep s1's text as it is (its "
            "assistant's turn reads otherwise); use variant plain"
        )
    return prompt, text[len(prompt) :]


def own_text(row: Mapping[str, Any]) -> str | None:
    """The training text that a row's set published, None where it brings none."""
    metadata = row.get("metadata") or {}
    found = (json.loads(metadata) if isinstance(metadata, str) else metadata).get(OWN_TEXT)
    return found if isinstance(found, str) and found.count(ASSISTANT) == 1 else None


def ids_of(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """The ids of each text, without special tokens of the tokenizer's own."""
    # Not verbose: a row longer than the model's context is counted in the statistics, not warned of here.
    return list(tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]) if texts else []
