"""Intervals in closed form, for figures that a bootstrap's percentiles do not cover: shares, and paired differences.

docs/coverage.md has the measured coverage of each beside the one whose place it took (benchmarks/coverage.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import nan, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.analysis.paired_shares import pair_bounds
from harness.analysis.variance import NO_RUNS, RunVariance

Floats = NDArray[np.float64]
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A point estimate with its 95 % interval, as every table, figure and metrics.parquet shows it.

    Attributes:
        mean: the point estimate.
        low: lower bound, NaN where there is none.
        high: upper bound, NaN where there is none.
        note: why a bound is missing, or how it was made when that is not the usual way.
        num_problems: how many problems it is over.
        reference: what a difference or a p-value is against.
    """

    mean: float
    low: float = nan
    high: float = nan
    note: str = ""
    num_problems: int = 0
    reference: str = ""

    def over(self, num_problems: int, reference: str = "", note: str = "") -> Interval:
        """The same estimate with what it is over and against; its own note goes behind `note`."""
        notes = "; ".join(text for text in (note, self.note) if text)
        return replace(self, note=notes, num_problems=num_problems, reference=reference)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


def two_dimensional(values: ArrayLike) -> Floats:
    """(problems,) or (problems, runs) scores as (problems, runs)."""
    x = np.asarray(values, dtype=float)
    return x[:, None] if x.ndim == 1 else x


def scored(x: Floats) -> NDArray[np.bool_]:
    """(problems,) whether a problem of (problems, runs) has a score in some run."""
    known: NDArray[np.bool_] = np.any(~np.isnan(x), axis=1)
    return known


def plain_mean(x: Floats) -> float:
    """The mean of the known scores, each counted once; NaN without one."""
    return float(np.nanmean(x)) if x.size and not np.isnan(x).all() else nan


def row_means(matrix: Floats) -> Floats:
    """Row means over the known entries; NaN, without a warning, where a row has none."""
    known = ~np.isnan(matrix)
    with np.errstate(invalid="ignore"):
        means: Floats = np.where(known, matrix, 0).sum(axis=1) / known.sum(axis=1)
    return means


@lru_cache(maxsize=10_000)
def t_value(degrees: float, confidence: float = CONFIDENCE) -> float:
    """The two-sided quantile of Student's distribution."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))


def z_value(confidence: float = CONFIDENCE) -> float:
    """The two-sided quantile of the normal distribution."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


