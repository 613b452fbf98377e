"""The nodes of an answer's tree: small frozen dataclasses, told apart by `match`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, TypeVar


class Node:
    """Any node. Equality is equality of type and fields."""

    __slots__ = ()


# --- numbers, names and arithmetic ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Num(Node):
    """An exact number; `digits` is how many significant digits a decimal shows."""

    value: Fraction
    digits: int | None = None


@dataclass(frozen=True, slots=True)
class Sym(Node):
    """A name: x, a_1, AB is a product of two. `y'` and `y'|x` are derivatives, `x*` is a name of its own."""

    name: str


@dataclass(frozen=True, slots=True)
class Const(Node):
    """pi, e, i or inf."""

    name: str


@dataclass(frozen=True, slots=True)
class Add(Node):
    """A sum."""

    terms: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mul(Node):
    """A product."""

    factors: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Neg(Node):
    """A negative."""

    body: Node


@dataclass(frozen=True, slots=True)
class Div(Node):
    """A fraction or a division."""

    top: Node
    bottom: Node


@dataclass(frozen=True, slots=True)
class Pow(Node):
    """A power."""

    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Root(Node):
    """The root of `radicand` of degree `index`."""

    radicand: Node
    index: Node


@dataclass(frozen=True, slots=True)
class Fn(Node):
    """A known function; abs, floor, ceil, frac, max, min, mod, log with its base, ..."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function that is not known: f(x)."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Fact(Node):
    """A factorial n!, or a double one, n!!."""

    body: Node
    double: bool = False


@dataclass(frozen=True, slots=True)
class Binom(Node):
    """A binomial coefficient, `top` over `bottom`."""

    top: Node
    bottom: Node


@dataclass(frozen=True, slots=True)
class Deg(Node):
    """An angle in degrees."""

    body: Node


@dataclass(frozen=True, slots=True)
class Pct(Node):
    """A percentage."""

    body: Node


@dataclass(frozen=True, slots=True)
class PlusMinus(Node):
    """`left` plus or minus `right`; `left` is None where nothing stands before the sign."""

    left: Node | None
    right: Node
    sign: str


@dataclass(frozen=True, slots=True)
class Based(Node):
    """Digits in a base; `digits` may carry a minus sign."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Big(Node):
    """A sum, product, integral or limit."""

    kind: str
    lower: Node | None
    upper: Node | None
    body: Node


@dataclass(frozen=True, slots=True)
class Dots(Node):
    """An ellipsis."""


@dataclass(frozen=True, slots=True)
class Cases(Node):
    """Values with their conditions."""

    rows: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Det(Node):
    """A determinant, by rows."""

    rows: tuple[tuple[Node, ...], ...]


# --- words ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unit(Node):
    """A value and the words behind it."""

    value: Node
    words: str


@dataclass(frozen=True, slots=True)
class Text(Node):
    """Plain words."""

    words: str


@dataclass(frozen=True, slots=True)
class Label(Node):
    """angle ABC, triangle ABC."""

    name: str
    body: Node


@dataclass(frozen=True, slots=True)
class Time(Node):
    """Minutes of the day; `known` says whether the half of the day is."""

    minutes: int
    known: bool


@dataclass(frozen=True, slots=True)
class Date(Node):
    """A day of the year; `year` is "" where none is given."""

    month: int
    day: int
    year: str


# --- structures -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group(Node):
    """Items in brackets: a tuple, an interval, a set."""

    opener: str
    closer: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Seq(Node):
    """A bare list; `connector` is ",", "and" or "or"."""

    items: tuple[Node, ...]
    connector: str


@dataclass(frozen=True, slots=True)
class Matrix(Node):
    """A matrix or a vector, by rows."""

    rows: tuple[tuple[Node, ...], ...]


@dataclass(frozen=True, slots=True)
class Rel(Node):
    """A chain of relations: sides[0] ops[0] sides[1] ops[1] ..."""

    sides: tuple[Node, ...]
    ops: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`subject` is in `container`, or not in it."""

    subject: Node
    container: Node
    negated: bool = False


@dataclass(frozen=True, slots=True)
class SetOp(Node):
    """union, cap or minus of sets."""

    kind: str
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class NumberSet(Node):
    """R, Z, N, Q, C, with a sign: "+" positive, "-" negative, "0+" with zero, "*" without zero."""

    name: str
    sign: str = ""


@dataclass(frozen=True, slots=True)
class Empty(Node):
    """The empty set."""


@dataclass(frozen=True, slots=True)
class SuchThat(Node):
    """The `subject` for which `condition` holds, as in set-builder notation."""

    subject: Node
    condition: Node


@dataclass(frozen=True, slots=True)
class Ratio(Node):
    """A ratio a : b : c."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Congruence(Node):
    """left = one of `residues` modulo `modulus`; `left` is None where only residues are given."""

    left: Node | None
    residues: tuple[Node, ...]
    modulus: Node


@dataclass(frozen=True, slots=True)
class Arrow(Node):
    """x -> a."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Family(Node):
    """Values that run with integers: `body` for all integers `names` in `domain` (Z, N or N0)."""

    body: Node
    names: tuple[str, ...]
    domain: str = "Z"


ZERO, ONE, TWO = Num(Fraction(0)), Num(Fraction(1)), Num(Fraction(2))
INFINITY = Const("inf")
PI = Const("pi")


def integer(value: int) -> Num:
    """`value` as a node."""
    return Num(Fraction(value))


def rationally(value: Fraction) -> Num:
    """`value` as a node."""
    return Num(value)


# --- walking ----------------------------------------------------------------------------------------------------

T = TypeVar("T")


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
