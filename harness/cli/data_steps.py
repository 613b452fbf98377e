"""The steps behind `harness data`: what each reads, writes and prints, apart from the command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.cli.exits import say
from harness.config import Chat
from harness.data import quality
from harness.data.candidates import rows_of
from harness.data.formats import Statistics, format_rows
from harness.data.load import save
from harness.data.schema import Row, with_thinking
from harness.errors import UserError, one_line
from harness.files import atomic, read_json, write_json_lines
from harness.report import pool_tables as report
from harness.studies.formats import read_for, refuse_closed
from harness.studies.inputs import check_reachable
from harness.thinking import AUTO, check_name


def filtered(pool: Iterable[Mapping[str, Any]], solved_by: str) -> tuple[Iterator[Row], Callable[[], str]]:
    """The rows that stay, and a function that makes the table of reasons once they are used up."""
    reasons: Counter[str] = Counter()

    def rows() -> Iterator[Row]:
        for row in pool:
            reasons["pool"] += 1
            why = quality.why_dropped(row)
            if why is None and solved_by != "nobody":
                by: quality.SolvedBy = "all" if solved_by == "all" else "any"
                why = "solved by a reference model" if quality.solved(row["reference_correct"], by) else None
            reasons[why or "kept"] += 1
            if why is None and quality.solved(row["reference_correct"]) is None:
                reasons["kept without a reference answer"] += 1
            if why is None:
                yield dict(row)

    def table() -> str:
        order: tuple[str, ...] = ("pool", *quality.QUALITY, "solved by a reference model", "kept")
        order += ("kept without a reference answer",) if reasons["kept without a reference answer"] else ()
        return report.markdown("Filter", ("", "rows"), [(name, f"{reasons[name]:,}") for name in order])

    return rows(), table


def decontaminated(
    pool: Any, tasks: str, min_share: float, data_dir: Path | None, out: Path, report_file: Path | None
) -> str:
    """Write the clean rows to `out`, the matches to `report_file`, and return the table."""
    from harness import tasks as all_tasks
    from harness.data.decontaminate import decontaminate, summary

    read = all_tasks.read_all(all_tasks.names(tasks, data_dir), data_dir)
    problems = [problem for one in read.values() for problem in one.problems]
    drop, matches = decontaminate(pool, problems, min_share)
    count = save((dict(row) for row in rows_of(pool) if row["id"] not in drop), out)
    if report_file is not None:
        write_json_lines(report_file, map(asdict, matches))
    found = summary(matches)
    columns = ("exact", "half or more", "any 8-gram")
    rows = [(name, *(f"{found.get(name, {}).get(column, 0):,}" for column in columns)) for name in read]
    table = report.markdown("Rows that match a task", ("task", *columns), rows)
    return f"{table}\n{len(drop):,} of {len(pool):,} rows dropped; {count:,} rows -> {out}"


def linted(
    rows: Iterable[Mapping[str, Any]],
    fast: bool,
    tokenizer: str | None,
    block_size: int,
    variant: str,
    out: Path | None,
) -> tuple[str, int]:
    """The table of what is wrong, and how many findings are errors; the rows that are left go to `out`."""
    from harness.data import lint as linting

    loses_all = None
    if tokenizer is not None:
        from harness.training.variants import format_batch

        loaded = load_tokenizer(tokenizer)
        thinking = read_for(AUTO, loaded, Chat()).thinking

        def loses_all(row: Mapping[str, Any]) -> bool:
            if not with_thinking(row):
                return False
            (example,) = format_batch(loaded, [row], thinking, block_size, variant)
            return bool(example["num_tokens"] <= example["prompt_tokens"])

    fixed: list[Row] | None = [] if out is not None else None
    found = linting.lint(rows, not fast, not fast, loses_all, fixed)
    table = []
    for kind in linting.KINDS:
        if one := found.found.get(kind):
            share = f"{one.tokens / found.tokens:.1%}" if found.tokens else ""
            kind = f"{kind} (warning)" if kind in linting.WARNINGS else kind
            table.append((kind, f"{one.rows:,}", f"{one.tokens:,}", share, ", ".join(one.examples)))
    table.append(("clean rows", f"{found.clean:,}", "", "", ""))
    table.append(("all rows", f"{found.of:,}", f"{found.tokens:,}", "", ""))
    text = report.markdown("Lint", ("", "rows", "tokens", "of all tokens", "examples"), table)
    if fixed is not None and out is not None:
        count = save(iter(fixed), out)
        text += f"\n{found.mended:,} rows mended, {found.dropped:,} dropped; {count:,} rows -> {out}"
    return text, sum(one.rows for one in found.errors.values())


def load_tokenizer(name: str) -> Any:
    """The tokenizer `name`, a hub name or a folder. Raises `UserError`."""
    from transformers import AutoTokenizer

    check_reachable("tokenizer", name)
    try:
        return AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot load tokenizer '{name}': {one_line(error)}") from error


def formatted(
    rows: Iterable[Mapping[str, Any]],
    tokenizer: str,
    thinking: str,
    chat: Chat,
    variant: str,
    block_size: int,
    out: Path,
) -> Statistics:
    """Write the training examples of `rows` to the Parquet file `out`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if out.suffix != ".parquet":
        raise UserError(f"cannot write {out}: formatted data is Parquet; give a name ending in .parquet")
    check_name(thinking)
    loaded = load_tokenizer(tokenizer)
    reading = read_for(thinking, loaded, chat)
    refuse_closed(loaded, reading, chat)
    for note in reading.notes:
        say(f"{tokenizer}: {note}", err=True)
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("text", pa.string()),
            ("budget", pa.int64()),
            ("prompt_tokens", pa.int64()),
            ("num_tokens", pa.int64()),
            ("input_ids", pa.list_(pa.int32())),
            ("labels", pa.list_(pa.int32())),
            ("cut", pa.bool_()),
        ]
    )
    statistics = Statistics()
    waiting: list[dict[str, Any]] = []
    with atomic(out) as file, pq.ParquetWriter(file, schema) as writer:
        for example in format_rows(loaded, rows, reading.thinking, block_size, variant, statistics):
            waiting.append(example)
            if len(waiting) == 200:
                writer.write_table(pa.Table.from_pylist(waiting, schema))
                waiting = []
        writer.write_table(pa.Table.from_pylist(waiting, schema))
    return statistics


def statistics_table(found: Mapping[str, Any]) -> str:
    """`Statistics.report` as a table."""
    rows = [(name, f"{value:.1%}" if isinstance(value, float) else f"{value:,}") for name, value in found.items()]
    return report.markdown("Training text", ("", ""), rows)


def read_manifest(path: Path) -> dict[str, Any]:
    """A manifest that `harness data select` or a study wrote. Raises `UserError` for any other file."""
    remedy = "give the .manifest.json that `harness data select` wrote"
    found = read_json(path, remedy)
    if not {"selection", "size", "seed", "stages", "domains", "ids"} <= set(found):
        raise UserError(f"{path} is no manifest of a selection; {remedy}")
    return found


def tables(pool: Any, manifests: Sequence[Mapping[str, Any]]) -> str:
    """Every table of `harness data report`."""
    slim = pool.select_columns(["id", "source", "domain", "thinking", "thinking_tokens"])
    in_tokens = all(row["thinking_tokens"] is not None for row in slim if with_thinking(row))
    parts = [report.sources(slim, in_tokens)]
    if manifests:
        parts.append(report.stages(manifests))
    parts += [report.domains(slim, manifests), report.lengths(slim, manifests, in_tokens)]
    if len(manifests) > 1:
        parts.append(report.overlap(manifests))
    return "\n".join(parts)
