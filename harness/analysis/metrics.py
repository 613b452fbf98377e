"""The metrics of test-time scaling, as pure functions over arrays: no files, no random state, no rounding.

Control, Scaling and Performance are the paper's (arXiv 2501.19393, section 3.2 and App. E.1). Fractions stay
fractions; `scaling` is in whatever unit its accuracies have (give percent to get percentage points).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import ceil, comb, nan
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.errors import UserError, unknown

Floats = NDArray[np.float64]
Per = Literal["doubling", "1k_tokens"]
# Two runs closer than 3.5 % in tokens: their slope is mostly noise (Table 12 has 7,108 and 7,158 tokens).
NEAR_TIE_DOUBLINGS = 0.05
TOKENS_PER_STEP = 100  # the paper's limit for step-conditional control (App. E.1)
MAX_SUBSETS = 300  # maj@k enumerates the subsets up to here and draws as many beyond


@dataclass(frozen=True)
class ScalingDetail:
    """Scaling and what stands behind it. `value` is NaN, with a `note`, when no pair of runs has a slope."""

    value: float
    ols: float  # least-squares slope over all runs: steadier than the mean over pairs when runs nearly tie
    num_pairs: int
    num_ties: int  # pairs with equal tokens: no slope, left out of the mean
    num_near_ties: int  # pairs within NEAR_TIE_DOUBLINGS: kept, since Eq. 2 keeps them, but said
    num_dropped: int  # runs without a usable token count or accuracy
    note: str


def accuracy(correct: ArrayLike) -> float:
    """Share of True among the scored generations; None / NaN (gold_unparseable) is excluded."""
    values = np.array([np.nan if v is None else float(v) for v in np.ravel(np.asarray(correct, dtype=object))])
    scored = values[~np.isnan(values)]
    return float(scored.mean()) if scored.size else float("nan")


def control(tokens: ArrayLike, max_tokens: ArrayLike | None = None, min_tokens: ArrayLike | None = None) -> float:
    """Control, as a fraction: the share of runs whose mean thinking tokens lie within the limits (both inclusive).

    `tokens` are run-level means, one per run; the limits are scalars or one per run. Only the upper one is usual.
    NaN for an empty sweep or when a run has no count.
    """
    a = np.atleast_1d(np.asarray(tokens, dtype=float))
    if max_tokens is None and min_tokens is None:
        raise UserError("control needs max_tokens, min_tokens, or both")
    if a.size == 0 or np.isnan(a).any():
        return float("nan")
    inside = np.ones(a.shape, dtype=bool)
    if max_tokens is not None:
        inside &= a <= np.broadcast_to(np.asarray(max_tokens, dtype=float), a.shape)
    if min_tokens is not None:
        inside &= a >= np.broadcast_to(np.asarray(min_tokens, dtype=float), a.shape)
    return float(inside.mean())


def control_step_conditional(tokens: ArrayLike, steps: ArrayLike) -> float:
    """Control for step-conditional runs: at most 100 thinking tokens for each instructed step (App. E.1)."""
    return control(tokens, max_tokens=np.asarray(steps, dtype=float) * TOKENS_PER_STEP)


def control_class_conditional(tokens: ArrayLike, classes: list[str], baseline_tokens: float) -> float:
    """Control for class-conditional runs: "short" must stay below the un-prompted run's mean, "long" above (App. E.1).

    Strict on both sides, as the paper states it: equal to the baseline is not control.
    """
    a = np.atleast_1d(np.asarray(tokens, dtype=float))
    for name in classes:
        if name not in ("short", "long"):
            raise unknown("class", name, ("short", "long"))
    if a.size == 0 or np.isnan(a).any() or np.isnan(baseline_tokens):
        return float("nan")
    held = [t < baseline_tokens if name == "short" else t > baseline_tokens for t, name in zip(a, classes, strict=True)]
    return float(np.mean(held))


def scaling(tokens: ArrayLike, accuracies: ArrayLike, per: Per = "doubling") -> float:
    """Scaling: the mean slope over all pairs of runs (Eq. 2). NaN when no pair has one; see `scaling_detail`.

    `per="doubling"` takes log2 of the tokens and gives accuracy points per doubling: what Table 3 prints.
    `per="1k_tokens"` is Eq. 2 as written, in accuracy points per 1,000 tokens.
    """
    return scaling_detail(tokens, accuracies, per).value


def scaling_detail(tokens: ArrayLike, accuracies: ArrayLike, per: Per = "doubling") -> ScalingDetail:
    """`scaling` with its pairs counted: ties have no slope and are left out, near ties are kept and named."""
    a, f = np.ravel(np.asarray(tokens, dtype=float)), np.ravel(np.asarray(accuracies, dtype=float))
    if a.shape != f.shape:
        raise UserError(f"scaling needs one accuracy a run: {a.size} token counts, {f.size} accuracies")
    usable = np.isfinite(a) & np.isfinite(f) & (a > 0 if _checked(per) == "doubling" else a >= 0)
    a, f = a[usable], f[usable]
    value, num_ties = float("nan"), 0
    slopes = pairwise_slopes(a[None], f[None], per)[0]
    if slopes.size:
        num_ties = int(np.isnan(slopes).sum())
        if num_ties < slopes.size:
            value = float(np.nanmean(slopes))
    near = sum(1 for x, y in combinations(a, 2) if x != y and min(x, y) > 0 and _doublings(x, y) < NEAR_TIE_DOUBLINGS)
    dropped = int((~usable).sum())
    notes = [
        (dropped, f"{dropped} run(s) without a positive token count or an accuracy left out"),
        (num_ties, f"{num_ties} pair(s) with equal tokens left out"),
        (near, f"{near} pair(s) within 3.5 % in tokens, their slopes mostly noise: compare the least-squares slope"),
    ]
    if np.isnan(value):
        notes.insert(0, (1, f"no slope: {a.size} usable run(s)" + (", all with equal tokens" if num_ties else "")))
    return ScalingDetail(
        value=value,
        ols=least_squares_slope(a, f, per),
        num_pairs=slopes.size - num_ties,
        num_ties=num_ties,
        num_near_ties=near,
        num_dropped=dropped,
        note="; ".join(text for count, text in notes if count),
    )


def pairwise_slopes(tokens: Floats, accuracies: Floats, per: Per = "doubling") -> Floats:
    """Slopes over all pairs of runs: two (R, A) arrays -> (R, A*(A-1)/2); NaN where a pair ties."""
    x = _axis(tokens, per)
    left, right = np.triu_indices(x.shape[1], k=1)
    run, rise = x[:, right] - x[:, left], accuracies[:, right] - accuracies[:, left]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes: Floats = np.where(run != 0, rise / run, np.nan)
    return slopes


def least_squares_slope(tokens: ArrayLike, accuracies: ArrayLike, per: Per = "doubling") -> float:
    """Ordinary least-squares slope of accuracy over tokens, in `scaling`'s unit. NaN with fewer than two lengths."""
    x = _axis(np.asarray(tokens, dtype=float), per)
    f = np.asarray(accuracies, dtype=float)
    if x.size < 2 or np.ptp(x) == 0:
        return float("nan")
    x = x - x.mean()
    return float((x * (f - f.mean())).sum() / (x * x).sum())


