"""How a figure and its bounds are printed, in every table, sentence and page."""

from __future__ import annotations

MISSING = "–"


def shown(value: float, digits: int = 1, signed: bool = False) -> str:
    """A figure as text: thousands apart, and no sign before a zero, not even of one that was rounded; NaN as a dash.

    Args:
        value: The figure in the unit that is printed.
        digits: Digits after the point.
        signed: Whether a positive figure has its sign, as differences have.
    """
    if value != value:
        return MISSING
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    return text if text.strip("+-0.") else text.lstrip("+-")


def bounds(low: float, high: float, digits: int = 1, signed: bool = False) -> str:
    """An interval as text, e.g. `[-4.5, +2.8]`."""
    return f"[{shown(low, digits, signed)}, {shown(high, digits, signed)}]"


def in_percent(share: float, signed: bool = False) -> str:
    """A fraction as text in percent or points, one digit after the point."""
    return shown(100 * share, 1, signed)


def percent_bounds(low: float, high: float, signed: bool = False) -> str:
    """An interval of fractions as text, e.g. `[-4.5, +2.8]`."""
    return bounds(100 * low, 100 * high, 1, signed)
