"""Control, Scaling, Performance and the k-sample metrics: the paper's golden numbers, brute force, and the edges."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import metrics
from harness.errors import UserError


def of_30(*correct: int) -> list[float]:
    return [100 * c / 30 for c in correct]


# (method, mean thinking tokens, accuracy in percent, Scaling to two decimals, what Table 3 prints)
# source: arXiv 2501.19393 v3, Tables 12-14, recomputed
TABLE_3 = [
    ("TCC", [7939, 7158, 8263, 7108, 7500], of_30(8, 9, 10, 10, 12), -23.77, -24),
    ("TCC+BF", [1024, 2048, 4031, 5664, 6330], of_30(1, 9, 10, 10, 12), 13.16, 13),
    ("SCC", [7252, 6277, 5396, 5552, 7551], of_30(10, 7, 10, 11, 10), 2.93, 3),
    ("SCC+BF", [1517, 2963, 4636, 5409, 7551], of_30(7, 7, 10, 11, 10), 6.41, 6),
    ("CCC", [8033, 9651], of_30(9, 11), 25.18, 25),
]


@pytest.mark.parametrize(
    ("method", "tokens", "accuracies", "exact", "printed"), TABLE_3, ids=[row[0] for row in TABLE_3]
)
def test_scaling_per_doubling_reproduces_table_3(
    method: Any, tokens: Any, accuracies: Any, exact: Any, printed: Any
) -> None:
    value = metrics.scaling(tokens, accuracies)
    assert round(value, 2) == exact
    assert round(value) == printed
    assert round(metrics.scaling(tokens, accuracies, per="1k_tokens")) != printed  # Eq. 2 as written does not


def test_scaling_of_figure_1_is_the_printed_value_of_budget_forcing() -> None:
    tokens = [500, 1000, 2000, 3933.2, 5300.3, 6657.0, 7319.7]
    assert round(metrics.scaling(tokens, of_30(0, 4, 9, 13, 15, 16, 17)), 1) == 14.8


def test_rejection_sampling_fits_the_printed_value_only_without_its_first_run() -> None:
    tokens, right = [2974, 3703, 4344, 4734, 5193, 5293], of_30(12, 11, 10, 9, 8, 7)
    assert round(metrics.scaling(tokens, right), 1) == -28.6
    assert round(metrics.scaling(tokens[1:], right[1:]), 1) == -35.5


def test_scaling_is_the_mean_over_all_pairs_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    tokens, right = rng.uniform(100, 9000, 6), rng.random(6)
    slopes = [(right[j] - right[i]) / (tokens[j] - tokens[i]) * 1000 for i, j in combinations(range(6), 2)]
    assert metrics.scaling(tokens, right, per="1k_tokens") == pytest.approx(np.mean(slopes))


def test_runs_with_equal_tokens_have_no_slope_and_that_is_said() -> None:
    detail = metrics.scaling_detail([1000, 1000, 2000], [10, 20, 30])
    assert detail.value == pytest.approx((20 + 10) / 2)
    assert detail.num_ties == 1 and "1 pair(s) with equal tokens left out" in detail.note


def test_near_ties_are_kept_and_said_and_the_least_squares_slope_is_steadier() -> None:
    detail = metrics.scaling_detail([7108, 7158, 14000], [10, 40, 40])
    assert detail.num_near_ties == 1 and "least-squares" in detail.note
    assert abs(detail.ols) < abs(detail.value)


@pytest.mark.parametrize("tokens", [[], [500], [500, 500], [0, 0], [float("nan"), 500]])
def test_a_sweep_without_two_lengths_has_no_scaling_but_a_reason(tokens: Any) -> None:
    detail = metrics.scaling_detail(tokens, [0.5] * len(tokens))
    assert np.isnan(detail.value) and detail.note.startswith("no slope")


def test_a_run_without_thinking_has_no_logarithm_and_is_left_out_of_doublings_alone() -> None:
    assert metrics.scaling_detail([0, 100, 200], [0, 10, 20]).num_dropped == 1
    assert metrics.scaling_detail([0, 100, 200], [0, 10, 20], per="1k_tokens").num_dropped == 0


def test_an_unknown_unit_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="1k_tokens"):
        metrics.scaling([1, 2], [1, 2], per="1k")  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.floats(1, 1e5), st.floats(0, 1)), min_size=2, max_size=8), st.floats(0.1, 10))
def test_scaling_grows_with_its_accuracies_and_ignores_the_order_of_runs(points: Any, factor: Any) -> None:
    tokens, right = np.array(points).T
    value = metrics.scaling(tokens, right)
    if not np.isnan(value):
        assert metrics.scaling(tokens, right * factor) == pytest.approx(value * factor, rel=1e-6, abs=1e-9)
        assert metrics.scaling(tokens[::-1], right[::-1]) == pytest.approx(value, rel=1e-6, abs=1e-9)


# source: Table 3's Control column from Tables 12-14 by the rules of App. E.1
def test_control_of_token_conditional_runs_is_the_share_below_the_told_number() -> None:
    told = [1024, 2048, 4096, 8192, 16384]
    assert metrics.control([7939, 7158, 8263, 7108, 7500], told) == 0.4
    assert metrics.control([1024, 2048, 4031, 5664, 6330], told) == 1.0


def test_control_of_step_conditional_runs_allows_100_tokens_a_step() -> None:
    told = [16, 32, 64, 128, 256]
    assert metrics.control_step_conditional([7252, 6277, 5396, 5552, 7551], told) == 0.6
    assert metrics.control_step_conditional([1517, 2963, 4636, 5409, 7551], told) == 1.0


def test_control_of_class_conditional_runs_is_against_the_unprompted_run() -> None:
    assert metrics.control_class_conditional([8033, 9651], ["short", "long"], 6109) == 0.5
    assert metrics.control_class_conditional([6109], ["short"], 6109) == 0.0  # equal is not control
    with pytest.raises(UserError, match="did you mean 'short'"):
        metrics.control_class_conditional([1], ["shortt"], 2)


def test_control_has_both_limits_and_no_value_without_counts() -> None:
    assert metrics.control([5, 10, 15], max_tokens=12, min_tokens=6) == pytest.approx(1 / 3)
    assert np.isnan(metrics.control([], max_tokens=5)) and np.isnan(metrics.control([float("nan")], max_tokens=5))
    with pytest.raises(UserError):
        metrics.control([1])


def test_performance_is_the_best_accuracy_and_nothing_for_nothing() -> None:
    assert metrics.performance([0.1, float("nan"), 0.5]) == 0.5
    assert np.isnan(metrics.performance([]))


def test_unscored_generations_leave_the_denominator_of_accuracy() -> None:
    verdicts: list[Any] = [True, False, None, True]
    assert metrics.accuracy(verdicts) == pytest.approx(2 / 3)
    assert np.isnan(metrics.accuracy(verdicts[2:3]))


@given(st.integers(1, 7), st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_correct_sample(n: Any, data: Any) -> None:
    right = data.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    k = data.draw(st.integers(1, n))
    subsets = list(combinations(right, k))
    expected = sum(any(s) for s in subsets) / len(subsets)
    assert metrics.pass_at_k(n, sum(right), k) == pytest.approx(expected)


def test_pass_at_k_has_no_value_where_there_are_fewer_samples() -> None:
    assert np.isnan(metrics.pass_at_k([2, 4], [1, 1], 4)[0])


def brute_majority(answers: Any, right: Any, k: Any) -> Any:
    scores = []
    for subset in combinations(range(len(answers)), k):
        votes = ["right" if right[i] else answers[i] for i in subset if right[i] or answers[i] is not None]
        if not votes:
            scores.append(0.0)
            continue
        top = max(votes.count(v) for v in votes)
        leaders = {v for v in votes if votes.count(v) == top}
        scores.append(("right" in leaders) / len(leaders))
    return np.mean(scores)


@given(st.lists(st.tuples(st.sampled_from(["1", "2", "3", None]), st.booleans()), min_size=1, max_size=7), st.data())
def test_maj_at_k_averages_ties_over_all_subsets(samples: Any, data: Any) -> None:
    answers, right = zip(*samples, strict=True)
    k = data.draw(st.integers(1, len(samples)))
    assert metrics.maj_at_k(list(answers), right, k) == pytest.approx(brute_majority(answers, right, k), abs=1e-6)


def test_a_tie_between_right_and_wrong_scores_half_whatever_came_first() -> None:
    assert metrics.maj_at_k(["7", "8"], [True, False], 2) == 0.5
    assert metrics.maj_at_k(["8", "7"], [False, True], 2) == 0.5


def test_two_spellings_of_the_right_answer_vote_together() -> None:
    assert metrics.maj_at_k(["1/2", "0.5", "3", "3"], [True, True, False, False], 4) == 0.5
    assert metrics.maj_at_k(["1/2", "0.5", "3"], [True, True, False], 3) == 1.0


def test_maj_at_k_of_many_samples_is_drawn_from_the_given_generator() -> None:
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 3, (5, 64))
    once = metrics.majority_vote(votes, 16, np.random.default_rng(1))
    again = metrics.majority_vote(votes, 16, np.random.default_rng(1))
    assert (once == again).all() and ((once >= 0) & (once <= 1)).all()
    assert (metrics.majority_vote(votes, 16, np.random.default_rng(2)) != once).any()
    assert (metrics.majority_vote(votes, 16, None) == metrics.majority_vote(votes, 16, np.random.default_rng(0))).all()
    before = rng.bit_generator.state
    metrics.majority_vote(votes, 16, rng)
    assert rng.bit_generator.state != before  # it is this generator that was drawn from
