"""Exact values: rational arithmetic on trees, bounded before every step."""

from __future__ import annotations

import math
from fractions import Fraction

from harness.grading.grammar.nodes import Add, Binom, Div, Fact, Fn, Mul, Neg, Node, Num, Pow, Root
from harness.grading.grammar.tree import symbols
from harness.grading.limits import MAX_BITS, MAX_EXPONENT, MAX_FACTORIAL, TooBigError

__all__ = ["NoValueError", "rational", "symbols"]


class NoValueError(ValueError):
    """The tree has no number: a set, a sum for the symbolic worker, a division by zero."""


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() > MAX_BITS or value.denominator.bit_length() > MAX_BITS:
        raise TooBigError(f"a value is beyond 2^MAX_BITS={MAX_BITS}")
    return value


def rational(node: Node) -> Fraction | None:
    """The exact rational value, or None where the tree is not one by arithmetic alone.

    Raises `TooBigError`, `NoValueError`.
    """
    match node:
        case Num(value=value):
            return value
        case Neg(body=body):
            inner = rational(body)
            return None if inner is None else -inner
        case Add(terms=terms):
            total = Fraction(0)
            for part in terms:
                inner = rational(part)
                if inner is None:
                    return None
                total = _bounded(total + inner)
            return total
        case Mul(factors=factors):
            product = Fraction(1)
            for part in factors:
                inner = rational(part)
                if inner is None:
                    return None
                product = _bounded(product * inner)
            return product
        case Div(top=top, bottom=bottom):
            over, under = rational(top), rational(bottom)
            if over is None or under is None:
                return None
            if not under:
                raise NoValueError("a division by zero")
            return _bounded(over / under)
        case Pow(base=base, exponent=exponent):
            return _rational_power(rational(base), rational(exponent))
        case Root(radicand=radicand, index=index):
            under, degree = rational(radicand), rational(index)
            if under is None or degree is None or degree.denominator != 1 or not 2 <= degree <= 64 or under < 0:
                return None
            a, b = _exact_root(under.numerator, int(degree)), _exact_root(under.denominator, int(degree))
            return None if a is None or b is None else Fraction(a, b)
        case Fact(body=body, double=double):
            inner = rational(body)
            if inner is None or inner.denominator != 1 or inner < 0:
                return None
            if inner > MAX_FACTORIAL:
                raise TooBigError(f"a factorial beyond MAX_FACTORIAL={MAX_FACTORIAL}")
            return Fraction(math.prod(range(int(inner), 0, -2)) if double else math.factorial(int(inner)))
        case Binom(top=top, bottom=bottom):
            n, k = rational(top), rational(bottom)
            if n is None or k is None or n.denominator != 1 or k.denominator != 1 or n < 0:
                return None
            if n > 4 * MAX_FACTORIAL and min(k, n - k) > 100:
                raise TooBigError("a binomial beyond 4 MAX_FACTORIAL")
            return Fraction(math.comb(int(n), int(k)) if 0 <= k <= n else 0)
        case Fn(name=name, args=args):
            return _function(name, args)
    return None


def _function(name: str, args: tuple[Node, ...]) -> Fraction | None:
    """The exact value of what takes rationals to rationals."""
    if name not in ("abs", "floor", "ceil", "frac", "max", "min", "mod", "gcd", "lcm", "sign"):
        return None
    values = [rational(arg) for arg in args]
    if not values or any(v is None for v in values):
        return None
    known = [v for v in values if v is not None]
    first = known[0]
    if name in ("max", "min"):
        return max(known) if name == "max" else min(known)
    if name in ("gcd", "lcm"):
        if any(v.denominator != 1 for v in known):
            return None
        return Fraction((math.gcd if name == "gcd" else math.lcm)(*(int(v) for v in known)))
    if name == "mod":
        if len(known) != 2 or not known[1]:
            raise NoValueError("a modulus of zero")
        return first % known[1]
    if len(known) != 1:
        return None
    return {
        "abs": abs(first),
        "floor": Fraction(math.floor(first)),
        "ceil": Fraction(math.ceil(first)),
        "frac": first - math.floor(first),
        "sign": Fraction((first > 0) - (first < 0)),
    }[name]


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
