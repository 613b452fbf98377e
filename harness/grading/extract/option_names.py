"""Where a response names its options: a letter with its own option's text, or the text alone.

The text of an option is looked for in a plain form (letters, digits and operators, case folded), so that spaces,
stars, dollars and commas do not matter. `named` rewrites the response: "C. Gamma rays" and "gamma rays (C)" become
"(C)", a bare "gamma rays" becomes TEXT_OPEN + "C" + TEXT_CLOSE, and the phrases of `letter_phrases` stay short.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.grading.grammar.clean import translate

TEXT_OPEN, TEXT_CLOSE = "\ue000", "\ue001"
MAX_MENTIONS = 400  # of option texts in one response
_OPERATORS = frozenset("+-/^=<>%")
_DECORATION = re.compile(
    r"</?(?:b|i|u|p|em|strong|span|br)\s?/?>|"
    r"\\(?:text|textbf|mathbf|mathrm|textrm|textit|boxed|fbox|bf|rm|displaystyle)(?![A-Za-z])|\\[()\[\],;:! ]|\\q?quad|"
    r"[*_`$\"“”‘„«»{}\[\]#]|(?<!\s)[<>]|[<>](?!\s)|(?m:^>)|(?<![A-Za-z])['’]|['’](?![A-Za-z])"
)
_SPACES = re.compile(r"[^\S\n]+")
_LETTER_BEFORE = re.compile(
    r"(?<![A-Za-z'’])\(?[^\S\n]?([A-Z])[^\S\n]?(?:\)[^\S\n]?)?[.:,、．)]?[^\S\n]{0,2}(?:[-–—:：=][^\S\n]?)?$"
)
_LETTER_AFTER = re.compile(
    r"[^\S\n]?[,;–-]?[^\S\n]?(?:\([^\S\n]?(?:(?:option|choice|answer|opci[óo]n|réponse|antwort|选项|選択肢)[^\S\n]?)?([A-Z])[^\S\n]?\)|"
    r",?[^\S\n]?(?:which is[^\S\n]|i\.e\.[^\S\n])?(?:option|choice)[^\S\n]\(?([A-Z])\)?(?![A-Za-z]))",
    re.IGNORECASE,
)


def undecorated(text: str) -> str:
    """`text` without Markdown, dollars, braces, quotes and style commands; runs of spaces are one space."""
    return _SPACES.sub(" ", _DECORATION.sub(" ", text)).replace("( ", "(").replace(" )", ")")


def plain(text: str) -> str:
    """The letters, digits and operators of `text`, case folded: what two spellings of one option share."""
    return _plain(undecorated(translate(text)))[0]


def _plain(text: str) -> tuple[str, list[int]]:
    """(plain form, index in `text` of each of its characters)."""
    out: list[str] = []
    at: list[int] = []
    last = len(text) - 1
    for k, c in enumerate(text):
        if c.isalnum() or c in _OPERATORS:
            folded = c.casefold()
        elif c == "." and 0 < k < last and text[k - 1].isdigit() and text[k + 1].isdigit():
            folded = c
        else:
            continue
        out.append(folded)
        at.extend([k] * len(folded))
    return "".join(out), at


@dataclass
class Named:
    """A response whose options are named. Positions are indices into `text`, of the letter."""

    text: str
    with_letter: dict[int, str] = field(default_factory=dict)  # letter and own text: "C. Gamma rays"
    text_only: dict[int, str] = field(default_factory=dict)


def named(text: str, choices: Sequence[str]) -> Named:
    """`text` (undecorated) with every mention of an option's text rewritten. Linear in the text per option."""
    found = _mentions(text, choices)
    out = Named("")
    pieces: list[str] = []
    length = done = 0

    def put(piece: str) -> None:
        nonlocal length
        pieces.append(piece)
        length += len(piece)

    for start, end, letter in found:
        if start < done:
            continue
        before = _LETTER_BEFORE.search(text, max(done, start - 10), start)
        after = _LETTER_AFTER.match(text, end)
        other = (after.group(1) or after.group(2)).upper() if after else ""
        if before and before.group(1) == letter:
            put(text[done : before.start()])
            out.with_letter[length + 1] = letter
            put(f"({letter})")
            done = after.end() if after and other == letter else end
        elif after and other == letter:
            put(text[done:start])
            out.with_letter[length + 1] = letter
            put(f"({letter})")
            done = after.end()
        elif (before and before.group(1) in _letters(choices)) or other in _letters(choices):
            continue  # another option's letter stands there: the letter is what is said
        else:
            put(text[done:start])
            out.text_only[length + 1] = letter
            put(f"{TEXT_OPEN}{letter}{TEXT_CLOSE}")
            done = end
    put(text[done:])
    out.text = "".join(pieces)
    return out


def _letters(choices: Sequence[str]) -> frozenset[str]:
    return frozenset(chr(ord("A") + k) for k in range(len(choices)))


def _mentions(text: str, choices: Sequence[str]) -> list[tuple[int, int, str]]:
    """(start, end, letter) of the options' texts, the longest first where two overlap, in order of their start."""
    if not choices:
        return []
    flat, at = _plain(text)
    letters = _letters(choices)
    wanted = [plain(choice) for choice in choices]
    spans: list[tuple[int, int, str]] = []
    for k, form in enumerate(wanted):
        if not form or wanted.count(form) > 1 or (len(form) == 1 and form.upper() in letters):
            continue
        where = flat.find(form)
        while where >= 0 and len(spans) < MAX_MENTIONS:
            start, end = at[where], at[where + len(form) - 1] + 1
            if _stands_alone(text, start, end):
                spans.append((start, end, chr(ord("A") + k)))
            where = flat.find(form, where + len(form))
    kept: list[tuple[int, int, str]] = []
    for span in sorted(spans, key=lambda s: (s[0], -s[1])):
        if kept and span[0] < kept[-1][1]:
            if span[1] - span[0] > kept[-1][1] - kept[-1][0]:
                kept[-1] = span
            continue
        kept.append(span)
    return kept


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no letter or digit of the same word touches the span; scripts without spaces have no such borders."""
    before, after = text[start - 1 : start], text[end : end + 1]
    left = before.isalnum() and text[start].isalnum() and ord(text[start]) < 0x0E00
    right = after.isalnum() and text[end - 1].isalnum() and ord(text[end - 1]) < 0x0E00
    number = text[start].isdigit() and (before in (".", ",", "-", "/", "^") and start > 1 and before != "-")
    more = text[end - 1].isdigit() and after in (".", ",", "/", "^") and text[end + 1 : end + 2].isdigit()
    return not (left or right or number or more)
