"""Intervals, tests, slopes and variance components against statsmodels, which nobody here wrote."""

from __future__ import annotations

import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.coverage import clopper_pearson, student, wilson
from harness.analysis.bootstrap import Resampler, studentised
from harness.analysis.equivalence import equivalence
from harness.analysis.intervals import (
    blaker,
    difference_interval,
    effective_share,
    share_interval,
    shrunk_bounds,
    typical_size,
)
from harness.analysis.metrics import least_squares_slope
from harness.analysis.significance import holm, mcnemar_exact, minimum_detectable_difference
from harness.analysis.sweeps import slope_interval
from harness.analysis.variance import mean_squares

NUM = 2_000  # problems: so many that what small samples need (pseudo-problems, Student's quantile) hardly shows


def models() -> Any:
    """`statsmodels.api`, imported late: a second or two, and pandas tells it of something that pandas 4 will drop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import statsmodels.api

        return statsmodels.api


def several_samples(rng: np.random.Generator, num: int = NUM, concentration: float = 1.0) -> Any:
    """(problems, 4) 0/1 samples: some problems are hard, some are easy."""
    ability = rng.beta(0.3 * concentration, 0.7 * concentration, (num, 1))
    return (rng.random((num, 4)) < ability).astype(float)


def clustered(y: Any, design: Any, clusters: Any) -> Any:
    """Least squares with standard errors that are robust to clusters, without a correction for their number."""
    return (
        models()
        .OLS(y, design)
        .fit(cov_type="cluster", cov_kwds={"groups": clusters, "use_correction": False}, use_t=False)
    )


@pytest.mark.parametrize("num", [1, 7, 30, 198])
def test_shares_have_wilsons_and_clopper_and_pearsons_bounds(num: int) -> None:
    """The references of docs/coverage.md, and the bounds that several samples get; Blaker's lie within the latter."""
    bounds = models().stats.proportion_confint
    for right in sorted({0, 1, num // 3, num - 1, num}):
        exact = bounds(right, num, method="beta")
        assert effective_share(right / num, num) == pytest.approx(exact, abs=1e-9)
        assert clopper_pearson(right, num) == pytest.approx(exact, abs=1e-9)
        assert wilson(right / num, num) == pytest.approx(bounds(right, num, method="wilson"), abs=1e-9)
        low, high = blaker(right, num)
        assert exact[0] - 1e-9 <= low and high <= exact[1] + 1e-9


@pytest.mark.parametrize(("num", "concentration"), [(30, 0.5), (30, 20.0), (200, 1.0)])
def test_several_samples_have_clopper_and_pearsons_bounds_at_the_effective_number(
    num: int, concentration: float
) -> None:
    """The effective number is taken from statsmodels' weighted variance, a tenth of a right and a wrong one added."""
    scores = several_samples(np.random.default_rng(0), num, concentration)
    described = models().stats.DescrStatsW(np.append(scores.mean(axis=1), [0, 1]), np.append(np.ones(num), [0.1, 0.1]))
    effective = described.mean * (1 - described.mean) / (described.var / num)
    found = share_interval(scores)
    exact = models().stats.proportion_confint(found.mean * effective, effective, method="beta")
    assert (found.low, found.high) == pytest.approx(exact, abs=1e-9)


def test_means_over_clusters_of_samples_are_as_wide_as_the_cluster_robust_ones() -> None:
    rng = np.random.default_rng(1)
    scores, clusters = several_samples(rng), np.repeat(np.arange(NUM), 4)
    robust = clustered(scores.ravel(), np.ones(scores.size), clusters)
    found = share_interval(scores)
    assert found.mean == pytest.approx(robust.params[0])
    assert found.high - found.low == pytest.approx(float(np.ptp(robust.conf_int()[0])), rel=0.01)
    naive = models().OLS(scores.ravel(), np.ones(scores.size)).fit()
    assert found.high - found.low > 1.4 * float(np.ptp(naive.conf_int()[0]))  # samples of a problem are alike
    other = several_samples(rng)
    gap, paired = difference_interval(scores, other), clustered((scores - other).ravel(), np.ones(8_000), clusters)
    assert (gap.low, gap.high) == pytest.approx(tuple(paired.conf_int()[0]), abs=2e-4)
    tokens = 1_000 * rng.lognormal(0, 0.5, (NUM, 1)) * rng.lognormal(0, 0.2, (NUM, 4))
    mean = studentised(tokens.mean(axis=1), Resampler(NUM, 2_000, 0))[0]
    robust = clustered(tokens.ravel(), np.ones(tokens.size), clusters)
    assert (mean.low, mean.high) == pytest.approx(tuple(robust.conf_int()[0]), rel=0.005)


def test_students_reference_is_the_t_interval() -> None:
    values = several_samples(np.random.default_rng(2), 30).mean(axis=1)
    assert student(values) == pytest.approx(models().stats.DescrStatsW(values).tconfint_mean())


def test_agresti_and_mins_form_has_the_moments_of_the_pairs_with_the_imagined_ones() -> None:
    """Half a problem of each sign, of typical size: weighted moments, over two problems more."""
    gaps = several_samples(np.random.default_rng(3), 40).mean(axis=1) - 0.3
    size = typical_size(gaps, 1.0)
    for pseudo in (0.5, 1.0):
        low, high = shrunk_bounds(gaps, size, pseudo, 1.96)
        values, counts = np.append(gaps, [size, -size, 0.0]), np.append(np.ones(40), [pseudo, pseudo, 2 - 2 * pseudo])
        described = models().stats.DescrStatsW(values, counts)
        assert (low + high) / 2 == pytest.approx(described.mean)
        assert (high - low) / (2 * 1.96) == pytest.approx(np.sqrt(described.var / 42))


def test_mcnemars_exact_test_is_statsmodels() -> None:
    mcnemar = models().stats.mcnemar
    for only_a in range(0, 26, 5):
        for only_b in range(0, 26, 4):
            expected = mcnemar([[11, only_a], [only_b, 17]], exact=True).pvalue if only_a + only_b else 1.0
            assert mcnemar_exact(only_a, only_b) == pytest.approx(min(expected, 1.0), rel=1e-12)


def test_holms_adjustment_is_statsmodels() -> None:
    rng = np.random.default_rng(4)
    for size in (1, 2, 7, 40):
        p = np.round(rng.random(size) ** 3, 2)  # with ties, and some small
        expected = models().stats.multipletests(p, method="holm")[1]
        assert holm(p) == pytest.approx(expected)
        assert holm(np.append(p, np.nan))[:-1] == pytest.approx(expected)


@pytest.mark.parametrize("per", ["doubling", "1k_tokens"])
def test_the_least_squares_slope_and_its_interval_are_those_of_a_cluster_robust_regression(per: Any) -> None:
    """Every problem has the same lengths here, so that each is a cluster with one row per setting."""
    rng, lengths = np.random.default_rng(5), np.array([500.0, 1_000.0, 2_000.0, 6_000.0])
    ability = rng.beta(1, 1, (NUM, 1))
    right = (rng.random((NUM, 4)) < np.clip(ability + np.array([-0.1, 0, 0.05, 0.1]), 0, 1)).astype(float)
    x = np.log2(lengths) if per == "doubling" else lengths / 1_000
    design = np.column_stack([np.ones(right.size), np.tile(x, NUM)])
    robust = clustered(right.ravel(), design, np.repeat(np.arange(NUM), 4))
    found = slope_interval(np.tile(lengths, (NUM, 1)), right, per)
    assert least_squares_slope(lengths, right.mean(axis=0), per) == pytest.approx(robust.params[1])
    assert found.mean == pytest.approx(robust.params[1])
    assert found.high - found.low == pytest.approx(float(np.ptp(robust.conf_int()[1])), rel=0.005)


def test_no_worse_by_a_margin_is_the_two_one_sided_t_tests() -> None:
    """At the smallest margin that passes, each one-sided p-value of statsmodels is 5 %."""
    ttost_paired, rng = models().stats.ttost_paired, np.random.default_rng(6)
    a, b = several_samples(rng).mean(axis=1), several_samples(rng).mean(axis=1)
    found = equivalence(a, b, 0.02)
    _, below, above = ttost_paired(a, b, found.interval.low, found.interval.high)
    assert below[1] == pytest.approx(0.05, abs=0.001) and above[1] == pytest.approx(0.05, abs=0.001)
    for margin in (0.005, 0.01, 0.02, 0.03, 0.05):
        p, below, above = ttost_paired(a, b, -margin, margin)
        mine = equivalence(a, b, margin)
        assert (mine.no_worse, mine.no_better) == (below[1] < 0.05, above[1] < 0.05)
        assert mine.equivalent == (p < 0.05)


@pytest.mark.parametrize(("num", "comparisons"), [(30, 1), (198, 6), (500, 1)])
def test_what_several_samples_can_show_is_the_power_of_the_t_test(num: int, comparisons: int) -> None:
    least = minimum_detectable_difference(num, 0.4, num_comparisons=comparisons, binary=False)
    powers = [
        models().stats.TTestPower().power(d / 0.4, num, 0.05 / comparisons) for d in (least - 1e-3, least, least + 1e-3)
    ]
    assert powers[1] == pytest.approx(0.8, abs=0.002) and all(less < more for less, more in pairwise(powers))


def test_mean_squares_are_those_of_the_analysis_of_variance() -> None:
    scores = several_samples(np.random.default_rng(7), 12)
    rows = pd.DataFrame({"y": scores.ravel(), "problem": np.repeat(np.arange(12), 4), "run": np.tile(np.arange(4), 12)})
    table = models().stats.anova_lm(models().OLS.from_formula("y ~ C(problem) + C(run)", rows).fit())
    found = mean_squares(scores)
    assert found is not None
    assert [found.problems, found.runs, found.rest] == pytest.approx(list(table["mean_sq"]))
