"""How the parser reads what opens with a bracket, a command or a function name (see `parse` for the nodes)."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from harness.grading.grammar.expressions import Arithmetic, Node
from harness.grading.grammar.vocabulary import names
from harness.grading.limits import MAX_MATRIX_ENTRIES, TooBigError, UnreadableError

_CLOSERS = {"(": ")]", "[": "])", "{": "}", "⌊": "⌋", "⌈": "⌉", "⟨": "⟩"}
_RENAMED = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "lg": "log", "ceiling": "ceil"}
_MATRICES = ("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "smallmatrix", "array", "psmallmatrix")
_IF_WORDS = names("if for when where otherwise else all other")
_WRAPPERS = ("aligned", "align", "equation", "gathered", "gather", "split")


def _brace(p: Arithmetic, _: str) -> Node:
    p.pos -= 1
    return p.braced()


def _open(p: Arithmetic, opener: str) -> Node:
    bars, p.bar_open = p.bar_open, 0
    in_set, p.in_set = p.in_set, opener == "{"
    if p.peek()[0] == "close":
        closer = p.expect("close", "a closing bracket")
        p.bar_open, p.in_set = bars, in_set
        return p.node("empty") if opener == "{" else p.node("group", opener, closer, ())
    if opener == "{":
        p.bar_open = 1  # in {x | x > 2} the bar opens a condition, not an absolute value
    inner = p.sequence()
    items = list(inner[1]) if inner[0] == "seq" else [inner]
    if opener == "{" and (p.take("bar") or p.take("colon")):
        p.bar_open = 0
        items = [p.node("such_that", items[0], p.sequence())]
    p.bar_open, p.in_set = bars, in_set
    if p.peek()[0] != "close" or p.peek()[1] not in _CLOSERS[opener]:
        raise UnreadableError(f"'{opener}' is not closed")
    closer = p.expect("close", "a closing bracket")
    if opener == "⌊":
        return p.node("fn", "floor", (items[0],))
    if opener == "⌈":
        return p.node("fn", "ceil", (items[0],))
    if opener == "(" and closer == ")" and len(items) == 1:
        return items[0]
    if opener in "([" and len(items) == 1 and items[0][0] == "matrix":
        return items[0]
    if opener == "{" and len(items) == 1 and items[0][0] == "such_that":
        return items[0]
    return p.node("group", opener, closer, tuple(items))


def _bar(p: Arithmetic, value: str) -> Node:
    if value == "mid":
        raise UnreadableError("unexpected \\mid")
    bars, p.bar_open = p.bar_open, 1
    inner = p.additive()
    p.bar_open = bars
    if not p.take("bar"):
        raise UnreadableError("'|' is not closed")
    return p.node("abs", inner)


def _environment(p: Arithmetic, name: str) -> Node:
    if name in _WRAPPERS:
        _join_lines(p)
        inner = p.sequence()
        p.expect("end", f"\\end{{{name}}}")
        return inner
    if name in ("cases", "dcases"):
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
    kind = "det" if name == "vmatrix" else "matrix"
    return p.node(kind, tuple(tuple(row) for row in rows))


def _join_lines(p: Arithmetic) -> None:
    """Drops alignment marks, and the line breaks before a relation: x &= 2+3 \\\\ &= 5 is one chain."""
    kept = [t for t in p.tokens[p.pos :] if t[0] != "amp"]
    after = [*kept[1:], ("end_of_text", "")]
    joined = [
        t for t, following in zip(kept, after, strict=True) if t[0] != "row" or following[0] not in ("rel", "end")
    ]
    p.tokens = (*p.tokens[: p.pos], *joined)


def _cases(p: Arithmetic) -> Node:
    """`x & x \\ge 0 \\\\ -x & \\text{otherwise}` as (value, condition) pairs."""
    bars, p.bar_open = p.bar_open, 0
    rows: list[tuple[Node, Node]] = []
    while not p.take("end"):
        while p.take("row"):
            pass
        if p.take("end"):
            break
        value = p.relation()
        condition: Node = ("text", "otherwise")
        while p.peek()[0] in ("sep", "amp") or (
            p.peek()[0] == "text" and set(p.peek()[1].lower().split()) <= _IF_WORDS
        ):
            p.pos += 1
        if p.peek()[0] not in ("row", "end"):
            condition = p.sequence()
        if p.peek()[0] not in ("row", "end") or len(rows) >= MAX_MATRIX_ENTRIES:
            raise UnreadableError("cases that do not end")
        rows.append((value, condition))
    p.bar_open = bars
    return p.node("cases", tuple(rows))


def _fraction(p: Arithmetic, _: str) -> Node:
    top = p.braced()
    return p.node("div", top, p.braced())


def _binomial(p: Arithmetic, _: str) -> Node:
    top = p.braced()
    return p.node("binom", top, p.braced())


def _root(p: Arithmetic, _: str) -> Node:
    index: Node = ("num", Fraction(2), None)
    if p.peek() == ("open", "["):
        p.pos += 1
        index = p.additive()
        if p.peek() != ("close", "]"):
            raise UnreadableError("the index of a root is not closed")
        p.pos += 1
    return p.node("root", p.braced(), index)


def _function(p: Arithmetic, name: str) -> Node:
    name = _RENAMED.get(name, name)
    base: Node | None = None
    power: Node | None = None
    while p.peek()[0] in ("base", "hat"):
        if p.take("base"):
            base = p.braced()
        else:
            p.pos += 1
            negative = p.take("op", "-")
            power = p.braced()
            power = p.node("neg", power) if negative else power
    if name == "log" and base is None and p.peek()[0] == "num" and p.peek(1)[0] in ("open", "brace"):
        base = p.atom()  # log2(8)
    args = _arguments(p)
    if name == "log" and base is not None:
        args = (args[0], base)
    elif base is not None:
        raise UnreadableError(f"a subscript on {name}")
    if power == ("neg", ("num", 1, None)) and "arc" + name in _INVERSES:
        return p.node("fn", "arc" + name, args)
    result = p.node("fn", name, args)
    return p.node("pow", result, power) if power is not None else result


def _arguments(p: Arithmetic) -> tuple[Node, ...]:
    """The arguments of a function: a bracketed list, or the factors up to the next operator or function."""
    kind = p.peek()[0]
    if kind in ("open", "brace"):
        opener = p.peek()[1]
        inner = p.atom()
        if inner[0] == "group" and opener == "(":
            return tuple(inner[3])
        if inner[0] == "seq":
            return tuple(inner[1])
        return (inner,)
    factors: list[Node] = []
    while p.peek()[0] in ("num", "sym", "const", "frac", "sqrt", "brace", "binom", "bar", "label"):
        if p.peek()[0] == "bar" and p.bar_open:
            break
        factors.append(p.power())
        if p.peek()[0] == "op" and p.peek()[1] == "/" and len(factors) == 1 and p.peek(1)[0] == "num":
            p.pos += 1
            factors = [p.node("div", factors[0], p.power())]
    if not factors and p.peek()[0] == "func":
        factors = [p.power()]
    if not factors:
        raise UnreadableError("a function without an argument")
    return (factors[0] if len(factors) == 1 else p.node("mul", tuple(factors)),)


def _big(p: Arithmetic, name: str) -> Node:
    """Sums, products, integrals and limits: only the symbolic worker evaluates them."""
    lower: Node = ("none",)
    upper: Node = ("none",)
    while p.peek()[0] in ("base", "hat"):
        which = p.peek()[0]
        p.pos += 1
        if which == "base" and p.take("brace"):
            lower = p.relation()
            if p.take("arrow"):
                lower = p.node("arrow", lower, p.relation())
            p.expect("unbrace", "a closing brace")
        elif which == "base":
            lower = p.atom()
        else:
            upper = p.braced()
    return p.node("big", name, lower, upper, p.product())


def _label(p: Arithmetic, name: str) -> Node:
    return p.node("label", name, p.power())


def _text(p: Arithmetic, first: str) -> Node:
    words = [first]
    while p.peek()[0] in ("text", "sym"):
        words.append(p.peek()[1])
        p.pos += 1
    return p.node("text", " ".join(words))


def _set(p: Arithmetic, name: str) -> Node:
    if name not in ("reals", "empty"):
        raise UnreadableError(f"unexpected {name}")
    return p.node(name)


_INVERSES = names("arcsin arccos arctan arccot arcsec arccsc arcsinh arccosh arctanh")
READERS: dict[str, Callable[[Arithmetic, str], Node]] = {
    "brace": _brace, "open": _open, "bar": _bar, "begin": _environment, "frac": _fraction, "binom": _binomial,
    "sqrt": _root, "func": _function, "big": _big, "label": _label, "text": _text, "set": _set,
}  # fmt: skip
