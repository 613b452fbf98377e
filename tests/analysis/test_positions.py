"""What the position of an option does: a preference is seen, and the test is the textbook's."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

import tests.made_up_study as made_up
from harness.analysis.measure import measure_cells
from harness.analysis.positions import position_bias
from harness.analysis.settings import load
from harness.report.study_tables import all_tables
from harness.report.tables import markdown


def test_a_model_that_always_says_a_is_seen() -> None:
    found = position_bias({(letter, "A"): 50 for letter in "ABCD"})
    assert found.p_value < 1e-6 and found.recall_spread > 0.4
    assert [(p.letter, p.num_gold, p.num_chosen) for p in found.positions] == [
        ("A", 50, 200),
        ("B", 50, 0),
        ("C", 50, 0),
        ("D", 50, 0),
    ]


def test_the_p_value_is_the_chi_square_of_a_printed_table() -> None:
    """3.841 is the 5 % point for 1 degree of freedom in any table; 500 + x of 1,000 give 4 x^2 / 1,000."""
    x = math.sqrt(3.841 * 1000 / 4)

    def p(chosen_a: int) -> float:
        return position_bias(
            {("A", "A"): chosen_a - 250, ("A", "B"): 750 - chosen_a, ("B", "A"): 250, ("B", "B"): 250}
        ).p_value

    assert p(500 + math.ceil(x)) < 0.05 < p(500 + math.floor(x))
    assert p(500) == 1.0
    assert math.isnan(position_bias({("A", "A"): 9}).p_value) and math.isnan(position_bias({("A", ""): 9}).p_value)


def test_rows_without_a_letter_are_counted_with_what_guessing_a_would_give() -> None:
    found = position_bias({("A", ""): 10, ("B", "B"): 30})
    assert (found.num_rows, found.num_without_letter) == (40, 10)
    assert found.default_letter_gain == pytest.approx(0.25)


def rows_of(letters: str) -> list[dict[str, Any]]:
    """One row per problem: gold letter, chosen letter ("-": none)."""
    pairs = [(pair[0], pair[1]) for pair in letters.split()]
    return [
        made_up.sample(
            problem_id=f"p{k}",
            kind="choice",
            gold=gold,
            extracted=None if got == "-" else got,
            correct=gold == got,
            status="no_answer" if got == "-" else "correct" if gold == got else "incorrect",
        )
        for k, (gold, got) in enumerate(pairs)
    ]


def test_the_leaderboard_has_the_table_for_choice_questions_alone(tmp_path: Path) -> None:
    measured = measure_cells(load([made_up.write(tmp_path / "choice", rows_of("AA BA CA DD A-"))]))
    assert measured.cells.cells[0].letters == {("A", "A"): 1, ("B", "A"): 1, ("C", "A"): 1, ("D", "D"): 1, ("A", ""): 1}
    table = next(t for t in all_tables(measured, "made_up", "quick") if t.id.startswith("positions_"))
    assert [[entry.text for entry in row] for row in table.rows] == [
        ["s1k", "A", "2", "3", "50.0"],
        ["s1k", "B", "1", "0", "0.0"],
        ["s1k", "C", "1", "0", "0.0"],
        ["s1k", "D", "1", "1", "100.0"],
    ]
    assert "1 of 5 generations chose none, and guessing A for them would add 20.0 points" in markdown(table)
    plain = measure_cells(load([made_up.write(tmp_path / "plain", [made_up.sample(kind="integer", gold="2")])]))
    assert not [t for t in all_tables(plain, "made_up", "quick") if t.id.startswith("positions_")]
    assert not plain.cells.cells[0].letters
