"""Subsets of the real line as sorted unions of intervals, read from intervals, inequalities and set expressions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.grading.compare.contexts import FLOATS
from harness.grading.compare.inequalities import solve
from harness.grading.compare.numeric import number_value
from harness.grading.grammar.nodes import (
    INFINITY,
    ZERO,
    Call,
    Empty,
    Fn,
    Group,
    Member,
    Neg,
    Node,
    NumberSet,
    Rel,
    Seq,
    SetOp,
    SuchThat,
    Sym,
)
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.grammar.tree import symbols
from harness.grading.limits import TooBigError

_MINUS_INF: Node = Neg(INFINITY)
_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "!=": "!=", "=": "="}
ORDER_OPS = frozenset(("<", ">", "<=", ">=", "!="))


class End(NamedTuple):
    """One end of an interval: its place as a float (for ordering only), its exact tree, and whether it belongs."""

    at: float
    node: Node
    closed: bool


class Interval(NamedTuple):
    """An interval between two ends; a point where they are one."""

    low: End
    high: End


RealSet = tuple[Interval, ...]
ALL: RealSet = (Interval(End(-math.inf, _MINUS_INF, False), End(math.inf, INFINITY, False)),)


def infinite(node: Node) -> int:
    """+1, -1 for plus or minus infinity, 0 for anything else."""
    if node == INFINITY:
        return 1
    return -infinite(node.body) if isinstance(node, Neg) else 0


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
    """What `a` leaves of the real line; None where its ends cannot be ordered."""
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
        out.append(Interval(low, End(math.inf, INFINITY, False)))
    return tuple(out)


def intersection(a: RealSet, b: RealSet) -> RealSet | None:
    """What `a` and `b` share; None where their ends cannot be ordered."""
    not_a, not_b = complement(a), complement(b)
    if not_a is None or not_b is None:
        return None
    either = union(not_a, not_b)
    return None if either is None else complement(either)


def points(nodes: tuple[Node, ...]) -> RealSet | None:
    """The finite set of `nodes`; None where one has no finite real value."""
    out: RealSet | None = ()
    for node in nodes:
        end = _end(node, True)
        if out is None or math.isnan(end.at) or math.isinf(end.at):
            return None
        out = union(out, (Interval(end, end),))
    return out


def is_set(node: Node) -> bool:
    """Whether the tree can only mean a set of reals (a bare `(a, b)` may be a point)."""
    match node:
        case SetOp() | NumberSet() | Empty() | SuchThat():
            return True
        case Member(container=container):
            return is_set(container) or isinstance(container, Group)
        case Group(opener=opener, closer=closer, items=items):
            return len(items) == 2 and opener + closer in ("(]", "[)")
        case Rel(ops=ops):
            return any(op in ORDER_OPS for op in ops)
        case Seq(items=items):
            return all(is_set(part) for part in items)
    return False


def real_set(node: Node) -> tuple[RealSet, str] | None:
    """The set that a tree describes and the name of its variable ("" where none is named), or None."""
    match node:
        case NumberSet(name="R", sign=sign):
            return _signed_reals(sign), ""
        case Empty():
            return (), ""
        case Group(opener="{", items=items):
            found = points(items)
            return None if found is None else (found, "")
        case Group(opener="(" | "[" as opener, closer=closer, items=(low, high)) if closer in ")]":
            found = interval(low, opener == "[", high, closer == "]")
            return None if found is None else (found, "")
        case SetOp():
            return _combine(node)
        case Member(subject=subject, container=container, negated=negated):
            inner = real_set(container)
            if inner is None:
                return None
            kept = complement(inner[0]) if negated else inner[0]
            return None if kept is None else (kept, subject.name if isinstance(subject, Sym) else "")
        case SuchThat(subject=Member() as subject, condition=condition):
            return _several(Seq((subject, *(condition.items if isinstance(condition, Seq) else (condition,))), "and"))
        case SuchThat(subject=Sym() | Call(), condition=condition):  # {x^2 | x in R} is another set
            return real_set(condition)
        case Rel():
            return _inequality(node)
        case Seq():
            return _several(node)
    return None


def _signed_reals(sign: str) -> RealSet:
    low = Interval(End(-math.inf, _MINUS_INF, False), End(0.0, ZERO, sign == "0-"))
    high = Interval(End(0.0, ZERO, sign == "0+"), End(math.inf, INFINITY, False))
    return {"": ALL, "+": (high,), "0+": (high,), "-": (low,), "*": (low, high)}[sign]


def _combine(node: SetOp) -> tuple[RealSet, str] | None:
    found = [real_set(part) for part in node.parts]
    sets = [f[0] for f in found if f is not None]
    if len(sets) < len(found):
        return None
    result = sets[0]
    for item in sets[1:]:
        other: RealSet | None = complement(item) if node.kind == "minus" else item
        if other is None:
            return None
        combined = union(result, other) if node.kind == "union" else intersection(result, other)
        if combined is None:
            return None
        result = combined
    return result, ""


def _several(node: Seq) -> tuple[RealSet, str] | None:
    """Conditions side by side.

    "and" is what all allow, "or" what one allows, a comma the former unless that is nothing: "x > 1, x < 3" and
    "x < 1, x > 3".
    """
    items = node.items
    match items:
        case (Rel(sides=(subject, _), ops=("!=",)), *_) if node.connector != "or":  # x != -3, 3
            items = tuple(p if isinstance(p, Rel | Member) else Rel((subject, p), ("!=",)) for p in items)
    found = [real_set(part) for part in items]
    sets = [f[0] for f in found if f is not None]
    names = {f[1] for f in found if f is not None and f[1]}
    if len(sets) < len(found) or len(names) > 1:
        return None
    name = next(iter(names), "")
    either: RealSet | None = sets[0]
    both: RealSet | None = sets[0]
    for item in sets[1:]:
        either = union(either, item) if either is not None else None
        both = intersection(both, item) if both is not None else None
    conditions = all(isinstance(part, Rel | Member) for part in items)
    if node.connector == "and":
        result = both if conditions else either
    elif node.connector == "or" or not conditions:
        result = either
    else:
        result = both or either
    return None if result is None else (result, name)


def _inequality(node: Rel) -> tuple[RealSet, str] | None:
    """`x > 2`, `2 < x <= 5`, `x != 3`, `1 <= |z| <= 2`: the variable stands alone on its side."""
    sides, ops = node.sides, node.ops
    if any(op not in _FLIPPED or op == "=" for op in ops) or len(sides) > 3:
        return None
    subjects = [k for k, side in enumerate(sides) if _subject(side)]
    if len(sides) == 3:
        subjects = [k for k in subjects if k == 1]
    if len(subjects) > 1 and len(sides) == 2:
        subjects = subjects[:1]
    if len(subjects) != 1:
        return _solved(sides, ops)
    at = subjects[0]
    subject = sides[at]
    name = _subject(subject)
    result: RealSet | None = ALL
    for k, op in enumerate(ops):
        bound, turned = (sides[k], _FLIPPED[op]) if k + 1 == at else (sides[k + 1], op)
        if name in symbols(bound):
            return _solved(sides, ops)
        piece = _half_line(bound, turned) if isinstance(subject, Sym | Call) else _absolute(bound, turned)
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


def _subject(side: Node) -> str:
    """The name that stands alone on a side, or alone between bars; "" for other sides."""
    match side:
        case Sym(name=name) | Fn(name="abs", args=(Sym(name=name),)):
            return name
        case Call(name=name, args=(Sym(name=variable),)):
            return f"{name}({variable})"
    return ""


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
            piece = interval(low or _MINUS_INF, low_closed, high or INFINITY, high_closed)
            part = union(part, piece) if part is not None and piece is not None else part
        result = intersection(result, part) if part is not None else None
    return (result, names.pop()) if result is not None and len(names) == 1 else None


def _half_line(bound: Node, op: str) -> RealSet | None:
    if op == "!=":
        spot = points((bound,))
        return None if spot is None else complement(spot)
    if op in ("<", "<="):
        return interval(_MINUS_INF, False, bound, op == "<=")
    return interval(bound, op == ">=", INFINITY, False)


def _absolute(bound: Node, op: str) -> RealSet | None:
    inside = interval(Neg(bound), op in ("<=", ">"), bound, op in ("<=", ">"))
    if op in ("<", "<="):
        return inside if inside is not None else ()
    if op in (">", ">="):
        return ALL if inside is None else complement(inside)
    ends = points((bound, Neg(bound))) if op == "!=" else None
    if ends is None or any(e.at < 0 for e in (ends[-1].high,)):
        return None
    return complement(ends)
