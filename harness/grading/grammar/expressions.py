"""The arithmetic of the answer grammar: one recursive-descent pass over tokens, bounded in depth and in nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, ClassVar

from harness.grading.grammar.names import ALWAYS_CALLED, ATOM_STARTS, Names, number
from harness.grading.grammar.nodes import (
    Add,
    Binom,
    Call,
    Const,
    Deg,
    Div,
    Dots,
    Fact,
    Fn,
    Mul,
    Neg,
    Node,
    Num,
    Pct,
    PlusMinus,
    Pow,
    Sym,
    Text,
    Unit,
)
from harness.grading.grammar.units import meaning
from harness.grading.grammar.vocabulary import names
from harness.grading.limits import UnreadableError

NEGATIONS = names("not no never incorrect wrong false isn't cannot impossible or between")


class Arithmetic(Names):
    """Sums, products, powers and atoms. Every method starts at `self.pos` and leaves it after what it read."""

    readers: ClassVar[Mapping[str, Callable[[Any, str], Node]]] = {}  # by token kind; `parser.Parser` fills it

    def sign(self) -> bool:
        """Whether the signs that stand here make what follows negative."""
        negative = False
        while self.peek()[0] == "op" and self.peek()[1] in "+-":
            negative ^= self.peek()[1] == "-"
            self.pos += 1
        return negative

    def signed(self, node: Node, negative: bool) -> Node:
        """`node`, or its negative."""
        return self.made(Neg(node)) if negative else node

    def additive(self) -> Node:
        """A sum: products between signs of plus, minus and plus-minus."""
        self.deeper()
        if self.peek()[0] == "pm":
            sign = self.peek()[1]
            self.pos += 1
            left: Node = self.made(PlusMinus(None, self.product(), sign))
        else:
            left = self.product()
        terms = [left]
        while True:
            kind, value = self.peek()
            if kind == "op" and value in "+-":
                self.pos += 1
                terms.append(self.signed(self.product(), value == "-"))
            elif kind == "pm":
                self.pos += 1
                total = terms[0] if len(terms) == 1 else self.made(Add(tuple(terms)))
                terms = [self.made(PlusMinus(total, self.product(), value))]
            else:
                self.depth -= 1
                return terms[0] if len(terms) == 1 else self.made(Add(tuple(terms)))

    def product(self) -> Node:
        """A product: powers between signs of times and division, or side by side."""
        negative = self.sign()
        left = self.power()
        if isinstance(left, Text) and self.peek()[0] in ATOM_STARTS:
            raise UnreadableError("words before a value")
        while True:
            kind, value = self.peek()
            if kind == "op" and value in ("*", "/", "choose", "over"):
                self.pos += 1
                minus = self.sign()
                right = self.signed(self.power(), minus)
                if value == "*":
                    left = self._times(left, right)
                else:
                    left = self.made(Binom(left, right) if value == "choose" else Div(left, right))
            elif kind == "mod" and value == "bmod":
                self.pos += 1
                minus = self.sign()
                left = self.made(Fn("mod", (left, self.signed(self.power(), minus))))
            elif self._mixed(left):
                part = self._fraction_part()
                match part:
                    case Pct(body=body):  # 12\frac12\% is (12 1/2)%
                        left = self.made(Pct(self.made(Add((left, body)))))
                    case Deg(body=body):
                        left = self.made(Deg(self.made(Add((left, body)))))
                    case _:
                        left = self.made(Add((left, part)))
            elif kind in ATOM_STARTS or (kind == "bar" and value != "mid" and not self.bar_open):
                if isinstance(left, Unit):
                    raise UnreadableError("words between values")
                if kind == "num" and isinstance(left, Num):
                    raise UnreadableError("two numbers side by side")
                left = self._times(left, self.power())
            elif kind == "ldots" and isinstance(left, Mul | Num | Sym) and self.peek(1)[0] in ("op", *ATOM_STARTS):
                self.pos += 1
                left = self._times(left, self.made(Dots()))
            elif kind == "text":
                left = self._unit(left)
            else:
                break
        return self.signed(left, negative)

    def _times(self, left: Node, right: Node) -> Node:
        return self.made(Mul((*left.factors, right) if isinstance(left, Mul) else (left, right)))

    def _mixed(self, left: Node) -> bool:
        r"""Whether a whole number is followed by a plain fraction: 1\frac45, 1 1/2."""
        if not isinstance(left, Num) or left.digits is not None or left.value.denominator != 1:
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
        return self.made(Div(top, bottom))

    def _unit(self, left: Node) -> Node:
        r"""Words after a value: `5 cm^2`, `12 \text{ cookies per box}`, `5 m/s`, `5 J K^{-1}`."""
        words: list[str] = []
        braces = 0
        while True:
            kind, value = self.peek()
            if kind in ("text", "sym"):
                words.append(value)
            elif kind == "hat":
                words.append("^")
            elif kind == "num" and words and words[-1] in ("^", "^ -"):
                words.append(value)
            elif kind == "op" and value == "-" and words[-1:] == ["^"]:
                words[-1] = "^ -"
            elif kind == "brace" and words[-1:] == ["^"]:
                braces += 1
            elif kind == "unbrace" and braces:
                braces -= 1
            elif kind == "op" and value in "*/" and self.peek(1)[0] in ("text", "sym"):
                words.append(value)
            elif kind in ("in", "deg"):
                words.append("in" if kind == "in" else "degree")
            else:
                break
            self.pos += 1
        denied = NEGATIONS & {word.lower() for phrase in words for word in phrase.split()}
        if denied and not (denied == {"or"} and meaning(" ".join(words)).bound):  # 7 or more
            raise UnreadableError("a denied value")
        return self.made(Unit(left, " ".join(words)))

    def power(self) -> Node:
        """An atom with its exponents; an exponent may be a power itself."""
        base = self.postfix(self.atom())
        if self.peek()[0] == "hat":
            if isinstance(base, Sym) and (mark := self.mark_above()):
                return self.postfix(self.called(base.name + mark))
            self.pos += 1
            self.deeper()
            minus = self.sign()
            exponent = self.signed(self.power(), minus)
            self.depth -= 1
            inverse = exponent == Neg(Num(Fraction(1))) and self.peek() == ("open", "(")
            if inverse and isinstance(base, Sym) and base.name in ALWAYS_CALLED:
                return self.postfix(self.called(base.name + "^-1", always=True))
            base = self.postfix(self.made(Pow(base, exponent)))
        return base

    def postfix(self, base: Node) -> Node:
        """`base` with the factorials, degree and percent signs behind it."""
        while True:
            kind, value = self.peek()
            if kind == "op" and value == "!":
                double = self.peek(1) == ("op", "!")
                if double and self.peek(2) == ("op", "!"):
                    raise UnreadableError("a triple factorial")
                self.pos += double
                base = self.made(Fact(base, double))
            elif kind == "deg" and isinstance(base, Sym) and self._composed():
                self.pos += 1
                base = self.made(Call("compose", (base, self.power())))
                continue
            elif kind == "deg":
                base = self.made(Deg(base))
            elif kind == "pct":
                base = self.made(Pct(base))
            else:
                return base
            self.pos += 1

    def _composed(self) -> bool:
        r"""Whether the circle behind a name stands between two functions, as in `f \circ g`."""
        kind, value = self.peek(1)
        return self.peek(-1)[0] == "sym" and kind == "sym" and value[0].isalpha()

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
        """A number, a name, a constant, or what one of `readers` reads.

        Raises:
            UnreadableError: no value begins here.
        """
        kind, value = self.peek()
        self.pos += 1
        if kind == "num":
            return self.subscripted_number(value)
        if kind == "sym":
            return self.symbol(value)
        if kind == "const":
            return self.made(Const(value))
        if kind in self.readers:
            self.deeper()
            result = self.readers[kind](self, value)
            self.depth -= 1
            return result
        if kind == "ldots":
            return self.made(Dots())
        raise UnreadableError(f"unexpected {value or kind!s}"[:60])
