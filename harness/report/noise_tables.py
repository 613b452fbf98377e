"""What `harness noise` prints."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, sqrt
from typing import TYPE_CHECKING

from harness.analysis.intervals import Interval
from harness.analysis.measure import is_headline
from harness.analysis.noise import Noise, purchases
from harness.analysis.settings import setting_name
from harness.report.numbers import bounds, shown
from harness.report.tables import MISSING, Column, Entry, Table, number
from harness.report.terminal import rendered
from harness.studies.cost import DOLLARS_PER_GPU_HOUR, TOKENS_PER_GPU_SECOND

if TYPE_CHECKING:
    from rich.console import Group


def noise_tables(found: Sequence[Noise], difference: float, num_comparisons: int) -> list[Table]:
    """The components, what this grid sees, and what would see `difference` (a fraction), with its cost.

    What to buy is said at the headline setting alone, where there is one.
    """
    headline = [one for one in found if is_headline(one.setting)] or found
    return [_components(found, num_comparisons), *(_purchases(one, difference, num_comparisons) for one in headline)]


def noise_group(found: Sequence[Noise], difference: float, num_comparisons: int) -> Group:
    """The same for a terminal."""
    from rich.console import Group

    return Group(*(rendered(table) for table in noise_tables(found, difference, num_comparisons)))


def _components(found: Sequence[Noise], num_comparisons: int) -> Table:
    family = f", Holm over {num_comparisons}" if num_comparisons > 1 else ""
    table = Table(
        "noise",
        "Noise of one score, standard deviations in points",
        [
            Column("task"),
            Column("recipe"),
            Column("setting"),
            Column("problem", True),
            Column("seed", True),
            Column("seed on a problem", True),
            Column("draw", True),
            Column("sees", True, "the difference of two recipes that this grid shows"),
        ],
        caption=f"Sees: the difference of two recipes that as many problems, seeds and samples show (80 % power, "
        f"95 % level{family}). The problems' part cancels in it. Where the draw is not known (–: one sample per "
        "problem, or unequally many) it is in the part before it.",
    )
    for one in found:
        seen = one.detectable(one.num_problems, one.num_seeds, one.num_samples, num_comparisons)
        table.add(
            one.task,
            one.recipe,
            setting_name(one.setting),
            _points(table, one.problem),
            _points(table, one.seed),
            number(100 * sqrt(one.both)),
            _points(table, one.sampling),
            number(100 * seen),
        )
    table.notes += _grids(found)
    return table


def _grids(found: Sequence[Noise]) -> list[str]:
    """How many seeds, problems and samples the rows rest on: each number once, with the rows it holds for."""
    rows: dict[str, dict[str, list[str]]] = {}
    for one in found:
        samples = f"{one.num_samples} sample{'s' * (one.num_samples > 1)}"
        settings = rows.setdefault(f"{one.num_seeds} seeds, {one.num_problems} problems, {samples} of each", {})
        settings.setdefault(one.task, []).append(setting_name(one.setting))
    if len(rows) == 1:
        return list(rows)
    return [
        f"{grid}: " + "; ".join(f"{task} ({', '.join(dict.fromkeys(names))})" for task, names in tasks.items())
        for grid, tasks in rows.items()
    ]


def _points(table: Table, component: Interval) -> Entry:
    if component.mean != component.mean:
        return Entry(MISSING)
    value, low, high = (100 * sqrt(x) for x in (component.mean, component.low, component.high))
    if not low < high:  # equal bounds would claim certainty
        reason = "no interval: the repeats differ by less than chance, or not at all"
        return Entry(shown(value), value, footnotes=table.footnote(reason))
    return Entry(shown(value), value, bounds(low, high), low=low, high=high)


def _purchases(one: Noise, difference: float, num_comparisons: int) -> Table:
    table = Table(
        f"purchases_{one.task}",
        f"{one.task}, {one.recipe}, {setting_name(one.setting)}: what sees {100 * difference:g} points",
        [
            Column("seeds", True, "trainings of each recipe"),
            Column("samples", True, "of each problem"),
            Column("problems", True),
            Column("sees", True),
            Column("tokens", True, "generated for each recipe"),
            Column("generation", True),
        ],
        caption=f"For each recipe; {TOKENS_PER_GPU_SECOND} tokens per GPU second, ${DOLLARS_PER_GPU_HOUR:g} an hour. "
        "Each seed is one more training.",
    )
    for grid in purchases(one, difference, num_comparisons):
        hours = grid.tokens / TOKENS_PER_GPU_SECOND / 3600
        known = hours == hours
        table.add(
            number(grid.num_seeds, 0),
            number(grid.num_samples, 0),
            number(grid.num_problems, 0),
            number(100 * grid.detectable),
            number(grid.tokens, 0),
            Entry(f"{hours:,.1f} h, ${DOLLARS_PER_GPU_HOUR * hours:,.0f}", hours) if known else Entry(MISSING),
        )
    if isnan(one.error(1, 1, 1)):
        table.notes.append("The repeats do not differ at all: how much others would is not known.")
    elif not table.rows:
        table.notes.append("No grid of up to 64 seeds and 32 samples sees it: it takes more problems.")
    return table
