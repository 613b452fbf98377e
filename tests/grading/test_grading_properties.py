"""What must hold for every input of a kind: a change of value is never accepted, a rewriting that keeps it always is.

sympy writes the equal forms, and plain evaluation on a grid is the witness against an accept.
"""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sympy
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from harness.grading import grade, grade_answer

KINDS = [
    json.loads(line)
    for line in (Path(__file__).parent / "corpus" / "kinds.jsonl").read_text(encoding="utf-8").splitlines()
]
CHECK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
X, Y = sympy.symbols("x y")
small = st.integers(-6, 6)
polynomials = st.lists(st.tuples(small, st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=4).map(
    lambda terms: sum((a * X**i * Y**j for a, i, j in terms), sympy.Integer(0))
)


@pytest.mark.parametrize("case", KINDS, ids=lambda case: f"{case['kind']}: {case['gold']}|{str(case)[-50:]}")
def test_the_labelled_kinds_are_graded_as_labelled(case: dict[str, Any]) -> None:
    """Worded for this project; `response` rows are whole responses, `choices` make them multiple choice."""
    if "choices" in case:
        verdict = grade(case["response"], case["gold"], "choice", choices=case["choices"])
    elif "response" in case:
        verdict = grade(case["response"], case["gold"])
    else:
        verdict = grade_answer(case["answer"], case["gold"])
    assert (verdict.status == "correct") is case["correct"], verdict


def written(product: sympy.Expr) -> str:
    """As sympy prints it, with dots where it would print "y 7" or "y 2 y", which is no way to write a product."""
    text: str = sympy.latex(product)
    return str(sympy.latex(product, mul_symbol="dot")) if re.search(r"[xy}] \d", text) else text


@CHECK
@given(polynomials, polynomials)
@example(2 * Y, Y - 7)
def test_sympys_rewriting_of_an_expression_is_equal_to_it(p: sympy.Expr, q: sympy.Expr) -> None:
    product = sympy.Mul(p, q + 7, evaluate=False)
    assert grade_answer(sympy.latex(sympy.expand(p * (q + 7))), written(product)).correct is True
    assert grade_answer(sympy.latex(sympy.factor(p * (q + 7))), written(product)).correct is True


@CHECK
@given(polynomials, st.fractions(max_denominator=50), st.sampled_from((X, Y, X * Y, sympy.Integer(1))))
def test_an_expression_whose_value_is_changed_is_never_accepted(p: sympy.Expr, c: Fraction, where: sympy.Expr) -> None:
    assume(c)
    other = p + sympy.Rational(c.numerator, c.denominator) * where
    assert grade_answer(sympy.latex(other), sympy.latex(p)).correct is False


kinked = st.one_of(
    st.tuples(small, small).map(lambda t: (f"|x+{t[0]}|+({t[1]})", lambda x: abs(x + t[0]) + t[1])),
    st.tuples(small, small).map(lambda t: (f"|x-({t[0]})|+|x-({t[1]})|", lambda x: abs(x - t[0]) + abs(x - t[1]))),
    st.tuples(small).map(lambda t: (f"\\max(x,{t[0]})", lambda x: max(x, t[0]))),
    st.tuples(small).map(lambda t: (f"\\sqrt{{(x+{t[0]})^2}}", lambda x: abs(x + t[0]))),
    st.tuples(small, small).map(lambda t: (f"{t[0]}+x+({t[1]})", lambda x: t[0] + x + t[1])),
    st.tuples(small, small).map(lambda t: (f"{t[0]}-x+({t[1]})", lambda x: t[0] - x + t[1])),
)


@CHECK
@given(kinked, kinked)
def test_what_bends_is_accepted_only_where_it_agrees_everywhere(a: Any, b: Any) -> None:
    same = all(abs(a[1](x / 4) - b[1](x / 4)) < 1e-9 for x in range(-120, 121))
    verdict = grade_answer(a[0], b[0])
    assert (verdict.correct is True) == same or (same and verdict.status == "undecided"), (a[0], b[0], verdict)


steps = st.tuples(st.sampled_from(("floor", "ceil")), st.integers(1, 3), st.integers(-4, 4), st.integers(2, 4), small)


def _stepped(t: tuple[str, int, int, int, int], n: int) -> int:
    value = Fraction(t[1] * n + t[2], t[3])
    return (math.floor(value) if t[0] == "floor" else math.ceil(value)) + t[4]


@CHECK
@given(steps, steps)
def test_steps_of_an_integer_are_accepted_only_where_they_agree_everywhere(a: Any, b: Any) -> None:
    def latex(t: Any) -> str:
        return f"\\l{t[0]}\\frac{{{t[1]}n+({t[2]})}}{{{t[3]}}}\\r{t[0]}+({t[4]})"

    same = all(_stepped(a, n) == _stepped(b, n) for n in range(-60, 61))
    verdict = grade_answer(latex(a), latex(b))
    assert (verdict.correct is True) == same, (latex(a), latex(b), verdict)


@CHECK
@given(st.fractions(1, 900, max_denominator=8), st.sampled_from(("m", "g", "W", "Pa", "Hz", "J", "V")))
def test_prefixes_of_units_convert_and_are_never_dropped(value: Fraction, unit: str) -> None:
    number, thousand = (f"\\frac{{{v.numerator}}}{{{v.denominator}}}" for v in (value, value * 1000))
    assert grade_answer(f"{thousand} \\text{{ {unit}}}", f"{number} \\text{{ k{unit}}}").correct is True
    assert grade_answer(f"{number} \\text{{ {unit}}}", f"{number} \\text{{ k{unit}}}").correct is False


@CHECK
@given(st.integers(1, 12), st.integers(1, 12), st.integers(-3, 3), st.integers(1, 3))
def test_families_are_equal_exactly_when_their_values_are(start: int, period: int, shift: int, times: int) -> None:
    gold = f"\\frac{{{start}\\pi}}{{13}}+{period}k\\pi, k\\in\\mathbb{{Z}}"
    moved = f"\\frac{{{start}\\pi}}{{13}}+{period}\\pi(n+({shift})), n\\in\\mathbb{{Z}}"
    assert grade_answer(moved, gold).correct is True
    other = f"\\frac{{{start}\\pi}}{{13}}+{period * times}n\\pi, n\\in\\mathbb{{Z}}"
    assert grade_answer(other, gold).correct is (times == 1)


OPTIONS = ("a red giant", "a white dwarf", "a neutron star", "a black hole")
SAID = (
    "The correct answer is **{L}. {text}**.",
    "So it must be {text} ({L}).",
    "Answer: {L}",
    "**Answer:** {text}",
    "I would go with option {L}.",
    "Die richtige Antwort ist {L}) {text}.",
    "La réponse correcte est {L}. {text}.",
    "La respuesta correcta es {L}. {text}.",
    "正确答案是{L}。",
    "正解は{L}です。",
    "\\boxed{{{L}}}",
    "{L}. {text}\n\nIt follows at once.",
)
BESIDE = (
    "",
    "\n\nNote: some textbooks give the answer as {O}.",
    "\n\nIf the mass were larger, the answer would be {O}.",
    "\n\nOption {O} is incorrect because the density is too low.",
    "\n\nI hope this helps!",
)


@CHECK
@given(st.sampled_from(SAID), st.sampled_from(BESIDE), st.integers(0, 3), st.integers(0, 3))
def test_the_letter_that_is_stated_is_read_and_no_other(said: str, beside: str, k: int, other: int) -> None:
    assume(k != other)
    response = said.format(L="ABCD"[k], text=OPTIONS[k]) + beside.format(O="ABCD"[other])
    assert grade(response, "ABCD"[k], "choice", choices=OPTIONS).status == "correct", response
    assert grade(response, "ABCD"[other], "choice", choices=OPTIONS).status == "incorrect", response


@CHECK
@given(st.integers(2, 99), st.integers(2, 99), st.integers(2, 9))
def test_a_formula_of_the_question_is_no_answer(a: int, b: int, c: int) -> None:
    question = f"What is the value of ${a}\\cdot {b} + {c}$?"
    gold = str(a * b + c)
    for response in (
        f"Answer: To evaluate \\({a}\\cdot {b} + {c}\\), we first multiply, and then we",
        f"Answer: We need \\({a}\\cdot {b} + {c}\\).\n\nSo it equals \\({a * b + c + 1}\\).",
    ):
        for known in ("", question):
            assert grade(response, gold, question=known).correct is False, response
    restated = f"The answer is \\boxed{{{a}\\cdot {b} + {c}}}."
    assert grade(restated, gold, question=question).correct is False
    assert grade(f"The answer is \\boxed{{{gold}}}.", int(gold), question=question).correct is True


@CHECK
@given(st.integers(2, 10**6), st.integers(1, 5))
def test_nothing_that_touches_the_cut_is_taken(value: int, shown: int) -> None:
    digits = str(value)
    cut = digits[: min(shown, len(digits))]
    assert grade(f"So \\boxed{{{value}}}. To check: \\boxed{{{cut}", value, final=False).correct is True
    for response in (f"The answer is {cut}", f"Final Answer: \\boxed{{{cut}", f"Hence {cut}"):
        assert grade(response, cut, final=False).status == "truncated", response
    assert grade(f"hmm {value}", value, prompt="Q<|im_start|>think\n").status == "truncated"


@CHECK
@given(small, small.filter(bool), st.integers(-4, 4), st.integers(1, 5))
def test_a_set_in_builder_notation_is_the_set_of_its_elements(b: int, a: int, first: int, count: int) -> None:
    values = [a * n + b for n in range(first, first + count)]
    listed = "\\{" + ", ".join(map(str, reversed(values))) + "\\}"
    built = f"\\{{{a}n+{b} : n \\in \\mathbb{{Z}}, {first} \\le n \\le {first + count - 1}\\}}".replace("+-", "-")
    assert grade_answer(built, listed).correct is True
    changed = "\\{" + ", ".join(map(str, [values[0] + 1, *values[1:]])) + "\\}"
    assert (grade_answer(built, changed).correct is True) is (sorted(values) == sorted({values[0] + 1, *values[1:]}))


@CHECK
@given(st.lists(st.sampled_from("abcde0123456789"), min_size=2, max_size=5).map("".join).filter(str.isalnum))
def test_digits_below_a_bar_are_the_number_with_these_digits(digits: str) -> None:
    assume(any(d.isalpha() for d in digits) and "e" not in digits)
    value = sum(10**k * (sympy.Symbol(d) if d.isalpha() else int(d)) for k, d in enumerate(reversed(digits)))
    assert grade_answer(f"\\overline{{{digits}}}", sympy.latex(value)).correct is True
    assert grade_answer(f"\\overline{{{digits}}}", sympy.latex(value + 1)).correct is False


@CHECK
@given(st.sampled_from("abcpqrstuvxy"), st.sampled_from(("hat", "bar", "tilde")))
def test_a_mark_above_makes_another_name_but_labels_the_same_value(letter: str, mark: str) -> None:
    assert grade_answer(f"\\{mark}{{{letter}}}", letter).correct is False
    assert grade_answer(f"\\{mark} {letter}", f"\\{mark}{{{letter}}}").correct is True
    assert grade_answer(f"\\{mark}{{{letter}}} = 3", "3").correct is True


@CHECK
@given(st.integers(1, 9), st.integers(0, 8), st.integers(1, 9), st.integers(0, 8))
def test_parity_cases_are_equal_only_where_their_values_are(p: int, q: int, r: int, s: int) -> None:
    cases = f"\\begin{{cases}} {p}n+{q} & n\\text{{ even}} \\\\ {r}n+{s} & n\\text{{ odd}}\\end{{cases}}"
    closed = f"\\frac{{({p + r})n+({q + s})+(-1)^n(({p - r})n+({q - s}))}}{{2}}"
    assert grade_answer(closed, cases).correct is True
    assert grade_answer(closed + "+1", cases).correct is not True
