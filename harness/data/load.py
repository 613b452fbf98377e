"""Read a pool: files of any kind, a folder, a hub dataset, or a known name; as an Arrow-backed Dataset.

Rows go to an Arrow file on disk as they are read and are memory-mapped from there, so a 59,000-row pool does not live
in memory. A broken record is counted, named by its line and left out; it never stops the load. A pool in which no
trace is found, though something there may be one, is an error that says how to name it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from harness.data.adapters import adapt, check_mapping
from harness.data.reading import Record, files_in, hub_stream, is_saved_dataset, kind_of_file, records, remedy
from harness.data.schema import SCHEMA, BadRowError, Row, batches, with_thinking
from harness.digests import file_digest
from harness.errors import UserError, unknown
from harness.files import JSON_LINES, atomic, is_json_lines, write_json, write_json_lines

if TYPE_CHECKING:
    import datasets

log = logging.getLogger(__name__)
# Names a study may use. A name with a folder under --data-dir is read from there, any other from the hub.
KNOWN: dict[str, str] = {
    "sft_pool": "sft_pool",
    "s1K": "simplescaling/s1K",
    "s1K_tokenized": "simplescaling/s1K_tokenized",
    "s1K-1.1": "simplescaling/s1K-1.1",
    "s1K-1.1_tokenized": "simplescaling/s1K-1.1_tokenized",
    "s1-59K": "simplescaling/data_ablation_full59K",
    "limo": "GAIR/LIMO",
}
SUFFIXES = (*JSON_LINES, ".parquet")  # that are written
CACHE_VERSION = "5"  # part of the cache key: raise it when an adapter changes what it reads


@dataclass(frozen=True)
class Loaded:
    """A pool, and what is to be said of it.

    `broken`: (where, why) of every record left out; `notes`: what was read otherwise than written, with its count.
    """

    dataset: datasets.Dataset
    broken: tuple[tuple[str, str], ...]
    num_traces: int
    num_questions: int
    key: str  # of its content
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()  # of its records

    @property
    def summary(self) -> str:
        """One line: rows, traces, questions."""
        rows = len(self.dataset)
        several = "" if self.num_questions == rows else f" to {self.num_questions:,} questions"
        missing = rows - self.num_traces
        untrained = f"; {missing:,} without one are not trained on" if missing and self.num_traces else ""
        return f"{rows:,} rows, {self.num_traces:,} with a trace{several}{untrained}"

    def need_traces(self, spec: str, step: str, named_by: str = "--map thinking=COLUMN") -> None:
        """Raise `UserError`, with what to do, where no row has a trace.

        Args:
            spec: the pool, as it was named.
            step: what needs the traces.
            named_by: how the column that holds them is named.
        """
        if not self.num_traces:
            raise UserError(
                f"pool '{spec}': none of its {len(self.dataset):,} rows has a trace, and {step} needs one (columns: "
                f"{', '.join(self.columns)}); name the column that holds it with {named_by}, or let a teacher write "
                "traces with `harness data featurize --traces`"
            )


def load(spec: str, data_dir: Path | None = None, mapping: Mapping[str, str] | None = None) -> datasets.Dataset:
    """The pool `spec` names: a path, a known name, or a hub dataset. Broken rows are logged as warnings.

    Raises `UserError` for a pool that is not there, or holds no good row.
    """
    loaded = load_with_report(spec, data_dir, mapping)
    if loaded.broken:
        shown = "; ".join(f"{where}: {why}" for where, why in loaded.broken[:3])
        more = f"; and {len(loaded.broken) - 3} more" if len(loaded.broken) > 3 else ""
        log.warning("pool %s: %d broken rows left out (%s%s)", spec, len(loaded.broken), shown, more)
    return loaded.dataset


def load_with_report(spec: str, data_dir: Path | None = None, mapping: Mapping[str, str] | None = None) -> Loaded:
    """`load`, with what is to be said of it as data. `mapping`: pool column -> the record's (`--map`)."""
    told = check_mapping(mapping or {})
    files = find(spec, data_dir)
    if files is None:
        return _ingest(_hub_records(KNOWN.get(spec, spec).removeprefix("hub:")), f"hub:{spec}", spec, told)
    return _ingest(records(files), _digest(files), spec, told)


def find(spec: str, data_dir: Path | None = None) -> list[Path] | None:
    """The files of `spec`, or None when it can only be a hub dataset. Raises `UserError` when it is neither."""
    places = [Path(spec)] if data_dir is None else [Path(data_dir) / spec, Path(spec)]
    for place in places:
        if place.is_file():
            if kind_of_file(place) is None:
                raise UserError(f"pool {place} is of no kind that is read; {remedy(place)}")
            return [place]
        if place.is_dir():
            return [place] if is_saved_dataset(place) else files_in(place)
    hub = KNOWN.get(spec, spec).removeprefix("hub:")
    is_file_name = kind_of_file(Path(spec)) is not None
    if hub.count("/") == 1 and not is_file_name and not spec.startswith((".", "/")):
        return None
    if "/" in spec or is_file_name or spec in KNOWN:
        raise UserError(f"pool '{spec}' is not at {' or '.join(map(str, places))}; give a path or set --data-dir")
    raise unknown("pool", spec, KNOWN)


