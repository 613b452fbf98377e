"""Tests of paired scores, their adjustment over a family, and what a number of problems can show at all."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    """`paired_p_value` of every column of (problems, arms) against the (problems,) reference."""
    gaps = arms - reference[:, None]
    both = np.logical_not(np.isnan(gaps))
    binary = np.isin(np.where(both, arms, 0), (0, 1)) & np.isin(np.where(both, reference[:, None], 0), (0, 1))
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
    rng = np.random.default_rng(seed)
    columns, sums = gaps.astype(np.float32), gaps.sum(axis=0)
    extreme = np.zeros(gaps.shape[1])
    chunk = max(1, CHUNK_ENTRIES // max(len(gaps), 1))
    for start in range(0, num_resamples, chunk):
        size = (min(chunk, num_resamples - start), len(gaps))
        flips = rng.integers(0, 2, size, dtype=np.int8).astype(np.float32)
        extreme += (np.abs(2 * (flips @ columns) - sums) >= np.abs(sums) - 1e-5).sum(axis=0)
    p: Floats = (extreme + 1) / (num_resamples + 1)
    return p


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
    num_problems: int, sd_difference: float = sqrt(0.5), power: float = 0.8, confidence: float = 0.95
) -> float:
    """The smallest true difference in accuracy (a fraction) that `num_problems` paired problems show with `power`.

    `sd_difference` is the standard deviation of the per-problem difference; the default is that of two unrelated
    models at 50 %, the worst case. Never below the 6 one-sided discordant problems that an exact McNemar test needs.
    """
    if num_problems < 1:
        return float("nan")
    normal = NormalDist()
    z = normal.inv_cdf(1 - (1 - confidence) / 2) + normal.inv_cdf(power)
    fewest = next(m for m in range(1, 100) if mcnemar_exact(m, 0) < 1 - confidence)
    return min(1.0, max(z * sd_difference / sqrt(num_problems), fewest / num_problems))
