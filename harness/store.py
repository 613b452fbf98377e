"""The Parquet dataset of a study: atomic appends, what is done already, one writer.

    OUT/study.json          which study this folder belongs to
    OUT/samples/*.parquet   one row a generation (records.SAMPLE_SCHEMA), appended as they come
    OUT/runs.parquet        one row a run, with its whole configuration
    OUT/metrics.parquet     long form
    OUT/quarantine/         files that could not be read, kept for inspection

Every file is written beside its place and renamed into it, so a reader never sees half a file, and a writer that was
killed leaves at most a `*.partial` that nobody reads.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from harness.errors import UserError
from harness.records import METRIC_SCHEMA, RUN_SCHEMA, SAMPLE_SCHEMA

FLUSH_ROWS = 2000
ROW_GROUP_ROWS = 4000  # the report's sample browser reads text by row group
FLUSH_SECONDS = 2.0
COMPACT_FILES = 64  # more sample files than this are merged when a study ends


def write_table(table: pa.Table, path: Path) -> None:
    """Write `table` to `path` durably: synced beside it, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with partial.open("wb") as file:
            pq.write_table(table, file, compression="zstd", row_group_size=ROW_GROUP_ROWS)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OSError(f"could not write {path}: {error.strerror or error}; free some space and run again") from error


class Store:
    """The results folder of one study. Use it as a context manager to write; reading needs no lock."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.samples = out / "samples"
        self.quarantined: list[Path] = []
        self._buffer: list[dict[str, Any]] = []
        self._flushed = time.monotonic()
        self._lock: IO[str] | None = None

    def __enter__(self) -> Store:
        """Take the writer's lock. Raises `UserError` when another process holds it or the folder cannot be made."""
        try:
            self.samples.mkdir(parents=True, exist_ok=True)
            self._lock = (self.out / ".lock").open("w")
        except OSError as error:
            raise UserError(f"--out {self.out}: cannot write there ({error.strerror}); choose another folder") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            self._lock = None
            raise UserError(
                f"--out {self.out} is being written by another harness process; wait for it or choose another folder"
            ) from None
        for leftover in self.samples.glob("*.partial"):
            leftover.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
        finally:
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def claim(self, name: str, identity: str, description: Mapping[str, Any]) -> None:
        """Tie this folder to a study. Raises `UserError` when it holds another one.

        A changed study of the same name may go on here: each run has its own identity, finished ones are not redone.
        """
        path = self.out / "study.json"
        if path.is_file():
            try:
                found = json.loads(path.read_text()).get("name")
            except json.JSONDecodeError:
                raise UserError(f"{path} is not JSON; remove it if the folder is yours to use") from None
            if found != name:
                raise UserError(f"--out {self.out} holds the study '{found}', not '{name}'; choose another folder")
        elif any(self.samples.glob("*.parquet")):
            raise UserError(f"--out {self.out} holds samples of an unknown study; choose another folder")
        partial = path.with_suffix(".json.partial")
        partial.write_text(json.dumps({"name": name, "identity": identity, "study": description}, indent=1))
        partial.replace(path)

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows of SAMPLE_SCHEMA; they are on disk within `FLUSH_SECONDS` of the next append, or after `flush`."""
        self._buffer.extend(dict(row) for row in rows)
        if len(self._buffer) >= FLUSH_ROWS or time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Put every row appended so far on disk."""
        if self._buffer:
            table = pa.Table.from_pylist(self._buffer, schema=SAMPLE_SCHEMA)
            write_table(table, self.samples / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.parquet")
            self._buffer.clear()
        self._flushed = time.monotonic()

    def readable_files(self) -> list[Path]:
        """The sample files that open. Torn ones are moved to OUT/quarantine and listed in `quarantined`."""
        good = []
        for path in sorted(self.samples.glob("*.parquet")):
            try:
                pq.read_metadata(path)
                good.append(path)
            except (pa.ArrowInvalid, OSError):
                target = self.out / "quarantine" / path.name
                target.parent.mkdir(exist_ok=True)
                path.replace(target)
                self.quarantined.append(target)
        return good

    def read_samples(self, columns: Sequence[str] | None = None, where: pc.Expression | None = None) -> pa.Table:
        """The sample rows that `where` keeps, or only `columns` of them (an empty table when there are none)."""
        files = self.readable_files()
        if not files:
            schema = SAMPLE_SCHEMA if columns is None else pa.schema([SAMPLE_SCHEMA.field(name) for name in columns])
            return schema.empty_table()
        return ds.dataset([str(path) for path in files], schema=SAMPLE_SCHEMA).to_table(columns=columns, filter=where)

    def done_keys(self) -> set[str]:
        """`sample_key` of every sample on disk that did not end in an engine error (those are tried again)."""
        table = self.read_samples(["sample_key", "error"])
        errors = table["error"].is_null().to_pylist()
        return {key for key, ok in zip(table["sample_key"].to_pylist(), errors, strict=True) if ok}

    def compact(self) -> None:
        """Merge many small sample files into one, dropping rows of failed attempts that succeeded later."""
        files = self.readable_files()
        if len(files) <= COMPACT_FILES:
            return
        table = self.read_samples()
        keys, errors = table["sample_key"].to_pylist(), table["error"].to_pylist()
        good = {key for key, error in zip(keys, errors, strict=True) if error is None}
        last = {key: index for index, key in enumerate(keys)}  # of what failed every time, the last attempt
        kept = [
            index
            for index, (key, error) in enumerate(zip(keys, errors, strict=True))
            if error is None or (key not in good and last[key] == index)
        ]
        write_table(table.take(kept), self.samples / f"{time.time_ns():020d}-compact.parquet")
        for path in files:
            path.unlink()

    def runs(self) -> list[dict[str, Any]]:
        """The run rows so far."""
        path = self.out / "runs.parquet"
        return pq.read_table(path).to_pylist() if path.is_file() else []

    def put_runs(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add run rows, or replace those with the same run_id."""
        merged = {row["run_id"]: row for row in self.runs()} | {row["run_id"]: dict(row) for row in rows}
        write_table(pa.Table.from_pylist(list(merged.values()), schema=RUN_SCHEMA), self.out / "runs.parquet")

    def put_metrics(self, table: pa.Table) -> None:
        """Replace OUT/metrics.parquet."""
        write_table(table.cast(METRIC_SCHEMA), self.out / "metrics.parquet")
