"""Is A no worse than B by more than a margin? The one-sided tests, and what a Dirichlet posterior says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from harness.analysis.intervals import (
    Floats,
    Interval,
    difference_interval,
    row_means,
    scored,
    two_dimensional,
    typical_size,
)
from harness.analysis.variance import NO_RUNS, RunVariance

DRAWS = 20_000
BLOCK = 2_000  # draws at once


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests at 5 % each, read off the 90 % interval of the difference (Schuirmann 1987).

    Attributes:
        margin: the largest difference that does not matter, as a fraction.
        interval: the 90 % interval of a - b.
    """

    margin: float
    interval: Interval

    @property
    def no_worse(self) -> bool:
        """A is shown to be no worse than B by the margin: the one-sided 95 % lower bound is above minus the margin."""
        return self.interval.low > -self.margin

    @property
    def no_better(self) -> bool:
        """A is shown to be no better than B by the margin."""
        return self.interval.high < self.margin

    @property
    def equivalent(self) -> bool:
        """Both: the two are shown to be within the margin."""
        return self.no_worse and self.no_better


def equivalence(
    a: ArrayLike, b: ArrayLike, margin: float, runs_a: RunVariance = NO_RUNS, runs_b: RunVariance = NO_RUNS
) -> Equivalence:
    """The two one-sided tests of paired scores.

    Args:
        a: (problems,) or (problems, runs) scores between 0 and 1, NaN where missing.
        b: the other arm's, the same problems in the same order.
        margin: as a fraction.
        runs_a: the variance between a's runs.
        runs_b: the variance between b's.
    """
    return Equivalence(margin, difference_interval(a, b, runs_a, runs_b, confidence=0.90))


@dataclass(frozen=True)
class Posterior:
    """What is believed of a - b after the data.

    Attributes:
        better: the probability that a is better than b.
        no_worse: the probability that it is not worse by more than the margin.
        interval: the posterior mean of the difference with its 95 % credible interval.
    """

    better: float
    no_worse: float
    interval: Interval


def posterior(a: ArrayLike, b: ArrayLike, margin: float, seed: int = 0) -> Posterior:
    """The Dirichlet posterior of a paired difference (for 0/1 scores a Dirichlet over who is right alone).

    The values that the problems' differences take have a Dirichlet distribution: each problem counts one, and the
    prior is half a problem that a gains and half one that b gains, of typical size (1 for 0/1 scores). For several
    samples per problem it is the Bayesian bootstrap (Rubin 1981) with that prior.

    Args:
        a: (problems,) or (problems, runs) scores between 0 and 1, NaN where missing.
        b: the other arm's, the same problems in the same order.
        margin: as a fraction.
        seed: of the draws.

    Returns:
        Probabilities and the credible interval; NaN without a paired problem.
    """
    x, y = two_dimensional(a), two_dimensional(b)
    both = scored(x) & scored(y)
    gaps = row_means(x[both]) - row_means(y[both])
    if not gaps.size:
        nothing = float("nan")
        return Posterior(nothing, nothing, Interval(nothing, note="no paired problem"))
    size = typical_size(gaps, 1.0)
    values, index = np.unique(np.append(gaps, [size, -size]), return_inverse=True)
    counts = np.bincount(index, weights=np.append(np.ones(gaps.size), [0.5, 0.5]))
    rng, parts = np.random.default_rng(seed), list[Floats]()
    for _ in range(DRAWS // BLOCK):
        parts.append(rng.dirichlet(counts, BLOCK) @ values)
    draws = np.concatenate(parts)
    low, high = np.percentile(draws, [2.5, 97.5])
    mean = float(counts @ values / counts.sum())
    better = float((draws > 0).mean() + (draws == 0).mean() / 2)
    return Posterior(better, float((draws > -margin).mean()), Interval(mean, float(low), float(high), "", gaps.size))
