"""Matrices worked out, and vectors in ijk notation."""

from __future__ import annotations

from collections.abc import Sequence

from harness.grading.grammar.nodes import ONE, ZERO, Add, Div, Group, Matrix, Mul, Neg, Node, Pow, Sym


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
