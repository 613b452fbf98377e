"""The option letter that a response to a multiple choice question settles on. No letter is ever guessed.

Decoration (stars, dollars, \\text{}, quotes) goes first, so that the patterns stay short and every search linear. Then
statements ("The correct answer is (B)", a box, a tag) are looked for and the last one counts; then looser turns ("I
would go with B", "which is option B"); then a letter, or an option's own text, alone on the last or the first line.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.grading.extract.answer import CUE_WINDOW_CHARS, Extraction, answer_part, last_box
from harness.grading.extract.letter_phrases import STATEMENTS, TURNS
from harness.grading.grammar.clean import translate

_DECORATION = re.compile(
    r"</?(?:b|i|u|p|em|strong|span|br)\s?/?>|"
    r"\\(?:text|textbf|mathbf|mathrm|textrm|textit|boxed|fbox|bf|rm|displaystyle)(?![A-Za-z])|\\[()\[\],;:! ]|\\q?quad|"
    r"[*_`$\"“”‘{}\[\]#]|(?<!\s)[<>]|[<>](?!\s)|(?m:^>)|(?<![A-Za-z])['’]|['’](?![A-Za-z])"
)
_SPACES = re.compile(r"[^\S\n]+")
_NAMED = r"(?:(?:option|choice|answer|ans)\b[\s.:]{0,3})?"
_BARE = re.compile(rf"(?:[-•>✅👉]\s?)?{_NAMED}\(?\s?(?P<letter>[A-Za-z])\s?[).,:;!]{{0,3}}", re.IGNORECASE)
_WITH_TEXT = re.compile(rf"{_NAMED}(?P<open>\()?\s?(?P<letter>[A-Z])(?:[).:,]|。|，)\s?\S", re.IGNORECASE)
_IN_BOX = re.compile(rf"{_NAMED}\(?\s?(?P<letter>[A-Za-z])(?:[).,:\s\\]|$)", re.IGNORECASE)
_TAGGED = re.compile(
    r"<answer>(.{1,300}?)</answer>|[\"'](?:final_?|correct_?)?(?:answer|choice|option)[\"']\s{0,3}:\s{0,3}[\"']([^\"'\n]{1,300})[\"']",
    re.IGNORECASE | re.DOTALL,
)
_NEGATED_BEFORE = re.compile(
    r"\b(?:not|isn't|isn’t|never|neither|nor)\b(?:(?!\bbut\b)[^.;\n]){0,14}$|不是$", re.IGNORECASE
)
_NEGATED_AFTER = re.compile(r"\b(?:not|isn't|isn’t|incorrect|wrong|false|never)\b", re.IGNORECASE)
_SECOND = re.compile(  # "A or B"; not "B, A is wrong"
    r"\)?\s{0,3}(?:and|or|\\?&|/|,|\|)\s{0,3}\(?(?P<letter>[A-Z])(?![A-Za-z'’])"
    r"(?!\)?\s(?:is|was|being|would|will|cannot|can't|does|has|fails|violates|gives|ignores|requires)\b)"
)
_FIRST = re.compile(r"(?<![A-Za-z])(?P<letter>[A-Z])\)?\s?(?:and|or|&|/)\s\(?$")  # "Either B or C is correct"
_ORDERED = re.compile(r"\s?(?:[<>=≥≤→]|->)\s?[A-Z](?![A-Za-z])")  # D > C > B is a sequence, no choice
_OPTION_LINE = re.compile(r"\(?([A-Z])[).:]")


def undecorated(text: str) -> str:
    """`text` without Markdown, dollars, braces, quotes and style commands; runs of spaces are one space."""
    return _SPACES.sub(" ", _DECORATION.sub(" ", text)).replace("( ", "(").replace(" )", ")")


def _option_text(text: str, choices: Sequence[str]) -> str | None:
    """The letter of the one option whose text is `text`."""
    wanted = _plain(text)
    hits = [k for k, choice in enumerate(choices) if wanted and _plain(choice) == wanted]
    return chr(ord("A") + hits[0]) if len(hits) == 1 else None


def _plain(text: str) -> str:
    return "".join(c for c in translate(text).casefold() if c.isalnum() or c in "+-./^=<>")


def extract_letter(response: str, choices: Sequence[str] = (), num_choices: int = 4, final: bool = True) -> Extraction:
    """The letter among the first `num_choices` (or `len(choices)`) that the answer part states last."""
    text, open_thought = answer_part(response)
    if open_thought:
        return Extraction(None, "the thought was cut before any answer", truncated=True)
    letters = "".join(chr(ord("A") + k) for k in range(len(choices) or num_choices))
    text = translate(text[-CUE_WINDOW_CHARS:])
    if not text.strip():
        return Extraction(None, "the answer part is empty", truncated=not final)
    text = undecorated(_spell_out_marks(text, choices, letters))
    found, how = _matches(STATEMENTS, text, letters), "stated"
    if not found:
        found, how = _matches(TURNS, text, letters), "chosen"
    if not found:
        return _bare(text, letters, choices, final)
    at, letter = max(found)
    if letter not in letters:
        return Extraction(None, f"the letter {letter} is no option")
    second = _SECOND.match(text, at + 1)
    if second and second.group("letter") in letters and second.group("letter") != letter:
        return Extraction(None, f"two letters, {letter} and {second.group('letter')}")
    return Extraction(letter, how)


def _spell_out_marks(text: str, choices: Sequence[str], letters: str) -> str:
    """A box, an <answer> tag or a JSON field that holds a letter or an option, rewritten as "Answer: B"."""

    def spelled(content: str) -> str | None:
        inside = _IN_BOX.match(undecorated(content).strip())
        if (
            inside
            and (second := _SECOND.match(inside.string, inside.end("letter")))
            and second.group("letter") in letters
        ):
            return None
        letter = _option_text(content, choices) or (inside.group("letter").upper() if inside else None)
        return None if letter is None else f"\nAnswer: {letter}\n"

    boxed = last_box(text)
    if boxed and (said := spelled(boxed[2])):
        text = text[: boxed[0]] + said + text[boxed[1] :]
    return _TAGGED.sub(lambda m: spelled(m.group(1) or m.group(2)) or " ", text)


def _matches(patterns: Sequence[re.Pattern[str]], text: str, letters: str) -> list[tuple[int, str]]:
    """(position, letter) of every match that is not denied; a small letter counts only where it ends its line."""
    found = []
    for pattern in patterns:
        for match in pattern.finditer(text):
            letter, at = match.group("letter"), match.start("letter")
            ends_line = not text[at + 1 :].split("\n", 1)[0].strip(" .)")
            if letter.islower() and (letter.upper() not in letters or not (ends_line or text[at - 1 : at] == "(")):
                continue  # "a" is an article
            if (letter == "I" and "I" not in letters) or _ORDERED.match(text, at + 1):
                continue
            if _NEGATED_BEFORE.search(text[max(0, at - 24) : at]) or "not" in text[at : match.end()]:
                continue
            if (first := _FIRST.search(text[max(0, at - 8) : at])) and first.group("letter") in letters:
                continue
            found.append((at, letter.upper()))
    return found


def _bare(text: str, letters: str, choices: Sequence[str], final: bool) -> Extraction:
    """A letter or an option's own text on the last line, or on the first when little else stands there."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in (lines[-1], lines[0]) if lines else ():
        match = _BARE.fullmatch(line)
        if match and match.group("letter").upper() in letters and not _listed(lines, match.group("letter")):
            return Extraction(match.group("letter").upper(), "bare letter")
        by_text = _option_text(line, choices)
        if by_text:
            return Extraction(by_text, "option text")
        match = _WITH_TEXT.match(line)
        if match and match.group("letter") in letters and not _listed(lines, match.group("letter")):
            letter = match.group("letter")
            others = any(re.search(rf"(?<![A-Za-z]){c}[).:]", line) for c in letters if c != letter)
            others = others or bool(_SECOND.match(line, match.end("letter")))
            if not others and not _NEGATED_AFTER.search(line) and (line is lines[-1] or len(lines) <= 3):
                return Extraction(letter, "letter and text")
    return Extraction(None, "no option is chosen", truncated=not final)


def _listed(lines: Sequence[str], letter: str) -> bool:
    """Whether the letter's line only closes or opens a list of all the options."""
    starts = {match.group(1) for line in lines if (match := _OPTION_LINE.match(line))}
    return len(starts) >= 3 and letter in starts
