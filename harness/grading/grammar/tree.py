"""Walking over an answer's tree: its parts, its free names, and trees with parts replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from harness.grading.grammar.nodes import Arrow, Big, Const, Family, Member, Node, Num, Rel, Sym, Text

_FIELDS: dict[type[Any], tuple[str, ...]] = {}  # names of the fields by type, filled as types are met


def _names(kind: type[Any]) -> tuple[str, ...]:
    found = _FIELDS.get(kind)
    if found is None:
        found = _FIELDS[kind] = tuple(field.name for field in fields(kind))
    return found


def _inner(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from _inner(part)


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below `node`, in order."""
    for name in _names(type(node)):
        value = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from _inner(value)


def walk(node: Node) -> Iterator[Node]:
    """`node` and every node below it."""
    stack = [node]
    while stack:
        item = stack.pop()
        yield item
        if not isinstance(item, Num | Sym | Const | Text):
            stack.extend(children(item))


def holds(node: Node, *kinds: type[Node]) -> bool:
    """Whether a node of one of `kinds` stands in the tree."""
    return any(isinstance(item, kinds) for item in walk(node))


def mapped(node: Node, change: Callable[[Node], Node]) -> Node:
    """`node` with `change` applied to the nodes directly below it; the same object where none changed."""
    values: list[Any] = []
    changed = False
    for name in _names(type(node)):
        value = getattr(node, name)
        new = _changed(value, change)
        changed |= new is not value
        values.append(new)
    return type(node)(*values) if changed else node


def _changed(value: Any, change: Callable[[Node], Node]) -> Any:
    if isinstance(value, Node):
        return change(value)
    if isinstance(value, tuple):
        new = tuple(_changed(part, change) for part in value)
        return new if any(a is not b for a, b in zip(new, value, strict=True)) else value
    return value


def replaced(node: Node, old: Node, new: Node) -> Node:
    """The tree with every `old` replaced by `new`."""
    if node == old:
        return new
    return mapped(node, lambda part: replaced(part, old, new))


def bound_names(node: Node) -> frozenset[str]:
    """The names that `node` itself binds: the index of a sum, the integers of a family."""
    match node:
        case Family(names=names):
            return frozenset(names)
        case Big(kind="sum" | "prod", lower=Rel(sides=(Sym(name=name), *_))):
            return frozenset((name,))
        case Big(kind="sum" | "prod", lower=Member(subject=Sym(name=name))):
            return frozenset((name,))
        case Big(kind="lim", lower=Arrow(left=Sym(name=name))):
            return frozenset((name,))
    return frozenset()


def symbols(node: Node) -> frozenset[str]:
    """The free names of a tree."""
    match node:
        case Sym(name=name):
            return frozenset((name,))
        case Num() | Const() | Text():
            return frozenset()
    found = frozenset[str]().union(*(symbols(part) for part in children(node)))
    return found - bound_names(node) if isinstance(node, Family | Big) else found
