"""The option letter that a response to a multiple choice question commits to.

Evidence is collected, weighed and then decided by one written rule.

1. Boxes, tags, check boxes and tables are spelled out (`letter_marks`), decoration goes, and every mention of an option
   (its letter with its own text, or its text alone) is named (`option_names`).
2. What the clause around a mention says of it gives a `Rank` (`letter_frames`): a statement ("the correct answer is
   (B)", "B is correct"), a turn ("I would go with B", "hence B"), an ending ("... is B."). So do a first or last line of
   its own (`letter_lines`), a letter with its own option's text, the text alone and a stated value.
3. A mention that its own clause denies, rejects, asks, makes conditional or ascribes to others gives none.
4. Of the highest rank the last one commits: a response may correct itself, and the later word is its word. What stands
   before "Wait" or "No:" is taken back where something is chosen behind it. What names two letters at once is
   ambiguous; so are several options that are judged right, and, without any statement, two different letters.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from harness.grading.extract.answer import CUE_WINDOW_CHARS, Extraction, extract_answer
from harness.grading.extract.letter_frames import AFTER_CHARS, BEFORE_CHARS, NOTHING, Mention, Rank, Said, read
from harness.grading.extract.letter_lines import OPTION_LINE, lines_that_choose, list_blocks
from harness.grading.extract.letter_marks import run_of_verdicts, second_letter, spelled_out, ticks_in_words
from harness.grading.extract.option_names import TEXT_OPEN, Named, named, undecorated
from harness.grading.extract.parts import answer_part
from harness.grading.grammar.clean import translate

SameAnswer = Callable[[str, str], bool]

_ANSWER_HEADINGS = r"ans|answer|antwort|lösung|réponse|respuesta|resposta|gabarito|risposta|ответ|答案|回答|答え|解答|正解|정답|답|الجواب|الإجابة|उत्तर"
_HEADING = re.compile(  # a colon or a line "Final Answer" before the letter's own line
    rf"[:：][^\S\n]{{0,3}}\n\s{{0,8}}(?!\W{{0,4}}A\s?\W[^\n]*\s+\W{{0,4}}B\s?[).:])|^(?P<said>[^\w\n]{{0,6}}(?:[^\W\d_]{{2,12}}\s){{0,2}}(?:{_ANSWER_HEADINGS}))(?:[ .]{{0,3}}\n\s{{0,8}}|\.\s)",
    re.MULTILINE | re.IGNORECASE,
)
_ANSWER_A = re.compile(r"(?<![^\s])(?:A\s?:|[Aa]ns\))\s?(?=\(?[B-J]\)?\.?\s*$)")
_YES = re.compile(r"\s{1,2}(?:yes|ja|oui|sí|sim|да|是的?|对|はい|예|네)\b", re.IGNORECASE)
_BOUNDARY = re.compile(r"\n|[!?;。！？；।]+|(?<!\bi\.e)(?<!\be\.g)(?<!\bd\.h)\.(?=\s|$|[^\x00-\x7f])")
_LETTER = re.compile(
    r"(?<![A-Za-z0-9'’_^\\/.])[A-Z](?![A-Za-z0-9_])(?!['’][a-z]{2})(?!\s?[=^_+*]\s?[\w\\(]|/[^A-Z\s])|"
    r"(?<=\()[a-z](?=\))|(?<![\w'’/.\\])[b-z](?=\)?\s(?:is|are)\s(?:the\s)?(?:correct|right|best|answer))|"
    r"(?<![\w'’/.\\-])[a-z](?=[ .)]{0,3}(?:$|\n))",
)
_ORDERED_AFTER = re.compile(r"\)?\s?(?:[<>=≥≤→]|->)\s?\(?[A-Z](?![A-Za-z])")  # D > C > B is a sequence, no choice
_ORDERED_BEFORE = re.compile(r"[A-Z]\)?\s?(?:[<>≥≤→]|->|=)\s?\(?$")
_FIRST = re.compile(
    r"(?<![A-Za-z])(?P<letter>[A-Z])\)?\s?(?:and|or|und|oder|et|ou|y|o|e|und|和|或|と|、|&|/|,)\s?(?:option\s)?\(?$"
)
_TAKEN_BACK = re.compile(
    r"(?:^|[.!?。\n]\s{0,3})\W{0,3}(?:(?:oh|hmm|but)[,.]?\s)?(?:wait|hold on|actually,|no,|no:|correction|scratch that|oops|my mistake|"
    r"on second thought|on reflection|warte|moment,|attendez|espera|等等|不对|待って|いや)",
    re.IGNORECASE,
)
_ORDINAL = r"(?P<ordinal>first|second|third|fourth|fifth|last)"
_BY_ORDINAL = re.compile(
    rf"\b(?:is|be|choose|pick|select|with|answer:)\s(?:the\s)?{_ORDINAL}\s(?:option|choice|answer|one|statement)\b|"
    rf"\b{_ORDINAL.replace('ordinal', 'subject')}\s(?:option|choice|answer|statement)(?:,[^,.\n]{{1,60}},)?\s(?:is|must be)\s"
    r"(?:therefore\s|thus\s)?(?:the\s)?(?:correct|right|best|true|answer)",
    re.IGNORECASE,
)
_ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}
_NUMBERED = re.compile(r"^\W{0,4}(?:option|choice)\s\(?(?P<number>\d)\)?\W{0,3}$", re.IGNORECASE | re.MULTILINE)
_STATED_NUMBER = re.compile(r"\(?(?P<number>\d)\)?\.?")
_TRUTH = re.compile(r"\b(?:true|false)\b")
_STATEMENT_TRUTH = re.compile(
    r"\bstatement\s(?P<number>[12]|ii?)\b[\s:]{1,2}(?:is\s)?(?:also\s|therefore\s)?(?P<truth>true|false)\b",
    re.IGNORECASE,
)
_UNFINISHED = re.compile(r"\s(?:is|are|was|the|an?|of|and|or|to|it|we|because|since|with|by|has|have)\s*$")
_EXCLUDED = re.compile(
    r"\b(?:exclud\w{0,4}|eliminat\w{0,4}|rul(?:e|es|ed|ing) out|descart\w{0,4}|éliminons)\b([^.\n]{1,120})",
    re.IGNORECASE,
)
_ALONE = re.compile(r"(?<![A-Za-z])([A-Z])(?![A-Za-z'’])")
_NEXT_QUESTION = re.compile(
    r"(?:\n\s{0,4}\W{0,4}(?:question|problem|human|user|frage|pregunta|问题|题目|問題)\s?\d{0,3}|"
    r"[.!?]\s(?:question|problem)\s\d{1,3})\s?[:：]",
    re.IGNORECASE,
)
_CIRCLED = {ord("Ⓐ") + k: chr(ord("A") + k) for k in range(26)}
MAX_MENTIONS = 600  # letters looked at, from the end


class Evidence(NamedTuple):
    """A mention of a letter: how much it weighs, and at which character it stands."""

    rank: Rank
    at: int
    letter: str


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
    text = text[-CUE_WINDOW_CHARS:]
    if not text.isascii():
        text = translate(ticks_in_words(text).translate(_CIRCLED))
    if not text.strip():
        return Extraction(None, "the answer part is empty", truncated=not final)
    if not final:
        text = _whole_clauses(text)
    cut = _NEXT_QUESTION.search(text, len(text) - len(text.lstrip()) + 1)
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
    options = named(_joined(undecorated(spelled_out(text, choices, letters))), choices)
    sentences = _Sentences(options.text)
    blocks = list_blocks(options.text)
    evidence: list[Evidence] = []
    doubtful: list[tuple[int, str]] = []
    judged: dict[str, int] = {}
    said: dict[int, Said] = {}
    for at, letter in _mentions(options, letters):
        said[at] = this = read(sentences.mention(at, letter, options))
        if this.rank is None or (_in_blocks(at, blocks) and _is_label(options.text, at)):
            continue
        other = _joined_letter(options.text, at, letters)
        if letter not in letters:
            doubtful.append((at, f"the letter {letter} is no option"))
        elif other and other != letter:
            doubtful.append((at, f"two letters, {letter} and {other}"))
        elif this.judged:
            judged[letter] = at
        else:
            evidence.append(Evidence(this.rank, at, letter))
    evidence += [Evidence(Rank.STATEMENT, at, letter) for at, letter in run_of_verdicts(options.text, letters)]
    if len(judged) == 1 or not any(e.rank >= Rank.TURN for e in evidence):
        evidence += [Evidence(Rank.STATEMENT, at, letter) for letter, at in judged.items()]
    evidence += _ordinals(options.text, letters)
    evidence += _last_word(sentences, letters)
    strong = [e for e in evidence if e.rank >= Rank.TURN]
    if doubtful and not any(e.at > max(doubtful)[0] for e in strong):
        reason = max(doubtful)[1]  # nothing later commits to one letter
        return Extraction(None, reason, ambiguous=reason.startswith("two"))
    evidence += [Evidence(Rank.LINE, at, letter) for at, letter in lines_that_choose(options, letters, choices)]
    if not any(e.rank >= Rank.TURN for e in evidence):
        evidence += _named_options(options, sentences, blocks, said, letters)
        if not evidence:
            evidence += _true_false(options.text, choices)
    if not evidence and same is not None and choices:
        evidence += _stated_value(text, choices, same)
    if not evidence:
        evidence += _by_exclusion(options.text, letters)
    return _decided(evidence, options.text, judged)


def _decided(evidence: list[Evidence], text: str, judged: dict[str, int]) -> Extraction:
    """The letter by the written rule: of the highest rank the last one."""
    back = max((m.start() for m in _TAKEN_BACK.finditer(text)), default=0)
    if back and any(e.at > back and e.rank >= Rank.TURN for e in evidence):
        evidence = [e for e in evidence if e.at > back]
    if not evidence:
        return Extraction(None, "no option is chosen")
    rank = max(e.rank for e in evidence)
    best = [e for e in evidence if e.rank == rank]
    told = {e.letter for e in best}
    if len(told) > 1 and (rank <= Rank.LETTER_AND_TEXT or (len(judged) > 1 and told <= set(judged))):
        return Extraction(None, "several options are named and none is chosen", ambiguous=True)
    return Extraction(max(best, key=lambda e: e.at).letter, rank.name.lower().replace("_", " "))


# --- mentions -----------------------------------------------------------------------------------------------------


class _Sentences:
    """The sentences of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        borders = [m for m in _BOUNDARY.finditer(text) if not (m.group() == "." and _is_label(text, m.start() - 1))]
        self.starts = [0, *(m.end() for m in borders)]
        self.ends = [*(m.start() for m in borders), len(text)]

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
        return next((end for start, end in self._whole() if self.text[start:end].strip()), 0)

    def last_start(self) -> int:
        """The start of the last sentence that holds anything."""
        return next((start for start, end in reversed(self._whole()) if self.text[start:end].strip(" \n.*")), 0)

    def _whole(self) -> list[tuple[int, int]]:
        """(start, end) of the sentences; a semicolon parts clauses, no sentences."""
        pairs = [(0, self.ends[0])]
        for start, end in zip(self.starts[1:], self.ends[1:], strict=True):
            if self.text[start - 1] in ";；":
                pairs[-1] = (pairs[-1][0], end)
            else:
                pairs.append((start, end))
        return pairs


