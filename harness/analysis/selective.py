"""Answering only where the model is sure: accuracy against coverage, by the answers' log-probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.intervals import Floats, Interval, effective_share, share_interval
from harness.analysis.settings import Cell

COVERAGES = (1.0, 0.75, 0.5, 0.25)


@dataclass(frozen=True)
class Selective:
    """What a cell's confidence is worth.

    Attributes:
        accuracy: coverage (a share of all generations, the surest first) -> accuracy among those answered.
        threshold: coverage -> the least mean log-probability, in nats, that is still answered.
        answered: coverage -> the share that is answered, more where answers tie with the last one.
        area: accuracy, averaged over every coverage: 1 less what is called the area under the risk-coverage curve.
        separation: the chance that a right answer has a higher log-probability than a wrong one (AUROC); NaN where all
            are right or all wrong.
        num_known: generations whose answer has a log-probability.
    """

    accuracy: dict[float, Interval]
    threshold: dict[float, float]
    answered: dict[float, float]
    area: float
    separation: float
    num_known: int


def selective(cell: Cell) -> Selective | None:
    """The selective accuracy of one setting; None where no answer has a log-probability."""
    scored = cell.votes != -2
    known = scored & ~np.isnan(cell.confidence)
    if not known.any():
        return None
    right = (cell.votes == 0).astype(float)
    # An answer without one (none was found, or it is no literal part of the text) is given last.
    sure = np.where(np.isnan(cell.confidence), -np.inf, cell.confidence)[scored]
    order = np.argsort(-sure, kind="stable")
    # Answers that tie stand in no order: each counts as the share of them that is right.
    of = np.unique(sure, return_inverse=True)[1]
    ties = np.bincount(of, weights=right[scored]) / np.bincount(of)
    ordered = ties[of][order]
    accuracy, threshold, share = {}, {}, {}
    for coverage in COVERAGES:
        least = sure[order[max(1, round(coverage * len(order))) - 1]]
        answered = scored & (np.where(np.isnan(cell.confidence), -np.inf, cell.confidence) >= least)
        accuracy[coverage] = answered_share(right, answered)
        threshold[coverage], share[coverage] = float(least), float(answered.sum() / scored.sum())
    area = float((np.cumsum(ordered) / np.arange(1, len(ordered) + 1)).mean())
    auroc = separation(right[known] > 0, cell.confidence[known])
    return Selective(accuracy, threshold, share, area, auroc, int(known.sum()))


def separation(right: NDArray[np.bool_], confidence: Floats) -> float:
    """The chance that a right answer is surer than a wrong one, ties counted half (Mann and Whitney's U).

    Args:
        right: (answers,).
        confidence: (answers,).
    """
    from scipy.stats import rankdata

    num, wrong = int(right.sum()), int((~right).sum())
    if not num or not wrong:
        return float("nan")
    return float((rankdata(confidence)[right].sum() - num * (num + 1) / 2) / (num * wrong))


def answered_share(right: Floats, answered: NDArray[np.bool_]) -> Interval:
    """The share of right ones among the answered generations, with its interval over problems.

    With one generation per problem it is `share_interval`'s; else the ratio of two sums, whose variance comes from each
    problem's pull on it, with the same tenth of an all-right and of an all-wrong problem.

    Args:
        right: (problems, generations) 1 or 0.
        answered: (problems, generations) which are given.
    """
    given = answered.sum(axis=1).astype(float)
    asked = given > 0
    n, given = int(asked.sum()), given[asked]
    wins = (right * answered).sum(axis=1)[asked]
    if answered.sum(axis=1).max(initial=0) <= 1:
        return share_interval(wins)
    share = float(wins.sum() / given.sum())
    pull = (wins - share * given) / given.mean()
    centre = (share * n + 0.1) / (n + 0.2)
    prior = 0.1 * ((1 - centre) ** 2 + centre**2)
    variance = (float((pull**2).sum()) + prior) / max(n - 1, 1) / n
    return Interval(share, *effective_share(share, centre * (1 - centre) / variance), num_problems=n)
