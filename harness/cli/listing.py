"""What there is: the commands `harness tasks` and `harness studies`."""

from __future__ import annotations

import ast
import math
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.exits import SOME_RUNS_FAILED, stop
from harness.cli.group import data_option
from harness.errors import UserError

if TYPE_CHECKING:
    from harness.records import Problem
    from harness.report.tables import Table
    from harness.tasks import Task


OTHER_NUMBER, OTHER_LETTER = "0.01734", "Z"  # answers that no problem has


@click.command()
@click.argument("names", nargs=-1, metavar="[TASK]...")
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


@click.command()
def studies() -> None:
    """List the studies of ablations/, here and in the package: what `harness ablate` takes, and their hypotheses."""
    for name, summary in _studies():
        click.echo(name)
        click.echo(textwrap.fill(summary, 96, initial_indent="    ", subsequent_indent="    "))


def _studies() -> Iterator[tuple[str, str]]:
    """Each study's name as `harness ablate` takes it, and the first paragraph of its docstring; no file is run."""
    from harness.studies.load import study_files

    for stem, path in sorted(study_files().items()):
        try:
            module = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError) as error:
            yield stem, f"{path} cannot be read: {str(error).splitlines()[0]}"
            continue
        for statement in module.body:
            if isinstance(statement, ast.FunctionDef) and _is_study(statement):
                text = ast.get_docstring(statement) or ast.get_docstring(module) or ""
                name = stem if statement.name == stem else f"{stem}:{statement.name}"
                yield name, " ".join(text.split("\n\n")[0].split())


def _is_study(function: ast.FunctionDef) -> bool:
    returned = ast.unparse(function.returns) if function.returns else ""
    return (
        not function.name.startswith("_") and not function.args.args and returned.split(".")[-1].strip("'\"") == "Study"
    )


def _show(table: Table) -> None:
    from harness.console import plain_console
    from harness.report.terminal import rendered

    plain_console().print(rendered(table))