def _last_word(sentences: _Sentences, letters: str) -> Iterator[Evidence]:
    """A last sentence that is one letter: "Not A. Not B. Not C. D."."""
    start = sentences.last_start()
    word = sentences.text[start:].strip(" \n.*()")
    if start and len(word) == 1 and word in letters and sentences.text[start - 1] in ".!?;":
        yield Evidence(Rank.TURN, start, word)


def _joined(text: str) -> str:
    """`text` whose headings and announcing colons stand on the line of what they announce; "A: C" is "Answer: C"."""
    text = _ANSWER_A.sub("answer: ", text)
    return _HEADING.sub(lambda m: f"{m.group('said') or ''}: ", text)


def _mentions(options: Named, letters: str) -> Iterator[tuple[int, str]]:
    """(position, letter) of every letter that may be an option's."""
    text = options.text
    found = list(_LETTER.finditer(text))[-MAX_MENTIONS:]
    for match in found:
        at, letter = match.start(), match.group()
        if letter.islower() and letter.upper() not in letters:
            continue
        if letter.isupper() and letter not in letters and letter > "J":
            continue
        if letter == "I" and "I" not in letters:
            continue
        if _ORDERED_AFTER.match(text, at + 1) or _ORDERED_BEFORE.search(text, max(0, at - 8), at):
            continue
        yield at, letter.upper()


