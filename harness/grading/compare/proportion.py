"""Whether two sides of equations vanish together: one is a constant, or a power of a name, times the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.grading.compare.agreement import DIGITS, ERRORS
from harness.grading.compare.contexts import precise_context
from harness.grading.compare.numeric import number_value
from harness.grading.compare.probes import real_points
from harness.grading.grammar.nodes import Node
from harness.grading.grammar.tree import symbols


def proportional(a: Node, b: Node, positive: bool = False) -> bool:
    """Whether a / b is one and the same non-zero (`positive`: positive) constant wherever both have values."""
    names = sorted(symbols(a))
    if names != sorted(symbols(b)) or not names:
        return False
    ratios = _ratios(a, b, list(real_points(names))[:9])
    if ratios is None or len(ratios) < 2:
        return False
    m = precise_context(DIGITS)
    if positive and any(m.im(r) != 0 or m.re(r) <= 0 for r in ratios):
        return False
    return all(abs(r - ratios[0]) <= abs(ratios[0]) * m.mpf(10) ** -30 for r in ratios)


def _ratios(a: Node, b: Node, points: Sequence[dict[str, float]]) -> list[Any] | None:
    m = precise_context(DIGITS)
    out = []
    for point in points:
        env = {name: m.mpf(value) for name, value in point.items()}
        try:
            top, bottom = number_value(a, env, m), number_value(b, env, m)
        except ERRORS:
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
    m = precise_context(DIGITS)
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
    m = precise_context(DIGITS)
    try:
        return bool(m.isfinite(number_value(node, {name: m.mpf(v) for name, v in point.items()}, m)))
    except ERRORS:
        return False
