"""The final answer of a response to an open question: what its answer part commits to.

In this order: the last box; a value that a strong cue ("Final Answer:") states after it; the last cue; a tag, a JSON
field, "####"; what the last sentence states. Written rules:

- A cue states the value that stands right behind it. Where a sentence stands there instead ("Answer: To evaluate ..."),
  the cue is a heading and the sentence is read like any other.
- A box that the end of the text cuts does not count where a whole box stands before it.
- Of a generation that was cut, nothing that touches the cut is taken.
- A formula that stands in the question, not worked out, is not an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd

from harness.grading.extract.asked import asked_value, signed, speaks_of_it
from harness.grading.extract.conclusions import GIVEN_UP, YES_NO, conclusion, firm_conclusion
from harness.grading.extract.cues import TAKEN_BACK, TAKEN_BACK_AT_ONCE, cues
from harness.grading.extract.parts import answer_part
from harness.grading.extract.sentences import (
    COMPLETE,
    IMAGINED,
    INSERTED,
    PROSE,
    SENTENCE,
    SENTENCE_STARTS,
    bare_consequence,
    directly_stated,
    first_sentence,
    is_remark,
    is_value,
    readable,
    value_in,
)
from harness.grading.extract.stated_numbers import NEGATED, WRONG
from harness.grading.grammar.clean import clean, translate

CUE_WINDOW_CHARS = 20_000  # "Final Answer:" is looked for in the last so many characters
LAST_LINE_CHARS = 2_000  # of the last line, when nothing else states an answer
MAX_CLOSING_LINES = 3  # a remark or two may follow the line that states the answer
_MAX_BOXES = 64  # boxes looked at from the end
_FEW_BOXES = 4  # looked at first

_BOX = re.compile(r"\\(?:begin)?\{?(?:boxed|fbox|framebox)")
_EMPTY_BOX_ENDS = re.compile(r"\\(?:boxed|fbox)\{(?:\s|\\[,;:! ])*\}[\s$.*]*(?:\\[)\]][\s.]*)?\Z")
_UNBRACED_BOX = re.compile(r"\s*([^\s${}]+(?:\{[^{}\n]{0,200}\})*)")
_BOX_JOINT = re.compile(
    r"^(?:[\s$.,;]|\\[()\[\]]|\\q?quad|\\[,;: ]|\\(?:text|mbox)\s*\{\s*(?:for (?:part|"
    r"case)?\s?\(?\w\)?)?(?:,?\s*and|,?\s*or)\s*\}|\band\b|\bor\b|,)*$"
)
_TAG = re.compile(
    r"[<\[](?:answer|final|final_answer|solution|result)[>\]](.{1,500}?)[<\[]/(?:answer|final|final_answer|solution|result)[>\]]",
    re.DOTALL | re.IGNORECASE,
)
_JSON = re.compile(
    r'"(?:(?:final_?)?answer|result|solution)"\s*:\s*(?:"((?:[^"\\\n]|\\.){1,500})"|\[([^\]\n]{1,500})\]|([^"\n}]{1,500}?))\s*(?:[,}\n]|$)',
    re.IGNORECASE,
)
_HASHES = re.compile(  # a line that begins with it is a heading elsewhere; within one it stands before GSM8K's number
    r"^\s*####\s*(.{1,500})$|(?<=\s)####\s*([-+]?[$€£]?[-+]?\d[\d,./]*\s?%?)\s*$", re.MULTILINE
)
_DENIED = re.compile(r"\bnot\s*(?:\$|\\\(|\\\[)*\s*$")
_CODE = re.compile(r"```(?!json)[^`]*(?:```|$)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_ITEM = re.compile(r"^\s*(\d{1,2})[.)]\s+(\S.{0,300}?)\s*$")
_GUESS = re.compile(
    r"(?<!\bI\s)\b(?:claims|says|thinks|believes|claimed|said|guesses)\b[^,]{0,40}$|\b(?:maybe|perhaps|suppose|"
    r"guess(?:ed)? that|if)\b[^,]{0,40}$",
    re.IGNORECASE,
)
_HEADING_ONLY = re.compile(r"(?:final\s+)?answers?", re.IGNORECASE)
_FINAL_LINE = re.compile(
    r"(?:(?:^|\n)[#*\s]{0,6}(?:Final )?Answer[*\s]{0,3}:[*\s]{0,3}\S.{0,200}|"
    r"\b[Tt]he (?:final )?answer is\s\S.{0,200})(?=\n)"
)
_OWN_PROBLEM = re.compile(r"\n[#*\s]{0,6}(?:Problem|Question|Human|User)(?:\s\d{1,3})?[*\s]{0,3}:", re.IGNORECASE)
_SAYS_OF = re.compile(r"[^\W\d_a-zA-Z][^\n]*[=:：]|^\W*[^\W\d_]{3,}\s?[:：]")  # "Solución: 36", "合计 12+36=48 元"
_CJK_WITH_NUMBER = re.compile(r"[^\W\d_a-zA-Z\u0370-\u03ff]{2}.*\d|\d.*[^\W\d_a-zA-Z\u0370-\u03ff]{2}")
_NUMBER_IN_CLAUSE = re.compile(
    r"[^\W\d_]{2}\s\d[\d.,]*\s[^\W\d]|['’]s\s\d|\b(?:is|are|es|est|ist|equals|è|é)\s", re.IGNORECASE
)
_LABEL = re.compile(r"\d{1,2}[.)]")
# A whole response that says no more than that there is none: "I cannot.", "Sorry, we can't".
_INABILITY = re.compile(
    r"\W*(?:sorry\W+)?(?:i|we)\s(?:cannot|can\snot|can't|can’t|could\snot|couldn't|couldn’t|am\sunable|don't|don’t)\W*$",
    re.IGNORECASE,
)
_LEADING_SIGNS = re.compile(r"\A(?:[→∴⇒]|=>|->|=(?!=))\s*")
_NEGATIVE = re.compile(r"\A(?:negative|minus)\s(?=\$?\d)", re.IGNORECASE)
_EXCLAIMED = re.compile(r"[^$\\(){}]*\d!")
_FACTORIAL = re.compile(r"[\w)]!(?=\s*[-+*/=^,)$}]|\w)|\\!|factorial|permut|arrang", re.IGNORECASE)
_WORKED_LEFT = re.compile(r"\\(?:int|sum|lim|prod|iint|oint)(?![A-Za-z])")
_BULLET = re.compile(r"\s*[-*•]\s+(\S.*)")
_SPACING = re.compile(r"\s+|\\[,;:! ]|\\(?:left|right|displaystyle|q?quad)(?![A-Za-z])|[$]|\\[()\[\]]")
_WORKED_OUT = re.compile(r"[-+]?\\?\$?(?:\d[\d,.]*|\d+/\d+|\\frac\{?-?\d+\}?\{?\d+\}?|[A-Za-z]|\\[A-Za-z]+)%?")
_INTEGER_FRACTION = re.compile(r"(\d{1,12})/(\d{1,12})|\\frac\{(\d{1,12})\}\{(\d{1,12})\}")
_BRACES = re.compile(r"[{}]")
_OPERATION = re.compile(r"[-+*/^!=<>]|\\(?:cdot|times|div|sqrt|frac|binom|sum|int|prod|lim|log|ln|sin|cos|tan|pm|bmod)")


@dataclass(frozen=True, slots=True)
class Extraction:
    """`text` is None where there is no answer; `how` says where it was found or why there is none."""

    text: str | None
    how: str
    truncated: bool = False
    ambiguous: bool = False


# --- boxes ------------------------------------------------------------------------------------------------------


def boxes(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, content) of the boxes from the last one on; a box inside another is skipped for the outer one.

    The last few are matched first, and all `_MAX_BOXES` only where these are not enough: two passes over the braces
    at most, linear in the text.
    """
    few = _spans(text, _FEW_BOXES)
    yield from reversed(few)
    if len(few) >= _FEW_BOXES:
        yield from reversed(_spans(text, _MAX_BOXES)[: -len(few)])


