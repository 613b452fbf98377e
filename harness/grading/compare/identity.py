"""Whether two expressions are one number or one function: refuted by points, accepted only for a reason.

- Rational arithmetic decides exactly. Numbers without symbols are compared at 50 and at 160 digits.
- Points *refute*: random ones over the domain, negative, large, between and on integers, around every kink.
- What is analytic between its branch points is *accepted* when it agrees at random points of high precision. Two
  different analytic functions agree only on a set of measure zero (for polynomials of degree d, at a random point of N
  with probability at most d/N, Schwartz and Zippel); here N is about 10^15 for each point and two 160-digit values
  agree to 120 digits, so the chance of a wrong accept is far below that of a bit flip.
- What is *piecewise* (abs, max, min, sign, roots of squares, cases; floor, ceil, mod on the reals or the integers) is
  accepted by one of three proofs: equal after its parts are matched as unknowns; equal on every cell between its
  breakpoints, all of which are known; for steps with rational slopes, equal over more periods than the degree allows
  (a polynomial of degree d that vanishes at d+1 points of a residue class vanishes on it). Else sympy is asked
  (`UndecidedError`), and what sympy cannot prove stays undecided.
- Names that stand for integers by custom (n, k, m, j, l, N) are integers where the expressions differ on the reals.
- Both sides are compared where both have real values.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

from harness.grading.compare.numeric import FLOATS, LOG_BASE, REAL_ONLY, number_value, precise_context
from harness.grading.compare.probes import (
    integer_points,
    kink_points,
    polynomial,
    real_points,
    switches,
    zeros,
)
from harness.grading.grammar.nodes import (
    Add,
    Big,
    Binom,
    Cases,
    Const,
    Div,
    Fact,
    Fn,
    Mul,
    Neg,
    Node,
    Num,
    Pow,
    Rel,
    Root,
    Sym,
    holds,
    mapped,
    symbols,
    walk,
)
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.limits import TooBigError

FULL_PRECISION_DIGITS = 12  # significant digits from which a decimal may stand for an exact value
INTEGER_NAMES = frozenset(("n", "k", "m", "j", "l", "N"))
_DIGITS, _MORE_DIGITS = 50, 160
_PRECISE_POINTS = 5
_MIN_AGREED = 3
_MAX_BENDS = 5  # absolute values whose signs are all tried
_MAX_PERIODS = 600  # points of a proof over residue classes
_ERRORS = (NoValueError, ZeroDivisionError, OverflowError, ValueError)


class UndecidedError(ValueError):
    """Neither arithmetic nor a proof over cells can tell; the symbolic worker may."""


@dataclass(frozen=True)
class _Domain:
    """Where points are taken: which names are integers, whether everything stays real, what `log` means."""

    integers: tuple[str, ...] = ()
    reals: tuple[str, ...] = ()
    real_only: bool = True
    log_base: str = ""

    def env(self, point: dict[str, float], m: Any) -> dict[str, Any]:
        out: dict[str, Any] = {name: m.mpf(value) for name, value in point.items()}
        if self.real_only:
            out[REAL_ONLY] = True
        if self.log_base:
            out[LOG_BASE] = m.e
        return out


# --- single points ----------------------------------------------------------------------------------------------


def _cheap(a: Node, b: Node, point: dict[str, float], domain: _Domain) -> bool | None:
    """False where floats show a difference far beyond rounding, True where they agree, None without two values."""
    env = domain.env(point, FLOATS)
    try:
        va, vb = complex(number_value(a, env, FLOATS)), complex(number_value(b, env, FLOATS))
    except (*_ERRORS, TooBigError):
        return None
    scale = max(abs(va), abs(vb))
    if scale != scale or scale > 1e12:
        return None
    return not abs(va - vb) > 1e-6 * max(scale, 1e-9)


def _precisely(a: Node, b: Node, point: dict[str, float], domain: _Domain) -> bool | None:
    """Whether both trees have one value at `point`, to 120 digits; None where one has none. Raises `TooBigError`."""
    gap: Any = 0
    scale: Any = 0
    for digits in (_DIGITS, _MORE_DIGITS):
        m = precise_context(digits)
        env = domain.env(point, m)
        try:
            va, vb = number_value(a, env, m), number_value(b, env, m)
        except _ERRORS as error:
            if isinstance(error, TooBigError):
                raise
            return None
        if not (m.isfinite(va) and m.isfinite(vb)):
            return None
        if domain.real_only and (abs(m.im(va)) > 1e-30 or abs(m.im(vb)) > 1e-30):
            return None
        gap, scale = abs(va - vb), max(abs(va), abs(vb))
        if gap > scale * m.mpf(10) ** -25 and scale > m.mpf(10) ** -20:
            return False
    return bool(gap < max(scale, 1) * precise_context(_MORE_DIGITS).mpf(10) ** -120)


def _agree(a: Node, b: Node, points: Sequence[dict[str, float]], domain: _Domain, enough: int = 10**9) -> int | None:
    """How many of the points (at most `enough`) have two equal values, at high precision; None once two differ."""
    agreed = 0
    for point in points:
        same = _precisely(a, b, point, domain)
        if same is False:
            return None
        agreed += same is True
        if agreed >= enough:
            break
    return agreed


# --- the decision -----------------------------------------------------------------------------------------------


def same_value(a: Node, b: Node, full_precision: bool = True, natural_log: bool = True) -> tuple[bool, str]:
    """Whether two expressions are equal, and the tier that told.

    Args:
        a: A tree with numbers: no sets, lists or relations.
        b: Another.
        full_precision: Whether a decimal of 12 or more digits may stand for the value that it rounds to.
        natural_log: Whether a `log` without a base may also be the natural one, on both sides.

    Raises:
        UndecidedError: where there is neither a refutation nor a proof.
        TooBigError: beyond a limit.
    """
    if a == b:
        return True, "structure"
    match a, b:
        case Pow(base=Num(value=base), exponent=x), Pow(base=Num(value=other), exponent=y) if base == other > 1:
            return same_value(x, y, False, natural_log)  # towers beyond every limit
    try:
        ra, rb = rational(a), rational(b)
    except NoValueError as error:
        raise UndecidedError(str(error)) from None
    if ra is not None and rb is not None:
        if ra == rb:
            return True, "rational"
        return full_precision and (rounds_to(a, b) or rounds_to(b, a)), "rational"
    names = sorted(symbols(a) | symbols(b))
    if len(names) > 40:
        raise TooBigError("more than 40 symbols")
    bare_log = natural_log and any(
        isinstance(x, Fn) and x.name == "log" and len(x.args) == 1 for node in (a, b) for x in walk(node)
    )
    try:
        equal = _numbers(a, b) if not names else _functions(a, b, names)
    except UndecidedError:
        if not bare_log:
            raise
        equal = False
    if not equal and bare_log:
        equal = _numbers(a, b, "e") if not names else _functions(a, b, names, "e")
    if not equal and full_precision and not names:
        equal = rounds_to(a, b) or rounds_to(b, a)
    return equal, "numeric"


def _numbers(a: Node, b: Node, log_base: str = "") -> bool:
    domain = _Domain(real_only=False, log_base=log_base)
    if _cheap(a, b, {}, domain) is False and _precisely(a, b, {}, domain) is False:
        return False
    same = _precisely(a, b, {}, domain)
    if same is None:
        raise UndecidedError("no value")
    return same


def _functions(a: Node, b: Node, names: Sequence[str], log_base: str = "") -> bool:
    """Equality of two expressions with symbols."""
    complex_numbers = (holds(a, Const) and Const("i") in walk(a)) or Const("i") in walk(b)
    domain = _Domain(reals=tuple(names), real_only=not complex_numbers, log_base=log_base)
    found = switches(a, b)
    verdict = _over_reals(a, b, names, found, domain)
    if verdict is True:
        return True
    integers = tuple(name for name in names if name in INTEGER_NAMES)
    if not integers:  # what stands in a gcd is a natural number
        arithmetic = [x for node in (a, b) for x in walk(node) if isinstance(x, Fn) and x.name in ("gcd", "lcm")]
        integers = tuple(sorted(frozenset[str]().union(*(symbols(x) for x in arithmetic))))
    if integers:
        others = tuple(name for name in names if name not in integers)
        whole = _Domain(integers, others, domain.real_only, log_base)
        over_integers = _over_integers(a, b, whole, found)
        if over_integers is not None:
            return over_integers
    if verdict is None:
        raise UndecidedError("no proof that the two are equal")
    return verdict


def _over_reals(
    a: Node, b: Node, names: Sequence[str], found: Sequence[tuple[str, Node]], domain: _Domain
) -> bool | None:
    """True with a proof, False with a point, None without either."""
    usable: list[dict[str, float]] = []
    for point in itertools.chain(real_points(names), kink_points(found, names) if found else ()):
        same = _cheap(a, b, point, domain)
        if same is False and _precisely(a, b, point, domain) is False:
            return False
        if same is not None:
            usable.append(point)
    if not usable:  # huge values, binomials: floats have none
        usable = [p for k, p in enumerate(real_points(names)) if k < 8]
    agreed = _agree(a, b, usable, domain, _PRECISE_POINTS)
    if agreed is None:
        return False
    if agreed < _MIN_AGREED:
        if domain.real_only:  # no real value anywhere: principal values
            return (
                _over_reals(a, b, names, found, _Domain((), domain.reals, False, domain.log_base))
                if not found or all(kind == "root" for kind, _ in found)
                else None
            )
        return None
    if holds(a, Big) or holds(b, Big):
        return None
    if all(kind == "root" for kind, _ in found):
        return _between_branch_points(a, b, names, found, usable, domain)
    return _piecewise(a, b, names, found, domain)


def _between_branch_points(
    a: Node,
    b: Node,
    names: Sequence[str],
    found: Sequence[tuple[str, Node]],
    usable: Sequence[dict[str, float]],
    domain: _Domain,
) -> bool | None:
    """Roots only: analytic on every part of the domain, so equal where equal at random points of each part.

    For one name the parts end at the zeros of the radicands; for several, points of all sizes and signs are taken.
    """
    if len(names) == 1 and found:
        return _cells(a, b, names[0], found, domain)
    agreed = _agree(a, b, usable[:: max(1, len(usable) // 16)], domain)
    return False if agreed is None else agreed >= _MIN_AGREED


# --- proofs for what is piecewise -------------------------------------------------------------------------------


def _piecewise(
    a: Node, b: Node, names: Sequence[str], found: Sequence[tuple[str, Node]], domain: _Domain
) -> bool | None:
    if _equal_as_unknowns(a, b, domain):
        return True
    steps = any(kind == "step" for kind, _ in found)
    if len(names) == 1:
        return _periods(a, b, names[0], found, domain, whole=False) if steps else _cells(a, b, names[0], found, domain)
    return None if steps else _all_signs(a, b, names, domain)


def _cells(a: Node, b: Node, name: str, found: Sequence[tuple[str, Node]], domain: _Domain) -> bool | None:
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
        agreed = _agree(a, b, points, domain)
        if agreed is None:
            return False
        seen += agreed
    for point in breaks:
        close = Fraction(point).limit_denominator(10_000)
        if abs(float(close) - point) < 1e-12 and _precisely(a, b, {name: float(close)}, domain) is False:
            return False if close.denominator & (close.denominator - 1) == 0 else None
    return True if seen >= _MIN_AGREED else None


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
        case Fn(name="mod", args=(value, Num(value=modulus))) if modulus > 0 and modulus.denominator == 1:
            linear = polynomial(value, name)
            if linear is None or any(c.denominator != 1 for c in linear):
                return None
            return int(modulus), 0
    if not symbols(node):
        return 1, 0
    return None


def _periods(
    a: Node, b: Node, name: str, found: Sequence[tuple[str, Node]], domain: _Domain, whole: bool
) -> bool | None:
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
        same = _cheap(a, b, {name: point}, domain)
        if same is False:
            return False
        agreed += same is True
    return True if agreed >= min(len(points), degree + 2) else None


def _equal_as_unknowns(a: Node, b: Node, domain: _Domain) -> bool:
    """Whether a and b agree once their piecewise parts are replaced by unknowns, equal parts by the same one.

    floor(u + k) is floor(u) + k for a whole k, ceil(u) is -floor(-u), |u| is |-u|, max(u, v) is (u + v + |u - v|) / 2.
    """
    atoms: list[tuple[str, Node, Sym]] = []
    left, right = _with_unknowns(a, atoms, domain), _with_unknowns(b, atoms, domain)
    if left is None or right is None:
        return False
    if left == right:
        return True
    if switches(left, right) and not all(kind == "root" for kind, _ in switches(left, right)):
        return False
    names = sorted(symbols(left) | symbols(right))
    points = list(real_points(names, seed=5))
    agreed = _agree(left, right, points, domain, 12)
    return agreed is not None and agreed >= _MIN_AGREED


def _with_unknowns(node: Node, atoms: list[tuple[str, Node, Sym]], domain: _Domain) -> Node | None:
    """The tree with unknowns for its abs, floor, ceil, frac, mod, max and min; None where one is of another kind."""
    failed = False

    def change(part: Node) -> Node:
        nonlocal failed
        part = mapped(part, change)
        match part:
            case Fn(name="abs", args=(u,)) if symbols(u):
                return _unknown("abs", u, atoms, domain)
            case Root(radicand=Pow(base=u, exponent=Num(value=power)), index=Num(value=index)) if (
                power == index and index % 2 == 0 and symbols(u)
            ):
                return _unknown("abs", u, atoms, domain)
            case Fn(name="max" | "min", args=(u, v)) if symbols(u) | symbols(v):
                gap = _unknown("abs", Add((u, Neg(v))), atoms, domain)
                gap = gap if part.name == "max" else Neg(gap)
                return Div(Add((u, v, gap)), Num(Fraction(2)))
            case Fn(name="floor", args=(u,)) if symbols(u):
                return _unknown("floor", u, atoms, domain)
            case Fn(name="ceil", args=(u,)) if symbols(u):
                return Neg(_unknown("floor", Neg(u), atoms, domain))
            case Fn(name="frac", args=(u,)) if symbols(u):
                return Add((u, Neg(_unknown("floor", u, atoms, domain))))
            case Fn(name="mod", args=(u, v)) if symbols(u) | symbols(v):
                return Add((u, Neg(Mul((v, _unknown("floor", Div(u, v), atoms, domain))))))
            case Fn(name="max" | "min" | "gcd" | "lcm" | "sgn" | "sign") | Cases() if symbols(part):
                failed = True
        return part

    changed = change(node)
    return None if failed else changed


def _unknown(kind: str, u: Node, atoms: list[tuple[str, Node, Sym]], domain: _Domain) -> Node:
    """The unknown for |u| or floor(u): an earlier one where the arguments are provably alike."""
    for known, v, name in atoms:
        if known != kind:
            continue
        if u == v or _analytic_equal(u, v, domain):
            return name
        if kind == "abs" and _analytic_equal(u, Neg(v), domain):
            return name
        if kind == "floor" and (shift := _whole_difference(u, v, domain)) is not None:
            return Add((name, Num(Fraction(shift))))
    name = Sym(f"\0{kind}{len(atoms)}")
    atoms.append((kind, u, name))
    return name


def _analytic_equal(u: Node, v: Node, domain: _Domain) -> bool:
    if switches(u, v) and not all(kind == "root" for kind, _ in switches(u, v)):
        return False
    points = list(real_points(sorted(symbols(u) | symbols(v)), seed=3))
    agreed = _agree(u, v, points[:14], domain, 6)
    return agreed is not None and agreed >= _MIN_AGREED


def _whole_difference(u: Node, v: Node, domain: _Domain) -> int | None:
    """The whole number k with u = v + k everywhere, or None."""
    point = next(iter(real_points(sorted(symbols(u) | symbols(v)), seed=3)))
    try:
        env = domain.env(point, FLOATS)
        gap = complex(number_value(u, env, FLOATS)) - complex(number_value(v, env, FLOATS))
    except (*_ERRORS, TooBigError):
        return None
    k = round(gap.real)
    if not k or abs(k) > 10**6 or abs(gap - k) > 1e-9:
        return None
    return k if _analytic_equal(u, Add((v, Num(Fraction(k)))), domain) else None


def _all_signs(a: Node, b: Node, names: Sequence[str], domain: _Domain) -> bool | None:
    """Equality for every choice of signs of the absolute values, each an analytic identity of several names."""
    atoms: list[tuple[str, Node, Sym]] = []
    left, right = _with_unknowns(a, atoms, domain), _with_unknowns(b, atoms, domain)
    if left is None or right is None or len(atoms) > _MAX_BENDS or any(kind != "abs" for kind, _, _ in atoms):
        return None
    for signs in itertools.product((False, True), repeat=len(atoms)):
        one, other = left, right
        for (_, u, name), negative in zip(reversed(atoms), signs, strict=True):
            value = Neg(u) if negative else u
            one, other = _put(one, name, value), _put(other, name, value)
        if not _analytic_equal(one, other, domain):
            return None
    return True


def _put(node: Node, name: Sym, value: Node) -> Node:
    return value if node == name else mapped(node, lambda part: _put(part, name, value))


# --- integers ---------------------------------------------------------------------------------------------------


def _over_integers(a: Node, b: Node, domain: _Domain, found: Sequence[tuple[str, Node]]) -> bool | None:
    """As `_over_reals` with whole numbers for some names.

    Sums of polynomials times exponentials (and roots of unity) with k terms of degree d vanish everywhere once they
    vanish at k(d+1) consecutive integers; forty are taken. Factorials and sums have to agree at all of these as well.
    """
    points = list(integer_points(domain.integers, domain.reals))
    if not INTEGER_NAMES & set(domain.integers):
        points = [p for p in points if all(p[name] > 0 for name in domain.integers)]
    usable: list[dict[str, float]] = []
    for point in points:
        same = _cheap(a, b, point, domain)
        if same is False and _precisely(a, b, point, domain) is False:
            return False
        if same is not None:
            usable.append(point)
    exact = usable[:40:3] if len(usable) >= 8 else list(points[:14])
    agreed = _agree(a, b, exact, domain)
    if agreed is None:
        return False
    if agreed < _MIN_AGREED or len(usable) + agreed < 8:
        return None
    kinds = {kind for kind, _ in found}
    if holds(a, Big) or holds(b, Big):
        return True if _by_induction(a, b, domain) else None
    if not kinds & {"step", "bend"}:
        return True if not any(_unbounded_class(node) for node in (a, b)) or len(usable) >= 8 else None
    if _equal_as_unknowns(a, b, domain):
        return True
    if len(domain.integers) == 1 and not domain.reals and "bend" not in kinds:
        return _periods(a, b, domain.integers[0], found, domain, whole=True)
    return None


def _unbounded_class(node: Node) -> bool:
    return holds(node, Fact, Binom)


def _by_induction(a: Node, b: Node, domain: _Domain) -> bool:
    """Whether a sum or product to n equals a closed form: one step and the first value, both checked.

    S(n) - S(n-1) = t(n) for a sum and S(n) / S(n-1) = t(n) for a product are identities without the operator.
    """
    big, closed = (a, b) if isinstance(a, Big) else (b, a)
    if not isinstance(big, Big) or holds(closed, Big) or big.kind not in ("sum", "prod"):
        return False
    match big:
        case Big(lower=Rel(sides=sides), upper=upper, body=body) if upper is not None and len(symbols(upper)) == 1:
            n = next(iter(symbols(upper)))
        case _:
            return False
    slope = polynomial(upper, n)
    if n not in domain.integers or slope is None or len(slope) != 2 or slope[1] != 1:
        return False
    if len(sides) != 2 or not isinstance(sides[0], Sym) or holds(body, Big) or switches(body, closed):
        return False
    term = _put(body, sides[0], upper)
    before = _put(closed, Sym(n), Add((Sym(n), Num(Fraction(-1)))))
    step = Add((closed, Neg(before))) if big.kind == "sum" else Div(closed, before)
    points = [p for p in integer_points(domain.integers, domain.reals) if p[n] >= 2][:24]
    agreed = _agree(step, term, points, domain)
    return agreed is not None and agreed >= 12  # the first values were compared already


# --- other uses of points ---------------------------------------------------------------------------------------


def rounds_to(shown: Node, value: Node) -> bool:
    """Whether the decimal literal `shown`, of full precision, is `value` rounded or cut at its last digit."""
    literal = shown.body if isinstance(shown, Neg) else shown
    other = value.body if isinstance(value, Neg) else value
    if not isinstance(literal, Num) or literal.digits is None or literal.digits < FULL_PRECISION_DIGITS:
        return False
    if isinstance(other, Num) and other.digits is not None and other.digits >= FULL_PRECISION_DIGITS:
        return False  # two such decimals are compared as they stand
    exact: Fraction = -literal.value if isinstance(shown, Neg) else literal.value
    places = 0
    while places < 60 and (exact * 10**places).denominator != 1:
        places += 1
    m = precise_context(_DIGITS)
    try:
        found = number_value(value, {}, m)
    except _ERRORS:
        return False
    if m.im(found) != 0:
        return False
    off = (abs(m.re(found)) - abs(m.mpf(exact.numerator) / exact.denominator)) * m.mpf(10) ** places
    same_side = m.re(found) * exact.numerator >= 0
    return bool(same_side and (abs(off) <= 0.5 or 0 <= off < 1))


def proportional(a: Node, b: Node, positive: bool = False) -> bool:
    """Whether a / b is one and the same non-zero (`positive`: positive) constant wherever both have values."""
    names = sorted(symbols(a))
    if names != sorted(symbols(b)) or not names:
        return False
    ratios = _ratios(a, b, list(real_points(names))[:9])
    if ratios is None or len(ratios) < 2:
        return False
    m = precise_context(_DIGITS)
    if positive and any(m.im(r) != 0 or m.re(r) <= 0 for r in ratios):
        return False
    return all(abs(r - ratios[0]) <= abs(ratios[0]) * m.mpf(10) ** -30 for r in ratios)


def _ratios(a: Node, b: Node, points: Sequence[dict[str, float]]) -> list[Any] | None:
    m = precise_context(_DIGITS)
    out = []
    for point in points:
        env = {name: m.mpf(value) for name, value in point.items()}
        try:
            top, bottom = number_value(a, env, m), number_value(b, env, m)
        except _ERRORS:
            continue
        if abs(bottom) < 1e-30 or abs(top) < 1e-30:
            return None
        out.append(top / bottom)
    return out


def same_zeros_up_to_a_name(a: Node, b: Node) -> bool:
    """Whether a = c * s^p * b for names s and a constant c, where the factor loses and adds no zero.

    `y - 1/x` and `xy - 1` have the same zeros: the factor x vanishes only where the first has no value.
    """
    names = sorted(symbols(a) | symbols(b))
    m = precise_context(_DIGITS)
    base = next(iter(real_points(names)))
    start = _ratios(a, b, [base])
    if not start:
        return False
    powers: dict[str, int] = {}
    for name in names:
        moved = _ratios(a, b, [{**base, name: base[name] * 2}])
        if not moved:
            return False
        power = m.log(abs(moved[0] / start[0])) / m.log(2)
        if abs(power - round(power)) > 1e-12 or abs(power) > 4:
            return False
        powers[name] = round(power)
    if not any(powers.values()):
        return False

    def monomial(point: dict[str, float]) -> Any:
        return m.fprod(m.mpf(point[name]) ** power for name, power in powers.items())

    constant = start[0] / monomial(base)
    for point in list(real_points(names))[1:8]:
        ratio = _ratios(a, b, [point])
        if ratio and abs(ratio[0] - constant * monomial(point)) > abs(ratio[0]) * m.mpf(10) ** -25:
            return False
    # where the factor vanishes it must add no zero
    return not any(p and _has_value(b if p > 0 else a, {**base, name: 0.0}) for name, p in powers.items())


def _has_value(node: Node, point: dict[str, float]) -> bool:
    m = precise_context(_DIGITS)
    try:
        return bool(m.isfinite(number_value(node, {name: m.mpf(v) for name, v in point.items()}, m)))
    except _ERRORS:
        return False
