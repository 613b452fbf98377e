"""Resampled intervals and tests against the paper's Table 2, exact distributions, and their edges."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from functools import cache
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, skew, t

from harness.analysis import bootstrap
from harness.analysis.bootstrap import Resampler, bootstrap_ci, holm, mcnemar_exact, paired_difference, studentised
from harness.analysis.intervals import share_interval
from harness.analysis.significance import mcnemar_power, minimum_detectable_difference
from harness.errors import UserError
from harness.report.paper import discordant

PAPER = Path(__file__).parents[2] / "results" / "paper"


def printed_intervals() -> Iterator[Any]:
    """(recipe, task, printed low, printed high, its consistent discordant pairs) of Table 2."""
    with (PAPER / "table2_discordant_pairs.csv").open() as file:
        pairs = list(csv.DictReader(file))
    with (PAPER / "table2_data_ablations.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["low"]]
    names = ("only_arm_right", "only_s1k_right", "s1k_right", "num_problems")
    for row in rows:
        same = [p for p in pairs if (p["recipe"], p["task"]) == (row["recipe"], row["task"])]
        yield (
            row["recipe"],
            row["task"],
            float(row["low"]),
            float(row["high"]),
            [[int(p[n]) for n in names] for p in same],
        )


CASES = list(printed_intervals())
ON_A_STEP = ("longest", "aime24")


@pytest.mark.parametrize(("recipe", "task", "low", "high", "pairs"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_table_2s_intervals_come_from_its_discordant_pairs(
    recipe: Any, task: Any, low: Any, high: Any, pairs: Any
) -> None:
    found = [paired_difference(*discordant(*counts), method="percentile") for counts in pairs]
    bounds = {(round(100 * i.low, 1), round(100 * i.high, 1)) for i in found}
    if (recipe, task) == ON_A_STEP:  # see the next test
        assert bounds <= {(low, 0.0), (low, 3.3)}
    else:
        assert (low, high) in bounds


def test_the_upper_bound_of_1k_longest_on_aime_is_a_coin_toss() -> None:
    """2.55 % of the exact bootstrap distribution lies above 0: 10,000 resamples give the printed 0.0 or 3.3 by seed."""
    n, better, worse = 30, 2, 7
    above = sum(
        comb(n, i) * comb(n - i, j) * (better / n) ** i * (worse / n) ** j * ((n - better - worse) / n) ** (n - i - j)
        for i in range(n + 1)
        for j in range(n + 1 - i)
        if i > j
    )
    assert above == pytest.approx(0.02554, abs=1e-5)
    arms = discordant(better, worse, 15, n)
    found = [paired_difference(*arms, seed=seed, method="percentile") for seed in range(12)]
    highs = {round(100 * interval.high, 1) for interval in found}
    assert highs >= {0.0, 3.3} and max(highs) == 3.3  # between them only where the percentile is interpolated


def test_gpqas_intervals_need_a_reference_of_113_right() -> None:
    """At the printed 57.6 (114 right) 1K-longest's 59.6 is +4 problems; its interval is not the printed one."""
    four_more = [paired_difference(*discordant(b + 4, b, 114, 198), method="percentile") for b in range(18, 36)]
    assert (-5.1, 10.1) not in {(round(100 * i.low, 1), round(100 * i.high, 1)) for i in four_more}


def test_a_paired_difference_is_seeded_and_keeps_its_mean() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, 100), rng.integers(0, 2, 100)
    once, again, other = (paired_difference(a, b, seed=seed, method="percentile") for seed in (3, 3, 4))
    assert once == again and once.mean == pytest.approx(a.mean() - b.mean())
    assert (once.low, once.high) != (other.low, other.high) or once.mean == other.mean
    assert once.low <= once.mean <= once.high


def test_pairing_is_much_narrower_than_two_separate_intervals_when_problems_differ_in_difficulty() -> None:
    difficulty = np.random.default_rng(1).random(400)
    a, b = (difficulty > 0.5) * 1.0, (difficulty > 0.53) * 1.0
    paired = paired_difference(a, b)
    alone = share_interval(a)
    assert paired.high - paired.low < (alone.high - alone.low) / 2


