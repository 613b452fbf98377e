"""How far scores vary: over problems, between runs (seeds), and what is left, from a (problems, runs) matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MeanSquares:
    """The mean squares of a two-way layout without repeats, problems times runs (Searle, Casella, McCulloch 1992).

    Attributes:
        problems: between problems, num_problems - 1 degrees of freedom.
        runs: between runs, num_runs - 1.
        rest: of what neither explains, the product of both.
    """

    problems: float
    runs: float
    rest: float
    num_problems: int
    num_runs: int

    @property
    def between_problems(self) -> float:
        """Variance component of the problems; below 0 where chance has it so."""
        return (self.problems - self.rest) / self.num_runs

    @property
    def between_runs(self) -> float:
        """Variance component of the runs; below 0 where chance has it so."""
        return (self.runs - self.rest) / self.num_problems


def mean_squares(scores: Floats) -> MeanSquares | None:
    """The layout's mean squares, over the problems that every run has; None with fewer than two runs or problems.

    Args:
        scores: (problems, runs), NaN where missing.
    """
    x = scores[~np.isnan(scores).any(axis=1)]
    n, r = x.shape
    if n < 2 or r < 2:
        return None
    rows, columns = x.mean(axis=1), x.mean(axis=0)
    rest = x - rows[:, None] - columns[None, :] + x.mean()
    return MeanSquares(
        r * float(rows.var(ddof=1)), n * float(columns.var(ddof=1)), float((rest**2).sum()) / ((n - 1) * (r - 1)), n, r
    )


@dataclass(frozen=True)
class RunVariance:
    """The variance between runs of one setting (a run's own part of its accuracy), and how well it is known.

    Attributes:
        variance: component between runs, 0 where chance had it below.
        degrees: its degrees of freedom: the runs less one, summed over the recipes that it is pooled over.
        square: mean square between runs per problem: what the component was taken from, for its uncertainty.
        num_recipes: how many recipes it is pooled over.
        drawn: the runs are draws of one and the same model, so that nothing but its samples sets them apart.
    """

    variance: float = 0.0
    degrees: int = 0
    square: float = 0.0
    num_recipes: int = 0
    drawn: bool = False

    @property
    def one_pair(self) -> bool:
        """Whether two trainings alone tell it: that they agree is then likely to be chance."""
        return self.degrees == 1 and not self.drawn

    def of(self, num_runs: int) -> float:
        """The variance that runs add to the mean of `num_runs` of them; of one pair all that sets the two apart."""
        return (self.square if self.one_pair else self.variance) / num_runs

    def degrees_with(self, of_problems: float, num_problems: int, num_runs: int, more: float | None = None) -> float:
        """Degrees of freedom of a mean's whole variance, by Satterthwaite's approximation.

        Args:
            of_problems: the part of the mean's variance that comes from the problems.
            num_problems: which has that many degrees of freedom less one.
            num_runs: runs in the mean.
            more: the part that comes from runs, where it is not that of one mean of `num_runs`.
        """
        more = self.of(num_runs) if more is None else more
        uncertain = max(more, self.square / num_runs)
        total = of_problems + more
        spread = of_problems**2 / max(num_problems - 1, 1) + uncertain**2 / max(self.degrees, 1)
        return float(max(total**2 / spread, 1.0)) if spread else float(num_problems - 1)


NO_RUNS = RunVariance()


def pooled(layouts: Sequence[MeanSquares], drawn: bool = False) -> RunVariance:
    """The variance between runs over several recipes at one setting, weighted by their degrees of freedom.

    Args:
        layouts: the recipes' mean squares.
        drawn: whether all runs are draws of one model.
    """
    degrees = np.array([layout.num_runs - 1 for layout in layouts])
    if not degrees.sum():
        return NO_RUNS
    component = float(np.average([layout.between_runs for layout in layouts], weights=degrees))
    square = float(np.average([layout.runs / layout.num_problems for layout in layouts], weights=degrees))
    return RunVariance(max(component, 0.0), int(degrees.sum()), square, len(layouts), drawn)
