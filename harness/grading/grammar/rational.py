"""Exact values: rational arithmetic on trees, bounded before every step."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from harness.grading.grammar.expressions import Node
from harness.grading.limits import MAX_BITS, MAX_EXPONENT, MAX_FACTORIAL, TooBigError


class NoValueError(ValueError):
    """The tree has no number: a set, a sum for the symbolic worker, a division by zero."""


def symbols(node: Node) -> frozenset[str]:
    """The free symbols of a tree."""
    if node[0] == "sym":
        return frozenset((node[1],))
    found: set[str] = set()
    stack: list[Any] = [node]
    while stack:
        item = stack.pop()
        if item and item[0] == "sym" and isinstance(item[1], str):
            found.add(item[1])
        else:
            stack.extend(part for part in item if isinstance(part, tuple))
    return frozenset(found)


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
        raise TooBigError(f"a value is beyond 2^MAX_BITS={MAX_BITS}")
    return value


def rational(node: Node) -> Fraction | None:
    """The exact rational value, or None where the tree is not one by arithmetic alone.

    Raises `TooBigError`, `NoValueError`.
    """
    kind = node[0]
    if kind == "num":
        return node[1]
    if kind == "neg":
        value = rational(node[1])
        return None if value is None else -value
    if kind in ("add", "mul"):
        total = Fraction(0 if kind == "add" else 1)
        for part in node[1]:
            value = rational(part)
            if value is None:
                return None
            total = _bounded(total + value if kind == "add" else total * value)
        return total
    if kind == "div":
        top, bottom = rational(node[1]), rational(node[2])
        if top is None or bottom is None:
            return None
        if not bottom:
            raise NoValueError("a division by zero")
        return _bounded(top / bottom)
    if kind == "pow":
        return _rational_power(rational(node[1]), rational(node[2]))
    if kind == "root":
        radicand, index = rational(node[1]), rational(node[2])
        if radicand is None or index is None or index.denominator != 1 or not 2 <= index <= 64 or radicand < 0:
            return None
        over, under = _exact_root(radicand.numerator, int(index)), _exact_root(radicand.denominator, int(index))
        return None if over is None or under is None else Fraction(over, under)
    if kind == "abs":
        value = rational(node[1])
        return None if value is None else abs(value)
    if kind == "fact":
        value = rational(node[1])
        if value is None or value.denominator != 1 or value < 0:
            return None
        if value > MAX_FACTORIAL:
            raise TooBigError(f"a factorial beyond MAX_FACTORIAL={MAX_FACTORIAL}")
        return Fraction(math.factorial(int(value)))
    if kind == "binom":
        n, k = rational(node[1]), rational(node[2])
        if n is None or k is None or n.denominator != 1 or k.denominator != 1 or n < 0:
            return None
        if n > 4 * MAX_FACTORIAL and min(k, n - k) > 100:
            raise TooBigError("a binomial beyond 4 MAX_FACTORIAL")
        return Fraction(math.comb(int(n), int(k)) if 0 <= k <= n else 0)
    return None


def _rational_power(base: Fraction | None, exponent: Fraction | None) -> Fraction | None:
    if base is None or exponent is None:
        return None
    if exponent.denominator != 1:
        if base < 0 or exponent.denominator > 64:
            return None
        top = _exact_root(base.numerator, exponent.denominator)
        bottom = _exact_root(base.denominator, exponent.denominator)
        if top is None or bottom is None:
            return None
        base, exponent = Fraction(top, bottom), Fraction(exponent.numerator)
    if not base and exponent < 0:
        raise NoValueError("a division by zero")
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) > MAX_EXPONENT or abs(exponent) * size > MAX_BITS:
        if base in (0, 1) and exponent > 0:
            return base
        raise TooBigError(f"a power beyond MAX_EXPONENT={MAX_EXPONENT} or 2^MAX_BITS")
    return base ** int(exponent)


def _exact_root(n: int, index: int) -> int | None:
    if n in (0, 1):
        return n
    if index == 2:
        root = math.isqrt(n)
        return root if root * root == n else None
    if n.bit_length() > 1_000:
        return None
    guess = round(n ** (1 / index))
    return next((r for r in (guess - 1, guess, guess + 1) if r >= 0 and r**index == n), None)
