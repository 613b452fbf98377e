"""Values with a mark: units, percent, degrees, bases, labels."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from harness.grading.compare.comparison import Comparison
from harness.grading.compare.rewrite import scaled
from harness.grading.compare.words import letters_of
from harness.grading.grammar.nodes import (
    PI,
    TWO,
    Add,
    Based,
    Deg,
    Div,
    Fact,
    Label,
    Mul,
    Neg,
    Node,
    Num,
    Pct,
    Pow,
    Rel,
    Sym,
    Text,
    Unit,
)
from harness.grading.grammar.tree import symbols
from harness.grading.grammar.unit_table import Measure, unit
from harness.grading.grammar.units import Meaning, meaning

_POUNDS = {measure.dimension for measure in (unit("pound"), unit("gbp")) if measure}  # of weight and of money
_RADIAN: Node = Div(PI, Num(Fraction(180)))  # one degree


def marks(c: Comparison, a: Node, b: Node) -> bool | None:
    """The rule for units, percent, degrees, bases and labels; None where no mark stands."""
    if {type(a), type(b)} == {Deg, Pct}:
        return False
    if isinstance(a, Unit) or isinstance(b, Unit):
        measured, other = (a, b) if isinstance(a, Unit) else (b, a)
        named = isinstance(measured, Unit) and isinstance(measured.value, Sym)
        return None if named and isinstance(other, Text) else _units(c, a, b)
    if isinstance(a, Pct) or isinstance(b, Pct):
        return _marked(c, a, b, Pct, Num(Fraction(1, 100)), c.policy.percent)
    if isinstance(a, Deg) or isinstance(b, Deg):
        return _marked(c, a, b, Deg, _RADIAN, c.policy.degrees)
    if isinstance(a, Based) or isinstance(b, Based):
        return _bases(c, a, b)
    if isinstance(a, Label) or isinstance(b, Label):
        if isinstance(a, Label) and isinstance(b, Label) and a.name != b.name:
            return False  # a triangle and an angle of the same letters
        plain = [x.body if isinstance(x, Label) else x for x in (a, b)]
        return c.equal(*plain)
    return None


def _marked(c: Comparison, a: Node, b: Node, kind: type[Deg] | type[Pct], scale: Node, allowed: bool) -> bool:
    if isinstance(a, kind) and isinstance(b, kind):
        return c.equal(a.body, b.body)
    if not allowed or isinstance(a, Rel) or isinstance(b, Rel):
        return False
    if isinstance(a, kind):
        return c.equal(a.body, b) or c.equal(Mul((a.body, scale)), b)
    assert isinstance(b, kind)
    return c.equal(a, b.body) or c.equal(a, Mul((b.body, scale)))


def _bases(c: Comparison, a: Node, b: Node) -> bool | None:
    """Digits in two bases are equal where their values are; a base may be left out, or the value given in ten."""
    c.used("structure")
    if isinstance(a, Based) and isinstance(b, Based):
        return int(a.digits, a.base) == int(b.digits, b.base)
    based, plain = (a, b) if isinstance(a, Based) else (b, a)
    assert isinstance(based, Based)
    value = Num(Fraction(int(based.digits, based.base)))
    if based is a and c.equal(value, plain):  # a gold in ten is met by its digits in another base
        return True
    if not c.policy.base_subscript:
        return False
    if not based.digits.lstrip("-").isdecimal():  # AB_{16}
        return bool(based.digits == (plain.words if isinstance(plain, Text) else letters_of(plain)))
    left_out = Num(Fraction(int(based.digits)))
    return c.equal(left_out, plain) if based is a else c.equal(plain, left_out)


def _said(node: Node) -> tuple[Node, Meaning]:
    """The value and what its words say; the words' own factors and operations are worked into the value."""
    if not isinstance(node, Unit):
        return node, Meaning()
    said = meaning(node.words)
    value: Node = scaled(node.value, said.factor)
    if isinstance(value, Deg) and node.words.strip() in ("C", "F"):
        scale = "celsius" if node.words.strip() == "C" else "fahrenheit"
        return value.body, replace(said, measure=Measure(((scale, 1),), Fraction(1)))
    match said.operation:
        case "squared":
            value = Pow(value, TWO)
        case "cubed":
            value = Pow(value, Num(Fraction(3)))
        case "factorial":
            value = Fact(value)
        case "negative":
            value = Neg(value)
        case "percent":
            value = Pct(value)
    return value, said