def _spans(text: str, limit: int) -> list[tuple[int, int, str]]:
    """The last `limit` boxes in order."""
    starts: list[tuple[int, int]] = []
    at = len(text)
    other = text.rfind("box{")  # \\fbox, \\framebox; each search goes on where the last one stopped
    while len(starts) < limit:
        boxed = text.rfind("boxed", 0, at)
        other = other if other < at else text.rfind("box{", 0, at)
        at = max(boxed, other)
        if at < 0:
            break
        for match in _BOX.finditer(text, max(0, at - 12), at + 6):
            if match.end() > at and (not starts or match.start() != starts[-1][0]):
                starts.append((match.start(), match.end()))
    starts.reverse()
    opened: dict[int, tuple[int, int]] = {}  # index of the opening brace -> the box
    for start, after in starts:
        at = after
        while at < len(text) and (text[at].isspace() or text[at] == "}"):
            at += 1
        opened[at if text[at : at + 1] == "{" else -after] = (start, after)
    closed = _closing_braces(text, [at for at in opened if at >= 0])
    spans: list[tuple[int, int, str]] = []
    for brace, (start, after) in opened.items():
        if brace < 0:
            if unbraced := _UNBRACED_BOX.match(text, after):
                spans.append((start, unbraced.end(), unbraced.group(1).rstrip(".,;")))
        elif brace not in closed:
            line = text[brace + 1 :].split("\n", 1)[0]
            spans.append((start, len(text), line if len(line) < 500 else ""))
        elif not (spans and start < spans[-1][1]) or spans[-1][1] == len(text):
            spans.append((start, closed[brace] + 1, text[brace + 1 : closed[brace]]))
    return spans


