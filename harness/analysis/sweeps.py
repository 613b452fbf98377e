"""Metrics over a sweep: Control, Scaling, Performance, flips per Wait, the first correct length. Each with intervals.

A sweep is the settings of one method for one recipe on one task. Budgets and waits are one sweep, as in Figure 1.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis import metrics
from harness.analysis.bootstrap import Resampler, percentiles, studentised
from harness.analysis.intervals import (
    Interval,
    row_means,
    share_interval,
    shrunk_bounds,
    t_value,
    typical_size,
    z_value,
)
from harness.analysis.settings import Cell, setup_of
from harness.config import Budget

Floats = NDArray[np.float64]
NAN = float("nan")
SLOPES_AT_ONCE = 200  # resamples
MORE_TOKENS = re.compile(r"for (-?\d+) more thinking tokens")  # in the note of `flips`
METHOD_NAMES = {
    "budget_forcing": "BF",
    "token_conditional": "TCC",
    "step_conditional": "SCC",
    "class_conditional": "CCC",
    "rejection_sampling": "RS",
    "no_thinking": "no thinking",
    "rebase": "REBASE",
    "completion_cap": "capped",
}


@dataclass(frozen=True)
class Sweep:
    """Cells of one method, ordered by their mean thinking tokens; `cells` index into the loaded cells."""

    study: str
    model: str
    recipe: str
    task: str
    method: str
    force: bool
    ignore_str: str | None
    cells: tuple[int, ...]
    figures: dict[str, Interval]

    @property
    def label(self) -> str:
        """The paper's short name: BF, TCC, TCC+BF, ..."""
        name = METHOD_NAMES.get(self.method, self.method)
        return name + ("+BF" if self.force and self.method.endswith("_conditional") else "")


def find_sweeps(cells: Sequence[Cell], resamplers: dict[str, Resampler]) -> list[Sweep]:
    """Every sweep with its figures. Runs that ignore with another string than the usual one are no part of a sweep."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for i, cell in enumerate(cells):
        if cell.method != "no_thinking":
            same = (cell.study, cell.model, cell.recipe, cell.task, cell.method, cell.force)
            groups[(*same, *_else(cell))].append(i)
    found = []
    for key, members in groups.items():
        string = _usual_string([cells[i] for i in members])
        kept = [i for i in members if not cells[i].num_ignores or cells[i].ignore_str == string]
        kept.sort(key=lambda i: (np.nan_to_num(cells[i].mean("thinking_tokens"), nan=-1), cells[i].num_ignores))
        chosen = [cells[i] for i in kept]
        figures = sweep_figures(chosen, list(cells), resamplers[str(key[3])])
        first = chosen[0]
        names = (first.study, first.model, first.recipe, first.task, first.method)
        found.append(Sweep(*names, first.force, string, tuple(kept), figures))
    return found


def _else(cell: Cell) -> tuple[object, ...]:
    """What of a cell's configuration has to agree in a sweep, beside the length of thought that it sweeps over."""
    budget = cell.budget
    return (
        budget.min_thinking_tokens,
        budget.max_attempts,
        budget.stop_on_loop,
        budget.compat,
        budget.reward,
        budget.reward_temperature,
        setup_of(cell.config),
    )


def sweep_figures(sweep: Sequence[Cell], all_cells: Sequence[Cell], resampler: Resampler) -> dict[str, Interval]:
    """Control, Scaling in both units, the least-squares slopes, Performance and |A| of cells ordered by tokens."""
    tokens = np.column_stack([cell.means["thinking_tokens"] for cell in sweep])
    right = np.column_stack([cell.accuracy for cell in sweep])
    a, f = _column_means(tokens), _column_means(right)
    drawn_a, drawn_f = resampler.means(tokens).astype(np.float64), resampler.means(right).astype(np.float64)
    n = int((~np.isnan(right)).any(axis=1).sum())
    figures = {"num_settings": Interval(float(len(sweep)), num_problems=n)}
    limits, note = _limits(sweep, all_cells)
    held = Interval(_control(a[None], limits)[0], *percentiles(_control(drawn_a, limits)), note, n)
    if held.low == held.high:
        held = Interval(held.mean, note="; ".join(text for text in (note, "the same in every resample") if text)).over(
            n
        )
    figures["control"] = held
    corrected, low, high = best_of(right, drawn_f)
    figures["performance"] = Interval(metrics.performance(f), low, high, "the best of the sweep, biased upwards", n)
    figures["performance_corrected"] = Interval(corrected, low, high, "the best, less what chance adds to it", n)
    units: tuple[metrics.Per, ...] = ("doubling", "1k_tokens")
    for per in units:
        detail = metrics.scaling_detail(a, f, per)
        usable = np.flatnonzero(np.isfinite(a) & np.isfinite(f) & ((a > 0) | (per == "1k_tokens")))
        # A pair that ties in the data has no slope there, so it must not enter in the resamples where it does not tie.
        kept = ~np.isnan(metrics.pairwise_slopes(a[None, usable], f[None, usable], per)[0])
        draws = _mean_slopes(drawn_a[:, usable], drawn_f[:, usable], kept, per) if kept.any() else np.empty(0)
        interval = percentiles(draws)
        figures[f"scaling_per_{per}"] = Interval(detail.value, *interval, detail.note, n)
        figures[f"scaling_ols_per_{per}"] = slope_interval(tokens[:, usable], right[:, usable], per)
    return figures


