"""The final answer of a response: the answer part only, then the last box, the last "Final Answer:", the last line.

Every search is linear: fixed look-behind windows, no nested quantifiers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness import thinking
from harness.grading.cues import cues
from harness.grading.limits import MAX_RESPONSE_CHARS, UnreadableError
from harness.grading.literals import group_end
from harness.grading.sentences import (
    COMPLETE,
    NEGATED,
    PROSE,
    SENTENCE,
    SENTENCE_STARTS,
    first_sentence,
    readable,
    value_in,
)

CUE_WINDOW_CHARS = 20_000  # "Final Answer:" is looked for in the last so many characters
LAST_LINE_CHARS = 2_000  # of the last line, when nothing else states an answer
MAX_CLOSING_LINES = 3  # a remark or two may follow the line that states the answer
_MAX_BOXES = 64  # boxes looked at from the end

_BOX = re.compile(r"\\(?:begin)?\{?(?:boxed|fbox|framebox)")
_UNBRACED_BOX = re.compile(r"\s*([^\s${}]+(?:\{[^{}\n]{0,200}\})*)")
_BOX_JOINT = re.compile(
    r"^(?:[\s$.,;]|\\[()\[\]]|\\q?quad|\\[,;: ]|\\(?:text|mbox)\s*\{\s*(?:,?\s*and|,?\s*or)\s*\}|\band\b|\bor\b|,)*$"
)
_TAG = re.compile(r"<answer>(.{1,500}?)</answer>", re.DOTALL | re.IGNORECASE)
_JSON = re.compile(r'"(?:final_?)?answer"\s*:\s*"?([^"\n}]{1,500})"?\s*[,}\n]', re.IGNORECASE)
_HASHES = re.compile(r"^\s*####\s*(.{1,500})$", re.MULTILINE)
_DENIED = re.compile(r"\bnot\s*(?:\$|\\\(|\\\[)*\s*$")
_CODE = re.compile(r"```(?!json)[^`]*(?:```|$)")


@dataclass(frozen=True, slots=True)
class Extraction:
    """`text` is None where there is no answer; `how` says where it was found or why there is none."""

    text: str | None
    how: str
    truncated: bool = False


def answer_part(response: str) -> tuple[str, bool]:
    """(what follows the thought, whether the thought is still open). Without any delimiter, the whole response."""
    return thinking.answer_part(response[-MAX_RESPONSE_CHARS:])


def boxes(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, content) of the boxes from the last one on; a box inside another is skipped for the outer one."""
    starts: list[tuple[int, int]] = []
    at = len(text)
    while len(starts) < _MAX_BOXES and (at := max(text.rfind("boxed", 0, at), text.rfind("box{", 0, at))) >= 0:
        for match in _BOX.finditer(text, max(0, at - 12), at + 6):
            if match.end() > at and (not starts or match.start() != starts[-1][0]):
                starts.append((match.start(), match.end()))
    starts.reverse()
    spans: list[tuple[int, int, str]] = []
    for start, after in starts:
        at = after
        while at < len(text) and (text[at].isspace() or text[at] == "}"):
            at += 1
        if at < len(text) and text[at] == "{":
            try:
                end = group_end(text, at)
            except UnreadableError:
                line = text[at + 1 :].split("\n", 1)[0]
                spans.append((start, len(text), line if len(line) < 500 else ""))
                continue
            if spans and start < spans[-1][1]:
                continue
            spans.append((start, end + 1, text[at + 1 : end]))
        elif unbraced := _UNBRACED_BOX.match(text, after):
            spans.append((start, unbraced.end(), unbraced.group(1).rstrip(".,;")))
    yield from reversed(spans)


def last_box(text: str) -> tuple[int, int, str] | None:
    """(start, end, content) of the last box with content; boxes joined by commas, "and" or "or" are one list."""
    if "box" not in text:
        return None
    found: list[tuple[int, int, str]] = []
    connector = ", "
    for start, end, content in boxes(text):
        if not content.strip(" \\,;:"):
            if found:
                break
            continue
        if found:
            joint = text[end : found[-1][0]]
            if not _BOX_JOINT.match(joint) or not any(w in joint for w in (",", "and", "or")):
                break
            connector = " \\text{ or } " if "or" in joint else connector
        found.append((start, end, content))
    if not found:
        return None
    return found[0][0], found[0][1], connector.join(content for _, _, content in reversed(found))


