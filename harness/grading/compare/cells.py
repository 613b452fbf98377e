"""Case analysis in one name: equality on every cell between breakpoints, and over enough periods of steps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from math import lcm

from harness.grading.compare.agreement import MIN_AGREED, Domain, agree, cheap, precisely
from harness.grading.compare.probes import polynomial, zeros
from harness.grading.grammar.nodes import (
    Add,
    Cases,
    Congruence,
    Const,
    Div,
    Fn,
    Mul,
    Neg,
    Node,
    Num,
    Pow,
    Sym,
    Text,
    Unit,
)
from harness.grading.grammar.tree import symbols

_MAX_PERIODS = 600  # points of a proof over residue classes


def cells(a: Node, b: Node, name: str, found: Sequence[tuple[str, Node]], domain: Domain) -> bool | None:
    """Case analysis in one name: equality at random points of every cell between the breakpoints, and at these."""
    breaks: list[float] = []
    for kind, expression in found:
        where, complete = zeros(expression, name)
        if not complete and kind != "root":
            return None
        breaks += where
    breaks = sorted(set(breaks))
    edges = [min(breaks, default=0.0) - 7.31, *breaks, max(breaks, default=0.0) + 7.31]
    seen = 0
    for low, high in itertools.pairwise(edges):
        if high - low < 1e-9:
            continue
        points = [{name: low + (high - low) * part} for part in (0.3819660113, 0.7236067977, 0.1458980338)]
        agreed = agree(a, b, points, domain)
        if agreed is None:
            return False
        seen += agreed
    for point in breaks:
        close = Fraction(point).limit_denominator(10_000)
        if abs(float(close) - point) < 1e-12 and precisely(a, b, {name: float(close)}, domain) is False:
            return False if close.denominator & (close.denominator - 1) == 0 else None
    return True if seen >= MIN_AGREED else None


def _degree_of_steps(node: Node, name: str) -> tuple[int, int] | None:
    """(period, degree) of a polynomial in `name` and in steps of rational slope, None for other trees.

    floor((p n + r) / q) is p n / q plus a function of period q: degree 1. On the integers the same holds of any
    polynomial with whole coefficients over q.
    """
    match node:
        case Num() | Const():
            return 1, 0
        case Sym(name=other):
            return (1, 1) if other == name else None
        case Neg(body=body):
            return _degree_of_steps(body, name)
        case Add(terms=parts) | Mul(factors=parts):
            found = [_degree_of_steps(part, name) for part in parts]
            if any(f is None for f in found):
                return None
            degrees = [f[1] for f in found if f]
            total = max(degrees) if isinstance(node, Add) else sum(degrees)
            return lcm(*(f[0] for f in found if f)), total
        case Div(top=top, bottom=bottom) if not symbols(bottom):
            return _degree_of_steps(top, name)
        case Pow(base=Neg(body=Num(value=value)), exponent=exponent) if (
            value == 1 and polynomial(exponent, name) is not None
        ):
            coefficients = polynomial(exponent, name) or []
            whole = all(c.denominator == 1 for c in coefficients) and len(coefficients) <= 2
            return (2, 0) if whole else None
        case Pow(base=base, exponent=Num(value=value)) if value.denominator == 1 and 0 <= value <= 4:
            inner = _degree_of_steps(base, name)
            return None if inner is None else (inner[0], inner[1] * int(value))
        case Fn(name="floor" | "ceil" | "frac", args=(arg,)):
            inside = polynomial(arg, name)  # over whole numbers its part behind the point has this period
            if inside is None:
                return None
            return lcm(*(c.denominator for c in inside)), max(1, len(inside) - 1)
        case Cases(rows=rows):
            lengths = [_period_of_condition(condition, name) for _, condition in rows]
            shapes = [_degree_of_steps(value, name) for value, _ in rows]
            if any(s is None for s in shapes) or any(p is None for p in lengths):
                return None
            return lcm(*(s[0] for s in shapes if s), *(p for p in lengths if p)), max(s[1] for s in shapes if s)
        case Fn(name="mod", args=(value, Num(value=modulus))) if modulus > 0 and modulus.denominator == 1:
            linear = polynomial(value, name)
            if linear is None or any(c.denominator != 1 for c in linear):
                return None
            return int(modulus), 0
    if not symbols(node):
        return 1, 0
    return None


def _period_of_condition(condition: Node, name: str) -> int | None:
    """The period over the integers of "n is even", of a congruence, of "otherwise"; None for other conditions."""
    match condition:
        case Text():
            return 1
        case Unit(value=value) if (inside := polynomial(value, name)) is not None:
            return 2 if all(c.denominator == 1 for c in inside) else None
        case Congruence(left=value, modulus=Num(value=modulus)) if value is not None and modulus.denominator == 1:
            inside = polynomial(value, name)
            whole = inside is not None and all(c.denominator == 1 for c in inside)
            return abs(int(modulus)) or None if whole else None
    return None


def periods(a: Node, b: Node, name: str, found: Sequence[tuple[str, Node]], domain: Domain, whole: bool) -> bool | None:
    """Equality over degree + 2 periods: at every integer (`whole`), or on every cell between the steps of the reals."""
    if any(kind == "bend" for kind, _ in found):
        return None
    shapes = [_degree_of_steps(node, name) for node in (a, b)]
    if any(s is None for s in shapes):
        return None
    period = lcm(*(s[0] for s in shapes if s))
    degree = max(s[1] for s in shapes if s)
    length = period * (degree + 2)
    if length > _MAX_PERIODS:
        return None
    if whole:
        points = [float(k) for k in range(-period, length)]
    else:
        steps: set[Fraction] = {Fraction(0), Fraction(length)}
        for kind, expression in found:
            linear = polynomial(expression, name)
            if kind != "step" or linear is None or len(linear) != 2 or not linear[1]:
                return None
            low, high = sorted((linear[0], linear[0] + linear[1] * length))
            steps |= {(k - linear[0]) / linear[1] for k in range(int(low) - 1, int(high) + 2)}
        marks = sorted(s for s in steps if 0 <= s <= length)
        if len(marks) > _MAX_PERIODS:
            return None
        inside = [
            (float(x) * 0.618 + float(y) * 0.382, float(x) * 0.25 + float(y) * 0.75)
            for x, y in itertools.pairwise(marks)
        ]
        points = [*(p for pair in inside for p in pair), *(float(m) for m in marks if m.denominator in (1, 2, 4, 8))]
    agreed = 0
    for point in points:
        same = cheap(a, b, {name: point}, domain)
        if same is False:
            return False
        agreed += same is True
    return True if agreed >= min(len(points), degree + 2) else None
