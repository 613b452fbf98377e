"""The option letter that a response to a multiple choice question commits to.

Evidence is collected, weighed and then decided by one written rule.

1. Boxes, tags, check boxes and verdict tables are spelled out, decoration goes, and every mention of an option (its
   letter with its own text, or its text alone) is named (`option_names`).
2. A statement ("the correct answer is (B)"), a turn ("I would go with B"), a first or last line of its own, a letter
   with its own option's text, the text alone and a stated value each give one `Evidence` with a `Rank`.
3. A mention that its own clause denies, rejects, asks, makes conditional or ascribes to others gives none.
4. Of the highest rank the last one commits: a response may correct itself, and the later word is its word. What names
   two letters at once is ambiguous; so are, among mentions without any statement, two different letters.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from harness.grading.extract import letter_phrases as phrases
from harness.grading.extract.answer import CUE_WINDOW_CHARS, Extraction, extract_answer, last_box
from harness.grading.extract.option_names import Named, named, plain, undecorated
from harness.grading.extract.parts import answer_part
from harness.grading.grammar.clean import translate

SameAnswer = Callable[[str, str], bool]

_NAMED = r"(?:(?:option|choice|answer|ans)\b[\s.:]{0,3})?"
_BARE = re.compile(rf"(?:[-•>✅👉☑✔]\s?)?{_NAMED}\(?\s?(?P<letter>[A-Za-z])\s?[).,:;!。]{{0,3}}", re.IGNORECASE)
_WITH_TEXT = re.compile(rf"{_NAMED}(?P<open>\()?\s?(?P<letter>[A-Z])(?:[).:,]|。|，)\s?\S", re.IGNORECASE)
_IN_BOX = re.compile(rf"{_NAMED}\(?\s?(?P<letter>[A-Za-z])(?:[).,:\s\\]|$)", re.IGNORECASE)
_TAGGED = re.compile(
    r"<(?:answer|choice|option)>(.{1,300}?)</(?:answer|choice|option)>|[\"'](?:final_?|correct_?)?(?:answer|choice|option)[\"']\s{0,3}:\s{0,3}[\"']([^\"'\n]{1,300})[\"']",
    re.IGNORECASE | re.DOTALL,
)
_CHECKED = re.compile(
    r"^[^\S\n]{0,8}(?:[-*+•]\s?)?\[\s?([xX✓✔ ]?)\s?\][^\S\n]{0,4}(?:option\s)?\(?([A-Z])\b", re.MULTILINE
)
_ROW = re.compile(r"^[^\S\n]{0,4}\|\s?\W{0,4}([A-Z])\W{0,4}\s?\|(.{1,200})$", re.MULTILINE)
_OPTION_VERDICT = re.compile(r"^\W{0,6}(?:option\s)?([A-Z])\W{1,5}\s?(\S.{0,80})$", re.MULTILINE | re.IGNORECASE)
_SECOND = re.compile(  # "A or B", "A and B"; not "B, A is wrong"
    r"\)?\s{0,3}(?:and|or|und|oder|et|ou|y|o|和|或|と|\\?&|/|,|\|)\s{0,3}(?:option\s)?\(?(?P<letter>[A-Z])(?![A-Za-z'’])"
    r"(?!\)?\s(?:is|was|are|being|would|will|cannot|can't|does|has|fails|violates|gives|ignores|requires)\b)"
)
_FIRST = re.compile(r"(?<![A-Za-z])(?P<letter>[A-Z])\)?\s?(?:and|or|&|/)\s(?:option\s)?\(?$")
_ORDERED = re.compile(r"\)?\s?(?:[<>=≥≤→]|->)\s?\(?[A-Z](?![A-Za-z])")  # D > C > B is a sequence, no choice
_OPTION_LINE = re.compile(r"\W{0,3}([A-Z])\s?[).:、．]")
_ARTICLE = re.compile(  # "A Gantt chart", "a mixture": the letter would be followed by a mark, a number or a reason
    r"[^\S\n](?!(?:is|the|because|since|as|and|or|for|due|given|here|by|with|best|–|—|-|but|not|\()\b)[A-Za-zÀ-ž]{2}"
)
_BOUNDARY = re.compile(r"\n|[!?;。！？；।]+|\.(?=\s|$|[^\x00-\x7f])")
_CIRCLED = {ord("Ⓐ") + k: chr(ord("A") + k) for k in range(26)}


class Rank(IntEnum):
    """What a mention is worth; the highest rank that a response holds decides."""

    EXCLUSION = 1  # every other option was excluded in so many words
    TEXT = 2  # an option's own text, alone in its sentence
    VALUE = 3  # a stated value that equals one option
    ENDING = 4  # the last sentence ends "... is B."
    LETTER_AND_TEXT = 5
    TURN = 6  # "I would go with B"
    LINE = 7  # the first or last line is the letter
    STATEMENT = 8  # "The answer is B", a box, a tag


class Evidence(NamedTuple):
    """A mention of a letter: how much it weighs, and at which character it stands."""

    rank: Rank
    at: int
    letter: str


class _Clauses:
    """The borders of sentences and clauses of one text, and what a mention's own clause says about it."""

    def __init__(self, text: str) -> None:
        self.text = text
        borders = [m for m in _BOUNDARY.finditer(text) if not self._labels(m.start())]
        self.starts = [0, *(m.end() for m in borders)]
        self.ends = [*(m.start() for m in borders), len(text)]

    def _labels(self, at: int) -> bool:
        """Whether the dot at `at` only closes a list label: "A. Alpha" at the start of a line."""
        line = self.text.rfind("\n", 0, at) + 1
        return self.text[at] == "." and at - line <= 6 and bool(_OPTION_LINE.fullmatch(self.text, line, at + 1))

    def around(self, at: int) -> tuple[str, str, str]:
        """(clause before `at`, clause from `at` on, the mark that ends it)."""
        left = self.starts[bisect_right(self.starts, at) - 1]
        right = self.ends[min(bisect_left(self.ends, at), len(self.ends) - 1)]
        return self.text[left:at], self.text[at:right], self.text[right : right + 1]

    def weightless(self, at: int) -> bool:
        """Whether the clause takes the weight from its mention at `at`."""
        before, rest, mark = self.around(at)
        after = rest[1:]
        before = before[-240:]
        turned = max((m.end() for m in phrases.CONTRAST.finditer(before)), default=0)
        since_turn = before[turned:]
        if phrases.REMAINS_AFTER.match(after):
            return False  # "ruling out A, B and D, C remains"
        if mark in ("?", "？") or phrases.DENIED_BEFORE.search(since_turn[-28:].rstrip("( ") + " "):
            return True
        if phrases.DENIED_BEFORE.search(since_turn[-28:].rstrip("( ")) or phrases.DENIED_AFTER.match(after):
            return True
        if phrases.INSPECTED_BEFORE.search(since_turn.rstrip("( ")):
            return True
        if phrases.REJECTED_BEFORE.search(since_turn) or phrases.OPINION_BEFORE.search(since_turn):
            return True
        if phrases.CONDITION_AFTER.match(after):
            return True
        condition = phrases.CONDITION_BEFORE.search(since_turn)
        return bool(condition and phrases.MODAL.search(condition.group()))

    def first(self) -> int:
        """The end of the first sentence that holds anything."""
        return next((end for start, end in self._sentences() if self.text[start:end].strip()), 0)

    def last(self) -> int:
        """The start of the last sentence that holds anything."""
        pairs = self._sentences()
        return next((start for start, end in reversed(pairs) if self.text[start:end].strip(" \n.*")), 0)

    def _sentences(self) -> list[tuple[int, int]]:
        """(start, end) of the sentences; a semicolon parts clauses, no sentences."""
        pairs = [(0, self.ends[0])]
        for start, end in zip(self.starts[1:], self.ends[1:], strict=True):
            if self.text[start - 1] in ";；":
                pairs[-1] = (pairs[-1][0], end)
            else:
                pairs.append((start, end))
        return pairs


