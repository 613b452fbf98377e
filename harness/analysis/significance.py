"""Tests of paired scores, their adjustment over a family, and what a number of problems can show at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.analysis.intervals import t_value

Floats = NDArray[np.float64]
CHUNK_ENTRIES = 5_000_000  # sign flips drawn at once


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided exact McNemar p-value from the discordant pairs: right only in a, right only in b. 1.0 with none."""
    from scipy.stats import binomtest

    n = only_a + only_b
    return float(binomtest(only_a, n).pvalue) if n else 1.0


def paired_p_value(a: ArrayLike, b: ArrayLike, num_resamples: int = 10_000, seed: int = 0) -> tuple[float, str]:
    """(p, name of the test) for per-problem scores: exact McNemar when they are 0/1, else a sign-flip permutation."""
    x = np.asarray(a, dtype=float)[:, None]
    return paired_p_values(x, np.asarray(b, dtype=float), num_resamples, seed)[0]


def paired_p_values(
    arms: Floats, reference: Floats, num_resamples: int = 10_000, seed: int = 0
) -> list[tuple[float, str]]:
    """`paired_p_value` of every column of (problems, arms) against the (problems,) reference, or against its own.

    All columns share one draw of sign flips, so that many are hardly dearer than one.
    """
    others = reference if reference.ndim == 2 else reference[:, None]
    gaps = arms - others
    both = np.logical_not(np.isnan(gaps))
    binary = np.isin(np.where(both, arms, 0), (0, 1)) & np.isin(np.where(both, others, 0), (0, 1))
    flipped = ~binary.all(axis=0) & both.any(axis=0)
    by_flips = np.full(arms.shape[1], np.nan)
    if flipped.any():
        by_flips[flipped] = _sign_flip(np.where(both, gaps, 0)[:, flipped], num_resamples, seed)
    found = []
    for k in range(arms.shape[1]):
        if not both[:, k].any():
            found.append((float("nan"), "no paired problem"))
        elif flipped[k]:
            found.append((float(by_flips[k]), f"sign-flip permutation ({num_resamples:,})"))
        else:
            only_arm, only_reference = int((gaps[:, k] > 0).sum()), int((gaps[:, k] < 0).sum())
            found.append((mcnemar_exact(only_arm, only_reference), "exact McNemar"))
    return found


def _sign_flip(gaps: Floats, num_resamples: int, seed: int) -> Floats:
    """Two-sided sign-flip permutation p-values of the columns' means against 0."""
    columns, sums = gaps.astype(np.float32), gaps.sum(axis=0)
    extreme = np.zeros(gaps.shape[1])
    for flips in _flips(len(gaps), num_resamples, seed):
        extreme += (np.abs(2 * (flips @ columns) - sums) >= np.abs(sums) - 1e-5).sum(axis=0)
    p: Floats = (extreme + 1) / (num_resamples + 1)
    return p


