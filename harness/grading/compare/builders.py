r"""Sets whose index runs through finitely many integers, written out: \{2n : n = 1, 2, 3\} is \{2, 4, 6\}."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from harness.grading.compare.inequalities import quadratic, zeros_of
from harness.grading.compare.integers import INTEGER_NAMES
from harness.grading.grammar.nodes import Add, Group, Member, Neg, Node, Num, NumberSet, Rel, Seq, SuchThat, Sym
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.grammar.tree import replaced, symbols
from harness.grading.limits import TooBigError

_MAX_VALUES = 60


def written_out(node: Node) -> Node:
    """The set with its elements one by one, where the conditions name finitely many; other trees as they are."""
    match node:
        case SuchThat(subject=Member(subject=Sym() as subject) as member, condition=condition):
            return _set(subject, [member, *_parts(condition)], node)
        case SuchThat(subject=Sym(name=name), condition=Rel(sides=(left, right), ops=("=",))) if (
            found := quadratic(Add((left, Neg(right))), name)
        ) and any(found[:2]):
            return Group("{", "}", tuple(zeros_of(*found)))
        case SuchThat(subject=subject, condition=condition):
            return _set(subject, _parts(condition), node)
        case Seq(items=(Sym() | Rel() | Member() as first, *_)) if any(_is_whole(x) for x in node.items):
            named = (
                first.subject
                if isinstance(first, Member)
                else next((x for x in _sides(first) if isinstance(x, Sym)), None)
            )
            return node if named is None else _set(named, node.items, node)
    return node


def _sides(node: Node) -> Sequence[Node]:
    return node.sides if isinstance(node, Rel) else (node,)


def _parts(condition: Node) -> Sequence[Node]:
    return condition.items if isinstance(condition, Seq) else (condition,)


def _is_whole(node: Node) -> bool:
    match node:
        case Member(subject=Sym(), container=NumberSet(name="Z" | "N"), negated=False):
            return True
    return False


def _set(subject: Node, conditions: Sequence[Node], node: Node) -> Node:
    names = symbols(subject)
    if len(names) != 1:
        return node
    name = next(iter(names))
    values = _values(name, conditions)
    if values is None:
        return node
    items: list[Node] = []
    for value in values:
        item = replaced(subject, Sym(name), Num(value))
        if item not in items:
            items.append(item)
    return Group("{", "}", tuple(items))


def _values(name: str, conditions: Sequence[Node]) -> list[Fraction] | None:
    """The whole numbers that `name` runs through; None where the conditions do not say so."""
    declared = any(_is_whole(x) and isinstance(x, Member) and x.subject == Sym(name) for x in conditions)
    low: Fraction | None = None
    high: Fraction | None = None
    listed: list[Fraction] | None = None
    for k, condition in enumerate(conditions):
        match condition:
            case Member(subject=Sym(name=other), container=Group(opener="{", items=items), negated=False) if (
                other == name
            ):
                found = [_number(x) for x in items]
            case Rel(sides=(Sym(name=other), _), ops=("=",)) if other == name and k == 0:
                rest = (condition.sides[1], *conditions[1:])
                found = [_number(x) for x in rest]
                return None if any(x is None for x in found) else [x for x in found if x is not None]
            case Member() if _is_whole(condition):
                continue
            case Rel(sides=(first, Sym(name=other), last), ops=("<" | "<=" as left, "<" | "<=" as right)) if (
                other == name
            ):
                ends = _number(first), _number(last)
                if ends[0] is None or ends[1] is None or ends[0].denominator != 1 or ends[1].denominator != 1:
                    return None
                low, high = ends[0] + (left == "<"), ends[1] - (right == "<")
                continue
            case _:
                return None
        if any(x is None for x in found):
            return None
        listed = [x for x in found if x is not None]
    if listed is not None:
        return listed if low is None else None
    if low is None or high is None or not (declared or name in INTEGER_NAMES) or not 0 <= high - low < _MAX_VALUES:
        return None
    return [low + k for k in range(int(high - low) + 1)]


def _number(node: Node) -> Fraction | None:
    try:
        return rational(node)
    except (NoValueError, TooBigError):
        return None
