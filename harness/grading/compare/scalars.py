"""Expressions that have one value: numbers and functions, up to names of derivatives and of constants."""

from __future__ import annotations

import itertools

from harness.grading.compare.agreement import UndecidedError
from harness.grading.compare.comparison import Comparison
from harness.grading.compare.identity import same_value
from harness.grading.compare.real_sets import infinite
from harness.grading.grammar.atoms import differential
from harness.grading.grammar.nodes import (
    ONE,
    Add,
    Big,
    Call,
    Div,
    Member,
    Mul,
    Neg,
    Node,
    Num,
    Pow,
    Rel,
    SetOp,
    Sym,
    Text,
)
from harness.grading.grammar.tree import bound_names, holds, mapped, replaced, symbols, walk
from harness.grading.grammar.vocabulary import CONSTANTS


def scalars(c: Comparison, a: Node, b: Node) -> bool:
    """The last rule: equality of values. Raises `UndecidedError` and what `Comparison.equal` raises."""
    sign_a, sign_b = infinite(a), infinite(b)
    if sign_a or sign_b:
        c.used("structure")
        return sign_a == sign_b
    if _matrices(a) or _matrices(b):
        c.used("structure")
        return a == b
    match a, b:
        case Call(name=f, args=left), Call(name=g, args=right) if f == g and any(
            holds(arg, SetOp, Rel, Member, Text) for arg in (*left, *right)
        ):
            return c.each(left, right)
    a, b = _named_anew(a), _named_anew(b)
    if _runs_with_an_index(a) or _runs_with_an_index(b):
        raise UndecidedError("a term with an index that runs has no value here")
    a, b = _one_derivative(a, b)
    try:
        same, tier = same_value(a, b, c.policy.full_precision, c.policy.natural_log)
    except UndecidedError:
        if c.symbolic is None:
            raise
        c.used("symbolic")
        return c.symbolic(a, b)
    c.used(tier)
    if not same and c.policy.constants:
        same = _up_to_a_constant(c, a, b)
    return same


def _named_anew(node: Node) -> Node:
    """The tree with one and the same name for the variable of every definite integral: it is bound."""
    if not holds(node, Big):
        return node
    node = mapped(node, _named_anew)
    match node:
        case Big(kind="int", lower=lower, upper=upper, body=body) if lower is not None and upper is not None:
            variable = differential(body)
            if variable is not None:
                return Big("int", lower, upper, replaced(body, Sym(variable), Sym("bound")))
    return node


def _runs_with_an_index(node: Node) -> bool:
    """Whether a sum, product or limit runs over terms of an unknown sequence: a_n, of which n is no free name."""
    return any(
        isinstance(big, Big)
        and any(
            name in part.name.partition("_")[2]
            for name in bound_names(big)
            for part in walk(big.body)
            if isinstance(part, Sym)
        )
        for big in walk(node)
    )


def _matrices(node: Node) -> bool:
    """Whether a product of capitals, one of them with the exponent -1, is one of matrices: its order counts."""
    names = symbols(node)
    return (
        len(names) > 1
        and all(len(name) == 1 and name.isupper() for name in names)
        and not holds(node, Add, Div)
        and any(
            isinstance(part, Mul) and any(isinstance(f, Pow) and f.exponent == Neg(ONE) for f in part.factors)
            for part in walk(node)
        )
    )


def _one_derivative(a: Node, b: Node) -> tuple[Node, Node]:
    """`y'` as `dy/dx` where the other side has one derivative of y and no `y'`."""
    a, b = _derivative_called(a, b), _derivative_called(b, a)
    names_a, names_b = symbols(a), symbols(b)
    for name in names_a ^ names_b:
        bare, _, variable = name.partition("|")
        if bare.endswith(",") and f"{bare[:-1]}_{variable}" in names_a | names_b:  # the partial derivative f_x
            bare = f"{bare[:-1]}_{variable}"
        if not variable or bare not in names_a | names_b:
            continue
        others = {x for x in names_a | names_b if x.startswith(bare + "|")}
        if len(others) == 1:
            a, b = (_renamed(node, name, bare) for node in (a, b))
    return a, b


def _derivative_called(node: Node, other: Node) -> Node:
    """f'(x) as df/dx where the other side has that one."""
    match node:
        case Call(name=name, args=(Sym(name=x),)) if name.endswith("'") and f"{name}|{x}" in symbols(other):
            return Sym(f"{name}|{x}")
    return node if isinstance(node, Num | Sym) else mapped(node, lambda part: _derivative_called(part, other))


def _renamed(node: Node, old: str, new: str) -> Node:
    return Sym(new) if node == Sym(old) else mapped(node, lambda part: _renamed(part, old, new))


def _up_to_a_constant(c: Comparison, a: Node, b: Node) -> bool:
    """Whether two antiderivatives or general solutions differ in the name of their constants, or in an added one."""
    free_a, free_b = sorted(symbols(a) & CONSTANTS), sorted(symbols(b) & CONSTANTS)
    if not symbols(a) - CONSTANTS:
        return False
    if not free_a or len(free_a) != len(free_b) or len(free_a) > 3 or symbols(a) - CONSTANTS != symbols(b) - CONSTANTS:
        return False
    if len(free_a) == 1:
        left, right = _without_term(a, free_a[0]), _without_term(b, free_b[0])
        if left is not None and right is not None:
            try:
                return _constant(Add((left, Neg(right))))
            except UndecidedError:
                return False
    for order in itertools.permutations(free_a):
        renamed = b
        for k, name in enumerate(free_b):
            renamed = _renamed(renamed, name, f"\0c{k}")
        for k, name in enumerate(order):
            renamed = _renamed(renamed, f"\0c{k}", name)
        if renamed != b or free_a != free_b:
            try:
                if same_value(a, renamed, False, c.policy.natural_log)[0]:
                    return True
            except UndecidedError:
                continue
    return False


def _without_term(node: Node, name: str) -> Node | None:
    """The sum without its term `name`, where the name stands nowhere else."""
    if not isinstance(node, Add) or Sym(name) not in node.terms:
        return None
    rest = tuple(term for term in node.terms if term != Sym(name))
    if len(rest) != len(node.terms) - 1 or any(Sym(name) in walk(term) for term in rest):
        return None
    return Add(rest)


def _constant(node: Node) -> bool:
    """Whether a tree has one value everywhere."""
    names = sorted(symbols(node))
    shifted = node
    for name in names:
        shifted = _renamed(shifted, name, f"\0{name}")
    return same_value(node, shifted, False)[0]
