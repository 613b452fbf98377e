"""Tables of one recipe's settings: budgets, methods, and what was said where thinking wanted to end. Percent; 95 %."""

from __future__ import annotations

from typing import Any

from harness.analysis.measure import Measured
from harness.analysis.settings import setting_name
from harness.analysis.sweeps import MORE_TOKENS
from harness.report import paper
from harness.report.names import recipe_order, row_name
from harness.report.numbers import in_percent
from harness.report.study_cells import every_setting, setting_order
from harness.report.tables import MISSING, Column, Entry, Table, number, percent, sortable


def sweep_table(measured: Measured, study: str, task: str) -> Table:
    """Accuracy at every budget and wait, one row a setting, one column a recipe. Empty with a single setting."""
    cells = measured.cells.cells
    members = [i for i, c in enumerate(cells) if (c.study, c.task) == (study, task)]
    by_row: dict[tuple[Any, str], dict[str, int]] = {}
    names: list[str] = []
    for i in sorted(members, key=recipe_order(measured)):
        cell = cells[i]
        name = row_name(cell, cells)
        names += [name] if name not in names else []
        by_row.setdefault((setting_order(cell), setting_name(cell)), {})[name] = i
    table = Table(
        f"sweep_{study}_{task}",
        f"{task}: accuracy by thinking budget",
        [Column("setting"), *(Column(name, True) for name in names)],
        caption="Percent, with 95 % intervals.",
    )
    if len(by_row) < 2:
        return table  # its one row stands in the table before
    for (_, setting), found in sorted(by_row.items(), key=lambda item: item[0]):
        table.add(
            Entry(setting, len(table.rows)),
            *(percent(table, measured.figures[found[n]]["accuracy"]) if n in found else Entry(MISSING) for n in names),
        )
    return table


def method_table(measured: Measured, study: str, task: str) -> Table:
    """Control, Scaling in both units, Performance and |A| of every sweep, beside the paper's Table 3."""
    cells = measured.cells.cells
    sweeps = [s for s in measured.sweeps if (s.study, s.task) == (study, task) and len(s.cells) > 1]
    sweeps.sort(key=lambda s: recipe_order(measured)(s.cells[0]))
    with_paper = any(paper.method_entry(s.label, task) for s in sweeps)
    table = Table(
        f"methods_{study}_{task}",
        f"{task}: does the method control and scale thinking?",
        [
            Column("recipe"),
            Column("method"),
            Column("Control %", True),
            Column("points per doubling", True),
            Column("least squares", True, "least-squares slope in points per doubling"),
            Column("points per 1K tokens", True),
            Column("least squares", True, "least-squares slope in points per 1,000 tokens"),
            Column("Performance", True, "the best setting's accuracy, which chance raises"),
            Column("less chance", True, "the same, less what chance adds to the best of several"),
            Column("|A|", True),
        ]
        + ([Column("paper")] if with_paper else []),
        caption="Scaling: mean slope over all pairs of runs, in percentage points per doubling of thinking tokens (the "
        "paper's Table 3) and per 1,000 tokens (its Eq. 2); beside each the least-squares slope, which near ties leave "
        "alone. Performance: the best setting, as in the paper, and less what chance adds to the best of several.",
    )
    for sweep in sweeps:
        name, printed = row_name(cells[sweep.cells[0]], cells), paper.method_entry(sweep.label, task)
        figures = sweep.figures
        table.add(
            name,
            sweep.label,
            percent(table, figures["control"]),
            percent(table, figures["scaling_per_doubling"]),
            percent(table, figures["scaling_ols_per_doubling"]),
            percent(table, figures["scaling_per_1k_tokens"]),
            percent(table, figures["scaling_ols_per_1k_tokens"]),
            number(100 * figures["performance"].mean),
            percent(table, figures["performance_corrected"]),
            number(figures["num_settings"].mean, 0),
            *([paper.printed_method(printed) or MISSING] if with_paper else []),
        )
    return table


def extrapolation_table(measured: Measured, study: str, task: str) -> Table:
    """Which string to put where thinking wanted to end (the paper's Table 4). Empty without two strings to compare."""
    cells = measured.cells.cells
    waits = [i for i, c in enumerate(cells) if (c.study, c.task) == (study, task) and c.num_ignores > 0]
    strings = {cells[i].ignore_str for i in waits}
    table = Table(
        f"extrapolation_{study}_{task}",
        f"{task}: what to say when thinking wants to end",
        [
            Column("recipe"),
            Column("string"),
            Column("times", True),
            Column("accuracy", True),
            Column("thinking", True),
            Column("paper"),
        ],
    )
    if len(strings) < 2:
        return table
    for i in sorted(waits, key=lambda i: (recipe_order(measured)(i), cells[i].num_ignores, cells[i].ignore_str or "")):
        cell = cells[i]
        table.add(
            row_name(cell, cells),
            cell.ignore_str or "(nothing)",
            number(cell.num_ignores, 0),
            percent(table, measured.figures[i]["accuracy"]),
            number(measured.figures[i]["mean_thinking_tokens"].mean, 0),
            paper.extrapolation_entry(cell.num_ignores, cell.ignore_str, task) or MISSING,
        )
    return table


def flips_table(measured: Measured, study: str, task: str) -> Table:
    """Answers that each further Wait turned, and what it cost."""
    cells = measured.cells.cells
    table = Table(
        f"flips_{study}_{task}",
        f"{task}: what each Wait turns",
        [
            Column("recipe"),
            Column("setting"),
            Column("wrong to right", True),
            Column("right to wrong", True),
            Column("net", True),
            Column("tokens each", True),
        ],
        caption="Share of problems whose answer the last Wait changed, against the run with fewer; percent.",
    )
    for i in every_setting(measured, study, task):
        figures = measured.figures[i]
        if "flips_wrong_to_right" in figures:
            won, lost = figures["flips_wrong_to_right"], figures["flips_right_to_wrong"]
            table.add(
                row_name(cells[i], cells),
                setting_name(cells[i]),
                percent(table, won),
                percent(table, lost),
                Entry(in_percent(won.mean - lost.mean, signed=True), sortable(won.mean - lost.mean)),
                Entry(cost[1] if (cost := MORE_TOKENS.search(won.note)) else MISSING),
            )
    return table
