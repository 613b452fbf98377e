"""The tests of "no worse", and the Dirichlet posterior, against what they are defined by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import beta, ttest_rel

from harness.analysis.equivalence import equivalence, posterior


def arms(only_a: int, only_b: int, num: int) -> tuple[Any, Any]:
    a, b = np.zeros(num), np.zeros(num)
    a[:only_a], b[only_a : only_a + only_b] = 1, 1
    return a, b


@pytest.mark.parametrize(
    ("only_a", "only_b", "num", "worse", "better"),
    [(1, 1, 1_000, True, True), (40, 5, 500, True, False), (5, 40, 500, False, True), (20, 20, 100, False, False)],
)
def test_a_margin_of_two_points(only_a: int, only_b: int, num: int, worse: bool, better: bool) -> None:
    found = equivalence(*arms(only_a, only_b, num), 0.02)
    assert (found.no_worse, found.no_better) == (worse, better) and found.equivalent == (worse and better)


@pytest.mark.parametrize(("num", "discordant"), [(100, 0.1), (500, 0.06)])
def test_an_arm_that_is_worse_by_the_margin_passes_in_5_of_100_experiments(num: int, discordant: float) -> None:
    rng, margin = np.random.default_rng(0), 0.02
    chances = [(discordant - margin) / 2, (discordant + margin) / 2, 1 - discordant]
    passed = [equivalence(*arms(b, c, num), margin).no_worse for b, c, _ in rng.multinomial(num, chances, 3_000)]
    assert 0.01 < np.mean(passed) < 0.06


def test_several_samples_give_the_one_sided_t_test_where_problems_are_many() -> None:
    """source: scipy's paired t-test against the margin."""
    rng = np.random.default_rng(1)
    ability = rng.random(2_000)
    a, b = rng.binomial(8, ability) / 8, rng.binomial(8, ability) / 8
    for margin in (0.001, 0.004, 0.006, 0.01):
        p = ttest_rel(a + margin, b, alternative="greater").pvalue
        if abs(p - 0.05) > 0.005:
            assert equivalence(a, b, margin).no_worse == (p < 0.05)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (3, 0), (7, 2), (12, 20)])
def test_the_probability_of_being_better_is_the_beta_tail_of_the_discordant_pairs(only_a: int, only_b: int) -> None:
    """A Dirichlet's parts have a Beta distribution: of the problems that differ, a's share exceeds a half."""
    found = posterior(*arms(only_a, only_b, 40), 0.02)
    assert found.better == pytest.approx(beta.sf(0.5, only_a + 0.5, only_b + 0.5), abs=0.01)
    assert found.no_worse >= found.better
    assert found.interval.low < (only_a - only_b) / 40 < found.interval.high


def test_a_posterior_is_seeded_and_empty_without_problems() -> None:
    assert posterior(*arms(3, 1, 20), 0.02) == posterior(*arms(3, 1, 20), 0.02)
    assert np.isnan(posterior([np.nan], [1.0], 0.02).better)
