"""Values of expression trees as complex numbers at any precision. Bounded, never `eval`."""

from __future__ import annotations

import cmath
import hashlib
import math
import threading
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from harness.grading.grammar.nodes import (
    Add,
    Based,
    Big,
    Binom,
    Call,
    Cases,
    Const,
    Deg,
    Det,
    Div,
    Fact,
    Fn,
    Label,
    Mul,
    Neg,
    Node,
    Num,
    Pct,
    Pow,
    Rel,
    Root,
    Sym,
    Text,
    Unit,
)
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.limits import MAX_BITS, MAX_FACTORIAL, MAX_SUM_TERMS, TooBigError

_local = threading.local()
REAL_ONLY = "\0real"  # a key of `env`: nothing on the way may leave the reals


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
    evaluate = _EVALUATORS.get(type(node))
    if evaluate is None:
        raise NoValueError(f"no number for {type(node).__name__}")
    return evaluate(node, env, m)


def _num(node: Num, env: Mapping[str, Any], m: Any) -> Any:
    value = node.value
    return m.mpf(value.numerator) / m.mpf(value.denominator) if value.denominator != 1 else m.mpf(value.numerator)


def _sym(node: Sym, env: Mapping[str, Any], m: Any) -> Any:
    if node.name not in env:
        raise NoValueError(f"no value for {node.name}")
    return env[node.name]


def _const(node: Const, env: Mapping[str, Any], m: Any) -> Any:
    if node.name == "inf":
        raise NoValueError("infinity")
    return {"pi": m.pi, "e": m.e, "i": m.j}[node.name] * m.mpf(1)


def _add(node: Add, env: Mapping[str, Any], m: Any) -> Any:
    total = m.mpf(0)
    for part in node.terms:
        total = total + number_value(part, env, m)
    return total


def _mul(node: Mul, env: Mapping[str, Any], m: Any) -> Any:
    product = m.mpf(1)
    for part in node.factors:
        product = product * number_value(part, env, m)
    return product


def _div(node: Div, env: Mapping[str, Any], m: Any) -> Any:
    bottom = number_value(node.bottom, env, m)
    if bottom == 0:
        raise NoValueError("a division by zero")
    return number_value(node.top, env, m) / bottom


def _pow(node: Pow, env: Mapping[str, Any], m: Any) -> Any:
    base = number_value(node.base, env, m)
    exponent = number_value(node.exponent, env, m)
    if m.im(base) == 0 and m.re(base) < 0 and not (m.im(exponent) == 0 and m.re(exponent) == int(m.re(exponent))):
        odd = _odd_root(node.exponent)
        if odd is not None:  # the real root of odd degree, as written by hand
            return _root_of(base, m.mpf(odd.denominator), m) ** odd.numerator
        _leaves_reals(env)
    return _power(base, exponent, m)


def _root(node: Root, env: Mapping[str, Any], m: Any) -> Any:
    radicand = number_value(node.radicand, env, m)
    index = number_value(node.index, env, m)
    if m.im(radicand) == 0 and m.re(radicand) < 0 and not _odd(index, m):
        _leaves_reals(env)
    return _root_of(radicand, index, m)


def _leaves_reals(env: Mapping[str, Any]) -> None:
    if REAL_ONLY in env:
        raise NoValueError("not a real number")


def _odd(index: Any, m: Any) -> bool:
    return bool(m.im(index) == 0 and m.re(index) == int(m.re(index)) and int(m.re(index)) % 2)


def _odd_root(exponent: Node) -> Fraction | None:
    """The exponent when it is p/q with an odd q > 1."""
    try:
        value = rational(exponent)
    except NoValueError:
        return None
    small = value is not None and value.denominator > 1 and value.denominator % 2 and abs(value.numerator) < 100
    return value if small else None


def _power(base: Any, exponent: Any, m: Any) -> Any:
    if base == 0:
        if m.re(exponent) <= 0:
            raise NoValueError("a power of zero")
        return base
    if abs(exponent) * max(1.0, abs(math.log2(float(min(max(abs(base), 1e-300), 1e300))))) > MAX_BITS:
        raise TooBigError(f"a power beyond 2^MAX_BITS={MAX_BITS}")
    if m.im(exponent) == 0 and abs(exponent) < 10_000 and m.re(exponent) == int(m.re(exponent)):
        return base ** int(m.re(exponent))
    return base**exponent