def extract_letter(
    response: str,
    choices: Sequence[str] = (),
    num_choices: int = 4,
    final: bool = True,
    prompt: str = "",
    same: SameAnswer | None = None,
) -> Extraction:
    """The letter that the answer part of `response` commits to.

    Args:
        response: The whole text of a model.
        choices: The options in the order shown; without them the first `num_choices` letters are options.
        num_choices: Number of options where `choices` is empty.
        final: False where generation was cut by its length cap; what touches the cut is not read then.
        prompt: The prompt, whose end may have opened the thought.
        same: Whether two answers are equal, for a stated value that is one of the options.

    Returns:
        The letter, or None with the reason: truncated, ambiguous, or nothing chosen.
    """
    text, open_thought = answer_part(response, prompt)
    if open_thought:
        return Extraction(None, "the thought was cut before any answer", truncated=True)
    letters = "".join(chr(ord("A") + k) for k in range(len(choices) or num_choices))
    text = translate(_spell_out_ticks(text[-CUE_WINDOW_CHARS:]).translate(_CIRCLED))
    if not text.strip():
        return Extraction(None, "the answer part is empty", truncated=not final)
    if not final:
        text = _whole_clauses(text)
    cut = phrases.NEXT_QUESTION.search(text, len(text) - len(text.lstrip()) + 1)
    for part in (text[: cut.start()], text) if cut else (text,):
        found = _read(part, choices, letters, same)
        if found.text is not None or found.ambiguous:
            return found
    return Extraction(None, found.how, truncated=not final)


