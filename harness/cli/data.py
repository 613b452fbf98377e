"""`harness data ...`: each step reads a pool and writes one. Attached to the command line by `harness.cli.main`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from harness.cli.exits import say
from harness.cli.group import chat_of, chat_options, data_option
from harness.errors import UserError
from harness.files import BrokenJsonError, json_value, write_json, write_text

OUT = click.option("--out", type=click.Path(path_type=Path), required=True, help="File to write: .parquet or .jsonl.")
POSITIVE, ABOVE_ZERO = click.IntRange(min=1), click.FloatRange(min=0, min_open=True)
WORKERS = click.option("--workers", type=POSITIVE, default=1, show_default=True, help="Ray workers.")


_MAP = click.option(
    "--map",
    "mapping",
    multiple=True,
    metavar="COLUMN=THEIRS",
    help="What the pool calls a column of ours: thinking=trace, question=meta.q, response=output (thought and answer "
    "in one); thinking=none: questions for a teacher. Repeatable.",
)


def pool_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How a command's POOL is read: `mapping` and `data_dir`, for `load_pool`."""
    return _MAP(data_option(command))


@click.group("data", short_help="From a raw pool to a training subset.")
def data() -> None:
    """From a raw pool to a training subset: collect, featurize, filter, select, decontaminate, format.

    POOL is a file (.jsonl, .json, .csv, .tsv, .parquet, .arrow; compressed or not), a folder of them or of
    `save_to_disk`, a hub data set, or a known name (s1K, s1K-1.1, s1-59K, limo, sft_pool). Its columns may be s1's, a
    chat's, prompt and completion, Alpaca's, k generations, or any others that --map names.
    """


def load_pool(pool: str, data_dir: Path | None, mapping: tuple[str, ...] = (), needed_by: str | None = None) -> Any:
    """The pool; what was read and what was left out is said on stderr.

    `needed_by`: the step that needs traces, for which a pool of questions alone is an error; None: it takes both.
    """
    from harness.data.load import load_with_report

    told = _mapping(mapping)
    loaded = load_with_report(pool, data_dir, told)
    for where, why in loaded.broken[:10]:
        say(f"left out: {where}: {why}", err=True)
    if len(loaded.broken) > 10:
        say(f"left out: {len(loaded.broken) - 10} more broken rows", err=True)
    say(f"{pool}: {loaded.summary}", err=True)
    for note in loaded.notes:
        say(f"{pool}: {note}", err=True)
    if needed_by is not None:
        loaded.need_traces(pool, needed_by)
    elif not loaded.num_traces:
        say(f"{pool}: no row has a trace to train on; `harness data featurize --traces` asks a teacher", err=True)
    return loaded.dataset


def _mapping(given: tuple[str, ...]) -> dict[str, str]:
    """`--map` as a dict. Raises `UserError` for one without a value."""
    told = {}
    for one in given:
        target, separator, source = one.partition("=")
        if not separator or not target or not source:
            raise UserError(f"--map {one}: write OURS=THEIRS, for example --map thinking=trace")
        told[target.strip().lower()] = source
    return told


def _number_or_none(option: str, text: str) -> float | None:
    if text.strip().lower() == "none":
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UserError(f"{option} {text}: give 0 or more, or none")
    return value


def _object(option: str, text: str | None) -> dict[str, Any]:
    try:
        found = json_value(text.encode("utf-8", "surrogatepass")) if text else {}
    except BrokenJsonError as error:
        raise UserError(f"{option} {str(text)[:80]}: {error}") from None
    if not isinstance(found, dict):
        raise UserError(f"{option} {str(text)[:80]}: give a JSON object, for example '{{\"top_p\": 0.95}}'")
    return found


def _progress(rows: Any, label: str, length: int | None = None) -> Iterator[Any]:
    """`rows`, with a progress line on a terminal."""
    from rich.progress import track

    from harness.console import PlainConsole

    console = PlainConsole(stderr=True)
    return iter(track(rows, label, total=length, console=console, disable=not console.is_terminal, transient=True))