def _cued(text: str) -> tuple[int, bool, str] | None:
    """(position, whether the cue is strong, value) of the last stated answer."""
    for at, strong, start in cues(text):
        rest = text[start : start + LAST_LINE_CHARS]
        if NEGATED.search(text[at:start]):
            continue
        if not rest.startswith(("\\[", "$$", "\\begin")):
            rest = rest.split("\n", 1)[0].removeprefix("}").lstrip()  # \text{Answer: } 5
        if rest.count("**") == 1:  # **The final answer is: 5**
            rest = rest.replace("**", "")
        value = value_in(first_sentence(rest)) if rest.strip() else None
        if value is not None:
            return at, strong, value
    return None


def _without_code(text: str) -> str:
    """`text` with its fenced code blanked, JSON kept: what a program prints is not what the response states."""
    return _CODE.sub(" ", text) if "```" in text else text


def extract_answer(response: str, final: bool = True) -> Extraction:
    """The final answer of a response to an open question.

    `final` False says that the generation was cut by its length cap: only a stated answer counts then.
    """
    text, open_thought = answer_part(response)
    if open_thought:
        return Extraction(None, "the thought was cut before any answer", truncated=True)
    if not text.strip():
        return Extraction(None, "the answer part is empty", truncated=not final)
    boxed = last_box(text)
    cued = _cued(_without_code(text[boxed[1] :] if boxed else text[-CUE_WINDOW_CHARS:]))
    if boxed and _DENIED.search(text[max(0, boxed[0] - 16) : boxed[0]]):
        before = last_box(text[: boxed[0]])  # "the answer is [5], not [6]"
        if before is None:
            return Extraction(None, "the boxed value is denied")
        boxed = before
    if boxed and not (cued and cued[1]):
        return Extraction(boxed[2].strip(), "box")
    if cued:
        return Extraction(cued[2].strip(), "stated")
    tail = text[-CUE_WINDOW_CHARS:]
    for pattern, how in ((_TAG, "tag"), (_JSON, "json"), (_HASHES, "####")):
        matches = pattern.findall(tail)
        if matches:
            return Extraction(matches[-1].strip(), how)
    if not final:
        return Extraction(None, "the answer was cut before it was stated", truncated=True)
    return _last_line(text)


def _few_words(text: str) -> bool:
    """Whether at most three words stand there and no sentence begins: "June 5", "red and blue"."""
    words = text.split()
    return len(words) <= 3 and words[0].lower() not in SENTENCE_STARTS and not NEGATED.search(text)


def _last_line(text: str) -> Extraction:
    """What the last line states; a closing remark without any number lets the line before it speak."""
    whole = text.strip()
    if "\n" not in whole and len(whole) <= LAST_LINE_CHARS and (not PROSE.search(whole) or _few_words(whole)):
        return Extraction(whole, "the whole response")
    if whole.endswith((":", "：")):
        return Extraction(None, "the response ends before what it announces")
    tail = whole[-LAST_LINE_CHARS * 4 :]
    lines = [line.strip()[-LAST_LINE_CHARS:] for line in tail.split("\n") if line.strip()]
    if lines[-1] in ("\\]", "$$", "\\)", "```") or lines[-1].startswith("\\end"):
        lines = [tail[-LAST_LINE_CHARS:]]  # a displayed formula: take all of it
    for line in reversed(lines[-MAX_CLOSING_LINES:]):
        sentences = [s for s in SENTENCE.split(line) if s and s.strip()]
        for sentence in reversed(sentences[-3:]):
            value = value_in(sentence, complete=bool(COMPLETE.search(sentence)))
            if value is not None:
                return Extraction(value.strip(), "last line")
            if any(c.isdigit() for c in sentence):
                break
            if sentence is sentences[-1] and line is lines[-1] and len(sentences) > 1 and not COMPLETE.search(sentence):
                return Extraction(None, "the response ends in the middle of a sentence")
        if any(c.isdigit() for c in line):
            break
    if whole.startswith(("$", "\\(", "\\[", "\\text")) and "\n" not in whole:
        tree = readable(whole)
        if tree is not None and tree[0] == "text":
            return Extraction(whole, "the whole response")
    return Extraction(None, "no final answer is stated")
