"""The figures of single cells, many cells at a time: one matrix product resamples all of their columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.analysis import metrics
from harness.analysis.bootstrap import (
    Interval,
    Resampler,
    column_percentiles,
    exact_extreme,
    hierarchical_ci,
    percentiles,
)
from harness.analysis.settings import Cell
from harness.analysis.sweeps import NAN

Floats = NDArray[np.float64]
RATES = ("forced", "truncated", "looping", "unparsed", "rejected", "timeout", "error")
MEANS = {
    "mean_thinking_tokens": "thinking_tokens",
    "mean_answer_tokens": "answer_tokens",
    "mean_total_tokens": "total_tokens",
    "mean_discarded_tokens": "discarded_tokens",
    "mean_attempts": "num_attempts",
} | {f"{name}_rate": name for name in RATES}
COUNT_NAMES = (*(f"{name}_count" for name in RATES), "unscored_count", "generations_count")
BLOCK = 48  # cells resampled at once: their draws are (10,000, 48 x about 20), 80 MB


def cell_figures(cells: Sequence[Cell], resampler: Resampler) -> list[dict[str, Interval]]:
    """The figures of each of the cells, which are all on the resampler's task."""
    found = []
    for start in range(0, len(cells), BLOCK):
        found += _block(cells[start : start + BLOCK], resampler)
    return found


def _block(cells: Sequence[Cell], resampler: Resampler) -> list[dict[str, Interval]]:
    columns: list[tuple[int, str, Floats]] = []
    notes: dict[tuple[int, str], str] = {}
    for i, cell in enumerate(cells):
        columns += [(i, name, cell.means[source]) for name, source in MEANS.items()]
        columns.append((i, "accuracy", cell.accuracy))
        for name, (values, note) in sampled_columns(cell).items():
            columns.append((i, name, values))
            notes[i, name] = note
    draws = resampler.means(np.column_stack([values for _, _, values in columns]))
    bounds = column_percentiles(draws)
    drawn: list[dict[str, NDArray[np.float32]]] = [{} for _ in cells]
    found: list[dict[str, Interval]] = [_counts(cell) for cell in cells]
    for (i, name, values), (low, high), column in zip(columns, bounds, draws.T, strict=True):
        drawn[i][name] = column
        known = int((~np.isnan(values)).sum())
        if name in MEANS:
            found[i][name] = _mean(values, float(low), float(high), known)
        else:
            interval = proportion(values, float(low), float(high), known)
            found[i][name] = interval.over(known, note=notes.get((i, name), ""))
    for i, cell in enumerate(cells):
        seeds = f"{len(cell.run_ids)} seeds" if len(cell.run_ids) > 1 else ""
        known = np.logical_not(np.isnan(cell.correct))
        if seeds and np.any(known.any(axis=1) & ~known.all(axis=1)):
            seeds += ", not all with every problem: each score counts once"
        note = "; ".join(text for text in (cell.note, seeds) if text)
        if seeds:
            found[i]["accuracy"] = hierarchical_ci(cell.correct, resampler).over(cell.num_problems, note=note)
        elif note:
            plain = found[i]["accuracy"]
            found[i]["accuracy"] = replace(plain, note="; ".join(text for text in (note, plain.note) if text))
        found[i]["accuracy_per_1k_tokens"] = _efficiency(cell, drawn[i]["accuracy"], drawn[i]["mean_total_tokens"])
    return found


def _counts(cell: Cell) -> dict[str, Interval]:
    n = cell.num_problems
    counts = {f"{name}_count": float(cell.counts.get(name, NAN)) for name in RATES}
    counts |= {"unscored_count": float(cell.num_unscored), "generations_count": float(cell.num_generations)}
    return {
        name: Interval(value, num_problems=n, note="" if value == value else "not told by the log")
        for name, value in counts.items()
    }


def _mean(values: Floats, low: float, high: float, known: int) -> Interval:
    """A mean count. Equal bounds would claim certainty where nothing varied: then there are none."""
    if not known:
        return Interval(NAN, note="no token counts")
    low, high = (low, high) if low < high else (NAN, NAN)
    return Interval(float(np.nanmean(values)), low, high, num_problems=known)


def proportion(values: Floats, low: float, high: float, known: int) -> Interval:
    """A mean of per-problem scores between 0 and 1: exact bounds when all are right or all are wrong."""
    if not known:
        return Interval(NAN, NAN, NAN, "no scored problem")
    mean = float(np.nanmean(values))
    if mean in (0.0, 1.0):
        return exact_extreme(mean, known)
    return Interval(mean, low, high) if known > 1 else Interval(mean, NAN, NAN, "no interval: one problem")


def _efficiency(cell: Cell, drawn_accuracy: NDArray[np.float32], drawn_tokens: NDArray[np.float32]) -> Interval:
    """Accuracy for each 1,000 generated tokens (thinking, closing, answer and rejected attempts)."""
    tokens, right = cell.mean("total_tokens"), cell.accuracy
    if not tokens > 0 or np.isnan(right).all():
        return Interval(NAN, num_problems=cell.num_problems, note="no token counts")
    with np.errstate(invalid="ignore", divide="ignore"):
        draws = 1000 * drawn_accuracy / drawn_tokens
    return Interval(1000 * float(np.nanmean(right)) / tokens, *percentiles(draws), num_problems=cell.num_problems)


def sampled_columns(cell: Cell) -> dict[str, tuple[Floats, str]]:
    """pass@k and maj@k of each problem with a note, for the powers of two up to its generations; empty with one."""
    found: dict[str, tuple[Floats, str]] = {}
    most = int(cell.total.max(initial=0))
    complete = (cell.votes != -2).all(axis=1) & (cell.total > 0)
    short = int((cell.total > 0).sum() - complete.sum())
    for k in (2**p for p in range(1, most.bit_length())):
        covered = metrics.pass_at_k(cell.total, cell.right, k)
        covered[cell.total == 0] = np.nan
        found[f"pass@{k}"] = (covered, "")
        if k <= cell.votes.shape[1] and complete.any():
            voted = np.full(len(covered), np.nan)
            voted[complete] = metrics.majority_vote(cell.votes[complete], k)
            found[f"maj@{k}"] = (voted, f"{short} problem(s) with fewer generations left out" if short else "")
    return found
