"""The process behind `symbolic`: one question a line in, one answer a line out. Nothing it reads is run as code.

Its limits are a budget of Python calls for every question, and its own rlimits: address space for its life, CPU seconds
anew for every question.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from collections.abc import Callable
from typing import Any

from harness.grading.grammar.nodes import (
    Add,
    Arrow,
    Big,
    Binom,
    Call,
    Cases,
    Const,
    Deg,
    Div,
    Fact,
    Fn,
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
from harness.grading.grammar.nodes_json import decode
from harness.grading.grammar.vocabulary import names
from harness.grading.limits import MAX_SYMBOLIC_CALLS, SYMBOLIC_CPU_SECONDS, SYMBOLIC_MEMORY_MB

MAX_SUM_TERMS = 10_000  # of a finite sum or product worked out term by term
INTEGER_NAMES = names("n k m j l N")
_NUMERIC_DIGITS = 30


_RENAMED = {
    "ln": "log",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arccot": "acot",
    "arcsec": "asec",
    "arccsc": "acsc",
    "ceil": "ceiling",
    "abs": "Abs",
    "max": "Max",
    "min": "Min",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "sgn": "sign",
    "mod": "Mod",
}
_ALLOWED = names(
    "log asin acos atan acot asec acsc ceiling Abs Max Min asinh acosh atanh sin cos tan cot sec csc sinh cosh tanh",
    "coth sech csch exp floor frac gcd lcm re im cbrt sign Mod",
)


class CannotBuildError(ValueError):
    """The tree has no sympy counterpart."""


class WorkDoneError(BaseException):
    """The budget of work is used up. No `Exception`, so that sympy's own handlers let it pass."""


