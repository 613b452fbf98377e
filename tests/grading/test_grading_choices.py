"""GPQA: one exam per seed on every machine, s1's prompt, and what position does."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

from harness.grading.choices import format_choices, shuffled_choices

WRONG = ("b", "c", "d")


def test_the_order_depends_on_id_and_seed_alone() -> None:
    first = shuffled_choices("q1", "a", WRONG, 0)
    assert first == shuffled_choices("q1", "a", tuple(reversed(WRONG)), 0)
    code = "from harness.grading.choices import shuffled_choices as s; print(s('q1', 'a', ('b', 'c', 'd'), 0))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == str(first)


def test_the_letter_is_where_the_correct_option_stands() -> None:
    for k in range(50):
        options, letter = shuffled_choices(f"q{k}", "a", WRONG, seed=k % 3)
        assert options["ABCD".index(letter)] == "a" and sorted(options) == ["a", "b", "c", "d"]


def test_positions_are_even_over_many_questions_and_change_with_the_seed() -> None:
    letters = Counter(shuffled_choices(f"q{k}", "a", WRONG, 0)[1] for k in range(4_000))
    assert all(abs(letters[letter] - 1_000) < 120 for letter in "ABCD")  # 4 standard deviations
    assert any(shuffled_choices(f"q{k}", "a", WRONG, 0) != shuffled_choices(f"q{k}", "a", WRONG, 1) for k in range(20))


def test_the_s1_preset_is_s1s_prompt() -> None:
    assert format_choices("Why?", ("w", "x", "y", "z")) == "Why?\n\nA) w\nB) x\nC) y\nD) z"


def test_braces_in_a_question_are_left_alone() -> None:
    assert format_choices("{question} \\frac{1}{2}?", ("{a}", "b")).startswith("{question} \\frac{1}{2}?")
