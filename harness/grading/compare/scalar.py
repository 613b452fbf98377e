"""Whether two expressions are the same number or the same function: rationals first, then 50 digits at fixed points."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from harness.grading.compare.numeric import FLOATS, REAL_ONLY, number_value, precise_context
from harness.grading.grammar.expressions import Node
from harness.grading.grammar.rational import NoValueError, rational, symbols
from harness.grading.limits import TooBigError

FULL_PRECISION_DIGITS = 12  # significant digits from which a decimal may stand for an exact value
_DIGITS, _MORE_DIGITS = 50, 160
# Values for the symbols, in order of their names; no two of them, and no simple combination, agree by accident.
_POSITIVE = ("0.7390851332", "1.3187560927", "0.5671432904", "2.2360689775", "1.6449340668", "0.3032653299")
_NEGATIVE = ("-0.6180339857", "-1.2599210499", "-0.4342944819", "-2.0943951024", "-1.4142145624", "-0.2718281828")
_LARGE = ("3.3598856662", "5.1961534227", "2.8284271347", "7.3890560989", "4.6692016091", "6.2831863072")
_POINTS = (_POSITIVE, _LARGE, _NEGATIVE)


class UndecidedError(ValueError):
    """Neither arithmetic nor probing can tell; the symbolic worker may."""


def _points(names: list[str], m: Any) -> list[tuple[dict[str, Any], bool]]:
    """Assignments of the symbols and whether all their values are positive."""
    if not names:
        return [({}, True)]
    if len(names) > 40:
        raise TooBigError("more than 40 symbols")
    out = []
    for row in _POINTS:
        values = {name: m.mpf(row[k % len(row)]) * (1 + k // len(row)) for k, name in enumerate(names)}
        out.append((values, row is not _NEGATIVE))
    return out


def _float_differs(a: Node, b: Node, names: list[str]) -> bool:
    """True where one evaluation in floats shows a difference far beyond rounding."""
    env, _ = _points(names, FLOATS)[0]
    try:
        va, vb = complex(number_value(a, env, FLOATS)), complex(number_value(b, env, FLOATS))
    except (NoValueError, TooBigError, OverflowError, ValueError, ZeroDivisionError):
        return False
    scale = max(abs(va), abs(vb))
    if not 1e-9 < scale < 1e9:
        return False
    return abs(va - vb) > 1e-3 * max(scale, 1e-3)


def _same_at(a: Node, b: Node, env: dict[str, Any], positive: bool) -> bool | None:
    """Whether both trees have one value at `env`; None where one has no value or both leave the reals there."""
    gap: Any = 0
    scale: Any = 0
    for digits in (_DIGITS, _MORE_DIGITS):
        m = precise_context(digits)
        exact: dict[str, Any] = {name: m.mpf(value) for name, value in env.items()}
        if not positive:
            exact[REAL_ONLY] = True
        try:
            va, vb = number_value(a, exact, m), number_value(b, exact, m)
        except (NoValueError, ZeroDivisionError, OverflowError, ValueError) as error:
            if isinstance(error, TooBigError):
                raise
            return None
        if not (m.isfinite(va) and m.isfinite(vb)):
            return None
        if not positive and (abs(m.im(va)) > 1e-30 or abs(m.im(vb)) > 1e-30):
            return None
        gap, scale = abs(va - vb), max(abs(va), abs(vb))
        if gap > scale * m.mpf(10) ** -25 and scale > m.mpf(10) ** -20:
            return False
    return bool(gap < max(scale, 1) * precise_context(_MORE_DIGITS).mpf(10) ** -120)


def rounds_to(shown: Node, value: Node) -> bool:
    """Whether the decimal literal `shown`, of full precision, is `value` rounded or cut at its last digit."""
    negative = shown[0] == "neg"
    literal = shown[1] if negative else shown
    if literal[0] != "num" or literal[2] is None or literal[2] < FULL_PRECISION_DIGITS:
        return False
    exact: Fraction = -literal[1] if negative else literal[1]
    places = 0
    while places < 60 and (exact * 10**places).denominator != 1:
        places += 1
    m = precise_context(_DIGITS)
    try:
        found = number_value(value, {}, m)
    except (NoValueError, ZeroDivisionError, OverflowError, ValueError):
        return False
    if m.im(found) != 0:
        return False
    off = (abs(m.re(found)) - abs(m.mpf(exact.numerator) / exact.denominator)) * m.mpf(10) ** places
    same_side = m.re(found) * exact.numerator >= 0
    return bool(same_side and (abs(off) <= 0.5 or 0 <= off < 1))


def same_value(a: Node, b: Node, full_precision: bool = True) -> tuple[bool, str]:
    """(equal, tier). Symmetric. Raises `UndecidedError`, `TooBigError`."""
    if a == b:
        return True, "structure"
    try:
        ra, rb = rational(a), rational(b)
    except NoValueError as error:
        raise UndecidedError(str(error)) from None
    if ra is not None and rb is not None:
        if ra == rb:
            return True, "rational"
        return full_precision and (rounds_to(a, b) or rounds_to(b, a)), "rational"
    names = sorted(symbols(a) | symbols(b))
    if _float_differs(a, b, names):
        return False, "numeric"
    agreed = 0
    for env, positive in _points(names, precise_context(_DIGITS)):
        same = _same_at(a, b, env, positive)
        if same is False:
            return full_precision and not names and (rounds_to(a, b) or rounds_to(b, a)), "numeric"
        agreed += same is True and positive
    if not agreed:
        raise UndecidedError("no value at any probe point")
    return True, "numeric"


def proportional(a: Node, b: Node, positive: bool = False) -> bool:
    """Whether a / b is one and the same non-zero (`positive`: positive) constant wherever both have values."""
    names = sorted(symbols(a))
    if names != sorted(symbols(b)) or not names:
        return False
    m = precise_context(_DIGITS)
    ratios = []
    for env, _ in _points(names, m):
        try:
            top, bottom = number_value(a, env, m), number_value(b, env, m)
        except (NoValueError, ZeroDivisionError, OverflowError, ValueError):
            continue
        if abs(bottom) < 1e-30 or abs(top) < 1e-30:
            return False
        ratios.append(top / bottom)
    if positive and any(m.im(r) != 0 or m.re(r) <= 0 for r in ratios):
        return False
    return len(ratios) > 1 and all(abs(r - ratios[0]) <= abs(ratios[0]) * m.mpf(10) ** -30 for r in ratios)
