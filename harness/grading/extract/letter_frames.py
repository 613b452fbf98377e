"""What the clause around one option says of it: chosen, judged right, denied, or nothing.

A mention is read in two directions. Before it stands a chain such as ANSWER LINK ("the answer is"), CHOOSE ("I pick")
or SO ("hence"); behind it one such as LINK GOOD ("is correct") or FAIL ("violates"). The chain touches the mention:
what stands farther off in the sentence gives no weight, it can only take it (a condition, a first idea, the opinion of
others).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from harness.grading.extract.letter_words import Role, Token, tokens

BEFORE_CHARS = 200  # of the sentence before a mention
AFTER_CHARS = 100
_MAX_LINK = 9  # tokens of one chain of linking words
_MAX_TAIL = 12  # tokens between a subject and its link: "the answer to the question above is"
_R = Role
_LINKING = _R.LINK | _R.ADVERB | _R.DET | _R.ONLY | _R.SO | _R.BUT | _R.MODAL
_NOUNS = _R.ANSWER | _R.OPTION
_CHOSEN = _R.CHOOSE | _R.MATCH | _R.LEAVE
_MARKS = frozenset(",;:.!)–—-*|。，；")
_STATEMENT_NOUNS = frozenset(
    ("statement", "aussage", "affirmation", "afirmación", "afirmativa", "proposition", "项", "項")
)
_ARTICLES = frozenset(("A", "I"))
_OPTION_SUFFIXES = frozenset(("选项", "選項", "项", "項", "번", "肢"))
_CERTAINTY = frozenset(
    (
        "definitely", "certainly", "surely", "probably", "likely", "most likely", "presumably", "clearly", "obviously",
        "undoubtedly", "sicher", "wahrscheinlich", "probablement", "sans doute", "probablemente", "provavelmente",
        "probabilmente", "vermutlich", "vraisemblablement", "eindeutig", "claramente",
    )
)  # fmt: skip
_FITTING = frozenset(("fit", "match", "explanation", "description", "interpretation", "representation", "candidate"))
_ORDINALS = frozenset(("first", "second", "third", "fourth", "fifth", "last"))
_CONCESSIONS = frozenset(("while", "whereas"))
_WITHIN = frozenset(("in", "by", "under", "as", "with", "from"))
_LOOSE = frozenset(  # what gives a letter may be a product or a vector: only "option C" or "(C)" behind them is one
    ("gives", "giving", "yields", "yielding", "we get", "we obtain", "we have", "we find", "we arrive at", "that is")
)
_HEDGES = frozenset(
    ("maybe", "perhaps", "possibly", "could", "may", "might", "könnte", "pourrait", "podría", "poderia")
)
_SOUGHT = frozenset(("looking", "want", "need", "asked", "seek", "after"))
_CONCEDING = frozenset(
    ("although", "though", "even", "despite", "obwohl", "bien que", "aunque", "embora", "sebbene", "хотя")
)
_NEAR = 9  # tokens within which "if" without a comma reaches
_INSTEAD = frozenset(("rather than", "instead of", "unlike", "as opposed to", "而不是", "而非", "statt", "anstatt"))


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


class Said(NamedTuple):
    """What a clause says of its mention: a rank, or that it is denied; neither where it says nothing."""

    rank: Rank | None = None
    denied: bool = False
    judged: bool = False  # "B is correct": of several options judged so none is chosen


NOTHING = Said()
_DENIED = Said(denied=True)


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
    verdict = _judged(before, after, named is not None or opened, bool(mention.mark))
    if verdict.denied:
        return verdict
    ends = not mention.after.strip(" .)]\"'*\ue001!>")
    stated = _stated(before, after, ends, opened, mention.is_text)
    if stated.denied:
        return stated
    best = max((verdict, stated), key=lambda said: said.rank or 0)
    return _DENIED if _unsettled(before, after, best.rank or Rank.TURN) else best


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
    return before[at] if at >= 0 and before[at].roles & _NOUNS else None


# --- before the mention -------------------------------------------------------------------------------------------


def _stated(before: Sequence[Token], after: Sequence[Token], ends: bool, opened: bool, is_text: bool) -> Said:
    """What the chain of words that ends in the mention says: it is the answer, it is chosen, it follows."""
    at = len(before) - 1
    noun: Token | None = None
    while at >= 0:
        roles = before[at].roles
        if roles & _NOUNS and not roles & (_R.LINK | _R.CHOOSE):
            noun = before[at]
        elif not (roles & _R.DET or (noun and roles & _R.GOOD)) or roles & (_R.LINK | _R.SO | _R.PRONOUN):
            break
        at -= 1
    named = noun is not None
    if named and at > 0 and before[at].text in _WITHIN and before[at - 1].roles & (_R.LINK | _R.MATCH):
        at -= 1  # "is in option B"
    first = at  # the last token of the chain
    linked = so = comma = modal = hedged = False
    while at >= 0 and first - at < _MAX_LINK:
        word, roles = before[at]
        if roles & _R.PRONOUN and (linked or "'" in word or "’" in word or word in ("这", "これ", "それ")):
            return _turn(ends or named or opened or not linked or _closes(after))
        if roles & _CHOSEN and not linked and not (roles & _R.LINK and at and before[at - 1].roles & _NOUNS):
            break
        if roles & _R.NEG and not roles & _R.BUT:
            if comma or so:
                break
            return _DENIED
        if roles & _R.LINK:
            linked = True
        elif roles & _R.BUT:
            so = True
            if not linked:
                at -= 1
                break
        elif roles & _R.SO:
            so = True
        elif word == ",":
            if comma:
                break
            comma = True
        elif not roles & _LINKING:
            break
        hedged = hedged or word in _HEDGES
        modal = modal or (bool(roles & _R.MODAL) and word not in ("would", "seria", "sería", "serait"))
        at -= 1
    subject = before[at] if at >= 0 else None
    closes = ends or _closes(after)
    if subject is not None and subject.roles & _CHOSEN and not comma:
        loose = before[at].text in _LOOSE
        return _chosen(before, at, after, linked or named or opened or (ends and not loose), closes)
    if subject is not None and subject.roles & _R.INSPECT and not linked and not comma:
        return _DENIED
    if linked:
        return _linked(before, at, noun, so, modal, ends, closes or opened, is_text)
    if (
        noun is not None
        and not noun.text.isascii()
        and after
        and after[0].roles & _R.LINK
        and (first < 0 or before[first].roles & _R.SO)
    ):
        return Said(Rank.STATEMENT)  # "सही उत्तर C है": the verb comes last
    if noun is None and before and all(token.text in _CERTAINTY for token in before):
        return _turn(closes)
    if noun is not None and subject is None and not is_text:  # the sentence begins with it
        if noun.roles & _R.ANSWER and (closes or not after[0].text.isalpha()):
            return Said(Rank.STATEMENT)
        return _turn(ends)
    if is_text or hedged:
        return NOTHING
    if so or (subject and subject.roles & (_R.SO | _R.BUT)):
        return _turn(closes and not (comma and not ends and not so))
    if comma and ends and not _lists(before):
        return _turn(True)
    if subject is not None and subject.roles & _R.ONLY:
        return _turn(ends)
    return NOTHING


def _turn(holds: bool) -> Said:
    return Said(Rank.TURN) if holds else NOTHING


def _closes(after: Sequence[Token]) -> bool:
    """Whether the clause ends behind the mention, or gives its reason."""
    return not after or after[0].text in _MARKS or bool(after[0].roles & (_R.BECAUSE | _R.NEG))


def _lists(before: Sequence[Token]) -> bool:
    """Whether the mention closes a list of names: "the points A, B, C"."""
    return len(before) >= 2 and len(before[-2].text) == 1 and before[-2].text.isalpha()


def _chosen(before: Sequence[Token], at: int, after: Sequence[Token], firm: bool, closes: bool) -> Said:
    """Behind a verb of choice: "I pick B", "that leaves C", "corresponds to option D"."""
    for token in reversed(before[max(0, at - 3) : at]):
        if token.text in _MARKS or token.roles & (_R.BUT | _R.SO):
            break
        if token.roles & _R.NEG:
            return _DENIED
    roles = before[at].roles
    if roles & _R.CHOOSE:
        return _turn(firm or closes)
    if roles & _R.LEAVE:
        return _turn(closes or bool(after and after[0].text in ("as", "the")))
    return _turn(firm)


def _linked(
    before: Sequence[Token], at: int, noun: Token | None, so: bool, modal: bool, ends: bool, closes: bool, is_text: bool
) -> Said:
    """Behind "is" or a colon: whose predicate the mention is."""
    if at >= 0 and before[at].text in (")", "]"):  # "the answer (by symmetry) is B"
        opening = next((k for k in range(at, max(-1, at - 24), -1) if before[k].text in ("(", "[")), None)
        at = at if opening is None else opening - 1
    subject = _subject(before, at)
    if subject is not None:
        around = before[max(0, subject - 3) : subject]
        if any(token.roles & _R.OPTIONS for token in around):
            return NOTHING
        wrong = any(token.roles & _R.BAD and not token.roles & _R.GOOD for token in around[-2:])
        if wrong and before[subject].text not in _STATEMENT_NOUNS:
            return _DENIED
        if any(token.roles & _R.SUPPOSE for token in around):
            return NOTHING
        return Said(Rank.STATEMENT)
    if at < 0:
        answer = noun is not None and noun.roles & _R.ANSWER
        return Said(Rank.STATEMENT) if answer else _turn(closes and not is_text and not modal)
    roles = before[at].roles
    if noun is not None and noun.roles & _R.ANSWER and (so or roles & (_R.GOOD | _R.SO)):
        return Said(Rank.STATEMENT)  # "somit lautet die Lösung C"
    if roles & (_R.PRONOUN | _R.SO) or so:
        return _turn(closes)
    if noun is not None and not modal:
        return _turn(True)  # "the result is option C"
    return Said(Rank.ENDING) if ends and not modal and not is_text else NOTHING


def _subject(before: Sequence[Token], at: int) -> int | None:
    """The index of the noun whose predicate follows `at`: "answer" in "the answer to the question is"."""
    if at < 0:
        return None
    if before[at].roles & (_NOUNS | _R.GOOD) and not before[at].roles & _R.OPTIONS:
        return at
    for k in range(at - 1, max(-1, at - _MAX_TAIL), -1):
        roles = before[k].roles
        if before[k].text in (";", ":") or (roles & _R.LINK and not roles & (_R.DET | _R.PREPOSITION)):
            return None
        follows = before[k + 1]
        if roles & _NOUNS and (follows.roles & _R.PREPOSITION or (follows.text == "," and before[at].text == ",")):
            return k
    return None


# --- behind the mention -------------------------------------------------------------------------------------------


def _judged(before: Sequence[Token], after: Sequence[Token], named: bool, ended: bool) -> Said:
    """What the chain of words behind the mention says: it is right, it is wrong, it holds, it fails."""
    at = 0
    while at < len(after) and after[at].text in ")]\"'":
        at += 1
    if after[at : at + 1] and after[at].text == "(" and after[at + 2 : at + 3] and after[at + 2].text == ")":
        roles = after[at + 1].roles  # "B (correct)"
        return _DENIED if roles & _R.BAD else Said(Rank.STATEMENT, judged=True) if roles & _R.GOOD else NOTHING
    if at < len(after) and (at or after[at].text in (":", ".")) and at + 1 < len(after):
        at = _over_text(after, at)
    linked = negated = modal = hedged = False
    start = at
    while at < len(after) and at - start < _MAX_LINK:
        word, roles = after[at]
        if roles & _R.NEG and not roles & _R.FAIL:
            if word in _INSTEAD or (at > start and after[at - 1].text in _MARKS):
                break  # "B: no consideration was given"
            negated = True
        elif roles & _R.LINK:
            linked = True
        elif not roles & (_R.ADVERB | _R.DET | _R.ONLY | _R.MODAL | _R.SO) or roles & (_R.GOOD | _R.FIT | _R.BAD):
            break
        modal = modal or bool(roles & _R.MODAL)
        hedged = hedged or word in _HEDGES
        at += 1
    rest = after[at:]
    if not rest:
        if linked and not negated and after[-1].text == "one":
            return Said(Rank.STATEMENT)  # "B is the one"
        elliptic = ended and linked and not negated and (not before or before[-1].text == ",")  # "..., B is."
        return _turn(elliptic and after[-1].text in ("is", "ist", "est", "es"))
    if linked and not negated and rest[0].text in ("it", "what") and (len(rest) == 1 or rest[0].text == "what"):
        return Said(Rank.STATEMENT) if len(rest) == 1 else _turn(any(t.text in _SOUGHT for t in rest))
    if rest[0].text == "it" and len(rest) == 2 and rest[1].text in ("is", "'s"):
        return Said(Rank.STATEMENT)  # "C it is"
    roles, conditional = rest[0].roles, bool(rest[0].roles & _R.IF)
    if conditional and not (linked or negated):
        return NOTHING if rest[0].text in _CONCEDING else _DENIED
    if roles & _R.FAIL and (not linked or negated):
        return _DENIED
    if (linked or negated or not rest[0].text.isascii()) and (negated or roles & _R.BAD):
        return _DENIED
    last = next((token for token in reversed(before) if not token.roles & _R.ONLY), None)
    makes = last is not None and bool(last.roles & (_R.LEAVE | _R.LINK) or (named and _leaves(before)))
    if not linked and roles & _R.CHOOSE and last is not None and last.roles & _R.MODAL:
        return _turn(True)  # "ich würde B wählen"
    if hedged or _roles(rest[1:4]) & _R.OPINION:
        return _DENIED if roles & _R.GOOD else NOTHING
    if roles & _R.GOOD and (linked or makes or not rest[0].text.isascii()):
        return _good(rest, modal)
    named_one = len(rest) > 1 and rest[1].roles & _NOUNS and not roles & _R.BAD and rest[0].text not in _ORDINALS
    if linked and at and "the" in (after[at - 1].text, after[max(0, at - 2)].text) and named_one:
        return _good(rest[1:], modal)  # "is the safer choice"
    if linked and roles & (_R.ANSWER | _R.OPTION):
        return NOTHING if _conditional(rest[1:]) else Said(Rank.STATEMENT, judged=False)
    only = bool(before) and bool(before[-1].roles & _R.ONLY or (named and _only(before)))
    if only and start == at and rest[0].text.isalpha() and not roles & (_R.PREPOSITION | _R.AND | _R.PRONOUN):
        return _turn(True)  # "only option D meets ..."
    if roles & _R.FIT:
        strong = bool(before) and bool(before[-1].roles & _R.ONLY or (named and _only(before)))
        return _turn((strong or _fully(rest[1:])) and not modal and (linked or at == start or strong))
    return NOTHING


def _over_text(after: Sequence[Token], at: int) -> int:
    """The index of the link behind a label's own text: in "B. 42 GeV is correct" that of "is"; else of the label."""
    for k in range(at + 1, min(len(after), at + 16)):
        if after[k].roles & _R.LINK and after[k].text.isalpha():
            rest = [token for token in after[k + 1 : k + 5] if not token.roles & (_R.DET | _R.ADVERB)]
            if rest and rest[0].roles & (_R.GOOD | _R.BAD | _R.NEG | _R.ANSWER):
                return k
        if after[k].text in (",", ";") or after[k].roles & (_R.BUT | _R.SO | _R.IF) or after[k].text in "abcdefghij":
            return at
    return at