def _root_of(radicand: Any, index: Any, m: Any) -> Any:
    if index == 0:
        raise NoValueError("a zeroth root")
    if radicand == 0:
        return radicand
    if m.im(radicand) == 0 and m.re(radicand) < 0 and _odd(index, m):
        return -((-m.re(radicand)) ** (1 / index))
    return _power(radicand, 1 / index, m)


def _fact(node: Fact, env: Mapping[str, Any], m: Any) -> Any:
    value = number_value(node.body, env, m)
    if abs(value) > 4 * MAX_FACTORIAL:
        raise TooBigError(f"a factorial beyond MAX_FACTORIAL={MAX_FACTORIAL}")
    if m.im(value) == 0 and m.re(value) < 0 and m.re(value) == int(m.re(value)):
        raise NoValueError("the factorial of a negative integer")
    if node.double:
        if m.im(value) != 0 or value != int(m.re(value)) or m.re(value) < 0:
            raise NoValueError("the double factorial of what is no natural number")
        return m.mpf(math.prod(range(int(m.re(value)), 0, -2)))
    return m.factorial(value)


def _binom(node: Binom, env: Mapping[str, Any], m: Any) -> Any:
    top, bottom = number_value(node.top, env, m), number_value(node.bottom, env, m)
    if max(abs(top), abs(bottom)) > 4 * MAX_FACTORIAL:
        raise TooBigError(f"a binomial beyond 4 MAX_FACTORIAL={MAX_FACTORIAL}")
    return m.binomial(top, bottom)


def _det(node: Det, env: Mapping[str, Any], m: Any) -> Any:
    if len(node.rows) != len(node.rows[0]) or len(node.rows) > 5:
        raise NoValueError("the determinant of what is not square")
    return _determinant([[number_value(x, env, m) for x in row] for row in node.rows])


def _determinant(rows: list[list[Any]]) -> Any:
    if len(rows) == 1:
        return rows[0][0]
    minors = ([row[:j] + row[j + 1 :] for row in rows[1:]] for j in range(len(rows)))
    return sum((-1) ** j * rows[0][j] * _determinant(minor) for j, minor in enumerate(minors))


def _cases(node: Cases, env: Mapping[str, Any], m: Any) -> Any:
    """The value of the first row whose condition holds."""
    for value, condition in node.rows:
        if holds_at(condition, env, m):
            return number_value(value, env, m)
    raise NoValueError("no case holds")


def holds_at(condition: Node, env: Mapping[str, Any], m: Any) -> bool:
    """Whether a condition holds at `env`. Raises `NoValueError` for one that cannot be evaluated."""
    match condition:
        case Text(words=words) if words.lower().split()[-1:] in (["otherwise"], ["else"]):
            return True
        case Unit(value=value, words=words) if words.lower().removeprefix("is ").strip() in ("even", "odd"):
            x = number_value(value, env, m)
            if m.im(x) != 0 or x != int(m.re(x)):
                raise NoValueError("the parity of what is no integer")
            return bool(int(m.re(x)) % 2 == ("odd" in words.lower()))
        case Rel(sides=sides, ops=ops):
            values = [number_value(side, env, m) for side in sides]
            if any(m.im(v) != 0 for v in values):
                raise NoValueError("an order of complex numbers")
            reals = [m.re(v) for v in values]
            return all(_ORDERS[op](x, y) for x, op, y in zip(reals, ops, reals[1:], strict=False) if _known(op))
    raise NoValueError("a condition in words")


def _known(op: str) -> bool:
    if op not in _ORDERS:
        raise NoValueError(f"no order {op}")
    return True


_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda x, y: x < y, ">": lambda x, y: x > y, "<=": lambda x, y: x <= y, ">=": lambda x, y: x >= y,
    "=": lambda x, y: x == y, "!=": lambda x, y: x != y,
}  # fmt: skip


