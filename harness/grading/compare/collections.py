"""Sets, lists, tuples, intervals, vectors and matrices, compared element by element."""

from __future__ import annotations

from harness.grading.compare.comparison import Comparison
from harness.grading.compare.equations import is_equation, is_name, list_items, names_of, solutions, stated_values
from harness.grading.compare.matrices import ijk_components
from harness.grading.compare.real_sets import RealSet, is_set, real_set
from harness.grading.compare.relations import compare_orders
from harness.grading.grammar.nodes import (
    Call,
    Cases,
    Group,
    Matrix,
    Member,
    Mul,
    Node,
    NumberSet,
    Rel,
    Seq,
    SetOp,
    SuchThat,
    Sym,
    Text,
)
from harness.grading.grammar.tree import symbols


def compare_sets(c: Comparison, a: Node, b: Node) -> bool | None:
    """The rule for sets, intervals and unions of them; None where it does not apply to these two."""
    if (plain := _with_trailing_condition(c, a, b)) is not None:
        return plain
    if not (is_set(a) or is_set(b)):
        if isinstance(a, Member) or isinstance(b, Member):
            if _denied(a) != _denied(b):
                return False
            return c.equal(*(x.container if isinstance(x, Member) else x for x in (a, b)))
        return None
    if isinstance(a, Text) or isinstance(b, Text):
        return None
    c.used("structure")
    if isinstance(a, NumberSet) and isinstance(b, NumberSet) and a.name != "R":
        return a == b
    found_a, found_b = real_set(a), real_set(b)
    if found_a is None or found_b is None:
        match a, b:
            case Rel(), Rel():
                return compare_orders(c, a, b)
            case SetOp(kind=kind, parts=left), SetOp(kind=other, parts=right) if kind == other:
                return c.each(left, right) if kind == "minus" else c.unordered(left, right)
            case Seq(items=left), Seq(items=right):
                by_name = _by_name(left), _by_name(right)
                if by_name[0] is None or by_name[1] is None:
                    return c.unordered(left, right)
                return by_name[0].keys() == by_name[1].keys() and all(
                    c.unordered(conditions, by_name[1][name]) for name, conditions in by_name[0].items()
                )
            case SuchThat(subject=s, condition=x), SuchThat(subject=t, condition=y):
                return c.each((s, x), (t, y))
            case (Member(), _) | (_, Member()) if _denied(a) != _denied(b):
                return False
            case Member(subject=s, container=x), Member(subject=t, container=y):
                return c.each((s, x), (t, y))
            case (Member(container=Group(opener="(" | "[")), Seq()) | (
                Seq(),
                Member(container=Group(opener="(" | "[")),
            ):
                return False  # between two values, and the two
            case (Member(), _) | (_, Member()):
                return c.equal(*(x.container if isinstance(x, Member) else x for x in (a, b)))
        return False
    return _same_set(c, found_a[0], found_b[0])


def _by_name(conditions: tuple[Node, ...]) -> dict[str, list[Node]] | None:
    """Conditions on several unknowns by the unknown; None where they are on one, or name none."""
    out: dict[str, list[Node]] = {}
    for condition in conditions:
        found = real_set(condition)
        if found is None or not found[1]:
            return None
        out.setdefault(found[1], []).append(condition)
    return out if len(out) > 1 else None


def _denied(node: Node) -> bool:
    return isinstance(node, Member) and node.negated


def _with_trailing_condition(c: Comparison, a: Node, b: Node) -> bool | None:
    """`x(t) = 2t, t > 0` beside `2t`: a condition on the variable of a function may be left out."""
    for node, other in ((a, b), (b, a)):
        match node:
            case Seq(items=(value, *conditions)) if (
                conditions
                and not isinstance(other, Seq)
                and not is_set(value)
                and symbols(value)
                and all(isinstance(x, Rel | Member) and is_set(x) and symbols(x) <= symbols(value) for x in conditions)
            ):
                return c.equal(value, other) if node is a else c.equal(other, value)
    return None


def _same_set(c: Comparison, a: RealSet, b: RealSet) -> bool:
    if len(a) != len(b):
        return False
    return all(
        x.closed == y.closed and c.equal(x.node, y.node)
        for left, right in zip(a, b, strict=True)
        for x, y in zip(left, right, strict=True)
    )


