"""Intervals and tests: every resampling takes its generator or its seed; there is no global random state.

The unit that is resampled is the problem (all its generations together), and with several seeds also the run: a
two-way bootstrap, so that an interval covers both "other problems" and "another seed". 95 % percentile intervals, the
form that reproduces the paper's Table 2 (10,000 resamples).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.analysis.significance import (
    holm,
    mcnemar_exact,
    minimum_detectable_difference,
    paired_p_value,
    paired_p_values,
)
from harness.errors import UserError

__all__ = [
    "Interval", "Resampler", "bootstrap_ci", "column_percentiles", "difference", "difference_columns", "exact_extreme",
    "hierarchical_ci", "holm", "mcnemar_exact", "minimum_detectable_difference", "paired_difference", "paired_p_value",
    "paired_p_values", "percentiles",
]  # fmt: skip

Floats = NDArray[np.float64]
NUM_RESAMPLES = 10_000
CONFIDENCE = 0.95
SAME_GAP = "every problem has the same difference"
CHUNK_ENTRIES = 5_000_000  # weights drawn at once: 20 MB, 80 MB while they are drawn
CACHED_ENTRIES = 25_000_000  # weights kept: 100 MB, for up to 2,500 problems


@dataclass(frozen=True)
class Interval:
    """A point estimate with its 95 % interval, as every table, figure and metrics.parquet shows it.

    Attributes:
        mean: the point estimate.
        low: lower bound, NaN where there is none.
        high: upper bound, NaN where there is none.
        note: why a bound is missing, or how it was made when not resampled.
        num_problems: how many problems it is over.
        reference: what a difference or a p-value is against.
    """

    mean: float
    low: float = float("nan")
    high: float = float("nan")
    note: str = ""
    num_problems: int = 0
    reference: str = ""

    def over(self, num_problems: int, reference: str = "", note: str = "") -> Interval:
        """The same estimate with what it is over and against; its own note goes behind `note`."""
        notes = "; ".join(text for text in (note, self.note) if text)
        return replace(self, note=notes, num_problems=num_problems, reference=reference)

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


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
        x = _two_dimensional(columns)
        known = ~np.isnan(x)
        filled, partial = np.where(known, x, 0).astype(np.float32), ~known.all(axis=0)
        masks = known[:, partial].astype(np.float32)
        found = np.empty((self.num_resamples, x.shape[1]), dtype=np.float32)
        start = 0
        for w in self.weights():
            part = found[start : start + len(w)]
            np.matmul(w, filled, out=part)
            with np.errstate(invalid="ignore", divide="ignore"):
                part[:, ~partial] /= np.float32(self.num_problems)
                if partial.any():
                    part[:, partial] /= w @ masks
            start += len(w)
        return found

    def run_means(self, matrix: ArrayLike, arm: int = 0) -> Floats:
        """(problems, runs) -> (resamples,): problems and runs (seeds) resampled; `arm` gives each arm its own runs."""
        x = _two_dimensional(matrix)
        if x.shape[1] == 1:
            return self.means(x)[:, 0].astype(np.float64)
        known = ~np.isnan(x)
        rng = np.random.default_rng([self.seed, 1, arm])
        if known.all():  # then a run's mean needs no count of its own: half the work
            runs = _draw_weights(x.shape[1], self.num_resamples, rng)
            complete: Floats = (self.means(x) * runs).sum(axis=1).astype(np.float64) / x.shape[1]
            return complete
        parts = []
        for w in self.weights():
            runs = _draw_weights(x.shape[1], len(w), rng)
            sums = ((w @ np.where(known, x, 0).astype(np.float32)) * runs).sum(axis=1)
            with np.errstate(invalid="ignore", divide="ignore"):
                parts.append(sums / ((w @ known.astype(np.float32)) * runs).sum(axis=1))
        means: Floats = np.concatenate(parts).astype(np.float64)
        return means


def paired_difference(
    a: ArrayLike, b: ArrayLike, num_resamples: int = NUM_RESAMPLES, seed: int = 0, confidence: float = CONFIDENCE
) -> Interval:
    """The mean of `a - b` over problems with its paired bootstrap interval, problems resampled in pairs.

    `a`, `b`: (problems,) or (problems, runs) in the same order of problems; NaN where a score is missing. A problem
    counts only where both have a score. With several runs the seeds are resampled too, each arm on its own.
    """
    x, y = _two_dimensional(a), _two_dimensional(b)
    if x.shape[0] != y.shape[0]:
        raise UserError(f"a paired difference needs the same problems: {x.shape[0]} against {y.shape[0]}")
    both = _scored(x) & _scored(y)
    return difference(x[both], y[both], Resampler(int(both.sum()), num_resamples, seed), confidence)


def difference(x: Floats, y: Floats, resampler: Resampler, confidence: float = CONFIDENCE) -> Interval:
    """`paired_difference` on given resamples, for (problems, runs) arrays."""
    both = _scored(x) & _scored(y)
    x, y = np.where(both[:, None], x, np.nan), np.where(both[:, None], y, np.nan)
    if x.shape[1] == y.shape[1] == 1:
        return difference_columns(x - y, resampler, confidence)[0]
    mean = _mean(x) - _mean(y)
    if both.sum() < 2:
        return Interval(mean, float("nan"), float("nan"), f"no interval: {int(both.sum())} paired problem(s)")
    draws = resampler.run_means(x, arm=0) - resampler.run_means(y, arm=1)
    return Interval(mean, *percentiles(draws, confidence), "" if np.nanmax(draws) > np.nanmin(draws) else SAME_GAP)


def difference_columns(gaps: Floats, resampler: Resampler, confidence: float = CONFIDENCE) -> list[Interval]:
    """`difference` for the columns of (problems, arms) of per-problem differences, one run an arm."""
    draws = resampler.means(gaps)
    found = []
    for gap, (low, high) in zip(gaps.T, column_percentiles(draws, confidence), strict=True):
        n = int((~np.isnan(gap)).sum())
        mean = _mean(gap)
        if n < 2:
            found.append(Interval(mean, float("nan"), float("nan"), f"no interval: {n} paired problem(s)"))
        else:
            note = "" if np.nanmax(gap) > np.nanmin(gap) else SAME_GAP
            found.append(Interval(mean, float(low), float(high), note))
    return found


def bootstrap_ci(
    values: ArrayLike,
    problem_ids: Sequence[object] | NDArray[np.generic],
    rng: np.random.Generator,
    num_resamples: int = NUM_RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Interval:
    """The mean over problems of `values`, whole problems resampled.

    `values`: one per generation; a problem's are averaged first.

    0/1 values without variance get the exact binomial bound instead: resampling 30 wrong answers would claim [0, 0].
    """
    v = np.asarray(values, dtype=float)
    _, index = np.unique(np.asarray(problem_ids), return_inverse=True)
    scored = ~np.isnan(v)
    sums = np.bincount(index[scored], weights=v[scored])
    counts = np.bincount(index[scored], minlength=sums.size)
    per_problem = (sums[counts > 0] / counts[counts > 0])[:, None]
    resampler = Resampler(len(per_problem), num_resamples, seed=int(rng.integers(2**63)))
    return hierarchical_ci(per_problem, resampler, confidence)


def hierarchical_ci(matrix: ArrayLike, resampler: Resampler, confidence: float = CONFIDENCE) -> Interval:
    """The mean of a (problems, runs) matrix, problems and runs (seeds) resampled. NaN marks a missing score."""
    x = _two_dimensional(matrix)
    known = x[~np.isnan(x)]
    num_problems = int(_scored(x).sum())
    if num_problems == 0:
        return Interval(float("nan"), float("nan"), float("nan"), "no scored problem")
    mean = _mean(x)
    if np.ptp(known) == 0 and known[0] in (0.0, 1.0):
        return exact_extreme(mean, num_problems, confidence)
    if num_problems == 1:
        return Interval(mean, float("nan"), float("nan"), "no interval: one problem")
    return Interval(mean, *percentiles(resampler.run_means(x), confidence))


def exact_extreme(mean: float, num_problems: int, confidence: float = CONFIDENCE) -> Interval:
    """Clopper-Pearson bounds when all problems are right (mean 1) or all are wrong (mean 0)."""
    from scipy.stats import binomtest

    bounds = binomtest(num_problems if mean else 0, num_problems).proportion_ci(confidence, method="exact")
    side = "right" if mean else "wrong"
    return Interval(mean, float(bounds.low), float(bounds.high), f"all {side}: exact binomial bound")


def percentiles(draws: ArrayLike, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The percentile interval of resampled statistics; NaN draws (a resample without a value) are left out."""
    known = np.asarray(draws, dtype=float)
    known = known[~np.isnan(known)]
    if known.size == 0:
        return float("nan"), float("nan")
    tail = 50 * (1 - confidence)
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)


