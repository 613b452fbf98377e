"""A study's tables: each on one task, or each question over all tasks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from harness.analysis.measure import Measured
from harness.report.budget_tables import extrapolation_table, flips_table, method_table, sweep_table
from harness.report.recipe_tables import (
    accuracy_table,
    breakdown_table,
    position_table,
    recipe_table,
    sequence_table,
    thoughts_table,
)
from harness.report.sampling_tables import compute_table, sampled_table, search_table, selective_table
from harness.report.tables import Table, together

Builder = Callable[[Measured, str, str], Table]
BUILDERS: tuple[Builder, ...] = (
    recipe_table,
    sweep_table,
    method_table,
    flips_table,
    sampled_table,
    selective_table,
    breakdown_table,
    search_table,
    compute_table,
    extrapolation_table,
    sequence_table,
    position_table,
)


# In Markdown, where no board of accuracies stands before the tables.
WRITTEN = (accuracy_table, thoughts_table, *BUILDERS[1:])


def all_tables(measured: Measured, study: str, task: str) -> list[Table]:
    """The tables of one study on one task that have rows."""
    return [table for build in BUILDERS if (table := build(measured, study, task)).rows]


def questions(measured: Measured, study: str, tasks: Sequence[str], asked: Sequence[Builder] = BUILDERS) -> list[Table]:
    """The tables of one study, one per question in `asked` over all of its tasks."""
    found = []
    for build in asked:
        of_task = {task: table for task in tasks if (table := build(measured, study, task)).rows}
        if of_task:
            (task, first), *_ = of_task.items()
            title = first.title.removeprefix(f"{task}: ")
            name = first.id.removesuffix(f"_{study}_{task}")
            found.append(together(of_task, f"{name}_{study}", title[:1].upper() + title[1:]))
    return found


def studies(measured: Measured) -> list[tuple[str, list[str]]]:
    """(study, its tasks) in order."""
    pairs = sorted({(c.study, c.task) for c in measured.cells.cells})
    firsts = [pairs[0], *(b for a, b in pairwise(pairs) if a[0] != b[0])] if pairs else []
    return [(study, [t for s, t in pairs if s == study]) for study, _ in firsts]
