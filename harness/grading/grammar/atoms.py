"""How the parser reads what opens with a bracket, a command or a function name."""

from __future__ import annotations

from collections.abc import Callable

from harness.grading.grammar.expressions import Arithmetic
from harness.grading.grammar.names import ATOM_STARTS
from harness.grading.grammar.nodes import (
    ONE,
    TWO,
    Add,
    Arrow,
    Big,
    Binom,
    Cases,
    Const,
    Det,
    Div,
    Empty,
    Fn,
    Group,
    Label,
    Matrix,
    Mul,
    Neg,
    Node,
    Num,
    NumberSet,
    Pow,
    Rel,
    Root,
    Seq,
    SuchThat,
    Sym,
    Text,
)
from harness.grading.grammar.tree import replaced
from harness.grading.grammar.vocabulary import names
from harness.grading.limits import MAX_MATRIX_ENTRIES, TooBigError, UnreadableError

_CLOSERS = {"(": ")]", "[": "])", "{": "}", "⌊": "⌋", "⌈": "⌉", "⟨": "⟩"}
_RENAMED = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "lg": "log",
    "ceiling": "ceil",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "artanh": "arctanh",
    "arsinh": "arcsinh",
    "arcosh": "arccosh",
}
_MATRICES = ("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix", "smallmatrix", "array", "psmallmatrix")
_IF_WORDS = names("if for when where otherwise else all other")
_WRAPPERS = ("aligned", "align", "equation", "gathered", "gather", "split", "alignedat", "eqnarray")


def _brace(p: Arithmetic, _: str) -> Node:
    p.pos -= 1
    return p.braced()


def _open(p: Arithmetic, opener: str) -> Node:
    bars, p.bar_open = p.bar_open, 0
    in_set, p.in_set = p.in_set, opener == "{"
    if p.peek()[0] == "close":
        closer = p.expect("close", "a closing bracket")
        p.bar_open, p.in_set = bars, in_set
        return p.made(Empty()) if opener == "{" else p.made(Group(opener, closer, ()))
    if opener == "{":
        p.bar_open = 1  # in {x | x > 2} the bar opens a condition, not an absolute value
    inner = p.sequence()
    items = list(inner.items) if isinstance(inner, Seq) else [inner]
    if opener == "{" and (p.take("bar") or p.take("colon")):
        p.bar_open = 0
        items = [p.made(SuchThat(inner if isinstance(inner, Seq) else items[0], p.sequence()))]
    p.bar_open, p.in_set = bars, in_set
    if p.peek()[0] != "close" or p.peek()[1] not in _CLOSERS[opener]:
        raise UnreadableError(f"'{opener}' is not closed")
    closer = p.expect("close", "a closing bracket")
    if opener in "⌊⌈":
        return p.made(Fn("floor" if opener == "⌊" else "ceil", (items[0],)))
    if len(items) == 1:
        if opener == "(" and closer == ")":
            return items[0]
        if opener in "([" and isinstance(items[0], Matrix):
            return items[0]
        if opener == "{" and isinstance(items[0], SuchThat):
            return items[0]
    return p.made(Group(opener, closer, tuple(items)))


def _bar(p: Arithmetic, value: str) -> Node:
    if value == "mid":
        raise UnreadableError("unexpected \\mid")
    bars, p.bar_open = p.bar_open, 1
    inner = p.additive()
    p.bar_open = bars
    if not p.take("bar"):
        raise UnreadableError("'|' is not closed")
    return p.made(Det(inner.rows)) if isinstance(inner, Matrix) else p.made(Fn("abs", (inner,)))


