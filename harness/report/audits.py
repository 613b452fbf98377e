"""`harness audit` as a table: one row a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.checked import from_plain
from harness.config import Budget
from harness.records import setting
from harness.report.tables import MISSING, Column, Table, number

if TYPE_CHECKING:
    from harness.runtime.audit import RunAudit

COLUMNS = (
    Column("recipe"),
    Column("task"),
    Column("setting"),
    Column("rows", numeric=True),
    Column("greedy", numeric=True, help="rows whose sampled tokens are all the checkpoint's most likely ones"),
    Column("near ties", numeric=True, help="of these, rows that rest on a tie within rounding"),
    Column("worst gap, nats", numeric=True, help="how far the worst sampled token lies below the most likely one"),
    Column("where"),
    Column("faults", numeric=True),
)


def audit_table(audits: Sequence[RunAudit]) -> Table:
    """Every run, and below the table every fault."""
    table = Table("audit", "Audit: stored rows held against their checkpoints by plain transformers", list(COLUMNS))
    for run in audits:
        budget = from_plain(Budget, run.config["budget"], f"run {run.run_id}: budget: ")
        worst = run.worst
        compared = run.not_audited is None and worst is not None
        table.add(
            run.recipe,
            run.task,
            setting(budget),
            number(len(run.rows), 0),
            number(run.num_greedy, 0) if compared else MISSING,
            number(run.num_near_ties, 0) if compared else MISSING,
            f"{worst.gap:.2g}" if compared and worst else MISSING,
            f"{worst.problem_id}: {worst.place}" if compared and worst and worst.gap > 0 else MISSING,
            number(len(run.faults), 0),
        )
        if run.not_audited:
            table.notes.append(f"{run.recipe}, {run.task}, {setting(budget)} not compared: {run.not_audited}")
        table.notes += [f"{run.recipe}, {run.task}, {setting(budget)}: {fault}" for fault in run.faults]
    return table
