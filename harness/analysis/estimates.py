"""The figures of single cells, many cells at a time: one matrix product resamples all of their token counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.analysis import metrics
from harness.analysis.bootstrap import Resampler, studentised
from harness.analysis.intervals import Interval, share_interval, shrunk_bounds, t_value, typical_size, z_value
from harness.analysis.selective import selective
from harness.analysis.settings import Cell
from harness.analysis.variance import NO_RUNS, RunVariance

Floats = NDArray[np.float64]
NAN = float("nan")
RATES = ("forced", "truncated", "looping", "unparsed", "rejected", "timeout", "error")
MEANS = {
    "mean_thinking_tokens": "thinking_tokens",
    "mean_answer_tokens": "answer_tokens",
    "mean_total_tokens": "total_tokens",
    "mean_discarded_tokens": "discarded_tokens",
    "mean_attempts": "num_attempts",
}
COUNT_NAMES = (*(f"{name}_count" for name in RATES), "unscored_count", "generations_count")
G_PASS_SHARE = 0.75  # of k samples right: between pass@k (one) and pass^k (all)
BLOCK = 48  # cells resampled at once: their draws are (10,000, 48 x 10), 20 MB


def cell_figures(
    cells: Sequence[Cell], resampler: Resampler, runs: Sequence[RunVariance] = ()
) -> list[dict[str, Interval]]:
    """The figures of each of the cells, which are all on the resampler's task.

    Args:
        cells: of one task.
        resampler: of its problems.
        runs: the variance between each cell's runs; none by default.
    """
    found = []
    for start in range(0, len(cells), BLOCK):
        block = cells[start : start + BLOCK]
        found += _block(block, resampler, list(runs[start : start + BLOCK]) or [NO_RUNS] * len(block))
    return found


def _block(cells: Sequence[Cell], resampler: Resampler, runs: Sequence[RunVariance]) -> list[dict[str, Interval]]:
    found: list[dict[str, Interval]] = [_counts(cell) for cell in cells]
    names = [(i, name) for i in range(len(cells)) for name in MEANS]
    columns = np.column_stack([cells[i].means[MEANS[name]] for i, name in names])
    for (i, name), interval in zip(names, studentised(columns, resampler), strict=True):
        found[i][name] = interval if interval.num_problems else replace(interval, note="no token counts")
    for figures, cell, between in zip(found, cells, runs, strict=True):
        for rate in RATES:
            shares = share_interval(cell.means[rate])
            figures[f"{rate}_rate"] = shares if shares.num_problems else replace(shares, note="not told by the log")
        figures["accuracy"] = _accuracy(cell, between)
        for name, (values, note) in sampled_columns(cell).items():
            interval = share_interval(values)
            figures[name] = interval.over(interval.num_problems, note=note)
        figures["accuracy_per_1k_tokens"] = _efficiency(cell)
        figures |= _bayes(cell) | _selected(cell)
    return found


def _accuracy(cell: Cell, between: RunVariance) -> Interval:
    """The accuracy; its interval covers other problems and, where several runs tell their variance, other seeds."""
    seeds = f"{len(cell.run_ids)} seeds" if len(cell.run_ids) > 1 else ""
    known = np.logical_not(np.isnan(cell.correct))
    if seeds and np.any(known.any(axis=1) & ~known.all(axis=1)):
        seeds += ", not all with every problem: each score counts once"
    if seeds and between.num_recipes == 1 and between.degrees < 3:
        seeds += ", of this recipe alone: their variance is hardly known"
    elif between.variance and not seeds:
        seeds = f"one seed; variance between seeds of {between.num_recipes} recipe(s) added"
    note = "; ".join(text for text in (cell.note, seeds) if text)
    return share_interval(cell.correct, between).over(cell.num_problems, note=note)


def _counts(cell: Cell) -> dict[str, Interval]:
    n = cell.num_problems
    counts = {f"{name}_count": float(cell.counts.get(name, NAN)) for name in RATES}
    counts |= {"unscored_count": float(cell.num_unscored), "generations_count": float(cell.num_generations)}
    return {
        name: Interval(value, num_problems=n, note="" if value == value else "not told by the log")
        for name, value in counts.items()
    }


def _efficiency(cell: Cell) -> Interval:
    """Accuracy for each 1,000 generated tokens (thinking, closing, answer and rejected attempts).

    A ratio of two means: what each problem does to it (to first order) is treated as a difference.
    """
    tokens, right = cell.means["total_tokens"], cell.accuracy
    both = ~np.isnan(tokens) & ~np.isnan(right)
    cost, n = cell.mean("total_tokens"), int(both.sum())
    if not cost > 0 or not n:
        return Interval(NAN, num_problems=cell.num_problems, note="no token counts")
    ratio = float(np.nanmean(right)) / cost
    if n < 2:
        return Interval(1000 * ratio, num_problems=n, note="no interval: one problem")
    moves = (right[both] - ratio * tokens[both]) / cost
    low, high = shrunk_bounds(moves, typical_size(moves, 1 / cost), 0.5, t_value(n - 1))
    return Interval(1000 * ratio, max(0.0, 1000 * (ratio + low)), 1000 * (ratio + high), num_problems=cell.num_problems)


def _bayes(cell: Cell) -> dict[str, Interval]:
    """Bayes@N and its 95 % interval over the samples, of these very problems; nothing with one sample per problem."""
    most = int(cell.total.max(initial=0))
    if most < 2:
        return {}
    mean, deviation = metrics.bayes_at_n(cell.total, cell.right)
    half = z_value() * deviation
    more = metrics.samples_needed(cell.total, cell.right, 0.01 / z_value())
    note = f"these problems, other samples; {more:,} samples per problem would tell it to 1 point"
    return {"bayes@n": Interval(mean, max(mean - half, 0.0), min(mean + half, 1.0), note, cell.num_problems)}


def _selected(cell: Cell) -> dict[str, Interval]:
    """The accuracy where the surest are answered alone, and what the confidence is worth."""
    found = selective(cell)
    if found is None:
        return {}
    n = cell.num_problems
    figures = {}
    for coverage, one in found.accuracy.items():
        if coverage < 1:
            least, share = found.threshold[coverage], found.answered[coverage]
            note = f"answers with a mean log-probability of {least:.3f} nats or more"
            if not np.isfinite(least):
                note = "answers without a log-probability are among them"
            if share > coverage + 1 / cell.num_generations:
                note += f"; {share:.0%} are answered, as many tie"
            figures[f"accuracy_at_{coverage:.0%}_coverage"] = one.over(one.num_problems, note=note)
    figures["selective_area"] = Interval(found.area, note="mean accuracy over every coverage", num_problems=n)
    figures["confidence_auroc"] = Interval(found.separation, note=f"of {found.num_known} answers", num_problems=n)
    return figures


def sampled_columns(cell: Cell) -> dict[str, tuple[Floats, str]]:
    """pass@k, pass^k, G-Pass@k and maj@k of each problem, for the powers of two up to its generations.

    With a note each; empty with one generation.
    """
    found: dict[str, tuple[Floats, str]] = {}
    most = int(cell.total.max(initial=0))
    for k in (2**p for p in range(1, most.bit_length())):
        short = _left_out(int(((cell.total > 0) & (cell.total < k)).sum()))
        covered = metrics.pass_at_k(cell.total, cell.right, k)
        covered[cell.total == 0] = np.nan
        found[f"pass@{k}"] = (covered, short)
        for name, share in (("pass^", 1.0), ("g_pass@", G_PASS_SHARE)):
            kept = metrics.g_pass_at_k(cell.total, cell.right, k, share)
            kept[cell.total == 0] = np.nan
            note = f"at least {share:.0%} of {k} right"
            found[f"{name}{k}"] = (kept, f"{note}; {short}" if short else note)
        if k in cell.majority:
            found[f"maj@{k}"] = (cell.majority[k], _left_out(int((cell.total > 0).sum() - cell.complete.sum())))
    return found


def _left_out(num: int) -> str:
    return f"{num} problem(s) with fewer generations left out" if num else ""