def _is_label(text: str, at: int) -> bool:
    """Whether the letter at `at` labels its line: "A. Alpha"."""
    line = text.rfind("\n", 0, max(at, 0)) + 1
    return at - line <= 5 and bool(OPTION_LINE.fullmatch(text, line, at + 2))


def _in_blocks(at: int, blocks: Sequence[tuple[int, int]]) -> bool:
    return any(a <= at < b for a, b in blocks)


def _joined_letter(text: str, at: int, letters: str) -> str:
    """A second letter joined to the one at `at` by "or", "and" or a comma; "" without one."""
    second = second_letter(text, at + 1 + (text[at + 1 : at + 2] == "\ue001"))
    if second and second in letters:
        return second
    first = _FIRST.search(text[max(0, at - 16) : at].rstrip(TEXT_OPEN))
    return first.group("letter") if first and first.group("letter") in letters else ""


def _ordinals(text: str, letters: str) -> Iterator[Evidence]:
    for match in _BY_ORDINAL.finditer(text):
        index = _ORDINALS[(match.group("ordinal") or match.group("subject")).lower()]
        if index < len(letters):
            yield Evidence(Rank.TURN, match.start(), letters[index])
    for match in _NUMBERED.finditer(text):
        index = int(match.group("number")) - 1
        if 0 <= index < len(letters):
            yield Evidence(Rank.LINE, match.start(), letters[index])


