"""Commands over finished results and files: audit, grade, leaderboard, sample-stats, import, compare, diff."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, get_args

import click

from harness.cli import documents
from harness.cli.exits import SOME_RUNS_FAILED, begin, call, say, stop
from harness.cli.group import marks_option, path_option
from harness.errors import UserError
from harness.questions import Kind

if TYPE_CHECKING:
    from harness.report.every_eval_ever import Relationship

KINDS = get_args(Kind)
STUDY_FIGURES = ("scaling", "pareto", "compute", "flips")  # `harness figure` needs them before it draws
PAPER_FIGURES = ("figure_1", "figure_4", "figure_6", "figure_7", "funnel")


@click.command(short_help="Grade answers in a JSONL file by equivalence.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--out", type=path_option, help="Write the graded rows here; default: standard output.")
@click.option("--strict", is_flag=True, help="Switch off the conventions of the policy table.")
@click.option("--compare", is_flag=True, help="Agreement with Math-Verify, lm-eval and s1's rule; lists disagreements.")
@click.option("--judge", metavar="URL", help="OpenAI-compatible server asked about rows the rules leave open.")
@click.option("--judge-model", metavar="NAME", help="Its model. Its key comes from OPENAI_API_KEY, if set.")
@marks_option
def grade(
    file: Path,
    out: Path | None,
    strict: bool,
    compare: bool,
    judge: str | None,
    judge_model: str | None,
    pairs: tuple[tuple[str, str], ...],
) -> None:
    """Grade FILE.jsonl, rows {gold, response|answer, kind?, choices?, prompt?}, by sympy equivalence.

    A prompt that ends inside a thought makes a response without its end a thought that was cut.

    The judge's answer goes to separate columns and never changes `correct`.
    """
    from harness.grading.batch.files import grade_file
    from harness.grading.batch.judge import Judge
    from harness.marks import own_marks

    if (judge is None) != (judge_model is None):
        raise UserError("--judge URL and --judge-model NAME go together; give both or neither")
    asked = Judge(judge, judge_model, api_key=os.environ.get("OPENAI_API_KEY", "")) if judge and judge_model else None
    grade_file(file, out, strict=strict, compare=compare, judge=asked, marks=own_marks(pairs))


@click.command(short_help="Hold finished rows against their checkpoints.")
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--sample", type=click.IntRange(min=1), default=20, show_default=True, help="Rows of each run.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed draws other rows.")
@documents.json_option
def audit(out: Path, sample: int, seed: int, as_json: bool) -> None:
    """Hold rows of every run in OUT against their checkpoints, by plain transformers.

    Greedy rows must be the checkpoint's own greedy path; ids must decode to the text, ledgers add up, forced spans and
    ends be where the budget says, and verdicts be the grader's of today. Exits with 1 when something does not hold.
    """
    from harness.console import plain_console
    from harness.report.audits import audit_table
    from harness.report.terminal import rendered
    from harness.runtime.audit import audit as hold
    from harness.runtime.audit import keep, summary

    audits = hold(out, sample, seed)
    keep(out, audits)
    if as_json:
        documents.put(documents.audits(audits, out, seed))
    else:
        plain_console().print(rendered(audit_table(audits)))
        say(summary(audits))
    if any(run.faults for run in audits):
        stop("the audit found rows that do not hold; its table lists them", SOME_RUNS_FAILED)


@click.command(short_help="Markdown, CSV and one HTML page from results.")
@click.argument("dirs", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", required=True, type=path_option, help="Folder for LEADERBOARD.md, leaderboard.csv and .html.")
def leaderboard(dirs: tuple[Path, ...], out: Path) -> None:
    """Markdown, CSV and one self-contained HTML page from the Parquet in DIRS."""
    from harness.report import leaderboard as report

    for path in report.write(list(dirs), out):
        say(path)


@click.command(short_help="A data set, a page and model cards for the hub.")
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--to", required=True, metavar="DIR|hf:ORG/NAME", help="A new folder, or the hub.")
@click.option("--public", is_flag=True, help="On the hub: for everybody. Without it: private.")
def publish(out: Path, to: str, public: bool) -> None:
    """Write OUT as a data set with its card, a static page (a Space) and the trained models with theirs.

    To a folder without a network, to look at; to the hub as ORG/NAME, ORG/NAME-leaderboard and ORG/NAME-RECIPE.
    Questions and samples of GPQA are left out, as its authors ask; no file names a folder, user or host of yours.
    """
    from tempfile import TemporaryDirectory

    from harness.report import hub
    from harness.report.publishing import prepare

    name = to.removeprefix("hf:")
    if name == to:
        found, notes = prepare(out, Path(to))
        for line in (*notes, *(f"{one.kind}: {one.folder}" for one in found)):
            say(line)
        return
    hub.check_hub(name)
    with TemporaryDirectory(prefix="harness-publish-") as folder:
        found, notes = prepare(out, Path(folder) / "new")
        for line in (*notes, *hub.upload(name, found, public=public)):
            say(line)


@click.command(short_help="Figures at the size of print.")
@click.argument("dirs", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", required=True, type=path_option, help="Folder for the figures and their captions (.txt).")
@click.option("--width", default="double", show_default=True, help="single or double column, or inches.")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(("pdf", "svg", "png")),
    help="Repeatable. Default: pdf, svg.",
)
@click.option("--style", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A matplotlib style file.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(STUDY_FIGURES + PAPER_FIGURES),
    metavar="NAME",
    help=f"Repeatable: {', '.join(STUDY_FIGURES)}; with --paper {', '.join(PAPER_FIGURES)}.",
)
@click.option("--study", default="", help="Of this study alone.")
@click.option(
    "--paper",
    is_flag=True,
    help="The s1 paper's figures instead, those of DIRS beside them. Its Figure 5 has no values to draw: it shows "
    "three responses.",
)
def figure(
    dirs: tuple[Path, ...],
    out: Path,
    width: str,
    formats: tuple[str, ...],
    style: Path | None,
    only: tuple[str, ...],
    study: str,
    paper: bool,
) -> None:
    """Figures of DIRS at the size of print, each with its caption, points and intervals as text."""
    from harness.report import leaderboard as report
    from harness.report.canvas import form_of

    if not paper and not dirs:
        raise UserError("give result folders, or --paper, or both")
    known = PAPER_FIGURES if paper else STUDY_FIGURES
    if wrong := next((one for one in only if one not in known), None):
        raise UserError(f"--only {wrong} {'with' if paper else 'without'} --paper: give {', '.join(known)}")
    for path in report.write_figures(dirs, out, form_of(width, formats, style), only, study, paper):
        say(path)


@click.command("sample-stats", short_help="Count thinking tokens, steps and more in a log.")
@click.argument("files", nargs=-1, required=True)
@click.option("--tokenizer", help="Name or folder; default: the samples' own model, else a stated approximation.")
@click.option("--budget", type=click.IntRange(min=1), help="Count samples with more thinking tokens than this.")
@click.option("--context", type=click.IntRange(min=1), help="Count samples with more tokens than this in all.")
@click.option("--compat", type=click.Choice(["s1"]), help="s1: its script's counting, quirks included.")
@click.option("--out", type=path_option, help="Also write F.json or F.parquet.")
@documents.json_option
@marks_option
def sample_stats(
    files: tuple[str, ...],
    tokenizer: str | None,
    budget: int | None,
    context: int | None,
    compat: str | None,
    out: Path | None,
    as_json: bool,
    pairs: tuple[tuple[str, str], ...],
) -> None:
    """Thinking and answer tokens, steps and correctness of lm-eval samples (JSONL files, globs, folders)."""
    from harness.analysis.logs.sample_stats import as_json as figures
    from harness.analysis.logs.sample_stats import compute
    from harness.analysis.logs.stats_output import as_text, write
    from harness.marks import own_marks

    arguments = {} if context is None else {"context": context}
    stats = compute(list(files), tokenizer, budget, compat, marks=own_marks(pairs), **arguments)
    if as_json:
        documents.put(figures(stats))
    else:
        say(as_text(stats))
    if out:
        write(stats, out)


def sample_stats_main() -> NoReturn:
    """The console script `compute_sample_stats`."""
    begin()
    call(sample_stats, name="compute_sample_stats")


@click.command("import", short_help="Turn published logs into the harness's Parquet.")
@click.argument("files", nargs=-1, required=True)
@click.option("--out", required=True, type=path_option, help="Results folder to make.")
@click.option("--tokenizer", help="Name or folder, for exact token counts; default: the model's own, if it is here.")
@click.option("--model", help="The model's name, where the log does not say.")
@click.option("--task", help="The task's name, where the log does not say.")
@click.option("--kind", type=click.Choice(KINDS), help="How answers compare, where the log does not say.")
@click.option("--merge", is_flag=True, help="All files of one model and task are one run.")
@click.option(
    "--map", "pairs_of_fields", multiple=True, metavar="NAME=FIELD", help="A field of plain rows: response=output."
)
@click.option("--study", default="imported", show_default=True)
@marks_option
def import_(
    files: tuple[str, ...],
    out: Path,
    tokenizer: str | None,
    model: str | None,
    task: str | None,
    kind: Kind | None,
    merge: bool,
    pairs_of_fields: tuple[str, ...],
    study: str,
    pairs: tuple[tuple[str, str], ...],
) -> None:
    """Turn published logs (files, globs, folders) into the harness's Parquet.

    Formats: lm-eval's samples and s1's, inspect_ai, lighteval's details, NeMo-Skills, evalchemy, SkyThought,
    simple-evals, Qwen2.5-Math, Every Eval Ever, and plain rows (JSON lines, JSON, Parquet), with --map where their
    fields are called otherwise.
    """
    from harness.analysis.logs.importing import import_files
    from harness.analysis.logs.record_logs import mapping
    from harness.marks import own_marks

    for line in import_files(
        list(files),
        out,
        tokenizer=tokenizer,
        model=model,
        task=task,
        study=study,
        marks=own_marks(pairs),
        kind=kind,
        merge=merge,
        fields=mapping(pairs_of_fields),
    ):
        say(line)


@click.command(short_help="Results in Every Eval Ever's schema.")
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--to", required=True, type=path_option, help="Folder to write data/TASK/ORG/MODEL/... into.")
@click.option("--organization", required=True, help="Who evaluated.")
@click.option("--developer", help="Whose the models without a hub name are. Default: the organization's.")
@click.option(
    "--relationship",
    type=click.Choice(["first_party", "third_party", "collaborative", "other"]),
    default="other",
    show_default=True,
    help="Of the evaluator to the models.",
)
def export(out: Path, to: Path, organization: str, developer: str | None, relationship: Relationship) -> None:
    """Write the runs of OUT in the schema of Every Eval Ever: a JSON per run, and its samples as JSON lines."""
    from harness.report.every_eval_ever import export as write

    for line in write(out, to, organization, relationship, developer):
        say(line)


@click.command(short_help="Paired comparison of two runs.")
@click.argument("a")
@click.argument("b")
@click.option(
    "--margin",
    type=click.FloatRange(0, 100, min_open=True),
    default=2.0,
    show_default=True,
    help="Points that do not matter: is one no worse than the other by more?",
)
@click.option("--html", type=path_option, help="Also write a page: the problems that each alone got right, and why.")
@documents.json_option
def compare(a: str, b: str, margin: float, html: Path | None, as_json: bool) -> None:
    """Paired comparison of two runs: folders, or FOLDER:RUN_ID."""
    if as_json:
        from harness.analysis.compare import compare as compared

        found = compared(a, b, margin / 100)
        documents.put(documents.comparisons(found))
    else:
        from harness.report.comparisons import compare_runs

        found = compare_runs(a, b, margin / 100)
    if html:
        from harness.report.pair_page import write_pair

        write_pair(found, html)
        if not as_json:
            say(html)


@click.command(short_help="Where the same runs in two folders part.")
@click.argument("a", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("b", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", type=path_option, help="Also write every sample to this Parquet file.")
def diff(a: Path, b: Path, out: Path | None) -> None:
    """The same runs in two results folders: first differing token of each sample, share of changed answers."""
    from harness.report.comparisons import diff_folders

    diff_folders(a, b, out)


@click.command(short_help="Send a folder's figures to an experiment tracker.")
@click.argument("out", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("tracker", metavar="TRACKER[:WHERE]")
def track(out: Path, tracker: str) -> None:
    """Send the figures of OUT to a tracker: tensorboard, mlflow, wandb or trackio.

    One run per model; a step is a run's mean thinking tokens, so that the tracker's chart is the scaling curve. WHERE
    is a folder (tensorboard), a file or a server's address (mlflow), or a project (wandb, trackio); default: below OUT.
    """
    from harness.report import tracking

    for name in tracking.track(out, tracker):
        say(name)
