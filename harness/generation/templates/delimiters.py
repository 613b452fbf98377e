"""Between which strings a template's thought stands: rendered, opened by a prompt, written in it, or special tokens."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from harness.generation.templates.template import ANSWER, DEFAULT, THOUGHT, Template
from harness.marks import mirrored, opened_by
from harness.thinking import FAMILIES, FORMATS, Ask, Family, ThinkingFormat

# Words of the conversation that some templates, or the models behind them, take for a switch.
WRITTEN_TAG = re.compile(
    r"<\|?(?!/)(?:\w{1,12}\|)?\w{0,24}(?:think|thought)(?:s|ing)?(?:_start|_begin)?\|?>", re.IGNORECASE
)
ANSWER_TAG = re.compile(r"<((?:final_?)?(?:output|answer|response|solution))>", re.IGNORECASE)
# Where a turn's thought is put by one template or the other.
THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking", "thought")
OPENED, RENDERED, WRITTEN = "the prompt", "a rendered turn", "the template's words"
IN_VOCABULARY, NOTHING = "the special tokens", "nothing"
NO_THOUGHT = "the <|im_start|> token; the template shows no thought"
UNSHOWN = (NOTHING, NO_THOUGHT, IN_VOCABULARY)


def delimiters(template: Template, ask: Ask, prompt: str) -> tuple[ThinkingFormat, str, list[str]]:
    """The delimiters, what told them, and notes."""
    rendered = _rendered(template, ask, prompt)
    opened = opened_by(prompt)
    if rendered is not None:
        return rendered, OPENED if opened is not None else RENDERED, []
    if opened is not None:
        tail = prompt.rstrip()
        for family in FAMILIES:
            if family.start.strip() and tail.lower().endswith(family.start.strip().lower()):
                return _written(template, family, prompt), OPENED, []
        return _unknown(template, tail[-len(opened.start) :], prompt), OPENED, []
    said = template.text + prompt
    added = set(template.tokenizer.get_added_vocab())
    for family in FAMILIES:
        mark = (family.mark or family.end).strip()
        if family.name in ("s1", "channel-words") or mark not in said:
            continue
        both = family.start.strip() in said
        # "</think>" alone: the template drops earlier thoughts. So does one that names the end of two special tokens.
        dropped = mark.startswith(("</", "[/")) or {family.start.strip(), mark} <= added
        if both or dropped or family.start_is_optional:
            return _written(template, family, prompt, keeps_start=both or not family.start_is_optional), WRITTEN, []
    for tag in dict.fromkeys(WRITTEN_TAG.findall(said)):
        if any(end in said for end in mirrored(tag)):
            return _unknown(template, tag, prompt), WRITTEN, []
    for family in FAMILIES:
        pieces = {family.start.strip(), (family.mark or family.end).strip()}
        if family.name != "s1" and pieces <= added:
            return family.format, IN_VOCABULARY, ["the template does not show a thought; the special tokens do"]
    if "<|im_start|>" in added and ask == DEFAULT:
        return FORMATS["s1"], NO_THOUGHT, []  # s1's own case: an instruct model that is taught to think
    note = (
        "no thinking format can be read from the chat template or the special tokens: 'think' is used; a model that "
        "was not trained on it will hardly keep to it"
    )
    return FORMATS["think"], NOTHING, [note]


def _rendered(template: Template, ask: Ask, prompt: str) -> ThinkingFormat | None:
    """The delimiters around a thought in a rendered turn, to the character; None where no field shows one."""
    turns: list[dict[str, Any]] = [{"content": ANSWER, field: THOUGHT} for field in THOUGHT_FIELDS]
    chunks = [{"type": "thinking", "thinking": THOUGHT}, {"type": "text", "text": ANSWER}]
    closed = [{"type": "thinking", "thinking": THOUGHT, "closed": True}, {"type": "text", "text": ANSWER}]
    blocks = {"blocks": [{"type": "thoughts", "text": THOUGHT}, {"type": "response", "text": ANSWER}]}
    turns += [{"content": chunks}, {"content": closed}, {"content": blocks}]
    for turn in turns:
        text = template.turn(turn, ask)
        if text is None or text.count(THOUGHT) != 1 or text.count(ANSWER) != 1:
            continue
        at, behind = text.index(THOUGHT), text.index(ANSWER)
        between = text[at + len(THOUGHT) : behind]
        if behind < at or not between.strip():
            continue
        start = _start_of(text[:at], prompt)
        if start is None or "type" in start:  # chunks that the template prints as they are
            continue
        end = between.lstrip()
        gap = between[: len(between) - len(end)]
        family = _family(start, end)
        if family is None and len(end.strip()) > 60:
            continue
        return ThinkingFormat(
            name=family.name if family else start.strip(),
            thinking_start=start,
            thinking_end=end,
            final_answer=family.final_answer if family else "Final Answer:",
            stops=(family.stops or (_mark(family),)) if family else (_first_token(template, end),),
            answer_stops=family.answer_stops if family else (),
            gap=gap,
        )
    return None


def _start_of(before: str, prompt: str) -> str | None:
    """The thinking start in `before`, what a rendered turn has up to its thought; `prompt`: the generation prompt."""
    opened = opened_by(before)
    if opened is not None:
        at = before.lower().rindex(opened.start)
        spaces = before[:at]
        lead = spaces[len(spaces.rstrip()) :]
        # White space before the mark belongs to it where the prompt itself ends without.
        bare = prompt if not prompt.rstrip().lower().endswith(opened.start) else ""
        keep = lead if bare and bare + lead == before[:at] else ""
        return keep + before[at:]
    if before.startswith(prompt) and before[len(prompt) :].strip():
        return before[len(prompt) :]
    return None


def _family(start: str, end: str) -> Family | None:
    low = start.strip().lower()
    for family in FAMILIES:
        if family.start.strip().lower() == low and _mark(family).lower() in end.lower():
            return family
    return None


def _mark(family: Family) -> str:
    return (family.mark or family.end).strip()


def _first_token(template: Template, text: str) -> str:
    """The special token that `text` begins with, else its first line."""
    for token in sorted(template.tokenizer.get_added_vocab(), key=len, reverse=True):
        if token and text.startswith(token):
            return str(token)
    return text.strip().split("\n")[0]


def _written(template: Template, family: Family, prompt: str, *, keeps_start: bool = True) -> ThinkingFormat:
    """`family`'s format with the prompt's own white space, and the answer's tags where the template names them."""
    thinking = family.format
    start = family.start.strip()
    at = prompt.lower().rfind(start.lower()) if start else -1
    if at >= 0 and not prompt[at + len(start) :].strip():
        thinking = replace(thinking, thinking_start=prompt[at:])
        if not prompt.endswith("\n"):  # DeepSeek's later models write no white space around a thought
            thinking = replace(thinking, thinking_end=thinking.thinking_end.strip())
    elif not keeps_start:
        thinking = replace(thinking, thinking_start="")
    for opening, closing in zip(family.answer_start, family.answer_end, strict=False):
        if opening in template.text and opening.startswith("<") and opening not in thinking.thinking_end:
            newline = "\n" if f"{_mark(family)}\n{opening}" in template.text or opening == "<answer>" else ""
            end = f"{_mark(family)}{newline}{opening}{newline}"
            return replace(thinking, thinking_end=end, answer_stops=(*thinking.answer_stops, closing))
    return thinking


def _unknown(template: Template, start: str, prompt: str) -> ThinkingFormat:
    """The format of a start that the prompt ends in and no table knows."""
    said = template.text + " ".join(template.tokenizer.get_added_vocab())
    end = next((end for end in mirrored(start) if end in said), (mirrored(start) or [start])[0])
    space = prompt[len(prompt.rstrip()) :]
    after = "\n\n" if space else ""
    stops: tuple[str, ...] = ()
    # Some templates ask for tags around the answer, too.
    if (tag := ANSWER_TAG.search(said.partition(end)[2])) and f"</{tag.group(1)}>" in said:
        after, stops = (
            f"\n{tag.group()}\n",
            (f"</{tag.group(1)}>",),
        )
    return ThinkingFormat(start, start + space, end + after, "Final Answer:", (end,), stops)