def _units(c: Comparison, a: Node, b: Node) -> bool:
    c.used("structure")
    (value_a, said_a), (value_b, said_b) = _said(a), _said(b)
    if said_a.bound != said_b.bound:
        bounded, plain = (said_a, b) if said_a.bound else (said_b, a)
        if isinstance(plain, Rel) and len(plain.ops) == 1:  # "7 or more" and x >= 7
            rel = Rel((Sym("?"), value_a if bounded is said_a else value_b), (bounded.bound,))
            return c.equal(rel, plain)
        return False
    symbolic = bool(symbols(value_a) | symbols(value_b))
    if said_a.conditions != said_b.conditions:
        return False
    if said_a.descriptions != said_b.descriptions and (symbolic or (said_a.descriptions and said_b.descriptions)):
        return False
    if not c.policy.units and (said_a.measure, said_a.nouns) != (said_b.measure, said_b.nouns):
        return False
    if said_a.measure and said_b.measure:
        return _measured(c, (value_a, said_a.measure), (value_b, said_b.measure))
    if (said_a.measure or said_b.measure) and (isinstance(a, Deg) or isinstance(b, Deg)):
        degrees, (other, measure) = (
            (a, (value_b, said_b.measure)) if isinstance(a, Deg) else (b, (value_a, said_a.measure))
        )
        assert isinstance(degrees, Deg) and measure is not None
        if measure.dimension == (("radian", 1),):
            return c.equal(Mul((degrees.body, _RADIAN)), other)
        if measure.dimension[0][0] not in ("angle", "celsius", "fahrenheit"):
            return False
        return c.equal(degrees.body, other) if degrees is a else c.equal(other, degrees.body)
    nouns_a, nouns_b = said_a.nouns, said_b.nouns
    if nouns_a and nouns_b and not nouns_a & nouns_b:
        return False
    if (said_a.measure and nouns_b) or (said_b.measure and nouns_a):
        return False
    return c.equal(value_a, value_b)


def _measured(c: Comparison, a: tuple[Node, Measure], b: tuple[Node, Measure]) -> bool:
    """Two values with known units: of one dimension they are converted, of two they differ; radians are degrees."""
    (value_a, one), (value_b, other) = a, b
    if one.dimension != other.dimension:
        if {one.dimension, other.dimension} == _POUNDS and unit("pound") in (one, other):
            return c.equal(value_a, value_b)
        warm = [_kelvin(value, measure) for value, measure in (a, b)]
        if warm[0] is not None and warm[1] is not None:
            return c.equal(warm[0], warm[1])
        kinds = {one.dimension, other.dimension}
        if kinds == {(("angle", 1),), (("radian", 1),)}:
            degrees_first = one.dimension == (("angle", 1),)
            left = Mul((value_a, _RADIAN)) if degrees_first else value_a
            right = value_b if degrees_first else Mul((value_b, _RADIAN))
            return c.equal(left, right)
        return False
    return c.equal(scaled(value_a, one.factor), scaled(value_b, other.factor))


def _kelvin(value: Node, measure: Measure) -> Node | None:
    """A temperature in kelvin; None for other measures."""
    match measure.dimension:
        case (("Th", 1),) if measure.factor == 1:
            return value
        case (("celsius", 1),):
            return Add((value, Num(Fraction("273.15"))))
        case (("fahrenheit", 1),):
            return Mul((Add((value, Num(Fraction("459.67")))), Num(Fraction(5, 9))))
    return None