def compare_collections(c: Comparison, a: Node, b: Node) -> bool | None:
    """The rule for tuples, lists, matrices and cases; None where it does not apply to these two."""
    if not isinstance(a, Seq | Group | Matrix) and not isinstance(b, Seq | Group | Matrix):
        if isinstance(a, Cases) and isinstance(b, Cases):
            return _cases(c, a, b)
        return None
    c.used("structure")
    if isinstance(a, Matrix) and isinstance(b, Matrix):
        if len(a.rows) == len(b.rows) and len(a.rows[0]) == len(b.rows[0]):
            return all(c.each(x, y) for x, y in zip(a.rows, b.rows, strict=True))
        flat_a, flat_b = _flat(a), _flat(b)
        return c.policy.vector_notation and flat_a is not None and flat_b is not None and c.each(flat_a, flat_b)
    if isinstance(a, Seq) or isinstance(b, Seq):
        return _bare_list(c, a, b)
    if isinstance(a, Matrix) or isinstance(b, Matrix):
        return _vector(c, a, b)
    if not (isinstance(a, Group) and isinstance(b, Group)):
        return _lone_group(c, a, b)
    if (a.opener == "{") != (b.opener == "{"):  # a set of one tuple
        braces, other = (a, b) if a.opener == "{" else (b, a)
        if not (c.policy.bare_list and len(braces.items) == 1):
            return False
        return c.equal(braces.items[0], other) if braces is a else c.equal(other, braces.items[0])
    if sum(map(_is_set_of, a.items)) != sum(map(_is_set_of, b.items)):
        return False  # {1, {2}} and {1, 2}
    if (a.opener, a.closer) == (b.opener, b.closer):
        if a.opener == "{":
            return c.unordered(_distinct(a.items), _distinct(b.items))
        return c.each(a.items, b.items)
    kinds = {a.opener + a.closer, b.opener + b.closer}
    if not c.policy.vector_notation or "{}" in kinds or "(]" in kinds or "[)" in kinds:
        return False
    ordered_pair = len(a.items) == 2 and "[]" in kinds
    return not ordered_pair and c.each(a.items, b.items)


def _is_set_of(node: Node) -> bool:
    return isinstance(node, Group) and node.opener == "{"


def _distinct(items: tuple[Node, ...]) -> tuple[Node, ...]:
    """The items of a set: what stands twice as the same tree counts once."""
    kept: list[Node] = []
    for item in items:
        if item not in kept:
            kept.append(item)
    return tuple(kept)


def _cases(c: Comparison, a: Cases, b: Cases) -> bool | None:
    """Row by row in any order; None (for the values) where the rows do not match but are numbers with conditions."""
    rows_a, rows_b = (tuple(Group("(", ")", row) for row in x.rows) for x in (a, b))
    if c.unordered(rows_a, rows_b):
        return True
    return None if len(symbols(a) | symbols(b)) == 1 else False


def _lone_group(c: Comparison, a: Node, b: Node) -> bool:
    """A group beside what is none: a set of one value, or the components of a vector."""
    group, other = (a, b) if isinstance(a, Group) else (b, a)
    assert isinstance(group, Group)
    if len(group.items) == 1 and group.opener in "{[" and c.policy.bare_list:
        item = group.items[0]
        if isinstance(item, Sym) and isinstance(other, Sym):
            return False  # {x} and x
        return c.equal(item, other) if group is a else c.equal(other, item)
    parts = ijk_components(other, len(group.items))
    return parts is not None and c.policy.vector_notation and c.each(group.items, parts)


def _flat(matrix: Matrix) -> tuple[Node, ...] | None:
    """The entries of a row or a column, None for other matrices."""
    if len(matrix.rows[0]) == 1:
        return tuple(row[0] for row in matrix.rows)
    return matrix.rows[0] if len(matrix.rows) == 1 else None


