"""Collect a raw pool from its sources: read, keep what counts, repair, drop repeated questions; streamed.

What s1 does in data/collect_data.py, with the counts told and every draw seeded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data import repairs as fixes
from harness.data.same_text import tokens
from harness.data.schema import BadRowError, Row, row
from harness.data.shapes import question_id
from harness.data.sources import SOURCES, Source, first_text
from harness.errors import UserError, unknown
from harness.grading.extract.answer import last_box


@dataclass
class Counts:
    """What became of one source's records."""

    read: int = 0
    not_wanted: int = 0  # the source's own rule
    broken: int = 0
    repeated: int = 0  # the same question as an earlier row, of this or another source
    not_drawn: int = 0  # beyond the source's sample
    kept: int = 0
    repairs: dict[str, int] = field(default_factory=dict)
    missing_figures: int = 0
    error: str | None = None  # the source could not be read at all


def collect(names: Iterable[str], folder: Path | None = None, seed: int = 0) -> tuple[Iterator[Row], dict[str, Counts]]:
    """The rows of the named sources, and their counts, which are complete once the rows are used up.

    `folder` holds NAME.jsonl or NAME.parquet with a source's raw records (spaces as "_"); without one the hub is
    read. A source that cannot be read is reported in its counts; the others go on.
    """
    chosen = list(names)
    for name in chosen:
        if name not in SOURCES:
            raise unknown("source", name, SOURCES)
    counts = {name: Counts() for name in chosen}

    def rows() -> Iterator[Row]:
        seen: set[bytes] = set()
        for name in chosen:
            try:
                yield from _source_rows(SOURCES[name], folder, seed, counts[name], seen)
            except UserError as error:
                counts[name].error = str(error)

    return rows(), counts


def _source_rows(source: Source, folder: Path | None, seed: int, counts: Counts, seen: set[bytes]) -> Iterator[Row]:
    rows = _unique(_adapted(source, _raw(source, folder), counts), counts, seen)
    if source.sample is not None:  # a draw that does not depend on the order of the release
        everything = sorted(rows, key=lambda new: hashlib.sha256(f"{seed}\0{new['id']}".encode()).digest())
        counts.not_drawn = max(0, len(everything) - source.sample)
        rows = iter(everything[: source.sample])
    for new in rows:
        counts.kept += 1
        yield new


def _raw(source: Source, folder: Path | None) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    """(subset, record) of a source's files or hub dataset."""
    if folder is not None:
        from harness.data.reading import records

        stem = source.name.replace(" ", "_")
        files = [path for suffix in (".jsonl", ".parquet") if (path := folder / f"{stem}{suffix}").is_file()]
        if not files:
            raise UserError(f"no {stem}.jsonl and no {stem}.parquet in {folder}")
        for _, _, _, record in records(files):
            yield None, record if isinstance(record, dict) else {}
        return
    from harness.data.reading import hub_stream

    for subset in source.subsets:
        for split in source.splits:
            for record in hub_stream(source.hub, subset, split):
                yield subset, record


def _adapted(source: Source, raw: Iterator[tuple[str | None, Mapping[str, Any]]], counts: Counts) -> Iterator[Row]:
    for subset, original in raw:
        counts.read += 1
        record = {**original, "subset": original.get("subset", subset)} if subset else original
        try:
            if source.keep is not None and not source.keep(record):
                counts.not_wanted += 1
                continue
            yield from_source(source, record, counts)
        except (BadRowError, ValueError):  # ValueError: a year that is no number
            counts.broken += 1


def from_source(source: Source, record: Mapping[str, Any], counts: Counts) -> Row:
    """One raw record of `source` as a pool row, its question repaired. Raises `BadRowError` without a question."""
    answer = first_text(record.get(source.answer)) if source.answer else ""
    solution = first_text(record.get(source.solution)) if source.solution else ""
    if not answer and (boxed := last_box(solution)):
        answer = boxed[2]
    if source.choices is not None:
        question, answer = source.choices(record)
    else:
        question = source.ask(record) if source.ask else first_text(record.get(source.question))
    question, repairs = fixes.repair(question)
    used = {source.question, source.solution, source.answer, "input", "passage", "options", "context"}
    kept = {key: value for key, value in record.items() if key not in used and _small(value)}
    for name in repairs:
        counts.repairs[name] = counts.repairs.get(name, 0) + 1
    if repairs:
        kept["repairs"] = repairs
    if source.choices is not None:
        kept["kind"] = "choice"
    if fixes.misses_figure(question):
        counts.missing_figures += 1
        kept["missing_figure"] = True
    detail = first_text(record.get(source.detail)) if source.detail else ""
    return row(
        {
            "id": question_id(question),
            "question": question,
            "solution": solution,
            "answer": answer,
            "source": f"{source.name}/{detail}" if detail else source.name,
            "metadata": kept,
        }
    )


def _small(value: Any) -> bool:
    """Whether a value belongs into metadata: JSON, and no second copy of the data (test cases, images)."""
    try:
        return len(json.dumps(value)) <= 500
    except TypeError:
        return False


def _unique(rows: Iterator[Row], counts: Counts, seen: set[bytes]) -> Iterator[Row]:
    """The first row of every question; the same words in other punctuation, case or LaTeX spacing are the same."""
    for new in rows:
        key = hashlib.sha256(" ".join(tokens(new["question"])).encode()).digest()[:16]
        if key in seen:
            counts.repeated += 1
            continue
        seen.add(key)
        yield new