class _Budget:
    """Counts Python calls; `WorkDoneError` at the last one. The same question costs the same on every machine."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def __call__(self, frame: Any, event: str, arg: Any) -> None:
        if event == "call":
            self.left -= 1
            if self.left < 0:
                sys.setprofile(None)
                raise WorkDoneError


def build(node: Node, whole: frozenset[str] = frozenset()) -> Any:
    """The sympy expression of a tree; names in `whole` are integers, all others real. Raises `CannotBuildError`."""
    import sympy

    def built(part: Node) -> Any:
        return build(part, whole)

    match node:
        case Num(value=value):
            return sympy.Rational(value.numerator, value.denominator)
        case Sym(name=name):
            return sympy.Symbol(name, integer=True) if name in whole else sympy.Symbol(name, real=True)
        case Const(name=name):
            return {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "inf": sympy.oo}[name]
        case Add(terms=terms):
            return sympy.Add(*(built(part) for part in terms))
        case Mul(factors=factors):
            return sympy.Mul(*(built(part) for part in factors))
        case Neg(body=body):
            return -built(body)
        case Div(top=top, bottom=bottom):
            return built(top) / built(bottom)
        case Pow(base=base, exponent=exponent):
            return _power(built(base), built(exponent))
        case Root(radicand=radicand, index=index):
            return _power(built(radicand), 1 / built(index))
        case Fact(body=body, double=double):
            return (sympy.factorial2 if double else sympy.factorial)(built(body))
        case Binom(top=top, bottom=bottom):
            return sympy.binomial(built(top), built(bottom))
        case Deg(body=body):
            return built(body) * sympy.pi / 180
        case Pct(body=body):
            return built(body) / 100
        case Unit(value=value):
            return built(value)
        case Call(name=name, args=args):
            return sympy.Function(f"called_{name}")(*(built(arg) for arg in args))
        case Fn(name=name, args=args):
            return _function(name, [built(part) for part in args])
        case Cases(rows=rows):
            return sympy.Piecewise(*((built(value), _condition(condition, built)) for value, condition in rows))
        case Big():
            return _big(node, whole)
    raise CannotBuildError(f"no symbolic form of {type(node).__name__}")


def _power(base: Any, exponent: Any) -> Any:
    if exponent.is_Number and abs(exponent) > 10_000:
        raise CannotBuildError("a power that is too large")
    return base**exponent


def _condition(node: Node, built: Callable[[Node], Any]) -> Any:
    import sympy

    kinds = {"<": sympy.Lt, ">": sympy.Gt, "<=": sympy.Le, ">=": sympy.Ge, "=": sympy.Eq, "!=": sympy.Ne}
    match node:
        case Text():
            return True
        case Rel(sides=sides, ops=ops) if all(op in kinds for op in ops):
            pairs = zip(sides, ops, sides[1:], strict=False)
            return sympy.And(*(kinds[op](built(x), built(y)) for x, op, y in pairs))
    raise CannotBuildError("a condition in words")


def _function(name: str, args: list[Any]) -> Any:
    import sympy

    if name in ("log", "lg"):
        return sympy.log(args[0], args[1] if len(args) > 1 else 10)
    known = _RENAMED.get(name, name)
    if known not in _ALLOWED:
        raise CannotBuildError(f"no function {name}")
    return getattr(sympy, known)(*args)


def _big(node: Big, whole: frozenset[str]) -> Any:
    import sympy

    if node.kind == "lim":
        match node.lower:
            case Arrow(left=Sym() as left, right=right):
                return sympy.limit(build(node.body, whole), build(left, whole), build(right, whole))
        raise CannotBuildError("a limit without its point")
    if node.kind == "diff":
        if node.lower is None or not isinstance(node.upper, Num) or not 1 <= node.upper.value <= 6:
            raise CannotBuildError("a derivative without its variable")
        return sympy.diff(build(node.body, whole), build(node.lower, whole), int(node.upper.value))
    if node.kind == "int":
        integrand, variable = _differential(node.body, whole)
        if node.lower is None or node.upper is None:
            return sympy.integrate(integrand, variable)
        return sympy.integrate(integrand, (variable, build(node.lower, whole), build(node.upper, whole)))
    match node.lower:
        case Rel(sides=(Sym(name=name), first), ops=("=",)) if node.upper is not None:
            pass
        case _:
            raise CannotBuildError("a sum without its index")
    inside = whole | {name}
    index = build(Sym(name), inside)
    low, high = build(first, whole), build(node.upper, whole)
    term = build(node.body, inside)
    if low.is_Integer and high.is_Integer and high - low < MAX_SUM_TERMS:
        values = [term.subs(index, k) for k in range(int(low), int(high) + 1)]
        return sympy.Add(*values) if node.kind == "sum" else sympy.Mul(*values)
    if low.is_Integer and high.is_Integer:
        raise CannotBuildError(f"a sum of more than {MAX_SUM_TERMS} terms")
    return (sympy.Sum if node.kind == "sum" else sympy.Product)(term, (index, low, high)).doit()


def _differential(body: Node, whole: frozenset[str]) -> tuple[Any, Any]:
    """`f dx` as (f, x): the parser reads the differential as the two last factors of the last term."""
    import sympy

    match body:
        case Add(terms=(*terms, last)):
            integrand, variable = _differential(last, whole)
            return sympy.Add(*(build(t, whole) for t in terms)) + integrand, variable
        case Neg(body=inner):
            integrand, variable = _differential(inner, whole)
            return -integrand, variable
        case Div(top=top, bottom=bottom):
            integrand, variable = _differential(top, whole)
            return integrand / build(bottom, whole), variable
        case Mul(factors=(*rest, Sym(name="d"), Sym() as variable)):
            return sympy.Mul(*(build(f, whole) for f in rest)), build(variable, whole)
    raise CannotBuildError("an integral without dx")


def decide(a: Node, b: Node) -> bool | None:
    """Whether the difference of two trees is zero: at 30 digits without symbols, else by simplification.

    Names that stand for integers by custom are tried as reals first, then as integers.
    """
    from harness.grading.grammar.tree import symbols

    integers = (symbols(a) | symbols(b)) & INTEGER_NAMES
    first = _difference_is_zero(a, b, frozenset())
    if first or not integers:
        return first
    return _difference_is_zero(a, b, frozenset(integers))


def _difference_is_zero(a: Node, b: Node, whole: frozenset[str]) -> bool | None:
    import sympy

    left, right = build(a, whole), build(b, whole)
    difference = left - right
    if difference == 0:
        return True
    if difference.has(sympy.nan, sympy.zoo):
        return True if left == right and not left.has(sympy.nan) else None
    if not difference.free_symbols:
        value = sympy.N(difference, _NUMERIC_DIGITS)
        if value.is_number and value.is_finite:
            scale = max(abs(complex(sympy.N(left))), 1.0)
            return bool(abs(complex(value)) < scale * 1e-20)
    simplified = sympy.simplify(difference)
    if simplified == 0:
        return True
    if simplified.has(sympy.Abs, sympy.Max, sympy.Min, sympy.Piecewise, sympy.sign):
        simplified = sympy.simplify(sympy.piecewise_fold(simplified.rewrite(sympy.Piecewise)))
        if simplified == 0:
            return True
    zero = simplified.equals(0)
    return None if zero is None else bool(zero)


def _check_memory() -> None:
    """Ends the process where it may have less than it needs: every answer would look as if it took too long."""
    least = min((limit for limit in resource.getrlimit(resource.RLIMIT_AS) if limit >= 0), default=None)
    if least is not None and least < SYMBOLIC_MEMORY_MB << 20:
        raise SystemExit(f"it may use {least >> 20} MB of memory (ulimit -v), and needs {SYMBOLIC_MEMORY_MB} MB")


def _limit_memory() -> None:
    size = SYMBOLIC_MEMORY_MB << 20
    with contextlib.suppress(ValueError, OSError):  # macOS refuses RLIMIT_AS; the deadline still holds
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _limit_seconds() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime + SYMBOLIC_CPU_SECONDS) + 1
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def answered(question: Any) -> dict[str, Any]:
    """`{"equal": true | false | null, "reason": str}` for `{"a": tree, "b": tree}`, within the budget of work.

    A question costs the same whatever was asked before: sympy's caches are emptied first.
    """
    from sympy.core.cache import clear_cache
    from sympy.core.random import seed

    clear_cache()
    seed(0)  # `equals` draws points: one question, one answer
    budget = _Budget(MAX_SYMBOLIC_CALLS)
    used_up = {"equal": None, "reason": f"more than MAX_SYMBOLIC_CALLS={MAX_SYMBOLIC_CALLS} calls"}
    sys.setprofile(budget)
    try:
        equal = decide(decode(question["a"]), decode(question["b"]))
        return used_up if budget.left < 0 else {"equal": equal, "reason": ""}  # raised where Python ignores errors
    except WorkDoneError:
        return used_up
    except Exception as error:  # noqa: BLE001  sympy raises anything; the reason goes onto the row
        return {"equal": None, "reason": f"{type(error).__name__}: {error}"[:200]}
    finally:
        sys.setprofile(None)


def main() -> None:
    """Answer questions line by line until the pipe closes."""
    _check_memory()
    import sympy  # noqa: F401  the slow import happens before "ready", outside any question's budget

    answered({"a": ["Sym", "x"], "b": ["Sym", "x"]})  # the imports of a first question
    _limit_memory()
    sys.stdout.write('"ready"\n')
    sys.stdout.flush()
    for line in sys.stdin:
        _limit_seconds()
        sys.stdout.write(json.dumps(answered(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