def _big(node: Big, env: Mapping[str, Any], m: Any) -> Any:
    """A finite sum or product, term by term; integrals, limits and infinite sums have no number here."""
    match node.lower:
        case Rel(sides=(Sym(name=name), first), ops=("=",)) if node.upper is not None:
            last = node.upper
        case Rel(sides=(first, Sym(name=name), last), ops=("<=", "<=")):
            pass
        case _:
            raise NoValueError("no finite sum")
    if node.kind not in ("sum", "prod"):
        raise NoValueError("no finite sum")
    low, high = number_value(first, env, m), number_value(last, env, m)
    if m.im(low) != 0 or m.im(high) != 0 or low != int(m.re(low)) or high != int(m.re(high)):
        raise NoValueError("a sum to what is no integer")
    if m.re(high) < m.re(low) - 1:
        raise NoValueError("a sum whose last index lies before its first")
    if high - low > MAX_SUM_TERMS:
        raise NoValueError("a sum of too many terms")
    total = m.mpf(0 if node.kind == "sum" else 1)
    inner = dict(env)
    for k in range(int(m.re(low)), int(m.re(high)) + 1):
        inner[name] = m.mpf(k)
        term = number_value(node.body, inner, m)
        total = total + term if node.kind == "sum" else total * term
    return total


# --- functions --------------------------------------------------------------------------------------------------


def _fn(node: Fn, env: Mapping[str, Any], m: Any) -> Any:
    name = node.name
    args = [number_value(part, env, m) for part in node.args]
    if not args:
        raise NoValueError(f"{name} without an argument")
    x = args[0]
    if name in ("log", "ln", "lg"):
        if x == 0:
            raise NoValueError("the logarithm of zero")
        if m.im(x) == 0 and m.re(x) < 0:
            _leaves_reals(env)
        if name == "ln":
            return m.log(x)
        bottom = m.log(args[1]) if len(args) > 1 else m.log(env.get(LOG_BASE, 10))
        if bottom == 0:
            raise NoValueError("a logarithm to base one")
        return m.log(x) / bottom
    if name in ("max", "min", "gcd", "lcm", "mod"):
        return _of_many(name, args, m)
    if len(args) != 1 or name not in _FUNCTIONS:
        raise NoValueError(f"{name} of {len(args)} arguments")
    if name in ("exp", "sinh", "cosh") and abs(x) > MAX_BITS:
        raise TooBigError(f"a power beyond 2^MAX_BITS={MAX_BITS}")
    value = _FUNCTIONS[name](x, m)
    if REAL_ONLY in env and m.im(x) == 0 and m.im(value) != 0 and name != "cis":
        raise NoValueError("not a real number")
    return value


LOG_BASE = "\0log"  # a key of `env`: the base of a log that names none (10 without it)


def _of_many(name: str, args: list[Any], m: Any) -> Any:
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


def _call(node: Call, env: Mapping[str, Any], m: Any) -> Any:
    """An unknown function as a fixed analytic one of its name: equal arguments, and no others, give equal values."""
    args = [number_value(part, env, m) for part in node.args]
    if node.name == "perm" and len(args) == 2:
        n, k = (int(m.re(a)) for a in args)
        if not 0 <= k <= n <= MAX_FACTORIAL:
            raise NoValueError("no number of permutations")
        return m.mpf(math.perm(n, k))
    if node.name == "Gamma" and len(args) == 1:
        return m.factorial(args[0] - 1)
    if node.name == "cross" and len(args) == 2:
        return _opaque("cross", args, m) - _opaque("cross", args[::-1], m)
    return _opaque(node.name, args, m)


