"""The process behind `symbolic`: one question a line in, one answer a line out. Nothing it reads is run as code.

Its limits are its own rlimits: address space for its life, CPU seconds anew for every question.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from typing import Any

from harness.grading.grammar.vocabulary import names
from harness.grading.limits import SYMBOLIC_MEMORY_MB, SYMBOLIC_SECONDS

MAX_SUM_TERMS = 10_000  # of a finite sum or product worked out term by term
_NUMERIC_DIGITS = 30


_RENAMED = {"ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arccot": "acot", "arcsec": "asec",
         "arccsc": "acsc", "ceil": "ceiling", "abs": "Abs", "max": "Max", "min": "Min", "arcsinh": "asinh",
         "arccosh": "acosh", "arctanh": "atanh"}  # fmt: skip
_ALLOWED = names(
    "log asin acos atan acot asec acsc ceiling Abs Max Min asinh acosh atanh sin cos tan cot sec csc sinh cosh tanh",
    "coth sech csch exp floor gcd lcm re im cbrt",
)


class CannotBuildError(ValueError):
    """The tree has no sympy counterpart."""


def build(node: Any) -> Any:
    """The sympy expression of an encoded tree. Raises `CannotBuildError`."""
    import sympy

    kind = node[0]
    if kind == "num":
        return sympy.Rational(node[1][1])
    if kind == "sym":
        return sympy.Symbol(node[1])
    if kind == "const":
        return {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "inf": sympy.oo}[node[1]]
    if kind in ("add", "mul"):
        return (sympy.Add if kind == "add" else sympy.Mul)(*(build(part) for part in node[1]))
    if kind == "neg":
        return -build(node[1])
    if kind == "div":
        return build(node[1]) / build(node[2])
    if kind == "pow":
        return _power(build(node[1]), build(node[2]))
    if kind == "root":
        return _power(build(node[1]), 1 / build(node[2]))
    if kind == "abs":
        return sympy.Abs(build(node[1]))
    if kind == "fact":
        return sympy.factorial(build(node[1]))
    if kind == "binom":
        return sympy.binomial(build(node[1]), build(node[2]))
    if kind == "deg":
        return build(node[1]) * sympy.pi / 180
    if kind in ("unit", "pct"):
        return build(node[1]) / (100 if kind == "pct" else 1)
    if kind == "fn":
        return _function(node[1], [build(part) for part in node[2]])
    if kind == "big":
        return _big(*node[1:])
    raise CannotBuildError(f"no symbolic form of {kind}")


def _power(base: Any, exponent: Any) -> Any:
    if exponent.is_Number and abs(exponent) > 10_000:
        raise CannotBuildError("a power that is too large")
    return base**exponent


def _function(name: str, args: list[Any]) -> Any:
    import sympy

    if name == "log":
        return sympy.log(args[0], args[1] if len(args) > 1 else 10)
    known = _RENAMED.get(name, name)
    if known not in _ALLOWED:
        raise CannotBuildError(f"no function {name}")
    return getattr(sympy, known)(*args)


def _big(kind: str, lower: Any, upper: Any, body: Any) -> Any:
    import sympy

    if kind == "lim":
        if lower[0] != "arrow" or lower[1][0] != "sym":
            raise CannotBuildError("a limit without its point")
        return sympy.limit(build(body), build(lower[1]), build(lower[2]))
    if kind == "int":
        integrand, variable = _differential(body)
        if lower == ["none"]:
            return sympy.integrate(integrand, variable)
        return sympy.integrate(integrand, (variable, build(lower), build(upper)))
    if lower[0] != "rel" or lower[2] != "=" or lower[1][0] not in ("sym", "const"):
        raise CannotBuildError("a sum without its index")
    name = lower[1][1]
    index = sympy.Symbol(name, integer=True)
    first, last = build(lower[3]), build(upper)
    term = build(body).subs(sympy.Symbol(name), index)
    if first.is_Integer and last.is_Integer and last - first < MAX_SUM_TERMS:
        values = [term.subs(index, k) for k in range(int(first), int(last) + 1)]
        return sympy.Add(*values) if kind == "sum" else sympy.Mul(*values)
    return (sympy.Sum if kind == "sum" else sympy.Product)(term, (index, first, last)).doit()


def _differential(body: Any) -> tuple[Any, Any]:
    """`f dx` as (f, x): the parser reads the differential as two last factors."""
    import sympy

    top = body[1] if body[0] == "div" else body
    factors = list(top[1]) if top[0] == "mul" else [top]
    if len(factors) < 2 or factors[-2] != ["sym", "d"] or factors[-1][0] != "sym":
        raise CannotBuildError("an integral without dx")
    rest = factors[:-2]
    integrand = sympy.Mul(*(build(f) for f in rest)) if rest else sympy.Integer(1)
    return (integrand / build(body[2]) if body[0] == "div" else integrand), sympy.Symbol(factors[-1][1])


def decide(a: Any, b: Any) -> bool | None:
    """Whether the difference of two trees is zero: at 30 digits without symbols, else by simplification."""
    import sympy

    difference = build(a) - build(b)
    if not difference.free_symbols:
        value = sympy.N(difference, _NUMERIC_DIGITS)
        if value.is_number and value.is_finite:
            scale = max(abs(complex(sympy.N(build(a)))), 1.0)
            return bool(abs(complex(value)) < scale * 1e-20)
    simplified = sympy.simplify(difference)
    if simplified == 0:
        return True
    return bool(simplified.equals(0)) if simplified.equals(0) is not None else None


def _limit_memory() -> None:
    size = SYMBOLIC_MEMORY_MB << 20
    with contextlib.suppress(ValueError, OSError):  # macOS refuses RLIMIT_AS; the deadline still holds
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _limit_seconds() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + SYMBOLIC_SECONDS) + 1
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def main() -> None:
    """Answer `{"a": tree, "b": tree}` with `{"equal": true | false | null, "reason": str}` until the pipe closes."""
    import sympy  # noqa: F401  the slow import happens before "ready", outside any question's deadline

    _limit_memory()
    sys.stdout.write('"ready"\n')
    sys.stdout.flush()
    for line in sys.stdin:
        _limit_seconds()
        question = json.loads(line)
        try:
            answer = {"equal": decide(question["a"], question["b"]), "reason": ""}
        except Exception as error:  # sympy raises anything; the reason goes onto the row
            answer = {"equal": None, "reason": f"{type(error).__name__}: {error}"[:200]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
