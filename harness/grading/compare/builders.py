r"""Sets whose index runs through finitely many integers, written out: \{2n : n = 1, 2, 3\} is \{2, 4, 6\}."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from harness.grading.compare.inequalities import quadratic, zeros_of
from harness.grading.compare.integers import INTEGER_NAMES
from harness.grading.compare.real_sets import real_set
from harness.grading.grammar.nodes import Add, Group, Member, Neg, Node, Num, NumberSet, Rel, Seq, SetOp, SuchThat, Sym
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.grammar.tree import replaced, symbols
from harness.grading.limits import TooBigError

_MAX_VALUES = 60
_MAX_SIZE = 10**6


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
        case SetOp(kind="cap", parts=(one, other)):
            index = Sym("\0n")
            return _set(index, [Member(index, one), Member(index, other)], node)
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
    natural = any(isinstance(x, Member) and x.container == NumberSet("N") for x in conditions)
    rest = [x for x in conditions if not _is_whole(x)]
    match rest:
        case [Member(subject=Sym(name=other), container=Group(opener="{", items=items), negated=False)] if (
            other == name
        ):
            return _numbers(items)
        case [Rel(sides=(Sym(name=other), first), ops=("=",)), *more] if other == name:
            return _numbers((first, *more))
    chain = len(rest) == 1 and isinstance(rest[0], Rel) and len(rest[0].ops) == 2
    if not rest or not (declared or (chain and name in INTEGER_NAMES)):
        return None
    found = real_set(rest[0] if len(rest) == 1 else Seq(tuple(rest), "and"))
    if found is None or found[1] != name or any(max(abs(i.low.at), abs(i.high.at)) > _MAX_SIZE for i in found[0]):
        return None
    values: list[Fraction] = []
    for interval in found[0]:
        low, high = _number(interval.low.node), _number(interval.high.node)
        if low is None or high is None or high - low > _MAX_VALUES:
            return None
        least = math.ceil(low) + (low.denominator == 1 and not interval.low.closed)
        last = math.floor(high) - (high.denominator == 1 and not interval.high.closed)
        values += [Fraction(k) for k in range(least, last + 1)]
    if natural and any(value <= 0 for value in values):
        return None if 0 in values else [value for value in values if value > 0]  # 0 is natural to some
    return values


def _numbers(nodes: Sequence[Node]) -> list[Fraction] | None:
    found = [_number(node) for node in nodes]
    known = [value for value in found if value is not None]
    return known if len(known) == len(found) else None


def _number(node: Node) -> Fraction | None:
    try:
        return rational(node)
    except (NoValueError, TooBigError):
        return None
