"""The command line: ablate, evaluate and status here; the other commands in results.py, listing.py and data.py.

Nothing heavy is imported before a command needs it: `harness --help` answers at once.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from harness.cli import data, listing, results
from harness.cli.exits import SOME_RUNS_FAILED, call, stop
from harness.cli.group import chat_of, chat_options, cli, data_option, out_option, set_option

if TYPE_CHECKING:
    from rich.console import Console

    from harness.config import EngineName, Study


THINKING_HELP = "Thinking format: auto (read from the model), a name, or your own strings as a JSON list."


def main() -> NoReturn:
    """The console script `harness`. A polite kill ends it as Ctrl-C does, so that engines are stopped, not orphaned."""
    signal.signal(signal.SIGTERM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    call(cli)


def default_out(name: str) -> Path:
    """results/runs/NAME below the working folder; a submitted Ray job's own folder is temporary, so it uses $HOME."""
    if root := os.environ.get("HARNESS_RESULTS"):
        return Path(root) / name
    if "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ:
        return Path.home() / "s1-harness-results" / name
    return Path("results") / "runs" / name


@cli.command()
@click.argument("study")
@out_option
@data_option
@click.option("--smoke", is_flag=True, help="Every stage on this machine: tiny model, few rows and problems.")
@click.option("--dry-run", is_flag=True, help="Print the planned runs, their tokens and cost; run nothing.")
@click.option(
    "--audit",
    "audited",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="Rows of each run to audit at the end; 0: none.",
)
@set_option
def ablate(
    study: str,
    out: Path | None,
    data_dir: Path | None,
    smoke: bool,
    dry_run: bool,
    audited: int,
    settings: tuple[str, ...],
) -> None:
    """Run STUDY: select, train, generate, grade, measure, report, audit.

    STUDY is a name in ablations/, or path.py:function. What is finished in --out is not done again.
    """
    from harness.studies.inputs import check_inputs
    from harness.studies.load import load, with_settings
    from harness.studies.smoke import smoke as shrunk

    chosen = load(study)
    if smoke:
        chosen = shrunk(chosen, data_dir)
    chosen = with_settings(chosen, settings)
    check_inputs(chosen, data_dir)
    if dry_run:
        show_plan(chosen, data_dir, out or default_out(chosen.name))
        return
    run_study(chosen, out or default_out(chosen.name), data_dir, audited)