@lru_cache(maxsize=100_000)
def blaker(right: int, num: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Blaker's exact interval for a binomial share (Canadian Journal of Statistics 28, 2000).

    Its coverage is nowhere below the nominal one, and it lies inside Clopper and Pearson's.

    Args:
        right: successes, 0 to `num`.
        num: trials, at least 1.
        confidence: nominal coverage.

    Returns:
        The lower and the upper bound.
    """
    return _blaker_low(right, num, 1 - confidence), 1 - _blaker_low(num - right, num, 1 - confidence)


def _blaker_low(right: int, num: int, alpha: float) -> float:
    """The smallest share that a two-sided test at `alpha` accepts.

    The test's p-value is the upper tail P(X >= right) and as much of the lower one, P(X <= c), as is not larger. With
    the share c steps up. From Clopper and Pearson's bound on (an upper tail of alpha / 2) the p-value crosses alpha
    before c's next step, or jumps over it there, where both tails are equal and at least alpha / 2.
    """
    from scipy.optimize import brentq
    from scipy.special import betainc, betaincinv

    if right == 0:
        return 0.0

    def upper(share: float) -> float:
        return float(betainc(right, num - right + 1, share))

    def lower(count: int, share: float) -> float:
        return float(betainc(num - count, count + 1, 1 - share)) if count >= 0 else 0.0

    start = float(betaincinv(right, num - right + 1, alpha / 2))
    counts = np.arange(right)
    below = int((betainc(num - counts, counts + 1, 1 - start) <= alpha / 2).sum()) - 1

    def above_alpha(share: float) -> float:
        return upper(share) + lower(below, share) - alpha

    step = brentq(lambda share: upper(share) - lower(below + 1, share), start, right / num, xtol=1e-12)
    if above_alpha(step) < 0:
        return float(step)
    return float(brentq(above_alpha, start, step, xtol=1e-12))


def effective_share(share: float, effective: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Clopper and Pearson's bounds of a share over a number of problems that need not be whole (Korn, Graubard 1998).

    Args:
        share: the mean, 0 to 1.
        effective: how many independent problems would give the mean its variance.
        confidence: nominal coverage.

    Returns:
        The lower and the upper bound.
    """
    from scipy.special import betaincinv

    right, tail = min(share * effective, effective), (1 - confidence) / 2
    wrong = effective - right
    low = float(betaincinv(right, wrong + 1, tail)) if right > 0 else 0.0
    high = float(betaincinv(right + 1, wrong, 1 - tail)) if wrong > 0 else 1.0
    return low, high


def share_interval(scores: ArrayLike, runs: RunVariance = NO_RUNS, confidence: float = CONFIDENCE) -> Interval:
    """The mean of scores between 0 and 1 with its interval: an accuracy, a rate, pass@k.

    One 0/1 score per problem: Blaker's exact interval. Else Clopper and Pearson's over the effective number of
    problems: the number times a share's binomial variance over the variance that the problems' means have, to which a
    tenth of an all-right and of an all-wrong problem are added, so that few right ones do not look like certainty.

    Args:
        scores: (problems,) or (problems, runs), NaN where missing.
        runs: the variance between runs (seeds), which adds to that over problems.
        confidence: nominal coverage.

    Returns:
        The interval; without bounds, and with a note, where nothing is scored.
    """
    x = two_dimensional(scores)
    means = row_means(x)
    means = means[~np.isnan(means)]
    n = means.size
    if not n:
        return Interval(nan, note="no scored problem")
    mean = plain_mean(x)
    more = runs.of(x.shape[1])
    if x.shape[1] == 1 and not more and np.isin(means, (0.0, 1.0)).all():
        return Interval(mean, *blaker(int(means.sum()), n, confidence), num_problems=n)
    prior, size = 0.1, n + 0.2
    centre = (means.sum() + prior) / size
    per_problem = ((means**2).sum() + prior) / size - centre**2
    variance = per_problem / n
    if more:
        variance, quantile = _with_runs(runs, variance, n, x.shape[1], more, confidence)
        variance *= (quantile / z_value(confidence)) ** 2
    effective = centre * (1 - centre) / variance
    return Interval(mean, *effective_share(min(max(mean, 0.0), 1.0), effective, confidence), num_problems=n)


def _with_runs(
    runs: RunVariance, of_problems: float, num_problems: int, num_runs: int, more: float, confidence: float
) -> tuple[float, float]:
    """The variance of a mean over problems and runs, and Student's quantile for it.

    The quantile is at the degrees of freedom of the whole (Satterthwaite 1946). Where a single pair of runs tells their
    part these would be many whenever the two happen to agree: there the interval is the wider one of that over problems
    and Student's over the two runs.

    Args:
        runs: the variance between runs.
        of_problems: the part of the mean's variance that comes from the problems.
        num_problems: which has that many degrees of freedom less one.
        num_runs: runs in the mean.
        more: the part that comes from the runs.
        confidence: nominal coverage.
    """
    if not runs.one_pair:
        degrees = runs.degrees_with(of_problems, num_problems, num_runs, more)
        return of_problems + more, t_value(degrees, confidence)
    quantile = t_value(max(num_problems - 1, 1), confidence)
    return max(of_problems, more * (t_value(runs.degrees, confidence) / quantile) ** 2), quantile


def shrunk_bounds(
    values: Floats, scale: float, pseudo: float, quantile: float, more_variance: float = 0.0
) -> tuple[float, float]:
    """Bounds of the mean of values that are mostly 0, with `pseudo` imagined ones at +scale and as many at -scale.

    For differences of 0/1 scores, `scale` 1 and `pseudo` 1, it is Bonett and Price's interval for paired proportions
    (Journal of Educational and Behavioral Statistics 37, 2012); with `pseudo` 1/2 it is Agresti and Min's (2005). Two
    problems are added to the number in either case.

    Args:
        values: (problems,) without NaN.
        scale: size of the imagined values, in the values' unit.
        pseudo: how many of each sign.
        quantile: of the normal or Student's distribution.
        more_variance: of the mean, from elsewhere (runs).

    Returns:
        The lower and the upper bound.
    """
    size = len(values) + 2
    centre = values.sum() / size
    variance = ((values**2).sum() + 2 * pseudo * scale**2) / size - centre**2
    half = quantile * sqrt(variance / size + more_variance)
    return float(centre - half), float(centre + half)


def typical_size(values: Floats, otherwise: float) -> float:
    """How large a value that is not 0 is, weighted by size: 1 for -1, 0 and 1; `otherwise` where all are 0."""
    total = np.abs(values).sum()
    return float((values**2).sum() / total) if total > 0 else otherwise


def difference_size(gaps: Floats) -> float:
    """How large an imagined difference of two arms is: 1 for differences of -1, 0 and 1.

    The root of the mean square of the differences that are not 0 and a quarter of one that is 1: that the few which
    differ do so by little does not tell that none differs by more.
    """
    return sqrt(((gaps**2).sum() + 0.25) / (np.count_nonzero(gaps) + 0.25))


def difference_interval(
    a: ArrayLike,
    b: ArrayLike,
    runs_a: RunVariance = NO_RUNS,
    runs_b: RunVariance = NO_RUNS,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The mean of `a - b` over the problems that have both, with its paired interval.

    For 0/1 scores between Bonett and Price's and Tango's (`pair_bounds`); for scores of several generations Bonett and
    Price's form with imagined differences of their size, and Student's quantile.

    Args:
        a: (problems,) or (problems, runs) scores between 0 and 1, NaN where missing.
        b: the other arm's, the same problems in the same order.
        runs_a: the variance between a's runs (seeds).
        runs_b: the variance between b's.
        confidence: nominal coverage.

    Returns:
        The interval; without bounds, and with a note, for fewer than two problems.
    """
    x, y = two_dimensional(a), two_dimensional(b)
    both = scored(x) & scored(y)
    x, y = x[both], y[both]
    gaps, n = row_means(x) - row_means(y), int(both.sum())
    mean = plain_mean(x) - plain_mean(y)
    if n < 2:
        return Interval(mean, note=f"no interval: {n} paired problem(s)", num_problems=n)
    more = runs_a.of(x.shape[1]) + runs_b.of(y.shape[1])
    if np.isin(gaps, (-1.0, 0.0, 1.0)).all() and not more:
        low, high = pair_bounds(int((gaps > 0).sum()), int((gaps < 0).sum()), n, z_value(confidence))
    else:
        quantile = t_value(n - 1, confidence)
        if more:
            runs = max((runs_a, runs_b), key=lambda one: (one.one_pair, one.variance))
            of_problems = float(gaps.var(ddof=1)) / n
            variance, quantile = _with_runs(runs, of_problems, n, x.shape[1], more, confidence)
            more = variance - of_problems
        low, high = shrunk_bounds(gaps, difference_size(gaps), 1.0, quantile, more)
    return Interval(mean, max(low, -1.0), min(high, 1.0), num_problems=n)