@data.command(short_help="Collect s1's 16 sources, or convert a set.")
@click.option("--source", "names", multiple=True, help="A source of Table 7 (repeatable); default: all 16.")
@click.option("--pool", "spec", help="Convert a published set (s1K, limo, a file, ...) instead of collecting.")
@click.option(
    "--from", "folder", type=click.Path(path_type=Path), help="Folder with NAME.jsonl or .parquet per source."
)
@click.option("--seed", default=0, show_default=True, help="Of the draw from sources that are sampled.")
@pool_options
@OUT
def collect(
    names: tuple[str, ...],
    spec: str | None,
    folder: Path | None,
    seed: int,
    mapping: tuple[str, ...],
    data_dir: Path | None,
    out: Path,
) -> None:
    """Collect s1's 16 sources into one raw pool; or convert a published set to the pool's schema."""
    from harness.data.collect import collect as collect_rows
    from harness.data.load import load, save
    from harness.data.sources import SOURCES
    from harness.report import pool_tables as report

    if spec is not None:
        for_a_teacher = _mapping(mapping).get("thinking") == "none"
        step = None if for_a_teacher else "a pool (but with --map thinking=none, of questions for a teacher)"
        count = save(_progress(load_pool(spec, data_dir, mapping, step), "convert"), out)
        say(f"{count:,} rows -> {out}")
        return
    rows, counts = collect_rows(names or tuple(SOURCES), folder, seed)
    count = save(_progress(rows, "collect"), out)
    columns = ("read", "not_wanted", "broken", "repeated", "not_drawn", "kept", "missing_figures")
    table = [(name, *(f"{getattr(one, column):,}" for column in columns)) for name, one in counts.items()]
    say(report.markdown("Collected", ("source", *(column.replace("_", " ") for column in columns)), table))
    for name, one in counts.items():
        if one.error:
            say(f"{name} is missing: {one.error}", err=True)
        for repair, times in one.repairs.items():
            say(f"{name}: {times:,} questions repaired: {repair}")
    if not count:
        raise UserError("no source could be read; give --from a folder with their files, or check the network")
    say(report.sources(load(str(out)), in_tokens=False))
    say(f"{count:,} rows -> {out}")


@data.command(short_help="Fill in traces, difficulty, domains, lengths.")
@click.argument("pool")
@click.option("--base-url", help="An OpenAI-compatible endpoint (ends in /v1) that writes traces or labels domains.")
@click.option("--model", help="The endpoint's model; without --base-url, a local model that writes the traces.")
@click.option("--traces", is_flag=True, help="Ask the model for a trace for every row that has none.")
@click.option("--thinking", default="auto", show_default=True, help="A local model's; auto: as its template says.")
@click.option(
    "--max-tokens", type=POSITIVE, default=16384, show_default=True, help="Of an endpoint's answer, trace included."
)
@click.option("--temperature", default="0", show_default=True, help="A number; none: the server's own.")
@click.option("--samples", type=POSITIVE, default=1, show_default=True, help="Traces for each question.")
@click.option(
    "--timeout", type=ABOVE_ZERO, default=600.0, show_default=True, help="Seconds of one try, to the last byte."
)
@click.option(
    "--extra-body", help="JSON object into every call's body, e.g. '{\"top_p\": 0.95}'; null takes a field out."
)
@click.option("--concurrency", type=POSITIVE, default=16, show_default=True, help="Concurrent calls.")
@click.option("--requests-per-minute", type=ABOVE_ZERO)
@click.option("--max-retries", type=click.IntRange(min=0), default=6, show_default=True)
@click.option("--api-key-env", default="OPENAI_API_KEY", show_default=True, help="Variable that holds the key.")
@click.option(
    "--price", nargs=2, type=click.FloatRange(min=0), default=(0.0, 0.0), help="Dollars per million tokens, in and out."
)
@click.option(
    "--expect-tokens", type=POSITIVE, default=4000, show_default=True, help="Tokens per answer, for the estimate."
)
@click.option("--dry-run", is_flag=True, help="Print what the calls would cost, and stop.")
@click.option("--reference", "references", multiple=True, help="A model whose answers show difficulty (repeatable).")
@click.option("--engine", default="vllm", show_default=True, help="vllm or transformers, for local models.")
@click.option("--gpus", type=click.IntRange(min=0), default=0, show_default=True, help="GPUs per local model.")
@click.option("--max-model-len", type=POSITIVE, default=32768, show_default=True, help="Of local models.")
@click.option("--max-answer-tokens", type=POSITIVE, default=2048, show_default=True, help="Of local models.")
@click.option("--domains", help="keywords, model (the endpoint), or the metadata key that holds the domain.")
@click.option("--tokenizer", help="Count the traces' tokens with this tokenizer.")
@click.option("--grade", is_flag=True, help="Grade the attempts, and mark benchmark-like rows.")
@click.option("--work", type=click.Path(path_type=Path), help="Folder for what is kept row by row; default: OUT.work.")
@WORKERS
@pool_options
@OUT
def featurize(pool: str, data_dir: Path | None, out: Path, mapping: tuple[str, ...], **options: Any) -> None:
    """Fill features: traces, reference answers (difficulty), domains, trace lengths, grades. Resumable by row."""
    from harness.runtime import featurize as feature_run

    options["temperature"] = _number_or_none("--temperature", options["temperature"])
    options["extra_body"] = _object("--extra-body", options["extra_body"])
    feature_run.featurize(load_pool(pool, data_dir, mapping), out, feature_run.Options(**options), say)


