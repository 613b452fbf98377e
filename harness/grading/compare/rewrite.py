"""What a tree says, before it is compared: signs expanded, marks outside, matrices worked out, names dropped."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from harness.grading.grammar.nodes import (
    ZERO,
    Add,
    Based,
    Big,
    Call,
    Congruence,
    Const,
    Deg,
    Dots,
    Group,
    Mul,
    Neg,
    Node,
    Num,
    Pct,
    PlusMinus,
    Rel,
    Seq,
    SuchThat,
    Sym,
    Text,
    Unit,
)
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.grammar.tree import holds, mapped, replaced, symbols, walk
from harness.grading.limits import MAX_ITEMS

# --- plus and minus ---------------------------------------------------------------------------------------------


def expand_signs(node: Node) -> Node:
    r"""`a \pm b` as the list `a+b, a-b`, at the top and for the items of a list or a set."""
    if isinstance(node, Num | Sym | Const | Text) or not holds(node, PlusMinus):
        return node
    match node:
        case Congruence(residues=residues):
            both = tuple(_signed(r, s) for r in residues for s in ((1, -1) if holds(r, PlusMinus) else (1,)))
            return replace(node, residues=both)
        case Rel(sides=(Sym() as name, value), ops=("=",)):
            found = expand_signs(value)
            if isinstance(found, Seq):
                return Seq(tuple(Rel((name, item), ("=",)) for item in found.items), found.connector)
            return found
        case Rel(sides=sides, ops=ops) if all(op in ("=", "≈") for op in ops):
            return expand_signs(sides[-1])
        case SuchThat(subject=subject, condition=Rel(ops=("!=",)) as condition):  # x is none of the two
            return SuchThat(subject, Seq((_signed(condition, 1), _signed(condition, -1)), "and"))
        case Group(opener=opener, items=items) if opener != "{" and any(holds(x, PlusMinus) for x in items):
            return Seq((_signed(node, 1), _signed(node, -1)), ",")
        case Seq(items=items) | Group(items=items):
            if not any(holds(item, PlusMinus) for item in items):
                return node
            out: list[Node] = []
            for item in items:
                if isinstance(item, Rel) and item.ops == ("=",):
                    item = item.sides[1]
                out.extend((_signed(item, 1), _signed(item, -1)) if holds(item, PlusMinus) else (item,))
            return replace(node, items=tuple(out))
        case PlusMinus(left=left, right=value, sign="+") if left is not None and _signs(left) == ["+"]:  # four values
            pairs = [Add((_signed(left, s), v)) for s in (1, -1) for v in (value, Neg(value))]
            return Seq(tuple(pairs), ",")
    return Seq((_signed(node, 1), _signed(node, -1)), ",")


def _signs(node: Node) -> list[str]:
    return [item.sign for item in walk(node) if isinstance(item, PlusMinus)]


def _signed(node: Node, sign: int) -> Node:
    if isinstance(node, PlusMinus):
        value = _signed(node.right, sign)
        value = value if (node.sign == "+") == (sign > 0) else Neg(value)
        return value if node.left is None else Add((_signed(node.left, sign), value))
    return mapped(node, lambda part: _signed(part, sign))


def sign_words(node: Node) -> Node:
    """`x is positive` as x > 0; other trees as they are."""
    match node:
        case Unit(value=Sym() as name, words=words):
            op = _SIGN_WORDS.get(words.lower().removeprefix("is ").replace("-", "").replace("non ", "non").strip())
            return node if op is None else Rel((name, ZERO), (op,))
    return node


_SIGN_WORDS = {"positive": ">", "negative": "<", "nonnegative": ">=", "nonpositive": "<=", "nonzero": "!="}


# --- marks, matrices, ellipses ----------------------------------------------------------------------------------


def hoist(node: Node) -> Node:
    """Marks moved outside: -(5 cm) is (-5) cm, 2 * 30 degrees is 60 degrees, a sum of degrees is in degrees."""
    match node:
        case Neg(body=Unit(value=value, words=words)):
            return Unit(Neg(value), words)
        case Neg(body=Deg(body=body)):
            return Deg(Neg(body))
        case Neg(body=Pct(body=body)):
            return Pct(Neg(body))
        case Neg(body=Based(digits=digits, base=base)):
            return Based("-" + digits, base)
        case Add(terms=terms):
            parts = [hoist(part) for part in terms]
            if all(isinstance(part, Deg) for part in parts):
                return Deg(Add(tuple(part.body for part in parts if isinstance(part, Deg))))
        case Mul(factors=(Call(name="compose", args=(Sym(name=f), Sym(name=g))), *args)) if len(args) == 1:
            return Call(f, (Call(g, (args[0],)),))
        case Mul(factors=factors) if all(isinstance(f, Group) and f.opener == "{" for f in factors):
            sets = [f.items for f in factors if isinstance(f, Group)]
            if math.prod(len(items) for items in sets) <= MAX_ITEMS:
                return Group("{", "}", tuple(Group("(", ")", pair) for pair in itertools.product(*sets)))
        case Mul(factors=factors):
            parts = [hoist(part) for part in factors]
            if sum(isinstance(part, Deg) for part in parts) == 1:
                return Deg(Mul(tuple(part.body if isinstance(part, Deg) else part for part in parts)))
    return node


def without_dots(node: Node) -> Node:
    r"""`1+2+\cdots+n` as the sum that it stands for, where its last term gives the shown ones; likewise products."""
    if not holds(node, Dots):
        return node
    match node:
        case Add(terms=terms) | Mul(factors=terms) if any(isinstance(t, Dots) for t in terms):
            at = next(k for k, t in enumerate(terms) if isinstance(t, Dots))
            shown, last = terms[:at], terms[at + 1 :]
            if isinstance(node, Add) and (total := _progression_sum(shown, last)) is not None:
                return Num(total)
            if len(shown) < 2 or len(last) != 1 or len(symbols(last[0])) != 1:
                return node
            name = next(iter(symbols(last[0])))
            for start in (1, 0):
                fits = all(
                    _same_rational(replaced(last[0], Sym(name), Num(Fraction(k))), term)
                    for k, term in enumerate(shown, start)
                )
                if fits:
                    index = Sym("\0k")
                    lower = Rel((index, Num(Fraction(start))), ("=",))
                    kind = "sum" if isinstance(node, Add) else "prod"
                    return Big(kind, lower, Sym(name), replaced(last[0], Sym(name), index))
            return node
    return mapped(node, without_dots)


def _progression_sum(shown: Sequence[Node], last: Sequence[Node]) -> Fraction | None:
    """The sum of an arithmetic or geometric progression of numbers from its first three or more terms to its last."""
    values = [_rational(x) for x in (*shown, *last)]
    known = [v for v in values if v is not None]
    if len(known) < len(values) or len(shown) < 3 or len(last) != 1:
        return None
    *first, end = known
    steps = {y - x for x, y in itertools.pairwise(first)}
    if len(steps) == 1 and (step := steps.pop()):
        count = (end - first[0]) / step + 1
        return (first[0] + end) * count / 2 if count.denominator == 1 and count >= len(first) else None
    if 0 in first or len(ratios := {y / x for x, y in itertools.pairwise(first)}) != 1:
        return None
    ratio, total, term = ratios.pop(), Fraction(0), first[0]
    for _ in range(_MAX_TERMS):
        total += term
        if term == end:
            return total
        term *= ratio
    return None


_MAX_TERMS = 200


def _rational(node: Node) -> Fraction | None:
    try:
        return rational(node)
    except (NoValueError, ValueError):
        return None


def _same_rational(a: Node, b: Node) -> bool:
    value = _rational(a)
    return value is not None and value == _rational(b)


def scaled(node: Node, factor: Fraction) -> Node:
    """`node` times `factor`."""
    return node if factor == 1 else Mul((node, Num(factor)))