def save(rows: Iterator[Row] | datasets.Dataset, path: Path) -> int:
    """Write `rows` to `path` (.parquet, .jsonl or .jsonl.gz) by `files.atomic`. Returns the number of rows."""
    import pyarrow.parquet as pq

    if not path.name.endswith(SUFFIXES):
        raise UserError(f"cannot write {path}: give a name ending in .parquet or .jsonl")
    if is_json_lines(path):
        return write_json_lines(path, rows)
    count = 0
    with atomic(path) as file, pq.ParquetWriter(file, SCHEMA) as writer:
        for batch in batches(iter(rows)):
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _hub_records(name: str) -> Iterator[Record]:
    """The records of `org/name`, or of one configuration of it, `org/name:configuration`."""
    name, _, subset = name.partition(":")
    for index, record in enumerate(hub_stream(name, subset or None, "train")):
        yield f"{name} row {index}", name, index, record


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        for one in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if one.is_file():
                digest.update(one.name.encode())
                digest.update(bytes.fromhex(file_digest(one)))
    return digest.hexdigest()


@dataclass
class _Seen:
    """What is counted while a pool is read."""

    broken: list[tuple[str, str]]
    notes: Counter[str]
    untaken: Counter[str]  # columns that may hold a trace that was not taken
    columns: set[str]
    questions: set[bytes]
    num_traces: int = 0


def _ingest(found: Iterable[Record], content: str, spec: str, told: dict[str, str]) -> Loaded:
    """Write the good rows to the Arrow cache under the key of their content, or find them there."""
    import datasets

    key = hashlib.sha256(json.dumps([CACHE_VERSION, content, told], sort_keys=True).encode()).hexdigest()[:24]
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "s1-harness" / key
    if not (folder / "report.json").exists() or content.startswith("hub:"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"pools are cached below {folder.parent}, which cannot be written ({error.strerror or error}); set "
                "HF_DATASETS_CACHE to a folder that can"
            ) from None
        seen = _Seen([], Counter(), Counter(), set(), set())
        with atomic(folder / "pool.arrow") as file, pa.ipc.new_stream(file, SCHEMA) as writer:
            for batch in batches(_good(found, seen, told)):
                writer.write_batch(batch)
        report = {
            "broken": seen.broken,
            "notes": [f"{count:,} rows {note}" for note, count in seen.notes.items()],
            "untaken": [name for name, _ in seen.untaken.most_common(1)],
            "columns": sorted(seen.columns),
            "num_traces": seen.num_traces,
            "num_questions": len(seen.questions),
        }
        write_json(folder / "report.json", report)  # the last thing: it marks the entry as complete
    dataset = datasets.Dataset.from_file(str(folder / "pool.arrow"))
    report = json.loads((folder / "report.json").read_text())
    left_out = tuple((where, why) for where, why in report["broken"])
    if not len(dataset):
        first = f" (first: {left_out[0][0]}: {left_out[0][1]})" if left_out else ""
        raise UserError(f"pool '{spec}' holds no usable row; {len(left_out)} broken{first}")
    if not report["num_traces"] and report["untaken"]:
        column = report["untaken"][0]
        raise UserError(
            f"pool '{spec}': none of its {len(dataset):,} rows has a trace that could be told from its answer, and "
            f"'{column}' may hold one (columns: {', '.join(report['columns'])}); name the trace with "
            f"--map thinking={column} or another column (in a study: pool_columns), or say --map thinking=none if "
            "these rows are for a teacher"
        )
    return Loaded(
        dataset,
        left_out,
        report["num_traces"],
        report["num_questions"],
        key,
        tuple(report["notes"]),
        tuple(report["columns"]),
    )


def _good(found: Iterable[Record], seen: _Seen, told: dict[str, str]) -> Iterator[Row]:
    """The rows of the records; what cannot be one goes to `seen.broken`.

    An id that was there before stands for another trace of its question ("ID#2"); in another file it may be another
    question's ("FILE/ID"); in one file it is broken.
    """
    ids: dict[str, tuple[str, bytes, str]] = {}
    texts: set[bytes] = set()
    for where, name, index, record in found:
        try:
            if isinstance(record, str):
                raise BadRowError(record)
            adapted = adapt(record, name, index, told)
            seen.columns |= {str(column) for column in record} if len(seen.columns) < 100 else set()
            for new in adapted.rows:
                new["id"] = _own_id(new, where, name, ids, texts)
        except BadRowError as error:
            seen.broken.append((where, str(error)))
            continue
        seen.notes.update(adapted.notes)
        if adapted.untaken:
            seen.untaken[adapted.untaken] += 1
        for new in adapted.rows:
            seen.num_traces += with_thinking(new)
            seen.questions.add(_hash(new["question"].strip()))
            yield new


def _own_id(new: Row, where: str, name: str, ids: dict[str, tuple[str, bytes, str]], texts: set[bytes]) -> str:
    """The row's id, made unique where that loses nothing. Raises `BadRowError` where it would."""
    row_id, question = str(new["id"]), _hash(new["question"])
    text = _hash("\0".join((new["question"], new["thinking"], new["attempt"])))
    if row_id in ids:
        first, of_question, file = ids[row_id]
        if text in texts:
            raise BadRowError(f"id '{row_id}' repeats {first}")
        if of_question == question:
            number = next(n for n in range(2, len(ids) + 3) if f"{row_id}#{n}" not in ids)
            row_id = f"{row_id}#{number}"
        elif file != name and f"{name}/{row_id}" not in ids:
            row_id = f"{name}/{row_id}"
        else:
            raise BadRowError(f"id '{row_id}' repeats {first}")
    ids[row_id] = (where, question, name)
    texts.add(text)
    return row_id


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()