def _whole_clauses(text: str) -> str:
    """`text` up to its last finished sentence: what touches the cut may have gone on."""
    borders = [m.end() for m in re.finditer(r"\n|[.!?。！？)}\]*$](?=\s|$)", text)]
    return text[: borders[-1]] if borders else ""


def _read(text: str, choices: Sequence[str], letters: str, same: SameAnswer | None) -> Extraction:
    spelled = _spell_out_marks(text, choices, letters)
    options = named(undecorated(spelled), choices)
    clauses = _Clauses(options.text)
    evidence: list[Evidence] = []
    doubtful: list[tuple[int, str]] = []
    for patterns, rank in ((phrases.STATEMENTS, Rank.STATEMENT), (phrases.TURNS, Rank.TURN)):
        for at, letter in _matches(patterns, clauses, letters):
            other = _other_letter(options.text, at, letters)
            if letter not in letters:
                doubtful.append((at, f"the letter {letter} is no option"))
            elif other and other != letter:
                doubtful.append((at, f"two letters, {letter} and {other}"))
            else:
                evidence.append(Evidence(rank, at, letter))
        if doubtful and not any(e.at >= max(doubtful)[0] for e in evidence):
            reason = max(doubtful)[1]  # nothing later commits to one letter
            last = _closing_bracket(options.text, letters)
            if last is None or last.at <= max(doubtful)[0] + 6:
                return Extraction(None, reason, ambiguous=reason.startswith("two"))
            evidence.append(last)
    evidence += _ordinals(options.text, letters)
    evidence += _run_of_verdicts(options.text, letters)
    evidence += _lines(options, letters, choices)
    if not any(e.rank >= Rank.TURN for e in evidence):
        evidence += _mentions(options, clauses, letters)
        evidence += _ending(clauses, letters)
        if not evidence:
            evidence += _true_false(options.text, choices)
    if not evidence and same is not None and choices:
        evidence += _stated_value(text, choices, same)
    if not evidence:
        evidence += _by_exclusion(options.text, letters)
    if not evidence:
        return Extraction(None, "no option is chosen")
    rank = max(e.rank for e in evidence)
    best = [e for e in evidence if e.rank == rank]
    if rank <= Rank.LETTER_AND_TEXT and len({e.letter for e in best}) > 1:
        return Extraction(None, "several options are named and none is chosen", ambiguous=True)
    return Extraction(max(best, key=lambda e: e.at).letter, rank.name.lower().replace("_", " "))


# --- statements and turns ---------------------------------------------------------------------------------------


def _matches(patterns: Sequence[re.Pattern[str]], clauses: _Clauses, letters: str) -> Iterator[tuple[int, str]]:
    """(position, letter) of every match whose clause stands behind it; the label of a listed option is none."""
    text = clauses.text
    listed = _list_blocks(text)
    for pattern in patterns:
        for match in pattern.finditer(text):
            letter, at = match.group("letter"), match.start("letter")
            if letter.islower():  # "a" is an article; a small letter counts in brackets or where its line ends
                ends_line = not text[at + 1 :].split("\n", 1)[0].strip(" .)")
                said_correct = letter != "a" and text[at + 1 : at + 5] in (" is ", ") is")
                if letter.upper() not in letters or not (ends_line or said_correct or text[at - 1 : at] == "("):
                    continue
            named = phrases.OPTION_NOUN.search(text, max(0, at - 9), at)
            if (
                letter in "AI"
                and not named
                and text[at - 1 : at] not in ("(", "\ue000")
                and _ARTICLE.match(text, at + 1)
            ):
                continue
            if (letter == "I" and "I" not in letters) or _ORDERED.match(text, at + 1):
                continue
            if "not" in text[at : match.end()].split() or clauses.weightless(at):
                continue
            if any(a <= at < b for a, b in listed) and _OPTION_LINE.match(text, text.rfind("\n", 0, at) + 1, at + 3):
                continue
            yield at, letter.upper()


