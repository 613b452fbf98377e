"""Which cells a study's tables are of, in which order, and what they were compared with."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis.measure import Measured
from harness.analysis.settings import Cell
from harness.report.names import recipe_order


def compared_with(measured: Measured, members: Sequence[int]) -> str:
    """What rows were compared with: "reference" if some were with the reference recipe, else "best" (imported logs)."""
    figures = measured.figures
    return "reference" if any("difference_to_reference" in figures[i] for i in members) else "best"


def at_headline(measured: Measured, study: str, task: str) -> list[int]:
    """The cells of a task at the headline setting, in the recipes' order."""
    return sorted((i for key, i in measured.headlines.items() if key[:2] == (study, task)), key=recipe_order(measured))


def every_setting(measured: Measured, study: str, task: str) -> list[int]:
    """The cells of a task by recipe and setting."""
    cells, order = measured.cells.cells, recipe_order(measured)
    members = [i for i, c in enumerate(cells) if (c.study, c.task) == (study, task)]
    return sorted(members, key=lambda i: (order(i), setting_order(cells[i])))


def setting_order(cell: Cell) -> tuple[object, ...]:
    """What settings are sorted by: methods, then thinking budgets, uncapped last, then what was ignored."""
    told = float(cell.instructed) if cell.instructed and cell.instructed.isdigit() else 0.0
    limit = cell.max_thinking_tokens if cell.max_thinking_tokens is not None else 10**12
    return (cell.method != "budget_forcing", cell.method, told, limit, cell.num_ignores, cell.ignore_str or "")