def _mean_slopes(tokens: Floats, accuracies: Floats, kept: NDArray[np.bool_], per: metrics.Per) -> Floats:
    """(resamples,) mean slope over the kept pairs of (resamples, settings), in blocks that fit a cache."""
    blocks = [slice(start, start + SLOPES_AT_ONCE) for start in range(0, len(tokens), SLOPES_AT_ONCE)]
    slopes = (metrics.pairwise_slopes(tokens[block], accuracies[block], per) for block in blocks)
    return np.concatenate([row_means(of_block[:, kept]) for of_block in slopes])


def best_of(right: Floats, drawn: Floats) -> tuple[float, float, float]:
    """The accuracy of the best setting without what chance adds, and its interval.

    What chance adds to the largest of several means is measured on the resamples, around settings that differ by no
    more than their spread exceeds their noise. The lower bound is the best of simultaneous lower bounds (no setting
    is that good by chance alone), the upper one is that of the corrected value.

    Args:
        right: (problems, settings) scores, NaN where missing.
        drawn: (resamples, settings) means of resampled problems.

    Returns:
        The corrected value and its bounds; NaN without a scored setting.
    """
    f = _column_means(right)
    usable = ~np.isnan(f)
    if usable.sum() < 2:
        alone = share_interval(right[:, usable.argmax()])
        return alone.mean, alone.low, alone.high
    f, right = f[usable], right[:, usable]
    noise = np.nan_to_num(drawn[:, usable] - f)
    best = int(f.argmax())
    spread, chance = f.var(ddof=1), (noise - noise.mean(axis=1, keepdims=True)).var(axis=0).mean()
    kept = np.sqrt(max(1 - chance / spread, 0.0)) if spread > 0 else 0.0
    centres = f.mean() + kept * (f - f.mean())
    corrected = float(f[best] - ((centres + noise).max(axis=1).mean() - centres.max()))
    # Two right and two wrong problems are added, as Agresti and Coull do: 30 of 30 is no certainty.
    num = (~np.isnan(right)).sum(axis=0) + 4
    shrunk = (np.nansum(right, axis=0) + 2) / num
    error = np.sqrt(((np.nansum(right**2, axis=0) + 2) / num - shrunk**2) / num)
    deviation = noise.std(axis=0)
    varies = deviation > 0
    together = np.percentile((noise[:, varies] / deviation[varies]).max(axis=1), 97) if varies.any() else 0.0
    low = float((shrunk - max(float(together), z_value(0.9)) * error).max())
    high = corrected + z_value() * float(error[best])
    return corrected, max(min(low, corrected), 0.0), min(max(high, float(f[best])), 1.0)


def slope_interval(tokens: Floats, right: Floats, per: metrics.Per) -> Interval:
    """The least-squares slope of accuracy over tokens with its interval.

    Each problem moves the slope by its scores and its tokens; these moves, to first order, are treated as differences
    are (`shrunk_bounds`).

    Args:
        tokens: (problems, settings) thinking tokens, NaN where missing.
        right: (problems, settings) scores.
        per: unit of the slope.
    """
    whole = ~np.isnan(tokens).any(axis=1) & ~np.isnan(right).any(axis=1)
    a, f = _column_means(tokens), _column_means(right)
    slope, n = metrics.least_squares_slope(a, f, per), int(whole.sum())
    if np.isnan(slope) or n < 2:
        return Interval(slope, note="" if np.isnan(slope) else f"no interval: {n} problem(s) with every setting")
    x = np.log2(a) if per == "doubling" else a / 1000
    x = x - x.mean()
    weights = x / (x**2).sum()
    by_x = ((f - f.mean()) - 2 * slope * x) / (x**2).sum()
    by_token = by_x / (a * np.log(2)) if per == "doubling" else by_x / 1000
    steps = right[whole] @ weights  # a problem's own slope at these lengths
    moves = steps - float(f @ weights) + (tokens[whole] - a) @ by_token
    largest = float(weights[weights > 0].sum())  # wrong at every shorter length, right at every longer one
    scale = (typical_size(steps, largest) + largest) / 2
    low, high = shrunk_bounds(moves, scale, 0.5, t_value(n - 1))
    return Interval(slope, slope + low, slope + high, num_problems=n)


