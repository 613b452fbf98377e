"""What the clause around one option says of it: chosen, judged right, denied, or nothing.

A mention is read in two directions. Before it stands a chain such as ANSWER LINK ("the answer is"), CHOOSE ("I pick")
or SO ("hence"); behind it one such as LINK GOOD ("is correct") or FAIL ("violates"). The chain touches the mention:
what stands farther off in the sentence gives no weight, it can only take it (a condition, a first idea, the opinion of
others).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.grading.extract.letter_before import stated
from harness.grading.extract.letter_behind import CONCEDING, conditional, judged
from harness.grading.extract.letter_ranks import DENIED, NOTHING, NOUNS, Rank, Said, roles_of
from harness.grading.extract.letter_words import Role, Token, tokens

BEFORE_CHARS = 200  # of the sentence before a mention
AFTER_CHARS = 100
_R = Role
_ARTICLES = frozenset(("A", "I"))
_OPTION_SUFFIXES = frozenset(("选项", "選項", "项", "項", "번", "肢"))
_CONCESSIONS = frozenset(("while", "whereas"))
_NEAR = 9  # tokens within which "if" without a comma reaches


class Mention(NamedTuple):
    """An option in its sentence."""

    letter: str
    before: str  # of its sentence, at most BEFORE_CHARS
    after: str  # at most AFTER_CHARS
    mark: str  # the mark that ends the sentence
    is_text: bool  # written as the option's text, without its letter
    has_text: bool = False  # letter and text
    affirmed: bool = False  # asked, and answered with yes


def read(mention: Mention) -> Said:
    """What the clause of `mention` says of it."""
    opened = mention.before.rstrip().endswith(("(", "[", "<")) or mention.is_text or mention.has_text
    before = tokens(mention.before.lstrip(" -*•>").rstrip(" ([<\"'\ue000").lower())
    after = tokens(mention.after.lstrip(" \ue001").lower())
    while after and after[0].text in _OPTION_SUFFIXES:
        del after[0]
    named = _noun(before)
    held = before[-1:] and before[-1].roles & (_R.LEAVE | _R.CHOOSE)  # "makes A correct"
    if mention.letter in _ARTICLES and not opened and not held and named is None and _is_article(mention.after, after):
        return NOTHING
    if mention.affirmed:
        return Said(Rank.TURN)
    if mention.mark in ("?", "？") and not (before and before[0].text == "why"):
        return NOTHING
    verdict = judged(before, after, named is not None or opened, bool(mention.mark))
    if verdict.denied:
        return verdict
    ends = not mention.after.strip(" .)]\"'*\ue001!>")
    chained = stated(before, after, ends, opened, mention.is_text)
    if chained.denied:
        return chained
    best = max((verdict, chained), key=lambda said: said.rank or 0)
    return DENIED if _unsettled(before, after, best.rank or Rank.TURN) else best


def is_predicate(mention: Mention) -> bool:
    """Whether the mention ends its sentence behind "is": "the capital is Paris"."""
    before = tokens(mention.before.rstrip(" (\ue000").lower())
    return bool(before and before[-1].roles & _R.LINK) and not mention.after.strip(" .)\ue001")


def _is_article(after: str, tokens_after: Sequence[Token]) -> bool:
    """Whether "A" opens a phrase ("A Gantt chart"): a word stands behind it that goes on with no verdict or reason."""
    if not after[:1].isspace() or not after.lstrip()[:2].isalpha() or ord(after.lstrip()[0]) > 0x2000:
        return False
    first = tokens_after[0].roles
    going_on = _R.LINK | _R.FIT | _R.FAIL | _R.BECAUSE | _R.AND | _R.NEG | _R.ADVERB | _R.IF
    return not (first & going_on) or bool(first & _R.ANSWER)


def _noun(before: Sequence[Token]) -> Token | None:
    """The noun that names the letter: "option" in "the option B"."""
    at = len(before) - 1
    while at >= 0 and before[at].roles & _R.DET:
        at -= 1
    return before[at] if at >= 0 and before[at].roles & NOUNS else None


def _unsettled(before: Sequence[Token], after: Sequence[Token], rank: Rank) -> bool:
    """Whether the sentence takes the weight: a condition, a concession, a first idea, the word of others."""
    if after and (
        (after[0].roles & _R.IF and after[0].text not in CONCEDING)
        or (after[0].roles & _R.ONLY and conditional(after[1:2]))
    ):
        return True
    roles, since = 0, len(before)
    while since and not before[since - 1].roles & _R.BUT:  # what stands before "but" does not matter
        since -= 1
        roles |= before[since].roles
    if not roles & (_R.OPINION | _R.OTHERS | _R.SUPPOSE | _R.IF) and not (
        since < len(before) and before[since].text in _CONCESSIONS
    ):
        return False
    if roles & _R.OPINION:
        return True
    modal = bool((roles | roles_of(after[:3])) & _R.MODAL)
    last, parted = len(before), False
    for k in range(last - 1, since - 1, -1):
        text, roles = before[k]
        parted = parted or text in (",", "then")
        if roles & _R.OTHERS and roles_of(before[k + 1 : k + 5]) & _R.SAY:
            return True
        if roles & _R.SUPPOSE and not parted and last - k <= _NEAR:
            return True
        if roles & _R.IF or (k == since and text in _CONCESSIONS):
            near = not parted and (last - k <= _NEAR or rank < Rank.STATEMENT)
            if near or (modal and rank >= Rank.ENDING):
                return True
    return False