def _closing_braces(text: str, wanted: list[int]) -> dict[int, int]:
    """For each index of an opening brace in `wanted`, that of the brace which closes it, where one does."""
    if not wanted:
        return {}
    left, found = set(wanted), {}
    stack: list[int] = []
    for match in _BRACE.finditer(text, min(wanted)):
        mark = match.group()
        if mark == "{":
            stack.append(match.start())
        elif mark == "}" and stack:
            opener = stack.pop()
            if opener in left:
                found[opener] = match.start()
                left.discard(opener)
                if not left:
                    break
    return found


def last_box(text: str) -> tuple[int, int, str] | None:
    """(start, end, content) of the last box with content; boxes joined by commas, "and" or "or" are one list.

    A box that the end of `text` cuts counts only where no whole box stands before it.
    """
    if "box" not in text:
        return None
    found: list[tuple[int, int, str]] = []
    cut: tuple[int, int, str] | None = None
    connector = ", "
    for start, end, content in boxes(text):
        if not found and end == len(text) and "\n" not in text[start:].rstrip() and not _is_whole(text, start, end):
            cut = cut or (start, end, content)
            continue
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
        return cut if cut and cut[2].strip(" \\,;:") else None
    return found[0][0], found[0][1], connector.join(content for _, _, content in reversed(found))


def _is_whole(text: str, start: int, end: int) -> bool:
    r"""Whether the box at `start` ends with its own brace, or has none: `\boxed 5`."""
    return text[end - 1 : end] == "}" or "{" not in text[start:end]


def _cut_box(text: str, boxed: tuple[int, int, str]) -> bool:
    return boxed[1] == len(text) and not _is_whole(text, boxed[0], boxed[1])


# --- cues -------------------------------------------------------------------------------------------------------


