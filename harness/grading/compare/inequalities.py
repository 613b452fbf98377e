"""Inequalities whose variable does not stand alone: linear, quadratic and |linear| in one variable, solved exactly."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from harness.grading.compare.contexts import FLOATS
from harness.grading.compare.numeric import number_value
from harness.grading.compare.probes import zeros
from harness.grading.grammar.nodes import TWO, ZERO, Add, Div, Fn, Mul, Neg, Node, Num, Root, Sym
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.grammar.tree import replaced, symbols
from harness.grading.limits import TooBigError

# (low, low closed, high, high closed); None as an end is infinity.
Piece = tuple[Node | None, bool, Node | None, bool]


def _at(node: Node, name: str, x: int) -> Fraction | None:
    try:
        return rational(replaced(node, Sym(name), Num(Fraction(x))))
    except (NoValueError, TooBigError):
        return None


def quadratic(node: Node, name: str) -> tuple[Fraction, Fraction, Fraction] | None:
    """(a, b, c) of a x^2 + b x + c, or None where the tree is no such polynomial with rational coefficients."""
    values = [_at(node, name, x) for x in (0, 1, -1, 2, -3, 7)]
    known = [v for v in values if v is not None]
    if len(known) < len(values):
        return None
    c, one, minus = known[:3]
    a, b = (one + minus) / 2 - c, (one - minus) / 2
    fits = all(a * x * x + b * x + c == v for x, v in zip((2, -3, 7), known[3:], strict=True))
    return (a, b, c) if fits else None


def _number(value: Fraction) -> Node:
    return Num(value)


def _roots(a: Fraction, b: Fraction, c: Fraction) -> list[Node]:
    """The real roots in order, for a > 0; one of them twice counts as two."""
    discriminant = b * b - 4 * a * c
    if discriminant < 0:
        return []
    root: Node = Root(_number(discriminant), TWO)
    minus_b = _number(-b)
    low: Node = Div(Add((minus_b, Neg(root))), _number(2 * a))
    return [low, Div(Add((minus_b, root)), _number(2 * a))]


def zeros_of(a: Fraction, b: Fraction, c: Fraction) -> list[Node]:
    """The distinct real solutions of a x^2 + b x + c = 0, not all of a and b zero."""
    if a == 0:
        return [_number(-c / b)]
    sign = 1 if a > 0 else -1
    roots = _roots(sign * a, sign * b, sign * c)
    return roots[:1] if b * b == 4 * a * c else roots


def _is_abs(node: Node) -> bool:
    return isinstance(node, Fn) and node.name == "abs"


def solve(left: Node, op: str, right: Node) -> tuple[list[Piece], str] | None:
    """The pieces of the line where `left op right` holds and the variable's name; None where this cannot tell."""
    names = symbols(left) | symbols(right)
    if len(names) != 1 or op not in ("<", "<=", ">", ">="):
        return None
    name = next(iter(names))
    if _is_abs(right) and not _is_abs(left):
        left, op, right = right, {"<": ">", ">": "<", "<=": ">=", ">=": "<="}[op], left
    if isinstance(left, Fn) and _is_abs(left) and not symbols(right):  # |f| < c is f^2 < c^2, for c > 0
        try:
            bound = rational(right)
        except (NoValueError, TooBigError):
            return None
        if bound is None:
            return _about(left.args[0], name, op, right)
        if bound <= 0:
            return None
        inner = left.args[0]
        left, right = Mul((inner, inner)), _number(bound * bound)
    found = quadratic(Add((left, Neg(right))), name)
    if found is None:
        pieces = _between_zeros(left if right == ZERO else Add((left, Neg(right))), name, op)
        return None if pieces is None else (pieces, name)
    a, b, c = found
    if a < 0 or (a == 0 and b < 0):
        a, b, c = -a, -b, -c
        op = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}[op]
    if a == 0 and b == 0:
        return None
    return _pieces(a, b, c, op), name


def _about(inner: Node, name: str, op: str, bound: Node) -> tuple[list[Piece], str] | None:
    """|b x + c| against a positive bound that is no rational number: its ends are (-bound - c)/b and (bound - c)/b."""
    found = quadratic(inner, name)
    try:
        size = complex(number_value(bound, {}, FLOATS))
    except (NoValueError, TooBigError, ValueError, OverflowError):
        return None
    if found is None or found[0] or not found[1] or size.imag or size.real <= 0:
        return None
    slope = abs(found[1])
    shift = _number(-found[2] if found[1] > 0 else found[2])
    low: Node = Div(Add((shift, Neg(bound))), _number(slope))
    high: Node = Div(Add((shift, bound)), _number(slope))
    closed = op in ("<=", ">=")
    if op in ("<", "<="):
        return [(low, closed, high, closed)], name
    return [(None, False, low, closed), (high, closed, None, False)], name


def _between_zeros(node: Node, name: str, op: str) -> list[Piece] | None:
    """The pieces where a polynomial or a quotient of two has the sign that `op` asks for.

    None unless every zero and pole is a rational number of small denominator, so that each sign is proved by one value.
    """
    where, complete = zeros(node, name)
    marks = [Fraction(x).limit_denominator(1_000) for x in where]
    exact = all(abs(float(mark) - x) < 1e-9 for mark, x in zip(marks, where, strict=True))
    if not complete or not exact or len(set(marks)) != len(marks) or len(marks) > 6:
        return None
    below, closed = op in ("<", "<="), op in ("<=", ">=")
    tests = (
        [marks[0] - 1, *((x + y) / 2 for x, y in itertools.pairwise(marks)), marks[-1] + 1] if marks else [Fraction(0)]
    )
    signs = [_sign_at(node, name, x) for x in tests]
    if any(s is None or s == 0 for s in signs):
        return None
    at_marks = [_sign_at(node, name, x) for x in marks]
    ends: list[Node | None] = [None, *(Num(mark) for mark in marks), None]
    holding = [closed and sign == 0 for sign in at_marks]
    out: list[Piece] = []
    for k, sign in enumerate(signs):
        if ((sign or 0) < 0) == below:
            low = holding[k - 1] if k else False
            high = holding[k] if k < len(marks) else False
            out.append((ends[k], low, ends[k + 1], high))
    out += [(Num(mark), True, Num(mark), True) for mark, on in zip(marks, holding, strict=True) if on]
    return out


def _sign_at(node: Node, name: str, x: Fraction) -> int | None:
    """The sign of the exact value at `x`; None at a pole."""
    try:
        value = rational(replaced(node, Sym(name), Num(x)))
    except (NoValueError, TooBigError):
        return None
    return None if value is None else (value > 0) - (value < 0)


def _pieces(a: Fraction, b: Fraction, c: Fraction, op: str) -> list[Piece]:
    closed, below = op in ("<=", ">="), op in ("<", "<=")
    if a == 0:
        root = _number(-c / b)
        return [(None, False, root, closed)] if below else [(root, closed, None, False)]
    roots: Sequence[Node] = _roots(a, b, c)
    if not roots:
        return [] if below else [(None, False, None, False)]
    low, high = roots
    if below:
        return [(low, closed, high, closed)]
    return [(None, False, low, closed), (high, closed, None, False)]
