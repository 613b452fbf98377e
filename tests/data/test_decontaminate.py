"""harness.data.decontaminate: what counts as the same text."""

from __future__ import annotations

import random

import pytest

from harness.data.decontaminate import Index, decontaminate, summary
from harness.data.same_text import readings, tokens
from harness.errors import UserError
from harness.records import Problem
from tests.pools import row, shared

LONG = "Find the sum of all positive integers $n$ such that $n^2 + 85n + 2017$ is a perfect square."


def problem(question: str, number: int = 0, task: str = "math500", choices: tuple[str, ...] = ()) -> Problem:
    return Problem(f"p{number}", task, question, "1", "math", choices)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is $x=2$?", "what is $ x = 2 $"),
        ("$\\dfrac{1}{2}$ of $5x$", "\\frac12 of $5 x$".replace("12", "1 2")),
        ("$\\left( a,\\, b \\right)$", "$(a, b)$"),
        ("$10\\!,\\!000\\text{ cm}$", "$10,000 cm$"),
        ("Caf\u00e9 \u00bd", "cafe\u0301 1\u20442"),
        ("\\displaystyle\\sum_{i}", "\\sum_i"),
    ],
)
def test_punctuation_latex_spacing_and_case_do_not_count(one: str, other: str) -> None:
    assert tokens(one) == tokens(other)


HIDDEN = {
    "zero-width spaces inside words": "Find the s\u200bum of all pos\u200bitive integers $n$",
    "zero-width spaces for spaces": "Find the sum of\u200ball positive\u200bintegers $n$",
    "soft hyphens": "Find the sum of all posi\u00adtive inte\u00adgers $n$",
    "word joiners and byte order marks": "Find the s\u2060um of all \ufeffpositive in\ufefftegers $n$",
    "right-to-left marks": "Find \u200fthe su\u200em of all positive integers $n$",
    "combining accents": "Fi\u0301nd the s\u0323um of a\u0338ll po\u034fsitive integers $n$",
    "composed accents": "F\u00ednd the s\u00fcm of \u00e5ll positive integers $n$",
    "Cyrillic letters": "Find the sum \u043ef \u0430ll p\u043es\u0456tiv\u0435 int\u0435g\u0435rs $n$",
    "Cyrillic capitals": "Find \u0422he sum of \u0410ll positive integers $n$",
    "Greek letters": "Find the sum \u03bff all p\u03bfsitive integers $n$",
    "full width and italics": "\uff26ind the \U0001d460um of all positive integers $n$",
    "HTML": "Find the <b>sum</b>&nbsp;of all<br/>positive <span class='x'>integers</span> $n$",
    "odd spaces": "Find\u00a0the\u2009sum\u3000of all positive integers $n$",
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_what_does_not_show_or_looks_the_same_does_not_count(text: str) -> None:
    rest = " such that $n^2 + 85n + 2017$ is a perfect square."
    (match,) = Index([problem(LONG)]).matches(row(1, question=text + rest))
    assert (match.how, match.share) == ("exact", 1.0)


def test_a_text_without_width_is_read_with_it_and_without() -> None:
    assert list(readings("a\u200bb c")) == [["ab", "c"], ["a", "b", "c"]]
    assert list(readings("caf\u00e9")) == [["cafe"]]  # nothing without width: read once


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3 + 4?", "What is 3 - 4?"),
        ("What is $3+4$?", "What is $3\u22124$?"),
        ("Factor $x^2-5x+6$.", "Factor $x^2+5x-6$."),
        ("Solve $a-\\sin b$", "Solve $a+\\sin b$"),
        ("Is $-2$ a root?", "Is $2$ a root?"),
        ("Find $10^{-3}$", "Find $10^{3}$"),
        ("When is $x<3$?", "When is $x>3$?"),
        ("When is $x \\le 3$?", "When is $x \\ge 3$?"),
        ("What is $a \u2260 b$?", "What is $a \u2265 b$?"),
    ],
)
def test_a_sign_makes_another_problem(one: str, other: str) -> None:
    assert Index([problem(one)]).matches(row(1, question=one))[0].how == "exact"
    assert Index([problem(one)]).matches(row(1, question=other)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$3+4$", "$3 \\,+\\, (4)$"),
        ("$3-4$", "$3 \u2212 4$"),
        ("$x \\leq 3$", "$x \u2264 3$"),
        ("$x<3$", "x &lt; 3"),
        ("a right-angled triangle", "a right angled triangle"),
        ("the n-th term", "the n th term"),
        ("a grade-8 test of 2-digit numbers", "a grade 8 test of 2 digit numbers"),
        ("f: A -> B", "f: A \u2192 B"),
        ("- one\n- two", "one\ntwo"),
        ("so --- in short ---", "so in short"),
    ],
)
def test_a_hyphen_an_arrow_and_a_bullet_are_no_signs(one: str, other: str) -> None:
    assert tokens(one) == tokens(other)


def test_commands_that_mean_something_stay_apart() -> None:
    assert tokens("$\\sin x$") != tokens("$\\cos x$")
    assert tokens("\\leftarrow") == ["leftarrow"]  # not \left


@pytest.mark.parametrize(
    ("question", "how"),
    [
        (LONG, "exact"),
        (LONG.upper().replace("$", " "), "exact"),
        ("Let us " + LONG, "8-gram"),
        ("Find the sum of all positive integers n so that n is odd.", "8-gram"),  # seven shared words are not enough
        ("Find the sum of the digits of 2017.", None),
    ],
)
def test_a_shared_run_of_eight_tokens_is_a_match(question: str, how: str | None) -> None:
    matches = Index([problem(LONG)]).matches(row(1, question=question))
    assert [match.how for match in matches] == ([how] if how else [])


