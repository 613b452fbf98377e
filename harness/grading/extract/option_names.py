"""Where a response names its options: a letter with its own option's text, or the text alone.

The text of an option is looked for in a plain form (letters, digits and operators, case folded), so that spaces,
stars, dollars and commas do not matter. `named` rewrites the response: "C. Gamma rays" and "gamma rays (C)" become
"(C)", a bare "gamma rays" becomes TEXT_OPEN + "C" + TEXT_CLOSE, and the phrases of `letter_phrases` stay short.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from harness.grading.grammar.clean import translate

TEXT_OPEN, TEXT_CLOSE = "\ue000", "\ue001"
_PRONOUN = re.compile(r"\A(?:it|they|this|there)\s", re.IGNORECASE)
MAX_MENTIONS = 400  # of option texts in one response
_WORD = re.compile(r"(?<=\d)\.(?=\d)|[^\W_]+|[-+/^=<>%]")
_BLANKED = str.maketrans(dict.fromkeys('*_`$"“”‘„«»{}[]#', " "))
_TAGS = re.compile(r"</?(?:b|i|u|p|em|strong|span|br)\s?/?>")
_COMMANDS = re.compile(
    r"\\(?:text|textbf|mathbf|mathrm|textrm|textit|boxed|fbox|bf|rm|displaystyle)(?![A-Za-z])|\\[()\[\],;:! ]|\\q?quad"
)
_ANGLES = re.compile(r"(?<![\s=-])[<>]|(?<![=-])[<>](?!\s)|(?m:^>)")
_QUOTES = re.compile(r"(?<![A-Za-z])['’]|['’](?![A-Za-z])")
_SPACES = re.compile(r"[^\S\n]+")
_LETTER_BEFORE = re.compile(
    r"(?<![A-Za-z'’])\(?[^\S\n]?([A-Z]|[a-z](?=\)))[^\S\n]?(?:\)[^\S\n]?)?[.:,、．)]?[^\S\n]{0,2}(?:[-–—:：=][^\S\n]?)?$"
)
_LETTER_AFTER = re.compile(
    r"[^\S\n]?[,;–-]?[^\S\n]?(?:\([^\S\n]?(?:(?:option|choice|answer|opci[óo]n|réponse|antwort|选项|選択肢)[^\S\n]?)?([A-Z])[^\S\n]?\)|"
    r",?[^\S\n]?(?:which is[^\S\n]|i\.e\.[^\S\n])?(?:option|choice)[^\S\n]\(?([A-Z])\)?(?![A-Za-z]))",
    re.IGNORECASE,
)


def undecorated(text: str) -> str:
    """`text` without Markdown, dollars, braces, quotes and style commands; runs of spaces are one space."""
    if "<" in text or ">" in text:
        text = _ANGLES.sub(" ", _TAGS.sub(" ", text))
    if "\\" in text:
        text = _COMMANDS.sub(" ", text)
    if "'" in text or "’" in text:
        text = _QUOTES.sub(" ", text)
    return _SPACES.sub(" ", text.translate(_BLANKED)).replace("( ", "(").replace(" )", ")")


@lru_cache(maxsize=4_096)
def plain(text: str) -> str:
    """The letters, digits and operators of `text`, case folded: what two spellings of one option share."""
    return "".join(word.casefold() for word in _WORD.findall(undecorated(translate(text))))


class _Flat:
    """The plain form of a line in lower case, and where each of its characters stands there."""

    def __init__(self, text: str) -> None:
        words = [(m.start(), m.group()) for m in _WORD.finditer(text)]
        self.form = "".join(word for _, word in words)
        self.begins: list[int] = []  # in the plain form
        self.at: list[int] = []  # in the text
        length = 0
        for at, word in words:
            self.begins.append(length)
            self.at.append(at)
            length += len(word)

    def __call__(self, index: int) -> int:
        """The index in the text of the character at `index` of the plain form."""
        word = bisect_right(self.begins, index) - 1
        return self.at[word] + index - self.begins[word]


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
        if before and before.group(1).upper() == letter:
            put(text[done : before.start()])
            out.with_letter[length + 1] = letter
            put(f"({letter})")
            done = after.end() if after and other == letter else end
        elif after and other == letter:
            put(text[done:start])
            out.with_letter[length + 1] = letter
            put(f"({letter})")
            done = after.end()
        elif (before and before.group(1).upper() in _letters(choices)) or other in _letters(choices):
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
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = text
    wanted = [(first, form, letter) for first, form, letter in _forms(tuple(choices)) if first in lowered]
    spans: list[tuple[int, int, str]] = []
    begin = 0
    for line in lowered.split("\n") if wanted else ():
        here = [(form, letter) for first, form, letter in wanted if first in line]
        if here and len(spans) < MAX_MENTIONS:
            flat = _Flat(line)
            for form, letter in here:
                where = flat.form.find(form)
                while where >= 0 and len(spans) < MAX_MENTIONS:
                    start, end = begin + flat(where), begin + flat(where + len(form) - 1) + 1
                    if _stands_alone(text, start, end):
                        spans.append((start, end, letter))
                    where = flat.form.find(form, where + len(form))
        begin += len(line) + 1
    kept: list[tuple[int, int, str]] = []
    for span in sorted(spans, key=lambda s: (s[0], -s[1])):
        if kept and span[0] < kept[-1][1]:
            if span[1] - span[0] > kept[-1][1] - kept[-1][0]:
                kept[-1] = span
            continue
        kept.append(span)
    return kept


def _first_word(text: str) -> str:
    return str(_WORD.findall(undecorated(translate(text)))[0]).lower()


@lru_cache(maxsize=1_024)
def _forms(choices: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """(first word, plain form, letter) of the options whose text tells them apart and is no option's letter."""
    letters = _letters(choices)
    forms = [plain(choice) for choice in choices]
    out = []
    for k, (choice, form) in enumerate(zip(choices, forms, strict=True)):
        if form and forms.count(form) == 1 and not (len(form) == 1 and form.upper() in letters):
            letter = chr(ord("A") + k)
            out.append((_first_word(choice), form, letter))
            rest = _PRONOUN.sub("", choice)
            if (
                rest != choice and len(rest.split()) >= 3
            ):  # "the limit cannot be determined" for "It cannot be determined"
                out.append((_first_word(rest), plain(rest), letter))
    return out


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no letter or digit of the same word touches the span; scripts without spaces have no such borders."""
    before, after = text[start - 1 : start], text[end : end + 1]
    left = before.isalnum() and text[start].isalnum() and ord(text[start]) < 0x0E00
    right = after.isalnum() and text[end - 1].isalnum() and ord(text[end - 1]) < 0x0E00
    number = text[start].isdigit() and (before in (".", ",", "-", "/", "^") and start > 1 and before != "-")
    more = text[end - 1].isdigit() and after in (".", ",", "/", "^") and text[end + 1 : end + 2].isdigit()
    return not (left or right or number or more)