def column_percentiles(draws: ArrayLike, confidence: float = CONFIDENCE) -> Floats:
    """`percentiles` of every column: (resamples, columns) -> (columns, 2). Fast where no draw is missing."""
    tail, draws = 50 * (1 - confidence), np.asarray(draws)
    bounds = np.full((draws.shape[1], 2), np.nan)
    missing = np.isnan(draws).any(axis=0)
    if not missing.all():
        bounds[~missing] = np.percentile(draws[:, ~missing], [tail, 100 - tail], axis=0).T
    for column in np.flatnonzero(missing):
        bounds[column] = percentiles(draws[:, column], confidence)
    return bounds


def _two_dimensional(values: ArrayLike) -> Floats:
    x = np.asarray(values, dtype=float)
    return x[:, None] if x.ndim == 1 else x


def _scored(x: Floats) -> NDArray[np.bool_]:
    """Which problems have a score in some run."""
    scored: NDArray[np.bool_] = np.any(~np.isnan(x), axis=1)
    return scored


def _mean(x: Floats) -> float:
    """The plain mean of the known scores: what a resample with all weights 1 gives."""
    return float(np.nanmean(x)) if x.size and not np.isnan(x).all() else float("nan")


def _draw_weights(num_items: int, num_resamples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(num_resamples, num_items): how often each item is drawn in each resample. Rows sum to num_items."""
    draws = rng.integers(0, num_items, (num_resamples, num_items), dtype=np.int32)
    draws += (np.arange(num_resamples, dtype=np.int32) * num_items)[:, None]
    counts = np.bincount(draws.ravel(), minlength=num_resamples * num_items)
    return counts.reshape(num_resamples, num_items).astype(np.float32)