def _cued(text: str, question: str, final: bool, after_box: bool) -> tuple[int, bool, str] | None:
    """(position, whether the cue is strong, value) of the last stated answer."""
    for at, strong, start in cues(text):
        rest = text[start : start + LAST_LINE_CHARS]
        if NEGATED.search(text[at:start]):
            continue
        if not rest.startswith(("\\[", "$$", "\\begin")):
            rest = rest.split("\n", 1)[0].removeprefix("}").lstrip()  # \text{Answer: } 5
        if taken := list(TAKEN_BACK_AT_ONCE.finditer(rest)):
            rest = rest[taken[-1].end() :]
        if rest.count("**") == 1:  # **The final answer is: 5**
            rest = rest.replace("**", "")
        line = text.rfind("\n", 0, at) + 1
        before = SENTENCE.split(text[max(line, at - 300) : at])[-1]
        if not rest.strip() or is_remark(before + text[at:start] + rest):
            continue
        item = _ITEM.match(rest)
        if item and item.group(1) == "1":  # a list; behind a box, a list of parts does not outrank it
            value = None if after_box else _listed(text[start : start + LAST_LINE_CHARS])
        else:
            sentence = first_sentence(rest)
            if sentence.rstrip().endswith(("?", "？")) or _GUESS.search(before) or WRONG.search(sentence):
                continue
            if GIVEN_UP.search(before + text[at:start] + sentence):
                continue
            touches = start + len(rest.rstrip()) >= len(text.rstrip()) and sentence.rstrip() == rest.rstrip()
            if not final and touches and not COMPLETE.search(sentence):
                continue
            value = bare_consequence(sentence) or directly_stated(sentence, words=0 if after_box else 4)
        if value is not None and not stands_in(value, question):
            return at, strong, value
    return None


def _bulleted(lines: list[str]) -> str | None:
    """The values of the bullets that end the response under a line with a colon, as one list."""
    items: list[str] = []
    for line in reversed(lines):
        match = _BULLET.fullmatch(line)
        if match is None:
            return ", ".join(reversed(items)) if len(items) > 1 and line.rstrip("*").endswith((":", "：")) else None
        value = value_in(match.group(1), words=0)
        if value is None:
            return None
        items.append(value.strip(" $."))
    return None


def _listed(text: str) -> str | None:
    """The values of a numbered list as one list; a list number is never a value."""
    items: list[str] = []
    for line in text.split("\n"):
        if not line.strip():
            continue
        match = _ITEM.match(line)
        if match is None or int(match.group(1)) != len(items) + 1:
            break
        value = directly_stated(first_sentence(match.group(2)))
        if value is None:
            return None
        items.append(value)
    return ", ".join(items) if len(items) > 1 else None


def stands_in(answer: str, question: str) -> bool:
    """Whether `answer` is an expression of the question that still has to be worked out."""
    if not question:
        return False
    text = _SPACING.sub("", clean(answer)).replace("dfrac", "frac").replace("tfrac", "frac").rstrip(".,;")
    if len(text) < 3 or (_WORKED_OUT.fullmatch(text) and not _reducible(text)) or not _OPERATION.search(text):
        return False
    asked = _SPACING.sub("", question if question.isascii() else translate(question))
    asked = asked.replace("dfrac", "frac").replace("tfrac", "frac")
    return text in asked or ("sqrt" in text and _BRACES.sub("", text) in _BRACES.sub("", asked))


def _reducible(text: str) -> bool:
    """Whether `text` is a fraction that was never reduced."""
    match = _INTEGER_FRACTION.fullmatch(text)
    return match is not None and gcd(*(int(number) for number in match.groups() if number)) > 1


def _without_code(text: str) -> str:
    """`text` with its fenced code blanked, JSON kept: what a program prints is not what the response states."""
    return _CODE.sub(" ", text) if "```" in text else text


# --- the whole answer -------------------------------------------------------------------------------------------


