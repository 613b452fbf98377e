"""Where a response names option letters: each in its sentence, as `letter_frames` reads it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import cached_property

from harness.grading.extract.letter_frames import AFTER_CHARS, BEFORE_CHARS, Mention
from harness.grading.extract.letter_lines import OPTION_LINE
from harness.grading.extract.letter_marks import second_letter
from harness.grading.extract.option_names import TEXT_OPEN, Named

MAX_MENTIONS = 200  # letters looked at, from the end
_TAIL_CHARS = 4_000  # in which a small letter may end a line
_ANSWER_HEADINGS = (
    r"ans|answer|antwort|lösung|réponse|respuesta|resposta|gabarito|risposta|"
    r"ответ|答案|回答|答え|解答|正解|정답|답|الجواب|الإجابة|उत्तर"
)
_HEADING = re.compile(  # a colon or a line "Final Answer" before the letter's own line
    r"[:：][^\S\n]{0,3}\n\s{0,8}(?!\W{0,4}A\s?\W[^\n]*\s+\W{0,4}B\s?[).:])|"
    rf"^(?P<said>[^\w\n]{{0,6}}(?:[^\W\d_]{{2,12}}\s){{0,2}}(?:{_ANSWER_HEADINGS}))"
    r"(?:[ .]{0,3}\n\s{0,8}|\.\s)",
    re.MULTILINE | re.IGNORECASE,
)
_ANSWER_A = re.compile(r"(?<![^\s])(?:A\s?:|[Aa]ns\))\s?(?=\(?[B-J]\)?\.?\s*$)")
_YES = re.compile(r"\s{1,2}(?:yes|ja|oui|sí|sim|да|是的?|对|はい|예|네)\b", re.IGNORECASE)
_BOUNDARY = re.compile(r"\n|[!?;。！？；।]+|\.(?<!\bi\.e\.)(?<!\be\.g\.)(?<!\bd\.h\.)(?=\s|$|[^\x00-\x7f])")
_CAPITAL = re.compile(
    r"[A-Z](?<![A-Za-z0-9'’_^\\/.][A-Z])(?![A-Za-z0-9_])(?!['’][a-z]{2})(?!\s?[=^_+*]\s?[\w\\(]|/[^A-Z\s])"
)
_BRACKETED = re.compile(r"\(([a-z])\)")
_SMALL_AND_RIGHT = re.compile(r"(?:^|\s)([b-z])\)?\s(?:is|are)\s(?:the\s)?(?:correct|right|best|answer)")
_ENDS_LINE = re.compile(r"(?:^|[\s:(\ue000])([a-z])[ .)]{0,3}$")
_ORDERED_AFTER = re.compile(r"\)?\s?(?:[<>=≥≤→]|->)\s?\(?[A-Z](?![A-Za-z])")  # D > C > B is a sequence, no choice
_ORDERED_BEFORE = re.compile(r"[A-Z]\)?\s?(?:[<>≥≤→]|->|=)\s?\(?$")
_FIRST = re.compile(
    r"(?<![A-Za-z])(?P<letter>[A-Z])\)?\s?(?:and|or|und|oder|et|ou|y|o|e|und|和|或|と|、|&|/|,)\s?(?:option\s)?\(?$"
)


def joined(text: str) -> str:
    """`text` whose headings and announcing colons stand on the line of what they announce; "A: C" is "Answer: C"."""
    text = _ANSWER_A.sub("answer: ", text)
    return _HEADING.sub(lambda m: f"{m.group('said') or ''}: ", text)


class Sentences:
    """The sentences of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        borders = [m.span() for m in _BOUNDARY.finditer(text)]
        if "." in text:
            borders = [(a, b) for a, b in borders if text[a] != "." or not is_label(text, a - 1)]
        self.starts = [0, *(b for _, b in borders)]
        self.ends = [*(a for a, _ in borders), len(text)]

    def mention(self, at: int, letter: str, options: Named) -> Mention:
        """The option at `at` in its sentence."""
        left = self.starts[bisect_right(self.starts, at) - 1]
        right = self.ends[min(bisect_left(self.ends, at), len(self.ends) - 1)]
        text = self.text
        return Mention(
            letter,
            text[max(left, at - BEFORE_CHARS) : at],
            text[at + 1 : min(right, at + 1 + AFTER_CHARS)],
            text[right : right + 1],
            at in options.text_only,
            at in options.with_letter,
            text[right : right + 1] == "?" and bool(_YES.match(text, right + 1)),
        )

    def first_end(self) -> int:
        """The end of the first sentence that holds anything."""
        return next((end for start, end in self._whole if self.text[start:end].strip()), 0)

    def last_start(self) -> int:
        """The start of the last sentence that holds anything."""
        return next((start for start, end in reversed(self._whole) if self.text[start:end].strip(" \n.*")), 0)

    @cached_property
    def _whole(self) -> list[tuple[int, int]]:
        """(start, end) of the sentences; a semicolon parts clauses, no sentences."""
        pairs = [(0, self.ends[0])]
        for start, end in zip(self.starts[1:], self.ends[1:], strict=True):
            if self.text[start - 1] in ";；":
                pairs[-1] = (pairs[-1][0], end)
            else:
                pairs.append((start, end))
        return pairs


def mentions(options: Named, letters: str) -> list[tuple[int, str]]:
    """(position, letter) of every letter that may be an option's, the last MAX_MENTIONS of them."""
    text = options.text
    found = [(m.start(), m.group()) for m in _CAPITAL.finditer(text)][-MAX_MENTIONS:]
    found = [(at, x) for at, x in found if x in letters or "J" >= x != "I"]  # "Answer: E" says something too
    found += [(m.start(1), m.group(1).upper()) for m in _BRACKETED.finditer(text)][-MAX_MENTIONS:]
    found += [(m.start(1), m.group(1).upper()) for m in _SMALL_AND_RIGHT.finditer(text)][-MAX_MENTIONS:]
    start = 0
    for line in text[-_TAIL_CHARS:].split("\n"):
        end = start + len(line)
        if match := _ENDS_LINE.search(line[-6:]):
            at = max(0, len(text) - _TAIL_CHARS) + end - len(line[-6:]) + match.start(1)
            found.append((at, match.group(1).upper()))
        start = end + 1
    kept = {at: x for at, x in found if text[at].isupper() or x in letters}
    return [
        (at, x)
        for at, x in sorted(kept.items())
        if not (_ORDERED_AFTER.match(text, at + 1) or _ORDERED_BEFORE.search(text, max(0, at - 8), at))
    ]


def is_label(text: str, at: int) -> bool:
    """Whether the letter at `at` labels its line: "A. Alpha"."""
    if not text[at : at + 1].isupper():
        return False
    line = text.rfind("\n", 0, max(at, 0)) + 1
    return at - line <= 5 and bool(OPTION_LINE.fullmatch(text, line, at + 2))


def joined_letter(text: str, at: int, letters: str) -> str:
    """A second letter joined to the one at `at` by "or", "and" or a comma; "" without one."""
    second = second_letter(text, at + 1 + (text[at + 1 : at + 2] == "\ue001"))
    if second and second in letters:
        return second
    first = _FIRST.search(text[max(0, at - 16) : at].rstrip(TEXT_OPEN))
    return first.group("letter") if first and first.group("letter") in letters else ""
