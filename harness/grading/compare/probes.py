"""Points at which two expressions are compared: over the whole real domain, on integers, and around every kink."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from harness.grading.compare.contexts import FLOATS
from harness.grading.compare.numeric import number_value
from harness.grading.grammar.nodes import (
    TWO,
    Add,
    Cases,
    Congruence,
    Div,
    Fn,
    Mul,
    Neg,
    Node,
    Num,
    Pow,
    Rel,
    Root,
    Sym,
    Unit,
)
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.grammar.tree import mapped, symbols, walk
from harness.grading.limits import TooBigError

NUM_REAL_POINTS = 28  # random points of the first, cheap pass
_MAX_KINKS = 24
_MAX_DEGREE = 6
_ERRORS = (NoValueError, TooBigError, OverflowError, ValueError, ZeroDivisionError)


def real_points(names: Sequence[str], seed: int = 0) -> Iterator[dict[str, float]]:
    """Random assignments: moderate, large, negative, between and on integers; the first ones are positive and tame."""
    rng = random.Random(f"{seed}/{len(names)}")
    for k in range(NUM_REAL_POINTS):
        kind = k % 7
        point: dict[str, float] = {}
        for name in names:
            size = rng.uniform(0.2, 3.0)
            if kind == 1:
                size = -size
            elif kind == 2:
                size = 10 ** rng.uniform(0.3, 2.0) * rng.choice((1, -1))
            elif kind == 3:
                size = float(rng.randint(-12, 12))
            elif kind == 4:
                size = rng.uniform(-9.0, 9.0)
            elif kind == 5:
                size = rng.uniform(0.02, 0.98)
            elif kind == 6:
                size = 10 ** rng.uniform(0.5, 2.5)
            point[name] = size
        yield point


def integer_points(integers: Sequence[str], others: Sequence[str], seed: int = 0) -> Iterator[dict[str, float]]:
    """Assignments with integers for `integers`: all small ones for one name, random ones for several."""
    rng = random.Random(f"{seed}/{len(integers)}/{len(others)}")
    reals = list(real_points(others, seed)) if others else [{}]
    if len(integers) == 1:
        chosen = [*range(1, 41), 0, -1, -2, -3, -6, -11, 48, 63, 64, 65, 81, 99, 100, 101, 120, 128]
        tuples: list[tuple[int, ...]] = [(n,) for n in chosen]
    else:
        tuples = [tuple(rng.randint(0, 9) for _ in integers) for _ in range(40)]
        tuples += [tuple(rng.randint(-6, 40) for _ in integers) for _ in range(24)]
    for k, values in enumerate(tuples):
        yield {**dict(zip(integers, map(float, values), strict=True)), **reals[k % len(reals)]}


def switches(*nodes: Node) -> list[tuple[str, Node]]:
    """(kind, expression) of everything at whose zeros a tree may change its branch; "step" ones change at integers."""
    found: list[tuple[str, Node]] = []
    for node in nodes:
        for item in walk(node):
            match item:
                case Fn(name="abs" | "sgn" | "sign", args=(arg,)):
                    found.append(("bend", arg))
                case Fn(name="max" | "min", args=(first, *rest)):
                    found += [("bend", Add((first, Neg(other)))) for other in rest]
                case Fn(name="floor" | "ceil" | "frac", args=(arg,)):
                    found.append(("step", arg))
                case Fn(name="mod", args=(value, modulus)):
                    found.append(("step", Div(value, modulus)))
                case Root(radicand=radicand) if symbols(radicand):
                    found.append(("root", radicand))
                case Pow(base=base, exponent=exponent) if symbols(base) and _fractional(exponent):
                    found.append(("root", base))
                case Cases(rows=rows):
                    for _, condition in rows:
                        match condition:
                            case Unit(value=value):  # n is even
                                found.append(("step", Div(value, TWO)))
                            case Congruence(left=left, modulus=modulus) if left is not None:
                                found.append(("step", Div(left, modulus)))
                            case Rel(sides=sides):
                                pairs = itertools.pairwise(sides)
                                found += [("bend", Add((x, Neg(y)))) for x, y in pairs]
    kept: list[tuple[str, Node]] = []
    for switch in found:
        if symbols(switch[1]) and switch not in kept:
            kept.append(switch)
    return kept


def _fractional(exponent: Node) -> bool:
    try:
        value = rational(exponent)
    except (NoValueError, TooBigError):
        return False
    return value is not None and value.denominator > 1


def polynomial(node: Node, name: str) -> list[Fraction] | None:
    """The coefficients of a polynomial in `name` with rational coefficients, lowest first; None for other trees."""
    match node:
        case Num(value=value):
            return [value]
        case Sym(name=other):
            return [Fraction(0), Fraction(1)] if other == name else None
        case Neg(body=body):
            inner = polynomial(body, name)
            return None if inner is None else [-c for c in inner]
        case Add(terms=terms):
            total: list[Fraction] = [Fraction(0)]
            for term in terms:
                inner = polynomial(term, name)
                if inner is None:
                    return None
                size = max(len(total), len(inner))
                total = [
                    (total[k] if k < len(total) else Fraction(0)) + (inner[k] if k < len(inner) else Fraction(0))
                    for k in range(size)
                ]
            return total
        case Mul(factors=factors):
            product = [Fraction(1)]
            for factor in factors:
                inner = polynomial(factor, name)
                if inner is None or len(product) + len(inner) > _MAX_DEGREE + 2:
                    return None
                product = _times(product, inner)
            return product
        case Div(top=top, bottom=bottom):
            over = polynomial(top, name)
            try:
                under = rational(bottom)
            except (NoValueError, TooBigError):
                return None
            return None if over is None or not under else [c / under for c in over]
        case Pow(base=base, exponent=Num(value=power)) if power.denominator == 1 and 0 <= power <= _MAX_DEGREE:
            inner = polynomial(base, name)
            if inner is None or (len(inner) - 1) * power > _MAX_DEGREE:
                return None
            result = [Fraction(1)]
            for _ in range(int(power)):
                result = _times(result, inner)
            return result
    try:
        constant = rational(node)
    except (NoValueError, TooBigError):
        return None
    return None if constant is None else [constant]


def _times(a: list[Fraction], b: list[Fraction]) -> list[Fraction]:
    out = [Fraction(0)] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] += x * y
    return out


def real_roots(coefficients: Sequence[Fraction]) -> list[float]:
    """The real roots of a polynomial, sorted, as floats; every sign change and every touching point is among them."""
    trimmed = list(coefficients)
    while trimmed and not trimmed[-1]:
        trimmed.pop()
    if len(trimmed) < 2:
        return []
    if len(trimmed) == 2:
        return [float(-trimmed[0] / trimmed[1])]
    # Between two neighbouring roots of the derivative the polynomial is monotone.
    derivative = [c * k for k, c in enumerate(trimmed)][1:]
    bound = 1.0 + max(abs(float(c / trimmed[-1])) for c in trimmed[:-1])
    marks = [-bound, *real_roots(derivative), bound]

    def value(x: float) -> float:
        total = 0.0
        for c in reversed(trimmed):
            total = total * x + float(c)
        return total

    scale = max(abs(float(c)) for c in trimmed)
    roots: list[float] = []
    for low, high in itertools.pairwise(marks):
        at_low, at_high = value(low), value(high)
        for x, y in ((low, at_low), (high, at_high)):
            if abs(y) < 1e-12 * scale * max(1.0, abs(x)) ** (len(trimmed) - 1):
                roots.append(x)
        if at_low * at_high < 0:
            for _ in range(80):
                middle = (low + high) / 2
                if value(middle) * at_low > 0:
                    low = middle
                else:
                    high = middle
            roots.append((low + high) / 2)
    merged: list[float] = []
    for root in sorted(roots):
        if not merged or root - merged[-1] > 1e-9 * max(1.0, abs(root)):
            merged.append(root)
    return merged


def zeros(node: Node, name: str) -> tuple[list[float], bool]:
    """(real zeros of `node` in `name`, whether they are all of them): exactly for polynomials and their quotients."""
    top = node.top if isinstance(node, Div) else node
    parts = [top, node.bottom] if isinstance(node, Div) else [top]
    found: list[float] = []
    for part in parts:
        coefficients = polynomial(part, name)
        if coefficients is None:
            return _scanned(node, name), False
        found += real_roots(coefficients)
    return sorted(found), True


def _scanned(node: Node, name: str) -> list[float]:
    """Sign changes of `node` on a grid, bisected."""
    grid = [sign * x for sign in (-1, 1) for x in (0.0, *(0.11 * 1.35**k for k in range(26)))]
    grid = sorted({*grid, *(k + 0.031 for k in range(-12, 13))})
    out: list[float] = []
    previous: tuple[float, float] | None = None
    for x in grid:
        y = _float_at(node, {name: x})
        if y is None:
            previous = None
            continue
        if previous and previous[1] * y < 0:
            low, high = previous[0], x
            for _ in range(50):
                middle = (low + high) / 2
                value = _float_at(node, {name: middle})
                if value is None:
                    break
                if value * previous[1] > 0:
                    low = middle
                else:
                    high = middle
            out.append((low + high) / 2)
        previous = (x, y)
    return out[:_MAX_KINKS]


def _float_at(node: Node, env: dict[str, Any]) -> float | None:
    try:
        value = complex(number_value(node, env, FLOATS))
    except _ERRORS:
        return None
    return value.real if abs(value.imag) < 1e-9 * (1 + abs(value)) else None


def kink_points(found: Sequence[tuple[str, Node]], names: Sequence[str]) -> Iterator[dict[str, float]]:
    """Points on both sides of the kinks: along each name, the others at random values."""
    rng = random.Random(f"kinks/{len(names)}")
    for kind, expression in found:
        for name in sorted(symbols(expression)):
            if name not in names:
                continue
            for scale in (3.0, 40.0):
                fixed = {other: rng.uniform(-scale, scale) for other in names if other != name}
                bound = _fixed(expression, fixed, name)
                if kind == "step":
                    bound = Add((bound, Num(Fraction(-rng.randint(-3, 3)))))
                for zero in zeros(bound, name)[0][:6]:
                    for offset in (0.37, -0.37, 5.3, -5.3, 41.7, -41.7):
                        yield {**fixed, name: zero + offset}
                if len(names) == 1:
                    break


def _fixed(node: Node, values: dict[str, float], keep: str) -> Node:
    """The tree with numbers for all names but `keep`."""
    if isinstance(node, Sym):
        return (
            node
            if node.name == keep or node.name not in values
            else Num(Fraction(values[node.name]).limit_denominator(1000))
        )
    return mapped(node, lambda part: _fixed(part, values, keep))
