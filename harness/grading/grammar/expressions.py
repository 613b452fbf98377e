"""The arithmetic of the answer grammar: one recursive-descent pass over tokens, bounded in depth and in nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, ClassVar, TypeVar

from harness.grading.grammar.lexer import Token
from harness.grading.grammar.nodes import (
    Add,
    Based,
    Binom,
    Call,
    Const,
    Deg,
    Div,
    Dots,
    Fact,
    Fn,
    Group,
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
from harness.grading.grammar.vocabulary import names
from harness.grading.limits import MAX_BITS, MAX_DEPTH, MAX_NODES, TooBigError, UnreadableError

N = TypeVar("N", bound=Node)
NEGATIONS = names("not no never incorrect wrong false isn't cannot impossible or between")
_END: Token = ("end_of_text", "")
_ATOM_STARTS = frozenset(
    ("num", "sym", "const", "func", "open", "brace", "frac", "binom", "sqrt", "begin", "big", "label")
)
# f(...) and g(...) are calls; these are where the argument is one variable or one number, else they multiply.
_ALWAYS_CALLED = names("f g f' g' f'' g'' f''' f_1 f_2 phi psi cross perm Gamma zeta")
_CALLED_ON_VARIABLES = names("h F G H P Q R S T U V W p q u v w r s y x z N L M E A B C a b c h' y' x' u' v' F' G'")
_VARIABLES = names("x t n z s theta k y u m")
_CALLED_ON_NUMBERS = names("h F G H P Q p q y h' y' F'")


def number(text: str) -> Num:
    """The exact value of a literal and, for a decimal, how many significant digits it shows."""
    if "/" in text:
        top, _, bottom = text.partition("/")
        return Num(Fraction(int(top), int(bottom)))
    mantissa, _, exponent = text.lower().partition("e")
    if exponent and abs(int(exponent)) * 4 > MAX_BITS:
        raise TooBigError(f"a number is beyond 2^MAX_BITS={MAX_BITS}")
    digits = len(mantissa.replace(".", "").lstrip("0")) if "." in mantissa else None
    return Num(Fraction(text), digits)


class Arithmetic:
    """Sums, products, powers and atoms. Every method starts at `self.pos` and leaves it after what it read."""

    readers: ClassVar[Mapping[str, Callable[[Any, str], Node]]] = {}  # by token kind; `parser.Parser` fills it

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = tokens
        self.pos = 0
        self.depth = 0
        self.nodes = 0
        self.bar_open = 0
        self.in_set = False

    def peek(self, ahead: int = 0) -> Token:
        """The token `ahead` places on; the end token behind the last."""
        index = self.pos + ahead
        return self.tokens[index] if index < len(self.tokens) else _END

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
        if isinstance(left, Text) and self.peek()[0] in _ATOM_STARTS:
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
            elif kind in _ATOM_STARTS or (kind == "bar" and not self.bar_open):
                if isinstance(left, Unit):
                    raise UnreadableError("words between values")
                if kind == "num" and isinstance(left, Num):
                    raise UnreadableError("two numbers side by side")
                left = self._times(left, self.power())
            elif kind == "ldots" and isinstance(left, Mul | Num | Sym) and self.peek(1)[0] in ("op", *_ATOM_STARTS):
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
        if NEGATIONS & {word.lower() for phrase in words for word in phrase.split()}:
            raise UnreadableError("a denied value")
        return self.made(Unit(left, " ".join(words)))

    def power(self) -> Node:
        """An atom with its exponents; an exponent may be a power itself."""
        base = self.postfix(self.atom())
        if self.peek()[0] == "hat":
            if isinstance(base, Sym) and (mark := self._mark_above()):
                return self.postfix(self._called(base.name + mark))
            self.pos += 1
            self.deeper()
            minus = self.sign()
            exponent = self.signed(self.power(), minus)
            self.depth -= 1
            inverse = exponent == Neg(Num(Fraction(1))) and self.peek() == ("open", "(")
            if inverse and isinstance(base, Sym) and base.name in _ALWAYS_CALLED:
                return self.postfix(self._called(base.name + "^-1", always=True))
            base = self.postfix(self.made(Pow(base, exponent)))
        return base

    def _mark_above(self) -> str:
        r"""The primes or the star of `y^{\prime}`, `x^*`; the tokens are taken. "" where a power stands there."""
        ahead = 1
        braced = self.peek(1)[0] == "brace"
        ahead += braced
        marks = 0
        while self.peek(ahead)[0] == "prime":
            ahead, marks = ahead + 1, marks + 1
        mark = "'" * marks
        if not mark and self.peek(ahead) == ("op", "*") and (braced or self.peek(ahead + 1)[0] not in _ATOM_STARTS):
            ahead, mark = ahead + 1, "*"
        if not mark or (braced and self.peek(ahead)[0] != "unbrace"):
            return ""
        self.pos += ahead + braced
        return mark

    def postfix(self, base: Node) -> Node:
        """`base` with the factorials, degree and percent signs behind it."""
        while True:
            kind, value = self.peek()
            if kind == "op" and value == "!":
                if self.peek(1) == ("rel", "="):  # x != 5
                    self.tokens = (*self.tokens[: self.pos], ("rel", "!="), *self.tokens[self.pos + 2 :])
                    return base
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
        """A number, a name, a constant, or what one of `readers` reads.

        Raises:
            UnreadableError: no value begins here.
        """
        kind, value = self.peek()
        self.pos += 1
        if kind == "num":
            return self._subscripted_number(value)
        if kind == "sym":
            return self._symbol(value)
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

    def _symbol(self, name: str) -> Node:
        while self.peek()[0] == "prime":
            name += "'"
            self.pos += 1
        if self.peek()[0] == "base":
            self.pos += 1
            name += "_" + self.subscript()
        elif len(name) == 1 and name not in "eid" and self.peek()[0] == "num" and self.peek()[1].isdecimal():
            name += "_" + self.peek()[1]  # a1 for a_1
            self.pos += 1
        while self.peek()[0] == "prime":
            name += "'"
            self.pos += 1
        if name in ("e", "i"):
            return self.made(Const(name))
        if name == "I":
            return self.made(Const("i"))
        return self._called(name)

    def _called(self, name: str, always: bool = False) -> Node:
        """The name, or its call where an argument list stands behind it: f(x), P(t), but not n(n+1)."""
        if self.peek() != ("open", "("):
            return self.made(Sym(name))
        inside, behind = self.peek(1), self.peek(2)
        alone = behind == ("close", ")")
        variable = alone and inside[0] == "sym" and inside[1] in _VARIABLES and inside[1] != name
        probability = name in ("P", "Pr") and inside[0] == "sym" and inside[1][0].isupper()
        always = always or probability
        literal = alone and inside[0] == "num" and name in _CALLED_ON_NUMBERS
        if not (always or name in _ALWAYS_CALLED or (name in _CALLED_ON_VARIABLES and variable) or literal):
            return self.made(Sym(name))
        self.pos += 1
        if self.take("close", ")"):
            return self.made(Sym(name))
        self.deeper()
        inner = self.sequence()
        self.depth -= 1
        if self.peek() != ("close", ")"):
            raise UnreadableError("'(' is not closed")
        self.pos += 1
        args = inner.items if hasattr(inner, "items") and not isinstance(inner, Group) else (inner,)
        return self.made(Call(name, tuple(args)))

    def _subscripted_number(self, value: str) -> Node:
        if self.peek()[0] != "base":
            return self.made(number(value))
        self.pos += 1
        base = self.subscript()
        if not value.isdecimal() or not base.isdecimal() or not 2 <= int(base[:4]) <= 36:
            raise UnreadableError("a subscript that is no base")
        return self.made(Based(value, int(base)))

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