def _limits(sweep: Sequence[Cell], all_cells: Sequence[Cell]) -> tuple[list[tuple[float, float]], str]:
    """(low, high) limits of each cell's mean thinking tokens, by the method's rule in App. E.1; NaN: unknown."""
    limits, notes = [], []
    for cell in sweep:
        low, high = -np.inf, np.inf
        if cell.method == "token_conditional":
            high = _number(cell.instructed)
        elif cell.method == "step_conditional":
            high = _number(cell.instructed) * metrics.TOKENS_PER_STEP
        elif cell.method == "class_conditional":
            baseline = _baseline_tokens(cell, all_cells)
            if np.isnan(baseline):
                notes.append("no un-prompted run to compare with")
            # strict on both sides: short must be below the un-prompted run, long above it
            low, high = (
                (-np.inf, np.nextafter(baseline, 0))
                if cell.instructed == "short"
                else (np.nextafter(baseline, np.inf), np.inf)
            )
        elif cell.max_thinking_tokens is not None:
            high = float(cell.max_thinking_tokens)
        else:
            high = cell.mean("budget_tokens")  # auto: what the context left, on average
        if np.isnan(cell.mean("thinking_tokens")):
            notes.append("a run without a token count")
        elif np.isnan(low) or np.isnan(high):
            notes.append("a run without a limit")
        limits.append((low, high))
    return limits, "; ".join(dict.fromkeys(notes))


def _control(tokens: Floats, limits: list[tuple[float, float]]) -> Floats:
    """(R, A) run means -> (R,) Control; NaN when a count or a limit is unknown."""
    low, high = np.array(limits).T
    inside = ((tokens >= low) & (tokens <= high + 1e-9)).astype(float)
    inside[np.isnan(tokens) | np.isnan(low) | np.isnan(high)] = np.nan
    means: Floats = inside.mean(axis=1)
    return means


def _baseline_tokens(cell: Cell, cells: Sequence[Cell]) -> float:
    """Mean thinking tokens of the same model's plain run on the same task, NaN without one."""
    for other in cells:
        same = (other.study, other.model, other.recipe, other.task) == (cell.study, cell.model, cell.recipe, cell.task)
        if same and other.budget == Budget():
            return other.mean("thinking_tokens")
    return NAN


def flips(before: Cell, after: Cell) -> dict[str, Interval]:
    """Answers that one more Wait turned: right to wrong and wrong to right, as shares of the paired problems."""
    x, y = before.accuracy, after.accuracy
    both = ~np.isnan(x) & ~np.isnan(y)
    if not both.any():
        return {}
    reference = f"num_ignores={before.num_ignores}"
    extra = after.mean("thinking_tokens") - before.mean("thinking_tokens")
    figures = {}
    for name, change in (("right_to_wrong", x - y), ("wrong_to_right", y - x)):
        shares = np.where(both, np.maximum(change, 0), np.nan)
        note = f"{np.nansum(shares):g} of {int(both.sum())} problems"
        note += f", for {extra:.0f} more thinking tokens each" if extra == extra else ""
        figures[f"flips_{name}"] = share_interval(shares).over(int(both.sum()), reference, note)
    return figures


def first_correct(sweep: Sequence[Cell], resampler: Resampler) -> dict[str, Interval]:
    """Where a problem is first solved: the tokens of the shortest setting that solves it (cells ordered by tokens)."""
    right = np.column_stack([cell.accuracy for cell in sweep]) > 0.5  # NaN compares false
    tokens = np.column_stack([cell.means["thinking_tokens"] for cell in sweep])
    known = np.column_stack([~np.isnan(cell.accuracy) for cell in sweep]).any(axis=1)
    solved = right.any(axis=1)
    first = np.where(solved, tokens[np.arange(len(tokens)), right.argmax(axis=1)], np.nan)
    ever = np.where(known, solved.astype(float), np.nan)
    note = f"over the {int(solved.sum())} of {int(known.sum())} problems that some setting solves"
    length = studentised(first, resampler)[0]
    return {
        "first_correct_tokens": length.over(int(solved.sum()), note=note),
        "ever_correct": share_interval(ever),
    }


def _usual_string(cells: Sequence[Cell]) -> str | None:
    """The ignore string of most waits, None where ends are only suppressed; "Wait" wins a tie."""
    strings = [cell.ignore_str for cell in cells if cell.num_ignores]
    return max(strings, key=lambda s: (strings.count(s), s == "Wait", s is not None)) if strings else None


def _column_means(matrix: Floats) -> Floats:
    return row_means(matrix.T)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return NAN