def _other_letter(text: str, at: int, letters: str) -> str:
    """A second letter joined to the one at `at` by "or", "and" or a comma; "" without one."""
    start = at + 1 + (text[at + 1 : at + 2] == "\ue001")
    second = _SECOND.match(text, start)
    if second and second.group("letter") in letters:
        return second.group("letter")
    first = _FIRST.search(text[max(0, at - 16) : at].rstrip("\ue000"))
    return first.group("letter") if first and first.group("letter") in letters else ""


def _closing_bracket(text: str, letters: str) -> Evidence | None:
    """A letter in brackets that ends the response: "since x > 0, (A)."."""
    match = re.search(r"[,:]\s\(([A-Z])\)\W{0,3}$", text[-40:])
    if match is None or match.group(1) not in letters:
        return None
    return Evidence(Rank.TURN, len(text) - min(len(text), 40) + match.start(1), match.group(1))


def _ending(clauses: _Clauses, letters: str) -> Iterator[Evidence]:
    """A letter after the copula that ends the last sentence: "The emitted radiation is C."."""
    match = phrases.ENDING.search(clauses.text, clauses.last())
    if match and phrases.HEDGED_BEFORE.search(clauses.around(match.start("letter"))[0][-40:]):
        return
    if match and match.group("letter") in letters and not clauses.weightless(match.start("letter")):
        yield Evidence(Rank.ENDING, match.start("letter"), match.group("letter"))


def _ordinals(text: str, letters: str) -> Iterator[Evidence]:
    for match in (*phrases.ORDINAL.finditer(text), *phrases.ORDINAL_SUBJECT.finditer(text)):
        index = phrases.ORDINALS[match.group("ordinal").lower()]
        if index < len(letters):
            yield Evidence(Rank.TURN, match.start(), letters[index])


# --- marks, lines, mentions -------------------------------------------------------------------------------------


def _spell_out_ticks(text: str) -> str:
    """`text` whose ticks and crosses beside options, three or more, are spelled "yes" and "no"."""
    if len(phrases.TICK.findall(text)) < 3:
        return text

    def word(tick: str) -> str:
        return "yes" if tick in phrases.TICKS else "no"

    text = phrases.TICK_BEFORE.sub(lambda m: f"{m.group('letter')} {word(m.group('tick'))} ", text)
    return phrases.TICK_AFTER.sub(lambda m: f" {word(m.group('tick'))}", text)


def _spell_out_marks(text: str, choices: Sequence[str], letters: str) -> str:
    """A box, an <answer> tag, a JSON field, a check box or a table of verdicts, rewritten as "Answer: B"."""

    def spelled(content: str) -> str | None:
        inside = _IN_BOX.match(undecorated(content).strip())
        if inside:
            second = _SECOND.match(inside.string, inside.end("letter"))
            if second and second.group("letter") in letters:
                return f"\nAnswer: {inside.group('letter').upper()} and {second.group('letter')}\n"
        letter = _option_text(content, choices) or (inside.group("letter").upper() if inside else None)
        if (
            letter is None
            and (inner := named(undecorated(content), choices))
            and (inner.with_letter or inner.text_only)
        ):
            said = {*inner.with_letter.values()} or {*inner.text_only.values()}
            letter = said.pop() if len(said) == 1 else None
        return None if letter is None else f"\nAnswer: {letter}\n"

    boxed = last_box(text)
    if boxed and (said := spelled(boxed[2])):
        text = text[: boxed[0]] + said + text[boxed[1] :]
    text = _TAGGED.sub(lambda m: spelled(m.group(1) or m.group(2)) or " ", text)
    if "[" in text and (boxes := list(_CHECKED.finditer(text))):
        ticked = [m.group(2) for m in boxes if m.group(1).strip()]
        text = text[: boxes[0].start()] + text[boxes[-1].end() :]
        text += f"\nAnswer: {ticked[0]}\n" if len(ticked) == 1 else ""
    if "|" in text:
        text = _verdicts(text, [(m, m.group(1), m.group(2).split("|")) for m in _ROW.finditer(text)])
    lines = [(m, m.group(1).upper(), [m.group(2)]) for m in _OPTION_VERDICT.finditer(text)]
    return _verdicts(text, lines) if 3 <= len(lines) <= len(letters) else text


