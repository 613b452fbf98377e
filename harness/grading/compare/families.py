r"""Values that run with an integer, `k\pi, k \in \mathbb{Z}` and `\{2k : k \in \mathbb{Z}\}`, and congruences.

Two families are compared as sets. A family is split into arithmetic progressions (so that (-1)^k and floors fall
away), and two unions of progressions are equal when they have the same residues modulo a common period.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from harness.grading.compare.agreement import UndecidedError
from harness.grading.compare.comparison import Comparison
from harness.grading.compare.contexts import precise_context
from harness.grading.compare.integers import INTEGER_NAMES
from harness.grading.compare.numeric import number_value
from harness.grading.grammar.nodes import (
    ONE,
    PI,
    TWO,
    ZERO,
    Add,
    Congruence,
    Empty,
    Family,
    Group,
    Member,
    Mul,
    Neg,
    Node,
    Num,
    NumberSet,
    Rel,
    Seq,
    SetOp,
    SuchThat,
    Sym,
    Unit,
)
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.grammar.tree import replaced, symbols, walk
from harness.grading.limits import TooBigError

_DIGITS = 40
_SPLITS = (1, 2, 3, 4, 6)  # a family may be one progression for every residue of its integer modulo one of these
_MAX_RESIDUES = 400
_ERRORS = (NoValueError, TooBigError, ZeroDivisionError, OverflowError, ValueError)
_CONDITION_DOMAINS = {
    ("Z", ""): "Z",
    ("Z", "+"): "N",
    ("Z", "0+"): "N0",
    ("N", ""): "N",
    ("N", "+"): "N",
    ("N", "*"): "N",
    ("N", "0+"): "N0",
}


def _integers(node: Node) -> tuple[tuple[str, ...], str] | None:
    r"""(names, domain) of `k \in \mathbb{Z}` or of `m, n \in \mathbb{N}`; None for other conditions."""
    match node:
        case Member(subject=subject, container=NumberSet(name=name, sign=sign), negated=False):
            domain = _CONDITION_DOMAINS.get((name, sign))
            parts = subject.items if isinstance(subject, Seq) else (subject,)
            names = tuple(part.name for part in parts if isinstance(part, Sym))
            return (names, domain) if domain and len(names) == len(parts) else None
    return None


def as_family(node: Node) -> Node:
    r"""The tree with a condition `k \in \mathbb{Z}` read as what it says of the values before it."""
    match node:
        case Rel(sides=(divisor, value), ops=("∣",)):  # 7 divides n
            return Congruence(value, (ZERO,), divisor)
        case Seq(items=(*values, condition)) if values and (found := _integers(condition)):
            body: Node = values[0] if len(values) == 1 else Seq(tuple(values), node.connector)
            if all(name in symbols(body) for name in found[0]):
                return Family(body, *found)
        case SuchThat(subject=subject, condition=condition) if found := _integers(condition):
            if any(name in symbols(subject) for name in found[0]):
                return Family(subject, *found)
        case Mul(factors=(Group() as body, condition)) if found := _integers(condition):  # [k, k+1] (k \\in Z)
            if any(name in symbols(body) for name in found[0]):
                return Family(body, *found)
        case Group(opener="(" | "{", items=(*values, condition)) if values and (found := _integers(condition)):
            body = values[0] if len(values) == 1 else Seq(tuple(values), ",")
            if all(name in symbols(body) for name in found[0]):
                return Family(body, *found)
        case SetOp(kind="union", parts=parts):
            families = [as_family(part) for part in parts]
            if all(isinstance(f, Family) for f in families):
                bodies = [
                    replaced(f.body, Sym(f.names[0]), Sym("k")) for f in families if isinstance(f, Family)
                ]  # each part has an integer of its own
                first = families[0]
                assert isinstance(first, Family)
                if all(isinstance(f, Family) and len(f.names) == 1 for f in families):
                    return Family(Seq(tuple(bodies), "or"), ("k",), first.domain)
    return node


def compare_families(c: Comparison, a: Node, b: Node) -> bool | None:
    """The rule for values that run with integers, and congruences; None where it does not apply to these two."""
    a, b = as_family(a), as_family(b)
    if isinstance(a, Congruence) or isinstance(b, Congruence):
        return _congruences(c, a, b)
    if not (isinstance(a, Family) or isinstance(b, Family)):
        running = _angles(a, b)
        if running is None:
            return None
        a, b = running
    c.used("structure")
    if isinstance(a, Family) and isinstance(b, Family):
        if a.domain != b.domain:
            return False
    else:  # the integer's set may be left out
        family, other = (a, b) if isinstance(a, Family) else (b, a)
        assert isinstance(family, Family)
        names = sorted(symbols(_values(other)) & INTEGER_NAMES)
        if not names or isinstance(other, SetOp | NumberSet | Empty):
            return False
        other = Family(other, tuple(names), family.domain)
        a, b = (family, other) if isinstance(a, Family) else (other, family)
    assert isinstance(a, Family) and isinstance(b, Family)
    if len(a.names) != len(b.names):
        return False
    if len(a.names) == 1:
        if a.domain == "Z" and (same := _same_tuples(a, b)) is not None:
            c.used("numeric")
            return same
        left, right = _progressions(a), _progressions(b)
        if left is not None and right is not None and a.domain == "Z":
            c.used("numeric")
            return _same_progressions(left, right)
    return _renamed(c, a, b)


def _angles(a: Node, b: Node) -> tuple[Family, Family] | None:
    r"""Two multiples of pi that run with an integer although no word says so, `x = \frac{\pi}{2} + k\pi`.

    One of them says which unknown it is a value of, or the two have different integers; else k is as good a name.
    """
    found = [_running(node) for node in (a, b)]
    if found[0] is None or found[1] is None:
        return None
    named = any(isinstance(item, Rel) for node in (a, b) for item in (node.items if isinstance(node, Seq) else (node,)))
    if not named and found[0].names == found[1].names:
        return None
    return found[0], found[1]


def _running(node: Node) -> Family | None:
    items = node.items if isinstance(node, Seq) else (node,)
    integers: frozenset[str] = frozenset()
    for item in items:
        match item:
            case Rel(sides=(Sym(name="x" | "theta" | "t" | "alpha" | "varphi" | "phi"), value), ops=("=",)):
                pass
            case Rel() | Member() | Group() | SetOp():
                return None
            case _:
                value = item
        if len(symbols(value)) != 1 or PI not in walk(value):
            return None
        integers |= symbols(value)
    if len(integers) != 1 or not integers <= INTEGER_NAMES:
        return None
    return Family(node, tuple(integers))


def _values(node: Node) -> Node:
    r"""What a family runs through: the right side of `x = ...`, the set in `x \in ...`."""
    match node:
        case Rel(sides=(*_, last), ops=(*_, "=")):
            return last
        case Member(container=container):
            return container
    return node


def _bodies(family: Family) -> list[Node]:
    body = _values(family.body)
    items = body.items if isinstance(body, Seq) or (isinstance(body, Group) and body.opener == "{") else (body,)
    return [_values(item) for item in items]


# --- tuples and intervals that run with an integer ----------------------------------------------------------------


def _tuple(node: Node) -> Group | None:
    r"""A tuple, or an interval also where it is written as a chain, `2k < x \le 2k+1`; None for other trees."""
    match node:
        case Group(opener="(" | "[" | "⟨", items=(_, _, *_)):
            return node
        case Rel(sides=(low, Sym(), high), ops=("<" | "<=" as first, "<" | "<=" as second)):
            return Group("(" if first == "<" else "[", ")" if second == "<" else "]", (low, high))
        case Rel(sides=(high, Sym(), low), ops=(">" | ">=" as first, ">" | ">=" as second)):
            return Group("(" if second == ">" else "[", ")" if first == ">" else "]", (low, high))
    return None


def _same_tuples(a: Family, b: Family) -> bool | None:
    """Whether two families of tuples or intervals are equal as sets; None where they are no such families of numbers.

    The tuples s + d k for all integers k are those of s' + d' k exactly when d' is d or -d and s' - s is a whole
    multiple of d, all components together.
    """
    sides: list[list[tuple[str, list[Progression]]]] = []
    m = precise_context(_DIGITS)
    for family in (a, b):
        found: list[tuple[str, list[Progression]]] = []
        for body in _bodies(family):
            group = _tuple(body)
            if group is None or symbols(group) - {family.names[0]}:
                return None
            read = [_progression(item, family.names[0], 1, 0, m) for item in group.items]
            parts = [part for part in read if part is not None]
            if len(parts) < len(read):
                return None
            found.append(((group.opener + group.closer).replace("⟨⟩", "()"), parts))
        sides.append(found)
    rest = sides[1]
    for brackets, parts in sides[0]:
        same = next((x for x in rest if x[0] == brackets and _same_line(parts, x[1], m)), None)
        if same is None:
            return False
        rest.remove(same)
    return not rest


def _same_line(a: Sequence[Progression], b: Sequence[Progression], m: Any) -> bool:
    small = m.mpf(10) ** -20
    if len(a) != len(b):
        return False
    for sign in (1, -1):
        if all(abs(x[1] - sign * y[1]) < small for x, y in zip(a, b, strict=True)):
            moved = next(((y[0] - x[0]) / x[1] for x, y in zip(a, b, strict=True) if abs(x[1]) > small), m.mpf(0))
            whole = m.nint(moved)
            if all(abs(y[0] - x[0] - whole * x[1]) < small for x, y in zip(a, b, strict=True)):
                return True
    return False


def _renamed(c: Comparison, a: Family, b: Family) -> bool:
    """Equality of the bodies after the integers are renamed, turned or shifted by one."""
    left, right = _values(a.body), _values(b.body)
    for k, (old, new) in enumerate(zip(b.names, a.names, strict=True)):
        right = replaced(right, Sym(old), Sym(f"\0{k}"))
        left = replaced(left, Sym(new), Sym(f"\0{k}"))
    tried: list[Node] = [right]
    if a.domain == "Z":
        tried.append(right)
        for k in range(len(a.names)):
            tried[1] = replaced(tried[1], Sym(f"\0{k}"), Neg(Sym(f"\0{k}")))
        for step in (1, -1):
            tried.append(replaced(right, Sym("\0" + "0"), Add((Sym("\0" + "0"), Num(Fraction(step))))))
    undecided: UndecidedError | None = None
    for candidate in tried:
        try:
            if c.equal(left, candidate):
                return True
        except UndecidedError as error:
            undecided = error
    if undecided:
        raise undecided
    return False


# --- arithmetic progressions ------------------------------------------------------------------------------------

Progression = tuple[Any, Any]  # (start, step); a step of zero is one value


def _progressions(family: Family) -> list[Progression] | None:
    """The family as start + step * j for all integers j; None where it is no union of progressions of numbers."""
    m = precise_context(_DIGITS)
    out: list[Progression] = []
    for body in _bodies(family):
        if symbols(body) - {family.names[0]}:
            return None
        for split in _SPLITS:
            found = [_progression(body, family.names[0], split, residue, m) for residue in range(split)]
            if all(f is not None for f in found):
                out += [f for f in found if f is not None]
                break
        else:
            return None
    return out


def _progression(body: Node, name: str, split: int, residue: int, m: Any) -> Progression | None:
    values = []
    for j in (0, 1, 2, 5, -3):
        try:
            value = number_value(body, {name: m.mpf(split * j + residue)}, m)
        except _ERRORS:
            return None
        if abs(m.im(value)) > m.mpf(10) ** -25:
            return None
        values.append(m.re(value))
    step = values[1] - values[0]
    fits = all(
        abs(v - values[0] - step * j) <= m.mpf(10) ** -25 * (1 + abs(v))
        for v, j in zip(values, (0, 1, 2, 5, -3), strict=True)
    )
    return (values[0], step) if fits else None


def _same_progressions(a: Sequence[Progression], b: Sequence[Progression]) -> bool:
    m = precise_context(_DIGITS)
    small = m.mpf(10) ** -20
    steps = [abs(step) for _, step in (*a, *b) if abs(step) > small]
    if not steps:
        return False
    common = steps[0]
    for step in steps[1:]:
        ratio = common / step
        close = _fraction(ratio, m)
        if close is None:
            return False
        common = step * close.numerator  # the least common multiple of common and step
    sides = [_residues(side, common, m) for side in (a, b)]
    return sides[0] is not None and sides[0] == sides[1]


def _fraction(value: Any, m: Any) -> Fraction | None:
    close = Fraction(int(m.nint(value * 27_720)), 27_720)
    return close if close and abs(m.mpf(close.numerator) / close.denominator - value) < m.mpf(10) ** -20 else None


def _residues(side: Sequence[Progression], common: Any, m: Any) -> frozenset[int] | None:
    """The residues modulo `common`, in units of common / 10^15; None where there are too many or a lone value."""
    out: set[int] = set()
    unit = common / m.mpf(10) ** 15
    for start, step in side:
        if abs(step) < m.mpf(10) ** -20:
            return None
        count = int(m.nint(common / abs(step)))
        if count > _MAX_RESIDUES:
            return None
        for j in range(count):
            place = (start + abs(step) * j) / common
            out.add(int(m.nint((place - m.floor(place)) * common / unit)) % 10**15)
    return frozenset(out)


# --- congruences ------------------------------------------------------------------------------------------------


def _congruences(c: Comparison, a: Node, b: Node) -> bool:
    c.used("structure")
    one, other = (x if isinstance(x, Congruence) else None for x in (a, b))
    if one and other:
        renamed = isinstance(one.left, Sym) and isinstance(other.left, Sym) and c.policy.assignment
        named = one.left is not None and other.left is not None
        if named and not renamed and not c.equal(one.left, other.left):  # type: ignore[arg-type]
            return False
        return _same_residues(c, one, other)
    congruence = one or other
    assert congruence is not None
    plain = b if one else a
    if isinstance(plain, Unit):
        parity = {"odd": ONE, "even": ZERO}.get(plain.words.lower().removeprefix("is ").strip())
        return congruence.modulus == TWO and parity is not None and c.unordered(congruence.residues, (parity,))
    family = as_family(plain)
    if not isinstance(family, Family):
        names = symbols(_values(plain)) & INTEGER_NAMES
        if isinstance(plain, Rel) and len(names - symbols(congruence)) == 1 and plain.ops == ("=",):
            family = Family(plain, (next(iter(names - symbols(congruence))),))
    if isinstance(family, Family):
        bodies = tuple(Add((r, Mul((congruence.modulus, Sym("k"))))) for r in congruence.residues)
        mine, theirs = _progressions(Family(Seq(bodies, "or"), ("k",))), _progressions(family)
        return mine is not None and theirs is not None and _same_progressions(mine, theirs)
    if not c.policy.assignment:
        return False
    values = plain.items if isinstance(plain, Seq) else (plain,)
    return c.unordered(congruence.residues, tuple(_values(v) for v in values))


def _same_residues(c: Comparison, a: Congruence, b: Congruence) -> bool:
    m, n = rational(a.modulus), rational(b.modulus)
    values = [[rational(r) for r in x.residues] for x in (a, b)]
    if m is None or n is None or any(v is None for side in values for v in side):
        return c.equal(a.modulus, b.modulus) and c.unordered(a.residues, b.residues)
    m, n = abs(m), abs(n)
    if not m or not n or max(m, n) > 10**9:
        return m == n and values[0] == values[1]
    common = m * n
    if common.denominator != 1 or common / min(m, n) * max(len(v) for v in values) > 4_000:
        return m == n and {v % m for v in values[0] if v is not None} == {v % n for v in values[1] if v is not None}

    def all_residues(found: Sequence[Fraction | None], modulus: Fraction) -> set[Fraction]:
        return {(v + modulus * j) % common for v in found if v is not None for j in range(int(common / modulus))}

    return all_residues(values[0], m) == all_residues(values[1], n)
