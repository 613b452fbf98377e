"""The conventions of the grader, written down once. `strict` turns every one of them off.

The README's table is generated from `CONVENTIONS` (`python benchmarks/grading.py --policy`). Both answers of a pair are
treated alike, so every verdict is symmetric.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Policy:
    """One switch a convention; the default is the lenient reading of the table below."""

    units: bool = True
    percent: bool = True
    base_subscript: bool = True
    degrees: bool = True
    assignment: bool = True
    equation_chain: bool = True
    bare_list: bool = True
    vector_notation: bool = True
    ratio: bool = True
    full_precision: bool = True
    text_case: bool = True
    number_words: bool = True
    decimal_comma: bool = True
    choice_prefix: bool = True
    prose: bool = True
    equation_scale: bool = True
    natural_log: bool = True
    constants: bool = True


LENIENT = Policy()
STRICT = Policy(**{f.name: False for f in fields(Policy)})


@dataclass(frozen=True)
class Convention:
    """One row of the documented table. `accepts` and `refuses` are (answer, gold) pairs, and tests."""

    name: str
    rule: str
    accepts: tuple[tuple[str, str], ...]
    refuses: tuple[tuple[str, str], ...]


CONVENTIONS = (
    Convention(
        "units",
        "a unit may be left out; two known units of one kind are converted, of two kinds they differ",
        (("5", "5 \\text{ cm}"), ("5 dollars", "5")),
        (("5.4 \\text{ cents}", "5.4 \\text{ dollars}"),),
    ),
    Convention(
        "percent",
        "50% is 50 and is 1/2; a bare 0.5 is not 50",
        (("50\\%", "50"), ("50\\%", "\\frac12")),
        (("0.5", "50"),),
    ),
    Convention(
        "base_subscript",
        "a base subscript may be left out; another base is another number",
        (("2516", "2516_8"),),
        (("2516_9", "2516_8"), ("1358", "2516_8")),
    ),
    Convention(
        "degrees",
        "the degree sign may be left out; degrees equal the radians of the same angle",
        (("106", "106^\\circ"), ("90^\\circ", "\\frac{\\pi}{2}")),
        (("145^\\circ", "1\\frac45"),),
    ),
    Convention(
        "assignment",
        "the name before '=' may be left out, or be another letter",
        (("x=5", "5"), ("y=5", "x=5")),
        (("x=6", "5"), ("a^2+b=0", "0")),
    ),
    Convention(
        "equation_chain",
        "of a chain of numeric equalities the last value counts",
        (("2+3=5", "5"),),
        (("2+3=5", "2"),),
    ),
    Convention(
        "bare_list",
        "a bare list may be a set or a tuple; the order of sets is free, of tuples it is not",
        (("1, 2", "\\{2, 1\\}"), ("1, 2", "(1, 2)")),
        (("(2, 1)", "(1, 2)"), ("1", "1, 2")),
    ),
    Convention(
        "vector_notation",
        "a column or row, a tuple, a bracketed list of three or more and ijk notation are alike",
        (("(1, 2, 3)", "\\begin{pmatrix}1\\\\2\\\\3\\end{pmatrix}"),),
        (("[1, 2]", "(1, 2)"),),
    ),
    Convention("ratio", "a ratio is the fraction of its terms", (("3:4", "\\frac34"),), (("4:3", "\\frac34"),)),
    Convention(
        "full_precision",
        "a decimal of 12 or more digits may stand for the value it rounds to, no shorter one",
        (("0.0833333333333333", "\\frac{1}{12}"),),
        (("0.33", "\\frac13"), ("1.414", "\\sqrt2")),
    ),
    Convention(
        "text_case",
        "the case of words is free, of symbols it is not",
        (("East", "\\text{east}"),),
        (("3r^2", "3R^2"),),
    ),
    Convention(
        "number_words",
        "a number may be spelled out",
        (("seven", "7"), ("twenty-one", "21")),
        (("seven", "8"),),
    ),
    Convention(
        "decimal_comma",
        "0,5 is 0.5 where it cannot be a thousands separator",
        (("0,111", "0.111"),),
        (("1,23", "123"),),
    ),
    Convention(
        "choice_prefix",
        "the letter of a choice before its value may be left out",
        (("\\textbf{(B) }5", "5"),),
        (("\\textbf{(B) }5", "6"),),
    ),
    Convention(
        "prose",
        "of an answer in words the stated value counts, or the last formula",
        (("The answer is 5 because it is odd", "5"),),
        (("The answer is not 5", "5"),),
    ),
    Convention(
        "equation_scale",
        "an equation may be multiplied by a constant",
        (("2x+2y=2", "x+y=1"),),
        (("x+y=2", "x+y=1"),),
    ),
    Convention(
        "natural_log",
        "a log without a base is to base ten, or natural on both sides (sympy and Math-Verify: natural)",
        (("\\log x", "\\ln x"), ("\\pi\\ln 2", "\\pi\\log 2")),
        (("\\log_2 x", "\\ln x"),),
    ),
    Convention(
        "constants",
        "the constants of integration may have other names, and an added one absorbs a number",
        (("x^2+K", "x^2+C"), ("\\frac{(x+1)^2}{2}+C", "\\frac{x^2}{2}+x+C")),
        (("2x^2+C", "x^2+C"),),
    ),
)


def table() -> list[str]:
    """The README's table of conventions, as Markdown lines."""

    def shown(pairs: tuple[tuple[str, str], ...]) -> str:
        return "; ".join(f"`{answer}` for `{gold}`".replace("|", "\\|") for answer, gold in pairs)

    lines = ["| convention | rule | accepted | refused |", "|---|---|---|---|"]
    return lines + [f"| {c.name} | {c.rule} | {shown(c.accepts)} | {shown(c.refuses)} |" for c in CONVENTIONS]