def _verdicts(text: str, rows: list[tuple[re.Match[str], str, list[str]]]) -> str:
    """`text` with "Answer: B" after rows of verdicts, of which one is yes and the others are no.

    The last column is the verdict; where it holds none, any column is.
    """
    last = {letter: [[c for c in cells if c.strip()][-1]] for _, letter, cells in rows if any(map(str.strip, cells))}
    yes = _one_yes(last) or _one_yes({letter: cells for _, letter, cells in rows})
    if not yes:
        return text
    end = rows[-1][0].end()
    return f"{text[:end]}\nAnswer: {yes}\n{text[end:]}"


def _one_yes(rows: Mapping[str, Sequence[str]]) -> str:
    """The one letter whose cells say yes where all the others, two at least, say no; "" without one."""
    good = {letter for letter, cells in rows.items() if any(map(phrases.YES.match, cells))}
    bad = {letter for letter, cells in rows.items() if any(map(phrases.NO.match, cells))}
    chosen = good - bad
    return chosen.pop() if len(rows) >= 3 and len(chosen) == 1 and chosen | bad == set(rows) else ""


def _run_of_verdicts(text: str, letters: str) -> Iterator[Evidence]:
    """Options judged one after the other: "(A) No. (B) No. (C) Yes.", "A 错误；B 错误；C 正确"."""
    found = [m for m in phrases.JUDGED.finditer(text) if m.group("letter") in letters]
    said: dict[str, list[str]] = {}
    for match in found:
        said.setdefault(match.group("letter"), []).append(match.group("verdict"))
    if phrases.ODD_ONE_OUT.search(text):
        return  # the one "no" may be what is asked for
    if yes := _one_yes(said):
        at = max(m.start() for m in found if m.group("letter") == yes)
        yield Evidence(Rank.STATEMENT, at, yes)


def _true_false(text: str, choices: Sequence[str]) -> Iterator[Evidence]:
    """Options such as "True, False", where the response says of each statement whether it is true."""
    wanted = [tuple(phrases.TRUTH.findall(choice.lower())) for choice in choices]
    if len(wanted) < 2 or len(set(wanted)) < len(wanted) or {len(pair) for pair in wanted} != {2}:
        return
    said = {
        match.group("number").lower().replace("ii", "2").replace("i", "1"): match.group("truth").lower()
        for match in phrases.STATEMENT_TRUTH.finditer(text)
    }
    pair = (said.get("1", ""), said.get("2", ""))
    if pair in wanted:
        yield Evidence(Rank.TEXT, 0, chr(ord("A") + wanted.index(pair)))


def _option_text(text: str, choices: Sequence[str]) -> str | None:
    """The letter of the one option whose text is `text`."""
    wanted = plain(text)
    hits = [k for k, choice in enumerate(choices) if wanted and plain(choice) == wanted]
    lone = len(wanted) == 1 and wanted.upper() in {chr(ord("A") + k) for k in range(len(choices))}
    return chr(ord("A") + hits[0]) if len(hits) == 1 and not lone else None


def _lines(options: Named, letters: str, choices: Sequence[str]) -> Iterator[Evidence]:
    """A letter, a letter with a text or an option's own text as the first or the last line."""
    text = options.text
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return
    for line, at in ((lines[0], 0), (lines[-1], len(text))):
        match = _BARE.fullmatch(line)
        if match and match.group("letter").upper() in letters and not _one_of_a_list(lines, line):
            yield Evidence(Rank.LINE, at, match.group("letter").upper())
            continue
        if len(line) <= 4 and line[:1] == "\ue000" and not _listed(lines, line[1]):
            yield Evidence(Rank.LINE, at, line[1])
            continue
        match = _WITH_TEXT.match(line)
        if match is None or match.group("letter") not in letters or _listed(lines, match.group("letter")):
            continue
        letter, after = match.group("letter"), line[match.end("letter") :]
        others = any(re.search(rf"(?<![A-Za-z]){c}[).:]", line) for c in letters if c != letter)
        denied = phrases.DENIED_AFTER.match(after) or re.search(r"\b(?:not|incorrect|wrong|false|never)\b", after)
        if others or _SECOND.match(line, match.end("letter")) or denied:
            continue
        own = not choices or bool({letter} & {*options.with_letter.values()})
        if (line is lines[-1] or len(lines) <= 3 or own) and (at == 0 or own or len(lines) <= 3):
            yield Evidence(Rank.LINE, at, letter)


