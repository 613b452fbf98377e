"""Equations and inequalities that name no single set of numbers."""

from __future__ import annotations

from collections.abc import Sequence

from harness.grading.compare.comparison import Comparison
from harness.grading.compare.identity import proportional, same_zeros_up_to_a_name
from harness.grading.compare.real_sets import ORDER_OPS, real_set
from harness.grading.compare.rewrite import difference, is_equation, stated_values, turned
from harness.grading.grammar.nodes import Call, Label, Mul, Node, Rel, Seq, Sym, Text, Unit, holds, replaced, symbols
from harness.grading.limits import TooBigError


def compare_relations(c: Comparison, answer: Node, gold: Node) -> bool | None:
    """The rule for equations and orders; None where it does not apply to these two."""
    if isinstance(answer, Rel) and isinstance(gold, Rel) and is_equation(answer) and is_equation(gold):
        return _equations(c, answer, gold)
    if is_equation(answer) or is_equation(gold):
        equation, other = (answer, gold) if is_equation(answer) else (gold, answer)
        assert isinstance(equation, Rel)
        if isinstance(other, Rel) and any(op in ORDER_OPS for op in other.ops):
            return False
        if isinstance(other, Seq) and any(isinstance(item, Rel) for item in other.items):
            return None
        values = stated_values(equation, c.policy, as_gold=equation is gold)
        if equation is answer:
            return any(c.equal(value, other) for value in values)
        return any(c.equal(other, value) for value in values)
    if isinstance(answer, Rel) and isinstance(gold, Rel) and real_set(answer) is None and real_set(gold) is None:
        return compare_orders(c, answer, gold)
    return None


def _equations(c: Comparison, a: Rel, b: Rel) -> bool:
    c.used("structure")
    if a.ops == b.ops and c.each(a.sides, b.sides):
        return True
    labels = [x.sides[0] for x in (a, b)]
    values = [stated_values(x, c.policy) for x in (a, b)]
    if all(values):
        bare = all(isinstance(label, Sym) for label in labels)
        stated = [v for side in values for v in side]
        same_name = labels[0] == labels[1] or _one_function(labels, stated)
        numeric = all(not symbols(value) for value in stated)
        chains = any(not symbols(label) and not isinstance(label, Label) for label in labels)
        if (same_name or chains or (bare and numeric and c.policy.assignment)) and any(
            c.equal(x, y) for x in values[0] for y in values[1]
        ):
            return True
    if renamed := _other_argument(a, b):
        return c.equal(a, renamed)
    if a.ops == b.ops == ("=",):
        if c.equal(a.sides[0], b.sides[1]) and c.equal(a.sides[1], b.sides[0]):
            return True
        if c.policy.equation_scale and not holds(a, Unit, Text) and not holds(b, Unit, Text):
            left, right = difference(a), difference(b)
            try:
                return proportional(left, right) or same_zeros_up_to_a_name(left, right)
            except TooBigError:
                return False
    return False


def _other_argument(a: Rel, b: Rel) -> Rel | None:
    """`f(t) = t^2 + 1` with the variable of `f(x) = x^2 + 1`; None where the two do not define one function."""
    match a.sides[0], b.sides[0]:
        case Call(name=f, args=(Sym() as x,)), Call(name=g, args=(Sym() as y,)) if (
            f == g and x != y and x.name not in symbols(b)
        ):
            renamed = replaced(b, y, x)
            return renamed if isinstance(renamed, Rel) else None
    return None


def _one_function(labels: Sequence[Node], values: Sequence[Node]) -> bool:
    """Whether `y = 2x+3` and `f(x) = 2x+3`, `x = 3t` and `x(t) = 3t` name one function of one variable."""
    variables: list[str] = []
    for label in labels:
        match label:
            case Call(args=(Sym(name=variable),)) | Mul(factors=(Sym(), Sym(name=variable))):
                variables.append(variable)
    plain = [x for x in labels if isinstance(x, Sym)]
    if len(variables) != 1 or len(plain) != 1:
        return False
    return plain[0].name != variables[0] and all(symbols(value) <= {variables[0]} for value in values)


def compare_orders(c: Comparison, a: Rel, b: Rel) -> bool:
    """Chains of inequalities without a single variable: the same sides in the same or the turned order."""
    c.used("structure")
    for other in (b, turned(b)):
        if a.ops == other.ops and c.each(a.sides, other.sides):
            return True
    if len(a.ops) == len(b.ops) == 1 and c.policy.equation_scale:
        for other in (b, turned(b)):
            if a.ops == other.ops and proportional(difference(a), difference(other), positive=True):
                return True
    return False
