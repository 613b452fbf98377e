"""Times of day and dates: "10:15 a.m.", "5:30 PM", "June 20", "20 June". They are no ratios and no products."""

from __future__ import annotations

import re

from harness.grading.compare.comparison import Comparison
from harness.grading.grammar.expressions import Node
from harness.grading.grammar.rational import rational

_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_MAX_CHARS = 60
_WRAPPERS = re.compile(
    r"\\(?:text|textrm|mathrm|mbox|rm|q?quad|displaystyle)(?![A-Za-z])|\\(?:left|right)\.|\\[ ,;:!]|[{}~$]"
)
_TIME = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*([ap])\.?\s?m\.?", re.IGNORECASE)
_DATE = re.compile(
    r"(?:(?P<month>[a-z]{3,9})\.?\s+(?P<day>\d{1,2})|(?P<day2>\d{1,2})\s+(?:of\s+)?(?P<month2>[a-z]{3,9}))(?:,?\s+(?P<year>\d{4}))?",
    re.IGNORECASE,
)
_HALF_DAY = 12 * 60


def moment(text: str) -> Node | None:
    """("time", minutes of the day, whether the half of the day is known), ("date", month, day, year), or None."""
    if len(text) > _MAX_CHARS or not any(c.isdigit() for c in text):
        return None
    bare = _WRAPPERS.sub(" ", text) if "\\" in text or "{" in text else text
    bare = re.sub(r"\s*:\s*", ":", " ".join(bare.split())).rstrip(".") + ("." if bare.rstrip().endswith("m.") else "")
    if (match := _TIME.fullmatch(bare)) and (match.group(2) or " " in bare or "." in bare):
        hour, minute = int(match.group(1)), int(match.group(2) or 0)
        if not (1 <= hour <= 12 and minute < 60):
            return None
        return ("time", hour % 12 * 60 + minute + _HALF_DAY * (match.group(3) in "pP"), True)
    if match := _DATE.fullmatch(bare):
        named = (match.group("month") or match.group("month2")).lower()
        hits = [k for k, month in enumerate(_MONTHS) if month == named or (len(named) == 3 and month.startswith(named))]
        day = int(match.group("day") or match.group("day2"))
        if hits and 1 <= day <= 31:
            return ("date", hits[0] + 1, day, match.group("year") or "")
    return None


def _clock(node: Node) -> Node | None:
    """A time written without "a.m." or "p.m.": 5:30, 17:30, 5."""
    if node[0] not in ("ratio", "num"):
        return None
    parts = [rational(part) for part in node[1]] if node[0] == "ratio" else [node[1], 0]
    if len(parts) != 2 or any(p is None or p.denominator != 1 for p in parts if p != 0):
        return None
    hour, minute = (int(p or 0) for p in parts)
    if not (0 <= hour < 24 and 0 <= minute < 60):
        return None
    return ("time", hour * 60 + minute, hour > 12)


def compare_moments(c: Comparison, a: Node, b: Node) -> bool | None:
    if "date" in (a[0], b[0]):
        c.used("text")
        return a[0] == b[0] and a[1:3] == b[1:3] and (a[3] == b[3] or "" in (a[3], b[3]))
    if "time" not in (a[0], b[0]):
        return None
    c.used("text")
    left, right = (x if x[0] == "time" else _clock(x) if c.policy.units else None for x in (a, b))
    if left is None or right is None:
        return False
    (_, first, known), (_, second, also_known) = left, right
    return bool(first == second if known and also_known else first % _HALF_DAY == second % _HALF_DAY)
