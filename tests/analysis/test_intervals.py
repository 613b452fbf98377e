"""Closed-form intervals against the definitions they come from, exact coverage, and their edges."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import xlogy
from scipy.stats import binom, binomtest, multinomial

from harness.analysis.intervals import (
    blaker,
    difference_interval,
    effective_share,
    share_interval,
    shrunk_bounds,
)
from harness.analysis.paired_shares import bonett_price, tango
from harness.analysis.variance import NO_RUNS, RunVariance, mean_squares, pooled


def accepted(right: int, num: int) -> tuple[float, float]:
    """The ends of the shares that Blaker's test accepts at 5 %, by its definition, on a grid."""
    shares = np.linspace(0, 1, 20_001)
    chances = binom.pmf(np.arange(num + 1)[:, None], num, shares)
    upper, lower = chances[right:].sum(axis=0), chances[: right + 1].sum(axis=0)
    least = np.minimum(upper, lower)
    tails_low, tails_high = np.cumsum(chances, axis=0), np.cumsum(chances[::-1], axis=0)
    opposite = np.where(upper <= lower, _largest(tails_low, least), _largest(tails_high, least))
    kept = shares[least + opposite >= 0.05]
    return float(kept.min()), float(kept.max())


def _largest(tails: Any, bound: Any) -> Any:
    return np.where(tails <= bound + 1e-13, tails, 0).max(axis=0)


@pytest.mark.parametrize("num", [1, 4, 17, 30])
def test_blakers_interval_holds_the_shares_that_its_test_accepts(num: int) -> None:
    for right in range(num + 1):
        assert blaker(right, num) == pytest.approx(accepted(right, num), abs=1.1e-4)


