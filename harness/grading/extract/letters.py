"""The option letter that a response to a multiple choice question commits to.

Evidence is collected, weighed and then decided by one written rule.

1. Boxes, tags, check boxes and tables are spelled out (`letter_marks`), decoration goes, and every mention of an option
   (its letter with its own text, or its text alone) is named (`option_names`).
2. What the clause around a mention says of it gives a `Rank` (`letter_frames`): a statement ("the correct answer is
   (B)", "B is correct"), a turn ("I would go with B", "hence B"), an ending ("... is B."). So do a first or last line
   of its own (`letter_lines`), a letter with its own option's text, the text alone and a stated value.
3. A mention that its own clause denies, rejects, asks, makes conditional or ascribes to others gives none.
4. Of the highest rank the last one commits: a response may correct itself, and the later word is its word. What stands
   before "Wait" or "No:" is taken back where something is chosen behind it. What names two letters at once is
   ambiguous; so are several options that are judged right, and, without any statement, two different letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import starmap
from typing import NamedTuple

from harness.grading.extract.answer import CUE_WINDOW_CHARS, Extraction
from harness.grading.extract.cues import TAKEN_BACK
from harness.grading.extract.letter_frames import is_predicate, read
from harness.grading.extract.letter_lines import lines_that_choose, list_blocks
from harness.grading.extract.letter_marks import run_of_verdicts, spelled_out, ticks_in_words
from harness.grading.extract.letter_mentions import Sentences, is_label, joined, joined_letter, mentions
from harness.grading.extract.letter_otherwise import SameAnswer, by_exclusion, ordinals, stated_value, true_false
from harness.grading.extract.letter_ranks import NOTHING, Rank, Said
from harness.grading.extract.option_names import Named, named, plain, undecorated
from harness.grading.extract.parts import answer_part
from harness.grading.grammar.clean import translate

_TURNS_AWAY = re.compile(
    r"[^.!?;。\n]*[,\s](?:but|however|yet|aber|mais|pero|mas|但|而是)[\s,][^.!?;。\n]*", re.IGNORECASE
)
_LAST_WORD = re.compile(
    r"(?<=[.!?;])(?<!Mr\.)(?<!Ms\.)(?<!Dr\.)(?<!Eq\.)(?<!Mrs\.)(?<!Fig\.)(?<!Sec\.)\s\(?([A-Z])[\s.)]*$"
)
_UNFINISHED = re.compile(r"\s(?:is|are|was|the|an?|of|and|or|to|it|we|because|since|with|by|has|have)\s*$")
_NEXT_QUESTION = re.compile(
    r"(?:\n\s{0,4}\W{0,4}(?:question|problem|human|user|frage|pregunta|问题|题目|問題)\s?\d{0,3}|"
    r"[.!?]\s(?:question|problem)\s\d{1,3})\s?[:：]",
    re.IGNORECASE,
)
_CIRCLED = {ord("Ⓐ") + k: chr(ord("A") + k) for k in range(26)}


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
    options = named(joined(undecorated(spelled_out(text, choices, letters))), choices)
    sentences = Sentences(options.text)
    blocks = list_blocks(options.text)
    evidence: list[Evidence] = []
    doubtful: list[tuple[int, str]] = []
    judged: dict[str, int] = {}
    said: dict[int, Said] = {}
    for at, letter in mentions(options, letters):
        said[at] = this = read(sentences.mention(at, letter, options))
        if this.rank is None or (_in_blocks(at, blocks) and is_label(options.text, at)):
            continue
        other = joined_letter(options.text, at, letters)
        if letter not in letters:
            doubtful.append((at, f"the letter {letter} is no option"))
        elif other and other != letter:
            doubtful.append((at, f"two letters, {letter} and {other}"))
        elif this.judged:
            judged[letter] = at
        else:
            evidence.append(Evidence(this.rank, at, letter))
    evidence = _without_contradicted(evidence, options.text)
    evidence += [Evidence(Rank.STATEMENT, at, letter) for at, letter in run_of_verdicts(options.text, letters)]
    if len(judged) == 1 or not any(e.rank >= Rank.TURN for e in evidence):
        evidence += [Evidence(Rank.STATEMENT, at, letter) for letter, at in judged.items()]
    evidence += starmap(Evidence, ordinals(options.text, letters))
    evidence += _last_word(options.text, letters)
    strong = [e for e in evidence if e.rank >= Rank.TURN]
    if doubtful and not any(e.at > max(doubtful)[0] for e in strong):
        reason = max(doubtful)[1]  # nothing later commits to one letter
        return Extraction(None, reason, ambiguous=reason.startswith("two"))
    evidence += [Evidence(Rank.LINE, at, letter) for at, letter in lines_that_choose(options, letters, choices)]
    if not any(e.rank >= Rank.TURN for e in evidence):
        evidence += _named_options(options, sentences, blocks, said, letters, choices)
        if not evidence:
            evidence += starmap(Evidence, true_false(options.text, choices))
    if not evidence and same is not None and choices:
        evidence += starmap(Evidence, stated_value(text, choices, same))
    if not evidence:
        evidence += starmap(Evidence, by_exclusion(options.text, letters))
    return _decided(evidence, options.text, judged)


def _without_contradicted(evidence: list[Evidence], text: str) -> list[Evidence]:
    """`evidence` without what the same sentence turns away from: "my answer was A, but it should be B"."""
    kept: list[Evidence] = []
    for this in sorted(evidence, key=lambda e: e.at):
        if (
            kept
            and kept[-1].letter != this.letter
            and _TURNS_AWAY.fullmatch(text, max(kept[-1].at, this.at - 300), this.at)
        ):
            kept.pop()
        kept.append(this)
    return kept


def _decided(evidence: list[Evidence], text: str, judged: dict[str, int]) -> Extraction:
    """The letter by the written rule: of the highest rank the last one."""
    told = {e.letter for e in evidence}
    back = max((m.start() for m in TAKEN_BACK.finditer(text)), default=0) if len(told) > 1 else 0
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


def _last_word(text: str, letters: str) -> Iterator[Evidence]:
    """A last sentence that is one letter: "Not A. Not B. Not C. D."."""
    match = _LAST_WORD.search(text, max(0, len(text) - 16))
    if match and match.group(1) in letters:
        yield Evidence(Rank.TURN, match.start(1), match.group(1))


def _in_blocks(at: int, blocks: Sequence[tuple[int, int]]) -> bool:
    return any(a <= at < b for a, b in blocks)


def _named_options(
    options: Named,
    sentences: Sentences,
    blocks: Sequence[tuple[int, int]],
    said: dict[int, Said],
    letters: str,
    choices: Sequence[str],
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
    short = {
        chr(ord("A") + k)
        for k, choice in enumerate(choices)
        if plain(choice).isalpha() and len(plain(choice)) <= 1 + choice.strip().islower()
    }
    texts = {at: x for at, x in options.text_only.items() if x not in short}  # "x" is a variable of the text, too
    alone = {at: x for at, x in texts.items() if stands(at)}
    mentioned = {x for at, x in texts.items() if not _in_blocks(at, blocks)}
    at_last = {x for at, x in alone.items() if at >= last}
    at_first = {x for at, x in alone.items() if at < first}
    said_last = {x for at, x in alone.items() if is_predicate(sentences.mention(at, x, options))}
    conflict = len(at_last) == len(at_first) == 1 and at_last != at_first
    for chosen in (
        said_last if conflict else set(),
        at_last,
        at_first,
        mentioned if set(alone.values()) == mentioned else set(),
    ):
        if len(chosen) == 1:
            yield Evidence(Rank.TEXT, last, chosen.pop())
            return
