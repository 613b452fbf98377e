"""Where the thought of a response ends: how the marks of `harness.thinking.FAMILIES` are found in a text.

The grader, log statistics, imports, pool adapters, the teacher and the quality filter all ask here. The case of letters
is not looked at, a delimiter that is only named ("the <think> tags") is none, and every search is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from harness.errors import UserError
from harness.thinking import FAMILIES

# What ends a turn in a text, beside what looks like a special token at its very end.
TURN_ENDS = (
    "<|im_end|>",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "</s>",
    "<|im_start|>user",
    "<|im_start|>",
    "<end_of_turn>",
    "<|return|>",
    "<|end|>",
    "<|END_OF_TURN_TOKEN|>",
    "<turn|>",
    "<|user|>",
    "<|observation|>",
    "[|endofturn|]",
    "<seed:eos>",
    "[e~[",
    "<end_of_sentence>",
    "<｜end▁of▁sentence｜>",
    "<SPECIAL_12>",
    "<sep>",
    "</assistant>",
    "<|role_end|>",
    "<|eom|>",
    "<|eot|>",
    "<|end_of_msg|>",
    "<|assistant_end|>",
    "</output>",
    "<|eos|>",
    "[EOS]",
    "<eos>",
)
_LAST_TOKEN = re.compile(
    r"(?:<\|[^|<>\s]{1,40}\|>|<｜[^｜<>\s]{1,40}｜>|\[\|[a-z]{1,20}\|\]|</?[a-z]{0,12}:?(?:eos|eot|eom)>|</s>)\s*$"
)
# A name that says that it is a thought's; NAMED: also behind a channel's, as in "a|think".
_THOUGHT = r"[a-z0-9_.:-]{0,24}(?:think|thought|reason)[a-z0-9_.:-]{0,24}"
NAMED = rf"(?:[a-z0-9_.:-]{{1,12}}\|)?{_THOUGHT}"
_TAG = re.compile(  # a delimiter that no table knows but whose name says what it is
    rf"<\|?(?!/|end|close|[^<>\s]{{1,60}}[_.:-](?:end|close)\|?>)(?P<name>{NAMED})\|?>"
)
_END_TAG = re.compile(rf"<\|?(?:/|(?:end|close)[_.:-](?:of[_.:-])?){NAMED}\|?>|<\|?{_THOUGHT}[_.:-](?:end|close)\|?>")
_NAMED_AFTER = re.compile(r"[`'\"]|\s(?:tags?|tokens?|blocks?|delimiters?|markers?)\b")
_KEEP = "surrogatepass"  # half of a torn character stays as it is
_HEADINGS = re.compile(
    r"(?:\A|\n)#{1,3} (?:thinking|thought)\s*\n(?:.|\n)*?\n#{1,3} (?:final response|final answer)\s*\n",
    re.IGNORECASE,
)
# Words of a name that say where a block begins, and those that say where it ends: "think:start", "begin_of_thought".
_SIDES = (("start", "end"), ("begin", "end"), ("open", "close"), ("prefix", "suffix"))
_SIDE = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(opens for opens, _ in _SIDES)})(?![A-Za-z])", re.IGNORECASE)


def mirrored(start: str) -> list[str]:
    """The strings that would close a delimiter by its spelling: `<x>` by `</x>`, `<|x_start|>` by `<|x_end|>`."""
    found = []
    for said in _SIDE.finditer(start):
        for opening, closing in _SIDES:
            if said.group().lower() == opening:
                other = closing.upper() if said.group().isupper() else closing
                found.append(start[: said.start()] + other + start[said.end() :])
    if re.fullmatch(r"<\|[^|>]+>", start):
        found.append("<" + start[2:-1] + "|>")
    elif start[:1] in "<[◁" and len(start) > 2:
        head = 2 if start.startswith("<|") else 1
        found.append(start[:head] + "/" + start[head:])
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Marks:
    """How one family's thought is found in a text; lower case, since the case of letters is not looked at."""

    name: str
    start: str
    ends: tuple[str, ...]
    lead: str = ""  # of the closing, before the end mark
    answer_start: tuple[str, ...] = ()
    plain_words: bool = False
    start_is_optional: bool = False
    ends_any_turn: bool = False


