"""Values of expression trees as complex numbers at any precision. Bounded, never `eval`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from harness.grading.compare.contexts import LOG_BASE, REAL_ONLY, leaves_reals
from harness.grading.compare.functions import FUNCTIONS, odd, of_many, opaque, power, root_of
from harness.grading.grammar.nodes import (
    Add,
    Based,
    Big,
    Binom,
    Call,
    Cases,
    Congruence,
    Const,
    Deg,
    Det,
    Div,
    Fact,
    Fn,
    Group,
    Label,
    Member,
    Mul,
    Neg,
    Node,
    Num,
    Pct,
    Pow,
    Rel,
    Root,
    Seq,
    Sym,
    Text,
    Unit,
)
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.limits import MAX_BITS, MAX_FACTORIAL, MAX_SUM_TERMS, TooBigError


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
            return root_of(base, m.mpf(odd.denominator), m) ** odd.numerator
        leaves_reals(env)
    return power(base, exponent, m)


def _root(node: Root, env: Mapping[str, Any], m: Any) -> Any:
    radicand = number_value(node.radicand, env, m)
    index = number_value(node.index, env, m)
    if m.im(radicand) == 0 and m.re(radicand) < 0 and not odd(index, m):
        leaves_reals(env)
    return root_of(radicand, index, m)


def _odd_root(exponent: Node) -> Fraction | None:
    """The exponent when it is p/q with an odd q > 1."""
    try:
        value = rational(exponent)
    except NoValueError:
        return None
    small = value is not None and value.denominator > 1 and value.denominator % 2 and abs(value.numerator) < 100
    return value if small else None


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
        case Congruence(left=value, residues=residues, modulus=modulus) if value is not None:
            x, period = number_value(value, env, m), number_value(modulus, env, m)
            gaps = [(x - number_value(r, env, m)) / period for r in residues]
            if any(m.im(g) != 0 for g in gaps):
                raise NoValueError("a congruence of complex numbers")
            return any(m.re(g) == int(m.re(g)) for g in gaps)
        case Member(
            subject=subject,
            container=Group(opener="(" | "[" as opener, closer=closer, items=(low, high)),
            negated=False,
        ):
            ends = ("<=" if opener == "[" else "<", "<=" if closer == "]" else "<")
            return holds_at(Rel((low, subject, high), ends), env, m)
        case Seq(items=items, connector=connector):
            each = [holds_at(item, env, m) for item in items]
            return any(each) if connector == "or" else all(each)
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
    "<": lambda x, y: x < y,
    ">": lambda x, y: x > y,
    "<=": lambda x, y: x <= y,
    ">=": lambda x, y: x >= y,
    "=": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
}


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
            leaves_reals(env)
        if name == "ln":
            return m.log(x)
        bottom = m.log(args[1]) if len(args) > 1 else m.log(env.get(LOG_BASE, 10))
        if bottom == 0:
            raise NoValueError("a logarithm to base one")
        return m.log(x) / bottom
    if name in ("max", "min", "gcd", "lcm", "mod"):
        return of_many(name, args, m)
    if len(args) != 1 or name not in FUNCTIONS:
        raise NoValueError(f"{name} of {len(args)} arguments")
    if name in ("exp", "sinh", "cosh") and abs(x) > MAX_BITS:
        raise TooBigError(f"a power beyond 2^MAX_BITS={MAX_BITS}")
    value = FUNCTIONS[name](x, m)
    if REAL_ONLY in env and m.im(x) == 0 and m.im(value) != 0 and name != "cis":
        raise NoValueError("not a real number")
    return value


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
        return opaque("cross", args, m) - opaque("cross", args[::-1], m)
    return opaque(node.name, args, m)


_EVALUATORS: dict[type[Node], Callable[[Any, Mapping[str, Any], Any], Any]] = {
    Num: _num,
    Sym: _sym,
    Const: _const,
    Add: _add,
    Mul: _mul,
    Div: _div,
    Pow: _pow,
    Root: _root,
    Fact: _fact,
    Binom: _binom,
    Fn: _fn,
    Call: _call,
    Det: _det,
    Cases: _cases,
    Big: _big,
    Neg: lambda node, env, m: -number_value(node.body, env, m),
    Deg: lambda node, env, m: number_value(node.body, env, m) * m.pi / 180,
    Pct: lambda node, env, m: number_value(node.body, env, m) / 100,
    Unit: lambda node, env, m: number_value(node.value, env, m),
    Label: lambda node, env, m: number_value(node.body, env, m),
    Based: lambda node, env, m: m.mpf(int(node.digits, node.base)),
}