@data.command("filter", short_help="Drop rows by quality and difficulty.")
@click.argument("pool")
@click.option(
    "--solved-by",
    type=click.Choice(["any", "all", "nobody"]),
    default="any",
    show_default=True,
    help="Drop what any (s1) or all reference models solve; nobody: no difficulty filter.",
)
@pool_options
@OUT
def filter_pool(pool: str, solved_by: str, mapping: tuple[str, ...], data_dir: Path | None, out: Path) -> None:
    """Drop rows by s1's quality rules and by difficulty; says how many, and why."""
    from harness.cli import data_steps as steps
    from harness.data.load import save

    kept, table = steps.filtered(load_pool(pool, data_dir, mapping, "filter"), solved_by)
    count = save(_progress(kept, "filter"), out)
    say(table())
    say(f"{count:,} rows -> {out}")


@data.command(short_help="Draw a subset, with a manifest.")
@click.argument("pool")
@click.option(
    "--selection",
    required=True,
    help="random, diverse, longest, s1k, full, quality, reward, limo, kcenter, or your own file.py:function.",
)
@click.option("--size", type=int, help="Rows; default 1,000, and all of them for full.")
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--solved-by",
    type=click.Choice(["any", "all"]),
    default="any",
    show_default=True,
    help="s1k: drop what any (s1) or all reference models solve.",
)
@click.option(
    "--traces",
    type=click.Choice(["each", "one", "best", "all"]),
    default="each",
    show_default=True,
    help="Of a question with several traces: each is a row to draw; one or the best stands for its question; all of "
    "a drawn question are taken (--size then counts questions).",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of the selection: column=score (reward), model=... (kcenter), ungraded=keep (s1k). Repeatable.",
)
@pool_options
@OUT
def select(
    pool: str,
    selection: str,
    size: int | None,
    seed: int,
    solved_by: Any,
    traces: str,
    options: tuple[str, ...],
    mapping: tuple[str, ...],
    data_dir: Path | None,
    out: Path,
) -> None:
    """Draw a subset. The manifest (ids, counts, sha256) is written beside OUT as OUT.manifest.json."""
    from harness.data.load import save
    from harness.data.selection import check
    from harness.data.selection import select as draw
    from harness.report import pool_tables as report
    from harness.studies.load import parse

    check(selection)
    given = {}
    for one in options:
        name, separator, value = one.partition("=")
        if not separator or not name:
            raise UserError(f"--option {one}: write NAME=VALUE, for example column=score")
        given[name] = parse(value)
    rows = load_pool(pool, data_dir, mapping, "select")
    selected = draw(rows, selection, size, seed, solved_by, traces=traces, options=given)
    save(iter(rows.select(selected.indices)), out)
    manifest = out.with_name(out.name + ".manifest.json")
    write_json(manifest, selected.manifest)
    say(report.stages([selected.manifest]))
    say(f"{len(selected.ids):,} rows -> {out}\nsha256 {selected.manifest['sha256']} -> {manifest}")


@data.command(short_help="Drop rows that share text with a task.")
@click.argument("pool")
@click.option("--tasks", required=True, help="Evaluation tasks to compare with, comma-separated.")
@click.option("--min-share", default=0.0, show_default=True, help="Drop rows with this share of a problem or more.")
@click.option("--report", "report_file", type=click.Path(path_type=Path), help="Write every match as .jsonl.")
@pool_options
@OUT
def decontaminate(
    pool: str,
    tasks: str,
    min_share: float,
    report_file: Path | None,
    mapping: tuple[str, ...],
    data_dir: Path | None,
    out: Path,
) -> None:
    """Drop rows that share an 8-gram, or a whole short text, with an evaluation problem; says what matched what."""
    from harness.cli import data_steps as steps

    say(steps.decontaminated(load_pool(pool, data_dir, mapping), tasks, min_share, data_dir, out, report_file))