def test_a_problem_without_a_score_on_either_side_is_not_paired() -> None:
    a, b = [1.0, 0.0, 1.0, np.nan, 0.0], [0.0, 0.0, np.nan, 1.0, 1.0]
    assert paired_difference(a, b).mean == pytest.approx(0.0)


@pytest.mark.parametrize("size", [0, 1])
def test_fewer_than_two_paired_problems_have_no_interval_but_a_reason(size: Any) -> None:
    interval = paired_difference([1.0] * size, [0.0] * size)
    assert np.isnan(interval.low) and "no interval" in interval.note


def test_different_numbers_of_problems_are_refused() -> None:
    with pytest.raises(UserError, match="3 against 2"):
        paired_difference([1, 0, 1], [1, 0])


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UserError, match="percentile"):
        paired_difference([1, 0, 1], [1, 0, 0], method="percentil")  # type: ignore[arg-type]


def studentised_by_hand(values: Any, seed: int) -> tuple[float, float]:
    """The textbook's way: t of each resample, its quantiles turned round; the upper bound at a smaller tail."""
    rng, n = np.random.default_rng(seed), len(values)
    tail = 2 * (1 - 2 * min(skew(values, bias=False), 1.2) / np.sqrt(n))  # in percent: 0.8 of 2.5, less by skewness
    number = values.sum() ** 2 / (values**2).sum()
    poisson = chi2.ppf(0.98, 2 * number + 2) / 2  # Garwood's upper bound of so many counts
    error, least = values.std(ddof=1) / np.sqrt(n), min(0.36, number / (poisson - number))
    again = rng.choice(values, (20_000, n))
    spread = np.maximum(again.std(axis=1, ddof=1), least * values.std(ddof=1))
    found = (again.mean(axis=1) - values.mean()) / (spread / np.sqrt(n))
    low, high = np.percentile(found, [tail, 97.5])
    return max(values.mean() - high * error, 0), values.mean() - low * error


def test_token_means_have_the_studentised_interval_of_the_textbook() -> None:
    values = np.random.default_rng(0).lognormal(6, 0.8, 40)
    mostly_zeros = np.append([900.0, 120.0, 90.0], np.zeros(37))
    both = np.column_stack([values, np.append(values[:30], [np.nan] * 10), mostly_zeros])
    found, shorter, few = studentised(both, Resampler(40))
    low, high = studentised_by_hand(values, 1)
    assert found.low == pytest.approx(low, rel=0.02) and found.high == pytest.approx(high, rel=0.02)
    assert found.mean == pytest.approx(values.mean())
    assert shorter.mean == pytest.approx(values[:30].mean()) and shorter.num_problems == 30
    assert (shorter.low, shorter.high) == pytest.approx(studentised_by_hand(values[:30], 1), rel=0.03)
    assert (few.low, few.high) == pytest.approx(studentised_by_hand(mostly_zeros, 1), rel=0.03)


@pytest.mark.parametrize("num", [10, 30, 198])
def test_one_problem_that_has_all_tokens_is_bounded_as_one_poisson_count(num: int) -> None:
    """source: Garwood 1936, by scipy's chi-square: 0 to 5.83 for a count of 1, 2 % above."""
    (found,) = studentised(np.append([700.0], np.zeros(num - 1)), Resampler(num))
    assert found.low == 0 and found.high == pytest.approx(700 / num * chi2.ppf(0.98, 4) / 2, rel=1e-5)


def test_the_bounds_of_a_difference_are_mirrored_and_not_inside_students() -> None:
    rng = np.random.default_rng(0)
    gaps = rng.lognormal(6, 0.7, (30, 20)) - rng.lognormal(6, 0.5, (30, 20))
    resampler = Resampler(30, 2_000)
    for values, ours, turned in zip(gaps.T, studentised(gaps, resampler), studentised(-gaps, resampler), strict=True):
        assert (turned.low, turned.high) == pytest.approx((-ours.high, -ours.low), rel=1e-4)
        low, high = t.interval(0.95, 29, values.mean(), values.std(ddof=1) / np.sqrt(30))
        assert ours.low <= low + 1e-6 and high - 1e-6 <= ours.high