def _flips(num_problems: int, num_resamples: int, seed: int) -> Iterable[NDArray[np.float32]]:
    """(resamples, problems) of 0 and 1, in as many parts as memory wants; a single part is kept for the next test."""
    chunk = max(1, CHUNK_ENTRIES // max(num_problems, 1))
    if chunk >= num_resamples:
        return (_one_part(num_problems, num_resamples, seed),)
    rng = np.random.default_rng(seed)
    sizes = (min(chunk, num_resamples - start) for start in range(0, num_resamples, chunk))
    return (rng.integers(0, 2, (size, num_problems), dtype=np.int8).astype(np.float32) for size in sizes)


@lru_cache(maxsize=2)
def _one_part(num_problems: int, num_resamples: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).integers(0, 2, (num_resamples, num_problems), dtype=np.int8).astype(np.float32)


def holm(p_values: ArrayLike) -> Floats:
    """Holm's step-down adjustment over a family; NaN p-values stay NaN and are not counted in the family."""
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def minimum_detectable_difference(
    num_problems: int,
    sd_difference: float = sqrt(0.5),
    power: float = 0.8,
    confidence: float = 0.95,
    num_comparisons: int = 1,
    binary: bool = True,
) -> float:
    """The smallest true difference in accuracy that `num_problems` paired problems show with at least `power`.

    At the level that a table really uses: with Holm's method over several comparisons a lone difference has to pass the
    first step, at the level divided by their number.

    Args:
        num_problems: paired problems.
        sd_difference: standard deviation of the per-problem difference; the default is that of two unrelated models at
            50 %, the worst case.
        power: the share of experiments that have to see it.
        confidence: 1 less the level of the whole family.
        num_comparisons: of the family.
        binary: the scores are 0/1: the exact power of McNemar's test. Else the power of a t-test, to which the
            sign-flip permutation comes close.

    Returns:
        A fraction, at most 1; NaN without problems, 1 where no difference would be seen.
    """
    if num_problems < 1:
        return float("nan")
    level = (1 - confidence) / max(num_comparisons, 1)
    if not binary:
        return _smallest(lambda d: _t_power(num_problems, d, sd_difference, level) >= power)
    # What differs beside the lone difference is taken from the spread: sd^2 = discordant - difference^2.
    discordant = round(sd_difference**2, 6)
    return _mcnemar_detectable(num_problems, discordant, power, level)


def detectable(gaps: Floats, num_comparisons: int = 1) -> tuple[float, str]:
    """The minimum detectable difference of an observed pair of arms, and what was assumed.

    Args:
        gaps: (problems,) differences of their scores, NaN where missing.
        num_comparisons: of the family that the pair is corrected with.

    Returns:
        The difference as a fraction, and a note.
    """
    known = gaps[~np.isnan(gaps)]
    binary = bool(np.isin(known, (-1.0, 0.0, 1.0)).all())
    spread = float(known.std()) if known.size > 1 else 0.0
    note = "80 % power" + (f", Holm over {num_comparisons}" if num_comparisons > 1 else "")
    if not spread:
        note += ", worst case: no differing pair was seen"
        return minimum_detectable_difference(known.size, num_comparisons=num_comparisons), note
    least = minimum_detectable_difference(known.size, spread, num_comparisons=num_comparisons, binary=binary)
    return least, note


@lru_cache(maxsize=10_000)
def _mcnemar_detectable(num: int, variance: float, power: float, level: float) -> float:
    def seen(difference: float) -> bool:
        discordant = min(1.0, max(variance + difference**2, difference))
        return mcnemar_power(num, discordant, difference, level) >= power

    return _smallest(seen)


def _smallest(seen: Callable[[float], bool]) -> float:
    """The smallest difference from 0 to 1, to a hundredth of a point, from which on it is `seen`; 1 where none is."""
    low, high = 0.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high


def mcnemar_power(num_problems: int, discordant: float, difference: float, level: float = 0.05) -> float:
    """The exact power of the two-sided exact McNemar test.

    Args:
        num_problems: paired problems.
        discordant: the share of problems that one arm alone gets right, from |difference| to 1.
        difference: between the arms' accuracies, as a fraction.
        level: of the test.

    Returns:
        The chance that p is at most `level` (below it for a level that a p-value can equal, such as 1/2^k).
    """
    from scipy.special import betainc, gammaln, xlog1py, xlogy

    counts = np.arange(num_problems + 1)
    logs = gammaln(num_problems + 1) - gammaln(counts + 1) - gammaln(num_problems - counts + 1)
    weights = np.exp(logs + xlogy(counts, discordant) + xlog1py(num_problems - counts, -discordant))
    most = _most_significant(num_problems, level)
    used = (weights > 1e-9) & (most >= 0)
    counts, weights, most = counts[used], weights[used], most[used]
    better = (discordant + difference) / (2 * discordant) if discordant else 0.5
    tails = sum(betainc(counts - most, most + 1, share) for share in (better, 1 - better))
    return float((weights * tails).sum())


@lru_cache(maxsize=100)
def _most_significant(num_problems: int, level: float) -> NDArray[np.int64]:
    """For 0 to `num_problems` discordant pairs the largest count of the rarer side with p < level; -1 where none."""
    from scipy.special import bdtr

    found = np.full(num_problems + 1, -1)
    for count in range(1, num_problems + 1):
        most = found[count - 1]
        while 2 * bdtr(most + 1, count, 0.5) < level:
            most += 1
        found[count] = most
    return found


def _t_power(num: int, difference: float, deviation: float, level: float) -> float:
    from scipy.special import nctdtr

    if num < 2:
        return 0.0
    if not deviation:
        return float(difference > 0)
    shift = difference * sqrt(num) / deviation
    if shift > 30:
        return 1.0
    return float(1 - nctdtr(num - 1, shift, t_value(num - 1, 1 - level)))