def _one_of_a_list(lines: Sequence[str], line: str) -> bool:
    """Whether a line that is one letter stands in a list of lines like it: "A)", "B)", "C)"."""
    alike = {other for other in lines if len(other) == len(line) and _BARE.fullmatch(other)}
    labelled = bool(_OPTION_LINE.match(line)) and _listed(lines, line.strip("() ")[:1])
    return len(alike) >= 3 or labelled


def _listed(lines: Sequence[str], letter: str) -> bool:
    """Whether the letter's line only opens or closes a list of the options."""
    starts = [match.group(1) for line in lines if (match := _OPTION_LINE.match(line))]
    return len(set(starts)) >= 3 and letter in starts and starts.count(letter) == 1


def _mentions(options: Named, clauses: _Clauses, letters: str) -> Iterator[Evidence]:
    """Letters with their own texts, and texts alone where one sentence names no other option."""
    text = options.text
    listed = _list_blocks(text)
    whole = {
        at: letter
        for at, letter in options.with_letter.items()
        if not clauses.weightless(at) and not any(a <= at < b for a, b in listed) and letter in letters
    }
    if whole:
        first, last = clauses.first(), clauses.last()
        for chosen in (
            {x for at, x in whole.items() if at >= last},
            {x for at, x in whole.items() if at < first},
            set(whole.values()),
        ):
            if len(chosen) == 1:
                yield Evidence(Rank.LETTER_AND_TEXT, last, chosen.pop())
                return
        yield from (Evidence(Rank.LETTER_AND_TEXT, at, letter) for at, letter in whole.items())
        return
    if phrases.UNFINISHED.search(text):
        return  # the sentence that would choose was never ended
    alone = {at: x for at, x in options.text_only.items() if not clauses.weightless(at)}
    last, first = clauses.last(), clauses.first()
    mentioned = {x for at, x in options.text_only.items() if not any(a <= at < b for a, b in listed)}
    for chosen in (
        {x for at, x in alone.items() if at >= last},
        {x for at, x in alone.items() if at < first},
        mentioned if set(alone.values()) == mentioned else set(),
    ):
        if len(chosen) == 1:
            yield Evidence(Rank.TEXT, last, chosen.pop())
            return


def _list_blocks(text: str) -> list[tuple[int, int]]:
    """(start, end) of the runs of lines that list three or more options one after the other."""
    blocks: list[tuple[int, int]] = []
    run: list[tuple[int, int, str]] = []
    start = 0
    for line in [*text.split("\n"), ""]:
        end = start + len(line) + 1
        match = _OPTION_LINE.match(line.strip())
        expected = chr(ord(run[-1][2]) + 1) if run else "A"
        if match and (match.group(1) == expected or (not run and match.group(1) == "A")):
            run.append((start, end, match.group(1)))
        elif match or (line.strip() and run and len(line) > 200) or end > len(text):
            if len(run) >= 3:
                blocks.append((run[0][0], run[-1][1]))
            run = [(start, end, "A")] if match and match.group(1) == "A" else []
        start = end
    return blocks


def _stated_value(text: str, choices: Sequence[str], same: SameAnswer) -> Iterator[Evidence]:
    """The one option that equals the answer which the response states as an open answer."""
    found = extract_answer(text).text
    if found is None or len(found) > 300:
        return
    equal = [k for k, choice in enumerate(choices) if same(found, choice)]
    if len(equal) == 1:
        yield Evidence(Rank.VALUE, 0, chr(ord("A") + equal[0]))
    elif not equal and (match := phrases.NUMBERED.search(text)) and not any(c.isdigit() for x in choices for c in x):
        index = int(match.group("number")) - 1
        if 0 <= index < len(choices):
            yield Evidence(Rank.VALUE, 0, chr(ord("A") + index))


def _by_exclusion(text: str, letters: str) -> Iterator[Evidence]:
    """The option that is left where one sentence excludes all the others by letter."""
    for match in re.finditer(
        r"\b(?:exclud\w{0,4}|eliminat\w{0,4}|rul(?:e|es|ed|ing) out)\b([^.\n]{1,120})", text, re.IGNORECASE
    ):
        gone = set(re.findall(r"(?<![A-Za-z])([A-Z])(?![A-Za-z'’])", match.group(1)))
        left = [letter for letter in letters if letter not in gone]
        if len(left) == 1 and len(letters) > 2:
            yield Evidence(Rank.EXCLUSION, match.start(), left[0])
