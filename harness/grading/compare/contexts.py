"""The two kinds of arithmetic: floats for a first look, mpmath at any precision."""

from __future__ import annotations

import cmath
import math
import threading
from collections.abc import Mapping
from typing import Any

from harness.grading.grammar.rational import NoValueError

_local = threading.local()


REAL_ONLY = "\0real"  # a key of `env`: nothing on the way may leave the reals


def precise_context(digits: int) -> Any:
    """This thread's own mpmath context (mpmath's global one is shared by all threads), set to `digits`."""
    if not hasattr(_local, "context"):
        from mpmath import MPContext

        _local.context = MPContext()
    _local.context.dps = digits
    return _local.context


def leaves_reals(env: Mapping[str, Any]) -> None:
    """Raises `NoValueError` where everything has to stay real."""
    if REAL_ONLY in env:
        raise NoValueError("not a real number")


LOG_BASE = "\0log"  # a key of `env`: the base of a log that names none (10 without it)


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
    def arg(x: Any) -> float:
        return cmath.phase(x)

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
