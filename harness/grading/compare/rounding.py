"""Decimals of full precision that stand for an exact value."""

from __future__ import annotations

from fractions import Fraction

from harness.grading.compare.agreement import DIGITS, ERRORS
from harness.grading.compare.contexts import precise_context
from harness.grading.compare.numeric import number_value
from harness.grading.grammar.nodes import Neg, Node, Num

FULL_PRECISION_DIGITS = 12  # significant digits from which a decimal may stand for an exact value


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
    m = precise_context(DIGITS)
    try:
        found = number_value(value, {}, m)
    except ERRORS:
        return False
    if m.im(found) != 0:
        return False
    off = (abs(m.re(found)) - abs(m.mpf(exact.numerator) / exact.denominator)) * m.mpf(10) ** places
    same_side = m.re(found) * exact.numerator >= 0
    return bool(same_side and (abs(off) <= 0.5 or 0 <= off < 1))
