"""The best of a sweep and the least-squares slope: what their intervals are made of, and that they cover."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.analysis.intervals import share_interval
from harness.analysis.metrics import least_squares_slope
from harness.analysis.sweeps import best_of, slope_interval

RESAMPLES = 500


def resampled(right: Any, rng: np.random.Generator) -> Any:
    return rng.multinomial(len(right), [1 / len(right)] * len(right), RESAMPLES) / len(right) @ right


def test_the_best_of_a_flat_sweep_loses_most_of_what_chance_adds_and_covers() -> None:
    rng, best, corrected, held = np.random.default_rng(0), [], [], 0
    for _ in range(400):
        ability = rng.beta(2, 2, (50, 1))
        right = (rng.random((50, 8)) < ability).astype(float)
        value, low, high = best_of(right, resampled(right, rng))
        best.append(right.mean(axis=0).max() - 0.5)
        corrected.append(value - 0.5)
        held += low <= 0.5 <= high
        assert low <= value <= right.mean(axis=0).max() <= high
    assert np.mean(best) > 0.07 and abs(np.mean(corrected)) < 0.4 * np.mean(best)
    assert held / 400 >= 0.92  # 0.95 less three standard errors


def test_a_setting_that_is_far_ahead_keeps_its_accuracy() -> None:
    rng = np.random.default_rng(1)
    right = (rng.random((200, 4)) < np.array([0.1, 0.2, 0.3, 0.8])).astype(float)
    value, _, _ = best_of(right, resampled(right, rng))
    assert value == pytest.approx(right[:, 3].mean(), abs=0.005)


def test_one_setting_has_its_own_interval_and_none_has_no_value() -> None:
    right = (np.arange(30) < 20).astype(float)[:, None]
    alone = share_interval(right)
    assert best_of(right, resampled(right, np.random.default_rng(2))) == (alone.mean, alone.low, alone.high)
    assert np.isnan(best_of(np.full((3, 2), np.nan), np.full((5, 2), np.nan))).all()


@pytest.mark.parametrize("per", ["doubling", "1k_tokens"])
def test_a_slopes_interval_is_as_wide_as_leaving_out_each_problem_says(per: Any) -> None:
    """source: the jackknife's standard error. Lengths differ a lot, so that they move the slope as scores do."""
    rng, num = np.random.default_rng(3), 400
    tokens = np.minimum(np.array([100.0, 1e9]), rng.lognormal(6, 0.8, (num, 1)))
    right = (rng.random((num, 2)) < np.array([0.1, 0.9])).astype(float)
    kept = ~np.eye(num, dtype=bool)
    left_out = [least_squares_slope(tokens[k].mean(axis=0), right[k].mean(axis=0), per) for k in kept]
    error = np.sqrt((num - 1) * np.var(left_out))
    found = slope_interval(tokens, right, per)
    assert (found.high - found.low) / 2 / 1.966 == pytest.approx(error, rel=0.04)
    assert found.mean == pytest.approx(least_squares_slope(tokens.mean(axis=0), right.mean(axis=0), per))


def test_a_slope_where_nothing_changes_keeps_a_width() -> None:
    found = slope_interval(np.tile([100.0, 200.0], (30, 1)), np.ones((30, 2)), "doubling")
    assert found.mean == 0 and found.low < -0.02 and found.high > 0.02
    assert np.isnan(slope_interval(np.full((30, 2), 100.0), np.ones((30, 2)), "doubling").mean)