def performance(accuracies: ArrayLike) -> float:
    """Performance: the best accuracy of the sweep; NaN for an empty one."""
    f = np.ravel(np.asarray(accuracies, dtype=float))
    return float(np.nanmax(f)) if f.size and not np.isnan(f).all() else float("nan")


def pass_at_k(num_samples: ArrayLike, num_correct: ArrayLike, k: int) -> Floats:
    """Unbiased pass@k for each problem: 1 - C(n-c, k) / C(n, k) (Chen et al. 2021). NaN where n < k."""
    n, c = np.broadcast_arrays(np.asarray(num_samples, dtype=int), np.asarray(num_correct, dtype=int))
    if k < 1:
        raise UserError(f"k={k} in pass@k; use 1 or more")
    return _by_counts(n, c, lambda x, y: 1 - comb(x - y, k) / comb(x, k) if x >= k else nan)


def g_pass_at_k(num_samples: ArrayLike, num_correct: ArrayLike, k: int, share: float) -> Floats:
    """G-Pass@k for each problem: the chance that at least `share` of k samples are right (Liu et al. 2024).

    Args:
        num_samples: n of each problem.
        num_correct: c of each problem.
        k: samples drawn without replacement, at least 1.
        share: the paper's tau, above 0 to 1; 1 / k gives pass@k, 1 gives pass^k (all are right; Yao et al. 2024).

    Returns:
        The upper tail of the hypergeometric distribution from ceil(share k); NaN where n < k.
    """
    if k < 1 or not 0 < share <= 1:
        raise UserError(f"k={k}, share={share} in G-Pass@k; use k of 1 or more and a share above 0, up to 1")
    n, c = np.broadcast_arrays(np.asarray(num_samples, dtype=int), np.asarray(num_correct, dtype=int))
    least = ceil(share * k - 1e-9)

    def chance(x: int, y: int) -> float:
        return sum(comb(y, j) * comb(x - y, k - j) for j in range(least, k + 1)) / comb(x, k) if x >= k else nan

    return _by_counts(n, c, chance)


def _by_counts(n: NDArray[np.int64], c: NDArray[np.int64], chance: Callable[[int, int], float]) -> Floats:
    """`chance` of each (samples, right ones); most problems share one of a few, so each is worked out once."""
    pair, place = np.unique(
        n.ravel() * (int(c.max(initial=0)) + 1) + c.ravel(), return_index=True, return_inverse=True
    )[1:]
    values = np.array([chance(int(x), int(y)) for x, y in zip(n.ravel()[pair], c.ravel()[pair], strict=True)], float)
    return values[place].reshape(n.shape)


