"""Before an option: the chain of words that ends in it says that it is the answer, is chosen, follows, or is not it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.grading.extract.letter_ranks import DENIED, HEDGES, MARKS, MAX_LINK, NOTHING, NOUNS, Rank, Said, turn
from harness.grading.extract.letter_words import Role, Token

_R = Role
_MAX_TAIL = 12  # tokens between a subject and its link: "the answer to the question above is"
_LINKING = _R.LINK | _R.ADVERB | _R.DET | _R.ONLY | _R.SO | _R.BUT | _R.MODAL
_CHOSEN = _R.CHOOSE | _R.MATCH | _R.LEAVE
_STATEMENT_NOUNS = frozenset(
    ("statement", "aussage", "affirmation", "afirmación", "afirmativa", "proposition", "项", "項")
)
_CERTAINTY = frozenset(
    (
        "definitely",
        "certainly",
        "surely",
        "probably",
        "likely",
        "most likely",
        "presumably",
        "clearly",
        "obviously",
        "undoubtedly",
        "sicher",
        "wahrscheinlich",
        "probablement",
        "sans doute",
        "probablemente",
        "provavelmente",
        "probabilmente",
        "vermutlich",
        "vraisemblablement",
        "eindeutig",
        "claramente",
    )
)
_WITHIN = frozenset(("in", "by", "under", "as", "with", "from"))
_LOOSE = frozenset(  # what gives a letter may be a product or a vector: only "option C" or "(C)" behind them is one
    ("gives", "giving", "yields", "yielding", "we get", "we obtain", "we have", "we find", "we arrive at", "that is")
)


def stated(before: Sequence[Token], after: Sequence[Token], ends: bool, opened: bool, is_text: bool) -> Said:
    """What the chain of words that ends in the mention says: it is the answer, it is chosen, it follows."""
    at = len(before) - 1
    noun: Token | None = None
    while at >= 0:
        roles = before[at].roles
        if roles & NOUNS and not roles & (_R.LINK | _R.CHOOSE):
            noun = before[at]
        elif not (roles & _R.DET or (noun and roles & _R.GOOD)) or roles & (_R.LINK | _R.SO | _R.PRONOUN):
            break
        at -= 1
    named = noun is not None
    if named and at > 0 and before[at].text in _WITHIN and before[at - 1].roles & (_R.LINK | _R.MATCH):
        at -= 1  # "is in option B"
    first = at  # the last token of the chain
    linked = so = comma = modal = hedged = False
    while at >= 0 and first - at < MAX_LINK:
        word, roles = before[at]
        if roles & _R.PRONOUN and (linked or "'" in word or "’" in word or word in ("这", "これ", "それ")):
            if hedged:
                return Said(Rank.ENDING) if ends else NOTHING  # "it could be B, but ..."
            return turn(ends or named or opened or not linked or _closes(after))
        if roles & _CHOSEN and not linked and not (roles & _R.LINK and at and before[at - 1].roles & NOUNS):
            break
        if roles & _R.NEG and not roles & _R.BUT:
            if comma or so:
                break
            return DENIED
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
        elif not roles & _LINKING or (comma and not roles & (_R.ADVERB | _R.MODAL | _R.ONLY)):
            break  # behind a comma another clause ends
        hedged = hedged or word in HEDGES
        modal = modal or (bool(roles & _R.MODAL) and word not in ("would", "seria", "sería", "serait"))
        at -= 1
    subject = before[at] if at >= 0 else None
    closes = ends or _closes(after)
    if subject is not None and subject.roles & _CHOSEN and not comma:
        loose = before[at].text in _LOOSE
        return _chosen(before, at, after, linked or named or opened or (ends and not loose), closes)
    if subject is not None and subject.roles & _R.INSPECT and not linked and not comma:
        return DENIED
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
        return turn(closes)
    if noun is not None and subject is None and not is_text:  # the sentence begins with it
        if noun.roles & _R.ANSWER and (closes or not after[0].text.isalpha()):
            return Said(Rank.STATEMENT)
        return turn(ends)
    if is_text or hedged:
        return NOTHING
    if so or (subject and subject.roles & (_R.SO | _R.BUT)):
        return turn(closes and not (comma and not ends and not so))
    if comma and ends and not _lists(before):
        return turn(True)
    if subject is not None and subject.roles & _R.ONLY:
        return turn(ends)
    return NOTHING


def _closes(after: Sequence[Token]) -> bool:
    """Whether the clause ends behind the mention, or gives its reason."""
    return not after or after[0].text in MARKS or bool(after[0].roles & (_R.BECAUSE | _R.NEG))


def _lists(before: Sequence[Token]) -> bool:
    """Whether the mention closes a list of names: "the points A, B, C"."""
    return len(before) >= 2 and len(before[-2].text) == 1 and before[-2].text.isalpha()


def _chosen(before: Sequence[Token], at: int, after: Sequence[Token], firm: bool, closes: bool) -> Said:
    """Behind a verb of choice: "I pick B", "that leaves C", "corresponds to option D"."""
    for token in reversed(before[max(0, at - 3) : at]):
        if token.text in MARKS or token.roles & (_R.BUT | _R.SO):
            break
        if token.roles & _R.NEG:
            return DENIED
    roles = before[at].roles
    if roles & _R.CHOOSE:
        return turn(firm or closes)
    if roles & _R.LEAVE:
        return turn(closes or bool(after and after[0].text in ("as", "the")))
    return turn(firm)


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
            return DENIED
        if any(token.roles & _R.SUPPOSE for token in around):
            return NOTHING
        return Said(Rank.STATEMENT)
    if at < 0:
        answer = noun is not None and noun.roles & _R.ANSWER
        return Said(Rank.STATEMENT) if answer else turn(closes and not is_text and not modal)
    roles = before[at].roles
    if noun is not None and noun.roles & _R.ANSWER and (so or roles & (_R.GOOD | _R.SO)):
        return Said(Rank.STATEMENT)  # "somit lautet die Lösung C"
    if roles & (_R.PRONOUN | _R.SO) or so:
        return turn(closes)
    if noun is not None and not modal:
        return turn(True)  # "the result is option C"
    return Said(Rank.ENDING) if ends and not modal and not is_text else NOTHING


def _subject(before: Sequence[Token], at: int) -> int | None:
    """The index of the noun whose predicate follows `at`: "answer" in "the answer to the question is"."""
    if at < 0:
        return None
    if before[at].roles & (NOUNS | _R.GOOD) and not before[at].roles & _R.OPTIONS:
        return at
    for k in range(at - 1, max(-1, at - _MAX_TAIL), -1):
        roles = before[k].roles
        if before[k].text in (";", ":") or (roles & _R.LINK and not roles & (_R.DET | _R.PREPOSITION)):
            return None
        follows = before[k + 1]
        if roles & NOUNS and (follows.roles & _R.PREPOSITION or (follows.text == "," and before[at].text == ",")):
            return k
    return None
