"""The variance between runs (seeds) of one setting, shared by the recipes that were trained and run alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from harness.analysis.settings import Cell
from harness.analysis.variance import NO_RUNS, RunVariance, mean_squares, pooled

UNTRAINED = ("base", "published")


def run_variances(cells: Sequence[Cell]) -> list[RunVariance]:
    """For each cell the variance between its runs (seeds), pooled over the recipes of its study, task and setting.

    Two seeds of one recipe tell their variance with one degree of freedom; of four recipes with four. A trained recipe
    that ran with one seed has the variance of the others; a model that was not trained here has its own or none.
    """
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for i, cell in enumerate(cells):
        untrained = cell.model if cell.recipe in UNTRAINED else ""
        groups[cell.study, cell.task, cell.budget, untrained].append(i)
    found = [NO_RUNS] * len(cells)
    for members in groups.values():
        layouts = {i: layout for i in members if (layout := mean_squares(cells[i].correct))}
        if layouts:
            together = pooled(list(layouts.values()))
            for i in members:
                found[i] = together
    return found