def _environment(p: Arithmetic, name: str) -> Node:
    if name in _WRAPPERS:
        _join_lines(p)
        inner = p.sequence()
        p.expect("end", f"\\end{{{name}}}")
        return inner
    if name in ("cases", "dcases", "rcases"):
        return _cases(p)
    if name not in _MATRICES:
        raise UnreadableError(f"environment {name[:20]}")
    bars, p.bar_open = p.bar_open, 0
    rows: list[list[Node]] = [[]]
    entries = 0
    while not p.take("end"):
        if p.take("row"):
            if rows[-1]:
                rows.append([])
        elif p.take("amp"):
            continue
        elif p.peek()[0] == "end_of_text":
            raise UnreadableError(f"environment {name} is not closed")
        else:
            rows[-1].append(p.relation())
            entries += 1
            if entries > MAX_MATRIX_ENTRIES:
                raise TooBigError(f"a matrix has more than MAX_MATRIX_ENTRIES={MAX_MATRIX_ENTRIES} entries")
    p.bar_open = bars
    if not rows[-1]:
        rows.pop()
    if not rows or len({len(row) for row in rows}) != 1:
        raise UnreadableError("a matrix with uneven rows")
    if name == "array" and all(isinstance(row[0], Rel) for row in rows) and len(rows[0]) == 1:
        return p.made(Seq(tuple(row[0] for row in rows), "and"))  # a system of equations
    kept = tuple(tuple(row) for row in rows)
    return p.made(Det(kept)) if name == "vmatrix" else p.made(Matrix(kept))


def _join_lines(p: Arithmetic) -> None:
    r"""Drops alignment marks, and the line breaks before a relation: x &= 2+3 \\ &= 5 is one chain, else a list."""
    kept = [t for t in p.tokens[p.pos :] if t[0] != "amp"]
    after = [*kept[1:], ("end_of_text", "")]
    depth = 0
    joined: list[tuple[str, str]] = []
    for token, following in zip(kept, after, strict=True):
        depth += (token[0] == "begin") - (token[0] == "end")
        if token[0] == "row" and depth == 0:
            if following[0] not in ("rel", "end") and joined and joined[-1][0] not in ("sep", "conn"):
                joined.append(("sep", ","))
        else:
            joined.append(token)
    p.tokens = (*p.tokens[: p.pos], *joined)


def _cases(p: Arithmetic) -> Node:
    r"""`x & x \ge 0 \\ -x & \text{otherwise}` as (value, condition) pairs; lines of equations are a system."""
    bars, p.bar_open = p.bar_open, 0
    rows: list[tuple[Node, Node]] = []
    bare = 0
    while not p.take("end"):
        while p.take("row"):
            pass
        if p.take("end"):
            break
        value = p.relation()
        condition: Node = Text("otherwise")
        while p.peek()[0] in ("sep", "amp") or (
            p.peek()[0] == "text" and set(p.peek()[1].lower().split()) <= _IF_WORDS
        ):
            p.pos += 1
        if p.peek()[0] == "text" and len(p.peek()[1]) == 1:  # a letter behind "if" is a name, no word
            p.tokens = (*p.tokens[: p.pos], ("sym", p.peek()[1]), *p.tokens[p.pos + 1 :])
        if p.peek()[0] not in ("row", "end"):
            condition = p.sequence()
        else:
            bare += 1
        if p.peek()[0] not in ("row", "end") or len(rows) >= MAX_MATRIX_ENTRIES:
            raise UnreadableError("cases that do not end")
        rows.append((value, condition))
    p.bar_open = bars
    if rows and bare == len(rows):
        return p.made(Seq(tuple(value for value, _ in rows), "and")) if len(rows) > 1 else rows[0][0]
    return p.made(Cases(tuple(rows)))


def _fraction(p: Arithmetic, _: str) -> Node:
    top = p.braced()
    bottom = p.braced()
    return derivative(top, bottom) or _differentiated(p, top, bottom) or p.made(Div(top, bottom))


def _differentiated(p: Arithmetic, top: Node, bottom: Node) -> Node | None:
    r"""\frac{d}{dx} of the product behind it, as a `Big`; None where no operator stands there."""
    match top, bottom:
        case Sym(name="d" | "partial" as d), Mul(factors=(Sym(name=other), Sym() as x)) if d == other:
            order: Node = ONE
        case Pow(base=Sym(name="d" | "partial" as d), exponent=Num() as order), Mul(
            factors=(Sym(name=other), Pow(base=Sym() as x, exponent=power))
        ) if d == other and power == order:
            pass
        case _:
            return None
    if p.peek()[0] not in ATOM_STARTS and p.peek()[0] != "bar":
        return None
    return p.made(Big("diff", x, order, p.product()))


