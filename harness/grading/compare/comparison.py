"""One comparison of two trees: the rules in their order, the work they may cost, and the tier that decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.grading.compare.builders import written_out
from harness.grading.compare.matrices import fold_matrices
from harness.grading.compare.rewrite import expand_signs, hoist, sign_words, without_dots
from harness.grading.conventions import Policy
from harness.grading.grammar.nodes import Node
from harness.grading.limits import MAX_ITEMS, MAX_MATCH_STEPS, TooBigError

Symbolic = Callable[[Node, Node], bool]


class Comparison:
    """One comparison of an answer with a gold. `tier` is the most expensive tier that was needed.

    `rules` are asked one after another; the first that answers True or False decides, None passes on.
    Every rule is symmetric but one: an equation that is the gold is met by an equation, or by its value where a lone
    name stands on one side, and not by any of its sides.
    """

    _RANK = ("string", "rational", "structure", "text", "numeric", "symbolic")

    def __init__(self, policy: Policy, rules: Sequence[Rule], symbolic: Symbolic | None = None) -> None:
        self.policy = policy
        self.rules = rules
        self.symbolic = symbolic
        self.tier = "string"
        self.steps = 0

    def used(self, tier: str) -> None:
        """Note that `tier` took part: the highest one that did is the verdict's."""
        if self._RANK.index(tier) > self._RANK.index(self.tier):
            self.tier = tier

    def equal(self, answer: Node, gold: Node) -> bool:
        """Raises `UndecidedError`, `TooBigError`, `symbolic.SymbolicTimeoutError`."""
        self.steps += 1
        if self.steps > MAX_MATCH_STEPS:
            raise TooBigError(f"more than MAX_MATCH_STEPS={MAX_MATCH_STEPS} comparisons")
        if answer == gold:
            return True
        answer, gold = (
            without_dots(hoist(fold_matrices(expand_signs(written_out(sign_words(x)))))) for x in (answer, gold)
        )
        for rule in self.rules:
            decided = rule(self, answer, gold)
            if decided is not None:
                return decided
        return False

    def each(self, answers: Sequence[Node], golds: Sequence[Node]) -> bool:
        """Equality item by item."""
        return len(answers) == len(golds) and all(self.equal(x, y) for x, y in zip(answers, golds, strict=True))

    def unordered(self, answers: Sequence[Node], golds: Sequence[Node]) -> bool:
        """Whether a one-to-one matching exists.

        Equal items first, then augmenting paths, since conventions are not transitive (50% is 50 and is 1/2).
        """
        if len(answers) != len(golds) or len(answers) > MAX_ITEMS:
            return False
        left = list(golds)
        rest: list[Node] = []
        for item in answers:  # what is the same tree needs no comparison
            if item in left:
                left.remove(item)
            else:
                rest.append(item)
        if not rest:
            return True
        partner: dict[int, int] = {}  # index in `left` -> index in `rest`
        known: dict[tuple[int, int], bool] = {}

        def same(i: int, j: int) -> bool:
            if (i, j) not in known:
                known[i, j] = self.equal(rest[i], left[j])
            return known[i, j]

        def placed(i: int, seen: set[int]) -> bool:
            for j in range(len(left)):
                if j not in seen and j not in partner and same(i, j):
                    partner[j] = i
                    return True
            for j in list(partner):
                if j not in seen and same(i, j):
                    seen.add(j)
                    if placed(partner[j], seen):
                        partner[j] = i
                        return True
            return False

        return all(placed(i, set()) for i in range(len(rest)))


Rule = Callable[[Comparison, Node, Node], bool | None]
