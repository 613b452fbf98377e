"""Sets, lists, tuples, intervals, vectors and matrices, compared element by element."""

from __future__ import annotations

from collections.abc import Sequence

from harness.grading.compare.comparison import Comparison
from harness.grading.compare.real_sets import RealSet, is_set, real_set
from harness.grading.compare.relations import compare_orders
from harness.grading.compare.rewrite import ijk_components, list_items, names_of
from harness.grading.grammar.expressions import Node

_COLLECTIONS = ("seq", "group", "matrix", "cases", "pair")


def compare_sets(c: Comparison, a: Node, b: Node) -> bool | None:
    if not (is_set(a) or is_set(b)):
        if a[0] == "member" or b[0] == "member":
            return c.equal(*(x[2] if x[0] == "member" else x for x in (a, b)))
        return None
    c.used("structure")
    found_a, found_b = real_set(a), real_set(b)
    if found_a is None or found_b is None:
        if a[0] == b[0] == "rel":
            return compare_orders(c, a, b)
        if a[0] == b[0] and a[0] in ("union", "seq", "cap"):
            return c.unordered(a[1], b[1])
        if a[0] == b[0] == "such_that":
            return c.each(a[1:], b[1:])
        if a[0] == b[0] == "member":
            return c.each(a[1:], b[1:])
        if a[0] == b[0] == "minus":
            return c.each(a[1], b[1])
        if (a[0] == "member") != (b[0] == "member"):
            return c.equal(*(x[2] if x[0] == "member" else x for x in (a, b)))
        return False
    return _same_set(c, found_a[0], found_b[0])


def _same_set(c: Comparison, a: RealSet, b: RealSet) -> bool:
    if len(a) != len(b):
        return False
    return all(
        x.closed == y.closed and c.equal(x.node, y.node)
        for left, right in zip(a, b, strict=True)
        for x, y in zip(left, right, strict=True)
    )


def compare_collections(c: Comparison, a: Node, b: Node) -> bool | None:
    if a[0] not in _COLLECTIONS and b[0] not in _COLLECTIONS:
        return None
    c.used("structure")
    if "cases" in (a[0], b[0]):
        return a[0] == b[0] and c.unordered([("pair", *row) for row in a[1]], [("pair", *row) for row in b[1]])
    if a[0] == b[0] == "pair":
        return c.each(a[1:], b[1:])
    if a[0] == b[0] == "matrix":
        same_shape = len(a[1]) == len(b[1]) and len(a[1][0]) == len(b[1][0])
        return same_shape and all(c.each(x, y) for x, y in zip(a[1], b[1], strict=True))
    if "seq" in (a[0], b[0]):
        return _bare_list(c, a, b)
    if "matrix" in (a[0], b[0]):
        return _vector(c, a, b)
    if a[0] != b[0]:
        group, other = (a, b) if a[0] == "group" else (b, a)
        if len(group[3]) == 1 and group[1] in "{[" and c.policy.bare_list:
            return c.equal(group[3][0], other)
        parts = ijk_components(other, len(group[3]))
        return parts is not None and c.policy.vector_notation and c.each(group[3], parts)
    if (a[1] == "{") != (b[1] == "{"):  # a set of one tuple
        braces, other = (a, b) if a[1] == "{" else (b, a)
        return c.policy.bare_list and len(braces[3]) == 1 and c.equal(braces[3][0], other)
    if (a[1], a[2]) == (b[1], b[2]):
        return c.unordered(a[3], b[3]) if a[1] == "{" else c.each(a[3], b[3])
    kinds = {a[1] + a[2], b[1] + b[2]}
    if not c.policy.vector_notation or "{}" in kinds or "(]" in kinds or "[)" in kinds:
        return False
    ordered_pair = len(a[3]) == 2 and "[]" in kinds
    return not ordered_pair and c.each(a[3], b[3])


def _bare_list(c: Comparison, a: Node, b: Node) -> bool:
    if a[0] == b[0]:
        named_a, named_b = names_of(a), names_of(b)
        if named_a and sorted(named_a) == sorted(named_b):
            ordered = [b[1][named_b.index(name)] for name in named_a]
            return c.each(a[1], ordered)
        if set(named_a) & set(named_b):
            return False
        return c.unordered(list_items(a), list_items(b))
    listed, other = (a, b) if a[0] == "seq" else (b, a)
    if not c.policy.bare_list:
        return False
    if listed[2] == "or" and other[0] != "group":  # the same value in two forms: "1/4 or 0.25"
        return all(c.equal(item, other) for item in list_items(listed))
    if other[0] == "group":
        if other[1] == "{":
            return c.unordered(list_items(listed), other[3])
        if other[1] + other[2] in ("()", "⟨⟩", "[]") and (other[1] != "[" or len(other[3]) != 2):
            items = list_items(listed)
            names = names_of(listed)
            if names and set(names) <= {"x", "y", "z"}:  # y = -4, x = 3 is the point (3, -4)
                items = tuple(item for _, item in sorted(zip(names, items, strict=True), key=lambda pair: pair[0]))
            return c.each(items, other[3])
    return False


def _vector(c: Comparison, a: Node, b: Node) -> bool:
    matrix, other = (a, b) if a[0] == "matrix" else (b, a)
    rows: Sequence[Sequence[Node]] = matrix[1]
    if not c.policy.vector_notation:
        return False
    flat = [row[0] for row in rows] if len(rows[0]) == 1 else list(rows[0]) if len(rows) == 1 else None
    if other[0] == "group" and other[1] in "([⟨":
        if flat is not None and len(flat) == len(other[3]) and c.each(flat, other[3]):
            return True
        nested = all(x[0] == "group" and x[1] == "[" for x in other[3])
        return nested and len(rows) == len(other[3]) and all(
            c.each(row, x[3]) for row, x in zip(rows, other[3], strict=True))  # fmt: skip
    parts = ijk_components(other, len(flat)) if flat is not None else None
    return parts is not None and c.each(flat or (), parts)
