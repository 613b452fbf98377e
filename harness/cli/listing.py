"""What there is: the commands `harness tasks` and `harness studies`."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import complete
from harness.cli.exits import SOME_RUNS_FAILED, say, stop
from harness.cli.group import data_option
from harness.errors import UserError

if TYPE_CHECKING:
    from harness.records import Problem
    from harness.report.tables import Table
    from harness.tasks import Task


OTHER_NUMBER, OTHER_LETTER = "0.01734", "Z"  # answers that no problem has


@click.command()
@click.argument("names", nargs=-1, metavar="[TASK]...", shell_complete=complete.tasks)
@data_option
def tasks(names: tuple[str, ...], data_dir: Path | None) -> None:
    """List the tasks. With --data-dir their files are read, and every gold answer has to pass its own grader."""
    from harness.report.tables import Column, Entry, Table, number
    from harness.tasks import TASKS, get

    found = [get(name) for name in names] or list(TASKS.values())
    table = Table("tasks", "", [Column("task"), Column("answers"), Column("problems", numeric=True), Column("from")])
    if data_dir is None:
        for task in found:
            table.add(task.name, task.kind, number(task.num_problems or math.nan, 0), task.hub or "generated here")
        _show(table)
        return
    table.columns.append(Column("golds that pass", numeric=True))
    faults = []
    for task in found:
        try:
            total, failed = _checked(task, data_dir)
        except UserError as error:
            table.add(task.name, task.kind, Entry("–"), task.local, Entry("–"))
            faults.append(str(error))
            continue
        table.add(
            task.name, task.kind, number(total, 0), task.local or "generated here", number(total - len(failed), 0)
        )
        faults += [f"{task.name}: the gold answer of {name} does not pass its own grader" for name in failed]
    _show(table)
    if faults:
        stop("; ".join(faults[:5]) + (f"; {len(faults) - 5} more" if len(faults) > 5 else ""), SOME_RUNS_FAILED)


def _checked(task: Task, data_dir: Path) -> tuple[int, list[str]]:
    """The number of problems of a task, and the ids of those whose gold is not read: it must be met by itself alone."""
    from harness.grading import grade_answer
    from harness.tasks import load

    def passes(problem: Problem) -> bool:
        other = OTHER_LETTER if problem.kind == "choice" else OTHER_NUMBER
        mine, wrong = (
            grade_answer(answer, problem.gold, problem.kind, choices=problem.choices)
            for answer in (problem.gold, other)
        )
        whole = problem.kind != "integer" or problem.gold.replace(",", "").strip().lstrip("-").isdigit()
        return mine.status == "correct" and wrong.status in ("incorrect", "no_answer") and whole

    problems = load(task.name, data_dir)
    return len(problems), [problem.id for problem in problems if not passes(problem)]


@click.command(short_help="List the studies and their hypotheses.")
def studies() -> None:
    """List the studies of ablations/, here and in the package: what `harness ablate` takes, and their hypotheses."""
    from harness.studies.listing import found_studies

    for name, summary in found_studies():
        say(name)
        say(textwrap.fill(summary, 96, initial_indent="    ", subsequent_indent="    "))


@click.command(short_help="List the models that are on this machine.")
def models() -> None:
    """List the models that are here: the one that ships, those trained in results/runs, and the hub's cache."""
    from harness.studies.models import here

    for one in here():
        say(one.name)
        say(f"    {one.source}, {one.num_bytes / 1e6:,.1f} MB of weights")


def _show(table: Table) -> None:
    from harness.console import plain_console
    from harness.report.terminal import rendered

    plain_console().print(rendered(table))
