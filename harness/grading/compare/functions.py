"""Functions of numbers, in either arithmetic; an unknown function is a fixed analytic one of its name."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from harness.grading.compare.contexts import FLOATS
from harness.grading.grammar.rational import NoValueError
from harness.grading.limits import MAX_BITS, TooBigError


def odd(index: Any, m: Any) -> bool:
    """Whether a value is an odd integer."""
    return bool(m.im(index) == 0 and m.re(index) == int(m.re(index)) and int(m.re(index)) % 2)


def power(base: Any, exponent: Any, m: Any) -> Any:
    """base^exponent. Raises `NoValueError` for 0^0 and its kin, `TooBigError` beyond MAX_BITS."""
    if base == 0:
        if m.re(exponent) <= 0:
            raise NoValueError("a power of zero")
        return base
    if abs(exponent) * max(1.0, abs(math.log2(float(min(max(abs(base), 1e-300), 1e300))))) > MAX_BITS:
        raise TooBigError(f"a power beyond 2^MAX_BITS={MAX_BITS}")
    if m.im(exponent) == 0 and abs(exponent) < 10_000 and m.re(exponent) == int(m.re(exponent)):
        return base ** int(m.re(exponent))
    return base**exponent


def root_of(radicand: Any, index: Any, m: Any) -> Any:
    """The principal root; the real one of a negative number where the index is odd."""
    if index == 0:
        raise NoValueError("a zeroth root")
    if radicand == 0:
        return radicand
    if m.im(radicand) == 0 and m.re(radicand) < 0 and odd(index, m):
        return -((-m.re(radicand)) ** (1 / index))
    return power(radicand, 1 / index, m)


def of_many(name: str, args: list[Any], m: Any) -> Any:
    """max, min, gcd, lcm or mod of real numbers."""
    if any(m.im(a) != 0 for a in args):
        raise NoValueError(f"{name} of complex numbers")
    reals = [m.re(a) for a in args]
    if name in ("max", "min"):
        return max(reals) if name == "max" else min(reals)
    if name == "mod":
        if len(reals) != 2 or reals[1] == 0:
            raise NoValueError("a modulus of zero")
        return reals[0] - reals[1] * _whole(reals[0] / reals[1], m, math.floor)
    if any(abs(a) > 10**15 or a != int(a) for a in reals):
        raise NoValueError(f"{name} of what is no integer")
    return m.mpf((math.gcd if name == "gcd" else math.lcm)(*(int(a) for a in reals)))


@lru_cache(maxsize=1_024)
def _coefficients(name: str) -> tuple[str, ...]:
    """Twelve decimals between 0.2 and 1.2 that belong to a name."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return tuple(f"{0.2 + int(digest[4 * k : 4 * k + 4], 16) / 65_536:.10f}" for k in range(12))


def opaque(name: str, args: list[Any], m: Any) -> Any:
    """An unknown function as a fixed analytic one of its name: equal arguments, and no others, give equal values."""
    c = [m.mpf(x) for x in _coefficients(name)]
    inner = c[0]
    for k, x in enumerate(args[:5]):
        inner = inner + c[1 + 2 * k] * x
    total = m.cos(inner)
    for k, x in enumerate(args[:5]):
        total = total + c[2 + 2 * k] * x * (x + c[11])
    return total


def _reciprocal(value: Any) -> Any:
    if value == 0:
        raise NoValueError("a division by zero")
    return 1 / value


def _whole(x: Any, m: Any, round_to: Callable[[Any], Any]) -> Any:
    if m.im(x) != 0 or abs(x) > 10**15:
        raise NoValueError("the floor of what is no real number")
    nearest = int(m.re(x) + (0.5 if m.re(x) >= 0 else -0.5))
    if abs(m.re(x) - nearest) < m.mpf(10) ** -(12 if m is FLOATS else 30):  # 2.99... is 3 to the precision at hand
        return m.mpf(nearest)
    return m.mpf(int(round_to(m.re(x))))


FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "sin": lambda x, m: m.sin(x),
    "cos": lambda x, m: m.cos(x),
    "tan": lambda x, m: m.tan(x),
    "cot": lambda x, m: _reciprocal(m.tan(x)),
    "sec": lambda x, m: _reciprocal(m.cos(x)),
    "csc": lambda x, m: _reciprocal(m.sin(x)),
    "arcsin": lambda x, m: m.asin(x),
    "arccos": lambda x, m: m.acos(x),
    "arctan": lambda x, m: m.atan(x),
    "arccot": lambda x, m: m.atan(_reciprocal(x)),
    "arcsec": lambda x, m: m.acos(_reciprocal(x)),
    "arccsc": lambda x, m: m.asin(_reciprocal(x)),
    "sinh": lambda x, m: m.sinh(x),
    "cosh": lambda x, m: m.cosh(x),
    "tanh": lambda x, m: m.tanh(x),
    "coth": lambda x, m: _reciprocal(m.tanh(x)),
    "sech": lambda x, m: _reciprocal(m.cosh(x)),
    "csch": lambda x, m: _reciprocal(m.sinh(x)),
    "arcsinh": lambda x, m: m.asinh(x),
    "arccosh": lambda x, m: m.acosh(x),
    "arctanh": lambda x, m: m.atanh(x),
    "exp": lambda x, m: m.exp(x),
    "abs": lambda x, m: abs(x),
    "arg": lambda x, m: m.arg(x),
    "re": lambda x, m: m.re(x),
    "im": lambda x, m: m.im(x),
    "cis": lambda x, m: m.cos(x) + m.j * m.sin(x),
    "cbrt": lambda x, m: root_of(x, m.mpf(3), m),
    "floor": lambda x, m: _whole(x, m, math.floor),
    "ceil": lambda x, m: _whole(x, m, math.ceil),
    "frac": lambda x, m: m.re(x) - _whole(x, m, math.floor),
    "sgn": lambda x, m: _sign(x, m),
    "sign": lambda x, m: _sign(x, m),
}


def _sign(x: Any, m: Any) -> Any:
    if m.im(x) != 0:
        raise NoValueError("the sign of a complex number")
    return m.mpf((m.re(x) > 0) - (m.re(x) < 0))
