"""A results folder from elsewhere: what lies in it is data, and never says what is deleted, emptied or written."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.analysis.folders import read_folder
from harness.analysis.logs.published import expand
from harness.config import to_plain
from harness.errors import UserError
from harness.records import SAMPLE_SCHEMA
from harness.report.every_eval_ever import export
from harness.report.publishing import prepare
from harness.store import LOCK_SECONDS, OUR_FOLDERS, Store
from harness.studies import load as studies
from harness.studies import status as status_module
from harness.studies.status import status
from tests import made_up_study as made_up


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return made_up.write(tmp_path / "out", [made_up.sample()])


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.name[0] != "."
    }


MERGES = {
    "absolute": {"merged": "m.parquet", "replaces": ["/etc/passwd"]},
    "upwards": {"merged": "m.parquet", "replaces": ["../../precious.parquet"]},
    "merged upwards": {"merged": "../precious.parquet", "replaces": []},
    "hidden": {"merged": ".m.parquet", "replaces": []},
    "no Parquet": {"merged": "m.txt", "replaces": []},
    "a NUL": {"merged": "part-0.parquet", "replaces": ["\0.parquet"]},
    "a name that no file can have": {"merged": "part-0.parquet", "replaces": ["x" * 300 + ".parquet"]},
    "a folder": {"merged": "part-0.parquet", "replaces": ["folder.parquet"]},
    "rows that it does not hold": {"merged": "part-0.parquet", "replaces": ["part-1.parquet"]},
    "a merged one that is broken": {"merged": "torn.parquet", "replaces": ["part-0.parquet"]},
    "the merged one itself": {"merged": "part-0.parquet", "replaces": ["part-0.parquet"]},
    "nothing to replace them": {"merged": "m.parquet", "replaces": ["part-0.parquet"]},
    "no list": {"merged": "m.parquet", "replaces": "part-0.parquet"},
    "numbers": {"merged": 3, "replaces": [None]},
    "empty": {},
    "no object": [1],
}


@pytest.mark.parametrize("kind", MERGES)
def test_a_merge_that_is_not_ours_deletes_nothing_and_is_told_in_one_line(out: Path, kind: str) -> None:
    (out.parent / "precious.parquet").write_text("mine")
    (out / "samples" / "folder.parquet").mkdir()
    (out / "samples" / "torn.parquet").write_text("torn")
    other = made_up.write(out.parent / "other", [made_up.sample(sample_key="another")])
    shutil.copy(other / "samples" / "part-0.parquet", out / "samples" / "part-1.parquet")
    (out / "merge.json").write_text(json.dumps(MERGES[kind]))
    before = tree(out.parent)
    with pytest.raises(UserError, match=r"merge\.json") as caught, Store(out):
        pass
    assert "\n" not in str(caught.value) and tree(out.parent) == before
    (out / "merge.json").unlink()
    with Store(out):  # the refusal left no lock behind
        pass


@pytest.mark.parametrize(
    "name", ["samples", "quarantine", "logs", "figures", "lm_eval", "pool", "recipes", "recipes/a"]
)
def test_a_folder_that_leads_out_of_the_folder_is_neither_written_nor_emptied(out: Path, name: str) -> None:
    theirs = out.parent / "theirs"
    shutil.copytree(out / "samples", theirs)
    (theirs / "precious.parquet").write_text("mine")
    (theirs / "unfinished.partial").write_text("mine")
    (out / "samples" / "precious.parquet").write_text("torn, to be moved into quarantine")
    (out / "merge.json").write_text(json.dumps({"merged": "part-0.parquet", "replaces": ["precious.parquet"]}))
    before = tree(theirs)
    if name == "samples":
        shutil.rmtree(out / name)
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).symlink_to(theirs)
    with pytest.raises(UserError, match="is a link to"), Store(out) as store:
        store.read_samples()
    assert tree(theirs) == before


@pytest.mark.parametrize("name", ["samples/a.parquet", "runs.parquet", "study.json", "README.md", "logs/ray.log"])
@pytest.mark.parametrize("use", ["write", "read"])
def test_a_pipe_where_a_file_belongs_is_not_waited_for(out: Path, name: str, use: str) -> None:
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).unlink(missing_ok=True)
    os.mkfifo(out / name)
    end = threading.Timer(
        60, lambda: os.close(os.open(out / name, os.O_WRONLY | os.O_NONBLOCK))
    )  # of a test that fails
    end.start()
    try:
        if use == "write":
            with pytest.raises(UserError, match="is a pipe, socket or device"), Store(out):
                pass
        elif name.endswith((".parquet", ".json")):
            with pytest.raises(UserError, match=r"pipe|no file"):
                read_folder(out, [])
    finally:
        end.cancel()


@pytest.mark.parametrize("name", sorted({*OUR_FOLDERS} - {"samples", "recipes/*"}))
def test_a_file_in_a_folders_place_is_one_line(out: Path, name: str) -> None:
    shutil.rmtree(out / name, ignore_errors=True)
    (out / name).write_text("mine")
    with pytest.raises(UserError, match="is a file in a folder's place; remove it"), Store(out):
        pass
    assert (out / name).read_text() == "mine"


def test_a_log_that_is_a_pipe_is_named_as_one(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "samples.jsonl")
    with pytest.raises(UserError, match=r"is a pipe, .* write what comes through it into a file"):
        expand([tmp_path / "samples.jsonl"])


def test_a_lock_that_is_a_link_does_not_empty_its_target(out: Path) -> None:
    target = out.parent / "precious"
    target.write_text("mine")
    (out / ".lock").symlink_to(target)
    with contextlib.suppress(UserError), Store(out):
        pass
    assert target.read_text() == "mine"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_a_lock_that_is_no_file_does_not_hang(out: Path, make: Any) -> None:
    make(out / ".lock")
    start = time.monotonic()
    with contextlib.suppress(UserError), Store(out):
        pass
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("name", ["metrics.parquet", "runs.parquet", "LEADERBOARD.md", "logs/ray.log", "study.json"])
def test_a_file_that_leads_out_of_the_folder_is_not_written(out: Path, name: str) -> None:
    target = out.parent / "precious"
    target.write_text("mine")
    (out / name).parent.mkdir(exist_ok=True)
    (out / name).unlink(missing_ok=True)
    (out / name).symlink_to(target)
    with pytest.raises(UserError, match="is a link to"), Store(out):
        pass
    assert target.read_text() == "mine"


def test_a_folder_that_is_a_link_is_used(out: Path) -> None:
    (out.parent / "link").symlink_to(out)
    with Store(out.parent / "link") as store:
        assert store.read_samples().num_rows == 1


CLAIMS: dict[str, Any] = {
    "runs are no list": {"name": "a", "runs": 3},
    "runs are no texts": {"name": "a", "runs": [1, None]},
    "study is no object": {"name": "a", "study": [], "num_problems": {}},
    "no study": {"name": "a"},
    "counts are no numbers": {"name": "a", "study": {}, "num_problems": {"t": "many"}},
    "name is no text": {"name": {}},
    "no object": "x",
}


@pytest.mark.parametrize("kind", CLAIMS)
def test_a_broken_study_file_is_told_in_one_line(out: Path, kind: str) -> None:
    (out / "study.json").write_text(json.dumps(CLAIMS[kind]))
    with pytest.raises(UserError, match=r"study\.json") as caught:
        status(out)
    assert "\n" not in str(caught.value)


def claimed(out: Path) -> Path:
    study = studies.load("quickstart")
    with Store(out) as store:
        store._put_claim({"name": study.name, "study": to_plain(study), "num_problems": {"quick_aime": 1}})
    return out


def test_status_of_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = claimed(tmp_path / "out")
    assert status(out).state == "stopped"
    asked: list[int] = []
    real = os.open

    def read_only(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):  # root may write anywhere, so that permissions would prove nothing
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        asked.append(flags)
        return real(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", read_only)
    assert status(out).state == "stopped" and asked
    monkeypatch.undo()
    with Store(out):
        monkeypatch.setattr(os, "open", read_only)
        assert status(out).state == "running"


def test_rows_from_the_future_are_as_old_as_now(tmp_path: Path) -> None:  # a clock that was set back
    out, later = claimed(tmp_path / "out"), time.time() + 86_400
    pq.write_table(SAMPLE_SCHEMA.empty_table(), out / "samples" / "part-0.parquet")
    os.utime(out / "samples" / "part-0.parquet", (later, later))
    assert status(out).seconds_since_row == 0.0


def test_a_glance_at_the_lock_never_refuses_a_writer(tmp_path: Path) -> None:
    out = claimed(tmp_path / "out")
    over = threading.Event()
    glances: list[bool] = []

    def look() -> None:
        while not over.is_set():
            glances.append(status_module._is_locked(out))

    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            with Store(out):
                pass
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert len(glances) > 300


def test_a_reader_that_glances_at_the_wrong_moment_only_delays_the_writer(tmp_path: Path) -> None:
    out = claimed(tmp_path / "out")
    with (out / ".lock").open() as glance:
        fcntl.flock(glance, fcntl.LOCK_SH)
        threading.Timer(LOCK_SECONDS / 4, lambda: fcntl.flock(glance, fcntl.LOCK_UN)).start()
        with Store(out):
            pass


def test_a_file_system_without_locks_is_named_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none_left)
    with pytest.raises(UserError, match="cannot lock files"), Store(tmp_path):
        pass


def test_nothing_but_the_folder_is_published(tmp_path: Path) -> None:
    """The names of recipes are data, and so is what links in a checkpoint say: neither leads to files elsewhere."""
    theirs = tmp_path / "theirs"
    (theirs / "checkpoint").mkdir(parents=True)
    (theirs / "checkpoint" / "secret.json").write_text("secret")
    recipes = ("s1k", "linked", str(theirs), "../../theirs", "..")
    rows = [made_up.sample(run_id=f"r{at}", recipe=recipe) for at, recipe in enumerate(recipes)]
    out = made_up.write(tmp_path / "out", rows)
    checkpoint = out / "recipes" / "s1k" / "checkpoint"
    checkpoint.mkdir(parents=True)
    (checkpoint / "config.json").write_text("{}")
    (checkpoint / "own.json").symlink_to("config.json")
    (out / "recipes" / "linked").symlink_to(theirs)
    for link in (
        checkpoint / "model.safetensors",
        checkpoint / "a.json",
        checkpoint.parent / "manifest.json",
        out / "audit.json",
    ):
        link.symlink_to(theirs / "checkpoint" / "secret.json")
    before = tree(theirs)
    _, notes = prepare(out, tmp_path / "published")
    written = tree(tmp_path / "published")
    assert b"secret" not in written.values() and tree(theirs) == before
    assert sorted(path.name for path in (tmp_path / "published" / "models").rglob("*.json")) == [
        "config.json",
        "own.json",
    ]
    assert any("s1k: 2 files are links" in note for note in notes)


ODD: list[tuple[str, Any]] = [
    (column, None) for column in ("metadata", "gold", "problem_id", "question", "sample_index", "kind")
]
ODD += [("metadata", text) for text in ("{broken", "[1]", "[" * 10_000)]


@pytest.mark.parametrize(("column", "value"), ODD, ids=lambda text: str(text)[:10])
def test_an_odd_value_ends_no_export(tmp_path: Path, column: str, value: Any) -> None:
    rows = [made_up.sample(), made_up.sample(problem_id="p1") | {column: value}]
    lines = export(made_up.write(tmp_path / "out", rows), tmp_path / "to", "somebody", "other", None)
    assert len(lines) == 1 and "rows ->" in lines[0]