def _leaves(before: Sequence[Token]) -> bool:
    return any(token.roles & (_R.LEAVE | _R.LINK) for token in before[-3:])


def _only(before: Sequence[Token]) -> bool:
    return any(token.roles & _R.ONLY for token in before[-3:])


def _good(rest: Sequence[Token], modal: bool) -> Said:
    """Behind "is": "correct", "the best choice"; no more than that may follow but a reason."""
    at = 1
    while at < len(rest) and rest[at].roles & (_R.GOOD | _R.ANSWER | _R.OPTION | _R.DET | _R.ADVERB) and at < 5:
        at += 1
    if at < len(rest) and rest[at].text in _FITTING:
        at += 1  # "the best fit"
    if _conditional(rest[1:]) or (modal and len(rest) > at and rest[at].text in ("for", "in", "under", "when")):
        return _DENIED
    spaced = rest[0].text.isascii()
    follows = rest[at] if at < len(rest) else None
    if spaced and follows is not None and not (follows.text in _MARKS or follows.roles & (_R.BECAUSE | _R.PREPOSITION)):
        return NOTHING
    return Said(Rank.STATEMENT, judged=True)


def _conditional(rest: Sequence[Token]) -> bool:
    return any(token.roles & _R.IF for token in rest[:3])


def _fully(rest: Sequence[Token]) -> bool:
    """Whether a verb such as "fits" speaks of the whole: it ends the clause, or "best", "all", "both" follow."""
    return not rest or rest[0].text in ("best", "all", "every", "both", "perfectly", "exactly", ".", ",", "!", "。")


# --- the rest of the sentence -------------------------------------------------------------------------------------


def _unsettled(before: Sequence[Token], after: Sequence[Token], rank: Rank) -> bool:
    """Whether the sentence takes the weight: a condition, a concession, a first idea, the word of others."""
    if after and (
        (after[0].roles & _R.IF and after[0].text not in _CONCEDING)
        or (after[0].roles & _R.ONLY and _conditional(after[1:2]))
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
    modal = bool((roles | _roles(after[:3])) & _R.MODAL)
    last, parted = len(before), False
    for k in range(last - 1, since - 1, -1):
        text, roles = before[k]
        parted = parted or text in (",", "then")
        if roles & _R.OTHERS and _roles(before[k + 1 : k + 5]) & _R.SAY:
            return True
        if roles & _R.SUPPOSE and not parted and last - k <= _NEAR:
            return True
        if roles & _R.IF or (k == since and text in _CONCESSIONS):
            near = not parted and (last - k <= _NEAR or rank < Rank.STATEMENT)
            if near or (modal and rank >= Rank.ENDING):
                return True
    return False


def _roles(some: Sequence[Token]) -> int:
    """All the roles of some tokens."""
    roles = 0
    for token in some:
        roles |= token.roles
    return roles