def _named_options(
    options: Named, sentences: _Sentences, blocks: Sequence[tuple[int, int]], said: dict[int, Said], letters: str
) -> Iterator[Evidence]:
    """Letters with their own texts, and texts alone where one sentence names no other option."""

    def stands(at: int) -> bool:
        this = said.get(at, NOTHING)
        return not this.denied and sentences.mention(at, "", options).mark != "?"

    last, first = sentences.last_start(), sentences.first_end()
    whole = {
        at: letter
        for at, letter in options.with_letter.items()
        if stands(at) and not _in_blocks(at, blocks) and letter in letters
    }
    if whole:
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
    if _UNFINISHED.search(options.text):
        return  # the sentence that would choose was never ended
    alone = {at: x for at, x in options.text_only.items() if stands(at)}
    mentioned = {x for at, x in options.text_only.items() if not _in_blocks(at, blocks)}
    for chosen in (
        {x for at, x in alone.items() if at >= last},
        {x for at, x in alone.items() if at < first},
        mentioned if set(alone.values()) == mentioned else set(),
    ):
        if len(chosen) == 1:
            yield Evidence(Rank.TEXT, last, chosen.pop())
            return


# --- without any letter -------------------------------------------------------------------------------------------


def _true_false(text: str, choices: Sequence[str]) -> Iterator[Evidence]:
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
        yield Evidence(Rank.TEXT, 0, chr(ord("A") + wanted.index(pair)))


def _stated_value(text: str, choices: Sequence[str], same: SameAnswer) -> Iterator[Evidence]:
    """The one option that equals the answer which the response states as an open answer."""
    found = extract_answer(text).text
    if found is None or len(found) > 300:
        return
    equal = [k for k, choice in enumerate(choices) if same(found, choice)]
    if len(equal) == 1:
        yield Evidence(Rank.VALUE, 0, chr(ord("A") + equal[0]))
    elif not equal and (match := _STATED_NUMBER.fullmatch(found)) and not any(c.isdigit() for x in choices for c in x):
        index = int(match.group("number")) - 1
        if 0 <= index < len(choices):
            yield Evidence(Rank.VALUE, 0, chr(ord("A") + index))


def _by_exclusion(text: str, letters: str) -> Iterator[Evidence]:
    """The option that is left where one sentence excludes all the others by letter."""
    for match in _EXCLUDED.finditer(text):
        gone = set(_ALONE.findall(match.group(1)))
        left = [letter for letter in letters if letter not in gone]
        if len(left) == 1 and len(letters) > 2:
            yield Evidence(Rank.EXCLUSION, match.start(), left[0])
