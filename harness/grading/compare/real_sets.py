"""Subsets of the real line as sorted unions of intervals, read from intervals, inequalities and set expressions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.grading.compare.inequalities import solve
from harness.grading.compare.numeric import FLOATS, number_value
from harness.grading.grammar.expressions import Node
from harness.grading.grammar.rational import NoValueError, rational, symbols
from harness.grading.limits import TooBigError

_INF: Node = ("const", "inf")
_MINUS_INF: Node = ("neg", _INF)
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!=", "=": "="}
ORDER_OPS = frozenset(("<", ">", "<=", ">=", "!="))


class End(NamedTuple):
    """One end of an interval: its place as a float (for ordering only), its exact tree, and whether it belongs."""

    at: float
    node: Node
    closed: bool


class Interval(NamedTuple):
    low: End
    high: End


RealSet = tuple[Interval, ...]
ALL: RealSet = (Interval(End(-math.inf, _MINUS_INF, False), End(math.inf, _INF, False)),)


def infinite(node: Node) -> int:
    """+1, -1 for plus or minus infinity, 0 for anything else."""
    if node == _INF:
        return 1
    if node[0] == "neg":
        return -infinite(node[1])
    return 0


def _end(node: Node, closed: bool) -> End:
    sign = infinite(node)
    if sign:
        return End(sign * math.inf, node, closed)  # (2, oo] is no way to write (2, oo)
    try:
        exact = rational(node)
        value = complex(exact) if exact is not None else complex(number_value(node, {}, FLOATS))
    except (NoValueError, TooBigError, OverflowError, ValueError, ZeroDivisionError):
        return End(math.nan, node, closed)
    return End(value.real if abs(value.imag) < 1e-12 else math.nan, node, closed)


def interval(low: Node, low_closed: bool, high: Node, high_closed: bool) -> RealSet | None:
    """The interval between two ends; None when it is certainly empty or backwards."""
    a, b = _end(low, low_closed), _end(high, high_closed)
    if a.at > b.at or (a.at == b.at and not (a.closed and b.closed)):
        return None
    return (Interval(a, b),)


def _ordered(*sets: RealSet) -> bool:
    return not any(math.isnan(e.at) for s in sets for i in s for e in i)


def union(a: RealSet, b: RealSet) -> RealSet | None:
    """None where the order of the ends is not known."""
    if not a or not b:
        return a or b
    if not _ordered(a, b):
        return None
    merged: list[Interval] = []
    for piece in sorted((*a, *b), key=lambda i: (i.low.at, not i.low.closed)):
        if merged:
            last = merged[-1]
            touching = piece.low.at == last.high.at and (piece.low.closed or last.high.closed)
            if piece.low.at < last.high.at or touching:
                high = max(last.high, piece.high, key=lambda e: (e.at, e.closed))
                merged[-1] = Interval(last.low, high)
                continue
        merged.append(piece)
    return tuple(merged)


def complement(a: RealSet) -> RealSet | None:
    if not _ordered(a):
        return None
    out: list[Interval] = []
    low = End(-math.inf, _MINUS_INF, False)
    for piece in a:
        if low.at < piece.low.at or (low.closed and not piece.low.closed):
            out.append(
                Interval(low, End(piece.low.at, piece.low.node, not piece.low.closed and not math.isinf(piece.low.at)))
            )
        low = End(piece.high.at, piece.high.node, not piece.high.closed)
    if low.at < math.inf:
        out.append(Interval(low, End(math.inf, _INF, False)))
    return tuple(out)


def intersection(a: RealSet, b: RealSet) -> RealSet | None:
    not_a, not_b = complement(a), complement(b)
    if not_a is None or not_b is None:
        return None
    either = union(not_a, not_b)
    return None if either is None else complement(either)


def points(nodes: tuple[Node, ...]) -> RealSet | None:
    out: RealSet | None = ()
    for node in nodes:
        end = _end(node, True)
        if out is None or math.isnan(end.at) or math.isinf(end.at):
            return None
        out = union(out, (Interval(end, end),))
    return out


def is_set(node: Node) -> bool:
    """Whether the tree can only mean a set of reals (a bare `(a, b)` may be a point)."""
    kind = node[0]
    if kind in ("union", "cap", "minus", "reals", "empty", "such_that"):
        return True
    if kind == "member":
        return is_set(node[2]) or node[2][0] == "group"
    if kind == "group":
        return len(node[3]) == 2 and (node[1] + node[2]) in ("(]", "[)")
    if kind == "rel":
        return any(op in ORDER_OPS for op in node[2::2])
    return kind == "seq" and all(is_set(part) for part in node[1])


def real_set(node: Node) -> tuple[RealSet, str] | None:
    """The set that a tree describes and the name of its variable ("" where none is named), or None."""
    kind = node[0]
    if kind == "reals":
        return ALL, ""
    if kind == "empty":
        return (), ""
    if kind == "group":
        if node[1] == "{":
            found = points(node[3])
        elif len(node[3]) == 2 and node[1] in "([" and node[2] in ")]":
            found = interval(node[3][0], node[1] == "[", node[3][1], node[2] == "]")
        else:
            found = None
        return None if found is None else (found, "")
    if kind in ("union", "cap", "minus"):
        return _combine(node)
    if kind == "member":
        inner = real_set(node[2])
        name = node[1][1] if node[1][0] == "sym" else ""
        return inner and (inner[0], name)
    if kind == "such_that":
        return real_set(node[2])
    if kind == "rel":
        return _inequality(node)
    if kind == "seq":
        return _several(node)
    return None


def _combine(node: Node) -> tuple[RealSet, str] | None:
    sets = [real_set(part) for part in node[1]]
    if any(s is None for s in sets):
        return None
    result = sets[0][0]  # type: ignore[index]
    for item in sets[1:]:
        other: RealSet | None = item[0]  # type: ignore[index]
        if node[0] == "minus":
            other = complement(other) if other is not None else None
        if other is None:
            return None
        combined = union(result, other) if node[0] == "union" else intersection(result, other)
        if combined is None:
            return None
        result = combined
    return result, ""


def _several(node: Node) -> tuple[RealSet, str] | None:
    first = node[1][0]
    if first[0] == "rel" and len(first) == 4 and first[2] == "!=" and node[2] != "or":  # x != -3, 3
        parts = (p if p[0] == "rel" else ("rel", first[1], "!=", p) for p in node[1])
        node = ("seq", tuple(parts), node[2])
    sets = [real_set(part) for part in node[1]]
    if any(s is None for s in sets):
        return None
    names = {s[1] for s in sets if s and s[1]}
    if len(names) > 1:
        return None
    result: RealSet | None = sets[0][0]  # type: ignore[index]
    if node[2] == "and" or (node[2] == "," and all(part[0] == "rel" and part[2] == "!=" for part in node[1])):
        for item in sets[1:]:
            result = intersection(result, item[0]) if result is not None else None  # type: ignore[index]
    else:  # "x < 1, x > 3" is meant as a union, "x > 1, x < 3" as what both allow
        result = sets[0][0]  # type: ignore[index]
        for item in sets[1:]:
            result = union(result, item[0]) if result is not None else None  # type: ignore[index]
        if node[2] == "," and result == ALL and len(sets) == 2:
            result = intersection(sets[0][0], sets[1][0])  # type: ignore[index]
    return None if result is None else (result, next(iter(names), ""))


def _inequality(node: Node) -> tuple[RealSet, str] | None:
    """`x > 2`, `2 < x <= 5`, `x != 3`, `1 <= |z| <= 2`: the variable stands alone on its side."""
    sides, ops = node[1::2], node[2::2]
    if any(op not in _FLIPPED or op == "=" for op in ops) or len(sides) > 3:
        return None
    subjects = [k for k, side in enumerate(sides) if side[0] == "sym" or (side[0] == "abs" and side[1][0] == "sym")]
    if len(sides) == 3:
        subjects = [k for k in subjects if k == 1]
    if len(subjects) > 1 and len(sides) == 2:
        subjects = subjects[:1]
    if len(subjects) != 1:
        return _solved(sides, ops)
    at = subjects[0]
    subject = sides[at]
    name = subject[1] if subject[0] == "sym" else subject[1][1]
    result: RealSet | None = ALL
    for k, op in enumerate(ops):
        bound, turned = (sides[k], _FLIPPED[op]) if k + 1 == at else (sides[k + 1], op)
        if name in symbols(bound):
            return _solved(sides, ops)
        piece = _half_line(bound, turned) if subject[0] == "sym" else _absolute(bound, turned)
        if piece is None or result is None:
            return None
        if result is ALL:
            result = piece
        elif not _ordered(piece, result):
            low, high = (piece, result) if math.isinf(piece[0].high.at) else (result, piece)
            result = (Interval(low[0].low, high[0].high),)
        else:
            result = intersection(result, piece)
    return None if result is None else (result, name)


def _solved(sides: Sequence[Node], ops: Sequence[str]) -> tuple[RealSet, str] | None:
    """The set of an inequality in which the variable does not stand alone."""
    result: RealSet | None = ALL
    names: set[str] = set()
    for left, op, right in zip(sides, ops, sides[1:], strict=False):
        found = solve(left, op, right)
        if found is None or result is None:
            return None
        pieces, name = found
        names.add(name)
        part: RealSet | None = ()
        for low, low_closed, high, high_closed in pieces:
            piece = interval(low or _MINUS_INF, low_closed, high or _INF, high_closed)
            part = union(part, piece) if part is not None and piece is not None else part
        result = intersection(result, part) if part is not None else None
    return (result, names.pop()) if result is not None and len(names) == 1 else None


def _half_line(bound: Node, op: str) -> RealSet | None:
    if op == "!=":
        spot = points((bound,))
        return None if spot is None else complement(spot)
    if op in ("<", "<="):
        return interval(_MINUS_INF, False, bound, op == "<=")
    return interval(bound, op == ">=", _INF, False)


def _absolute(bound: Node, op: str) -> RealSet | None:
    inside = interval(("neg", bound), op in ("<=", ">"), bound, op in ("<=", ">"))
    if op in ("<", "<="):
        return inside if inside is not None else ()
    if op in (">", ">="):
        return ALL if inside is None else complement(inside)
    return None
