"""What there is: the commands `harness tasks` and `harness studies`."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli import complete
from harness.cli.exits import SOME_RUNS_FAILED, say, stop
from harness.cli.group import data_option, reading_of, reading_options
from harness.errors import UserError

if TYPE_CHECKING:
    from harness.config import TaskReading
    from harness.questions import Kind
    from harness.records import Problem
    from harness.report.tables import Table


OTHER_NUMBER, OTHER_LETTER = "0.01734", "Z"  # answers that no problem has


@click.command(short_help="List the tasks, or read some from outside.")
@click.argument("names", nargs=-1, metavar="[TASK]...", shell_complete=complete.tasks)
@click.option("--validate", is_flag=True, help="Read the tasks: every gold has to pass its own grader.")
@reading_options
@data_option
def tasks(
    names: tuple[str, ...],
    validate: bool,
    columns: tuple[str, ...],
    kind: Kind | None,
    template: str,
    shuffle_choices: bool,
    data_dir: Path | None,
) -> None:
    """List the built-in tasks, or TASKs: also FILE.jsonl, hub:ORG/NAME, lm-eval:NAME.

    With --validate or --data-dir they are read, and every gold answer has to pass its own grader; tasks from outside
    are always read.
    """
    from harness.report.tables import Column, Table, number
    from harness.tasks import TASKS
    from harness.tasks import names as known

    reading = reading_of(columns, kind, template, shuffle_choices)
    found = known(names, data_dir) or tuple(TASKS)
    table = Table("tasks", "", [Column("task"), Column("answers"), Column("problems", numeric=True), Column("from")])
    if not (validate or data_dir or any(name not in TASKS for name in found)):
        for task in (TASKS[name] for name in found):
            table.add(task.name, task.kind, number(task.num_problems or math.nan, 0), task.hub or "generated here")
        _show(table)
        return
    table.columns.append(Column("golds that pass", numeric=True))
    faults = _read_into(table, found, data_dir, reading)
    _show(table)
    if faults:
        stop("; ".join(faults[:5]) + (f"; {len(faults) - 5} more" if len(faults) > 5 else ""), SOME_RUNS_FAILED)


def _read_into(table: Table, found: tuple[str, ...], data_dir: Path | None, reading: TaskReading) -> list[str]:
    """Add a row per task that could be read, and say what is wrong with the others and with single golds.

    Raises:
        UserError: a task from outside cannot be read: it is what the command was asked for.
    """
    from harness.report.tables import Entry, number
    from harness.tasks import TASKS, read

    faults = []
    for spec in found:
        try:
            one = read(spec, data_dir, reading=reading)
        except UserError as error:
            if spec not in TASKS:
                raise
            table.add(spec, TASKS[spec].kind, Entry("–"), TASKS[spec].file if data_dir else TASKS[spec].hub, Entry("–"))
            faults.append(str(error))
            continue
        failed = _failed(one.problems)
        place = one.source.get("file") or one.source.get("hub") or one.source.get("lm_eval") or "generated here"
        kinds = "/".join(dict.fromkeys(problem.kind for problem in one.problems))
        table.add(one.name, kinds, number(len(one.problems), 0), place, number(len(one.problems) - len(failed), 0))
        faults += [f"{one.name}: the gold answer of {name} does not pass its own grader" for name in failed]
    return faults


def _failed(problems: list[Problem]) -> list[str]:
    """The ids of the problems whose gold is not read: it must be met by itself alone."""
    from harness.grading import grade_answer

    def passes(problem: Problem) -> bool:
        other = OTHER_LETTER if problem.kind == "choice" else OTHER_NUMBER
        mine, wrong = (
            grade_answer(answer, problem.gold, problem.kind, choices=problem.choices)
            for answer in (problem.gold.partition("\n")[0], other)
        )
        whole = problem.kind != "integer" or problem.gold.replace(",", "").strip().lstrip("-").isdigit()
        return mine.status == "correct" and wrong.status in ("incorrect", "no_answer") and whole

    return [problem.id for problem in problems if not passes(problem)]


@click.command(short_help="List the studies and their hypotheses.")
def studies() -> None:
    """List the studies of ablations/, here and in the package: what `harness ablate` takes, and their hypotheses."""
    from harness.studies.listing import found_studies

    for name, *told in found_studies():
        say(name)
        for one in filter(None, told):
            say(textwrap.fill(one, 96, initial_indent="    ", subsequent_indent="    "))


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