@data.command(short_help="Look for rows that teach the wrong thing.")
@click.argument("pool")
@click.option("--fix", is_flag=True, help="Write the rows to --out: mended where that loses no word, else dropped.")
@click.option("--tokenizer", help="Also look for rows that lose all loss at --block-size.")
@click.option("--block-size", type=POSITIVE, default=32768, show_default=True, help="Tokens a row is cut to.")
@click.option("--variant", default="plain", show_default=True, help="Of the training text, for --tokenizer.")
@click.option("--fast", is_flag=True, help="Do not grade answers, nor look for near duplicates.")
@click.option("--strict", is_flag=True, help="Exit with 1 where a row has an error.")
@pool_options
@click.option("--out", type=click.Path(path_type=Path), help="For --fix: the file to write.")
def lint(
    pool: str,
    fix: bool,
    tokenizer: str | None,
    block_size: int,
    variant: str,
    fast: bool,
    strict: bool,
    mapping: tuple[str, ...],
    data_dir: Path | None,
    out: Path | None,
) -> None:
    """Look for rows that would teach the wrong thing: kinds, examples, and what they cost in tokens."""
    from harness.cli import data_steps as steps
    from harness.cli.exits import SOME_RUNS_FAILED, stop

    if fix != (out is not None):
        raise UserError("--fix writes the rows that are left to --out FILE; give both or neither")
    rows = _progress(load_pool(pool, data_dir, mapping, "lint"), "lint")
    table, errors = steps.linted(rows, fast, tokenizer, block_size, variant, out)
    say(table)
    if strict and errors:
        stop(f"{errors:,} rows have an error; --fix mends or drops them", SOME_RUNS_FAILED)


@data.command("format", short_help="Write training text with ids and loss mask.")
@click.argument("pool")
@click.option("--tokenizer", required=True, help="A hub name or a folder; its chat template makes the prompt.")
@click.option("--thinking", default="auto", show_default=True, help="A thinking format; auto: as the template says.")
@chat_options
@click.option(
    "--variant", default="plain", show_default=True, help="plain, s1 (its text byte for byte), tokens, steps or class."
)
@click.option("--block-size", type=POSITIVE, default=32768, show_default=True, help="Tokens a row is cut to.")
@click.option("--batch-size", type=POSITIVE, default=16, show_default=True, help="For the padding statistics.")
@pool_options
@OUT
def format_pool(
    pool: str,
    tokenizer: str,
    thinking: str,
    template_arguments: tuple[str, ...],
    system_prompt: str | None,
    instruction: str,
    variant: str,
    block_size: int,
    batch_size: int,
    mapping: tuple[str, ...],
    data_dir: Path | None,
    out: Path,
) -> None:
    """Write training text with ids and loss mask (Parquet); prints lengths, truncation and packing."""
    from harness.cli import data_steps as steps

    rows = load_pool(pool, data_dir, mapping, "format")
    chat = chat_of(template_arguments, system_prompt, instruction)
    progress = _progress(rows, "format", len(rows))
    statistics = steps.formatted(progress, tokenizer, thinking, chat, variant, block_size, out)
    say(steps.statistics_table(statistics.report(batch_size)))
    if statistics.cut:
        say(
            f"warning: {statistics.cut:,} of {statistics.rows:,} rows are longer than {block_size:,} tokens and lose "
            "their answer (the paper's Table 8: 20 points on AIME24); raise --block-size",
            err=True,
        )
    say(f"{statistics.rows:,} rows -> {out}")


@data.command(short_help="Tables over a pool and its selections.")
@click.argument("pool")
@click.argument("manifests", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Write the tables here instead of printing them.")
@pool_options
def report(
    pool: str, manifests: tuple[Path, ...], out: Path | None, mapping: tuple[str, ...], data_dir: Path | None
) -> None:
    """Tables over a pool and its selections: sources (Table 7), stages, domains, lengths, overlap."""
    from harness.cli import data_steps as steps

    rows = load_pool(pool, data_dir, mapping, "report")
    text = steps.tables(rows, [steps.read_manifest(path) for path in manifests])
    if out is None:
        say(text)
    else:
        write_text(out, text)
