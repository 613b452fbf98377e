"""Running a study from the command line: where its results go, what is printed before and after it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import SOME_RUNS_FAILED, stop
from harness.cli.talk import Talk

if TYPE_CHECKING:
    from rich.console import Console

    from harness.config import Study
    from harness.runtime.audit import RunAudit


def default_out(name: str) -> Path:
    """results/runs/NAME below the working folder; a submitted Ray job's own folder is temporary, so it uses $HOME."""
    if root := os.environ.get("HARNESS_RESULTS"):
        return Path(root) / name
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return Path.home() / "s1-harness-results" / name
    from harness.studies.models import RESULTS

    return RESULTS / name


def show_plans(studies: Sequence[tuple[Study, str]], data_dir: Path | None, out: Path | None, talk: Talk) -> None:
    """Print `--dry-run` of studies, each with what its base model is called.

    Raises:
        UserError: a pool that is here cannot be trained on.
    """
    from harness.cli import documents
    from harness.console import plain_console
    from harness.logs import quiet_libraries
    from harness.report.plan import planned_table

    quiet_libraries()
    inputs = [(study, *_plan_inputs(study, data_dir, out), called) for study, called in studies]
    if talk.as_json:
        documents.put({"plans": [documents.plan(*one) for one in inputs]})
        return
    for one in inputs:
        plain_console().print(planned_table(*one), crop=False)  # a sum is shown whole, also where it is wide


def _plan_inputs(
    study: Study, data_dir: Path | None, out: Path | None
) -> tuple[dict[str, int], dict[str, int], list[str]]:
    """Problems of each task, rows of each pool that is here, and what there is to say about them."""
    from harness import tasks
    from harness.studies.inputs import context_notes

    pools: dict[str, int] = {}
    notes = list(context_notes(study))
    if study.recipes:
        from harness.studies import preparation

        read = preparation.local_pools(study, data_dir)
        pools = {name: loaded.num_traces for name, loaded in read.items()}
        notes += [
            *preparation.pool_notes(study, read),
            *preparation.batch_notes(study, read),
            preparation.disk_note(study, out or default_out(study.name)),
        ]
    sizes = {}
    for spec in study.tasks:
        known = tasks.TASKS[spec].num_problems if spec in tasks.TASKS and not data_dir else 0
        if known:
            sizes[spec] = min(known, study.max_problems or known)
        else:
            found = tasks.read(spec, data_dir, study.seed, study.max_problems, study.reading)
            sizes[found.name] = len(found.problems)
    return sizes, pools, notes


def run_study(
    study: Study,
    out: Path,
    data_dir: Path | None,
    talk: Talk,
    audited: int = 0,
    others: Sequence[Study] = (),
    trackers: Sequence[str] = (),
) -> None:
    """Run a study, print and write its leaderboard, and audit some rows of each run.

    `others`: the same study of other base models, into the same folder. Exits with 1 when runs failed or a row does not
    hold.
    """
    from harness.cli import documents
    from harness.logs import quiet_libraries
    from harness.progress import clock
    from harness.report import leaderboard, tracking
    from harness.runtime.pipeline import ablate as run
    from harness.studies.inputs import context_notes
    from harness.studies.preparation import local_pools

    for tracker in trackers:
        tracking.parsed(tracker)
    for one in (study, *others):
        local_pools(one, data_dir)  # one that cannot be trained on is told before anything starts
    quiet_libraries()
    console = talk.console()
    for note in dict.fromkeys(note for one in (study, *others) for note in context_notes(one)):
        console.print(note, soft_wrap=True, markup=False, highlight=False)
    outcome = run(study, out, data_dir, talk.progress(), *others)
    files: list[Path] = []
    if outcome.measured is not None:
        console.print(leaderboard.terminal([out], measured=outcome.measured))
    if outcome.num_kept == outcome.num_runs and not outcome.failures:
        console.print(f"Nothing to do: all {outcome.num_runs} runs were finished before ({clock(outcome.seconds)}).")
    else:
        kept = f"; {outcome.num_kept} were finished before" if outcome.num_kept else ""
        console.print(f"{outcome.num_runs} runs, {outcome.num_samples:,} new samples in {clock(outcome.seconds)}{kept}")
    audits: list[RunAudit] | None = None
    if outcome.measured is not None:
        try:  # before the page is written, which tells what the audit said
            audits = audit_some(out, audited) if audited else None
        finally:
            files = leaderboard.write([out], out, measured=outcome.measured)
    faults = audit_line(audits, console) if audits is not None else []
    listed = {file.name if file.parent == out else f"{file.parent.name}/" for file in files}
    written = ", ".join(sorted(listed)) or "no sample yet"
    console.print(f"Results in {out.resolve()}: {written}", soft_wrap=True)
    for tracker in trackers if outcome.measured is not None else ():
        console.print(f"{tracker}: {len(tracking.track(out, tracker))} models", soft_wrap=True)
    if talk.as_json:
        documents.put(documents.outcome(outcome, study.name, out, audits))
    if outcome.failures:
        names = ", ".join(outcome.failures)
        stop(f"failed: {names}; the other runs are kept, the same command tries them again", SOME_RUNS_FAILED)
    if faults:
        stop(f"the audit found {len(faults)} faults; `harness audit {out}` lists them", SOME_RUNS_FAILED)


def audit_some(out: Path, num_rows: int) -> list[RunAudit] | None:
    """The audit of `num_rows` rows per run; None where no run is finished.

    A model that is too large to load beside a study is left out.
    """
    from harness.runtime.audit import LARGEST_CHECKPOINT, audit, keep
    from harness.store import Store

    if not any(run["status"] == "done" for run in Store(out).runs()):
        return None
    audits = audit(out, num_rows, largest=LARGEST_CHECKPOINT)
    keep(out, audits)
    return audits


def audit_line(audits: Sequence[RunAudit], console: Console) -> list[str]:
    """Print an audit in one line, and the first faults; returns all of them."""
    from harness.runtime.audit import faults_of, summary

    console.print(summary(audits), soft_wrap=True, markup=False)
    faults = faults_of(audits)
    for fault in faults[:3]:
        console.print(f"  {fault}", soft_wrap=True, markup=False)
    return faults
