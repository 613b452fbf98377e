"""Whether two expressions are one number or one function: refuted by points, accepted only for a reason.

- Rational arithmetic decides exactly. Numbers without symbols are compared at 50 and at 160 digits.
- Points *refute*: random ones over the domain, negative, large, between and on integers, around every kink.
- What is analytic between its branch points is *accepted* when it agrees at random points of high precision. Two
  different analytic functions agree only on a set of measure zero (for polynomials of degree d, at a random point of N
  with probability at most d/N, Schwartz and Zippel); here N is about 10^15 for each point and two 160-digit values
  agree to 120 digits, so the chance of a wrong accept is far below that of a bit flip.
- What is *piecewise* (abs, max, min, sign, roots of squares, cases; floor, ceil, mod on the reals or the integers) is
  accepted by one of three proofs: equal after its parts are matched as unknowns; equal on every cell between its
  breakpoints, all of which are known; for steps with rational slopes, equal over more periods than the degree allows
  (a polynomial of degree d that vanishes at d+1 points of a residue class vanishes on it). Else sympy is asked
  (`UndecidedError`), and what sympy cannot prove stays undecided.
- Names that stand for integers by custom (n, k, m, j, l, N) are integers where the expressions differ on the reals.
- Both sides are compared where both have real values.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from harness.grading.compare.agreement import MIN_AGREED, Domain, UndecidedError, agree, cheap, precisely
from harness.grading.compare.cells import cells, periods
from harness.grading.compare.integers import INTEGER_NAMES, over_integers
from harness.grading.compare.probes import kink_points, real_points, switches
from harness.grading.compare.rounding import rounds_to
from harness.grading.compare.unknowns import all_signs, equal_as_unknowns
from harness.grading.grammar.nodes import Big, Const, Fn, Node, Num, Pow
from harness.grading.grammar.rational import NoValueError, rational
from harness.grading.grammar.tree import holds, symbols, walk
from harness.grading.limits import TooBigError

_PRECISE_POINTS = 5


def same_value(a: Node, b: Node, full_precision: bool = True, natural_log: bool = True) -> tuple[bool, str]:
    """Whether two expressions are equal, and the tier that told.

    Args:
        a: A tree with numbers: no sets, lists or relations.
        b: Another.
        full_precision: Whether a decimal of 12 or more digits may stand for the value that it rounds to.
        natural_log: Whether a `log` without a base may also be the natural one, on both sides.

    Raises:
        UndecidedError: where there is neither a refutation nor a proof.
        TooBigError: beyond a limit.
    """
    if a == b:
        return True, "structure"
    match a, b:
        case Pow(base=Num(value=base), exponent=x), Pow(base=Num(value=other), exponent=y) if base == other > 1:
            return same_value(x, y, False, natural_log)  # towers beyond every limit
    try:
        ra, rb = rational(a), rational(b)
    except NoValueError as error:
        raise UndecidedError(str(error)) from None
    if ra is not None and rb is not None:
        if ra == rb:
            return True, "rational"
        return full_precision and (rounds_to(a, b) or rounds_to(b, a)), "rational"
    names = sorted(symbols(a) | symbols(b))
    if len(names) > 40:
        raise TooBigError("more than 40 symbols")
    bare_log = natural_log and any(
        isinstance(x, Fn) and x.name == "log" and len(x.args) == 1 for node in (a, b) for x in walk(node)
    )
    try:
        equal = _numbers(a, b) if not names else _functions(a, b, names)
    except UndecidedError:
        if not bare_log:
            raise
        equal = False
    if not equal and bare_log:
        equal = _numbers(a, b, "e") if not names else _functions(a, b, names, "e")
    if not equal and full_precision and not names:
        equal = rounds_to(a, b) or rounds_to(b, a)
    return equal, "numeric"


def _numbers(a: Node, b: Node, log_base: str = "") -> bool:
    domain = Domain(real_only=False, log_base=log_base)
    if cheap(a, b, {}, domain) is False and precisely(a, b, {}, domain) is False:
        return False
    same = precisely(a, b, {}, domain)
    if same is None:
        raise UndecidedError("no value")
    return same


def _functions(a: Node, b: Node, names: Sequence[str], log_base: str = "") -> bool:
    """Equality of two expressions with symbols."""
    complex_numbers = (holds(a, Const) and Const("i") in walk(a)) or Const("i") in walk(b)
    domain = Domain(reals=tuple(names), real_only=not complex_numbers, log_base=log_base)
    found = switches(a, b)
    verdict = over_reals(a, b, names, found, domain)
    if verdict is True:
        return True
    integers = tuple(name for name in names if name in INTEGER_NAMES)
    if not integers:  # what stands in a gcd is a natural number
        arithmetic = [x for node in (a, b) for x in walk(node) if isinstance(x, Fn) and x.name in ("gcd", "lcm")]
        integers = tuple(sorted(frozenset[str]().union(*(symbols(x) for x in arithmetic))))
    if integers:
        others = tuple(name for name in names if name not in integers)
        whole = Domain(integers, others, domain.real_only, log_base)
        decided = over_integers(a, b, whole, found)
        if decided is not None:
            return decided
    if verdict is None:
        raise UndecidedError("no proof that the two are equal")
    return verdict


def over_reals(
    a: Node, b: Node, names: Sequence[str], found: Sequence[tuple[str, Node]], domain: Domain
) -> bool | None:
    """True with a proof, False with a point, None without either."""
    usable: list[dict[str, float]] = []
    for point in itertools.chain(real_points(names), kink_points(found, names) if found else ()):
        same = cheap(a, b, point, domain)
        if same is False and precisely(a, b, point, domain) is False:
            return False
        if same is not None:
            usable.append(point)
    if not usable:  # huge values, binomials: floats have none
        usable = [p for k, p in enumerate(real_points(names)) if k < 8]
    agreed = agree(a, b, usable, domain, _PRECISE_POINTS)
    if agreed is None:
        return False
    if agreed < MIN_AGREED:
        if domain.real_only:  # no real value anywhere: principal values
            return (
                over_reals(a, b, names, found, Domain((), domain.reals, False, domain.log_base))
                if not found or all(kind == "root" for kind, _ in found)
                else None
            )
        return None
    if holds(a, Big) or holds(b, Big):
        return None
    if all(kind == "root" for kind, _ in found):
        return _between_branch_points(a, b, names, found, usable, domain)
    return _piecewise(a, b, names, found, domain)


def _between_branch_points(
    a: Node,
    b: Node,
    names: Sequence[str],
    found: Sequence[tuple[str, Node]],
    usable: Sequence[dict[str, float]],
    domain: Domain,
) -> bool | None:
    """Roots only: analytic on every part of the domain, so equal where equal at random points of each part.

    For one name the parts end at the zeros of the radicands; for several, points of all sizes and signs are taken.
    """
    if len(names) == 1 and found:
        return cells(a, b, names[0], found, domain)
    agreed = agree(a, b, usable[:: max(1, len(usable) // 16)], domain)
    return False if agreed is None else agreed >= MIN_AGREED


# --- proofs for what is piecewise -------------------------------------------------------------------------------


def _piecewise(
    a: Node, b: Node, names: Sequence[str], found: Sequence[tuple[str, Node]], domain: Domain
) -> bool | None:
    if equal_as_unknowns(a, b, domain):
        return True
    steps = any(kind == "step" for kind, _ in found)
    if len(names) == 1:
        return periods(a, b, names[0], found, domain, whole=False) if steps else cells(a, b, names[0], found, domain)
    return None if steps else all_signs(a, b, names, domain)
