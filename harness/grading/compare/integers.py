"""Equality where some names stand for whole numbers: at many of them, by periods, by induction."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from harness.grading.compare.agreement import MIN_AGREED, Domain, agree, cheap, precisely
from harness.grading.compare.cells import periods
from harness.grading.compare.probes import integer_points, polynomial, switches
from harness.grading.compare.unknowns import equal_as_unknowns, put
from harness.grading.grammar.nodes import Add, Big, Binom, Div, Fact, Neg, Node, Num, Rel, Sym
from harness.grading.grammar.tree import holds, symbols

INTEGER_NAMES = frozenset(("n", "k", "m", "j", "l", "N"))


def over_integers(a: Node, b: Node, domain: Domain, found: Sequence[tuple[str, Node]]) -> bool | None:
    """As `over_reals` with whole numbers for some names.

    Sums of polynomials times exponentials (and roots of unity) with k terms of degree d vanish everywhere once they
    vanish at k(d+1) consecutive integers; forty are taken. Factorials and sums have to agree at all of these as well.
    """
    points = list(integer_points(domain.integers, domain.reals))
    if not INTEGER_NAMES & set(domain.integers):
        points = [p for p in points if all(p[name] > 0 for name in domain.integers)]
    usable: list[dict[str, float]] = []
    for point in points:
        same = cheap(a, b, point, domain)
        if same is False and precisely(a, b, point, domain) is False:
            return False
        if same is not None:
            usable.append(point)
    exact = usable[:40:3] if len(usable) >= 8 else list(points[:14])
    agreed = agree(a, b, exact, domain)
    if agreed is None:
        return False
    if agreed < MIN_AGREED or len(usable) + agreed < 8:
        return None
    kinds = {kind for kind, _ in found}
    if holds(a, Big) or holds(b, Big):
        return True if _by_induction(a, b, domain) else None
    if not kinds & {"step", "bend"}:
        return True if not any(_unbounded_class(node) for node in (a, b)) or len(usable) >= 8 else None
    if equal_as_unknowns(a, b, domain):
        return True
    if len(domain.integers) == 1 and not domain.reals and "bend" not in kinds:
        return periods(a, b, domain.integers[0], found, domain, whole=True)
    return None


def _unbounded_class(node: Node) -> bool:
    return holds(node, Fact, Binom)


def _by_induction(a: Node, b: Node, domain: Domain) -> bool:
    """Whether a sum or product to n equals a closed form: one step and the first value, both checked.

    S(n) - S(n-1) = t(n) for a sum and S(n) / S(n-1) = t(n) for a product are identities without the operator.
    """
    big, closed = (a, b) if isinstance(a, Big) else (b, a)
    if not isinstance(big, Big) or holds(closed, Big) or big.kind not in ("sum", "prod"):
        return False
    match big:
        case Big(lower=Rel(sides=sides), upper=upper, body=body) if upper is not None and len(symbols(upper)) == 1:
            n = next(iter(symbols(upper)))
        case _:
            return False
    slope = polynomial(upper, n)
    if n not in domain.integers or slope is None or len(slope) != 2 or slope[1] != 1:
        return False
    if len(sides) != 2 or not isinstance(sides[0], Sym) or holds(body, Big) or switches(body, closed):
        return False
    term = put(body, sides[0], upper)
    before = put(closed, Sym(n), Add((Sym(n), Num(Fraction(-1)))))
    step = Add((closed, Neg(before))) if big.kind == "sum" else Div(closed, before)
    points = [p for p in integer_points(domain.integers, domain.reals) if p[n] >= 2][:24]
    agreed = agree(step, term, points, domain)
    return agreed is not None and agreed >= 12  # the first values were compared already
