"""Options that are chosen without their letter: by ordinal, by value, by exclusion of the others, by truth values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from harness.grading.extract.answer import extract_answer
from harness.grading.extract.letter_ranks import Rank

SameAnswer = Callable[[str, str], bool]
Found = Iterator[tuple[Rank, int, str]]  # rank, position, letter

_ORDINAL = re.compile(
    r"\b(?P<ordinal>first|second|third|fourth|fifth|last)\s(?:option|choice|answer|one|statement)\b"
    r"(?P<right>(?:,[^,.\n]{1,60},)?\s(?:is|must be)\s(?:therefore\s|thus\s)?(?:the\s)?"
    r"(?:correct|right|best|true|answer))?",
    re.IGNORECASE,
)
_CHOSEN = re.compile(r"\b(?:is|be|choose|pick|select|with|answer:)\s(?:the\s)?$", re.IGNORECASE)
_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}
_NUMBERED = re.compile(r"^\W{0,4}(?:option|choice)\s\(?(?P<number>\d)\)?\W{0,3}$", re.IGNORECASE | re.MULTILINE)
_STATED_NUMBER = re.compile(r"\(?(?P<number>\d)\)?\.?")
_TRUTH = re.compile(r"\b(?:true|false)\b")
_STATEMENT_TRUTH = re.compile(
    r"\bstatement\s(?P<number>[12]|ii?)\b[\s:]{1,2}(?:is\s)?(?:also\s|therefore\s)?(?P<truth>true|false)\b",
    re.IGNORECASE,
)
_EXCLUDED = re.compile(
    r"\b(?:exclud\w{0,4}|eliminat\w{0,4}|rul(?:e|es|ed|ing) out|descart\w{0,4}|éliminons)\b([^.\n]{1,120})",
    re.IGNORECASE,
)
_ALONE = re.compile(r"(?<![A-Za-z])([A-Z])(?![A-Za-z'’])")


def ordinals(text: str, letters: str) -> Found:
    """Options by number: "The third option is correct", "I choose the first one", "Option 3"."""
    lowered = text.lower()
    if any(word in lowered for word in _ORDINALS):
        for match in _ORDINAL.finditer(text):
            index = _ORDINALS[match.group("ordinal").lower()]
            chosen = match.group("right") or _CHOSEN.search(text, max(0, match.start() - 16), match.start())
            if chosen and index < len(letters):
                yield (Rank.TURN, match.start(), letters[index])
    for match in _NUMBERED.finditer(text):
        index = int(match.group("number")) - 1
        if 0 <= index < len(letters):
            yield (Rank.LINE, match.start(), letters[index])


def true_false(text: str, choices: Sequence[str]) -> Found:
    """Options such as "True, False", where the response says of each statement whether it is true."""
    wanted = [tuple(_TRUTH.findall(choice.lower())) for choice in choices]
    if len(wanted) < 2 or len(set(wanted)) < len(wanted) or {len(pair) for pair in wanted} != {2}:
        return
    said = {
        match.group("number").lower().replace("ii", "2").replace("i", "1"): match.group("truth").lower()
        for match in _STATEMENT_TRUTH.finditer(text)
    }
    pair = (said.get("1", ""), said.get("2", ""))
    if pair in wanted:
        yield (Rank.TEXT, 0, chr(ord("A") + wanted.index(pair)))


def stated_value(text: str, choices: Sequence[str], same: SameAnswer) -> Found:
    """The one option that equals the answer which the response states as an open answer."""
    answer = extract_answer(text)
    found = answer.text
    if found is None or len(found) > 300:
        return
    equal = [k for k, choice in enumerate(choices) if same(found, choice)]
    if len(equal) == 1:
        yield (Rank.VALUE, 0, chr(ord("A") + equal[0]))
    elif (
        not equal
        and answer.how != "last line"
        and (match := _STATED_NUMBER.fullmatch(found))
        and not any(c.isdigit() for x in choices for c in x)
    ):
        index = int(match.group("number")) - 1
        if 0 <= index < len(choices):
            yield (Rank.VALUE, 0, chr(ord("A") + index))


def by_exclusion(text: str, letters: str) -> Found:
    """The option that is left where one sentence excludes all the others by letter."""
    for match in _EXCLUDED.finditer(text):
        gone = set(_ALONE.findall(match.group(1)))
        left = [letter for letter in letters if letter not in gone]
        if len(left) == 1 and len(letters) > 2:
            yield (Rank.EXCLUSION, match.start(), left[0])
