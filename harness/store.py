"""The Parquet dataset of a study: atomic appends, what is done already, one writer.

    OUT/study.json          which study this folder belongs to
    OUT/samples/*.parquet   one row a generation (records.SAMPLE_SCHEMA), appended as they come
    OUT/runs.parquet        one row a run, with its whole configuration
    OUT/metrics.parquet     long form
    OUT/README.md           which of them are which part for datasets.load_dataset(OUT)
    OUT/quarantine/         files that could not be read, kept for inspection

Every file is written beside its place and renamed into it, so a reader never sees half a file, and a writer that was
killed leaves at most a `*.partial` that nobody reads.
"""

from __future__ import annotations

import fcntl
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

from harness.dataset_card import write_card
from harness.errors import UserError
from harness.files import PARTIAL, SPECIAL, atomic, is_special, read_json, write_json
from harness.parquet import read_rows, scan
from harness.records import METRIC_SCHEMA, RUN_SCHEMA, SAMPLE_SCHEMA

FLUSH_ROWS = 2000
ROW_GROUP_ROWS = 4000  # the report's sample browser reads text by row group
FLUSH_SECONDS = 2.0
COMPACT_FILES = 64  # small sample files: more of them are merged
COMPACT_BYTES = 128 * 2**20  # what they are merged to
COMPACT_EVERY = 500  # flushes between two looks at the number of files
CLAIM = "study.json"
CLAIM_TYPES = {"name": str, "identity": str, "num_problems": dict, "study": dict, "runs": list}
AUDIT_NAME = "audit.json"  # what the last audit of the folder said
INTENT = "merge.json"  # a merge that is being carried out
LONGEST_NAME = 200  # bytes of a sample file's
LOCK = ".lock"
LOCK_SECONDS = 1.0  # for a reader's glance at the lock to be over; a writer holds it until it ends
# What a writer may write, move and delete: files of the folder, of its folders, and these folders.
OURS = ("*", "samples/*", "logs/*", "figures/*", "lm_eval/*", "pool/*", "recipes/*/*")
OUR_FOLDERS = ("samples", "quarantine", "logs", "figures", "lm_eval", "pool", "recipes", "recipes/*")


def read_claim(out: Path) -> dict[str, Any]:
    """OUT/study.json: the study that a folder belongs to, and its runs; empty when there is none."""
    path = out / CLAIM
    if not path.exists():
        return {}
    found = read_json(path, "remove it if the folder is yours to use")
    for key, kind in CLAIM_TYPES.items():
        if key in found and not isinstance(found[key], kind):
            raise UserError(f"{path}: its {key} is no {kind.__name__}; remove it if the folder is yours to use")
    if not all(isinstance(run, str) for run in found.get("runs", ())):
        raise UserError(f"{path}: its runs are no run ids; remove it if the folder is yours to use")
    return found


def write_table(table: pa.Table, path: Path) -> None:
    """Write `table` to `path` by `files.atomic`."""
    with atomic(path) as file:
        pq.write_table(table, file, compression="zstd", row_group_size=ROW_GROUP_ROWS)


def open_lock(out: Path, flags: int) -> IO[str]:
    """OUT/.lock itself, never what a link there leads to. Raises OSError."""
    return os.fdopen(os.open(out / LOCK, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644), "r")


def _is_sample_name(name: object) -> bool:
    plain = isinstance(name, str) and name.isprintable() and len(name.encode()) < LONGEST_NAME
    return plain and str(name).endswith(".parquet") and not str(name).startswith(".") and os.sep not in str(name)