def test_a_shared_run_of_seven_tokens_is_none() -> None:
    index = Index([problem("a b c d e f g h i j")])
    assert index.matches(row(1, question="a b c d e f g z")) == []
    assert index.matches(row(1, question="z b c d e f g h i z"))[0].shared == 1


def test_short_texts_are_compared_whole() -> None:
    index = Index([problem("Compute $\\sin 30^\\circ$.")])
    assert index.matches(row(1, question="compute  $\\sin\\,30^{\\circ}$"))[0].how == "exact"
    assert index.matches(row(1, question="Compute $\\sin 60^\\circ$.")) == []
    assert index.matches(row(1, question="Please compute $\\sin 30^\\circ$.")) == []


def test_drawing_code_alone_is_no_match() -> None:
    code = "[asy] draw(A--B); dot(A); dot(B); label(A, W); label(B, E); [/asy]"
    index = Index([problem(f"How long is the wooden fence around it? {code}")])
    assert index.matches(row(1, question=f"Which of the two is red? {code}")) == []


def test_the_options_of_a_choice_question_do_not_hide_it() -> None:
    index = Index([problem("Which gas is noble?\n\nA) Neon\nB) Chlorine", choices=("Neon", "Chlorine"))])
    assert index.matches(row(1, question="Which gas is noble?"))[0].how == "exact"


def test_the_result_does_not_depend_on_the_order_of_rows() -> None:
    pool = [
        row(n, question=LONG if n == 3 else f"{'Find the sum of all positive integers n with ' * (n % 2)} {n}")
        for n in range(1, 20)
    ]
    problems = [problem(LONG, 1), problem("Find the sum of all positive integers n with 7 divisors", 2)]
    expected = decontaminate(pool, problems)
    random.Random(0).shuffle(pool)
    assert decontaminate(pool, list(reversed(problems))) == expected
    assert expected[0] == {f"r{n:04d}" for n in range(1, 20, 2)}


def test_the_report_says_what_matched_what_and_how_much() -> None:
    drop, report = decontaminate([row(1, question="Let us " + LONG), row(2)], [problem(LONG, 5)])
    assert drop == {"r0001"}
    match = report[0]
    assert (match.row_id, match.task, match.problem_id, match.how) == ("r0001", "math500", "p5", "8-gram")
    assert match.share == 1.0
    assert match.text == "find the sum of all positive integers n"
    assert summary(report) == {"math500": {"exact": 0, "half or more": 1, "any 8-gram": 1}}


def test_a_least_share_keeps_rows_that_only_share_exam_prose() -> None:
    prose = "where m and n are relatively prime positive integers find m plus n"
    long_problem = "A frog jumps over forty lily pads in the pond and the chance that it lands dry is m over n " + prose
    pool = [row(1, question=f"A die is cast; the chance is m over n {prose}"), row(2, question=long_problem)]
    assert decontaminate(pool, [problem(long_problem)])[0] == {"r0001", "r0002"}
    assert decontaminate(pool, [problem(long_problem)], min_share=0.5)[0] == {"r0002"}


def test_no_text_of_gpqa_enters_the_report() -> None:
    match = decontaminate([row(1, question=LONG)], [problem(LONG, task="gpqa_diamond")])[1][0]
    assert match.how == "exact"
    assert match.text == ""


def test_without_a_problem_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(UserError, match="name at least one task"):
        decontaminate([row(1)], [])


def test_the_real_pool_holds_no_math500_problem_but_touches_many() -> None:
    """MATH500 is a part of MATH's test split, sft_pool of its train split: no question is the same, and 219 of 2,554
    rows share at least one run of eight tokens with one."""
    from harness import tasks
    from harness.data import load as pool

    data = shared("sft_pool").parent
    drop, report = decontaminate(pool.load("sft_pool", data), tasks.load("math500", data))
    assert summary(report) == {"math500": {"exact": 0, "half or more": 23, "any 8-gram": 219}}
    assert len(drop) == 219


def test_math500_is_found_in_itself() -> None:
    from harness import tasks

    problems = tasks.load("math500", shared("tasks").parent)
    pool = [row(n, question=one.question) for n, one in enumerate(problems)]
    _, report = decontaminate(pool, problems)
    assert len({match.row_id for match in report if match.how == "exact"}) == 500


def test_no_run_is_lost_to_the_quicker_look_at_parts_of_it() -> None:
    rng = random.Random(3)
    texts = [" ".join(rng.choices("abc", k=rng.randrange(4, 30))) for _ in range(400)]
    known, asked = texts[:40], texts[40:] + [texts[rng.randrange(40)] for _ in range(20)]

    def runs_of(text: str) -> set[str]:
        return {text[start : start + 15] for start in range(0, len(text) - 14, 2)}

    index = Index([problem(text, number) for number, text in enumerate(known)])
    touched = {text: {f"p{n}" for n, one in enumerate(known) if runs_of(one) & runs_of(text)} for text in asked}
    same = {text: {f"p{n}" for n, one in enumerate(known) if one == text} for text in asked}
    for text in asked:
        found = {match.problem_id for match in index.matches(row(1, question=text))}
        assert found == touched[text] | same[text]
    assert 100 < sum(map(bool, touched.values())) < 300  # of 380
    for lead in range(9):
        assert index.matches(row(1, question=f"{'z ' * lead}{known[0][:15]} z z z"))
