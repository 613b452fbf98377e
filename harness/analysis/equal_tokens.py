"""A tree search beside majority voting at equal total tokens, paired over problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.intervals import Interval, difference_interval, share_interval
from harness.analysis.metrics import majority_vote
from harness.analysis.settings import Cell, setting_name
from harness.analysis.significance import paired_p_values

Floats = NDArray[np.float64]


def weighted_vote(votes: NDArray[np.integer[Any]], weights: Floats) -> Floats:
    """(problems,) whether the answer with the largest sum of weights is right (Wu et al., section 3.3).

    Args:
        votes: (problems, generations): 0 the correct answer, 1.. wrong ones, below 0 none.
        weights: (problems, generations), 0 or more.

    Returns:
        1 or 0; a tie scores the share of tied leaders that are correct, no vote at all 0.
    """
    classes = max(int(votes.max(initial=0)), 0) + 1
    sums = np.stack([np.where(votes == one, weights, 0.0).sum(axis=1) for one in range(classes)], axis=1)
    voted = np.stack([(votes == one).any(axis=1) for one in range(classes)], axis=1)
    sums = np.where(voted, sums, -1.0)
    leaders = (sums == sums.max(axis=1, keepdims=True)) & voted
    right: Floats = leaders[:, 0] / np.maximum(leaders.sum(axis=1), 1)
    return right


def tokens_per_problem(cell: Cell) -> Floats:
    """(problems,) all tokens that a cell's generations of a problem cost, over its runs together."""
    counts: Floats = (cell.votes != -2).sum(axis=1) / len(cell.run_ids)
    return cell.means["total_tokens"] * counts


def counterpart(search: Cell, cells: Sequence[Cell]) -> Cell | None:
    """The cell whose samples `search` is compared with: plain sampling under the same budget, of the same model."""
    same = ("study", "model", "recipe", "task", "max_thinking_tokens")
    rivals = [
        cell
        for cell in cells
        if cell.method == "budget_forcing"
        and not cell.num_ignores
        and cell.config.get("setup") == search.config.get("setup")
        and all(getattr(cell, name) == getattr(search, name) for name in same)
    ]
    return rivals[0] if len(rivals) == 1 else None


def search_figures(search: Cell, cells: Sequence[Cell]) -> dict[str, Interval]:
    """The figures of a tree search's answer, and its paired difference to majority voting at equal total tokens.

    The vote is over as many samples as the search's tokens buy on average; where fewer are there, over those, and the
    note says both counts of tokens.
    """
    voted = weighted_vote(search.votes, search.weights)
    known = search.total > 0
    voted = np.where(known, voted, np.nan)
    note = f"by reward, of {search.votes.shape[1]} thoughts"
    found = {"weighted_maj": share_interval(voted).over(int(known.sum()), note=note)}
    plain = counterpart(search, cells)
    if plain is None or not plain.mean("total_tokens") > 0:
        return found
    cost, one = float(np.nanmean(tokens_per_problem(search))), plain.mean("total_tokens")
    samples = max(1, min(int(cost // one), plain.votes.shape[1]))
    majority = np.where(plain.complete, majority_vote(plain.votes, samples), np.nan)
    paired = int((~np.isnan(voted - majority)).sum())
    if paired:
        interval = difference_interval(voted, majority)
        ((p, test),) = paired_p_values(voted[:, None], majority)
        note = f"{cost:,.0f} tokens per problem, {setting_name(plain)} {samples * one:,.0f}; {test} p={p:.3g}"
        found["difference_to_majority"] = interval.over(paired, f"maj@{samples}", note)
    return found
