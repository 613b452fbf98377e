"""Answers in words, beside words and beside what the words stand for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.grading.compare.comparison import Comparison
from harness.grading.compare.real_sets import infinite
from harness.grading.conventions import Policy
from harness.grading.grammar.nodes import (
    ZERO,
    Const,
    Empty,
    Group,
    Matrix,
    Mul,
    Node,
    Num,
    NumberSet,
    Rel,
    Seq,
    SetOp,
    Sym,
    Text,
    Unit,
)
from harness.grading.grammar.units import number_word

_SAYS_REALS = frozenset(
    ("all real number", "all real", "real number", "all real x", "all x", "any real number", "real")
)


_SAYS_NOTHING = frozenset(
    (
        "no solution",
        "no real solution",
        "none",
        "empty set",
        "no real root",
        "no root",
        "no value",
        "no such value",
        "no solution exist",
        "no real solution exist",
        "no such number",
        "no such integer",
    )
)


_SAYS_INFINITE = frozenset(("infinite", "infinity", "infinitely many"))


_UNDEFINED = frozenset(("dne", "undefined", "does not exist", "doe not exist"))


def texts(c: Comparison, a: Node, b: Node) -> bool | None:
    """The rule for words; None where neither side is in words."""
    if not (isinstance(a, Text) or isinstance(b, Text)):
        return None
    c.used("text")
    number_a, number_b = spelled(a), spelled(b)
    if isinstance(a, Text) and isinstance(b, Text) and (number_a is None or number_b is None):
        return _same_words(c.policy, a.words, b.words)
    if number_a is not None and number_b is not None and c.policy.number_words:
        return c.equal(number_a, number_b)
    text, other = (a, b) if isinstance(a, Text) else (b, a)
    assert isinstance(text, Text)
    if isinstance(other, Unit) and isinstance(other.value, Sym):  # "n is odd" beside "odd"
        return _same_words(c.policy, text.words, f"{other.value.name} {other.words}")
    words = plain_words(text.words)[1].casefold()
    if isinstance(other, Group) and words == "origin":
        return other.opener == "(" and all(item == ZERO for item in other.items)
    if isinstance(other, NumberSet):
        return other == NumberSet("R") and words in _SAYS_REALS
    if isinstance(other, Empty):
        return words in _SAYS_NOTHING
    if infinite(other) == 1:
        return words in _SAYS_INFINITE
    if isinstance(other, SetOp | Group | Rel):
        return words in _SAYS_REALS and c.equal(NumberSet("R"), other)
    letters = letters_of(other)
    if letters.casefold() in _UNDEFINED and _says_undefined(words):
        return True
    if letters:
        return text.words == letters or (c.policy.text_case and text.words.casefold() == letters.casefold())
    return False


def _same_words(policy: Policy, a: str, b: str) -> bool:
    """Equality of words. Of "Ann is the tallest" both halves count; "even" is what "The function is even" says."""
    (subject_a, said_a), (subject_b, said_b) = plain_words(a), plain_words(b)
    if policy.text_case:
        subject_a, said_a, subject_b, said_b = (x.casefold() for x in (subject_a, said_a, subject_b, said_b))
    if said_a in _SAYS_NOTHING and said_b in _SAYS_NOTHING:
        return True
    if _says_undefined(said_a) and _says_undefined(said_b):
        return True
    said_a, said_b = (_OPPOSITES.get(said, said) for said in (said_a, said_b))
    ends = [_LIMITING.get(said.rpartition(" ")[2]) for said in (said_a, said_b)]
    if all(ends) and all(set(said.split()[:-1]) <= _SUBJECTS for said in (said_a, said_b)):
        return ends[0] == ends[1]
    if subject_a and subject_b:
        return said_a == said_b and (subject_a == subject_b or "it" in (subject_a, subject_b))
    if not subject_a and not subject_b:
        return _with_its_noun(said_a, said_b)
    subject, said, other = (subject_a, said_a, said_b) if subject_a else (subject_b, said_b, said_a)
    return other == subject or _with_its_noun(other, said)


def _says_undefined(words: str) -> bool:
    return words in _UNDEFINED or words.endswith((" does not exist", " doe not exist", " is undefined"))


_OPPOSED = tuple(
    tuple(pair.split("/"))
    for pair in [
        "maximum/minimum",
        "increasing/decreasing",
        "increase/decrease",
        "left/right",
        "odd/even",
        "clockwise/counterclockwise",
        "north/south",
        "east/west",
        "upward/downward",
        "prime/composite",
        "rational/irrational",
        "convergent/divergent",
        "converges/diverges",
        "up/down",
        "gain/loss",
        "profit/loss",
        "above/below",
        "true/false",
        "max/min",
        "concave/convex",
    ]
)
_LONG_WORD = re.compile(r"[A-Za-z]{2,}")


def opposed(a: str, b: str) -> bool:
    """Whether one text says one word of a pair of opposites, and the other text only the other one."""
    words_a = {w.lower() for w in _LONG_WORD.findall(a)}
    words_b = {w.lower() for w in _LONG_WORD.findall(b)}
    return any(
        x in words_a and y in words_b and x not in words_b and y not in words_a
        for pair in _OPPOSED
        for x, y in (pair, pair[::-1])
    )


def _with_its_noun(a: str, b: str) -> bool:
    """Equality, or that one adds the noun of the other's adjective: isosceles, an isosceles triangle."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    adjective, _, noun = longer.rpartition(" ")
    return (
        a == b
        or (noun in _NOUNS and adjective == shorter and " " not in shorter and shorter not in _NO_ADJECTIVES)
        or (noun in _NOUNS and adjective == shorter == "infinitely many")
    )


