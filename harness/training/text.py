r"""Chat text: the prompt of an evaluation, and s1's training text with its loss mask, for any chat template.

Training text (s1's data/tokenization.py), on one row:

    {prompt}<|im_start|>think\n{trace}\n<|im_start|>answer\n{answer}<|im_end|>

Prompt and completion are tokenised apart, exactly as the engine sees them (it appends `thinking_start`'s ids to the
prompt's); loss is taken on the completion only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypedDict

from harness.errors import UserError
from harness.generation.prompts import render_prompt
from harness.generation.templates.reading import read
from harness.thinking import ThinkingFormat

IGNORED = -100  # the label that torch's cross-entropy leaves out
SPECIAL = re.compile(r"<\|[^|<>]+\|>")


class Example(TypedDict):
    """One training example; `labels` is IGNORED over the prompt. `cut`: the text was longer than the block."""

    input_ids: list[int]
    labels: list[int]
    cut: bool


def end_of_turn(tokenizer: Any, thinking: ThinkingFormat | None = None) -> str:
    """What the chat template puts after the assistant's words ("<|im_end|>").

    The tokenizer's end of text where it puts nothing. A format that was read from the template knows it.
    """
    if thinking is not None and thinking.end_of_turn is not None:
        return thinking.end_of_turn
    return read(tokenizer).thinking.end_of_turn or ""


def check_tokenizer(tokenizer: Any, thinking: ThinkingFormat) -> None:
    """Raise `UserError` unless every <|...|> of the format's delimiters is one token of `tokenizer`."""
    for delimiter in (thinking.thinking_start, thinking.thinking_end):
        for special in SPECIAL.findall(delimiter):
            ids = tokenizer(special, add_special_tokens=False)["input_ids"]
            if len(ids) != 1:
                raise UserError(
                    f"tokenizer '{tokenizer.name_or_path}' has no token '{special}' (it becomes {len(ids)} tokens), "
                    f"which the thinking format needs; choose another format or add the token"
                )


def completion_text(row: Mapping[str, Any], thinking: ThinkingFormat, end: str, prompt: str = "") -> str:
    r"""What the model learns to write after `prompt`; `end` closes the turn.

    A delimiter that ends in a word ("<|im_start|>think") is closed by a newline; one that ends in a mark
    ("<think>\n", "<|message|>") brings its own. A trace that starts on a new line ends on one. A thinking start that
    the chat template has put into the prompt (DeepSeek-R1's does) is not written twice.
    """
    start, middle = _closed(thinking.thinking_start), _closed(thinking.thinking_end)
    newline = "\n" if start.endswith("\n") else ""
    gap = newline if thinking.gap is None else thinking.gap
    if thinking.opened_in(prompt):
        start = "" if prompt.endswith("\n") else newline
    answer = row["attempt"] or row["answer"]
    return f"{start}{row['thinking'].strip()}{gap}{middle}{answer.strip()}{end}"


def _closed(delimiter: str) -> str:
    return delimiter + "\n" if delimiter[-1:].isalnum() else delimiter


def training_example(tokenizer: Any, row: Mapping[str, Any], thinking: ThinkingFormat, block_size: int) -> Example:
    """`row` tokenised and masked, cut to `block_size` tokens. Raises `UserError` for a row without a trace."""
    if not row["thinking"].strip():
        raise UserError(f"row '{row['id']}' has no thinking to train on; select from rows with thinking")
    text, prompt = render_prompt(tokenizer, row["question"], ask=thinking.ask)
    completion = completion_text(row, thinking, end_of_turn(tokenizer, thinking), text)
    return masked(prompt, tokenizer(completion, add_special_tokens=False)["input_ids"], block_size)


def masked(prompt: list[int], completion: list[int], block_size: int) -> Example:
    """Prompt and completion ids as one example: the loss on the completion, cut to the block."""
    both = [*prompt, *completion]
    labels = [IGNORED] * len(prompt) + completion
    return {"input_ids": both[:block_size], "labels": labels[:block_size], "cut": len(both) > block_size}