@cli.command()
@click.argument("model")
@click.option("--tasks", "task_names", required=True, help="Task names, comma-separated.")
@click.option("--budgets", default="auto", show_default=True, help="Thinking budgets in tokens, or auto.")
@click.option("--ignores", default="0", show_default=True, help="How often to ignore the end of thinking (at auto).")
@click.option("--ignore-str", default="Wait", show_default=True, help="What replaces the end of thinking.")
@click.option("--every", type=click.IntRange(min=1), help="Also force an answer every so many thinking tokens.")
@click.option("--engine", default="vllm", show_default=True, help="vllm, transformers or openai.")
@click.option("--base-url", help="The server's address, for --engine openai.")
@click.option("--served-name", help="What the server calls MODEL, where it is another name.")
@click.option("--thinking", default="auto", show_default=True, help=THINKING_HELP)
@chat_options
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Generations per problem.")
@click.option("--temperature", type=click.FloatRange(min=0), default=0.0, show_default=True)
@click.option("--max-problems", type=click.IntRange(min=1), help="Only the first so many of each task.")
@click.option("--replay/--no-replay", default=True, show_default=True, help="Think once, branch the answers (greedy).")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--no-thinking", is_flag=True, help="Also the plain answer without a thinking prefix.")
@data_option
@out_option
@set_option
def evaluate(
    model: str,
    task_names: str,
    budgets: str,
    ignores: str,
    ignore_str: str,
    every: int | None,
    engine: EngineName,
    base_url: str | None,
    served_name: str | None,
    thinking: str,
    template_arguments: tuple[str, ...],
    system_prompt: str | None,
    instruction: str,
    samples: int,
    temperature: float,
    max_problems: int | None,
    replay: bool,
    seed: int,
    no_thinking: bool,
    data_dir: Path | None,
    out: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Evaluate MODEL (a folder or a hub name) with budget forcing: an s1-style sweep in one call."""
    from harness.config import EngineConfig, Sampling, fingerprint
    from harness.studies import evaluate as evaluation
    from harness.studies.inputs import check_inputs
    from harness.studies.load import with_settings

    sampling = Sampling(temperature=temperature, num_samples=samples, seed=seed)
    sweep = evaluation.sweep(budgets, ignores, ignore_str, every, no_thinking)
    server = EngineConfig(name=engine, base_url=base_url, served_name=served_name)
    chat = chat_of(template_arguments, system_prompt, instruction)
    chosen = evaluation.study(model, task_names, sweep, sampling, server, thinking, chat, max_problems, replay)
    chosen = with_settings(chosen, settings)
    check_inputs(chosen, data_dir)
    run_study(chosen, out or default_out(f"{chosen.name}-{fingerprint(chosen)[:8]}"), data_dir)


@cli.command()
@click.argument("model", required=False)
@click.option("--thinking", "name", default="auto", show_default=True, help=THINKING_HELP)
@chat_options
def thinking(
    model: str | None, name: str, template_arguments: tuple[str, ...], system_prompt: str | None, instruction: str
) -> None:
    """Show what the chat template of MODEL says about thinking.

    MODEL is a folder or a hub name; without it, the known formats are shown.
    """
    from harness.report.formats import families_table, reading_lines
    from harness.report.terminal import plain_console

    console = plain_console()
    if model is None:
        console.print(families_table())
        return
    from harness.generation.chat_files import chat_files
    from harness.studies.formats import read_for

    chat = chat_of(template_arguments, system_prompt, instruction)
    tokenizer = chat_files(model)
    for line in reading_lines(tokenizer, read_for(name, tokenizer, chat)):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def show_plan(study: Study, data_dir: Path | None, out: Path) -> None:
    """Print `--dry-run`. Raises `UserError` for a pool that is here and cannot be trained on."""
    from harness import tasks
    from harness.report.plan import planned_table
    from harness.report.terminal import plain_console
    from harness.studies import preparation

    pools = preparation.local_pools(study, data_dir)
    rows = {name: loaded.num_traces for name, loaded in pools.items()}
    notes = list(preparation.pool_notes(study, pools))
    if study.recipes:
        notes.append(preparation.disk_note(study, out))
    sizes = {}
    for name in study.tasks:
        if data_dir or not tasks.get(name).num_problems:
            sizes[name] = len(tasks.load(name, data_dir, study.seed, study.max_problems))
        else:
            sizes[name] = min(tasks.get(name).num_problems, study.max_problems or tasks.get(name).num_problems)
    plain_console().print(planned_table(study, sizes, rows, notes))


def run_study(study: Study, out: Path, data_dir: Path | None, audited: int = 0) -> None:
    """Run a study, print and write its leaderboard, and audit some rows of each run.

    Exits with 1 when runs failed or a row does not hold.
    """
    from harness.logs import quiet_libraries
    from harness.progress import Progress, clock
    from harness.report import leaderboard
    from harness.report.terminal import plain_console
    from harness.runtime.pipeline import ablate as run

    quiet_libraries()
    console = plain_console()
    outcome = run(study, out, data_dir, Progress(console))
    files: list[Path] = []
    if outcome.measured is not None:
        files = leaderboard.write([out], out, measured=outcome.measured)
        console.print(leaderboard.terminal([out], measured=outcome.measured))
    if outcome.num_kept == outcome.num_runs and not outcome.failures:
        console.print(f"Nothing to do: all {outcome.num_runs} runs were finished before ({clock(outcome.seconds)}).")
    else:
        kept = f"; {outcome.num_kept} were finished before" if outcome.num_kept else ""
        console.print(f"{outcome.num_runs} runs, {outcome.num_samples:,} new samples in {clock(outcome.seconds)}{kept}")
    written = ", ".join(sorted({file.name for file in files})) or "no sample yet"
    console.print(f"Results in {out.resolve()}: {written}", soft_wrap=True)
    faults = audit_line(out, audited, console) if audited and outcome.measured is not None else []
    if outcome.failures:
        names = ", ".join(outcome.failures)
        stop(f"failed: {names}; the other runs are kept, the same command tries them again", SOME_RUNS_FAILED)
    if faults:
        stop(f"the audit found {len(faults)} faults; `harness audit {out}` lists them", SOME_RUNS_FAILED)


def audit_line(out: Path, num_rows: int, console: Console) -> list[str]:
    """Print the audit of `num_rows` rows per run in one line, and the first faults; returns all of them.

    A model that is too large to load beside a study is left out, and the line says so.
    """
    from harness.runtime.audit import LARGEST_CHECKPOINT, audit, summary
    from harness.store import Store

    if not any(run["status"] == "done" for run in Store(out).runs()):
        return []
    audits = audit(out, num_rows, largest=LARGEST_CHECKPOINT)
    console.print(summary(audits), soft_wrap=True, markup=False)
    faults = [f"{run.recipe}, {run.task}: {fault}" for run in audits for fault in run.faults]
    for fault in faults[:3]:
        console.print(f"  {fault}", soft_wrap=True, markup=False)
    return faults


@cli.command()
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
def status(out: Path) -> None:
    """Where the study in OUT stands, running or dead, from its files alone."""
    from harness.report.plan import status_table
    from harness.report.terminal import plain_console
    from harness.studies.status import status as read

    plain_console().print(status_table(read(out), out), soft_wrap=True)


cli.add_command(data.data)
for command in (
    results.audit,
    results.grade,
    results.leaderboard,
    results.sample_stats,
    results.import_,
    results.compare,
    results.diff,
    listing.tasks,
    listing.studies,
):
    cli.add_command(command)


__all__ = ["cli", "main"]
