"""What ends a turn: behind an answer in training text, and as the stop of a generated one."""

from __future__ import annotations

import re

from harness.generation.templates.template import ANSWER, QUESTION, THOUGHT, Template, turns_of
from harness.thinking import Ask, ThinkingFormat


def end_of_turn(template: Template, ask: Ask, prompt: str, thinking: ThinkingFormat) -> tuple[str, str]:
    """(what the template puts behind an answer, a note). The tokenizer's own end of text where it puts nothing."""
    eos = str(template.tokenizer.eos_token or "")
    text = next(
        (
            text
            for turn in ({"content": ANSWER, "reasoning_content": THOUGHT, "reasoning": THOUGHT}, {"content": ANSWER})
            if (text := template.turn(turn, ask)) is not None and ANSWER in text
        ),
        None,
    )
    after = text.rpartition(ANSWER)[2] if text is not None else ""
    if eos and eos in after:
        after = after[: after.index(eos) + len(eos)]
    elif opening := _generation_header(template, ask, prompt):
        after = after.removesuffix(opening)
    closing = [stop for stop in thinking.answer_stops if stop.startswith("</") and stop not in after]
    if not after.strip():
        if not eos:
            return "".join(closing), "the template ends no turn and the tokenizer has no end of text: answers end bare"
        after = eos
        return "".join(closing) + after, f"the template ends no turn: training text ends in the tokenizer's {eos!r}"
    newline = "\n" if thinking.thinking_end.endswith("\n") and closing else ""
    return newline + "".join(closing) + after.rstrip(), ""


def _generation_header(template: Template, ask: Ask, prompt: str) -> str:
    """What a generation prompt adds behind the question's turn."""
    without = template.render(turns_of(QUESTION, ask, template.system), ask, add_generation_prompt=False)
    return prompt[len(without) :] if without and prompt.startswith(without) else ""


def answer_stops(template: Template, ending: str) -> tuple[str, ...]:
    """The first special token of what ends a turn, and a tag before it; the whole of it where it has none."""
    added = sorted(template.tokenizer.get_added_vocab(), key=len, reverse=True)
    places = [(ending.index(token), -len(token), token) for token in added if token and token in ending]
    first = str(min(places)[2]) if places else ending.strip()
    tag = re.match(r"\s*(</[a-z_]{1,20}>)", ending)
    return (tag.group(1), first) if tag else (first,)
