"""Values of expression trees: exact rationals, then complex numbers at any precision. Bounded, never `eval`."""

from __future__ import annotations

import cmath
import math
import threading
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from harness.grading.grammar.expressions import Node
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.limits import MAX_BITS, MAX_FACTORIAL, TooBigError

_local = threading.local()


def precise_context(digits: int) -> Any:
    """This thread's own mpmath context (mpmath's global one is shared by all threads), set to `digits`."""
    if not hasattr(_local, "context"):
        from mpmath import MPContext

        _local.context = MPContext()
    _local.context.dps = digits
    return _local.context


def number_value(node: Node, env: Mapping[str, Any], m: Any) -> Any:
    """The complex value of a tree at `env`, with the functions of `m` (`cmath`-like `FLOATS`, or an mpmath context).

    Raises `NoValueError` where there is none and `TooBigError` beyond the limits.
    """
    kind = node[0]
    if kind == "num":
        return m.mpf(node[1].numerator) / m.mpf(node[1].denominator)
    if kind == "sym":
        if node[1] not in env:
            raise NoValueError(f"no value for {node[1]}")
        return env[node[1]]
    if kind == "const":
        if node[1] == "inf":
            raise NoValueError("infinity")
        return {"pi": m.pi, "e": m.e, "i": m.j}[node[1]] * m.mpf(1)
    if kind == "add":
        return sum((number_value(part, env, m) for part in node[1]), m.mpf(0))
    if kind == "mul":
        product = m.mpf(1)
        for part in node[1]:
            product = product * number_value(part, env, m)
        return product
    if kind == "neg":
        return -number_value(node[1], env, m)
    if kind == "div":
        bottom = number_value(node[2], env, m)
        if bottom == 0:
            raise NoValueError("a division by zero")
        return number_value(node[1], env, m) / bottom
    if kind == "pow":
        base = number_value(node[1], env, m)
        _stay_real(env, base, m, node[2])
        odd = _odd_root(node[2]) if m.im(base) == 0 and m.re(base) < 0 else None
        if odd is not None:
            return _root(base, m.mpf(odd.denominator), m) ** odd.numerator
        return _power(base, number_value(node[2], env, m), m)
    if kind == "root":
        radicand = number_value(node[1], env, m)
        _stay_real(env, radicand, m, ("div", ("num", Fraction(1), None), node[2]))
        return _root(radicand, number_value(node[2], env, m), m)
    if kind == "abs":
        return abs(number_value(node[1], env, m))
    if kind in ("fact", "binom"):
        values = [number_value(part, env, m) for part in node[1:]]
        if any(abs(v) > 4 * MAX_FACTORIAL for v in values):
            raise TooBigError(f"a factorial beyond MAX_FACTORIAL={MAX_FACTORIAL}")
        return m.factorial(values[0]) if kind == "fact" else m.binomial(*values)
    if kind == "fn":
        return _function(node[1], [number_value(part, env, m) for part in node[2]], m)
    if kind == "deg":
        return number_value(node[1], env, m) * m.pi / 180
    if kind == "pct":
        return number_value(node[1], env, m) / 100
    if kind in ("unit", "label"):
        return number_value(node[1] if kind == "unit" else node[2], env, m)
    if kind == "det" and len(node[1]) == len(node[1][0]) <= 5:
        return _determinant([[number_value(x, env, m) for x in row] for row in node[1]])
    raise NoValueError(f"no number for {kind}")


REAL_ONLY = "\0real"  # a key of `env`: no even root of a negative number on the way, where branches would differ


def _stay_real(env: Mapping[str, Any], base: Any, m: Any, exponent: Node) -> None:
    if REAL_ONLY in env and m.im(base) == 0 and m.re(base) < 0 and exponent[0] != "num" and _odd_root(exponent) is None:
        exact = rational(exponent)
        if exact is None or exact.denominator != 1:
            raise NoValueError("an even root of a negative number")


def _odd_root(exponent: Node) -> Fraction | None:
    """The exponent when it is p/q with an odd q > 1: negative bases have a real root then, as written by hand."""
    try:
        value = rational(exponent)
    except NoValueError:
        return None
    small = value is not None and value.denominator > 1 and value.denominator % 2 and abs(value.numerator) < 100
    return value if small else None


def _determinant(rows: list[list[Any]]) -> Any:
    if len(rows) == 1:
        return rows[0][0]
    minors = ([row[:j] + row[j + 1 :] for row in rows[1:]] for j in range(len(rows)))
    return sum((-1) ** j * rows[0][j] * _determinant(minor) for j, minor in enumerate(minors))


def _power(base: Any, exponent: Any, m: Any) -> Any:
    if base == 0:
        if m.re(exponent) <= 0:
            raise NoValueError("a power of zero")
        return base
    if abs(exponent) * max(1.0, abs(math.log2(float(min(max(abs(base), 1e-300), 1e300))))) > MAX_BITS:
        raise TooBigError(f"a power beyond 2^MAX_BITS={MAX_BITS}")
    return base**exponent


