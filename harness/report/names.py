"""What rows are called, and in which order they stand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.analysis.measure import Measured
from harness.analysis.settings import Cell
from harness.records import short


def recipe_order(measured: Measured) -> Callable[[int], tuple[object, ...]]:
    """Sort key for cells: base first, then recipes by name in the paper's order, then models."""
    known = ("base", "random", "diverse", "longest", "full", "s1k")

    def key(i: int) -> tuple[object, ...]:
        cell = measured.cells.cells[i]
        return (known.index(cell.recipe) if cell.recipe in known else len(known), cell.recipe, cell.model)

    return key


def row_name(cell: Cell, cells: Sequence[Cell]) -> str:
    """How a row is called: its recipe; its model where there is one recipe alone; both where neither tells it apart."""
    peers = [c for c in cells if c.study == cell.study]
    models, recipes = {c.model for c in peers if c.recipe == cell.recipe}, {c.recipe for c in peers}
    name = short(cell.model, {c.model for c in peers})
    if len(recipes) == 1:
        return name if len(models) > 1 or cell.recipe in ("base", "published") else cell.recipe
    return cell.recipe if len(models) == 1 else f"{name} {cell.recipe}"
