"""The command line: ablate | evaluate | status | grade | sample-stats | leaderboard | import | compare | diff | data.

Nothing heavy is imported before a command needs it: `harness --help` answers at once.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from harness import __version__
from harness.data.cli import data as data_commands
from harness.errors import UserError
from harness.exits import Commands, call, stop

if TYPE_CHECKING:
    from harness.config import Study


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="harness")
def cli() -> None:
    """Budget-forced evaluation and SFT ablations for test-time scaling."""


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


path_option = click.Path(path_type=Path)
out_option = click.option("--out", type=path_option, help="Results folder. Default: results/runs/STUDY.")
data_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder with the tasks' and pools' files; without it they come from the hub.",
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change one key of the study, e.g. --set training.num_epochs=3. Repeatable.",
)


@cli.command()
@click.argument("study")
@out_option
@data_option
@click.option("--smoke", is_flag=True, help="Every stage on this machine: tiny model, few rows and problems.")
@click.option("--dry-run", is_flag=True, help="Print the planned runs, their tokens and cost; run nothing.")
@set_option
def ablate(
    study: str, out: Path | None, data_dir: Path | None, smoke: bool, dry_run: bool, settings: tuple[str, ...]
) -> None:
    """Run STUDY: select, train, generate, grade, measure, report.

    STUDY is a name in ablations/, or path.py:function. What is finished in --out is not done again.
    """
    from harness import studies

    chosen = studies.load(study)
    if smoke:
        chosen = studies.smoke(chosen, data_dir)
    chosen = studies.with_settings(chosen, settings)
    if dry_run:
        show_plan(chosen, data_dir)
        return
    run_study(chosen, out or default_out(chosen.name), data_dir)


@cli.command()
@click.argument("model")
@click.option("--tasks", "task_names", required=True, help="Task names, comma-separated.")
@click.option("--budgets", default="auto", show_default=True, help="Thinking budgets in tokens, or auto.")
@click.option("--ignores", default="0", show_default=True, help="How often to ignore the end of thinking (at auto).")
@click.option("--ignore-str", default="Wait", show_default=True, help="What replaces the end of thinking.")
@click.option("--every", type=click.IntRange(min=1), help="Also force an answer every so many thinking tokens.")
@click.option("--engine", default="vllm", show_default=True, help="vllm, transformers or openai.")
@click.option("--base-url", help="The server's address, for --engine openai.")
@click.option("--thinking", default="s1", show_default=True, help="Thinking format of the model: s1, think, ...")
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Generations a problem.")
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
    engine: str,
    base_url: str | None,
    thinking: str,
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
    from harness import evaluation, studies
    from harness.config import Sampling, fingerprint

    sampling = Sampling(temperature=temperature, num_samples=samples, seed=seed)
    sweep = evaluation.sweep(budgets, ignores, ignore_str, every, no_thinking)
    chosen = evaluation.study(model, task_names, sweep, sampling, engine, base_url, thinking, max_problems, replay)
    chosen = studies.with_settings(chosen, settings)
    run_study(chosen, out or default_out(f"{chosen.name}-{fingerprint(chosen)[:8]}"), data_dir)


def show_plan(study: Study, data_dir: Path | None) -> None:
    """Print `--dry-run`."""
    from harness import tasks
    from harness.plan import planned_table
    from harness.report.terminal import plain_console

    sizes = {}
    for name in study.tasks:
        if data_dir or not tasks.get(name).num_problems:
            sizes[name] = len(tasks.load(name, data_dir, study.seed, study.max_problems))
        else:
            sizes[name] = min(tasks.get(name).num_problems, study.max_problems or tasks.get(name).num_problems)
    plain_console().print(planned_table(study, sizes))


def run_study(study: Study, out: Path, data_dir: Path | None) -> None:
    """Run a study, print and write its leaderboard; exits with 1 when runs failed."""
    from harness.logs import quiet_libraries
    from harness.pipeline import ablate as run
    from harness.progress import Progress, clock
    from harness.report import leaderboard
    from harness.report.terminal import plain_console

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
    if outcome.failures:
        names = ", ".join(outcome.failures)
        stop(f"failed: {names}; the other runs are kept, the same command tries them again", code=1)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=path_option, help="Write the graded rows here; default: standard output.")
@click.option("--strict", is_flag=True, help="Switch off the conventions of the policy table.")
@click.option("--compare", is_flag=True, help="Agreement with Math-Verify, lm-eval and s1's rule; lists disagreements.")
@click.option("--judge", metavar="URL", help="OpenAI-compatible server asked about rows the rules leave open.")
@click.option("--judge-model", metavar="NAME", help="Its model. Its key comes from OPENAI_API_KEY, if set.")
def grade(
    file: Path, out: Path | None, strict: bool, compare: bool, judge: str | None, judge_model: str | None
) -> None:
    """Grade FILE.jsonl, rows {gold, response|answer, kind?, choices?}, by sympy equivalence.

    A judge's word is stored in columns of its own and never changes a verdict.
    """
    from harness.grading.batch.files import grade_file
    from harness.grading.batch.judge import Judge

    if (judge is None) != (judge_model is None):
        raise UserError("--judge URL and --judge-model NAME go together; give both or neither")
    asked = Judge(judge, judge_model, api_key=os.environ.get("OPENAI_API_KEY", "")) if judge and judge_model else None
    grade_file(file, out, strict=strict, compare=compare, judge=asked)


@cli.command()
@click.argument("dirs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", required=True, type=path_option, help="Folder for LEADERBOARD.md, leaderboard.csv and .html.")
def leaderboard(dirs: tuple[Path, ...], out: Path) -> None:
    """Markdown, CSV and one self-contained HTML page from the Parquet in DIRS."""
    from harness.report import leaderboard as report

    for path in report.write(list(dirs), out):
        click.echo(path)


@cli.command("sample-stats")
@click.argument("files", nargs=-1, required=True)
@click.option("--tokenizer", help="Name or folder; default: the samples' own model, else a stated approximation.")
@click.option("--budget", type=click.IntRange(min=1), help="Count samples with more thinking tokens than this.")
@click.option("--context", type=click.IntRange(min=1), help="Count samples with more tokens than this in all.")
@click.option("--compat", type=click.Choice(["s1"]), help="s1: its script's counting, quirks included.")
@click.option("--out", type=path_option, help="Also write F.json or F.parquet.")
def sample_stats(
    files: tuple[str, ...],
    tokenizer: str | None,
    budget: int | None,
    context: int | None,
    compat: str | None,
    out: Path | None,
) -> None:
    """Thinking and answer tokens, steps and correctness of lm-eval samples (JSONL files, globs, folders)."""
    from harness.analysis.sample_stats import compute
    from harness.analysis.stats_output import as_text, write

    arguments = {} if context is None else {"context": context}
    stats = compute(list(files), tokenizer, budget, compat, **arguments)
    click.echo(as_text(stats))
    if out:
        write(stats, out)


def sample_stats_main() -> NoReturn:
    """The console script `compute_sample_stats`."""
    call(sample_stats, name="compute_sample_stats")


@cli.command("import")
@click.argument("files", nargs=-1, required=True)
@click.option("--out", required=True, type=path_option, help="Results folder to make.")
@click.option("--tokenizer", help="Name or folder, for exact token counts; default: a stated approximation.")
@click.option("--model", help="The model's name, where the log does not say.")
@click.option("--task", help="The task's name, where the log does not say.")
@click.option("--study", default="imported", show_default=True)
def import_(
    files: tuple[str, ...], out: Path, tokenizer: str | None, model: str | None, task: str | None, study: str
) -> None:
    """Turn published logs (lm-eval samples JSONL: files, globs, folders) into the harness's Parquet."""
    from harness.analysis.importing import import_files

    for line in import_files(list(files), out, tokenizer=tokenizer, model=model, task=task, study=study):
        click.echo(line)


@cli.command()
@click.argument("a")
@click.argument("b")
def compare(a: str, b: str) -> None:
    """Paired comparison of two runs: folders, or FOLDER:RUN_ID."""
    from harness.analysis.compare import compare_runs

    compare_runs(a, b)


@cli.command()
@click.argument("a", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("b", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=path_option, help="Also write every sample to this Parquet file.")
def diff(a: Path, b: Path, out: Path | None) -> None:
    """The same runs in two results folders: first differing token of each sample, share of changed answers."""
    from harness.analysis.diff import diff_folders

    diff_folders(a, b, out)


@cli.command()
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
def status(out: Path) -> None:
    """Where the study in OUT stands, running or dead, from its files alone."""
    from harness.report.terminal import plain_console
    from harness.status import rendered
    from harness.status import status as read

    plain_console().print(rendered(read(out), out), soft_wrap=True)


cli.add_command(data_commands)