@lru_cache(maxsize=1_024)
def _coefficients(name: str) -> tuple[str, ...]:
    """Twelve decimals between 0.2 and 1.2 that belong to a name."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return tuple(f"{0.2 + int(digest[4 * k : 4 * k + 4], 16) / 65_536:.10f}" for k in range(12))


def _opaque(name: str, args: list[Any], m: Any) -> Any:
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


_FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "sin": lambda x, m: m.sin(x), "cos": lambda x, m: m.cos(x), "tan": lambda x, m: m.tan(x),
    "cot": lambda x, m: _reciprocal(m.tan(x)), "sec": lambda x, m: _reciprocal(m.cos(x)),
    "csc": lambda x, m: _reciprocal(m.sin(x)), "arcsin": lambda x, m: m.asin(x), "arccos": lambda x, m: m.acos(x),
    "arctan": lambda x, m: m.atan(x), "arccot": lambda x, m: m.atan(_reciprocal(x)),
    "arcsec": lambda x, m: m.acos(_reciprocal(x)), "arccsc": lambda x, m: m.asin(_reciprocal(x)),
    "sinh": lambda x, m: m.sinh(x), "cosh": lambda x, m: m.cosh(x), "tanh": lambda x, m: m.tanh(x),
    "coth": lambda x, m: _reciprocal(m.tanh(x)), "sech": lambda x, m: _reciprocal(m.cosh(x)),
    "csch": lambda x, m: _reciprocal(m.sinh(x)), "arcsinh": lambda x, m: m.asinh(x),
    "arccosh": lambda x, m: m.acosh(x), "arctanh": lambda x, m: m.atanh(x),
    "exp": lambda x, m: m.exp(x), "abs": lambda x, m: abs(x), "re": lambda x, m: m.re(x), "im": lambda x, m: m.im(x),
    "cis": lambda x, m: m.cos(x) + m.j * m.sin(x), "cbrt": lambda x, m: _root_of(x, m.mpf(3), m),
    "floor": lambda x, m: _whole(x, m, math.floor),
    "ceil": lambda x, m: _whole(x, m, math.ceil),
    "frac": lambda x, m: m.re(x) - _whole(x, m, math.floor),
    "sgn": lambda x, m: _sign(x, m), "sign": lambda x, m: _sign(x, m),
}  # fmt: skip


def _sign(x: Any, m: Any) -> Any:
    if m.im(x) != 0:
        raise NoValueError("the sign of a complex number")
    return m.mpf((m.re(x) > 0) - (m.re(x) < 0))


_EVALUATORS: dict[type[Node], Callable[[Any, Mapping[str, Any], Any], Any]] = {
    Num: _num, Sym: _sym, Const: _const, Add: _add, Mul: _mul, Div: _div, Pow: _pow, Root: _root, Fact: _fact,
    Binom: _binom, Fn: _fn, Call: _call, Det: _det, Cases: _cases, Big: _big,
    Neg: lambda node, env, m: -number_value(node.body, env, m),
    Deg: lambda node, env, m: number_value(node.body, env, m) * m.pi / 180,
    Pct: lambda node, env, m: number_value(node.body, env, m) / 100,
    Unit: lambda node, env, m: number_value(node.value, env, m),
    Label: lambda node, env, m: number_value(node.body, env, m),
    Based: lambda node, env, m: m.mpf(int(node.digits, node.base)),
}  # fmt: skip


class _Floats:
    """`cmath` under mpmath's names, for the first and cheapest probe."""

    pi, e, j = math.pi, math.e, 1j
    asin, acos, atan = cmath.asin, cmath.acos, cmath.atan
    sinh, cosh, tanh, asinh, acosh, atanh = (cmath.sinh, cmath.cosh, cmath.tanh, cmath.asinh, cmath.acosh, cmath.atanh)

    @staticmethod
    def sin(x: Any) -> Any:
        return cmath.sin(x) if isinstance(x, complex) else math.sin(x)

    @staticmethod
    def cos(x: Any) -> Any:
        return cmath.cos(x) if isinstance(x, complex) else math.cos(x)

    @staticmethod
    def tan(x: Any) -> Any:
        return cmath.tan(x) if isinstance(x, complex) else math.tan(x)

    @staticmethod
    def exp(x: Any) -> Any:
        return cmath.exp(x) if isinstance(x, complex) else math.exp(x)

    @staticmethod
    def log(x: Any) -> Any:
        return math.log(x) if not isinstance(x, complex) and x > 0 else cmath.log(x)

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