def _root(radicand: Any, index: Any, m: Any) -> Any:
    if index == 0:
        raise NoValueError("a zeroth root")
    if radicand == 0:
        return radicand
    if (
        m.im(radicand) == 0
        and m.im(index) == 0
        and m.re(radicand) < 0
        and index == int(m.re(index))
        and int(m.re(index)) % 2
    ):
        return -((-m.re(radicand)) ** (1 / index))  # the real cube root, as written by hand
    return _power(radicand, 1 / index, m)


def _function(name: str, args: list[Any], m: Any) -> Any:
    if not args:
        raise NoValueError(f"{name} without an argument")
    x = args[0]
    if name in ("log", "ln") and x == 0:
        raise NoValueError("the logarithm of zero")
    if name == "log":
        bottom = m.log(args[1]) if len(args) > 1 else m.log(10)
        if bottom == 0:
            raise NoValueError("a logarithm to base one")
        return m.log(x) / bottom
    if name in ("max", "min", "gcd", "lcm"):
        return _of_many(name, args, m)
    if len(args) != 1 or name not in _FUNCTIONS:
        raise NoValueError(f"{name} of {len(args)} arguments")
    if name in ("exp", "sinh", "cosh") and abs(x) > MAX_BITS:
        raise TooBigError(f"a power beyond 2^MAX_BITS={MAX_BITS}")
    return _FUNCTIONS[name](x, m)


def _of_many(name: str, args: list[Any], m: Any) -> Any:
    if any(m.im(a) != 0 for a in args):
        raise NoValueError(f"{name} of complex numbers")
    reals = [m.re(a) for a in args]
    if name in ("max", "min"):
        return max(reals) if name == "max" else min(reals)
    if any(a != int(a) or abs(a) > 10**15 for a in reals):
        raise NoValueError(f"{name} of what is no integer")
    return m.mpf((math.gcd if name == "gcd" else math.lcm)(*(int(a) for a in reals)))


def _reciprocal(value: Any) -> Any:
    if value == 0:
        raise NoValueError("a division by zero")
    return 1 / value


def _whole(x: Any, m: Any, round_to: Callable[[Any], Any]) -> Any:
    if m.im(x) != 0 or abs(x) > 10**15:
        raise NoValueError("the floor of what is no real number")
    return m.mpf(int(round_to(m.re(x))))


_FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "sin": lambda x, m: m.sin(x), "cos": lambda x, m: m.cos(x), "tan": lambda x, m: m.tan(x),
    "cot": lambda x, m: _reciprocal(m.tan(x)), "sec": lambda x, m: _reciprocal(m.cos(x)),
    "csc": lambda x, m: _reciprocal(m.sin(x)), "arcsin": lambda x, m: m.asin(x), "arccos": lambda x, m: m.acos(x),
    "arctan": lambda x, m: m.atan(x), "arccot": lambda x, m: m.atan(_reciprocal(x)),
    "arcsec": lambda x, m: m.acos(_reciprocal(x)), "arccsc": lambda x, m: m.asin(_reciprocal(x)),
    "sinh": lambda x, m: m.sinh(x), "cosh": lambda x, m: m.cosh(x), "tanh": lambda x, m: m.tanh(x),
    "coth": lambda x, m: _reciprocal(m.tanh(x)), "sech": lambda x, m: _reciprocal(m.cosh(x)),
    "csch": lambda x, m: _reciprocal(m.sinh(x)), "arcsinh": lambda x, m: m.asinh(x),
    "arccosh": lambda x, m: m.acosh(x), "arctanh": lambda x, m: m.atanh(x), "ln": lambda x, m: m.log(x),
    "exp": lambda x, m: m.exp(x), "abs": lambda x, m: abs(x), "re": lambda x, m: m.re(x), "im": lambda x, m: m.im(x),
    "cis": lambda x, m: m.cos(x) + m.j * m.sin(x), "cbrt": lambda x, m: _root(x, m.mpf(3), m),
    "floor": lambda x, m: _whole(x, m, math.floor),
    "ceil": lambda x, m: _whole(x, m, math.ceil),
}  # fmt: skip


class _Floats:
    """`cmath` under mpmath's names, for the first and cheapest probe."""

    pi, e, j = math.pi, math.e, 1j
    sin, cos, tan, asin, acos, atan = cmath.sin, cmath.cos, cmath.tan, cmath.asin, cmath.acos, cmath.atan
    sinh, cosh, tanh, asinh, acosh, atanh = (
        cmath.sinh, cmath.cosh, cmath.tanh, cmath.asinh, cmath.acosh, cmath.atanh)  # fmt: skip
    exp, log = cmath.exp, cmath.log

    @staticmethod
    def mpf(x: Any) -> float:
        return float(x)

    @staticmethod
    def re(x: Any) -> float:
        return float(x.real)

    @staticmethod
    def im(x: Any) -> float:
        return float(x.imag)

    @staticmethod
    def factorial(x: Any) -> float:
        return math.gamma(x.real + 1) if not x.imag else _no_float()

    @staticmethod
    def binomial(n: Any, k: Any) -> float:
        return _no_float()


def _no_float() -> float:
    raise OverflowError("left to the precise context")


FLOATS = _Floats()
