"""What a tree says, before it is compared: signs expanded, marks outside, matrices worked out, names dropped."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from harness.grading.conventions import Policy
from harness.grading.grammar.expressions import Node
from harness.grading.grammar.rational import symbols
from harness.grading.grammar.units import magnitude, number_word

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def expand_signs(node: Node) -> Node:
    """`a \\pm b` as the list `a+b, a-b`, at the top and for the items of a list or a set."""
    if node[0] == "rel" and _has_sign(node) and all(op in ("=", "≈") for op in node[2::2]):
        return expand_signs(node[-1])
    if node[0] in ("seq", "group"):
        items = node[1] if node[0] == "seq" else node[3]
        if node[0] == "group" and node[1] != "{" and any(_has_sign(item) for item in items):
            return ("seq", (_signed(node, 1), _signed(node, -1)), ",")
        if not any(_has_sign(item) for item in items):
            return node
        out: list[Node] = []
        for item in items:
            item = item[3] if item[0] == "rel" and len(item) == 4 and item[2] == "=" else item
            out.extend((_signed(item, 1), _signed(item, -1)) if _has_sign(item) else (item,))
        return ("seq", tuple(out), ",") if node[0] == "seq" else ("group", node[1], node[2], tuple(out))
    if node[0] in ("text", "num", "sym", "const") or not _has_sign(node):
        return node
    if node[0] == "pm" and node[1] is not None and node[3] == "+" and _signs(node[1]) == ["+"]:  # four values
        rest, value = node[1], node[2]
        return ("seq", tuple(("add", (_signed(rest, s), v)) for s in (1, -1) for v in (value, ("neg", value))), ",")
    return ("seq", (_signed(node, 1), _signed(node, -1)), ",")


def hoist(node: Node) -> Node:
    """Marks moved outside: -(5 cm) is (-5) cm, 2 * 30 degrees is 60 degrees, a sum of degrees is in degrees."""
    kind = node[0]
    if kind == "neg" and node[1][0] in ("unit", "deg", "pct", "based"):
        inner = node[1]
        if inner[0] == "based":
            return ("based", "-" + inner[1], inner[2])
        return (inner[0], ("neg", inner[1]), *inner[2:])
    if kind in ("add", "mul"):
        terms = [hoist(part) for part in node[1]]
        marked = [t for t in terms if t[0] == "deg"]
        if kind == "add" and len(marked) == len(terms):
            return ("deg", ("add", tuple(t[1] for t in terms)))
        if kind == "mul" and len(marked) == 1:
            return ("deg", ("mul", tuple(t[1] if t[0] == "deg" else t for t in terms)))
    return node


def fold_matrices(node: Node) -> Node:
    """Sums, products and multiples of matrices worked out, so that they compare entry by entry."""
    kind = node[0]
    if kind == "neg":
        inner = fold_matrices(node[1])
        return ("matrix", tuple(tuple(("neg", x) for x in row) for row in inner[1])) if inner[0] == "matrix" else node
    if kind == "pow" and node[2] == ("sym", "T"):
        inner = fold_matrices(node[1])
        if inner[0] == "matrix":
            return ("matrix", tuple(zip(*inner[1], strict=True)))
        return inner if inner[0] == "group" else node
    if kind == "div":
        inner = fold_matrices(node[1])
        if inner[0] != "matrix":
            return node
        return ("matrix", tuple(tuple(("div", x, node[2]) for x in row) for row in inner[1]))
    if kind not in ("add", "mul"):
        return node
    parts = [fold_matrices(part) for part in node[1]]
    matrices = [p for p in parts if p[0] == "matrix"]
    if not matrices or (kind == "add" and len(matrices) != len(parts)):
        return node
    result = matrices[0][1]
    for other in matrices[1:]:
        combined = _add(result, other[1]) if kind == "add" else _multiply(result, other[1])
        if combined is None:
            return node
        result = combined
    scalars = tuple(p for p in parts if p[0] != "matrix")
    if scalars:
        result = tuple(tuple(("mul", (*scalars, x)) for x in row) for row in result)
    return ("matrix", result)


def _add(a: Sequence[Sequence[Node]], b: Sequence[Sequence[Node]]) -> Sequence[Sequence[Node]] | None:
    if len(a) != len(b) or len(a[0]) != len(b[0]):
        return None
    return tuple(tuple(("add", pair) for pair in zip(x, y, strict=True)) for x, y in zip(a, b, strict=True))


def _multiply(a: Sequence[Sequence[Node]], b: Sequence[Sequence[Node]]) -> Sequence[Sequence[Node]] | None:
    if len(a[0]) != len(b) or len(a) * len(b) * len(b[0]) > 125:
        return None
    columns = list(zip(*b, strict=True))
    return tuple(
        tuple(("add", tuple(("mul", pair) for pair in zip(row, column, strict=True))) for column in columns)
        for row in a
    )


def _has_sign(node: Node) -> bool:
    return node[0] == "pm" or any(_has_sign(part) for part in node if isinstance(part, tuple) and part)


def _signs(node: Node) -> list[str]:
    own = [node[3]] if node[0] == "pm" else []
    return own + [sign for part in node if isinstance(part, tuple) and part for sign in _signs(part)]


def _signed(node: Node, sign: int) -> Node:
    if node[0] == "pm":
        positive = (node[3] == "+") == (sign > 0)
        value = _signed(node[2], sign)
        value = value if positive else ("neg", value)
        return value if node[1] is None else ("add", (_signed(node[1], sign), value))
    return tuple(_signed(part, sign) if isinstance(part, tuple) and part else part for part in node)


def is_equation(node: Node) -> bool:
    return node[0] == "rel" and all(op in ("=", "≈", "≡") for op in node[2::2])


def is_name(node: Node) -> bool:
    """Whether a side only names what the other side gives: x, f(x), AB, |AB|, angle ABC, m+n, dy/dx, cos x."""
    kind = node[0]
    if kind in ("sym", "text", "rel"):  # a relation only inside a call: P(X=2)
        return True
    if kind in ("const",):
        return bool(node[1] != "inf" and node[1] != "pi")
    if kind == "label":
        return True
    if kind in ("abs", "deg"):
        return is_name(node[1])
    if kind in ("mul", "add"):
        return all(
            is_name(part) or (kind == "mul" and part[0] in ("num", "neg") and k > 0) for k, part in enumerate(node[1])
        )
    if kind == "group":
        return all(is_name(part) for part in node[3])
    if kind in ("seq", "ratio"):
        return all(is_name(part) for part in node[1])
    if kind == "div":
        return is_name(node[1]) and is_name(node[2])
    if kind == "fn":
        return all(is_name(part) for part in node[2]) and bool(symbols(node))
    if kind == "unit":
        return is_name(node[1])
    return kind == "pow" and node[1][0] == "sym" and node[2] == ("neg", ("num", Fraction(1), None))


def stated_values(equation: Node, policy: Policy) -> list[Node]:
    """What an equation gives as a value: the exact end of `x = ... = v`, and its decimal where `≈` follows."""
    sides, ops = equation[1::2], equation[2::2]
    exact = 0
    while exact < len(ops) and ops[exact] != "≈":
        exact += 1
    values = [sides[exact]] if exact else []
    if exact < len(ops):
        values.append(sides[-1])
        if not exact:
            values.append(sides[0])
    constant = [side for side in sides if not symbols(side)]
    if is_name(sides[0]) and symbols(sides[0]):
        return values if policy.assignment else []
    if len(constant) == len(sides):
        return values if policy.equation_chain else []
    if is_name(sides[-1]) and len(sides) == 2 and not symbols(sides[0]):
        return [sides[0]] if policy.assignment else []
    if sides[0][0] in ("text", "label", "unit"):
        return values if policy.assignment else []
    return []


def list_items(node: Node) -> tuple[Node, ...]:
    """The items of a bare list, names dropped: `x=1, x=2` and `n=1, 2, 3`."""
    items: tuple[Node, ...] = node[1]
    names = [item[1] for item in items if is_equation(item) and is_name(item[1]) and len(item) == 4]
    if names and (len(names) == 1 or all(name == names[0] for name in names) or len(names) == len(items)):
        return tuple(item[3] if is_equation(item) and len(item) == 4 else item for item in items)
    return items


def difference(equation: Node) -> Node:
    return ("add", (equation[1], ("neg", equation[3])))


def turned(node: Node) -> Node | None:
    ops = [_FLIPPED.get(op, op) for op in node[2::2]][::-1]
    sides = node[1::2][::-1]
    out: list[object] = [node[0], sides[0]]
    for op, side in zip(ops, sides[1:], strict=True):
        out += [op, side]
    return tuple(out)


def split_unit(node: Node) -> tuple[Node, str]:
    if node[0] != "unit":
        return node, ""
    factor, words = magnitude(node[2])
    return (scaled(node[1], Fraction(factor)) if factor != 1 else node[1]), words


def scaled(node: Node, factor: Fraction) -> Node:
    return ("mul", (node, ("num", factor, None)))


def spelled(node: Node) -> Node | None:
    if node[0] != "text":
        return None if node[0] in ("empty", "sym", "seq", "group", "matrix") else node
    value = number_word(node[1])
    return None if value is None else ("num", value, None)


def letters_of(node: Node) -> str:
    """The letters of a product of symbols, which a word without \\text reads as: DNE; "" for other trees."""
    parts = node[1] if node[0] == "mul" else (node,)
    return "".join(part[1] for part in parts) if all(part[0] in ("sym", "const") for part in parts) else ""


def names_of(node: Node) -> list[str]:
    """The distinct names of a list that assigns every item, `x=1, y=2`; [] for other lists."""
    names = [item[1][1] for item in node[1] if is_equation(item) and len(item) == 4 and item[1][0] == "sym"]
    return names if len(set(names)) == len(node[1]) else []


def plain_words(text: str) -> str:
    """The words of a text answer: no articles, no plural s, and of "the function is even" what is said."""
    words = "".join(c if c.isalnum() else " " for c in text).split()
    said = max((k + 1 for k, w in enumerate(words) if w.lower() in ("is", "are")), default=0)
    words = words[said:] or words
    words = [w[:-1] if len(w) > 3 and w.endswith("s") else w for w in words]
    return " ".join(w for w in words if w.lower() not in ("the", "a", "an"))


def ijk_components(node: Node, size: int) -> list[Node] | None:
    """The components of `a i + b j + c k`, or None where the tree is no such sum."""
    if size not in (2, 3) or node[0] not in ("add", "mul", "sym", "neg"):
        return None
    zero: Node = ("num", Fraction(0), None)
    parts: list[Node] = [zero] * size
    names = {"vec_i": 0, "vec_j": 1, "vec_k": 2}
    for term in node[1] if node[0] == "add" else (node,):
        negative = term[0] == "neg"
        term = term[1] if negative else term
        factors = list(term[1]) if term[0] == "mul" else [term]
        at = [names[f[1]] for f in factors if f[0] == "sym" and f[1] in names]
        if len(at) != 1 or at[0] >= size or parts[at[0]] is not zero:
            return None
        rest = tuple(f for f in factors if not (f[0] == "sym" and f[1] in names))
        value: Node = ("mul", rest) if rest else ("num", Fraction(1), None)
        parts[at[0]] = ("neg", value) if negative else value
    return parts
