"""Two trees at single points: refuted by floats, compared at 50 and at 160 digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.grading.compare.contexts import FLOATS, LOG_BASE, REAL_ONLY, precise_context
from harness.grading.compare.numeric import number_value
from harness.grading.compare.probes import real_points, switches
from harness.grading.grammar.nodes import Node
from harness.grading.grammar.rational import NoValueError
from harness.grading.grammar.tree import symbols
from harness.grading.limits import TooBigError

DIGITS, _MORE_DIGITS = 50, 160


MIN_AGREED = 3


ERRORS = (NoValueError, ZeroDivisionError, OverflowError, ValueError)


class UndecidedError(ValueError):
    """Neither arithmetic nor a proof over cells can tell; the symbolic worker may."""


@dataclass(frozen=True)
class Domain:
    """Where points are taken: which names are integers, whether everything stays real, what `log` means."""

    integers: tuple[str, ...] = ()
    reals: tuple[str, ...] = ()
    real_only: bool = True
    log_base: str = ""

    def env(self, point: dict[str, float], m: Any) -> dict[str, Any]:
        """The values of the names at `point` in the arithmetic `m`, and what is asked of every value."""
        out: dict[str, Any] = {name: m.mpf(value) for name, value in point.items()}
        if self.real_only:
            out[REAL_ONLY] = True
        if self.log_base:
            out[LOG_BASE] = m.e
        return out


def cheap(a: Node, b: Node, point: dict[str, float], domain: Domain) -> bool | None:
    """False where floats show a difference far beyond rounding, True where they agree, None without two values."""
    env = domain.env(point, FLOATS)
    try:
        va, vb = complex(number_value(a, env, FLOATS)), complex(number_value(b, env, FLOATS))
    except (*ERRORS, TooBigError):
        return None
    scale = max(abs(va), abs(vb))
    if scale != scale or scale > 1e12:
        return None
    return not abs(va - vb) > 1e-6 * max(scale, 1e-9)


def precisely(a: Node, b: Node, point: dict[str, float], domain: Domain) -> bool | None:
    """Whether both trees have one value at `point`, to 120 digits; None where one has none. Raises `TooBigError`."""
    gap: Any = 0
    scale: Any = 0
    for digits in (DIGITS, _MORE_DIGITS):
        m = precise_context(digits)
        env = domain.env(point, m)
        try:
            va, vb = number_value(a, env, m), number_value(b, env, m)
        except ERRORS as error:
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


def agree(a: Node, b: Node, points: Sequence[dict[str, float]], domain: Domain, enough: int = 10**9) -> int | None:
    """How many of the points (at most `enough`) have two equal values, at high precision; None once two differ."""
    agreed = 0
    for point in points:
        same = precisely(a, b, point, domain)
        if same is False:
            return None
        agreed += same is True
        if agreed >= enough:
            break
    return agreed


def analytic_equal(u: Node, v: Node, domain: Domain) -> bool:
    """Whether two trees without piecewise parts agree at enough random points."""
    if switches(u, v) and not all(kind == "root" for kind, _ in switches(u, v)):
        return False
    points = list(real_points(sorted(symbols(u) | symbols(v)), seed=3))
    agreed = agree(u, v, points[:14], domain, 6)
    return agreed is not None and agreed >= MIN_AGREED