_NOUNS = frozenset(
    (
        "triangle",
        "function",
        "number",
        "serie",
        "sequence",
        "solution",
        "curve",
        "line",
        "angle",
        "matrix",
        "graph",
        "distribution",
        "integer",
        "quadrilateral",
        "plane",
        "vector",
        "set",
        "event",
        "variable",
    )
)
_NO_ADJECTIVES = frozenset(
    ("no", "not", "none", "one", "two", "three", "four", "zero", "all", "any", "some", "every", "unique", "only", "yes")
)


_LIMITING = {"converge": "converges", "convergent": "converges", "diverge": "diverges", "divergent": "diverges"}


_SUBJECTS = frozenset(("it", "serie", "given", "sequence", "integral", "sum"))


_OPPOSITES = {
    "not converge": "diverge",
    "doe not converge": "diverge",
    "doe not diverge": "converge",
    "not convergent": "divergent",
    "not divergent": "convergent",
    "not odd": "even",
    "not even": "odd",
    "not prime": "composite",
    "not true": "false",
    "not false": "true",
    "not rational": "irrational",
    "not empty": "nonempty",
    "quadrant i": "first quadrant",
    "quadrant ii": "second quadrant",
    "quadrant iii": "third quadrant",
    "quadrant iv": "fourth quadrant",
}


def spelled(node: Node) -> Node | None:
    """The number that words spell; other nodes that may be a number as they are; None for words and structures."""
    if not isinstance(node, Text):
        return None if isinstance(node, Empty | Sym | Seq | Group | Matrix) else node
    value = number_word(node.words)
    return None if value is None else Num(value)


def letters_of(node: Node) -> str:
    r"""The letters of a product of symbols, which a word without \text reads as: DNE; "" for other trees."""
    parts = node.factors if isinstance(node, Mul) else (node,)
    letters = [part.name for part in parts if isinstance(part, Sym | Const)]
    return "".join(letters) if len(letters) == len(parts) else ""


_ARTICLES = frozenset(("the", "a", "an", "on"))


def plain_words(text: str) -> tuple[str, str]:
    """(subject, what is said of it), without articles and plural s; "" as the subject where no "is" stands there."""
    words = "".join(c if c.isalnum() else " " for c in text).split()
    said = max((k + 1 for k, w in enumerate(words) if w.lower() in ("is", "are", "be", "was", "were")), default=0)
    if said >= len(words):
        said = 0

    def bare(chosen: Sequence[str]) -> str:
        kept = [w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in chosen]
        return " ".join(w for w in kept if w.lower() not in _ARTICLES)

    return bare(words[: said - 1]) if said else "", bare(words[said:])
