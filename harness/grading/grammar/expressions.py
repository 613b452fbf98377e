"""The arithmetic of the answer grammar: one recursive-descent pass over tokens, bounded in depth and in nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, ClassVar

from harness.grading.grammar.lexer import Token
from harness.grading.grammar.vocabulary import names
from harness.grading.limits import MAX_BITS, MAX_DEPTH, MAX_NODES, TooBigError, UnreadableError

Node = tuple[Any, ...]
NEGATIONS = names("not no never incorrect wrong false isn't cannot impossible or between")
_END: Token = ("end_of_text", "")
_ATOM_STARTS = frozenset(
    ("num", "sym", "const", "func", "open", "brace", "frac", "binom", "sqrt", "begin", "big", "label")
)


def number(text: str) -> Node:
    """The exact value of a literal and, for a decimal, how many significant digits it shows."""
    if "/" in text:
        top, _, bottom = text.partition("/")
        return ("num", Fraction(int(top), int(bottom)), None)
    mantissa, _, exponent = text.lower().partition("e")
    if exponent and abs(int(exponent)) * 4 > MAX_BITS:
        raise TooBigError(f"a number is beyond 2^MAX_BITS={MAX_BITS}")
    digits = len(mantissa.replace(".", "").lstrip("0")) if "." in mantissa else None
    return ("num", Fraction(text), digits)


class Arithmetic:
    """Sums, products, powers and atoms. Every method starts at `self.pos` and leaves it after what it read."""

    readers: ClassVar[Mapping[str, Callable[[Any, str], Node]]] = {}  # by token kind; `parse.Parser` fills it

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = tokens
        self.pos = 0
        self.depth = 0
        self.nodes = 0
        self.bar_open = 0
        self.in_set = False

    def peek(self, ahead: int = 0) -> Token:
        index = self.pos + ahead
        return self.tokens[index] if index < len(self.tokens) else _END

    def take(self, kind: str, value: str | None = None) -> bool:
        token = self.peek()
        if token[0] == kind and (value is None or token[1] == value):
            self.pos += 1
            return True
        return False

    def expect(self, kind: str, what: str) -> str:
        token = self.peek()
        if token[0] != kind:
            raise UnreadableError(f"expected {what}")
        self.pos += 1
        return token[1]

    def node(self, *parts: Any) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise TooBigError(f"an answer has more than MAX_NODES={MAX_NODES} nodes")
        return parts

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooBigError(f"an answer is nested deeper than MAX_DEPTH={MAX_DEPTH}")

    def sequence(self) -> Node:
        """Items between commas; `parse.Parser` has it."""
        raise NotImplementedError

    def relation(self) -> Node:
        """One item of a list; `parse.Parser` has it."""
        raise NotImplementedError

    def additive(self) -> Node:
        self.deeper()
        if self.peek()[0] == "pm":
            sign = self.peek()[1]
            self.pos += 1
            left = self.node("pm", None, self.product(), sign)
        else:
            left = self.product()
        terms = [left]
        while True:
            kind, value = self.peek()
            if kind == "op" and value in "+-":
                self.pos += 1
                term = self.product()
                terms.append(self.node("neg", term) if value == "-" else term)
            elif kind == "pm":
                self.pos += 1
                total = terms[0] if len(terms) == 1 else self.node("add", tuple(terms))
                terms = [self.node("pm", total, self.product(), value)]
            else:
                self.depth -= 1
                return terms[0] if len(terms) == 1 else self.node("add", tuple(terms))

    def product(self) -> Node:
        negative = False
        while self.peek()[0] == "op" and self.peek()[1] in "+-":
            negative ^= self.peek()[1] == "-"
            self.pos += 1
        left = self.power()
        if left[0] == "text" and self.peek()[0] in _ATOM_STARTS:
            raise UnreadableError("words before a value")
        while True:
            kind, value = self.peek()
            if kind == "op" and value in ("*", "/", "choose", "over"):
                self.pos += 1
                sign = False
                while self.peek()[0] == "op" and self.peek()[1] in "+-":
                    sign ^= self.peek()[1] == "-"
                    self.pos += 1
                right = self.power()
                right = self.node("neg", right) if sign else right
                if value == "*":
                    left = self._times(left, right)
                else:
                    left = self.node("binom" if value == "choose" else "div", left, right)
            elif self._mixed(left):
                part = self._fraction_part()
                if part[0] in ("pct", "deg"):  # 12\\frac12\\% is (12 1/2)%
                    left = self.node(part[0], self.node("add", (left, part[1])))
                else:
                    left = self.node("add", (left, part))
            elif kind in _ATOM_STARTS or (kind == "bar" and not self.bar_open):
                if left[0] == "unit":
                    raise UnreadableError("words between values")
                if kind == "num" and left[0] == "num":
                    raise UnreadableError("two numbers side by side")
                left = self._times(left, self.power())
            elif kind == "text":
                left = self._unit(left)
            else:
                break
        return self.node("neg", left) if negative else left

    def _times(self, left: Node, right: Node) -> Node:
        return self.node("mul", (*left[1], right) if left[0] == "mul" else (left, right))

    def _mixed(self, left: Node) -> bool:
        """Whether a whole number is followed by a plain fraction: 1\\frac45, 1 1/2."""
        if left[0] != "num" or left[2] is not None or left[1].denominator != 1:
            return False
        if self.peek()[0] == "frac":
            flat = [t for t in self.tokens[self.pos + 1 : self.pos + 7] if t[0] not in ("brace", "unbrace")]
            return len(flat) > 1 and flat[0][0] == flat[1][0] == "num" and "." not in flat[0][1] + flat[1][1]
        return [self.peek(k)[0] for k in range(3)] == ["num", "op", "num"] and self.peek(1)[1] == "/"

    def _fraction_part(self) -> Node:
        if self.peek()[0] == "frac":
            return self.power()
        top, bottom = number(self.peek()[1]), number(self.peek(2)[1])
        self.pos += 3
        return self.node("div", top, bottom)

    def _unit(self, left: Node) -> Node:
        """Words after a value: `5 cm^2`, `12 \\text{ cookies per box}`, `5 m/s`."""
        words: list[str] = []
        braces = 0
        while True:
            kind, value = self.peek()
            if kind in ("text", "sym"):
                words.append(value)
            elif kind == "hat":
                words.append("^")
            elif kind == "num" and words and words[-1] == "^":
                words.append(value)
            elif kind == "brace" and words[-1:] == ["^"]:
                braces += 1
            elif kind == "unbrace" and braces:
                braces -= 1
            elif kind == "op" and value in "*/" and self.peek(1)[0] in ("text", "sym"):
                words.append(value)
            elif kind == "in":
                words.append("in")
            else:
                break
            self.pos += 1
        if NEGATIONS & {word.lower() for phrase in words for word in phrase.split()}:
            raise UnreadableError("a denied value")
        return self.node("unit", left, " ".join(words))

    def power(self) -> Node:
        base = self.postfix(self.atom())
        if self.take("hat"):
            self.deeper()
            negative = False
            while self.peek()[0] == "op" and self.peek()[1] in "+-":
                negative ^= self.peek()[1] == "-"
                self.pos += 1
            exponent = self.power()
            self.depth -= 1
            base = self.postfix(self.node("pow", base, self.node("neg", exponent) if negative else exponent))
        return base

    def postfix(self, base: Node) -> Node:
        while True:
            kind, value = self.peek()
            if kind == "op" and value == "!":
                if self.peek(1) == ("rel", "="):  # x != 5
                    self.tokens = (*self.tokens[: self.pos], ("rel", "!="), *self.tokens[self.pos + 2 :])
                    return base
                if self.peek(1) == ("op", "!"):
                    raise UnreadableError("a double factorial")
                base = self.node("fact", base)
            elif kind in ("deg", "pct"):
                base = self.node(kind, base)
            elif kind == "prime" and base[0] == "sym":
                base = self.node("sym", base[1] + "'")
            else:
                return base
            self.pos += 1

    # --- atoms ------------------------------------------------------------------------------------------------

    def braced(self) -> Node:
        """A TeX argument: a braced expression, or one atom."""
        if self.take("brace"):
            self.deeper()
            bars, self.bar_open = self.bar_open, 0
            inner = self.sequence()
            self.bar_open = bars
            self.depth -= 1
            self.expect("unbrace", "a closing brace")
            return inner
        return self.atom()

    def atom(self) -> Node:
        kind, value = self.peek()
        self.pos += 1
        if kind == "num":
            return self._subscripted_number(value)
        if kind == "sym":
            return self._symbol(value)
        if kind == "const":
            return self.node("const", value)
        if kind in self.readers:
            self.deeper()
            result = self.readers[kind](self, value)
            self.depth -= 1
            return result
        if kind == "ldots":
            return self.node("ldots")
        raise UnreadableError(f"unexpected {value or kind!s}"[:60])

    def _symbol(self, name: str) -> Node:
        if self.peek()[0] == "base":
            self.pos += 1
            name += "_" + self.subscript()
        elif len(name) == 1 and name not in "eid" and self.peek()[0] == "num" and self.peek()[1].isdecimal():
            name += "_" + self.peek()[1]  # a1 for a_1
            self.pos += 1
        if name in ("e", "i"):
            return self.node("const", name)
        if name == "I":
            return self.node("const", "i")
        return self.node("sym", name)

    def _subscripted_number(self, value: str) -> Node:
        if self.peek()[0] != "base":
            return self.node(*number(value))
        self.pos += 1
        base = self.subscript()
        if not value.isdecimal() or not base.isdecimal() or not 2 <= int(base[:4]) <= 36:
            raise UnreadableError("a subscript that is no base")
        return self.node("based", value, int(base))

    def subscript(self) -> str:
        """The text of what stands after `_`."""
        if not self.take("brace"):
            token = self.peek()
            if token[0] not in ("num", "sym", "text", "const"):
                raise UnreadableError("an empty subscript")
            self.pos += 1
            return _BASES.get(token[1], token[1])
        parts: list[str] = []
        while not self.take("unbrace"):
            if self.peek() == _END or self.peek()[0] == "brace":
                raise UnreadableError("a subscript is not closed")
            parts.append(self.peek()[1])
            self.pos += 1
        text = "".join(parts)
        return _BASES.get(text, text)


_BASES = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
          "ten": "10", "twelve": "12", "sixteen": "16"}  # fmt: skip