class Store:
    """The results folder of one study. Use it as a context manager to write; reading needs no lock."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.samples = out / "samples"
        self.quarantined: list[Path] = []
        self._buffer: list[pa.Table] = []
        self._flushed = time.monotonic()
        self._num_flushes = 0
        self._lock: IO[str] | None = None

    def __enter__(self) -> Store:
        """Take the writer's lock. Raises `UserError` when another process holds it or the folder cannot be made."""
        try:
            self.samples.mkdir(parents=True, exist_ok=True)
            self._lock = open_lock(self.out, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise UserError(f"--out {self.out}: cannot write there ({error.strerror}); choose another folder") from None
        try:
            self._take_lock()
            self._refuse_foreign()
            self._finish_merge()
        except BaseException:
            self._lock.close()
            self._lock = None
            raise
        for leftover in (*self.out.glob(f"*{PARTIAL}"), *self.samples.glob(f"*{PARTIAL}")):
            leftover.unlink(missing_ok=True)
        return self

    def _take_lock(self) -> None:
        assert self._lock is not None
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                return fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise UserError(
                        f"--out {self.out} is being written by another harness process; wait for it or choose another "
                        "folder"
                    ) from None
                time.sleep(0.02)
            except OSError as error:
                raise UserError(
                    f"--out {self.out}: its file system cannot lock files ({error.strerror}); choose a folder on "
                    "another one"
                ) from None

    def _refuse_foreign(self) -> None:
        """Raises `UserError` for a link out of the folder: it may be somebody else's; and for a pipe or device."""
        home = os.path.realpath(self.out)
        folders = {path for pattern in OUR_FOLDERS for path in self.out.glob(pattern)}
        files = {path for pattern in OURS for path in self.out.glob(pattern)} - folders
        for path in sorted(files | folders):
            target = os.path.realpath(path)
            written = path in folders or not (path.is_dir() or path.parent == self.samples)
            if path.is_symlink() and written and not target.startswith(home + os.sep):
                raise UserError(f"{path} is a link to {target}, outside --out; remove it, or choose another folder")
            if is_special(path) or (path.parent == self.out and path.name in OUR_FOLDERS and path.is_file()):
                what = SPECIAL if is_special(path) else "a file in a folder's place"
                raise UserError(f"{path} is {what}; remove it, or choose another folder")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
            write_card(self.out)
        finally:
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def claim(
        self,
        name: str,
        identity: str,
        description: Mapping[str, Any],
        num_problems: Mapping[str, int],
        models: Sequence[str] = (),
    ) -> None:
        """Tie this folder to a study; `num_problems` a task. Raises `UserError` when it holds another one.

        `models`: the base models that the study is run with; empty: the description's own alone.

        A changed study of the same name may go on here: each run has its own identity, finished ones are not redone.
        """
        found = read_claim(self.out)
        if found and found.get("name") != name:
            raise UserError(
                f"--out {self.out} holds the study '{found.get('name')}', not '{name}'; choose another folder"
            )
        if not found and any(self.samples.glob("*.parquet")):
            raise UserError(f"--out {self.out} holds samples of an unknown study; choose another folder")
        runs = found.get("runs", []) if found.get("identity") == identity else []
        self._put_claim(
            {
                "name": name,
                "identity": identity,
                "num_problems": dict(num_problems),
                "study": description,
                "models": list(models),
                "runs": runs,
            }
        )

    def claim_runs(self, run_ids: Iterable[str]) -> None:
        """Say which runs are the study's as it is now: runs of other configurations may lie beside them."""
        claim = read_claim(self.out)
        self._put_claim(claim | {"runs": list(dict.fromkeys([*claim.get("runs", []), *run_ids]))})

    def _put_claim(self, claim: Mapping[str, Any]) -> None:
        write_json(self.out / CLAIM, claim)

    def append(self, rows: pa.Table | Iterable[Mapping[str, Any]]) -> None:
        """Add rows of SAMPLE_SCHEMA; they are on disk within `FLUSH_SECONDS` of the next append, or after `flush`."""
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows), schema=SAMPLE_SCHEMA)
        if table.num_rows:
            self._buffer.append(table)
        buffered = sum(table.num_rows for table in self._buffer)
        if buffered >= FLUSH_ROWS or time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Put every row appended so far on disk."""
        if self._buffer:
            table = pa.concat_tables(self._buffer)
            write_table(table, self.samples / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.parquet")
            self._buffer.clear()
            self._num_flushes += 1
            if self._num_flushes % COMPACT_EVERY == 0:
                self.compact()
        self._flushed = time.monotonic()

    def readable_files(self) -> list[Path]:
        """The sample files that open.

        The writer moves torn ones to OUT/quarantine and lists them in `quarantined`; a reader passes them over.
        """
        good = []
        for path in sorted(self.samples.glob("*.parquet")):
            try:
                if is_special(path):
                    raise OSError(SPECIAL)
                pq.read_metadata(path)
                good.append(path)
            except (pa.ArrowInvalid, OSError):
                if self._lock is None:
                    continue
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
        return scan(files, SAMPLE_SCHEMA, columns, where, self.samples)

    def done_keys(self, recipe: str, run_ids: Sequence[str]) -> set[str]:
        """`sample_key` of these runs' samples on disk that did not end in an engine error (those are tried again).

        All are runs of `recipe`: rows come recipe by recipe, so that a scan passes most row groups over.
        """
        mine = (pc.field("recipe") == recipe) & pc.field("run_id").isin(list(run_ids)) & pc.field("error").is_null()
        return set(self.read_samples(["sample_key"], mine)["sample_key"].to_pylist())

    def count_samples(self, run_ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Samples that did not end in an engine error: rows of model, recipe, task, count. Of `run_ids`, if given."""
        good = pc.field("error").is_null()
        good = good if run_ids is None else good & pc.field("run_id").isin(list(run_ids))
        table = self.read_samples(["model", "recipe", "task"], good)
        counted = table.group_by(["model", "recipe", "task"]).aggregate([([], "count_all")])
        return [{**row, "count": row.pop("count_all")} for row in counted.to_pylist()]

    def mean_thinking_tokens(self) -> dict[str, float]:
        """`task/problem_id` -> mean thinking tokens of the base's samples so far."""
        table = self.read_samples(["task", "problem_id", "thinking_tokens"], pc.field("recipe") == "base")
        grouped = table.group_by(["task", "problem_id"]).aggregate([("thinking_tokens", "mean")]).to_pylist()
        return {f"{row['task']}/{row['problem_id']}": row["thinking_tokens_mean"] or 0.0 for row in grouped}

    def compact(self) -> None:
        """Merge small sample files into files of about `COMPACT_BYTES`, when there are more than `COMPACT_FILES`.

        Rows of failed attempts that succeeded later are dropped. Holds one batch of rows in memory; a writer killed on
        the way leaves nothing lost and nothing twice.
        """
        small = [path for path in self.readable_files() if path.stat().st_size < COMPACT_BYTES // 2]
        if len(small) <= COMPACT_FILES:
            return
        superseded = self._superseded()
        group: list[Path] = []
        size = 0
        for path in small:
            group.append(path)
            size += path.stat().st_size
            if size >= COMPACT_BYTES:
                self._merge(group, superseded)
                group, size = [], 0
        if len(group) > 1:
            self._merge(group, superseded)

    def _superseded(self) -> pa.Array:
        """`sample_key` of the samples that have a row with an error and one without."""
        failed = self.read_samples(["sample_key"], pc.field("error").is_valid())["sample_key"].unique()
        if not len(failed):
            return pa.array([], pa.string())
        good = pc.field("error").is_null() & pc.field("sample_key").isin(failed)
        return self.read_samples(["sample_key"], good)["sample_key"].combine_chunks()

    def _merge(self, paths: Sequence[Path], superseded: pa.Array) -> None:
        merged = self.samples / f"{time.time_ns():020d}-merged.parquet"
        hidden = merged.with_name(merged.name + PARTIAL)
        kept = pc.field("error").is_null() | ~pc.field("sample_key").isin(superseded)
        scanner = ds.dataset([str(path) for path in paths], schema=SAMPLE_SCHEMA).scanner(filter=kept)
        with atomic(hidden) as file, pq.ParquetWriter(file, SAMPLE_SCHEMA, compression="zstd") as writer:
            for batch in scanner.to_batches():
                if batch.num_rows:
                    writer.write_batch(batch, row_group_size=ROW_GROUP_ROWS)
        # From here on the merge is carried out, if need be by the next writer.
        write_json(self.out / INTENT, {"merged": merged.name, "replaces": [path.name for path in paths]})
        self._finish_merge()

    def _finish_merge(self) -> None:
        """Carry out the merge that `INTENT` names, wherever a killed writer left it."""
        intent = self.out / INTENT
        if not intent.is_file():
            return
        remedy = "it says how to finish a merge of sample files, and this program did not write it so; remove it"
        wanted = read_json(intent, remedy)
        merged, replaces = wanted.get("merged"), wanted.get("replaces")
        if not isinstance(replaces, list) or merged in replaces or not all(map(_is_sample_name, (merged, *replaces))):
            raise UserError(f"{intent} does not name sample files; {remedy}")
        hidden, whole = self.samples / f"{merged}{PARTIAL}", self.samples / str(merged)
        if not (hidden.is_file() or whole.is_file()):  # it is written before the intent: nothing replaces the others
            raise UserError(f"{intent} names {merged}, which is not there; {remedy}")
        left = [path for name in replaces if os.path.lexists(path := self.samples / name)]
        self._check_merged(hidden if hidden.is_file() else whole, left)
        for path in left:
            path.unlink()
        if hidden.is_file():
            hidden.replace(whole)
        intent.unlink()

    def _check_merged(self, merged: Path, replaced: Sequence[Path]) -> None:
        """Raises `UserError` where a row would be lost: one that did not end in an error, and that `merged` lacks."""
        good = pc.field("error").is_null()
        try:
            keys = scan([merged], SAMPLE_SCHEMA, ["sample_key"], None, merged)["sample_key"].combine_chunks()
            for found in replaced:
                mine = scan([found], SAMPLE_SCHEMA, ["sample_key"], good, found)["sample_key"]
                if not pc.all(pc.is_in(mine, value_set=keys), min_count=0).as_py():
                    raise UserError(f"{merged.name} does not hold all rows of {found.name}")
        except UserError as error:
            raise UserError(
                f"{self.out / INTENT} says that {merged.name} replaces others, but: {error}; remove {INTENT}"
            ) from None

    def runs(self) -> list[dict[str, Any]]:
        """The run rows so far."""
        path = self.out / "runs.parquet"
        return read_rows(path, RUN_SCHEMA) if path.is_file() else []

    def put_runs(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add run rows, or replace those with the same run_id."""
        merged = {row["run_id"]: row for row in self.runs()} | {row["run_id"]: dict(row) for row in rows}
        write_table(pa.Table.from_pylist(list(merged.values()), schema=RUN_SCHEMA), self.out / "runs.parquet")

    def put_metrics(self, table: pa.Table) -> None:
        """Replace OUT/metrics.parquet."""
        write_table(table.cast(METRIC_SCHEMA), self.out / "metrics.parquet")
