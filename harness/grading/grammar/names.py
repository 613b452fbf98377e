"""Numbers and names: literals, subscripts, primes, and which names with brackets behind them are calls."""

from __future__ import annotations

from fractions import Fraction

from harness.grading.grammar.cursor import END, Cursor
from harness.grading.grammar.nodes import Based, Call, Const, Group, Node, Num, Seq, Sym
from harness.grading.grammar.tree import symbols
from harness.grading.grammar.vocabulary import names
from harness.grading.limits import MAX_BITS, TooBigError, UnreadableError

ATOM_STARTS = frozenset(
    ("num", "sym", "const", "func", "open", "brace", "frac", "binom", "sqrt", "begin", "big", "label")
)
# f(...) and g(...) are calls; these are where the argument is one variable or one number, else they multiply.
ALWAYS_CALLED = names("f g f' g' f'' g'' f''' f_1 f_2 phi psi cross perm Gamma zeta")
_CALLED_ON_VARIABLES = names("h F G H P Q R S T U V W p q u v w r s y x z N L M E A B C a b c h' y' x' u' v' F' G'")
_VARIABLES = names("x t n z s theta k y u m")
_CALLED_ON_NUMBERS = names("h F G H P Q p q y h' y' F'")
_OF_RANDOM_VARIABLES = names("P Pr E Var Cov")
_BASES = {
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "twelve": "12",
    "sixteen": "16",
}


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


class Names(Cursor):
    """How a number or a name is read."""

    def mark_above(self) -> str:
        r"""The primes or the star of `y^{\prime}`, `x^*` or the order of `f^{(2)}`, tokens taken; "" for a power."""
        ahead = 1
        braced = self.peek(1)[0] == "brace"
        ahead += braced
        marks = 0
        while self.peek(ahead)[0] == "prime":
            ahead, marks = ahead + 1, marks + 1
        mark = "'" * marks
        if not mark and braced and [self.peek(k)[0] for k in (2, 3, 4, 5)] == ["open", "num", "close", "unbrace"]:
            ahead, mark = 5, f"^({self.peek(3)[1]})"  # the derivative f^{(2)}
        if not mark and self.peek(ahead) == ("op", "*") and (braced or self.peek(ahead + 1)[0] not in ATOM_STARTS):
            ahead, mark = ahead + 1, "*"
        if not mark or (braced and self.peek(ahead)[0] != "unbrace"):
            return ""
        self.pos += ahead + braced
        return mark

    def symbol(self, name: str) -> Node:
        """A name with its primes and subscript, a constant, or a call."""
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
        return self.called(name)

    def called(self, name: str, always: bool = False) -> Node:
        """The name, or its call where an argument list stands behind it: f(x), P(t), but not n(n+1)."""
        if self.peek() == ("open", "[") and name in _OF_RANDOM_VARIABLES:
            return self._of_random_variable(name)
        if self.peek() != ("open", "("):
            return self.made(Sym(name))
        inside, behind = self.peek(1), self.peek(2)
        alone = behind == ("close", ")")
        variable = alone and inside[0] == "sym" and inside[1] in _VARIABLES and inside[1] != name
        probability = name in _OF_RANDOM_VARIABLES and inside[0] == "sym" and inside[1][0].isupper()
        always = always or probability
        literal = alone and inside[0] == "num" and name in _CALLED_ON_NUMBERS
        point = len(name) == 1 and name.isupper() and self._lists_arguments()
        if not (always or point or name in ALWAYS_CALLED or (name in _CALLED_ON_VARIABLES and variable) or literal):
            return self.made(Sym(name))
        self.pos += 1
        if self.take("close", ")"):
            return self.made(Sym(name))
        self.deeper()
        bars, self.bar_open = self.bar_open, int(name in _OF_RANDOM_VARIABLES)
        inner = self.sequence()
        self.bar_open = bars
        self.depth -= 1
        if name in _OF_RANDOM_VARIABLES and self.take("bar"):  # P(A | B)
            name, inner = f"{name}|", self.made(Seq((inner, self.sequence()), ","))
        if self.peek() != ("close", ")"):
            raise UnreadableError("'(' is not closed")
        self.pos += 1
        args = inner.items if hasattr(inner, "items") and not isinstance(inner, Group) else (inner,)
        return self.made(Call(name, tuple(args)))

    def _lists_arguments(self) -> bool:
        """Whether a comma stands in the brackets that open here: N(0, 1), A(2, 3)."""
        depth = 0
        for ahead in range(40):
            kind = self.peek(ahead)[0]
            depth += (kind in ("open", "brace")) - (kind in ("close", "unbrace"))
            if depth == 0:
                return False
            if kind == "sep" and depth == 1:
                return True
        return False

    def _of_random_variable(self, name: str) -> Node:
        """E[X] as a call where a capital stands in the brackets; else the name, which multiplies."""
        start = self.pos
        self.pos += 1
        self.deeper()
        inner = self.sequence()
        self.depth -= 1
        if self.take("close", "]") and any(x[:1].isupper() for x in symbols(inner)):
            return self.made(Call(name, inner.items if isinstance(inner, Seq) else (inner,)))
        self.pos = start
        return self.made(Sym(name))

    def subscripted_number(self, value: str) -> Node:
        """A number, or digits in the base that its subscript names."""
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
            if self.peek() == END or self.peek()[0] == "brace":
                raise UnreadableError("a subscript is not closed")
            parts.append(self.peek()[1])
            self.pos += 1
        text = "".join(parts)
        return _BASES.get(text, text)
