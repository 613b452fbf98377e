"""Equations, congruences and inequalities that name no single set of numbers."""

from __future__ import annotations

from collections.abc import Sequence

from harness.grading.compare.comparison import Comparison
from harness.grading.compare.real_sets import ORDER_OPS, real_set
from harness.grading.compare.rewrite import difference, is_equation, stated_values, turned
from harness.grading.compare.scalar import proportional
from harness.grading.grammar.expressions import Node
from harness.grading.grammar.rational import symbols


def compare_relations(c: Comparison, a: Node, b: Node) -> bool | None:
    if a[0] == "mod" and b[0] == "mod":
        return c.equal(a[1], b[1]) and c.equal(a[2], b[2])
    if "mod" in (a[0], b[0]):
        congruence, other = (a, b) if a[0] == "mod" else (b, a)
        return c.policy.assignment and c.equal(congruence[1], other)
    equation_a, equation_b = is_equation(a), is_equation(b)
    if equation_a and equation_b:
        return _equations(c, a, b)
    if equation_a or equation_b:
        equation, other = (a, b) if equation_a else (b, a)
        if other[0] == "rel" and any(op in ORDER_OPS for op in other[2::2]):
            return False
        values = stated_values(equation, c.policy)
        return any(c.equal(value, other) for value in values)
    if a[0] == "rel" and b[0] == "rel" and real_set(a) is None and real_set(b) is None:
        return compare_orders(c, a, b)
    return None


def _equations(c: Comparison, a: Node, b: Node) -> bool:
    c.used("structure")
    if len(a) == len(b) and a[2::2] == b[2::2] and c.each(a[1::2], b[1::2]):
        return True
    labels = [x[1] for x in (a, b)]
    values = [stated_values(x, c.policy) for x in (a, b)]
    if all(values):
        bare = all(label[0] == "sym" for label in labels)
        same_name = labels[0] == labels[1] or _one_function(labels, [v for side in values for v in side])
        numeric = all(not symbols(value) for side in values for value in side)
        chains = any(not symbols(label) and label[0] != "label" for label in labels)
        if (same_name or chains or (bare and numeric and c.policy.assignment)) and any(
            c.equal(x, y) for x in values[0] for y in values[1]
        ):
            return True
    if len(a) == len(b) == 4 and a[2] == b[2] == "=":
        if c.equal(a[1], b[3]) and c.equal(a[3], b[1]):
            return True
        if c.policy.equation_scale:
            return proportional(difference(a), difference(b))
    return False


def _one_function(labels: Sequence[Node], values: Sequence[Node]) -> bool:
    """Whether `y = 2x+3` and `f(x) = 2x+3`, `x = 3t` and `x(t) = 3t` name one function of one variable."""
    calls = [x for x in labels if x[0] == "mul" and len(x[1]) == 2 and all(part[0] == "sym" for part in x[1])]
    plain = [x for x in labels if x[0] == "sym"]
    if len(calls) != 1 or len(plain) != 1:
        return False
    variable = calls[0][1][1][1]
    return plain[0][1] != variable and all(symbols(value) <= {variable} for value in values)


def compare_orders(c: Comparison, a: Node, b: Node) -> bool:
    """Chains of inequalities without a single variable: the same sides in the same or the turned order."""
    c.used("structure")
    for other in (b, turned(b)):
        if other is not None and len(a) == len(other) and a[2::2] == other[2::2] and c.each(a[1::2], other[1::2]):
            return True
    flipped = turned(b)
    if len(a) == len(b) == 4:
        for other in (b, flipped):
            if other is not None and a[2] == other[2] and _positive_multiple(c, difference(a), difference(other)):
                return True
    return False


def _positive_multiple(c: Comparison, a: Node, b: Node) -> bool:
    return c.policy.equation_scale and proportional(a, b, positive=True)
