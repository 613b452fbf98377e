"""The quality and difficulty filters, with a reason for every row that they drop (s1, section 2.2).

Rules are named, ordered and visible; a row is dropped by the first that fires, so the counts add up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from harness.data import repairs as fixes
from harness.data.schema import with_thinking
from harness.errors import UserError
from harness.marks import holds_delimiter, lower_ascii

# What a failed call leaves in the place of a trace or an answer.
API_ERROR = re.compile(
    r"\b(?:rate limit(?:ed| exceeded)?|resource[_ ]?exhausted|quota exceeded|internal server error|service unavailable"
    r"|bad gateway|gateway time-?out|too many requests|finish_reason: ?(?:recitation|safety)"
    r"|(?:http|status|error)(?: code)?[: ]+(?:429|500|502|503|504))\b",
    re.IGNORECASE,
)
API_ERROR_LENGTH = 400  # characters; a longer trace may well talk about "status 500"
IMAGE = re.compile(
    r"!\[[^\]]*\]\([^)]*\)|!\[image\]|<img\b|\\includegraphics|https?://\S+\.(?:png|jpe?g|gif|svg)\b"
    r"|\[(?:image|figure)\]",
    re.IGNORECASE,
)
IMAGE_HINTS = ("![", "<img", "includegraphics", "http", "[image]", "[figure]")  # one of these stands in every IMAGE
ASY = re.compile(r"\[asy\]|\\begin\{asy\}")
BOX = re.compile(r"[\u2500-\u257f]{3,}")
DRAWING = frozenset("-|+_\\/*=.<>^")
RULE_LINES, DRAWN_LINES = 2, 3  # in a row; a Markdown table has one rule line
MIN_MARKS = 5  # of a line that is drawn
# In every rule line: that many drawing characters with nothing but space between. Few texts hold one.
RULE = re.compile(rf"[{re.escape(''.join(DRAWING))}](?:\s*[{re.escape(''.join(DRAWING))}]){{{MIN_MARKS - 1}}}")
# Left-overs of scraping: "p12." numbering, and an index set in bold at the head of a question ("**3A.**").
NUMBERING = re.compile(r"(?<![A-Za-z0-9])p\d{1,3}\.|^\s*\*\*(?=[^\s*]*\d)[^\s*]*\*\*", re.MULTILINE)
BROKEN_TEXT = re.compile("[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffd]")
PARTS = ("question", "thinking", "attempt")


def _no_thinking(row: Mapping[str, Any]) -> bool:
    return not with_thinking(row)


def _no_answer(row: Mapping[str, Any]) -> bool:
    return not (row["attempt"].strip() or row["answer"].strip())


def _api_error(row: Mapping[str, Any]) -> bool:
    thinking, attempt = row["thinking"], row["attempt"]
    return any(len(text) < API_ERROR_LENGTH and API_ERROR.search(text) is not None for text in (thinking, attempt))


def _image(row: Mapping[str, Any]) -> bool:
    """A link, a place-holder, or a question about a figure that is not there."""
    return fixes.misses_figure(row["question"]) or any(_shows_image(row[name]) for name in PARTS)


def _shows_image(text: str) -> bool:
    # On a long trace `in` is many times as fast as IMAGE, and fastest of all in telling that a character is nowhere.
    lowered = lower_ascii(text)
    return any(hint[0] in lowered and hint in lowered for hint in IMAGE_HINTS) and IMAGE.search(text) is not None


def _ascii_art(row: Mapping[str, Any]) -> bool:
    """Figures drawn in text. AIME's [asy] stays, as in s1: the exam's own problems carry it."""
    if ASY.search(row["question"]) and "aime" not in row["source"].lower():
        return True
    return BOX.search(row["question"]) is not None or drawn_in_text(row["question"])


def drawn_in_text(text: str) -> bool:
    """Whether `text` holds a drawing: three lines in a row that are half drawing characters, two of them wholly."""
    if RULE.search(text) is None:
        return False
    run = rules = 0
    for line in text.splitlines():
        marks = [char in DRAWING for char in line if not char.isspace()]
        if len(marks) < MIN_MARKS or sum(marks) < len(marks) / 2 or not set(line) & set("|+_/\\"):
            run = rules = 0
            continue
        run, rules = run + 1, rules + all(marks)
        if run >= DRAWN_LINES and rules >= RULE_LINES:
            return True
    return False


def _formatting(row: Mapping[str, Any]) -> bool:
    if NUMBERING.search(row["question"]) or BROKEN_TEXT.search(row["question"]):
        return True
    return any(holds_delimiter(row[name]) for name in PARTS)


Rule = Callable[[Mapping[str, Any]], bool]
# reason -> whether the row is dropped for it; in this order
QUALITY: dict[str, Rule] = {
    "no thinking": _no_thinking,
    "no answer": _no_answer,
    "API error": _api_error,
    "image reference": _image,
    "ASCII art": _ascii_art,
    "formatting": _formatting,
}
SolvedBy = Literal["any", "all"]


def why_dropped(row: Mapping[str, Any]) -> str | None:
    """The first quality rule that drops `row`, or None."""
    return next((reason for reason, fires in QUALITY.items() if fires(row)), None)


def solved(correct: list[bool | None] | None, by: SolvedBy = "any") -> bool | None:
    """Whether the reference models solve the question; None where nothing is known.

    `by="any"` is s1: a question that either model solves is too easy (section 2.2; 24,496 rows stay). `by="all"` drops
    only what every one of them solves; a missing grade is then no solution.
    """
    if by not in ("any", "all"):
        raise UserError(f"difficulty rule '{by}' is neither 'any' nor 'all'")
    if not correct or all(value is None for value in correct):
        return None
    return any(value is True for value in correct) if by == "any" else all(value is True for value in correct)