def derivative(top: Node, bottom: Node) -> Sym | None:
    """dy/dx as a name of its own, `y'|x`; d^2y/dx^2 as `y''|x`; partial derivatives as `f,|x`. None for a quotient."""
    match top, bottom:
        case Mul(factors=(Sym(name=d), Sym(name=y))), Mul(factors=(Sym(name=other), Sym(name=x))):
            order = 1
        case Mul(factors=(Pow(base=Sym(name=d), exponent=n), Sym(name=y))), Mul(
            factors=(Sym(name=other), Pow(base=Sym(name=x), exponent=m))
        ) if n == m and hasattr(n, "value"):
            order = int(n.value)
        case _:
            return None
    if d != other or d not in ("d", "partial"):
        return None
    return Sym(y + ("'" if d == "d" else ",") * min(order, 9) + "|" + x)


def _binomial(p: Arithmetic, _: str) -> Node:
    top = p.braced()
    return p.made(Binom(top, p.braced()))


def _root(p: Arithmetic, _: str) -> Node:
    index: Node = TWO
    if p.peek() == ("open", "["):
        p.pos += 1
        index = p.additive()
        if p.peek() != ("close", "]"):
            raise UnreadableError("the index of a root is not closed")
        p.pos += 1
    return p.made(Root(p.braced(), index))


def _function(p: Arithmetic, written: str) -> Node:
    name = _RENAMED.get(written, written)
    base: Node | None = None
    power: Node | None = None
    while p.peek()[0] in ("base", "hat"):
        if p.take("base"):
            base = p.braced()
        else:
            p.pos += 1
            negative = p.take("op", "-")
            power = p.braced()
            power = p.made(Neg(power)) if negative else power
    if name == "log" and base is None and p.peek()[0] == "num" and p.peek(1)[0] in ("open", "brace"):
        base = p.atom()  # log2(8)
    args = _arguments(p)
    if name == "log" and base is not None:
        args = (args[0], base)
    elif base is not None:
        raise UnreadableError(f"a subscript on {name}")
    if written == "lg":
        name = "lg"
    if power == Neg(ONE) and "arc" + name in _INVERSES:
        return p.made(Fn("arc" + name, args))
    if name == "det" and len(args) == 1 and isinstance(args[0], Matrix):
        return p.made(Det(args[0].rows))
    result = p.made(Fn(name, args))
    return p.made(Pow(result, power)) if power is not None else result


def _arguments(p: Arithmetic) -> tuple[Node, ...]:
    """The arguments of a function: a bracketed list, or the factors up to the next operator or function."""
    kind = p.peek()[0]
    if kind in ("open", "brace"):
        opener = p.peek()[1]
        inner = p.atom()
        if isinstance(inner, Group) and not inner.items:
            raise UnreadableError("a function without an argument")
        if isinstance(inner, Group) and (opener == "(" or len(inner.items) > 1):
            return inner.items
        if isinstance(inner, Seq):
            return inner.items
        return (inner,)
    if kind == "begin":
        return (p.atom(),)
    factors: list[Node] = []
    while p.peek()[0] in ("num", "sym", "const", "frac", "sqrt", "brace", "binom", "bar", "label"):
        if p.peek()[0] == "bar" and p.bar_open:
            break
        if factors and p.integrals and p.peek() == ("sym", "d") and p.peek(1)[0] == "sym":  # \\sin x dx
            break
        factors.append(p.power())
        if p.peek()[0] == "op" and p.peek()[1] == "/" and len(factors) == 1 and p.peek(1)[0] == "num":
            p.pos += 1
            factors = [p.made(Div(factors[0], p.power()))]
    if not factors and p.peek()[0] == "func":
        factors = [p.power()]
    if not factors:
        raise UnreadableError("a function without an argument")
    return (factors[0] if len(factors) == 1 else p.made(Mul(tuple(factors))),)


