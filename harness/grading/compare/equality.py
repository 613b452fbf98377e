"""Whether two parsed answers say the same: structure is compared element by element, values by `scalar`."""

from __future__ import annotations

from fractions import Fraction

from harness.grading.compare.collections import compare_collections, compare_sets
from harness.grading.compare.comparison import Comparison, Rule, Symbolic
from harness.grading.compare.dates import compare_moments
from harness.grading.compare.real_sets import infinite
from harness.grading.compare.relations import compare_relations
from harness.grading.compare.rewrite import letters_of, plain_words, scaled, spelled, split_unit
from harness.grading.compare.scalar import UndecidedError, same_value
from harness.grading.conventions import Policy
from harness.grading.grammar.expressions import Node
from harness.grading.grammar.units import canonical

_RADIAN: Node = ("div", ("const", "pi"), ("num", Fraction(180), None))  # one degree
_COLLECTIONS = ("seq", "group", "matrix")


def _scalars(c: Comparison, a: Node, b: Node) -> bool:
    sign_a, sign_b = infinite(a), infinite(b)
    if sign_a or sign_b:
        c.used("structure")
        return sign_a == sign_b
    try:
        same, tier = same_value(a, b, c.policy.full_precision)
    except UndecidedError:
        if c.symbolic is None:
            raise
        c.used("symbolic")
        return c.symbolic(a, b)
    c.used(tier)
    return same


def _marks(c: Comparison, a: Node, b: Node) -> bool | None:
    """Units, percent, degrees, base subscripts."""
    kinds = (a[0], b[0])
    if set(kinds) == {"deg", "pct"}:
        return False
    if set(kinds) == {"deg", "unit"} and c.policy.degrees:
        angle, other = (a, b) if a[0] == "deg" else (b, a)
        known = canonical(other[2])
        if known == canonical("radian"):
            return c.equal(("mul", (angle[1], _RADIAN)), other[1])
        if known and known[0] not in ("angle^1", "celsius^1", "fahrenheit^1"):
            return False
    if "unit" in kinds:
        return _units(c, a, b)
    if "pct" in kinds:
        return _marked(c, a, b, "pct", ("num", Fraction(1, 100), None), c.policy.percent)
    if "deg" in kinds:
        return _marked(c, a, b, "deg", _RADIAN, c.policy.degrees)
    if "based" in kinds:
        return _bases(c, a, b)
    if "label" in kinds:
        plain_a, plain_b = (x[2] if x[0] == "label" else x for x in (a, b))
        return c.equal(plain_a, plain_b)
    return None


def _marked(c: Comparison, a: Node, b: Node, kind: str, scale: Node, allowed: bool) -> bool:
    if a[0] == b[0]:
        return c.equal(a[1], b[1])
    marked, plain = (a[1], b) if a[0] == kind else (b[1], a)
    scaled = ("mul", (marked, scale))
    if not allowed:
        return False
    return c.equal(marked, plain) or c.equal(scaled, plain)


def _bases(c: Comparison, a: Node, b: Node) -> bool | None:
    c.used("structure")
    if a[0] == b[0] == "based":
        return bool(a[2] == b[2] and int(a[1], 36) == int(b[1], 36))
    based, plain = (a, b) if a[0] == "based" else (b, a)
    if not c.policy.base_subscript:
        return False
    if not based[1].lstrip("-").isdecimal():  # AB_{16}
        return bool(based[1] == (plain[1] if plain[0] == "text" else letters_of(plain)))
    return c.equal(("num", Fraction(int(based[1])), None), plain)


def _units(c: Comparison, a: Node, b: Node) -> bool:
    c.used("structure")
    (value_a, words_a), (value_b, words_b) = split_unit(a), split_unit(b)
    if words_a == words_b:
        return c.equal(value_a, value_b)
    if words_a and words_b:
        known_a, known_b = canonical(words_a), canonical(words_b)
        if known_a and known_b:
            if known_a[0] != known_b[0]:
                return False
            return c.equal(scaled(value_a, known_a[1]), scaled(value_b, known_b[1]))
        return c.policy.units and c.equal(value_a, value_b)
    return c.policy.units and c.equal(value_a, value_b)


def _texts(c: Comparison, a: Node, b: Node) -> bool | None:
    if "text" not in (a[0], b[0]):
        return None
    c.used("text")
    number_a, number_b = spelled(a), spelled(b)
    if a[0] == b[0] and (number_a is None or number_b is None):
        left, right = plain_words(a[1]), plain_words(b[1])
        return left == right if not c.policy.text_case else left.casefold() == right.casefold()
    if number_a is not None and number_b is not None and c.policy.number_words:
        return c.equal(number_a, number_b)
    if {a[0], b[0]} == {"text", "reals"}:
        words = plain_words(a[1] if a[0] == "text" else b[1]).casefold()
        return words in ("all real number", "all real", "real number", "all real x", "all x")
    if {a[0], b[0]} == {"text", "empty"}:
        words = plain_words(a[1] if a[0] == "text" else b[1]).casefold()
        return words in ("no solution", "no real solution", "none", "empty set")
    word, letters = (a[1], letters_of(b)) if a[0] == "text" else (b[1], letters_of(a))
    if letters:
        return bool(word == letters or (c.policy.text_case and word.casefold() == letters.casefold()))
    return False


def _ratios(c: Comparison, a: Node, b: Node) -> bool | None:
    if "ratio" not in (a[0], b[0]):
        return None
    c.used("structure")
    if a[0] == b[0]:
        if len(a[1]) != len(b[1]):
            return False
        if c.each(a[1], b[1]):
            return True
        zero = ("num", Fraction(0), None)
        if not c.policy.ratio or any(c.equal(x, zero) for x in (*a[1], *b[1])):
            return False
        cross = ((("mul", (a[1][0], y)), ("mul", (b[1][0], x))) for x, y in zip(a[1][1:], b[1][1:], strict=True))
        return all(c.equal(left, right) for left, right in cross)
    ratio, other = (a, b) if a[0] == "ratio" else (b, a)
    if len(ratio[1]) != 2 or not c.policy.ratio or other[0] in _COLLECTIONS:
        return False
    return c.equal(("div", *ratio[1]), other)


_RULES: tuple[Rule, ...] = (
    compare_moments,
    compare_relations,
    _marks,
    _texts,
    _ratios,
    compare_sets,
    compare_collections,
    _scalars,
)


def comparison(policy: Policy, symbolic: Symbolic | None = None) -> Comparison:
    """A new comparison under `policy`; `symbolic` is asked where arithmetic cannot tell."""
    return Comparison(policy, _RULES, symbolic)