def _bare_list(c: Comparison, a: Node, b: Node) -> bool:
    if isinstance(a, Seq) and isinstance(b, Seq):
        return _two_lists(c, a, b)
    listed, other = (a, b) if isinstance(a, Seq) else (b, a)
    assert isinstance(listed, Seq)
    if not c.policy.bare_list:
        return False

    def same(x: Node, y: Node) -> bool:
        return c.equal(x, y) if listed is a else c.equal(y, x)

    if isinstance(other, Matrix):
        flat = _flat(other)
        return flat is not None and c.policy.vector_notation and c.each(list_items(listed), flat)
    if isinstance(other, Rel) and is_equation(other) and isinstance(other.sides[0], Group):  # (x, y) = (1, 2)
        values = stated_values(other, c.policy)
        return any(same(listed, value) for value in values)
    if listed is b and isinstance(other, Mul) and all(_option(x) for x in (*listed.items, *other.factors)):
        return c.unordered(other.factors, listed.items)  # the options A, C chosen as "AC"
    if not isinstance(other, Group):
        # the same value in two forms: "1/4 or 0.25"
        return listed.connector == "or" and all(same(item, other) for item in list_items(listed))
    if other.opener == "{":
        items = list_items(listed)
        return c.unordered(items, other.items) if listed is a else c.unordered(other.items, items)
    if other.opener + other.closer in ("()", "⟨⟩", "[]") and (other.opener != "[" or len(other.items) != 2):
        items = list_items(listed)
        names = names_of(listed)
        if names and len(names) == len(items):  # y = -4, x = 3 is the point (3, -4)
            items = tuple(item for _, item in sorted(zip(names, items, strict=True), key=lambda pair: pair[0]))
        return c.each(items, other.items) if listed is a else c.each(other.items, items)
    return False


def _labels(node: Seq) -> list[Node]:
    """The left sides of the items that are equations."""
    return [item.sides[0] for item in node.items if isinstance(item, Rel) and item.ops == ("=",)]


def _option(node: Node) -> bool:
    return isinstance(node, Sym) and node.name in "ABCDEFGH"


def _points_named(node: Seq) -> Seq:
    """The list with its points as equations: A(1, 2) as A = (1, 2)."""

    def named(item: Node) -> Node:
        match item:
            case Call(name=name, args=(_, _, *_) as args) if len(name) == 1 and name.isupper():
                return Rel((Sym(name), Group("(", ")", args)), ("=",))
        return item

    return Seq(tuple(named(item) for item in node.items), node.connector)


def _two_lists(c: Comparison, a: Seq, b: Seq) -> bool:
    a, b = _points_named(a), _points_named(b)
    tuples = [solutions(x) for x in (a, b)]
    if tuples[0] is not a or tuples[1] is not b:
        return c.unordered(*(list_items(x) for x in tuples))
    named_a, named_b = names_of(a), names_of(b)
    if named_a and sorted(named_a) == sorted(named_b):
        return c.each(a.items, [b.items[named_b.index(name)] for name in named_a])
    if set(named_a) & set(named_b):
        return False
    if any(is_equation(item) and not is_name(item.sides[0]) for item in (*a.items, *b.items) if isinstance(item, Rel)):
        return c.unordered(a.items, b.items)  # equations of curves
    labels_a, labels_b = (_labels(x) for x in (a, b))
    if len(labels_a) > 1 and len(labels_b) > 1 and len(set(labels_a)) != len(set(labels_b)):
        return False  # two values of one unknown, and one value of each of two
    statements = all(isinstance(item, Sym | Text) for item in (*a.items, *b.items))
    if statements and {a.connector, b.connector} == {"and", "or"}:
        return False
    if named_a and named_b and not c.policy.assignment:
        return False
    return c.unordered(list_items(a), list_items(b))


def _vector(c: Comparison, a: Node, b: Node) -> bool:
    matrix, other = (a, b) if isinstance(a, Matrix) else (b, a)
    assert isinstance(matrix, Matrix)
    if not c.policy.vector_notation:
        return False
    flat = _flat(matrix)
    if isinstance(other, Group) and other.opener in "([⟨":
        if flat is not None and len(flat) == len(other.items) and c.each(flat, other.items):
            return True
        rows = [x.items for x in other.items if isinstance(x, Group) and x.opener == "["]
        return len(rows) == len(other.items) == len(matrix.rows) and all(
            c.each(row, x) for row, x in zip(matrix.rows, rows, strict=True)
        )
    parts = ijk_components(other, len(flat)) if flat is not None else None
    return parts is not None and c.each(flat or (), parts)
