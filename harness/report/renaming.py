"""A results folder's files again, in another folder, with the places in them named by `places`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.analysis.folders import read_folder, sample_files
from harness.files import atomic, write_json
from harness.parquet import told
from harness.report.places import MESSAGES, SAID, Places
from harness.store import AUDIT_NAME, CLAIM, ROW_GROUP_ROWS

RUNS = "runs.parquet"
SCHEMA_KEY = b"s1_harness_schema"  # of a file's metadata: what other programs add may name this machine
IN_JSON = frozenset({"config", "gen_kwargs", "metadata"})  # columns
WEIGHTS = (".safetensors", ".bin", ".pt", ".gguf")  # linked, not copied, where the disk allows: they are large
VOCABULARIES = ("tokenizer.json", "vocab.json")  # words that look like paths are words there
TRAINERS = ("training_args.", "events.out.tfevents")  # a pickle of folders, and logs that are called after their host
HEAD_BYTES = 2**20  # of weights: where such a file says what it is


def rename_results(out: Path, to: Path) -> tuple[Places, list[str]]:
    """Write the samples, the runs, the claim and the audit of `out` to `to`.

    Returns:
        The names of its places, and what was left out, in lines.

    Raises:
        UserError: `out` holds no samples, or a file of it cannot be read.
    """
    models = read_folder(out, []).runs["model"].dropna().unique()
    places = Places(out, to, taken=[str(name) for name in models])
    notes: list[str] = []
    for name in models:
        places.place(str(name), "model")
    if is_own(out, out / RUNS):
        _write(_groups(out / RUNS, places), to / RUNS)
    for name in (CLAIM, AUDIT_NAME):
        if is_own(out, out / name):
            rename_json(out / name, to / name, places)
    for at, path in enumerate(sample_files(out)):
        if is_own(out, path):
            _write(_groups(path, places), to / "samples" / f"part-{at:05}.parquet")
        else:
            notes.append(f"{path.relative_to(out)}: is a link out of {out}, left out")
    return places, notes


def without_tasks(folder: Path, tasks: Iterable[str]) -> None:
    """Drop the samples of some tasks from the files that `rename_results` wrote."""
    held = pa.array(list(tasks), pa.string())
    for path in sample_files(folder):
        groups = _groups(path)
        _write((one.filter(pc.invert(pc.is_in(one["task"].cast("string"), value_set=held))) for one in groups), path)


def rename_file(path: Path, to: Path, places: Places) -> str:
    """Write a file of a recipe to `to`; returns why not, where it was left out."""
    if path.name.startswith(TRAINERS):
        return f"{path.name} tells of the machine that trained, left out"
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        _write(_groups(path, places), to)
        return ""
    if path.suffix == ".json" and path.name not in VOCABULARIES:
        rename_json(path, to, places)
    else:
        _link(path, to)
    with to.open("rb") as file:
        named = places.named_in(file.read(HEAD_BYTES if to.suffix in WEIGHTS else -1))
    if not named:
        return ""
    to.unlink()
    return f"{path.name} names {named}, left out"


def rename_json(path: Path, to: Path, places: Places) -> None:
    """Write a JSON file to `to`; to the byte as it is, where it names no place or is no JSON."""
    try:
        found = json.loads(path.read_bytes())
        renamed = places.value(found)
    except (ValueError, RecursionError):
        found = renamed = None
    if renamed == found:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, to)
    else:
        write_json(to, renamed)


def is_own(out: Path, path: Path) -> bool:
    """Whether a file lies in the results folder: what a link leads to elsewhere is nobody's to publish."""
    return path.is_file() and Path(os.path.realpath(path)).is_relative_to(os.path.realpath(out))


def _groups(path: Path, places: Places | None = None) -> Iterator[pa.Table]:
    """The row groups of a file, at least one table; with `places`, renamed."""
    with told(path):
        file = pq.ParquetFile(path)
        kept = {key: value for key, value in (file.schema_arrow.metadata or {}).items() if key == SCHEMA_KEY}
        num_groups = file.num_row_groups
        empty = file.schema_arrow.empty_table()
    for group in range(max(num_groups, 1)):
        with told(path):
            table = file.read_row_group(group) if num_groups else empty
            table = table.replace_schema_metadata(kept)
            if places is not None:
                table = _renamed(table, places)
        yield table


def _renamed(table: pa.Table, places: Places) -> pa.Table:
    columns = enumerate(table.schema.names)
    for at, name in sorted(columns, key=lambda one: one[1] in MESSAGES):  # after the settings, whose paths they repeat
        kind = table.schema.field(at).type
        text = kind.value_type if pa.types.is_dictionary(kind) else kind
        if name not in SAID and (pa.types.is_string(text) or pa.types.is_large_string(text)):
            column = _mapped(table.column(at), _renamer(name, places))
            table = table.set_column(at, table.schema.field(at), column.cast(kind))
    return table


def _renamer(column: str, places: Places) -> Callable[[str], str]:
    def in_json(text: str) -> str:
        try:
            found = json.loads(text)
            renamed = places.value(found)
        except (ValueError, RecursionError):
            return places.message(text)
        return text if renamed == found else json.dumps(renamed, sort_keys=True, ensure_ascii=False)

    def plain(text: str) -> str:
        return str(places.value(text, column))

    return in_json if column in IN_JSON else plain


def _mapped(column: pa.ChunkedArray, rename: Callable[[str], str]) -> pa.ChunkedArray:
    """The column with each of its different texts renamed once."""
    plain = column.cast(pa.string())
    old = plain.unique().drop_null()
    new = pa.array([rename(text) for text in old.to_pylist()], pa.string())
    if new.equals(old.combine_chunks() if isinstance(old, pa.ChunkedArray) else old):
        return plain
    return pc.take(new, pc.index_in(plain, value_set=old))


def _write(tables: Iterator[pa.Table], to: Path) -> None:
    first = next(tables)
    with atomic(to) as file, pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        writer.write_table(first, row_group_size=ROW_GROUP_ROWS)
        for table in tables:
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)


def _link(path: Path, to: Path) -> Any:
    """The same file in another folder: weights as a link where the disk allows, for they are large."""
    if path.suffix in WEIGHTS:
        try:
            return os.link(path.resolve(), to)
        except OSError:  # another disk, or one without links
            pass
    return shutil.copy2(path, to)
