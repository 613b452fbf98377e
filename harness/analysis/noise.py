"""The noise floor: how much of a score is the problems, the training seed, and the sampling; what a grid can see.

From repeats of one recipe that differ in their seeds alone: runs of one setting, or recipes of one study.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan, sqrt
from typing import Any

import numpy as np

from harness.analysis.intervals import Interval, t_value
from harness.analysis.seeds import without_seeds
from harness.analysis.settings import Cell
from harness.analysis.variance import MeanSquares, mean_squares

POWER = 0.8
MOST_SEEDS, SAMPLES = 64, (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Noise:
    """The components of the variance of one 0/1 score: squared fractions.

    A score is an accuracy, plus the problem's part, the seed's (the same on all problems), the seed's on this very
    problem, and the draw of the sample.

    Attributes:
        problem: between problems.
        seed: between seeds.
        both: of a seed on single problems; where the draw is not known, it is in this.
        sampling: of the draw; NaN with one sample per problem, or where a setting's runs have unequally many.
        num_problems: that every repeat has.
        num_seeds: repeats.
        num_samples: generations of a problem in each repeat.
        tokens: generated per sample, on average.
    """

    study: str
    task: str
    recipe: str
    setting: Cell
    problem: Interval
    seed: Interval
    both: float
    sampling: Interval
    num_problems: int
    num_seeds: int
    num_samples: int
    tokens: float

    def error(self, num_problems: float, num_seeds: float, num_samples: float) -> float:
        """The standard error of a paired difference of two recipes with that many problems, seeds and samples each.

        The problems' own part cancels: both recipes are asked the same ones. NaN where the repeats did not differ at
        all: then nothing tells how much others would.
        """
        sampling = 0.0 if np.isnan(self.sampling.mean) else self.sampling.mean
        if not (self.seed.mean or self.both or sampling):
            return nan
        on_problems = (self.both + sampling / num_samples) / num_problems
        return sqrt(2 * (self.seed.mean + on_problems) / num_seeds)

    def detectable(self, num_problems: float, num_seeds: int, num_samples: float, num_comparisons: int = 1) -> float:
        """The difference that such a grid sees with 80 % power, at 5 % over `num_comparisons` by Holm's first step.

        At most 1; NaN where the repeats did not differ. With Student's quantiles: the variance between seeds is known
        from all seeds of the compared recipes.
        """
        degrees = max(1, (num_seeds - 1) * (num_comparisons + 1))
        if num_seeds == 1 or not self.seed.mean:
            degrees = max(1, int(num_problems) - 1)
        quantiles = t_value(degrees, 1 - 0.05 / num_comparisons) + t_value(degrees, 2 * POWER - 1)
        seen = quantiles * self.error(num_problems, num_seeds, num_samples)
        return seen if isnan(seen) else min(seen, 1.0)


@dataclass(frozen=True)
class Purchase:
    """A grid that sees the wanted difference, per recipe.

    Attributes:
        num_seeds: trainings.
        num_samples: generations of each problem per training.
        num_problems: of the task.
        detectable: the difference that it sees, as a fraction.
        tokens: generated in all, per recipe.
    """

    num_seeds: int
    num_samples: int
    num_problems: int
    detectable: float
    tokens: float


def noise_of(cells: Sequence[Cell]) -> list[Noise]:
    """The components of every group of repeats among the cells: at least two seeds, and two problems that all have."""
    groups: dict[tuple[Any, ...], list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[cell.study, cell.task, cell.budget, without_seeds(cell)].append(cell)
    return [found for members in groups.values() if (found := _noise(members))]


def _noise(members: Sequence[Cell]) -> Noise | None:
    scores = np.column_stack([cell.correct for cell in members])
    layout = mean_squares(scores)
    if layout is None:
        return None
    first = members[0]
    samples = max(1, round(float(np.mean([cell.num_generations for cell in members])) / _rows(members)))
    sampling = _sampling(members) if samples > 1 else Interval(np.nan)
    within = 0.0 if np.isnan(sampling.mean) else sampling.mean / samples
    return Noise(
        first.study,
        first.task,
        first.recipe if len(members) == 1 else f"{len(members)} repeats of {first.recipe}",
        first,
        within_scores(component(layout, "problems")),
        within_scores(component(layout, "runs")),
        min(max(layout.rest - within, 0.0), 0.25),
        sampling,
        layout.num_problems,
        layout.num_runs,
        samples,
        float(np.nanmean([cell.mean("total_tokens") for cell in members])) if _counted(members) else float("nan"),
    )


def _rows(members: Sequence[Cell]) -> float:
    """Problems times runs of a cell, on average."""
    return float(np.mean([max(cell.num_problems, 1) * len(cell.run_ids) for cell in members]))


def _counted(members: Sequence[Cell]) -> bool:
    return any(cell.mean("total_tokens") > 0 for cell in members)


def _sampling(members: Sequence[Cell]) -> Interval:
    """The variance of one draw: p (1 - p) of each problem in each repeat, without bias, averaged; over problems.

    A cell tells a problem's samples over all its runs: of several runs it is known only where each has as many.
    """
    columns = []
    for cell in members:
        n = (cell.total / cell.correct.shape[1])[:, None]  # of each run
        right = cell.correct * n
        if (abs(right - np.round(right)) > 1e-6).any():
            return Interval(np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            columns.append(np.where(n > 1, right * (n - right) / (n * (n - 1)), np.nan))
    values = np.column_stack(columns)
    values = values[~np.isnan(values).any(axis=1)].mean(axis=1)
    if values.size < 2:
        return Interval(np.nan)
    half = t_value(values.size - 1) * float(values.std(ddof=1)) / sqrt(values.size)
    mean = float(values.mean())
    return Interval(mean, max(mean - half, 0.0), mean + half, num_problems=values.size)


def component(layout: MeanSquares, of: str, confidence: float = 0.95) -> Interval:
    """A variance component with the interval of Williams and Tukey (Searle, Casella, McCulloch 1992, section 3.6).

    Args:
        layout: the mean squares.
        of: "problems" or "runs".
        confidence: nominal coverage; for normal effects it is at least about that.

    Returns:
        The component, 0 where chance has it below, and its bounds, not below 0.
    """
    from scipy.stats import chi2, f

    other = layout.num_runs if of == "problems" else layout.num_problems
    degrees = (layout.num_problems if of == "problems" else layout.num_runs) - 1
    mean_square = layout.problems if of == "problems" else layout.runs
    rest_degrees = (layout.num_problems - 1) * (layout.num_runs - 1)
    low, high = (1 - confidence) / 2, (1 + confidence) / 2
    bounds = [
        degrees * (mean_square - layout.rest * f.ppf(q, degrees, rest_degrees)) / (other * chi2.ppf(q, degrees))
        for q in (high, low)
    ]
    value = layout.between_problems if of == "problems" else layout.between_runs
    return Interval(max(value, 0.0), max(float(bounds[0]), 0.0), max(float(bounds[1]), 0.0), num_problems=other)


def within_scores(variance: Interval) -> Interval:
    """A variance component of scores between 0 and 1, with its bounds: none is above a quarter."""
    return replace(variance, mean=min(variance.mean, 0.25), low=min(variance.low, 0.25), high=min(variance.high, 0.25))


def purchases(noise: Noise, difference: float, num_comparisons: int = 1) -> Iterator[Purchase]:
    """What sees `difference` (a fraction): for each number of samples the fewest seeds; then more problems alike.

    Args:
        noise: the components.
        difference: wanted.
        num_comparisons: of the family that Holm's method corrects.
    """
    for num_problems in (noise.num_problems, 4 * noise.num_problems):
        before = MOST_SEEDS + 1
        for num_samples in SAMPLES if not np.isnan(noise.sampling.mean) else (noise.num_samples,):
            grids = ((s, noise.detectable(num_problems, s, num_samples, num_comparisons)) for s in range(1, before))
            seeds = next((s for s, seen in grids if seen <= difference), None)
            if seeds is not None:
                before = seeds
                found = noise.detectable(num_problems, seeds, num_samples, num_comparisons)
                tokens = seeds * num_samples * num_problems * noise.tokens
                yield Purchase(seeds, num_samples, num_problems, found, tokens)
