"""Piecewise parts of an expression as unknowns: equal parts are one unknown, and signs are tried one by one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from harness.grading.compare.agreement import ERRORS, MIN_AGREED, Domain, agree, analytic_equal
from harness.grading.compare.contexts import FLOATS
from harness.grading.compare.numeric import number_value
from harness.grading.compare.probes import real_points, switches
from harness.grading.grammar.nodes import Add, Cases, Div, Fn, Mul, Neg, Node, Num, Pow, Root, Sym
from harness.grading.grammar.tree import mapped, symbols
from harness.grading.limits import TooBigError

_MAX_BENDS = 5  # absolute values whose signs are all tried


def equal_as_unknowns(a: Node, b: Node, domain: Domain) -> bool:
    """Whether a and b agree once their piecewise parts are replaced by unknowns, equal parts by the same one.

    floor(u + k) is floor(u) + k for a whole k, ceil(u) is -floor(-u), |u| is |-u|, max(u, v) is (u + v + |u - v|) / 2.
    """
    atoms: list[tuple[str, Node, Sym]] = []
    left, right = _with_unknowns(a, atoms, domain), _with_unknowns(b, atoms, domain)
    if left is None or right is None:
        return False
    if left == right:
        return True
    if switches(left, right) and not all(kind == "root" for kind, _ in switches(left, right)):
        return False
    names = sorted(symbols(left) | symbols(right))
    points = list(real_points(names, seed=5))
    agreed = agree(left, right, points, domain, 12)
    return agreed is not None and agreed >= MIN_AGREED


def _with_unknowns(node: Node, atoms: list[tuple[str, Node, Sym]], domain: Domain) -> Node | None:
    """The tree with unknowns for its abs, floor, ceil, frac, mod, max and min; None where one is of another kind."""
    failed = False

    def change(part: Node) -> Node:
        nonlocal failed
        part = mapped(part, change)
        match part:
            case Fn(name="abs", args=(Mul(factors=factors),)) if symbols(part):  # |uv| is |u||v|
                return Mul(tuple(change(Fn("abs", (factor,))) for factor in factors))
            case Fn(name="abs", args=(Div(top=top, bottom=bottom),)) if symbols(part):
                return Div(change(Fn("abs", (top,))), change(Fn("abs", (bottom,))))
            case Fn(name="abs", args=(u,)) if symbols(u):
                return _unknown("abs", u, atoms, domain)
            case Root(radicand=Pow(base=u, exponent=Num(value=power)), index=Num(value=index)) if (
                power == index and index % 2 == 0 and symbols(u)
            ):
                return _unknown("abs", u, atoms, domain)
            case Root(radicand=Mul(factors=factors), index=Num(value=index)) if (
                symbols(part) and index == 2 and all(_is_square(f) for f in factors)
            ):
                return Mul(tuple(change(Root(factor, part.index)) for factor in factors))
            case Fn(name="max" | "min", args=(u, v)) if symbols(u) | symbols(v):
                gap = _unknown("abs", Add((u, Neg(v))), atoms, domain)
                gap = gap if part.name == "max" else Neg(gap)
                return Div(Add((u, v, gap)), Num(Fraction(2)))
            case Fn(name="floor", args=(u,)) if symbols(u):
                return _unknown("floor", u, atoms, domain)
            case Fn(name="ceil", args=(u,)) if symbols(u):
                return Neg(_unknown("floor", Neg(u), atoms, domain))
            case Fn(name="frac", args=(u,)) if symbols(u):
                return Add((u, Neg(_unknown("floor", u, atoms, domain))))
            case Fn(name="mod", args=(u, v)) if symbols(u) | symbols(v):
                return Add((u, Neg(Mul((v, _unknown("floor", Div(u, v), atoms, domain))))))
            case Fn(name="max" | "min" | "gcd" | "lcm" | "sgn" | "sign") | Cases() if symbols(part):
                failed = True
        return part

    changed = change(node)
    return None if failed else changed


def _is_square(node: Node) -> bool:
    match node:
        case Pow(exponent=Num(value=power)):
            return power == 2
        case Num(value=value):
            return value >= 0
    return False


def _unknown(kind: str, u: Node, atoms: list[tuple[str, Node, Sym]], domain: Domain) -> Node:
    """The unknown for |u| or floor(u): an earlier one where the arguments are provably alike."""
    for known, v, name in atoms:
        if known != kind:
            continue
        if u == v or analytic_equal(u, v, domain):
            return name
        if kind == "abs" and (ratio := _ratio(u, v, domain)) is not None:
            return Mul((Num(abs(ratio)), name))
        if kind == "floor" and (shift := _whole_difference(u, v, domain)) is not None:
            return Add((name, Num(Fraction(shift))))
    name = Sym(f"\0{kind}{len(atoms)}")
    atoms.append((kind, u, name))
    return name


def _ratio(u: Node, v: Node, domain: Domain) -> Fraction | None:
    """The rational number k with u = k v everywhere, or None."""
    point = next(iter(real_points(sorted(symbols(u) | symbols(v)), seed=3)))
    try:
        env = domain.env(point, FLOATS)
        quotient = complex(number_value(u, env, FLOATS)) / complex(number_value(v, env, FLOATS))
    except (*ERRORS, TooBigError):
        return None
    k = Fraction(quotient.real).limit_denominator(1_000) if abs(quotient) < 10**6 else Fraction(0)
    if not k or abs(quotient - float(k)) > 1e-9 * abs(k):
        return None
    return k if analytic_equal(u, Mul((v, Num(k))), domain) else None


def _whole_difference(u: Node, v: Node, domain: Domain) -> int | None:
    """The whole number k with u = v + k everywhere, or None."""
    point = next(iter(real_points(sorted(symbols(u) | symbols(v)), seed=3)))
    try:
        env = domain.env(point, FLOATS)
        gap = complex(number_value(u, env, FLOATS)) - complex(number_value(v, env, FLOATS))
    except (*ERRORS, TooBigError):
        return None
    k = round(gap.real)
    if not k or abs(k) > 10**6 or abs(gap - k) > 1e-9:
        return None
    return k if analytic_equal(u, Add((v, Num(Fraction(k)))), domain) else None


def all_signs(a: Node, b: Node, names: Sequence[str], domain: Domain) -> bool | None:
    """Equality for every choice of signs of the absolute values, each an analytic identity of several names."""
    atoms: list[tuple[str, Node, Sym]] = []
    left, right = _with_unknowns(a, atoms, domain), _with_unknowns(b, atoms, domain)
    if left is None or right is None or len(atoms) > _MAX_BENDS or any(kind != "abs" for kind, _, _ in atoms):
        return None
    for signs in itertools.product((False, True), repeat=len(atoms)):
        one, other = left, right
        for (_, u, name), negative in zip(reversed(atoms), signs, strict=True):
            value = Neg(u) if negative else u
            one, other = put(one, name, value), put(other, name, value)
        if not analytic_equal(one, other, domain):
            return None
    return True


def put(node: Node, name: Sym, value: Node) -> Node:
    """The tree with `value` for `name`."""
    return value if node == name else mapped(node, lambda part: put(part, name, value))
