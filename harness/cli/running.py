"""Running a study from the command line: where its results go, what is printed before and after it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import SOME_RUNS_FAILED, stop

if TYPE_CHECKING:
    from rich.console import Console

    from harness.config import Study


def default_out(name: str) -> Path:
    """results/runs/NAME below the working folder; a submitted Ray job's own folder is temporary, so it uses $HOME."""
    if root := os.environ.get("HARNESS_RESULTS"):
        return Path(root) / name
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return Path.home() / "s1-harness-results" / name
    return Path("results") / "runs" / name


def show_plan(study: Study, data_dir: Path | None, out: Path | None = None, called: str = "base") -> None:
    """Print `--dry-run`, the base model under the name `called`.

    Raises:
        UserError: a pool that is here cannot be trained on.
    """
    from harness import tasks
    from harness.console import plain_console
    from harness.report.plan import planned_table

    pools: dict[str, int] = {}
    notes: list[str] = []
    if study.recipes:
        from harness.studies import preparation

        read = preparation.local_pools(study, data_dir)
        pools = {name: loaded.num_traces for name, loaded in read.items()}
        notes = [
            *preparation.pool_notes(study, read),
            *preparation.batch_notes(study, read),
            preparation.disk_note(study, out or default_out(study.name)),
        ]
    sizes = {}
    for name in study.tasks:
        if data_dir or not tasks.get(name).num_problems:
            sizes[name] = len(tasks.load(name, data_dir, study.seed, study.max_problems))
        else:
            sizes[name] = min(tasks.get(name).num_problems, study.max_problems or tasks.get(name).num_problems)
    plain_console().print(planned_table(study, sizes, pools, notes, called))


def run_study(study: Study, out: Path, data_dir: Path | None, audited: int = 0, others: Sequence[Study] = ()) -> None:
    """Run a study, print and write its leaderboard, and audit some rows of each run.

    `others`: the same study of other base models, into the same folder. Exits with 1 when runs failed or a row does not
    hold.
    """
    from harness.console import plain_console
    from harness.logs import quiet_libraries
    from harness.progress import Progress, clock
    from harness.report import leaderboard
    from harness.runtime.pipeline import ablate as run

    quiet_libraries()
    console = plain_console()
    outcome = run(study, out, data_dir, Progress(console), *others)
    files: list[Path] = []
    if outcome.measured is not None:
        console.print(leaderboard.terminal([out], measured=outcome.measured))
    if outcome.num_kept == outcome.num_runs and not outcome.failures:
        console.print(f"Nothing to do: all {outcome.num_runs} runs were finished before ({clock(outcome.seconds)}).")
    else:
        kept = f"; {outcome.num_kept} were finished before" if outcome.num_kept else ""
        console.print(f"{outcome.num_runs} runs, {outcome.num_samples:,} new samples in {clock(outcome.seconds)}{kept}")
    faults: list[str] = []
    if outcome.measured is not None:
        try:  # before the page is written, which tells what the audit said
            faults = audit_line(out, audited, console) if audited else []
        finally:
            files = leaderboard.write([out], out, measured=outcome.measured)
    written = ", ".join(sorted({file.name for file in files})) or "no sample yet"
    console.print(f"Results in {out.resolve()}: {written}", soft_wrap=True)
    if outcome.failures:
        names = ", ".join(outcome.failures)
        stop(f"failed: {names}; the other runs are kept, the same command tries them again", SOME_RUNS_FAILED)
    if faults:
        stop(f"the audit found {len(faults)} faults; `harness audit {out}` lists them", SOME_RUNS_FAILED)


def audit_line(out: Path, num_rows: int, console: Console) -> list[str]:
    """Print the audit of `num_rows` rows per run in one line, and the first faults; returns all of them.

    A model that is too large to load beside a study is left out, and the line says so.
    """
    from harness.runtime.audit import LARGEST_CHECKPOINT, audit, keep, summary
    from harness.store import Store

    if not any(run["status"] == "done" for run in Store(out).runs()):
        return []
    audits = audit(out, num_rows, largest=LARGEST_CHECKPOINT)
    keep(out, audits)
    console.print(summary(audits), soft_wrap=True, markup=False)
    faults = [f"{run.recipe}, {run.task}: {fault}" for run in audits for fault in run.faults]
    for fault in faults[:3]:
        console.print(f"  {fault}", soft_wrap=True, markup=False)
    return faults
