"""Read a pool: JSONL, Parquet, a folder of either, a hub dataset, or a known name; as an Arrow-backed Dataset.

Rows go to an Arrow file on disk as they are read and are memory-mapped from there, so a 59,000-row pool does not live
in memory. A broken row is counted, named by its line and left out; it never stops the load.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from harness.data.adapters import adapt
from harness.data.schema import SCHEMA, BadRowError, Row, batches
from harness.errors import UserError, one_line, unknown
from harness.files import JSON_LINES, atomic, is_json_lines, read_json_lines, write_json, write_json_lines
from harness.parquet import told

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
SUFFIXES = (*JSON_LINES, ".parquet")
CACHE_VERSION = "1"  # part of the cache key: raise it when an adapter changes what it reads


@dataclass(frozen=True)
class Loaded:
    """A pool, and what was left out of it: (where, why) of every broken row."""

    dataset: datasets.Dataset
    broken: tuple[tuple[str, str], ...]


def load(spec: str, data_dir: Path | None = None) -> datasets.Dataset:
    """The pool `spec` names: a path, a known name, or a hub dataset. Broken rows are logged as warnings.

    Raises `UserError` for a pool that is not there, holds no good row, or repeats an id.
    """
    loaded = load_with_report(spec, data_dir)
    if loaded.broken:
        shown = "; ".join(f"{where}: {why}" for where, why in loaded.broken[:3])
        more = f"; and {len(loaded.broken) - 3} more" if len(loaded.broken) > 3 else ""
        log.warning("pool %s: %d broken rows left out (%s%s)", spec, len(loaded.broken), shown, more)
    return loaded.dataset


def load_with_report(spec: str, data_dir: Path | None = None) -> Loaded:
    """`load`, with the broken rows as data."""
    files = find(spec, data_dir)
    if files is None:
        return _ingest(_hub_records(KNOWN.get(spec, spec)), f"hub:{spec}", spec)
    return _ingest(records(files), _digest(files), spec)


def find(spec: str, data_dir: Path | None = None) -> list[Path] | None:
    """The files of `spec`, or None when it can only be a hub dataset. Raises `UserError` when it is neither."""
    places = [Path(spec)] if data_dir is None else [Path(data_dir) / spec, Path(spec)]
    for place in places:
        if place.is_file():
            if not place.name.endswith(SUFFIXES):
                raise UserError(f"pool {place} is neither .jsonl nor .parquet; convert it or rename it")
            return [place]
        if place.is_dir():
            files = sorted(path for path in place.iterdir() if path.name.endswith(SUFFIXES))
            if not files:
                raise UserError(f"pool folder {place} holds no .jsonl and no .parquet file")
            return files
    hub = KNOWN.get(spec, spec)
    if hub.count("/") == 1 and not spec.endswith(SUFFIXES) and not spec.startswith((".", "/")):
        return None
    if "/" in spec or spec.endswith(SUFFIXES) or spec in KNOWN:
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


def records(files: list[Path]) -> Iterator[tuple[str, str, int, Any]]:
    """(where, set name, index in the file, record or error text) of every record of `files`."""
    import pyarrow.parquet as pq

    for path in files:
        if not is_json_lines(path):
            index = 0
            with told(path, "write it again"):
                for batch in pq.ParquetFile(path).iter_batches(batch_size=1000):
                    for record in _of_batch(batch):
                        yield f"{path.name} row {index}", path.stem, index, record
                        index += 1
            continue
        name = path.name.removesuffix(".gz").removesuffix(".jsonl")
        for line in read_json_lines(path, encodable=True):
            yield f"{path.name} line {line.number}", name, line.number - 1, line.error or line.value


def _of_batch(batch: pa.RecordBatch) -> Iterator[Any]:
    """The records of a batch; the reason, as text, for one that holds a value that Python has no object for."""
    try:
        whole: list[Any] = batch.to_pylist()
    except (pa.ArrowException, UnicodeError, OverflowError, ValueError):
        whole = [_of_row(batch.slice(at, 1)) for at in range(batch.num_rows)]
    yield from whole


def _of_row(row: pa.RecordBatch) -> Any:
    try:
        return row.to_pylist()[0]
    except (pa.ArrowException, UnicodeError, OverflowError, ValueError) as error:
        return f"a value cannot be read ({one_line(error, most=80)})"


def _hub_records(name: str) -> Iterator[tuple[str, str, int, Any]]:
    for index, record in enumerate(hub_stream(name, None, "train")):
        yield f"{name} row {index}", name, index, record


def hub_stream(name: str, subset: str | None, split: str) -> Iterator[Mapping[str, Any]]:
    """The records of a hub dataset, streamed. Raises `UserError` when it cannot be read (no network, gated, gone)."""
    import datasets

    try:
        yield from datasets.load_dataset(name, subset, split=split, streaming=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"cannot read dataset '{name}' from the hub: {one_line(error)}") from error


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _ingest(records: Iterator[tuple[str, str, int, Any]], content: str, spec: str) -> Loaded:
    """Write the good rows to the Arrow cache under the key of their content, or find them there."""
    import datasets

    key = hashlib.sha256(f"{CACHE_VERSION}\0{content}".encode()).hexdigest()[:24]
    folder = Path(datasets.config.HF_DATASETS_CACHE) / "s1-harness" / key
    if not (folder / "broken.json").exists() or content.startswith("hub:"):
        broken: list[tuple[str, str]] = []
        with atomic(folder / "pool.arrow") as file, pa.ipc.new_stream(file, SCHEMA) as writer:
            for batch in batches(_good(records, broken)):
                writer.write_batch(batch)
        write_json(folder / "broken.json", broken)  # the last thing: it marks the entry as complete
    dataset = datasets.Dataset.from_file(str(folder / "pool.arrow"))
    left_out = tuple((where, why) for where, why in json.loads((folder / "broken.json").read_text()))
    if not len(dataset):
        first = f" (first: {left_out[0][0]}: {left_out[0][1]})" if left_out else ""
        raise UserError(f"pool '{spec}' holds no usable row; {len(left_out)} broken{first}")
    return Loaded(dataset, left_out)


def _good(records: Iterator[tuple[str, str, int, Any]], broken: list[tuple[str, str]]) -> Iterator[Row]:
    """The rows of `records`; what cannot be one, and every later row with an id seen before, goes to `broken`."""
    seen: dict[str, str] = {}
    for where, name, index, record in records:
        try:
            if isinstance(record, str):
                raise BadRowError(record)
            new = adapt(record, name, index)
            if new["id"] in seen:
                raise BadRowError(f"id '{new['id']}' repeats {seen[new['id']]}")
        except BadRowError as error:
            broken.append((where, str(error)))
            continue
        seen[new["id"]] = where
        yield new
