"""Whether two parsed answers say the same: structure is compared element by element, values by `scalar`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from harness.grading.arithmetic import Node
from harness.grading.limits import MAX_ITEMS, MAX_MATCH_STEPS, TooBigError
from harness.grading.moments import compare_moments
from harness.grading.policy import Policy
from harness.grading.realsets import infinite
from harness.grading.relations import compare_relations
from harness.grading.scalar import UndecidedError, same_value
from harness.grading.structures import compare_collections, compare_sets
from harness.grading.trees import (
    expand_signs,
    fold_matrices,
    hoist,
    letters_of,
    plain_words,
    scaled,
    spelled,
    split_unit,
)
from harness.grading.units import canonical

_RADIAN: Node = ("div", ("const", "pi"), ("num", Fraction(180), None))  # one degree
_COLLECTIONS = ("seq", "group", "matrix")


class Comparison:
    """One comparison of two trees. `tier` is the most expensive tier that was needed."""

    _RANK = ("string", "rational", "structure", "text", "numeric", "symbolic")

    def __init__(self, policy: Policy, symbolic: Callable[[Node, Node], bool] | None = None) -> None:
        self.policy = policy
        self.symbolic = symbolic
        self.tier = "string"
        self.steps = 0

    def used(self, tier: str) -> None:
        if self._RANK.index(tier) > self._RANK.index(self.tier):
            self.tier = tier

    def equal(self, a: Node, b: Node) -> bool:
        """Symmetric. Raises `UndecidedError`, `TooBigError`, `harness.grading.symbolic.SymbolicTimeoutError`."""
        self.steps += 1
        if self.steps > MAX_MATCH_STEPS:
            raise TooBigError(f"more than MAX_MATCH_STEPS={MAX_MATCH_STEPS} comparisons")
        if a == b:
            return True
        a, b = hoist(fold_matrices(expand_signs(a))), hoist(fold_matrices(expand_signs(b)))
        for compare in (compare_moments, compare_relations, _marks, _texts, _ratios, compare_sets, compare_collections):
            decided = compare(self, a, b)
            if decided is not None:
                return decided
        return self._scalars(a, b)

    # --- scalars ----------------------------------------------------------------------------------------------

    def _scalars(self, a: Node, b: Node) -> bool:
        sign_a, sign_b = infinite(a), infinite(b)
        if sign_a or sign_b:
            self.used("structure")
            return sign_a == sign_b
        try:
            same, tier = same_value(a, b, self.policy.full_precision)
        except UndecidedError:
            if self.symbolic is None:
                raise
            self.used("symbolic")
            return self.symbolic(a, b)
        self.used(tier)
        return same

    def each(self, a: Sequence[Node], b: Sequence[Node]) -> bool:
        return len(a) == len(b) and all(self.equal(x, y) for x, y in zip(a, b, strict=True))

    def unordered(self, a: Sequence[Node], b: Sequence[Node]) -> bool:
        """A one-to-one matching. Equality is transitive up to conventions, so greedy matching suffices."""
        if len(a) != len(b) or len(a) > MAX_ITEMS:
            return False
        left = list(b)
        for item in a:
            at = next((k for k, other in enumerate(left) if self.equal(item, other)), None)
            if at is None:
                return False
            left.pop(at)
        return True


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
