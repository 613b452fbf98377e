"""A bounded recursive-descent parser from tokens to an expression tree (`nodes`). It never evaluates anything."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from harness.grading.grammar.atoms import READERS
from harness.grading.grammar.expressions import Arithmetic
from harness.grading.grammar.lexer import lex
from harness.grading.grammar.names import ATOM_STARTS
from harness.grading.grammar.nodes import (
    Add,
    Big,
    Binom,
    Call,
    Congruence,
    Deg,
    Div,
    Fact,
    Fn,
    Group,
    Member,
    Mul,
    Neg,
    Node,
    Num,
    NumberSet,
    Pct,
    PlusMinus,
    Pow,
    Ratio,
    Rel,
    Root,
    Seq,
    SetOp,
    Sym,
    Text,
    Unit,
)
from harness.grading.grammar.tree import holds, mapped
from harness.grading.grammar.vocabulary import QUANTITIES
from harness.grading.limits import MAX_ITEMS, TooBigError, UnreadableError

_ENDS = ("end_of_text", "close", "unbrace", "row", "end")
# What computes with its operands: a lone item in square or curly brackets below one of these is only bracketed.
_ARITHMETIC = (Add, Mul, Neg, Div, Pow, Root, Fn, Call, Fact, Binom, Deg, Pct, PlusMinus, Unit, Big)


class Parser(Arithmetic):
    """The whole grammar: lists, relations and set expressions over `Arithmetic`."""

    readers = READERS

    def sequence(self) -> Node:
        """Items between commas, semicolons, "and" and "or"."""
        items, connector = [self.relation()], ","
        while self.peek()[0] in ("sep", "conn"):
            kind, value = self.peek()
            if kind == "conn":
                connector = value
            self.pos += 1
            if self.peek()[0] in ("sep", "conn"):  # ", and"
                continue
            if self.peek()[0] in _ENDS:
                break
            if len(items) >= MAX_ITEMS:
                raise TooBigError(f"a list has more than MAX_ITEMS={MAX_ITEMS} items")
            items.append(self.relation())
        items = _joined_congruence(items)
        return items[0] if len(items) == 1 else self.made(Seq(tuple(items), connector))

    def relation(self) -> Node:
        """`a = b < c`, `x in S`, `a : b`, a congruence, or a bare expression."""
        while self.take("arrow", "=>"):
            pass
        if self.peek()[0] == "rel":  # "= 5", "\\approx 5", "> 3" without a subject
            op = self.peek()[1]
            self.pos += 1
            body = self.union()
            return body if op in ("=", "≈", "~") else self.made(Rel((Sym("?"), body), (op,)))
        kind, value = self.peek()
        if kind == "text" and value.lower().strip(" :,") in QUANTITIES and self.peek(1)[0] in ATOM_STARTS:
            self.pos += 1  # "radius 3"
            return self.made(Rel((Text(value.lower().strip(" :,")), self.union()), ("=",)))
        sides: list[Node] = [self.union()]
        ops: list[str] = []
        while True:
            kind, value = self.peek()
            if kind == "rel":
                self.pos += 1
                if value in "<>!" and self.take("rel", "="):
                    value += "="
                ops.append(value)
                sides.append(self.union())
            elif kind == "not" and self.peek(1) == ("rel", "="):
                self.pos += 2
                ops.append("!=")
                sides.append(self.union())
            elif (kind == "in" or (kind == "not" and self.peek(1)[0] == "in")) and self.peek(1)[0] != "end_of_text":
                negated = kind == "not"
                self.pos += 1 + negated
                sides, ops = [self.made(Member(self._chain(sides, ops), self.union(), negated))], []
            elif kind == "arrow" and value == "->":
                self.pos += 1
                ops.append("→")
                sides.append(self.union())
            elif kind == "bar" and value == "mid" and not self.in_set and not self.bar_open:
                self.pos += 1
                ops.append("∣")
                sides.append(self.union())
            elif kind == "colon" and not self.in_set:
                self.pos += 1
                left, right = sides[-1], self.union()
                sides[-1] = self.made(Ratio((*left.parts, right) if isinstance(left, Ratio) else (left, right)))
            elif kind == "mod":
                self.pos += 1
                sides, ops = [self._congruence(sides, ops, self.union())], []
            else:
                return self._chain(sides, ops)

    def _chain(self, sides: list[Node], ops: list[str]) -> Node:
        return sides[0] if not ops else self.made(Rel(tuple(sides), tuple(ops)))

    def _congruence(self, sides: list[Node], ops: list[str], modulus: Node) -> Node:
        if not ops:
            return self.made(Congruence(None, (sides[0],), modulus))
        if len(sides) != 2 or ops[0] not in ("≡", "=", "≅"):
            raise UnreadableError("a modulus behind what is no congruence")
        return self.made(Congruence(sides[0], (sides[1],), modulus))

    def union(self) -> Node:
        """Sets between signs of union, intersection and difference; else a sum."""
        left = _without(self.additive())
        while True:
            kind, value = self.peek()
            if kind == "set" and value in ("cup", "cap", "minus"):
                self.pos += 1
                right = self.additive()
                name = {"cup": "union", "cap": "cap", "minus": "minus"}[value]
                if isinstance(left, SetOp) and left.kind == name == "union":
                    left = self.made(SetOp(name, (*left.parts, right)))
                else:
                    left = self.made(SetOp(name, (left, right)))
            else:
                return left


def _joined_congruence(items: list[Node]) -> list[Node]:
    r"""Several residues of one congruence, as in n \equiv 1, 3 \pmod 4.

    The first item names the unknown, the last the modulus.
    """
    last = items[-1]
    if len(items) < 2 or not isinstance(last, Congruence):
        return items
    first = items[0]
    residues: list[Node] = []
    left: Node | None = None
    for k, item in enumerate(items):
        match item:
            case Rel(sides=(subject, value), ops=("≡",)) if k == 0 or subject == left:
                left = subject
                residues.append(value)
            case Congruence(left=subject, residues=values, modulus=m) if m == last.modulus and (
                subject is None or subject == left or (left is None and k == 0)
            ):
                left = left or subject
                residues.extend(values)
            case _ if k and not isinstance(item, Rel | Congruence):
                residues.append(item)
            case _:
                return items
    if left is None and not isinstance(first, Congruence):
        return items
    return [replace(last, left=left, residues=tuple(residues))]


def _without(node: Node) -> Node:
    r"""A set minus points or intervals, written with a minus sign: \mathbb{R} - \{0\}."""
    match node:
        case Add(terms=(NumberSet() as left, *rest)) if all(
            isinstance(p, Neg) and isinstance(p.body, Group) for p in rest
        ):
            result: Node = left
            for part in rest:
                if isinstance(part, Neg):
                    result = SetOp("minus", (result, part.body))
            return result
    return node


def unbracketed(node: Node) -> Node:
    r"""The tree with square and curly brackets read as brackets where their content is computed with.

    In `2[3+4]` and `3\{x-[2-x]\}` they only bracket; a lone `\{x\}` inside a sum is the fractional part of x.
    """
    node = mapped(node, unbracketed)
    if not isinstance(node, _ARITHMETIC):
        return node
    if isinstance(node, Mul) and all(isinstance(f, Group) and f.opener == "{" for f in node.factors):
        return node  # a product of sets

    def bare(part: Node) -> Node:
        match part:
            case Group(opener="[" | "{", items=(item,)):
                if part.opener == "[" or isinstance(item, Add | PlusMinus):
                    return item
                return Fn("frac", (item,)) if isinstance(item, Sym | Div | Mul | Num | Call | Root | Pow) else part
        return part

    return mapped(node, bare)


def has_operator(node: Node) -> bool:
    """Whether a sum, product, integral or limit stands in the tree."""
    return holds(node, Big)


@lru_cache(maxsize=16_384)
def parse(text: str) -> Node:
    """The tree of a cleaned answer. Raises `UnreadableError` where it has no reading, `TooBigError` beyond a limit."""
    tokens = lex(text)
    parser = Parser(tokens)
    tree = parser.sequence()
    if parser.pos < len(parser.tokens):
        raise UnreadableError(f"unexpected {parser.peek()[1] or parser.peek()[0]!s}"[:60])
    return unbracketed(tree) if "[" in text or "\\{" in text or "brac" in text else tree