def extract_answer(response: str, final: bool = True, question: str = "", prompt: str = "") -> Extraction:
    """The final answer of a response to an open question.

    Args:
        response: The whole text of a model: thinking, delimiters, answer.
        final: False where the generation was cut by its length cap: what touches the cut is not taken then.
        question: The problem's text; a formula of it that is only restated is no answer.
        prompt: The prompt, whose end may have opened the thought.

    Returns:
        The answer's text, or None with the reason.
    """
    text, open_thought = answer_part(response, prompt)
    if open_thought:
        return Extraction(None, "the thought was cut before any answer", truncated=True)
    if not text.strip():
        return Extraction(None, "the answer part is empty", truncated=not final)
    found = _found(text[: _next_problem(text)], final, question)
    if found.text is None or found.how == "box":
        return found
    value = _NEGATIVE.sub("-", _exclaimed(found.text, text, question))
    return replace(found, text=_worked_out(value, question))


def _exclaimed(value: str, text: str, question: str) -> str:
    """`value` without the exclamation mark that ends its sentence, where nothing speaks of a factorial."""
    if not value.endswith("!") or not _EXCLAIMED.fullmatch(value) or value == text.strip():
        return value
    return value if _FACTORIAL.search(text) or _FACTORIAL.search(question) else value[:-1]


def _worked_out(value: str, question: str) -> str:
    r"""The right side of an equation whose left side is the task: `\int_0^1 x\,dx = \frac12`."""
    left, equals, right = value.strip("$ .").rpartition("=")
    if not equals or not right.strip() or left.endswith(("\\", "<", ">", "!")) or "$" in left + right:
        return value
    first = left.partition("=")[0]
    if _WORKED_LEFT.match(first.lstrip("\\([ ")) or _WORKED_LEFT.match(first.strip()) or stands_in(first, question):
        return right.strip() if is_value(readable(right.strip())) else value
    return value


def _found(text: str, final: bool, question: str) -> Extraction:
    """What `text`, the answer part, states."""
    boxed = last_box(text)
    if boxed and not final and _cut_box(text, boxed):
        text, boxed = text[: boxed[0]], None
    cued = _cued(_without_code(text[boxed[1] :] if boxed else text[-CUE_WINDOW_CHARS:]), question, final, bool(boxed))
    if boxed and _DENIED.search(text[max(0, boxed[0] - 16) : boxed[0]]):
        before = last_box(text[: boxed[0]])  # "the answer is [5], not [6]"
        if before is None:
            return Extraction(None, "the boxed value is denied")
        boxed = before
    if boxed and not (cued and cued[1]):
        behind = text[boxed[1] :]
        if final and TAKEN_BACK.search(behind) and (instead := _last_line(behind, question)).text is not None:
            return instead  # "Wait, I forgot to add 12. So the total is 42."
        return Extraction(boxed[2].strip(), "box")
    if cued:
        return Extraction(cued[2].strip(), "stated")
    tail = text[-CUE_WINDOW_CHARS:]
    for pattern, how in ((_TAG, "tag"), (_JSON, "json"), (_HASHES, "####")):
        matches = list(pattern.finditer(tail))
        if matches:
            return Extraction(_field(matches[-1]).strip(), how)
    if not final:
        return Extraction(None, "the answer was cut before it was stated", truncated=True)
    if boxed is None and _EMPTY_BOX_ENDS.search(tail):
        return Extraction(None, "the box that ends the response is empty")
    return _last_line(text, question)


def _field(match: re.Match[str]) -> str:
    """The value of a tag or field; in a JSON string a doubled backslash is one."""
    if match.re is _JSON and match.group(1) is not None:
        return match.group(1).replace("\\\\", "\\")
    return next(group for group in match.groups() if group is not None)


def _next_problem(text: str) -> int:
    """Where a problem of the model's own begins behind a line "Final Answer: ..."; else the end of `text`."""
    stated = _FINAL_LINE.search(text) if "nswer" in text else None
    begins = _OWN_PROBLEM.search(text, stated.end()) if stated else None
    return begins.start() if begins else len(text)


