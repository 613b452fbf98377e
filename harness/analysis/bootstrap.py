"""Resampling: every draw takes its generator or its seed; there is no global random state.

The unit that is resampled is the problem (all its generations together). Means of token counts get a studentised
interval; accuracies and differences have closed forms (`harness.analysis.intervals`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.analysis.intervals import (
    CONFIDENCE,
    Floats,
    Interval,
    difference_interval,
    plain_mean,
    row_means,
    scored,
    share_interval,
    t_value,
    two_dimensional,
)
from harness.analysis.significance import (
    holm,
    mcnemar_exact,
    minimum_detectable_difference,
    paired_p_value,
    paired_p_values,
)
from harness.errors import UserError, unknown

__all__ = [
    "Interval",
    "Resampler",
    "bootstrap_ci",
    "column_quantiles",
    "holm",
    "mcnemar_exact",
    "minimum_detectable_difference",
    "paired_difference",
    "paired_p_value",
    "paired_p_values",
    "percentiles",
    "studentised",
    "upper_tails",
]

NUM_RESAMPLES = 10_000
CHUNK_ENTRIES = 5_000_000  # weights drawn at once: 20 MB, 80 MB while they are drawn
CACHED_ENTRIES = 25_000_000  # weights kept: 100 MB, for up to 2,500 problems
LEAST_SPREAD = 0.36  # of a resample, as a share of the sample's: few values that vary would give endless bounds
UPPER_TAIL = 0.8  # of the nominal tail: the upper bound's, before the skewness of the sample
MOST_SKEWNESS = 1.2  # that still moves the upper bound
FEW = 6  # problems; fewer have few resamples, whose quantiles say little
NOTHING_VARIES = "no interval: every problem has the same value"
Method = Literal["score", "percentile"]


class Resampler:
    """Resamples of the problems of one task, drawn once and used for every run on it, which is what pairs them.

    A resample is a row of weights (how often each problem was drawn), so that resampling any number of runs is one
    matrix product: 10,000 resamples of 500 problems x 20 runs take about a tenth of a second.
    """

    def __init__(self, num_problems: int, num_resamples: int = NUM_RESAMPLES, seed: int = 0) -> None:
        self.num_problems, self.num_resamples, self.seed = num_problems, num_resamples, seed
        self._chunk = max(1, min(num_resamples, CHUNK_ENTRIES // max(num_problems, 1)))
        self._cached: list[NDArray[np.float32]] = []

    def weights(self) -> Iterator[NDArray[np.float32]]:
        """The weights in chunks of rows; kept while they fit in CACHED_ENTRIES, else drawn again (the same ones)."""
        if self._cached:
            yield from self._cached
            return
        rng = np.random.default_rng(self.seed)
        keep = self.num_problems * self.num_resamples <= CACHED_ENTRIES
        for start in range(0, self.num_resamples, self._chunk):
            chunk = _draw_weights(self.num_problems, min(self._chunk, self.num_resamples - start), rng)
            if keep:
                self._cached.append(chunk)
            yield chunk

    def means(self, columns: ArrayLike) -> NDArray[np.float32]:
        """(problems, columns) with NaN where missing -> (resamples, columns): each column's mean in each resample."""
        x = two_dimensional(columns)
        known = ~np.isnan(x)
        filled, partial = np.where(known, x, 0).astype(np.float32), ~known.all(axis=0)
        masks = known[:, partial].astype(np.float32)
        found = np.empty((self.num_resamples, x.shape[1]), dtype=np.float32)
        start = 0
        for w in self.weights():
            part = found[start : start + len(w)]
            np.matmul(w, filled, out=part)
            if not partial.any():
                part /= np.float32(self.num_problems)
            else:
                with np.errstate(invalid="ignore", divide="ignore"):
                    part[:, ~partial] /= np.float32(self.num_problems)
                    part[:, partial] /= w @ masks
            start += len(w)
        return found


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
    method: Method = "score",
) -> Interval:
    """The mean of `a - b` over problems with its paired interval.

    Args:
        a: (problems,) or (problems, runs) scores between 0 and 1, NaN where missing.
        b: the other arm's, the same problems in the same order. A problem counts only where both have a score.
        num_resamples: of the percentile method.
        seed: of the percentile method.
        confidence: nominal coverage.
        method: "score": the interval of every table here (`difference_interval`), which covers at 30 problems too.
            "percentile": the paired bootstrap's, which the paper's Table 2 has and near 0 or 1 does not.

    Raises:
        UserError: the two have not the same number of problems, or the method is not known.
    """
    x, y = two_dimensional(a), two_dimensional(b)
    if x.shape[0] != y.shape[0]:
        raise UserError(f"a paired difference needs the same problems: {x.shape[0]} against {y.shape[0]}")
    if method == "score":
        return difference_interval(x, y, confidence=confidence)
    if method != "percentile":
        raise unknown("method of a paired difference", method, ("score", "percentile"))
    both = scored(x) & scored(y)
    x, y, n = x[both], y[both], int(both.sum())
    mean = plain_mean(x) - plain_mean(y)
    if n < 2:
        return Interval(mean, note=f"no interval: {n} paired problem(s)", num_problems=n)
    draws = Resampler(n, num_resamples, seed).means(row_means(x) - row_means(y))
    return Interval(mean, *percentiles(draws, confidence), num_problems=n)