@cache
def _known() -> tuple[Marks, ...]:
    found = []
    for family in FAMILIES:
        mark = (family.mark or family.end).strip()
        lead = family.end.strip().partition(mark)[0]
        # "<answer>" stays: the grader reads what stands between such tags.
        opening = tuple(lower_ascii(text) for text in family.answer_start if text != "<answer>")
        start = lower_ascii(family.start.strip())
        found.append(
            Marks(
                family.name,
                start,
                (lower_ascii(mark),),
                lower_ascii(lead),
                opening,
                family.plain_words,
                family.start_is_optional,
                family.ends_any_turn,
            )
        )
    return tuple(found)


def lower_ascii(text: str) -> str:
    """`text` with its ASCII letters in lower case; every index stays, which `str.lower` does not promise for others."""
    # bytes.lower is about ASCII alone, and many times as fast as a table for str.translate.
    return text.lower() if text.isascii() else text.encode("utf-8", _KEEP).lower().decode("utf-8", _KEEP)


def own_marks(pairs: Iterable[Sequence[str]]) -> tuple[Marks, ...]:
    """A user's own delimiters, as (start, end) pairs. Raises `UserError` for an empty end."""
    made = []
    for start, end in pairs:
        if not end.strip():
            raise UserError(f"the thinking marks {start!r}, {end!r} have no end; give both strings")
        made.append(Marks("own", lower_ascii(start.strip()), (lower_ascii(end.strip()),)))
    return tuple(made)


@dataclass(frozen=True)
class Split:
    """A response cut where its thought ends; the four texts together are the response.

    preface   what stands before the thought: nothing, or its opening mark
    thinking  the thought, as written
    closing   what ends it, up to the answer's first word
    answer    what follows; without any mark, the whole response
    state     none: no thought; open: it is never ended (cut); closed
    name      of the family whose marks they are; "" for none
    """

    preface: str
    thinking: str
    closing: str
    answer: str
    state: Literal["none", "open", "closed"]
    name: str = ""


# How every mark with a bracket begins; "\\[" of LaTeX and "x < 3" do not. Each opens with one letter to search for.
_ANGLE_MARK = re.compile(r"<[|/｜A-Za-z]")
_SQUARE_MARK = re.compile(r"\[(?<!\\\[)[/|A-Za-z]")


def _may_hold_mark(text: str) -> bool:
    """Whether a mark with a bracket may stand in `text`: cheap, since most responses hold none."""
    return bool(
        ("<" in text and _ANGLE_MARK.search(text)) or ("[" in text and _SQUARE_MARK.search(text)) or "◁" in text
    )


def split(response: str, prompt: str = "", marks: Sequence[Marks] = ()) -> Split:
    """Where the thought of `response` ends.

    Args:
        response: A whole response, with or without special tokens.
        prompt: The prompt it answers, if known: where that ends inside a thought, the response begins in one, and a
            response that never ends it is a thought that was cut.
        marks: Delimiters to look for before the known ones (`own_marks`, `marks_of`).
    """
    lowered = lower_ascii(response)
    opened = opened_by(prompt, marks) or _asked_by(prompt)
    if opened is None and not marks and not _may_hold_mark(response):
        return _without_tokens(response, lowered)
    first = (0, 0, opened) if opened is not None else _first_start(lowered, (*marks, *_known()))
    if first is None:
        alone = [one for one in (*marks, *_known()) if not one.plain_words or one.start_is_optional]
        candidates = [one for one in alone if not one.ends_any_turn]
        end = max(
            (found for one in candidates if (found := _last_end(lowered, one, 0))),
            default=None,
            key=lambda found: found[1],
        )
        if end is None and (tags := [tag for tag in _END_TAG.finditer(lowered) if not _is_named(lowered, *tag.span())]):
            end = (*tags[-1].span(), _generic(tags[-1].group()))
        if end is None:
            return _without_tokens(response, lowered)
        return _closed(response, lowered, "", 0, end)
    _, behind, mine = first
    if opened is not None and mine.start and lowered.lstrip().startswith(mine.start):
        behind = lowered.index(mine.start) + len(mine.start)  # written again behind the prompt's
    preface, end = response[:behind], _last_end(lowered, mine, behind)
    if end is None or _starts(lowered, mine, end[1]) is not None:
        return Split(preface, response[behind:], "", "", "open", mine.name)
    return _closed(response, lowered, preface, behind, end)


