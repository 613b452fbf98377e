"""What a tree says, before it is compared: signs expanded, marks outside, matrices worked out, names dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from harness.grading.compare.identity import UndecidedError, same_value
from harness.grading.conventions import Policy
from harness.grading.grammar.nodes import (
    ONE,
    ZERO,
    Add,
    Based,
    Big,
    Call,
    Const,
    Deg,
    Div,
    Dots,
    Empty,
    Fn,
    Group,
    Label,
    Matrix,
    Mul,
    Neg,
    Node,
    Num,
    Pct,
    PlusMinus,
    Pow,
    Ratio,
    Rel,
    Seq,
    SuchThat,
    Sym,
    Text,
    Unit,
    holds,
    mapped,
    replaced,
    symbols,
    walk,
)
from harness.grading.grammar.units import number_word
from harness.grading.limits import TooBigError

FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "⊂": "⊃", "⊃": "⊂", "⊆": "⊇", "⊇": "⊆"}
EQUAL_SIGNS = ("=", "≈", "≡")


# --- plus and minus ---------------------------------------------------------------------------------------------


def expand_signs(node: Node) -> Node:
    r"""`a \pm b` as the list `a+b, a-b`, at the top and for the items of a list or a set."""
    if isinstance(node, Num | Sym | Const | Text) or not holds(node, PlusMinus):
        return node
    match node:
        case Rel(sides=sides, ops=ops) if all(op in ("=", "≈") for op in ops):
            return expand_signs(sides[-1])
        case SuchThat(subject=subject, condition=Rel(ops=("!=",)) as condition):  # x is none of the two
            return SuchThat(subject, Seq((_signed(condition, 1), _signed(condition, -1)), "and"))
        case Group(opener=opener, items=items) if opener != "{" and any(holds(x, PlusMinus) for x in items):
            return Seq((_signed(node, 1), _signed(node, -1)), ",")
        case Seq(items=items) | Group(items=items):
            if not any(holds(item, PlusMinus) for item in items):
                return node
            out: list[Node] = []
            for item in items:
                if isinstance(item, Rel) and item.ops == ("=",):
                    item = item.sides[1]
                out.extend((_signed(item, 1), _signed(item, -1)) if holds(item, PlusMinus) else (item,))
            return replace(node, items=tuple(out))
        case PlusMinus(left=left, right=value, sign="+") if left is not None and _signs(left) == ["+"]:  # four values
            pairs = [Add((_signed(left, s), v)) for s in (1, -1) for v in (value, Neg(value))]
            return Seq(tuple(pairs), ",")
    return Seq((_signed(node, 1), _signed(node, -1)), ",")


def _signs(node: Node) -> list[str]:
    return [item.sign for item in walk(node) if isinstance(item, PlusMinus)]


def _signed(node: Node, sign: int) -> Node:
    if isinstance(node, PlusMinus):
        value = _signed(node.right, sign)
        value = value if (node.sign == "+") == (sign > 0) else Neg(value)
        return value if node.left is None else Add((_signed(node.left, sign), value))
    return mapped(node, lambda part: _signed(part, sign))


# --- marks, matrices, ellipses ----------------------------------------------------------------------------------


def hoist(node: Node) -> Node:
    """Marks moved outside: -(5 cm) is (-5) cm, 2 * 30 degrees is 60 degrees, a sum of degrees is in degrees."""
    match node:
        case Neg(body=Unit(value=value, words=words)):
            return Unit(Neg(value), words)
        case Neg(body=Deg(body=body)):
            return Deg(Neg(body))
        case Neg(body=Pct(body=body)):
            return Pct(Neg(body))
        case Neg(body=Based(digits=digits, base=base)):
            return Based("-" + digits, base)
        case Add(terms=terms):
            parts = [hoist(part) for part in terms]
            if all(isinstance(part, Deg) for part in parts):
                return Deg(Add(tuple(part.body for part in parts if isinstance(part, Deg))))
        case Mul(factors=factors):
            parts = [hoist(part) for part in factors]
            if sum(isinstance(part, Deg) for part in parts) == 1:
                return Deg(Mul(tuple(part.body if isinstance(part, Deg) else part for part in parts)))
    return node


def fold_matrices(node: Node) -> Node:
    """Sums, products and multiples of matrices worked out, so that they compare entry by entry."""
    match node:
        case Neg(body=body) if isinstance(inner := fold_matrices(body), Matrix):
            return Matrix(tuple(tuple(Neg(x) for x in row) for row in inner.rows))
        case Pow(base=base, exponent=Sym(name="T")):
            inner = fold_matrices(base)
            if isinstance(inner, Matrix):
                return Matrix(tuple(zip(*inner.rows, strict=True)))
            return inner if isinstance(inner, Group) else node
        case Div(top=top, bottom=bottom) if isinstance(inner := fold_matrices(top), Matrix):
            return Matrix(tuple(tuple(Div(x, bottom) for x in row) for row in inner.rows))
        case Add(terms=items) | Mul(factors=items):
            parts = [fold_matrices(part) for part in items]
            matrices = [p for p in parts if isinstance(p, Matrix)]
            if not matrices or (isinstance(node, Add) and len(matrices) != len(parts)):
                return node
            result: Sequence[Sequence[Node]] | None = matrices[0].rows
            for other in matrices[1:]:
                assert result is not None
                result = _sum(result, other.rows) if isinstance(node, Add) else _product(result, other.rows)
                if result is None:
                    return node
            assert result is not None
            scalars = tuple(p for p in parts if not isinstance(p, Matrix))
            rows = tuple(tuple(row) for row in result)
            if scalars:
                rows = tuple(tuple(Mul((*scalars, x)) for x in row) for row in rows)
            return Matrix(rows)
    return node


def _sum(a: Sequence[Sequence[Node]], b: Sequence[Sequence[Node]]) -> Sequence[Sequence[Node]] | None:
    if len(a) != len(b) or len(a[0]) != len(b[0]):
        return None
    return tuple(tuple(Add(pair) for pair in zip(x, y, strict=True)) for x, y in zip(a, b, strict=True))


def _product(a: Sequence[Sequence[Node]], b: Sequence[Sequence[Node]]) -> Sequence[Sequence[Node]] | None:
    if len(a[0]) != len(b) or len(a) * len(b) * len(b[0]) > 125:
        return None
    columns = list(zip(*b, strict=True))
    return tuple(
        tuple(Add(tuple(Mul(pair) for pair in zip(row, column, strict=True))) for column in columns) for row in a
    )


def without_dots(node: Node) -> Node:
    r"""`1+2+\cdots+n` as the sum that it stands for, where its last term gives the shown ones; likewise products."""
    if not holds(node, Dots):
        return node
    match node:
        case Add(terms=terms) | Mul(factors=terms) if any(isinstance(t, Dots) for t in terms):
            at = next(k for k, t in enumerate(terms) if isinstance(t, Dots))
            shown, last = terms[:at], terms[at + 1 :]
            if len(shown) < 2 or len(last) != 1 or len(symbols(last[0])) != 1:
                return node
            name = next(iter(symbols(last[0])))
            for start in (1, 0):
                fits = all(
                    _same_rational(replaced(last[0], Sym(name), Num(Fraction(k))), term)
                    for k, term in enumerate(shown, start)
                )
                if fits:
                    index = Sym("\0k")
                    lower = Rel((index, Num(Fraction(start))), ("=",))
                    kind = "sum" if isinstance(node, Add) else "prod"
                    return Big(kind, lower, Sym(name), replaced(last[0], Sym(name), index))
            return node
    return mapped(node, without_dots)


def _same_rational(a: Node, b: Node) -> bool:
    from harness.grading.grammar.rational import NoValueError, rational

    try:
        value = rational(a)
        return value is not None and value == rational(b)
    except (NoValueError, ValueError):
        return False


# --- equations --------------------------------------------------------------------------------------------------


def is_equation(node: Node) -> bool:
    """Whether `node` is a chain of equal signs alone."""
    return isinstance(node, Rel) and all(op in EQUAL_SIGNS for op in node.ops)


def is_lone_name(node: Node) -> bool:
    """Whether a side is one name: x, f(x), AB, |AB|, angle ABC, dy/dx, P(X=2), (x, y)."""
    match node:
        case Sym() | Text() | Label() | Rel():
            return True
        case Const(name=name):
            return name not in ("inf", "pi")
        case Call(args=args):
            return True
        case Fn(name="abs" | "det" | "gcd" | "lcm" | "max" | "min", args=args):
            return all(is_lone_name(a) for a in args) and bool(symbols(node))
        case Deg(body=body) | Unit(value=body):
            return is_lone_name(body)
        case Group(items=items) | Seq(items=items) | Ratio(parts=items):
            return all(is_lone_name(item) for item in items)
        case Mul(factors=factors):  # AB, ABC, f(x), A(2)
            letters = all(isinstance(f, Sym) and (f.name[0].isupper() or len(factors) == 2) for f in factors)
            called = len(factors) == 2 and isinstance(factors[0], Sym) and factors[0].name[0] not in "abcdijkmn"
            capitals = all(isinstance(f, Sym) and f.name[0].isupper() for f in factors)
            labelled = any(isinstance(f, Label) for f in factors) and all(isinstance(f, Sym | Label) for f in factors)
            return (
                labelled
                or capitals
                or (called and ((letters and _call_like(factors)) or isinstance(factors[1], Num | Rel | Group)))
            )
        case Pow(base=Sym(), exponent=Neg(body=Num())):  # A^{-1}
            return True
        case Pow(base=Mul(factors=(Sym(), _)), exponent=Neg(body=Num())):
            return True
        case Pow(base=base, exponent=Sym(name="T")):
            return is_lone_name(base)
        case Div(top=Mul() as top, bottom=Mul() as bottom):  # the ratio of two segments
            return is_lone_name(top) and is_lone_name(bottom)
    return False


def _call_like(factors: tuple[Node, ...]) -> bool:
    """Whether a product of two names may be a call: x(t), S(n)."""
    first, second = factors
    return isinstance(first, Sym) and isinstance(second, Sym) and second.name in ("x", "t", "n", "k", "z", "theta", "s")


def is_name(node: Node) -> bool:
    """Whether a side only names what the other side gives: a lone name, or what is built of names, as m+n, BC^2."""
    if is_lone_name(node):
        return True
    match node:
        case Mul(factors=items):
            return all(is_name(x) or (isinstance(x, Num | Neg) and k > 0) for k, x in enumerate(items))
        case Add(terms=items):
            return all(is_name(x) for x in items)
        case Neg(body=body):
            return is_name(body)
        case Div(top=top, bottom=bottom):
            return is_name(top) and is_name(bottom)
        case Fn(args=args):
            return all(is_name(x) for x in args) and bool(symbols(node))
        case Pow(base=Mul() | Sym() as base, exponent=Num()):  # BC^2, R^2; x^2 is an expression
            return is_lone_name(base) and all(name[0].isupper() for name in symbols(base))
    return False


def stated_values(equation: Rel, policy: Policy, as_gold: bool = False) -> list[Node]:
    """What an equation gives as a value: the exact end of `x = ... = v`, and its decimal where `≈` follows.

    An equation that is the gold (`as_gold`) is met by a bare value only where a lone name stands on one side, or all
    is numbers: `x + y = 1` is no 1. An answer may say `m + n = 293`, or more, for 293; but not `a^2 + b = 0` for 0.
    """
    sides, ops = equation.sides, equation.ops
    exact = 0
    while exact < len(ops) and ops[exact] != "≈":
        exact += 1
    values = [sides[exact]] if exact else []
    if exact < len(ops):
        values.append(sides[-1])
        if not exact:
            values.append(sides[0])
    if all(not symbols(side) for side in sides) or _is_identity(equation):
        return values if policy.equation_chain else []
    if not policy.assignment:
        return []
    named = is_lone_name(sides[0]) or isinstance(sides[0], Text | Label | Unit)
    if named and not (as_gold and _may_be_product(sides[0]) and symbols(sides[-1])):
        return values
    if is_lone_name(sides[-1]) and len(sides) == 2 and (not symbols(sides[0]) or not is_name(sides[0])):
        return [sides[0]]
    if as_gold or values == [ZERO]:
        return []
    return values if is_name(sides[0]) else []


def _may_be_product(node: Node) -> bool:
    """Whether a name of several capitals may be a product of variables: PV in PV = nRT."""
    return isinstance(node, Mul) and all(isinstance(f, Sym) for f in node.factors)


def _is_identity(equation: Rel) -> bool:
    """Whether both ends are equal anyway, as in 2F/F = 2: then the last one is the value."""
    first, last = equation.sides[0], equation.sides[-1]
    if isinstance(first, Sym | Label | Text) or symbols(last):
        return False
    try:
        return same_value(first, last, full_precision=False)[0]
    except (UndecidedError, TooBigError):
        return False


def list_items(node: Seq) -> tuple[Node, ...]:
    """The items of a bare list, names dropped: `x=1, x=2` and `n=1, 2, 3`."""
    items = node.items
    named = [item for item in items if isinstance(item, Rel) and _assigns(item)]
    names = [item.sides[0] for item in named]
    if names and (len(names) == 1 or all(name == names[0] for name in names) or len(names) == len(items)):
        return tuple(item.sides[1] if isinstance(item, Rel) and item.ops == ("=",) else item for item in items)
    return items


def _assigns(item: Rel) -> bool:
    return item.ops == ("=",) and is_name(item.sides[0])


def names_of(node: Seq) -> list[str]:
    """The distinct names of a list that assigns every item, `x=1, y=2`; [] for other lists."""
    names = [
        item.sides[0].name
        for item in node.items
        if isinstance(item, Rel) and item.ops == ("=",) and isinstance(item.sides[0], Sym)
    ]
    return names if len(set(names)) == len(node.items) else []


def difference(equation: Rel) -> Node:
    """Left side less right side: what an equation says is zero."""
    return Add((equation.sides[0], Neg(equation.sides[1])))


def turned(node: Rel) -> Rel:
    """The same chain read from its other end."""
    return Rel(node.sides[::-1], tuple(FLIPPED.get(op, op) for op in node.ops[::-1]))


def scaled(node: Node, factor: Fraction) -> Node:
    """`node` times `factor`."""
    return node if factor == 1 else Mul((node, Num(factor)))


# --- words ------------------------------------------------------------------------------------------------------


def spelled(node: Node) -> Node | None:
    """The number that words spell; other nodes that may be a number as they are; None for words and structures."""
    if not isinstance(node, Text):
        return None if isinstance(node, Empty | Sym | Seq | Group | Matrix) else node
    value = number_word(node.words)
    return None if value is None else Num(value)


def letters_of(node: Node) -> str:
    r"""The letters of a product of symbols, which a word without \text reads as: DNE; "" for other trees."""
    parts = node.factors if isinstance(node, Mul) else (node,)
    letters = [part.name for part in parts if isinstance(part, Sym | Const)]
    return "".join(letters) if len(letters) == len(parts) else ""


_ARTICLES = frozenset(("the", "a", "an", "on"))


def plain_words(text: str) -> tuple[str, str]:
    """(subject, what is said of it), without articles and plural s; "" as the subject where no "is" stands there."""
    words = "".join(c if c.isalnum() else " " for c in text).split()
    said = max((k + 1 for k, w in enumerate(words) if w.lower() in ("is", "are")), default=0)
    if said >= len(words):
        said = 0

    def bare(chosen: Sequence[str]) -> str:
        kept = [w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in chosen]
        return " ".join(w for w in kept if w.lower() not in _ARTICLES)

    return bare(words[: said - 1]) if said else "", bare(words[said:])


def ijk_components(node: Node, size: int) -> list[Node] | None:
    """The components of `a i + b j + c k`, or None where the tree is no such sum."""
    if size not in (2, 3) or not isinstance(node, Add | Mul | Sym | Neg):
        return None
    parts: list[Node] = [ZERO] * size
    names = {"vec_i": 0, "vec_j": 1, "vec_k": 2}
    for term in node.terms if isinstance(node, Add) else (node,):
        negative = isinstance(term, Neg)
        inner = term.body if isinstance(term, Neg) else term
        factors = inner.factors if isinstance(inner, Mul) else (inner,)
        at = [names[f.name] for f in factors if isinstance(f, Sym) and f.name in names]
        if len(at) != 1 or at[0] >= size or parts[at[0]] is not ZERO:
            return None
        rest = tuple(f for f in factors if not (isinstance(f, Sym) and f.name in names))
        value: Node = (rest[0] if len(rest) == 1 else Mul(rest)) if rest else ONE
        parts[at[0]] = Neg(value) if negative else value
    return parts