def bayes_at_n(num_samples: ArrayLike, num_correct: ArrayLike) -> tuple[float, float]:
    """Bayes@N of 0/1 scores: the posterior mean accuracy on these problems, and its standard deviation.

    Each problem's chance has a uniform prior, so its posterior is Beta(c + 1, n - c + 1) (arXiv 2510.04265). The
    deviation is that of the samples alone: these very problems, asked again.

    Args:
        num_samples: (problems,) samples of each problem; those with 0 are left out.
        num_correct: (problems,) right ones.

    Returns:
        Mean and standard deviation, fractions; NaN without a sample.
    """
    n, c = np.asarray(num_samples, dtype=float), np.asarray(num_correct, dtype=float)
    n, c = n[n > 0], c[n > 0]
    if not n.size:
        return float("nan"), float("nan")
    a, b = c + 1, n - c + 1
    variance = a * b / ((a + b) ** 2 * (a + b + 1))
    return float((a / (a + b)).mean()), float(np.sqrt(variance.sum()) / n.size)


def samples_needed(num_samples: ArrayLike, num_correct: ArrayLike, deviation: float) -> int:
    """How many samples per problem tell the accuracy on these problems to `deviation` (a standard deviation).

    Args:
        num_samples: (problems,) samples so far.
        num_correct: (problems,) right ones.
        deviation: wanted, as a fraction.

    Returns:
        At least 1; 0 without a problem. One sample's variance is its posterior mean under a uniform prior.
    """
    n, c = np.asarray(num_samples, dtype=float), np.asarray(num_correct, dtype=float)
    n, c = n[n > 0], c[n > 0]
    if not n.size:
        return 0
    a, b = c + 1, n - c + 1
    one = (a * b / ((a + b) * (a + b + 1))).sum() / n.size**2
    return max(1, ceil(float(one) / deviation**2))


def maj_at_k(answers: list[Any], correct: ArrayLike, k: int, rng: np.random.Generator | None = None) -> float:
    """Majority vote over `k` of one problem's generations: the mean over subsets of size k, ties averaged.

    All correct answers are one vote (they equal the gold), wrong ones vote by their text, None does not vote.
    """
    right = [bool(c) for c in np.ravel(np.asarray(correct))]
    labels: dict[Any, int] = {}
    votes = [
        0 if ok else -1 if answer is None else 1 + labels.setdefault(answer, len(labels))
        for answer, ok in zip(answers, right, strict=True)
    ]
    return float(majority_vote(np.array([votes]), k, rng)[0])


def majority_vote(votes: NDArray[np.integer[Any]], k: int, rng: np.random.Generator | None = None) -> Floats:
    """maj@k for each problem of a (problems, samples) array of votes: 0 the correct answer, 1.. wrong ones, -1 none.

    A tie scores the share of tied leaders that are correct; no vote at all scores 0. Up to MAX_SUBSETS subsets of size
    k are enumerated; beyond, as many are drawn from `rng` (seed 0 by default). NaN with fewer than k samples.
    """
    num_problems, n = votes.shape
    if not 1 <= k <= n:
        return np.full(num_problems, np.nan)
    if comb(n, k) <= MAX_SUBSETS:
        subsets = np.array(list(combinations(range(n), k)))
    else:
        rng = rng or np.random.default_rng(0)
        subsets = np.argsort(rng.random((MAX_SUBSETS, n)), axis=1)[:, :k]
    member = np.zeros((n, len(subsets)), dtype=np.float32)
    np.put_along_axis(member, subsets.T, 1, axis=0)
    scores = np.zeros(num_problems)
    right = np.flatnonzero((votes == 0).any(axis=1))  # the others score 0 in every subset
    for start in range(0, len(right), 64):  # counts of one answer are (64, subsets): they stay in the cache
        block = votes[right[start : start + 64]]
        correct = (block == 0).astype(np.float32) @ member
        leads, tied = correct > 0, np.ones(correct.shape, dtype=np.int64)
        for answer in range(1, int(block.max()) + 1):
            counts = (block == answer).astype(np.float32) @ member
            leads &= counts <= correct
            tied += counts == correct
        scores[right[start : start + 64]] = (leads / tied).mean(axis=1)
    return scores


def _checked(per: str) -> str:
    if per not in ("doubling", "1k_tokens"):
        raise unknown("unit of scaling", per, ("doubling", "1k_tokens"))
    return per


def _axis(tokens: Floats, per: Per) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        x: Floats = np.log2(tokens) if _checked(per) == "doubling" else tokens / 1000
    return x


def _doublings(x: float, y: float) -> float:
    return abs(float(np.log2(y / x)))
