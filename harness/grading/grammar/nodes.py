"""The nodes of an answer's tree: small frozen dataclasses, told apart by `match`."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


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
    """A sum, product, integral, limit or derivative (`lower` the variable, `upper` the order)."""

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
