"""Equations and inequalities that name no single set of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from harness.grading.compare.comparison import Comparison
from harness.grading.compare.equations import difference, is_equation, stated_values, turned, unmarked
from harness.grading.compare.integers import INTEGER_NAMES
from harness.grading.compare.proportion import proportional, same_zeros_up_to_a_name
from harness.grading.compare.real_sets import ORDER_OPS, real_set
from harness.grading.grammar.nodes import (
    Add,
    Call,
    Div,
    Group,
    Label,
    Member,
    Mul,
    Neg,
    Node,
    Rel,
    Seq,
    SuchThat,
    Sym,
    Text,
    Unit,
)
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.grammar.tree import holds, replaced, symbols
from harness.grading.grammar.vocabulary import CONSTANTS
from harness.grading.limits import TooBigError


def compare_relations(c: Comparison, answer: Node, gold: Node) -> bool | None:
    """The rule for equations and orders; None where it does not apply to these two."""
    answer, gold = _bare_condition(answer, gold), _bare_condition(gold, answer)
    if isinstance(answer, Rel) and isinstance(gold, Rel) and is_equation(answer) and is_equation(gold):
        return _equations(c, answer, gold)
    if is_equation(answer) or is_equation(gold):
        equation, other = (answer, gold) if is_equation(answer) else (gold, answer)
        assert isinstance(equation, Rel)
        if isinstance(other, Rel) and any(op in ORDER_OPS for op in other.ops):
            return False
        if isinstance(other, Call) and equation.ops == ("=",) and isinstance(equation.sides[1], Group):
            point = equation.sides[1]  # A = (1, 2) and A(1, 2)
            if equation.sides[0] == Sym(other.name):
                return c.each(other.args, point.items) if other is answer else c.each(point.items, other.args)
        names, is_chain = equation.sides[:-1], len(equation.ops) > 1
        if isinstance(other, Seq) and is_chain and all(isinstance(side, Sym) for side in names):  # x = y = z = 1
            chain = Seq(tuple(Rel((side, equation.sides[-1]), ("=",)) for side in names), ",")
            return c.equal(chain, other) if equation is answer else c.equal(other, chain)
        if isinstance(other, Seq) and any(isinstance(item, Rel) for item in other.items):
            return _branches(c, equation, other) or None
        values = stated_values(equation, c.policy, as_gold=equation is gold)
        if isinstance(other, Member) and any(isinstance(v, Group) and v.opener + v.closer == "()" for v in values):
            return False  # m = (1, 2) is a point, m in (1, 2) is between
        if equation is answer:
            return any(c.equal(value, other) for value in values)
        return any(c.equal(other, value) for value in values)
    for node, other in ((answer, gold), (gold, answer)):  # X ~ N(0, 1) and N(0, 1)
        match node, other:
            case Rel(sides=(Sym(), distribution), ops=("~",)), Call():
                return c.equal(distribution, other) if node is answer else c.equal(other, distribution)
    if isinstance(answer, Rel) and isinstance(gold, Rel) and real_set(answer) is None and real_set(gold) is None:
        return compare_orders(c, answer, gold)
    return None


def _bare_condition(node: Node, other: Node) -> Node:
    """{z : |z| = 1} as its equation where the other side is one."""
    match node, other:
        case SuchThat(subject=Sym(), condition=Rel() as condition), Rel() if is_equation(condition):
            return condition
    return node


def _equations(c: Comparison, a: Rel, b: Rel) -> bool:
    c.used("structure")
    if a.ops == b.ops and c.each(a.sides, b.sides):
        return True
    labels = [x.sides[0] for x in (a, b)]
    values = [stated_values(x, c.policy) for x in (a, b)]
    if all(values):
        bare = all(isinstance(label, Sym) for label in labels) and not _radius_and_angle(labels)
        stated = [v for side in values for v in side]
        same_name = unmarked(labels[0]) == unmarked(labels[1]) or _one_function(labels, stated)
        numeric = all(not symbols(value) for value in stated)
        chains = any(not symbols(label) and not isinstance(label, Label) for label in labels)
        if (same_name or chains or (bare and numeric and c.policy.assignment)) and any(
            c.equal(x, y) for x in values[0] for y in values[1]
        ):
            return True
    if a.ops == b.ops == ("=", "=") and (lines := (_reduced(a), _reduced(b))) and lines[0] is not None:
        return lines[0] == lines[1]
    if running := _other_integer(a, b):
        return c.equal(a, running)
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


_RADII, _ANGLES = frozenset(("r", "rho")), frozenset(("theta", "phi"))


def _radius_and_angle(labels: Sequence[Node]) -> bool:
    """Whether the two names are coordinates that are no rename of each other: r = 2 is a circle, theta = 2 a ray."""
    names = [label.name for label in labels if isinstance(label, Sym)]
    return bool(_RADII & set(names)) and bool(_ANGLES & set(names))


def _branches(c: Comparison, equation: Rel, branches: Seq) -> bool:
    """Whether `y = f or y = -f` are together the curve of one equation: the product of their differences vanishes."""
    parts = [part for part in branches.items if isinstance(part, Rel) and part.ops == ("=",)]
    if equation.ops != ("=",) or len(parts) != len(branches.items) or len({part.sides[0] for part in parts}) != 1:
        return False
    if not c.policy.equation_scale or len(symbols(equation)) < 2 or holds(equation, Unit, Text):
        return False
    try:
        return proportional(difference(equation), Mul(tuple(difference(part) for part in parts)))
    except TooBigError:
        return False


def _reduced(chain: Rel) -> tuple[tuple[Fraction, ...], ...] | None:
    """The reduced rows of a chain of linear equations in three or more names, a line in space; None for others."""
    names = sorted(symbols(chain))
    if len(names) < 3:
        return None
    rows: list[list[Fraction]] = []
    for left, right in itertools.pairwise(chain.sides):
        row = _linear(Add((left, Neg(right))), names)
        if row is None:
            return None
        rows.append(row)
    done: list[list[Fraction]] = []
    for column in range(len(names)):
        pivot = next((row for row in rows if row[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        pivot = [x / pivot[column] for x in pivot]
        rows, done = (
            [[x - row[column] * y for x, y in zip(row, pivot, strict=True)] for row in group] for group in (rows, done)
        )
        done.append(pivot)
    if any(any(row) for row in rows):  # a contradiction
        return None
    return tuple(tuple(row) for row in sorted(done, reverse=True))


def _linear(node: Node, names: Sequence[str]) -> list[Fraction] | None:
    """The coefficients of `names`, then the constant, of a linear tree with rational coefficients."""
    match node:
        case Add(terms=terms):
            parts = [_linear(term, names) for term in terms]
            kept = [part for part in parts if part is not None]
            return [sum(column, Fraction(0)) for column in zip(*kept, strict=True)] if len(kept) == len(parts) else None
        case Neg(body=body):
            inner = _linear(body, names)
            return None if inner is None else [-x for x in inner]
        case Sym(name=name):
            return [Fraction(name == other) for other in names] + [Fraction(0)]
        case Div(top=top, bottom=bottom):
            inner, under = _linear(top, names), _number(bottom)
            return None if inner is None or not under else [x / under for x in inner]
        case Mul(factors=factors):
            scale = Fraction(1)
            open_factor: Node | None = None
            for factor in factors:
                value = _number(factor)
                if value is not None:
                    scale *= value
                elif open_factor is None:
                    open_factor = factor
                else:
                    return None
            if open_factor is None:
                return [*(Fraction(0) for _ in names), scale]
            inner = _linear(open_factor, names)
            return None if inner is None else [scale * x for x in inner]
    constant = _number(node)
    return None if constant is None else [*(Fraction(0) for _ in names), constant]


def _number(node: Node) -> Fraction | None:
    try:
        return rational(node)
    except (NoValueError, TooBigError):
        return None


def _other_argument(a: Rel, b: Rel) -> Rel | None:
    """`f(t) = t^2 + 1` with the variable of `f(x) = x^2 + 1`; None where the two do not define one function."""
    match a.sides[0], b.sides[0]:
        case Call(name=f, args=(Sym() as x,)), Call(name=g, args=(Sym() as y,)) if (
            f == g and x != y and x.name not in symbols(b)
        ):
            renamed = replaced(b, y, x)
            return renamed if isinstance(renamed, Rel) else None
    return None


def _other_integer(a: Rel, b: Rel) -> Rel | None:
    """`n = 4m + 1` with the integer of `n = 4k + 1`; None where the two do not run with one integer each."""
    match a, b:
        case Rel(sides=(Sym() as label, left), ops=("=",)), Rel(sides=(Sym() as other, right), ops=("=",)) if (
            label == other
        ):
            one, two = symbols(left), symbols(right)
            if len(one) == len(two) == 1 and one != two and one | two <= INTEGER_NAMES - {label.name}:
                return Rel((other, replaced(right, Sym(next(iter(two))), Sym(next(iter(one))))), ("=",))
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
    return plain[0].name != variables[0] and all(symbols(value) - CONSTANTS <= {variables[0]} for value in values)


def compare_orders(c: Comparison, a: Rel, b: Rel) -> bool:
    """Chains of inequalities without a single variable: the same sides in the same or the turned order."""
    c.used("structure")
    for other in (b, turned(b)):
        if a.ops == other.ops and c.each(a.sides, other.sides):
            return True
    if len(a.ops) == len(b.ops) == 1 and a.ops[0] in ORDER_OPS and c.policy.equation_scale:
        for other in (b, turned(b)):
            if a.ops == other.ops and proportional(difference(a), difference(other), positive=True):
                return True
    return False
