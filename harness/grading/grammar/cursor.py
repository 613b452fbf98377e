"""A place in the tokens of an answer, with the limits on depth and on nodes that every part of the grammar keeps."""

from __future__ import annotations

from typing import TypeVar

from harness.grading.grammar.lexer import Token
from harness.grading.grammar.nodes import Node
from harness.grading.limits import MAX_DEPTH, MAX_NODES, TooBigError, UnreadableError

N = TypeVar("N", bound=Node)
END: Token = ("end_of_text", "")


class Cursor:
    """Tokens and the place that is read next."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = tokens
        self.pos = 0
        self.depth = 0
        self.nodes = 0
        self.bar_open = 0
        self.integrals = 0  # integrals that are open: in them a d before a letter is the differential
        self.in_set = False

    def peek(self, ahead: int = 0) -> Token:
        """The token `ahead` places on; the end token behind the last."""
        index = self.pos + ahead
        return self.tokens[index] if index < len(self.tokens) else END

    def take(self, kind: str, value: str | None = None) -> bool:
        """Whether such a token is next; if so, it is read."""
        token = self.peek()
        if token[0] == kind and (value is None or token[1] == value):
            self.pos += 1
            return True
        return False

    def expect(self, kind: str, what: str) -> str:
        """Read a token of `kind` and return its value.

        Raises:
            UnreadableError: another one is next; the message says `what` was expected.
        """
        token = self.peek()
        if token[0] != kind:
            raise UnreadableError(f"expected {what}")
        self.pos += 1
        return token[1]

    def made(self, node: N) -> N:
        """`node`, counted."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise TooBigError(f"an answer has more than MAX_NODES={MAX_NODES} nodes")
        return node

    def deeper(self) -> None:
        """Count one level of nesting; whoever calls it takes it back.

        Raises:
            TooBigError: nested deeper than `MAX_DEPTH`.
        """
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooBigError(f"an answer is nested deeper than MAX_DEPTH={MAX_DEPTH}")

    def sequence(self) -> Node:
        """Items between commas; `parser.Parser` has it."""
        raise NotImplementedError

    def relation(self) -> Node:
        """One item of a list; `parser.Parser` has it."""
        raise NotImplementedError
