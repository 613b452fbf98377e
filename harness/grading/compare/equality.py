"""Whether two parsed answers say the same: marks and words here, structure and values in the modules beside it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

from harness.grading.compare.collections import compare_collections, compare_sets
from harness.grading.compare.comparison import Comparison, Rule, Symbolic
from harness.grading.compare.dates import compare_moments
from harness.grading.compare.families import compare_families
from harness.grading.compare.identity import UndecidedError, same_value
from harness.grading.compare.real_sets import infinite
from harness.grading.compare.relations import compare_relations
from harness.grading.compare.rewrite import letters_of, plain_words, scaled, spelled
from harness.grading.conventions import Policy
from harness.grading.grammar.nodes import (
    ONE,
    PI,
    TWO,
    ZERO,
    Add,
    Based,
    Big,
    Congruence,
    Deg,
    Div,
    Empty,
    Fact,
    Family,
    Group,
    Label,
    Matrix,
    Mul,
    Neg,
    Node,
    Num,
    NumberSet,
    Pct,
    Pow,
    Ratio,
    Rel,
    Seq,
    SetOp,
    SuchThat,
    Sym,
    Text,
    Unit,
    bound_names,
    holds,
    mapped,
    symbols,
    walk,
)
from harness.grading.grammar.unit_table import Measure
from harness.grading.grammar.units import Meaning, meaning
from harness.grading.grammar.vocabulary import CONSTANTS

_RADIAN: Node = Div(PI, Num(Fraction(180)))  # one degree
_STRUCTURES = (Seq, Group, Matrix, Rel, SetOp, NumberSet, Empty, SuchThat, Family, Congruence)
_SAYS_REALS = frozenset(
    ("all real number", "all real", "real number", "all real x", "all x", "any real number", "real")
)
_SAYS_NOTHING = frozenset(
    ("no solution", "no real solution", "none", "empty set", "no real root", "no root", "no value", "no such value")
)
_SAYS_INFINITE = frozenset(("infinite", "infinity", "infinitely many"))
_UNDEFINED = frozenset(("dne", "undefined", "does not exist", "doe not exist"))


# --- units, percent, degrees, bases -----------------------------------------------------------------------------


def _marks(c: Comparison, a: Node, b: Node) -> bool | None:
    if {type(a), type(b)} == {Deg, Pct}:
        return False
    if isinstance(a, Unit) or isinstance(b, Unit):
        return _units(c, a, b)
    if isinstance(a, Pct) or isinstance(b, Pct):
        return _marked(c, a, b, Pct, Num(Fraction(1, 100)), c.policy.percent)
    if isinstance(a, Deg) or isinstance(b, Deg):
        return _marked(c, a, b, Deg, _RADIAN, c.policy.degrees)
    if isinstance(a, Based) or isinstance(b, Based):
        return _bases(c, a, b)
    if isinstance(a, Label) or isinstance(b, Label):
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


# --- words ------------------------------------------------------------------------------------------------------


def _texts(c: Comparison, a: Node, b: Node) -> bool | None:
    if not (isinstance(a, Text) or isinstance(b, Text)):
        return None
    c.used("text")
    number_a, number_b = spelled(a), spelled(b)
    if isinstance(a, Text) and isinstance(b, Text) and (number_a is None or number_b is None):
        return _same_words(c.policy, a.words, b.words)
    if number_a is not None and number_b is not None and c.policy.number_words:
        return c.equal(number_a, number_b)
    text, other = (a, b) if isinstance(a, Text) else (b, a)
    assert isinstance(text, Text)
    words = plain_words(text.words)[1].casefold()
    if isinstance(other, NumberSet):
        return other == NumberSet("R") and words in _SAYS_REALS
    if isinstance(other, Empty):
        return words in _SAYS_NOTHING
    if infinite(other) == 1:
        return words in _SAYS_INFINITE
    if isinstance(other, SetOp | Group | Rel):
        return words in _SAYS_REALS and c.equal(NumberSet("R"), other)
    letters = letters_of(other)
    if letters.casefold() in _UNDEFINED and words in _UNDEFINED:
        return True
    if letters:
        return text.words == letters or (c.policy.text_case and text.words.casefold() == letters.casefold())
    return False


def _same_words(policy: Policy, a: str, b: str) -> bool:
    """Equality of words. Of "Ann is the tallest" both halves count; "even" is what "The function is even" says."""
    (subject_a, said_a), (subject_b, said_b) = plain_words(a), plain_words(b)
    if policy.text_case:
        subject_a, said_a, subject_b, said_b = (x.casefold() for x in (subject_a, said_a, subject_b, said_b))
    if said_a in _SAYS_NOTHING and said_b in _SAYS_NOTHING:
        return True
    if {said_a, said_b} <= _UNDEFINED:
        return True
    said_a, said_b = (_OPPOSITES.get(said, said) for said in (said_a, said_b))
    ends = [_LIMITING.get(said.rpartition(" ")[2]) for said in (said_a, said_b)]
    if all(ends) and all(set(said.split()[:-1]) <= _SUBJECTS for said in (said_a, said_b)):
        return ends[0] == ends[1]
    if subject_a and subject_b:
        return said_a == said_b and (subject_a == subject_b or "it" in (subject_a, subject_b))
    if not subject_a and not subject_b:
        return said_a == said_b
    subject, said, other = (subject_a, said_a, said_b) if subject_a else (subject_b, said_b, said_a)
    return other in (said, subject)


_LIMITING = {"converge": "converges", "convergent": "converges", "diverge": "diverges", "divergent": "diverges"}
_SUBJECTS = frozenset(("it", "serie", "given", "sequence", "integral", "sum"))
_OPPOSITES = {"not converge": "diverge", "doe not converge": "diverge", "doe not diverge": "converge",
              "not convergent": "divergent", "not divergent": "convergent",
              "not odd": "even", "not even": "odd", "not prime": "composite", "not true": "false", "not false": "true",
              "not rational": "irrational", "not empty": "nonempty"}  # fmt: skip


def _ratios(c: Comparison, a: Node, b: Node) -> bool | None:
    if not (isinstance(a, Ratio) or isinstance(b, Ratio)):
        return None
    c.used("structure")
    if isinstance(a, Ratio) and isinstance(b, Ratio):
        if len(a.parts) != len(b.parts):
            return False
        if c.each(a.parts, b.parts):
            return True
        if not c.policy.ratio or any(c.equal(x, ZERO) for x in (*a.parts, *b.parts)):
            return False
        pairs = zip(a.parts[1:], b.parts[1:], strict=True)
        return all(c.equal(Mul((a.parts[0], y)), Mul((b.parts[0], x))) for x, y in pairs)
    ratio, other = (a, b) if isinstance(a, Ratio) else (b, a)
    assert isinstance(ratio, Ratio)
    if len(ratio.parts) != 2 or not c.policy.ratio or isinstance(other, _STRUCTURES):
        return False
    if isinstance(other, Num) and other.digits is not None:
        return False  # 3:30 is no 0.1, and no 3.5
    return c.equal(Div(*ratio.parts), other)


# --- values -----------------------------------------------------------------------------------------------------


def _scalars(c: Comparison, a: Node, b: Node) -> bool:
    sign_a, sign_b = infinite(a), infinite(b)
    if sign_a or sign_b:
        c.used("structure")
        return sign_a == sign_b
    if _matrices(a) or _matrices(b):
        c.used("structure")
        return a == b
    if _runs_with_an_index(a) or _runs_with_an_index(b):
        raise UndecidedError("a term with an index that runs has no value here")
    a, b = _one_derivative(a, b)
    try:
        same, tier = same_value(a, b, c.policy.full_precision, c.policy.natural_log)
    except UndecidedError:
        if c.symbolic is None:
            raise
        c.used("symbolic")
        return c.symbolic(a, b)
    c.used(tier)
    if not same and c.policy.constants:
        same = _up_to_a_constant(c, a, b)
    return same


def _runs_with_an_index(node: Node) -> bool:
    """Whether a sum, product or limit runs over terms of an unknown sequence: a_n, of which n is no free name."""
    return any(
        isinstance(big, Big)
        and any(
            name in part.name.partition("_")[2]
            for name in bound_names(big)
            for part in walk(big.body)
            if isinstance(part, Sym)
        )
        for big in walk(node)
    )


def _matrices(node: Node) -> bool:
    """Whether a product of capitals, one of them with the exponent -1, is one of matrices: its order counts."""
    names = symbols(node)
    return (
        len(names) > 1
        and all(len(name) == 1 and name.isupper() for name in names)
        and not holds(node, Add, Div)
        and any(
            isinstance(part, Mul) and any(isinstance(f, Pow) and f.exponent == Neg(ONE) for f in part.factors)
            for part in walk(node)
        )
    )


def _one_derivative(a: Node, b: Node) -> tuple[Node, Node]:
    """`y'` as `dy/dx` where the other side has one derivative of y and no `y'`."""
    names_a, names_b = symbols(a), symbols(b)
    for name in names_a ^ names_b:
        bare, _, variable = name.partition("|")
        if not variable or bare not in names_a | names_b:
            continue
        others = {x for x in names_a | names_b if x.startswith(bare + "|")}
        if len(others) == 1:
            a, b = (_renamed(node, name, bare) for node in (a, b))
    return a, b


def _renamed(node: Node, old: str, new: str) -> Node:
    return Sym(new) if node == Sym(old) else mapped(node, lambda part: _renamed(part, old, new))


def _up_to_a_constant(c: Comparison, a: Node, b: Node) -> bool:
    """Whether two antiderivatives or general solutions differ in the name of their constants, or in an added one."""
    free_a, free_b = sorted(symbols(a) & CONSTANTS), sorted(symbols(b) & CONSTANTS)
    if not symbols(a) - CONSTANTS:
        return False
    if not free_a or len(free_a) != len(free_b) or len(free_a) > 3 or symbols(a) - CONSTANTS != symbols(b) - CONSTANTS:
        return False
    if len(free_a) == 1:
        left, right = _without_term(a, free_a[0]), _without_term(b, free_b[0])
        if left is not None and right is not None:
            try:
                return _constant(Add((left, Neg(right))))
            except UndecidedError:
                return False
    for order in itertools.permutations(free_a):
        renamed = b
        for k, name in enumerate(free_b):
            renamed = _renamed(renamed, name, f"\0c{k}")
        for k, name in enumerate(order):
            renamed = _renamed(renamed, f"\0c{k}", name)
        if renamed != b or free_a != free_b:
            try:
                if same_value(a, renamed, False, c.policy.natural_log)[0]:
                    return True
            except UndecidedError:
                continue
    return False


def _without_term(node: Node, name: str) -> Node | None:
    """The sum without its term `name`, where the name stands nowhere else."""
    if not isinstance(node, Add) or Sym(name) not in node.terms:
        return None
    rest = tuple(term for term in node.terms if term != Sym(name))
    if len(rest) != len(node.terms) - 1 or any(Sym(name) in walk(term) for term in rest):
        return None
    return Add(rest)


def _constant(node: Node) -> bool:
    """Whether a tree has one value everywhere."""
    names = sorted(symbols(node))
    shifted = node
    for name in names:
        shifted = _renamed(shifted, name, f"\0{name}")
    return same_value(node, shifted, False)[0]


_RULES: tuple[Rule, ...] = (
    compare_moments,
    compare_families,
    compare_relations,
    _marks,
    _texts,
    _ratios,
    compare_sets,
    compare_collections,
    _scalars,
)


def comparison(policy: Policy, symbolic: Symbolic | None = None) -> Comparison:
    """A new comparison under `policy`; `symbolic` is asked where arithmetic cannot tell."""
    return Comparison(policy, _RULES, symbolic)
