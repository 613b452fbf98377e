"""A bounded recursive-descent parser from tokens to an expression tree. It never evaluates anything.

Nodes are tuples, the first item is the kind:
  num (value, significant decimals or None) · sym (name) · const (pi, e, i, inf) · add (terms) · mul (factors) ·
  div (a, b) · neg (a) · pow (a, b) · fn (name, args) · abs (a) · fact (a) · binom (n, k) · deg (a) · pct (a) ·
  pm (a or None, b, sign) · based (digits, base) · unit (a, words) · text (words) · label (name, a)
  group (open, close, items) · seq (items, connector) · matrix (rows, environment) · rel (e0, op, e1, ...) ·
  member (a, set) · union (parts) · cap (parts) · minus (a, b) · reals · empty · ratio (parts) · mod (a, m) ·
  big (sum/prod/int/lim, lower, upper, body) · ldots
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from harness.grading.grammar.atoms import READERS
from harness.grading.grammar.expressions import Arithmetic, Node
from harness.grading.grammar.lexer import lex
from harness.grading.limits import MAX_ITEMS, TooBigError, UnreadableError


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
            if self.peek()[0] in ("end_of_text", "close", "unbrace", "row", "end"):
                break
            if len(items) >= MAX_ITEMS:
                raise TooBigError(f"a list has more than MAX_ITEMS={MAX_ITEMS} items")
            items.append(self.relation())
        return items[0] if len(items) == 1 else self.node("seq", tuple(items), connector)

    def relation(self) -> Node:
        """`a = b < c`, `x in S`, `a : b`, or a bare expression."""
        while self.take("arrow", "=>"):
            pass
        if self.peek()[0] == "rel":  # "= 5", "\\approx 5", "> 3" without a subject
            op = self.peek()[1]
            self.pos += 1
            body = self.union()
            return body if op in ("=", "≈", "~") else self.node("rel", self.node("sym", "?"), op, body)
        parts: list[Any] = [self.union()]
        while True:
            kind, value = self.peek()
            if kind == "rel":
                self.pos += 1
                if value == "<" and self.take("rel", "="):
                    value = "<="
                elif value == ">" and self.take("rel", "="):
                    value = ">="
                elif value == "!" and self.take("rel", "="):
                    value = "!="
                parts += [value, self.union()]
            elif kind == "not" and self.peek(1) == ("rel", "="):
                self.pos += 2
                parts += ["!=", self.union()]
            elif kind == "in" and self.peek(1)[0] != "end_of_text":
                self.pos += 1
                parts = [self.node("member", self._chain(parts), self.union())]
            elif kind == "colon" and not self.in_set:
                self.pos += 1
                left = parts[-1]
                right = self.union()
                parts[-1] = self.node("ratio", (*left[1], right) if left[0] == "ratio" else (left, right))
            elif kind == "mod":
                self.pos += 1
                parts[-1] = self.node("mod", parts[-1], self.union())
            else:
                return self._chain(parts)

    def _chain(self, parts: list[Any]) -> Node:
        result: Node = parts[0] if len(parts) == 1 else self.node("rel", *parts)
        return result

    def union(self) -> Node:
        left = _without(self.additive())
        while True:
            kind, value = self.peek()
            if kind == "set" and value in ("cup", "cap", "minus"):
                self.pos += 1
                right = self.additive()
                name = {"cup": "union", "cap": "cap", "minus": "minus"}[value]
                left = self.node(name, (*left[1], right) if left[0] == name == "union" else (left, right))
            else:
                return left


def _without(node: Node) -> Node:
    """A set minus points or intervals, written with a minus sign: \\mathbb{R} - \\{0\\}."""
    if node[0] != "add" or node[1][0][0] != "reals" or any(p[0] != "neg" or p[1][0] != "group" for p in node[1][1:]):
        return node
    left = node[1][0]
    for part in node[1][1:]:
        left = ("minus", (left, part[1]))
    return left


def has_operator(node: Node) -> bool:
    """Whether a sum, product, integral or limit stands in the tree."""
    return bool(node) and (node[0] == "big" or any(has_operator(part) for part in node if isinstance(part, tuple)))


@lru_cache(maxsize=16_384)
def parse(text: str) -> Node:
    """The tree of a cleaned answer. Raises `UnreadableError` where it has no reading, `TooBigError` beyond a limit."""
    tokens = lex(text)
    parser = Parser(tokens)
    tree = parser.sequence()
    if parser.pos < len(parser.tokens):
        raise UnreadableError(f"unexpected {parser.peek()[1] or parser.peek()[0]!s}"[:60])
    return tree