def _few_words(text: str) -> bool:
    """Whether at most three words stand there and no sentence begins: "June 5", "red and blue"."""
    words = text.split()
    if _CJK_WITH_NUMBER.search(text) or _NUMBER_IN_CLAUSE.search(text):
        return False
    return (
        len(words) <= 3
        and words[0].lower() not in SENTENCE_STARTS
        and not NEGATED.search(text)
        and not YES_NO.match(text)
        and not _HEADING_ONLY.match(text.lstrip("*# "))
    )


def _last_line(text: str, question: str) -> Extraction:
    """What the last sentence states; remarks and checks let the sentence before them speak."""
    whole = _LEADING_SIGNS.sub("", text.strip())
    if whole.endswith((":", "：")) or _HEADING_ONLY.fullmatch(whole.strip("*# :")):
        return Extraction(None, "the response ends before what it announces")
    one_line = "\n" not in whole and len(whole) <= LAST_LINE_CHARS
    if one_line and len(whole) < 80 and conclusion(whole) == "no solution":
        return Extraction("no solution", "the whole response")
    if (
        one_line
        and not _SAYS_OF.search(whole)
        and not _INABILITY.match(whole)
        and ((not PROSE.search(whole) and not _NUMBER_IN_CLAUSE.search(whole)) or _few_words(whole))
        and not stands_in(whole, question)
    ):
        return Extraction(whole, "the whole response")
    if one_line and YES_NO.match(whole):
        return Extraction(conclusion(whole), "last line")
    tail = whole[-LAST_LINE_CHARS * 4 :]
    lines = [line.strip()[-LAST_LINE_CHARS:] for line in tail.split("\n") if line.strip()]
    if lines[-1] in ("\\]", "$$", "\\)", "```") or lines[-1].startswith("\\end"):
        lines = [tail[-LAST_LINE_CHARS:]]  # a displayed formula: take all of it
    if _LABEL.fullmatch(lines[-1]) and any(_ITEM.match(line) for line in lines[:-1]):
        return Extraction(None, "the response ends at the number of a list item")
    if (values := _bulleted(lines)) is not None:
        return Extraction(values, "a list of values")
    for line in reversed(lines[-MAX_CLOSING_LINES:]):
        sentences = [s for s in SENTENCE.split(line) if s and s.strip()]
        remark = False
        for k, sentence in reversed(list(enumerate(sentences[-3:]))):
            if k and speaks_of_it(sentence, sentences[-3:][k - 1], question):
                continue
            complete = bool(COMPLETE.search(sentence))
            if sentence.rstrip().endswith(("?", "？")) or IMAGINED.match(sentence):
                if k or is_remark(sentence):
                    remark = True  # it states nothing
                    continue
                return Extraction(None, "the response ends in a question or a supposition")
            remark = is_remark(sentence) and not (k == 0 and line is lines[0] and INSERTED.match(sentence))
            asked = (asked_value(sentence, question) or firm_conclusion(sentence)) if complete else None
            if remark and asked is None:
                continue
            value = asked or value_in(sentence, complete=complete) or (conclusion(sentence) if complete else None)
            if value is not None and stands_in(value, question):
                return Extraction(None, "only an expression of the question stands there")
            if value is not None:
                return Extraction(signed(value.strip(), sentence, question), "last line")
            if any(c.isdigit() for c in sentence):
                break
            if sentence is sentences[-1] and line is lines[-1] and len(sentences) > 1 and not complete:
                return Extraction(None, "the response ends in the middle of a sentence")
        if not remark and any(c.isdigit() for c in line):
            break
    if one_line and whole.startswith(("$", "\\(", "\\[", "\\text")) and value_in(whole, words=12) == whole:
        return Extraction(whole, "the whole response")
    return Extraction(None, "no final answer is stated")