@pytest.mark.parametrize("values", [[1_000.0, 2_000.0], [70.0, 90.0, 100.0], [10.0, 11.0, 12.0, 30.0]])
def test_of_few_problems_no_bound_is_inside_students(values: list[float]) -> None:
    """Two problems have three different resamples, whose quantiles covered 79 %."""
    (found,) = studentised(np.array(values), Resampler(len(values), 2_000))
    low, high = t.interval(0.95, len(values) - 1, np.mean(values), np.std(values, ddof=1) / np.sqrt(len(values)))
    assert found.low <= max(low, 0) + 1e-9 and high - 1e-9 <= found.high


def drawn_values(name: str, rng: np.random.Generator) -> tuple[float, Any]:
    """The true mean and (problems, 2,000) values whose mean Student's t covers too seldom, or the bootstrap alone."""
    if name == "log-normal, sigma 1":
        return float(np.exp(0.5)), rng.lognormal(0, 1, (30, 2_000))
    if name.startswith("zeros"):
        share, num = (0.15, 30) if name == "zeros" else (0.05, 50)
        return share * float(np.exp(0.245)), rng.lognormal(0, 0.7, (num, 2_000)) * (rng.random((num, 2_000)) < share)
    apart = rng.lognormal(0, 0.7, (2, 30, 2_000))  # differences where most problems have none
    return 0.0, (apart[0] - apart[1]) * (rng.random((30, 2_000)) < 0.3)


@pytest.mark.parametrize("name", ["log-normal, sigma 1", "zeros", "zeros, more of them", "differences"])
def test_means_of_skewed_counts_cover(name: str) -> None:
    truth, values = drawn_values(name, np.random.default_rng(8))
    found = studentised(values[:, values.any(axis=0)], Resampler(len(values), 1_500))
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.929  # 0.94 less two errors of 2,000


def test_counts_that_do_not_vary_or_are_missing_have_no_bounds_but_a_reason() -> None:
    same, none, one = studentised(np.column_stack([[7.0] * 5, [np.nan] * 5, [3.0] + [np.nan] * 4]), Resampler(5))
    for interval in (same, none, one):
        assert np.isnan(interval.low) and np.isnan(interval.high) and interval.note
    assert same.mean == 7 and np.isnan(none.mean) and one.mean == 3


def test_a_single_count_that_is_not_0_gives_no_endless_bound() -> None:
    (found,) = studentised(np.array([500.0] + [0.0] * 29), Resampler(30))
    assert 0 == found.low < found.mean < found.high < 500


def test_bootstrap_ci_resamples_whole_problems() -> None:
    """Eight copies of a generation are no more evidence than one."""
    right = np.random.default_rng(3).integers(0, 2, 60).astype(float)
    once = bootstrap_ci(right, np.arange(60), np.random.default_rng(0))
    copies = bootstrap_ci(np.repeat(right, 8), np.repeat(np.arange(60), 8), np.random.default_rng(0))
    assert (once.low, once.high) == (copies.low, copies.high)


def test_the_bootstrap_agrees_with_the_normal_interval_where_that_holds() -> None:
    right = (np.arange(500) < 300).astype(float)
    interval = bootstrap_ci(right, np.arange(500), np.random.default_rng(0))
    half = 1.96 * np.sqrt(0.6 * 0.4 / 500)
    assert interval.low == pytest.approx(0.6 - half, abs=0.004) and interval.high == pytest.approx(
        0.6 + half, abs=0.004
    )


@pytest.mark.parametrize(("b", "c", "p"), [(0, 0, 1.0), (0, 4, 0.125), (2, 7, 0.1796875), (0, 6, 0.03125), (5, 5, 1.0)])
def test_mcnemar_is_the_exact_binomial_test_on_discordant_pairs(b: Any, c: Any, p: Any) -> None:
    assert mcnemar_exact(b, c) == p == mcnemar_exact(c, b)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_twice_the_smaller_tail_of_fair_coins(b: int, c: int) -> None:
    expected = min(1.0, 2 * sum(comb(b + c, i) for i in range(min(b, c) + 1)) / 2 ** (b + c))
    assert mcnemar_exact(b, c) == pytest.approx(expected)