def _big(p: Arithmetic, name: str) -> Node:
    """Sums, products, integrals and limits."""
    lower: Node | None = None
    upper: Node | None = None
    while p.peek()[0] in ("base", "hat"):
        which = p.peek()[0]
        p.pos += 1
        if which == "base" and p.take("brace"):
            lower = p.relation()
            match lower:
                case Rel(sides=(left, right), ops=("→",)):
                    lower = Arrow(left, right)
            p.expect("unbrace", "a closing brace")
        elif which == "base":
            lower = p.atom()
        elif p.peek()[0] == "sym":  # \\int_0^x 2t: TeX takes one letter
            letter = p.peek()[1]
            upper = p.made(Const(letter) if letter == "e" else Sym(letter))
            p.pos += 1
        else:
            upper = p.braced()
    p.integrals += name == "int"
    body = p.product()
    while name == "int" and differential(body) is None and p.peek()[0] == "op" and p.peek()[1] in "+-":
        minus = p.peek()[1] == "-"
        p.pos += 1
        term = p.product()
        body = p.made(Add((body, p.made(Neg(term)) if minus else term)))
    p.integrals -= name == "int"
    index, imaginary = Sym("i"), Const("i")
    if name in ("sum", "prod") and isinstance(lower, Rel) and imaginary in lower.sides:  # i counts here
        lower, body = replaced(lower, imaginary, index), replaced(body, imaginary, index)
    return p.made(Big(name, lower, upper, body))


def differential(body: Node) -> str | None:
    """The variable of the `dx` at the end of an integrand, or of the numerator of its last term; None without one."""
    match body:
        case Add(terms=(*_, last)) | Neg(body=last) | Div(top=last):
            return differential(last)
        case Mul(factors=(*_, Sym(name="d"), Sym(name=variable))):
            return variable
    return None


def _label(p: Arithmetic, name: str) -> Node:
    body = p.power()
    letters = [body]
    while isinstance(letters[-1], Sym) and p.peek()[0] == "sym" and p.peek()[1].isupper() and len(letters) < 4:
        letters.append(p.power())
    return p.made(Label(name, body if len(letters) == 1 else p.made(Mul(tuple(letters)))))


def _text(p: Arithmetic, first: str) -> Node:
    words = [first]
    while p.peek()[0] in ("text", "sym"):
        words.append(p.peek()[1])
        p.pos += 1
    return p.made(Text(" ".join(words)))


def _set(p: Arithmetic, name: str) -> Node:
    if name == "empty":
        return p.made(Empty())
    if name not in "RZNQC":
        raise UnreadableError(f"unexpected {name}")
    sign = ""
    if p.peek()[0] in ("hat", "base"):
        inside = [t for t in (p.peek(k) for k in range(1, 5)) if t[0] not in ("brace",)]
        shown = "".join(t[1] for t in inside).split("}")[0][:3]
        signs = {"+": "+", "-": "-", "*": "*", ">0": "+", "<0": "-", ">=0": "0+", "≥0": "0+"}
        found = next((mark for mark in sorted(signs, key=len, reverse=True) if shown.startswith(mark)), None)
        if found is not None:
            sign = signs[found]
            p.pos += 1
            braced = p.take("brace")
            p.pos += len(found) - (found == ">=0")
            if braced:
                p.expect("unbrace", "a closing brace")
    return p.made(NumberSet(name, sign))


_INVERSES = names("arcsin arccos arctan arccot arcsec arccsc arcsinh arccosh arctanh")
READERS: dict[str, Callable[[Arithmetic, str], Node]] = {
    "brace": _brace,
    "open": _open,
    "bar": _bar,
    "begin": _environment,
    "frac": _fraction,
    "binom": _binomial,
    "sqrt": _root,
    "func": _function,
    "big": _big,
    "label": _label,
    "text": _text,
    "set": _set,
}