def answer_part(response: str, prompt: str = "", marks: Sequence[Marks] = ()) -> tuple[str, bool]:
    """(what follows the thought, without what ends the turn; whether the thought is still open)."""
    cut = split(response, prompt, marks)
    return ("", True) if cut.state == "open" else (without_turn_end(cut.answer), False)


def without_turn_end(answer: str) -> str:
    """`answer` up to where the next turn begins, without the tokens and tags that close it."""
    text = answer.removeprefix("<|im_start|>assistant").lstrip()
    if not _may_hold_mark(text):
        return text
    lowered, cut = lower_ascii(text), len(text)
    for mark in _turn_ends():
        at = lowered.find(mark, 0, cut)
        if at > 0 and text[:at].strip():
            cut = at
        elif at == 0:
            text, lowered, cut = text[len(mark) :], lowered[len(mark) :], cut - len(mark)
    text = text[:cut]
    while match := _LAST_TOKEN.search(lower_ascii(text[-80:])):
        text = text[: max(0, len(text) - 80) + match.start()]
    return text


@cache
def _turn_ends() -> tuple[str, ...]:
    ends = [mark for family in FAMILIES for mark in family.answer_end if not mark.startswith("</")]
    tags = [mark for family in FAMILIES for mark in family.answer_end if mark == "</response>"]
    return tuple(dict.fromkeys(lower_ascii(mark) for mark in (*TURN_ENDS, *ends, *tags)))


def holds_delimiter(text: str) -> bool:
    """Whether `text`, a trace or an answer to train on, holds a thinking delimiter or an end of turn of any family.

    Plain words and tags that are only named do not count.
    """
    lowered = lower_ascii(text)
    # Nearly always, and quicker than each by itself.
    if not any(bracket in lowered and pattern.search(lowered) for bracket, pattern in _any_delimiter()):
        return False
    for one in _known():
        if not one.plain_words and (_starts(lowered, one, 0) is not None or any(end in lowered for end in one.ends)):
            return True
    return any(mark in lowered for mark in _special_ends())


@cache
def _any_delimiter() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """What finds a delimiter that is no plain word: for each first character, which `re` looks for at C's speed.

    Beside each pattern the bracket without which a text cannot hold what it finds.
    """
    marks = {mark for one in _known() if not one.plain_words for mark in (one.start, *one.ends)}
    tails: dict[tuple[str, str], list[str]] = {}
    for mark in sorted({*marks, *_special_ends()} - {""}):
        bracket = next(char for char in mark if char in "<[◁")
        tails.setdefault((bracket, mark[0]), []).append(re.escape(mark[1:]))
    return tuple(
        (bracket, re.compile(f"{re.escape(first)}(?:{'|'.join(rest)})")) for (bracket, first), rest in tails.items()
    )


@cache
def _special_ends() -> tuple[str, ...]:
    # "</s>", "<sep>" and the like stand in ordinary HTML; these do not.
    return tuple(lower_ascii(mark) for mark in TURN_ENDS if "|" in mark or "｜" in mark or "[" in mark)


