"""Behind an option: the chain of words that begins with it says that it is right, is wrong, holds, or fails."""

from __future__ import annotations

from collections.abc import Sequence

from harness.grading.extract.letter_ranks import (
    DENIED,
    HEDGES,
    MARKS,
    MAX_LINK,
    NOTHING,
    NOUNS,
    Rank,
    Said,
    roles_of,
    turn,
)
from harness.grading.extract.letter_words import Role, Token

_R = Role
_FITTING = frozenset(("fit", "match", "explanation", "description", "interpretation", "representation", "candidate"))
_ORDINALS = frozenset(("first", "second", "third", "fourth", "fifth", "last"))
CONCEDING = frozenset(
    ("although", "though", "even", "despite", "obwohl", "bien que", "aunque", "embora", "sebbene", "хотя")
)
_SOUGHT = frozenset(("looking", "want", "need", "asked", "seek", "after"))
_INSTEAD = frozenset(("rather than", "instead of", "unlike", "as opposed to", "而不是", "而非", "statt", "anstatt"))


def judged(before: Sequence[Token], after: Sequence[Token], named: bool, ended: bool) -> Said:
    """What the chain of words behind the mention says: it is right, it is wrong, it holds, it fails."""
    at = 0
    while at < len(after) and after[at].text in ")]\"'":
        at += 1
    if after[at : at + 1] and after[at].text == "(" and after[at + 2 : at + 3] and after[at + 2].text == ")":
        roles = after[at + 1].roles  # "B (correct)"
        return DENIED if roles & _R.BAD else Said(Rank.STATEMENT, judged=True) if roles & _R.GOOD else NOTHING
    if at < len(after) and (at or after[at].text in (":", ".")) and at + 1 < len(after):
        at = _over_text(after, at)
    linked = negated = modal = hedged = False
    start = at
    while at < len(after) and at - start < MAX_LINK:
        word, roles = after[at]
        if roles & _R.NEG and not roles & _R.FAIL:
            if word in _INSTEAD or (at > start and after[at - 1].text in MARKS):
                break  # "B: no consideration was given"
            negated = True
        elif roles & _R.LINK:
            linked = True
        elif not roles & (_R.ADVERB | _R.DET | _R.ONLY | _R.MODAL | _R.SO) or roles & (_R.GOOD | _R.FIT | _R.BAD):
            break
        modal = modal or bool(roles & _R.MODAL)
        hedged = hedged or word in HEDGES
        at += 1
    rest = after[at:]
    if not rest:
        if linked and not negated and after[-1].text == "one":
            return Said(Rank.STATEMENT)  # "B is the one"
        elliptic = ended and linked and not negated and (not before or before[-1].text == ",")  # "..., B is."
        return turn(elliptic and after[-1].text in ("is", "ist", "est", "es"))
    if linked and not negated and rest[0].text in ("it", "what") and (len(rest) == 1 or rest[0].text == "what"):
        return Said(Rank.STATEMENT) if len(rest) == 1 else turn(any(t.text in _SOUGHT for t in rest))
    if rest[0].text == "it" and len(rest) == 2 and rest[1].text in ("is", "'s"):
        return Said(Rank.STATEMENT)  # "C it is"
    roles, supposed = rest[0].roles, bool(rest[0].roles & _R.IF)
    if supposed and not (linked or negated):
        return NOTHING if rest[0].text in CONCEDING else DENIED
    if roles & _R.FAIL and (not linked or negated):
        return DENIED
    if (linked or negated or not rest[0].text.isascii()) and (negated or roles & _R.BAD):
        return DENIED
    last = next((token for token in reversed(before) if not token.roles & _R.ONLY), None)
    makes = last is not None and bool(last.roles & (_R.LEAVE | _R.LINK) or (named and _leaves(before)))
    if not linked and roles & _R.CHOOSE and last is not None and last.roles & _R.MODAL:
        return turn(True)  # "ich würde B wählen"
    if hedged or roles_of(rest[1:4]) & _R.OPINION:
        return DENIED if roles & _R.GOOD else NOTHING
    if roles & _R.GOOD and (linked or makes or not rest[0].text.isascii()):
        return _good(rest, modal)
    named_one = len(rest) > 1 and rest[1].roles & NOUNS and not roles & _R.BAD and rest[0].text not in _ORDINALS
    if linked and at and "the" in (after[at - 1].text, after[max(0, at - 2)].text) and named_one:
        return _good(rest[1:], modal)  # "is the safer choice"
    if linked and roles & (_R.ANSWER | _R.OPTION):
        return NOTHING if conditional(rest[1:]) else Said(Rank.STATEMENT, judged=False)
    only = bool(before) and bool(before[-1].roles & _R.ONLY or (named and _only(before)))
    if only and start == at and rest[0].text.isalpha() and not roles & (_R.PREPOSITION | _R.AND | _R.PRONOUN):
        return turn(True)  # "only option D meets ..."
    if roles & _R.FIT:
        strong = bool(before) and bool(before[-1].roles & _R.ONLY or (named and _only(before)))
        return turn(
            (strong or rest[0].text.startswith("best ") or _fully(rest[1:]))
            and not modal
            and (linked or at == start or strong)
        )
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
    if conditional(rest[1:]) or (modal and len(rest) > at and rest[at].text in ("for", "in", "under", "when")):
        return DENIED
    spaced = rest[0].text.isascii()
    follows = rest[at] if at < len(rest) else None
    if spaced and follows is not None and not (follows.text in MARKS or follows.roles & (_R.BECAUSE | _R.PREPOSITION)):
        return NOTHING
    return Said(Rank.STATEMENT, judged=True)


def conditional(rest: Sequence[Token]) -> bool:
    """Whether a condition follows at once: "B is correct if"."""
    return any(token.roles & _R.IF for token in rest[:3])


def _fully(rest: Sequence[Token]) -> bool:
    """Whether a verb such as "fits" speaks of the whole: it ends the clause, or "best", "all", "both" follow."""
    return not rest or rest[0].text in ("best", "all", "every", "both", "perfectly", "exactly", ".", ",", "!", "。")
