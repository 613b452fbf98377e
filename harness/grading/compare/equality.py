"""Whether two parsed answers say the same: marks and words here, structure and values in the modules beside it."""

from __future__ import annotations

from harness.grading.compare.collections import compare_collections, compare_sets
from harness.grading.compare.comparison import Comparison, Rule, Symbolic
from harness.grading.compare.dates import compare_moments
from harness.grading.compare.families import compare_families
from harness.grading.compare.marks import marks
from harness.grading.compare.relations import compare_relations
from harness.grading.compare.scalars import scalars
from harness.grading.compare.words import texts
from harness.grading.conventions import Policy
from harness.grading.grammar.nodes import (
    ZERO,
    Congruence,
    Div,
    Empty,
    Family,
    Group,
    Matrix,
    Mul,
    Node,
    Num,
    NumberSet,
    Ratio,
    Rel,
    Seq,
    SetOp,
    SuchThat,
)

_STRUCTURES = (Seq, Group, Matrix, Rel, SetOp, NumberSet, Empty, SuchThat, Family, Congruence)


def _ratios(c: Comparison, a: Node, b: Node) -> bool | None:
    if not (isinstance(a, Ratio) or isinstance(b, Ratio)):
        return None
    c.used("structure")
    if isinstance(a, Ratio) and isinstance(b, Ratio):
        if len(a.parts) != len(b.parts):
            return False
        if c.each(a.parts, b.parts):
            return True
        if not c.policy.ratio or any(c.equal(x, ZERO) for x in (*a.parts, *b.parts)):
            return False
        pairs = zip(a.parts[1:], b.parts[1:], strict=True)
        return all(c.equal(Mul((a.parts[0], y)), Mul((b.parts[0], x))) for x, y in pairs)
    ratio, other = (a, b) if isinstance(a, Ratio) else (b, a)
    assert isinstance(ratio, Ratio)
    if len(ratio.parts) != 2 or not c.policy.ratio or isinstance(other, _STRUCTURES):
        return False
    if isinstance(other, Num) and other.digits is not None and not _below_ten(ratio.parts[1]):
        return False  # 3:30 is no 0.1, and no 3.5
    return c.equal(Div(*ratio.parts), other)


def _below_ten(node: Node) -> bool:
    return isinstance(node, Num) and node.value < 10


_RULES: tuple[Rule, ...] = (
    compare_moments,
    compare_families,
    compare_relations,
    marks,
    texts,
    _ratios,
    compare_sets,
    compare_collections,
    scalars,
)


def comparison(policy: Policy, symbolic: Symbolic | None = None) -> Comparison:
    """A new comparison under `policy`; `symbolic` is asked where arithmetic cannot tell."""
    return Comparison(policy, _RULES, symbolic)