@pytest.mark.parametrize("num", [5, 30, 198])
def test_blakers_interval_covers_every_share_and_lies_inside_clopper_pearson(num: int) -> None:
    bounds = np.array([blaker(right, num) for right in range(num + 1)])
    shares = np.linspace(0.001, 0.999, 999)
    inside = (bounds[:, :1] <= shares) & (shares <= bounds[:, 1:])
    assert (binom.pmf(np.arange(num + 1)[:, None], num, shares) * inside).sum(axis=0).min() >= 0.95
    for right in (0, 1, num // 2, num):
        wide = binomtest(right, num).proportion_ci(method="exact")
        assert wide.low - 1e-9 <= blaker(right, num)[0] and blaker(right, num)[1] <= wide.high + 1e-9


def test_an_effective_number_that_is_whole_gives_clopper_pearson() -> None:
    for right in (0, 3, 15, 30):
        exact = binomtest(right, 30).proportion_ci(method="exact")
        assert effective_share(right / 30, 30) == pytest.approx((exact.low, exact.high))


@pytest.mark.parametrize(("value", "low", "high"), [(0.0, 0.0, 0.1158), (1.0, 0.8842, 1.0)])
def test_all_right_and_all_wrong_keep_a_width(value: float, low: float, high: float) -> None:
    for scores in (np.full(30, value), np.full((30, 2), value)):
        found = share_interval(scores)
        assert low <= found.low <= value <= found.high <= high and found.high - found.low > 0.09


def test_nothing_scored_has_no_bounds_but_a_reason_and_one_problem_hardly_any() -> None:
    nothing, one = share_interval([np.nan, np.nan]), share_interval([1.0])
    assert np.isnan(nothing.mean) and nothing.note == "no scored problem"
    assert one.mean == 1.0 and one.low < 0.06


def test_samples_that_agree_are_no_more_evidence_than_one_and_independent_ones_are() -> None:
    rng = np.random.default_rng(0)
    once = rng.integers(0, 2, 60).astype(float)
    alike = share_interval(np.where(np.arange(60) == 0, 0.5, once))  # one split problem: no 0/1 scores any more
    apart = share_interval(rng.binomial(8, 0.5, 60) / 8)
    low, high = blaker(int(once.sum()), 60)
    assert alike.high - alike.low == pytest.approx(high - low, rel=0.06)
    assert apart.high - apart.low < 0.45 * (alike.high - alike.low)


def coverage(truth: float, intervals: list[Any]) -> float:
    return float(np.mean([truth in interval for interval in intervals]))


@pytest.mark.parametrize(("share", "concentration"), [(0.05, 0.5), (0.05, 20), (0.9, 1)])
def test_eight_samples_of_30_problems_cover(share: float, concentration: float) -> None:
    rng = np.random.default_rng(1)
    ability = rng.beta(share * concentration, (1 - share) * concentration, (1_500, 30))
    assert coverage(share, [share_interval(row) for row in rng.binomial(8, ability) / 8]) >= 0.94


def pairs(only_a: int, only_b: int, num: int) -> tuple[Any, Any]:
    a, b = np.zeros(num), np.zeros(num)
    a[:only_a], b[only_a : only_a + only_b] = 1, 1
    return a, b


PAIRS = [(0, 0, 30), (3, 0, 30), (0, 30, 30), (7, 2, 30), (30, 18, 198)]


@pytest.mark.parametrize(("only_a", "only_b", "num"), PAIRS)
def test_bonett_and_prices_interval_adds_one_problem_to_each_side(only_a: int, only_b: int, num: int) -> None:
    """source: Bonett and Price 2012, equation 5: one is added to each discordant count, two to the number."""
    p, q = (only_a + 1) / (num + 2), (only_b + 1) / (num + 2)
    half = 1.96 * sqrt((p + q - (p - q) ** 2) / (num + 2))
    assert bonett_price(only_a, only_b, num, 1.96) == pytest.approx((p - q - half, p - q + half))


@pytest.mark.parametrize(("only_a", "only_b", "num"), PAIRS)
def test_tangos_bounds_are_as_far_from_the_difference_as_the_score_test_allows(
    only_a: int, only_b: int, num: int
) -> None:
    """The test by its definition: the likelihood maximised under the difference, by scipy."""
    counts = np.array([only_a, only_b, num - only_a - only_b])

    def distance(gap: float) -> float:
        def unlikely(b: float) -> float:
            return float(-xlogy(counts, np.maximum([b + gap, b, 1 - 2 * b - gap], 0)).sum())

        least, most = max(0.0, -gap), (1 - gap) / 2
        b = minimize_scalar(unlikely, bounds=(least, most), method="bounded", options={"xatol": 1e-12}).x
        return ((only_a - only_b) / num - gap) / sqrt((2 * b + gap - gap**2) / num)

    low, high = tango(only_a, only_b, num, 1.96)
    assert low == -1 or distance(low) == pytest.approx(1.96, abs=1e-3)
    assert high == 1 or distance(high) == pytest.approx(-1.96, abs=1e-3)


def test_airway_hyper_responsiveness_before_and_after_has_its_published_intervals() -> None:
    """source: Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014): 1 and 7 of 21 children differ."""
    assert tango(1, 7, 21, 1.959964) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert bonett_price(1, 7, 21, 1.959964) == pytest.approx((-0.508, -0.013), abs=5e-4)


def test_differences_of_0_1_scores_are_bounded_between_the_two() -> None:
    for only_a, only_b, num in PAIRS:
        found = difference_interval(*pairs(only_a, only_b, num))
        both = np.array([method(only_a, only_b, num, 1.959964) for method in (bonett_price, tango)])
        assert (found.low, found.high) == pytest.approx((max(-1, both[:, 0].mean()), min(1, both[:, 1].mean())))
        assert found.mean == pytest.approx((only_a - only_b) / num) and found.num_problems == num


def test_with_half_a_problem_of_each_sign_it_is_agresti_and_mins() -> None:
    gaps = np.array([1.0] * 5 + [-1.0] * 2 + [0.0] * 23)
    p, q = 5.5 / 32, 2.5 / 32
    half = 1.96 * sqrt((p + q - (p - q) ** 2) / 32)
    assert shrunk_bounds(gaps, 1.0, 0.5, 1.96) == pytest.approx((p - q - half, p - q + half))


@pytest.mark.parametrize(
    ("only_a", "only_b", "num"),
    [
        (0.04, 0.02, 30),
        (0.07, 0.0, 30),
        (0.14, 0.0, 30),
        (0.3, 0.0, 30),
        (0.05, 0.0, 50),
        (0.05, 0.01, 50),
        (0.25, 0.25, 30),
        (0.095, 0.0, 60),
        (0.03, 0.0, 198),
        (0.027, 0.003, 198),
    ],
)
def test_paired_differences_near_the_ceiling_cover(only_a: float, only_b: float, num: int) -> None:
    """The exact coverage: every pair of discordant counts with its chance."""
    counts = np.array([[b, c, num - b - c] for b in range(num + 1) for c in range(num + 1 - b)])
    chances = multinomial.pmf(counts, num, [only_a, only_b, 1 - only_a - only_b])
    likely = [(*pair, chance) for pair, chance in zip(counts, chances, strict=True) if chance > 1e-7]
    covered = [chance for b, c, _, chance in likely if only_a - only_b in difference_interval(*pairs(b, c, num))]
    assert sum(covered) >= 0.94


@pytest.mark.parametrize(("share", "num", "samples"), [(0.95, 30, 8), (0.95, 30, 64), (0.9, 30, 8), (0.98, 198, 8)])
def test_differences_of_several_samples_near_the_ceiling_cover(share: float, num: int, samples: int) -> None:
    """Few problems are neither always nor never solved, and all of the difference is theirs."""
    rng = np.random.default_rng(6)
    ability = rng.beta(share, 1 - share, (1_200, num))
    gains = 0.8 * ability * (1 - ability)
    arms = rng.binomial(samples, np.clip(ability + gains, 0, 1)), rng.binomial(samples, ability)
    found = [difference_interval(a / samples, b / samples) for a, b in zip(*arms, strict=True)]
    assert coverage(0.8 * share * (1 - share) / 2, found) >= 0.94


def test_a_problem_that_one_arm_lacks_is_not_paired() -> None:
    found = difference_interval([1.0, 1.0, np.nan, 0.0], [0.0, 1.0, 1.0, 0.0])
    assert found.num_problems == 3 and found.mean == pytest.approx(1 / 3)
    assert "no interval" in difference_interval([1.0, np.nan], [0.0, 1.0]).note


def test_mean_squares_are_those_of_the_least_squares_fits() -> None:
    """source: the sums of squares of nested linear models, fitted by numpy."""
    y = np.random.default_rng(2).random((12, 3))
    rows, columns = np.repeat(np.eye(12), 3, axis=0), np.tile(np.eye(3), (12, 1))

    def rest(*designs: Any) -> float:
        design = np.column_stack([np.ones((36, 1)), *designs])
        return float(((y.ravel() - design @ np.linalg.lstsq(design, y.ravel(), rcond=None)[0]) ** 2).sum())

    found = mean_squares(y)
    assert found is not None
    assert found.rest == pytest.approx(rest(rows, columns) / 22)
    assert found.problems == pytest.approx((rest(columns) - rest(rows, columns)) / 11)
    assert found.runs == pytest.approx((rest(rows) - rest(rows, columns)) / 2)
    assert mean_squares(y[:, :1]) is None and mean_squares(np.full((3, 2), np.nan)) is None


def test_two_training_seeds_of_four_recipes_cover_together() -> None:
    """Each seed moves its whole run by 5 points (normal); the variance is pooled over the recipes."""
    rng, num, found = np.random.default_rng(3), 200, []
    for _ in range(500):
        ability = np.clip(rng.beta(2, 2, num)[:, None, None] + rng.normal(0, 0.05, (1, 4, 2)), 0, 1)
        scores = (rng.random((num, 4, 2)) < ability).astype(float)
        layouts = [layout for k in range(4) if (layout := mean_squares(scores[:, k]))]
        found.append(share_interval(scores[:, 0], pooled(layouts)))
    assert coverage(0.5, found) >= 0.93  # 0.95 less two standard errors of 500
    alone = [share_interval(one) for one in scores.transpose(1, 0, 2)]
    assert all(wide.high - wide.low > one.high - one.low for wide, one in zip(found[-1:], alone, strict=False))


@pytest.mark.parametrize("deviation", [0.05, 0.1])
def test_two_training_seeds_of_one_recipe_cover(deviation: float) -> None:
    """Two seeds agree at times by chance alone, which would leave an interval over problems only."""
    rng, num, alone, gaps = np.random.default_rng(5), 300, [], []
    for _ in range(600):
        ability = rng.beta(2, 2, (num, 1))
        seeds = np.clip(ability + rng.normal(0, deviation, (1, 2)), 0, 1)
        scores = (rng.random((num, 2)) < seeds).astype(float)
        other = (rng.random((num, 1)) < ability).astype(float)  # of another model, which was not trained here
        layout = mean_squares(scores)
        assert layout is not None
        runs = pooled([layout])
        alone.append(share_interval(scores, runs))
        gaps.append(difference_interval(scores, other, runs))
    assert min(coverage(0.5, alone), coverage(0.0, gaps)) >= 0.932  # 0.95 less two standard errors of 600


def test_two_draws_of_one_model_are_no_trainings() -> None:
    scores = (np.random.default_rng(4).random((300, 2)) < 0.5).astype(float)
    layout = mean_squares(scores)
    assert layout is not None
    drawn, trained = share_interval(scores, pooled([layout], drawn=True)), share_interval(scores, pooled([layout]))
    assert drawn.high - drawn.low < 0.12 and trained.high - trained.low > 0.2


def test_runs_that_differ_by_nothing_but_chance_add_little() -> None:
    rng = np.random.default_rng(4)
    scores = (rng.random((300, 2)) < 0.5).astype(float)
    layout = mean_squares(scores)
    assert layout is not None
    assert pooled([layout]).variance < 0.005 and pooled([]) is NO_RUNS
    assert share_interval(scores, RunVariance(0.01, 4, 0.01, 4)).low < share_interval(scores).low - 0.05


def test_right_and_wrong_are_treated_alike() -> None:
    for right in range(31):
        low, high = blaker(right, 30)
        assert blaker(30 - right, 30) == pytest.approx((1 - high, 1 - low))