def opened_by(prompt: str, marks: Sequence[Marks] = ()) -> Marks | None:
    """The marks whose start ends `prompt`, white space aside; None where the prompt does not end inside a thought."""
    tail = lower_ascii(prompt[-400:].rstrip())
    if not tail:
        return None
    for one in (*marks, *_known()):
        if one.start and tail.endswith(one.start):
            return one
    matches = list(_TAG.finditer(tail[-80:]))
    if matches and matches[-1].end() == len(tail[-80:]):
        return _generic(matches[-1].group())
    return None


def _asked_by(prompt: str) -> Marks | None:
    """The marks of a model that thinks at once, without a start, where its prompt says how the answer begins."""
    lowered = lower_ascii(prompt).rstrip()
    for one in _known():
        if one.start_is_optional and one.ends[0] in lowered and not lowered.endswith(one.ends[0]):
            return one
    return None


def _generic(tag: str) -> Marks:
    return Marks(tag, tag, tuple(mirrored(tag)))


def _first_start(lowered: str, known: Sequence[Marks]) -> tuple[int, int, Marks] | None:
    """(where the first start stands, where it ends, whose it is); the longest of several at one place."""
    best: tuple[int, int, Marks] | None = None
    for one in known:
        at = _starts(lowered, one, 0)
        if at is not None:
            found = (at, at + len(one.start), one)
            if best is None or (found[0], -found[1]) < (best[0], -best[1]):
                best = found
    match = _TAG.search(lowered[:200])
    if match and not lowered[: match.start()].strip() and (best is None or match.start() < best[0]):
        tag = match.group()
        if not _is_named(lowered, *match.span()):
            best = (match.start(), match.end(), _generic(tag))
    return best


def _starts(lowered: str, one: Marks, after: int) -> int | None:
    """Where a thought of `one` begins after `after`; a delimiter that is only named ("the <think> tags") is none."""
    if not one.start:
        return None
    if one.plain_words:
        text = lowered[after : after + 200]
        opens = (
            text.lstrip().startswith(one.start) and one.ends[0] in lowered
            if one.start.isalpha()
            else (text.lstrip().startswith(one.start))
        )
        return after + text.index(one.start) if opens else None
    at = lowered.find(one.start, after)
    while at >= 0:
        if not _is_named(lowered, at, at + len(one.start)):
            return at
        at = lowered.find(one.start, at + 1)
    return None


def _is_named(lowered: str, at: int, behind: int) -> bool:
    """Whether the delimiter at these places is only spoken of."""
    return lowered[at - 1 : at] in ("`", "'", '"') or _NAMED_AFTER.match(lowered, behind) is not None


def _last_end(lowered: str, one: Marks, after: int) -> tuple[int, int, Marks] | None:
    """(start, end, whose) of the last end mark of `one` after `after`."""
    found = [(at, at + len(end), one) for end in one.ends if (at := lowered.rfind(end, after)) >= 0]
    return max(found, key=lambda place: place[1], default=None)


def _closed(response: str, lowered: str, preface: str, behind: int, end: tuple[int, int, Marks]) -> Split:
    at, over, mine = end
    if mine.lead and lowered[behind:at].endswith(mine.lead):
        at -= len(mine.lead)
    for opening in mine.answer_start:
        spaces = len(lowered[over:]) - len(lowered[over:].lstrip())
        if lowered.startswith(opening, over + spaces):
            over += spaces + len(opening)
    return Split(preface, response[behind:at], response[at:over], response[over:], "closed", mine.name)


def _without_tokens(response: str, lowered: str) -> Split:
    """A response without delimiters: gpt-oss with its special tokens dropped, Markdown headings, or all answer."""
    for one in _known():
        if one.plain_words and (at := _starts(lowered, one, 0)) is not None:
            behind = at + len(one.start)
            end = _last_end(lowered, one, behind)
            if end is None:
                return Split(response[:behind], response[behind:], "", "", "open", one.name)
            return _closed(response, lowered, response[:behind], behind, end)
    if "#" in response and (match := _HEADINGS.match(response)):
        return Split("", response[: match.end()], "", response[match.end() :], "closed", "headings")
    return Split("", "", "", response, "none")
