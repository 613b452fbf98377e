"""One comparison of two trees: the rules in their order, the work they may cost, and the tier that decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.grading.compare.rewrite import expand_signs, fold_matrices, hoist
from harness.grading.conventions import Policy
from harness.grading.grammar.expressions import Node
from harness.grading.limits import MAX_ITEMS, MAX_MATCH_STEPS, TooBigError

Symbolic = Callable[[Node, Node], bool]


class Comparison:
    """One comparison of two trees. `tier` is the most expensive tier that was needed.

    `rules` are asked one after another; the first that answers True or False decides, None passes on.
    """

    _RANK = ("string", "rational", "structure", "text", "numeric", "symbolic")

    def __init__(self, policy: Policy, rules: Sequence[Rule], symbolic: Symbolic | None = None) -> None:
        self.policy = policy
        self.rules = rules
        self.symbolic = symbolic
        self.tier = "string"
        self.steps = 0

    def used(self, tier: str) -> None:
        if self._RANK.index(tier) > self._RANK.index(self.tier):
            self.tier = tier

    def equal(self, a: Node, b: Node) -> bool:
        """Symmetric. Raises `UndecidedError`, `TooBigError`, `symbolic.SymbolicTimeoutError`."""
        self.steps += 1
        if self.steps > MAX_MATCH_STEPS:
            raise TooBigError(f"more than MAX_MATCH_STEPS={MAX_MATCH_STEPS} comparisons")
        if a == b:
            return True
        a, b = hoist(fold_matrices(expand_signs(a))), hoist(fold_matrices(expand_signs(b)))
        for rule in self.rules:
            decided = rule(self, a, b)
            if decided is not None:
                return decided
        return False

    def each(self, a: Sequence[Node], b: Sequence[Node]) -> bool:
        return len(a) == len(b) and all(self.equal(x, y) for x, y in zip(a, b, strict=True))

    def unordered(self, a: Sequence[Node], b: Sequence[Node]) -> bool:
        """A one-to-one matching. Equality is transitive up to conventions, so greedy matching suffices."""
        if len(a) != len(b) or len(a) > MAX_ITEMS:
            return False
        left = list(b)
        for item in a:
            at = next((k for k, other in enumerate(left) if self.equal(item, other)), None)
            if at is None:
                return False
            left.pop(at)
        return True


Rule = Callable[[Comparison, Node, Node], bool | None]
