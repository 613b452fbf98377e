"""What an equation names and what value it states."""

from __future__ import annotations

from harness.grading.compare.agreement import UndecidedError
from harness.grading.compare.identity import same_value
from harness.grading.conventions import Policy
from harness.grading.grammar.nodes import (
    ZERO,
    Add,
    Call,
    Const,
    Deg,
    Div,
    Fn,
    Group,
    Label,
    Mul,
    Neg,
    Node,
    Num,
    Pow,
    Ratio,
    Rel,
    Seq,
    Sym,
    Text,
    Unit,
)
from harness.grading.grammar.tree import symbols
from harness.grading.limits import TooBigError

FLIPPED = {
    "<": ">",
    ">": "<",
    "<=": ">=",
    ">=": "<=",
    "⊂": "⊃",
    "⊃": "⊂",
    "⊆": "⊇",
    "⊇": "⊆",
    "↦": "↤",
    "→": "←",
    "∣": "⋮",
}


EQUAL_SIGNS = ("=", "≈", "≡")


def is_equation(node: Node) -> bool:
    """Whether `node` is a chain of equal signs alone."""
    return isinstance(node, Rel) and all(op in EQUAL_SIGNS for op in node.ops)


def unmarked(node: Node) -> Node:
    r"""A name without its hat, bar or tilde: \hat{y} and y are labels of one thing, and so are f_x and its quotient."""
    return Sym(node.name.partition("~")[0].replace(",|", "_")) if isinstance(node, Sym) else node


def is_lone_name(node: Node) -> bool:
    """Whether a side is one name: x, f(x), AB, |AB|, angle ABC, dy/dx, P(X=2), (x, y)."""
    match node:
        case Sym() | Text() | Label() | Rel():
            return True
        case Const(name=name):
            return name not in ("inf", "pi")
        case Call(args=args):
            return True
        case Fn(name="sin" | "cos" | "tan", args=(Sym(name=angle),)):  # of the angle A of a triangle
            return len(angle) == 1 and angle.isupper()
        case Fn(name="abs" | "det" | "gcd" | "lcm" | "max" | "min", args=args):
            return all(is_lone_name(a) for a in args) and bool(symbols(node))
        case Deg(body=body) | Unit(value=body):
            return is_lone_name(body)
        case Group(items=items) | Seq(items=items) | Ratio(parts=items):
            return all(is_lone_name(item) for item in items)
        case Mul(factors=(Sym(name="nabla"), Sym() | Call())):
            return True
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
        case Pow(base=Sym(name="sigma"), exponent=Num()):  # the variance
            return True
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
    if as_gold and _is_of_itself(sides[0], sides[-1]):
        return []
    named = is_lone_name(sides[0]) or isinstance(sides[0], Text | Label | Unit)
    if named and not (as_gold and _may_be_product(sides[0]) and symbols(sides[-1])):
        return values
    if is_lone_name(sides[-1]) and len(sides) == 2 and (not symbols(sides[0]) or not is_name(sides[0])):
        return [sides[0]]
    if as_gold or values == [ZERO]:
        return []
    return values if is_name(sides[0]) else []


def _is_of_itself(name: Node, value: Node) -> bool:
    """Whether a derivative is given by its own function, as in dy/dx = y: an equation to solve, no value."""
    if not isinstance(name, Sym) or not ("|" in name.name or name.name.endswith("'")):
        return False
    return name.name.partition("|")[0].rstrip("',") in symbols(value)


def _may_be_product(node: Node) -> bool:
    """Whether a name of several capitals may be a product of variables: PV in PV = nRT."""
    return isinstance(node, Mul) and all(isinstance(f, Sym) and f.name != "nabla" for f in node.factors)


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
    return item.ops == ("=",) and is_lone_name(item.sides[0])


def names_of(node: Seq) -> list[str]:
    """The distinct names of a list that assigns every item, `x=1, y=2`, `f(0)=1, f(1)=3`; [] for other lists."""
    names = [shown for item in node.items if isinstance(item, Rel) and item.ops == ("=",) if (shown := _shown(item))]
    return names if len(set(names)) == len(node.items) else []


def _shown(item: Rel) -> str:
    """The name of what an item assigns, "" where its left side is no name."""
    name = item.sides[0]
    return name.name if isinstance(name, Sym) else repr(name) if isinstance(name, Call | Fn | Mul | Text) else ""


def solutions(node: Seq) -> Seq:
    """`x=1, y=2 or x=2, y=1` as the tuples (1, 2) and (2, 1), in the order of the names; other lists as they are."""
    items = [item for item in node.items if isinstance(item, Rel) and item.ops == ("=",)]
    names = [_shown(item) for item in items]
    size = len(set(names))
    whole = len(items) == len(node.items) and size > 1 and len(items) % size == 0 and len(items) > size
    if not whole or any(names[k] != names[k % size] for k in range(len(names))):
        return node
    order = sorted(range(size), key=lambda k: names[k])
    rows = [[items[start + k].sides[1] for k in order] for start in range(0, len(items), size)]
    return Seq(tuple(Group("(", ")", tuple(row)) for row in rows), "or")


def difference(equation: Rel) -> Node:
    """Left side less right side: what an equation says is zero."""
    return Add((equation.sides[0], Neg(equation.sides[1])))


def turned(node: Rel) -> Rel:
    """The same chain read from its other end."""
    return Rel(node.sides[::-1], tuple(FLIPPED.get(op, op) for op in node.ops[::-1]))