def test_holm_adjusts_as_scipys_reference_and_leaves_out_missing_tests() -> None:
    # source: Holm 1979; values worked by hand: sorted 0.01*4, 0.02*3, 0.03*2 -> 0.06 by monotony, 0.04*1 -> 0.06
    assert holm([0.01, 0.04, 0.03, 0.02]) == pytest.approx([0.04, 0.06, 0.06, 0.06])
    adjusted = holm([0.01, np.nan, 0.04])
    assert adjusted[0] == pytest.approx(0.02) and np.isnan(adjusted[1])
    assert holm([]).size == 0


def test_scores_of_several_generations_get_a_sign_flip_test() -> None:
    rng = np.random.default_rng(0)
    p, name = bootstrap.paired_p_value(rng.random(80) + 0.3, rng.random(80))
    assert p < 0.01 and "sign-flip" in name
    same, _ = bootstrap.paired_p_value(np.full(5, 0.5), np.full(5, 0.5))
    assert same == 1.0


def test_30_problems_cannot_show_the_differences_that_are_usually_claimed() -> None:
    assert minimum_detectable_difference(30) > 0.4  # unrelated models
    # McNemar needs 6 one-sided pairs: with 25 % of 30 problems such, 6 or more are seen in 80 of 100 experiments.
    assert minimum_detectable_difference(30, sd_difference=0.1) == pytest.approx(0.2508, abs=2e-4)
    assert minimum_detectable_difference(5) == 1.0 and np.isnan(minimum_detectable_difference(0))


@pytest.mark.parametrize(("num", "discordant", "gap", "level"), [(25, 0.2, 0.2, 0.05), (40, 0.5, 0.1, 0.01)])
def test_the_power_of_mcnemars_test_is_that_of_all_its_outcomes(
    num: int, discordant: float, gap: float, level: float
) -> None:
    better, total = (discordant + gap) / 2 / discordant, 0.0
    for pairs in range(num + 1):
        weight = comb(num, pairs) * discordant**pairs * (1 - discordant) ** (num - pairs)
        for only in range(pairs + 1):
            if mcnemar_exact(only, pairs - only) < level:
                total += weight * comb(pairs, only) * better**only * (1 - better) ** (pairs - only)
    assert mcnemar_power(num, discordant, gap, level) == pytest.approx(total, abs=1e-8)


@pytest.mark.parametrize(("num", "deviation"), [(30, 0.5), (198, 0.45), (500, 0.3)])
def test_the_detectable_difference_is_seen_in_80_of_100_experiments_at_the_level_of_holms_family(
    num: int, deviation: float
) -> None:
    """Five comparisons of which one is true, as large as the detectable one; the others differ by nothing."""
    least = minimum_detectable_difference(num, deviation, num_comparisons=5)
    alone = minimum_detectable_difference(num, deviation)
    rng, seen, repeats = np.random.default_rng(0), 0, 1_500
    discordant = max(deviation**2 + least**2, least)
    better, p_value = (discordant + least) / 2, cache(mcnemar_exact)
    for _ in range(repeats):
        pairs = [rng.multinomial(num, [better, discordant - better, 1 - discordant])[:2]]
        pairs += [rng.multinomial(num, [deviation**2 / 2, deviation**2 / 2, 1 - deviation**2])[:2] for _ in range(4)]
        seen += holm([p_value(int(b), int(c)) for b, c in pairs])[0] < 0.05
    assert 0.78 < seen / repeats < 0.9  # 0.80 within two standard errors; more where the test's levels are coarse
    assert alone < least


def test_scores_of_several_generations_have_the_power_of_a_t_test() -> None:
    least = minimum_detectable_difference(100, 0.2, binary=False)
    rng = np.random.default_rng(1)
    t = [draws.mean() / draws.std(ddof=1) * 10 for draws in (rng.normal(least, 0.2, 100) for _ in range(4_000))]
    assert np.mean(np.abs(t) > 1.984) == pytest.approx(0.8, abs=0.02)


def test_10_000_paired_resamples_of_500_problems_and_20_runs_take_well_under_a_second() -> None:
    x = np.random.default_rng(0).random((500, 20))
    took = []
    for _ in range(3):  # the machine is shared: the best of three says what the code needs
        started = time.perf_counter()
        paired_difference(x, x[::-1])
        took.append(time.perf_counter() - started)
    assert min(took) < 1.0