def bootstrap_ci(
    values: ArrayLike,
    problem_ids: Sequence[object] | NDArray[np.generic],
    rng: np.random.Generator,
    num_resamples: int = NUM_RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The mean over problems of `values` with its interval, a problem's generations taken together.

    Args:
        values: one per generation; a problem's are averaged first.
        problem_ids: whose generation each is.
        rng: draws the resamples of values that are no scores between 0 and 1.
        num_resamples: how many.
        confidence: nominal coverage.

    Returns:
        A share's interval (`share_interval`) for scores between 0 and 1, else a studentised one.
    """
    v = np.asarray(values, dtype=float)
    _, index = np.unique(np.asarray(problem_ids), return_inverse=True)
    known = ~np.isnan(v)
    sums = np.bincount(index[known], weights=v[known])
    counts = np.bincount(index[known], minlength=sums.size)
    per_problem = (sums[counts > 0] / counts[counts > 0])[:, None]
    if not ((per_problem < 0) | (per_problem > 1)).any():
        return share_interval(per_problem, confidence=confidence)
    return studentised(per_problem, Resampler(len(per_problem), num_resamples, int(rng.integers(2**63))), confidence)[0]


def studentised(columns: ArrayLike, resampler: Resampler, confidence: float = CONFIDENCE) -> list[Interval]:
    """The mean of each column with its studentised bootstrap interval (Efron 1981): for skewed counts such as tokens.

    The upper bound is at a smaller tail than the lower one, the more so the more skewed the values are: most samples of
    a skewed population lack its largest values, and look less skewed than it is (`upper_tails`). Where some values are
    negative, as differences are, both tails are the nominal ones, and no bound is inside Student's: most samples of
    values with long tails on both sides lack one of them. Nor is it for fewer than FEW problems.

    Args:
        columns: (problems, columns), NaN where missing.
        resampler: of the problems.
        confidence: nominal coverage.

    Returns:
        One interval per column; without bounds, and with a note, where fewer than two problems have a value, or all
        have the same.
    """
    x = two_dimensional(columns)
    known = ~np.isnan(x)
    num = known.sum(axis=0)
    filled = np.where(known, x, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = filled.sum(axis=0) / num
        centred = np.where(known, x - mean, 0.0)
        deviation = np.sqrt((centred**2).sum(axis=0) / (num - 1))
    varies = np.flatnonzero((num > 1) & (deviation > 1e-9 * np.maximum(np.abs(mean), 1.0)))
    bounds = np.full((x.shape[1], 2), np.nan)
    if varies.size:
        z = np.where(known[:, varies], centred[:, varies] / deviation[varies], np.nan)
        first, second = np.split(resampler.means(np.column_stack([z, z**2])), 2, axis=1)
        size = num[varies].astype(np.float32)
        least = least_spreads(filled[:, varies], confidence).astype(np.float32)
        spread = np.sqrt(np.maximum((second - first**2) * size / (size - 1), least**2))
        counts, nominal = (filled[:, varies] >= 0).all(axis=0), (1 - confidence) / 2
        tails = np.where(counts, upper_tails(z, confidence), nominal)
        below, above = column_quantiles(first / spread, np.array([tails, np.full(varies.size, 1 - nominal)]))
        # These are quantiles of t over the root of the number; turned round they are the bounds' distances.
        student = np.array([t_value(n - 1, confidence) for n in num[varies]]) / np.sqrt(num[varies])
        student[counts & (num[varies] >= FEW)] = 0.0
        low = mean[varies] - deviation[varies] * np.maximum(above, student)
        high = mean[varies] + deviation[varies] * np.maximum(-below, student)
        bounds[varies] = np.column_stack([np.maximum(low, np.where(counts, 0.0, -np.inf)), high])
    varying = set(varies)
    notes = ["" if at in varying else "no value" if not n else NOTHING_VARIES for at, n in enumerate(num)]
    return [
        Interval(float(m), float(low), float(high), note, int(n))
        for m, (low, high), note, n in zip(mean, bounds, notes, num, strict=True)
    ]


def percentiles(draws: ArrayLike, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The percentile interval of resampled statistics; NaN draws (a resample without a value) are left out."""
    known = np.asarray(draws, dtype=float)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return float("nan"), float("nan")
    tail = 50 * (1 - confidence)
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)


