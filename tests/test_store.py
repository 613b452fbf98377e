"""Rows are written as they come, whole or not at all, by one writer."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness import store as store_module
from harness.errors import UserError
from harness.records import RUN_SCHEMA, SAMPLE_SCHEMA
from harness.store import Store


def row(key: str, error: str | None = None) -> dict[str, Any]:
    empty = dict.fromkeys(SAMPLE_SCHEMA.names)
    return empty | {
        "sample_key": key,
        "run_id": "r",
        "recipe": "base",
        "task": "t",
        "error": error,
        "thinking": "…" * 10,
    }


def test_rows_come_back_with_their_schema(tmp_path: Path) -> None:
    with Store(tmp_path / "out") as store:
        store.append([row("a"), row("b")])
        store.flush()
        table = store.read_samples()
    assert table.schema.equals(SAMPLE_SCHEMA)
    assert table["sample_key"].to_pylist() == ["a", "b"]


def test_a_generation_that_failed_in_the_engine_is_not_done(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append([row("a"), row("b", error="engine died")])
        store.flush()
        assert store.done_keys("base", ["r"]) == {"a"}


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path), pytest.raises(UserError, match="being written by another"), Store(tmp_path):
        pass


def test_a_writer_that_was_killed_leaves_whole_files_and_no_lock(tmp_path: Path) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_store import row
from harness.store import Store
with Store(Path({str(tmp_path)!r})) as store:
    store.append([row("a")]); store.flush()
    (store.samples / "x.parquet.partial").write_bytes(b"half")
    store.append([row("b")])
    print("ready", flush=True)
    os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == -signal.SIGKILL and "ready" in process.stdout, process.stderr
    with Store(tmp_path) as store:
        assert "a" in store.done_keys("base", ["r"])
        assert not list(store.samples.glob("*.partial"))


def test_a_torn_file_is_put_aside_and_said(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append([row("a")])
        store.flush()
        torn = store.samples / "9.parquet"
        torn.write_bytes(b"PAR1 half a file")
        assert store.done_keys("base", ["r"]) == {"a"}
        assert store.quarantined == [tmp_path / "quarantine" / "9.parquet"] and not torn.exists()


def test_compacting_keeps_every_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "COMPACT_FILES", 3)
    with Store(tmp_path) as store:
        for key in "abcdef":
            store.append([row(key, error="died" if key == "b" else None)])
            store.flush()
        store.append([row("b")])
        store.flush()
        store.compact()
        assert len(list(store.samples.iterdir())) == 1
        table = store.read_samples()
    assert sorted(table["sample_key"].to_pylist()) == list("abcdef")
    assert table["error"].null_count == 6


@pytest.mark.parametrize("steps", range(4))
def test_a_writer_killed_while_it_merges_loses_nothing_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: Any
) -> None:
    """Killed before the intent, after it, between two deletions, before the rename: the next writer carries it out."""
    monkeypatch.setattr(store_module, "COMPACT_FILES", 2)
    with Store(tmp_path) as store:
        for key in "abcd":
            store.append([row(key)])
            store.flush()
        monkeypatch.setattr(Store, "_finish_merge", lambda self: None)
        store.compact()
    monkeypatch.undo()
    intent = tmp_path / store_module.INTENT
    wanted = json.loads(intent.read_text())
    if steps == 0:
        intent.unlink()
    for name in wanted["replaces"][: max(0, 2 * (steps - 1))]:
        (tmp_path / "samples" / name).unlink()
    with Store(tmp_path) as store:
        assert sorted(store.read_samples()["sample_key"].to_pylist()) == list("abcd")
        assert len(store.readable_files()) == (4 if steps == 0 else 1)
        assert not intent.exists() and not list(store.samples.glob("*.partial"))


def test_merging_many_files_keeps_their_number_and_their_size_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "COMPACT_FILES", 4)
    monkeypatch.setattr(store_module, "COMPACT_EVERY", 8)
    # Several files of one row fit into it: the smallest file grows with the number of columns.
    monkeypatch.setattr(store_module, "COMPACT_BYTES", 1_500 * len(SAMPLE_SCHEMA))
    with Store(tmp_path) as store:
        for index in range(100):
            store.append([row(f"{index}")])
            store.flush()
        assert len(store.readable_files()) < 24
        assert sorted(store.read_samples()["sample_key"].to_pylist(), key=int) == [f"{i}" for i in range(100)]


def test_a_disk_that_is_really_full_keeps_what_it_has_and_goes_on_when_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with Store(small_disk / "out") as store:
        store.append([row("a")])
        store.flush()
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        store.append([row("b")])
        with pytest.raises(OSError, match="free some space"):
            store.flush()
        assert store.done_keys("base", ["r"]) == {"a"}
        ballast.unlink()
        store.flush()
        assert store.done_keys("base", ["r"]) == {"a", "b"}


def test_a_folder_belongs_to_one_study(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.claim("one", "1", {}, {})
        store.claim("one", "2", {}, {})  # the same study, changed
        with pytest.raises(UserError, match="holds the study 'one', not 'two'"):
            store.claim("two", "1", {}, {})


def test_a_run_row_is_replaced_not_repeated(tmp_path: Path) -> None:
    empty = dict.fromkeys(RUN_SCHEMA.names)
    with Store(tmp_path) as store:
        store.put_runs([empty | {"run_id": "a", "status": "failed"}, empty | {"run_id": "b", "status": "done"}])
        store.put_runs([empty | {"run_id": "a", "status": "done"}])
        assert [(r["run_id"], r["status"]) for r in store.runs()] == [("a", "done"), ("b", "done")]


def test_a_full_disk_loses_no_earlier_row_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(table: pa.Table, file: Any, **_: Any) -> None:
        raise OSError(28, "No space left on device")

    with Store(tmp_path) as store:
        store.append([row("a")])
        store.flush()
        with monkeypatch.context() as patch:
            patch.setattr(pq, "write_table", full)
            store.append([row("b")])
            with pytest.raises(OSError, match="free some space"):
                store.flush()
        store.flush()  # the rows were kept in memory and go out once there is room
        assert store.done_keys("base", ["r"]) == {"a", "b"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="cannot write there"), Store(tmp_path / "out"):
        pass
