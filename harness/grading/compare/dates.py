"""Times of day and dates: "10:15 a.m.", "5:30 PM", "June 20", "2024-06-20". They are no ratios and no products."""

from __future__ import annotations

import re

from harness.grading.compare.comparison import Comparison
from harness.grading.grammar.nodes import Date, Node, Num, Ratio, Time
from harness.grading.grammar.rational import rational

_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_MAX_CHARS = 60
_WRAPPERS = re.compile(
    r"\\(?:text|textrm|mathrm|mbox|rm|q?quad|displaystyle)(?![A-Za-z])|\\(?:left|right)\.|\\[ ,;:!]|[{}~$]"
)
_TIME = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*([ap])\.?\s?m\.?", re.IGNORECASE)
_DATE = re.compile(
    r"(?:(?P<month>[a-z]{3,9})\.?\s+(?P<day>\d{1,2})|(?P<day2>\d{1,2})\s+(?:of\s+)?(?P<month2>[a-z]{3,9}))(?:,?\s+(?P<year>\d{4}))?",
    re.IGNORECASE,
)
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_HALF_DAY = 12 * 60
_NAMED_TIMES = {"noon": _HALF_DAY, "12 noon": _HALF_DAY, "midday": _HALF_DAY, "midnight": 0}


def moment(text: str) -> Node | None:
    """The time or the date that `text` is, or None."""
    if len(text) > _MAX_CHARS:
        return None
    bare = _WRAPPERS.sub(" ", text) if "\\" in text or "{" in text else text
    if not any(c.isdigit() for c in bare):
        minutes = _NAMED_TIMES.get(bare.strip(" .").casefold())
        return None if minutes is None else Time(minutes, True)
    bare = re.sub(r"\s*:\s*", ":", " ".join(bare.split())).rstrip(".") + ("." if bare.rstrip().endswith("m.") else "")
    if (match := _TIME.fullmatch(bare)) and (match.group(2) or " " in bare or "." in bare):
        hour, minute = int(match.group(1)), int(match.group(2) or 0)
        if not (1 <= hour <= 12 and minute < 60):
            return None
        return Time(hour % 12 * 60 + minute + _HALF_DAY * (match.group(3) in "pP"), True)
    if (match := _ISO.fullmatch(bare)) and 1 <= int(match.group(2)) <= 12 and 1 <= int(match.group(3)) <= 31:
        return Date(int(match.group(2)), int(match.group(3)), match.group(1))
    if match := _DATE.fullmatch(bare):
        named = (match.group("month") or match.group("month2")).lower()
        hits = [k for k, month in enumerate(_MONTHS) if month == named or (len(named) == 3 and month.startswith(named))]
        day = int(match.group("day") or match.group("day2"))
        if hits and 1 <= day <= 31:
            return Date(hits[0] + 1, day, match.group("year") or "")
    return None


def _clock(node: Node) -> Time | None:
    """A time written without "a.m." or "p.m.": 5:30, 17:30, 5."""
    match node:
        case Ratio(parts=(first, second)):
            hour, minute = rational(first), rational(second)
        case Num(value=value):
            hour, minute = value, None
        case _:
            return None
    if hour is None or hour.denominator != 1 or (minute is not None and minute.denominator != 1):
        return None
    if not (0 <= hour < 24 and 0 <= (minute or 0) < 60):
        return None
    return Time(int(hour) * 60 + int(minute or 0), hour > 12)


def compare_moments(c: Comparison, a: Node, b: Node) -> bool | None:
    """The rule for dates and times of the day; None where it does not apply to these two."""
    if isinstance(a, Date) or isinstance(b, Date):
        c.used("text")
        if not (isinstance(a, Date) and isinstance(b, Date)):
            return False
        return (a.month, a.day) == (b.month, b.day) and (a.year == b.year or "" in (a.year, b.year))
    if not (isinstance(a, Time) or isinstance(b, Time)):
        return None
    c.used("text")
    left, right = (x if isinstance(x, Time) else _clock(x) if c.policy.units else None for x in (a, b))
    if left is None or right is None:
        return False
    if left.known and right.known:
        return left.minutes == right.minutes
    return left.minutes % _HALF_DAY == right.minutes % _HALF_DAY