def upper_tails(z: Floats, confidence: float = CONFIDENCE) -> Floats:
    """The tail of each column's upper bound: four fifths of the nominal one, and less by twice skewness over root n.

    Calibrated (Loh 1987) on log-normal values and on mostly zeros at 10 to 500 problems (docs/coverage.md). Skewness
    counts up to MOST_SKEWNESS: a sample that shows more has the large values, so its own resamples tell of them, and
    the samples whose bounds fall short are those that show little.

    Args:
        z: (problems, columns) standardised values, NaN where missing.
        confidence: nominal coverage.
    """
    num = (~np.isnan(z)).sum(axis=0)
    skewness = np.nansum(z**3, axis=0) * num / ((num - 1) * np.maximum(num - 2, 1))
    share = 1 - 2 * np.minimum(skewness, MOST_SKEWNESS) / np.sqrt(num)
    tails: Floats = UPPER_TAIL * (1 - confidence) / 2 * np.clip(share, 0.1, 1.0)
    return tails


def least_spreads(x: Floats, confidence: float = CONFIDENCE) -> Floats:
    """The least spread of a resample of each column, as a share of the sample's: LEAST_SPREAD, or less.

    A resample of zeros alone puts the upper bound at the mean times 1 + 1 / least. Where one or two values make up the
    mean, that is Garwood's exact bound of a Poisson count (Biometrika 28, 1936) over the count, for as many values as
    would be that uncertain if all were equal (Kish's effective number).

    Args:
        x: (problems, columns) of which in each column one is not 0; 0 where missing.
        confidence: nominal coverage.
    """
    from scipy.special import gammaincinv

    number = np.abs(x).sum(axis=0) ** 2 / (x**2).sum(axis=0)
    most = gammaincinv(number + 1, 1 - UPPER_TAIL * (1 - confidence) / 2) / number
    least: Floats = np.minimum(LEAST_SPREAD, 1 / (most - 1))
    return least


def column_quantiles(draws: NDArray[np.floating[Any]], shares: Floats) -> Floats:
    """Quantiles of each column at its own shares: (resamples, columns), (k, columns) -> (k, columns).

    NaN draws (a resample without a value) are left out; NaN where all are.
    """
    ordered = np.sort(draws, axis=0)  # NaN behind the others
    places = shares * np.maximum((~np.isnan(draws)).sum(axis=0) - 1, 0)
    below = np.floor(places).astype(np.int64)
    low = np.take_along_axis(ordered, below, axis=0)
    high = np.take_along_axis(ordered, np.ceil(places).astype(np.int64), axis=0)
    found: Floats = low + (places - below) * (high - low)
    return found


def _draw_weights(num_items: int, num_resamples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(num_resamples, num_items): how often each item is drawn in each resample. Rows sum to num_items."""
    draws = rng.integers(0, num_items, (num_resamples, num_items), dtype=np.int32)
    draws += (np.arange(num_resamples, dtype=np.int32) * num_items)[:, None]
    counts = np.bincount(draws.ravel(), minlength=num_resamples * num_items)
    return counts.reshape(num_resamples, num_items).astype(np.float32)
