"""What stands where a command is to write: it is written into or followed, never replaced by a plain file."""

from __future__ import annotations

import io
import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness import files
from tests import made_up_study as made_up
from tests.hostile import odd_folders as folders
from tests.hostile.test_working_folder import harness_in
from tests.hostile.trial import harness

WRITERS: dict[str, Callable[[Path], tuple[str, tuple[object, ...]]]] = {  # command -> ending of --out, its words
    "grade": lambda work: (".jsonl", ("grade", work / "rows.jsonl")),
    "sample-stats to JSON": lambda work: (".json", ("sample-stats", work / "log.jsonl")),
    "sample-stats to Parquet": lambda work: (".parquet", ("sample-stats", work / "log.jsonl")),
    "data filter to JSON lines": lambda work: (".jsonl", ("data", "filter", work / "pool.jsonl")),
    "data filter to Parquet": lambda work: (".parquet", ("data", "filter", work / "pool.jsonl")),
    "diff": lambda work: (".parquet", ("diff", work / "good", work / "good")),
}
BOARD = ("LEADERBOARD.md", "leaderboard.csv", "leaderboard.html")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    for name, shape in (("rows", "grade"), ("log", "lm-eval"), ("pool", "pool")):
        (tmp_path / f"{name}.jsonl").write_text(folders.encoded(folders.ROWS[shape]) + "\n")
    folders.good(tmp_path / "good")
    (tmp_path / "place").mkdir()
    return tmp_path


def is_whole(name: str, data: bytes) -> bool:
    if name.endswith(".parquet"):
        return bool(pq.read_table(io.BytesIO(data)).num_columns)
    lines = data.splitlines() if name.endswith(".jsonl") else [data]
    return all(isinstance(json.loads(line), dict) for line in lines)


def device(path: Path) -> Path:
    """A null device of this test's own: code that is wrong would, as root, replace the machine's."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("SKIPPED LOUDLY: no right to make a device here")
    return path


@pytest.mark.parametrize("command", WRITERS)
def test_a_device_stays_a_device(work: Path, command: str) -> None:
    ending, words = WRITERS[command](work)
    null = device(work / "place" / f"null{ending}")
    ended = harness(*words, "--out", null)
    assert ended.code == 0, ended.err
    assert stat.S_ISCHR(null.stat().st_mode) and list(null.parent.iterdir()) == [null]


@pytest.mark.parametrize("command", WRITERS)
def test_a_fifo_gets_the_file_and_stays_one(work: Path, command: str) -> None:
    ending, words = WRITERS[command](work)
    fifo = work / "place" / f"fifo{ending}"
    os.mkfifo(fifo)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(fifo.read_bytes()), daemon=True)
    reader.start()
    ended = harness(*words, "--out", fifo)
    reader.join(10)
    assert ended.code == 0 and is_whole(fifo.name, got[0]), ended.err
    assert stat.S_ISFIFO(fifo.stat().st_mode) and list(fifo.parent.iterdir()) == [fifo]


@pytest.mark.parametrize("command", WRITERS)
def test_a_link_stays_one_and_what_it_leads_to_is_written(work: Path, command: str) -> None:
    ending, words = WRITERS[command](work)
    link, target = work / "place" / f"link{ending}", work / f"target{ending}"
    target.write_text("old")
    link.symlink_to(target)
    ended = harness(*words, "--out", link)
    assert ended.code == 0, ended.err
    assert link.is_symlink() and is_whole(target.name, target.read_bytes())


def test_standard_output_gets_the_rows_and_the_device_stays(work: Path) -> None:
    assert files._regular(Path("/dev/stdout")) is None  # else what follows would replace the machine's own
    before = os.stat("/dev/stdout").st_mode, os.path.islink("/dev/stdout")
    done = harness_in(work, "grade", "rows.jsonl", "--out", "/dev/stdout")
    assert done.returncode == 0 and json.loads(done.stdout)["status"], done.stderr
    assert (os.stat("/dev/stdout").st_mode, os.path.islink("/dev/stdout")) == before


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [made_up.sample(problem_id=f"p{i}", sample_key=str(i)) for i in range(3)]
    return made_up.write(tmp_path_factory.mktemp("results"), rows)


def test_a_reports_files_follow_links_and_leave_devices(results: Path, tmp_path: Path) -> None:
    out, target = tmp_path / "board", tmp_path / "elsewhere.md"
    out.mkdir()
    target.write_text("old")
    (out / BOARD[0]).symlink_to(target)
    null = device(out / BOARD[1])
    ended = harness("leaderboard", results, "--out", out)
    assert ended.code == 0, ended.err
    assert (out / BOARD[0]).is_symlink() and target.read_text().startswith("# Leaderboard")
    assert stat.S_ISCHR(null.stat().st_mode) and "</html>" in (out / BOARD[2]).read_text()


def test_a_report_that_does_not_fit_leaves_every_old_file(results: Path, small_disk: Path) -> None:
    """The Markdown alone would fit: all are written aside before the first is renamed."""
    old = {small_disk / name: f"old {name}" for name in BOARD}
    for path, text in old.items():
        path.write_text(text)
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    filler.write_bytes(bytes(free.f_bavail * free.f_frsize - (16 << 10)))
    ended = harness("leaderboard", results, "--out", small_disk)
    assert ended.refused_in_one_line and "free some space" in ended.err
    assert {path: path.read_text() for path in old} == old
    assert sorted(path.name for path in small_disk.iterdir()) == sorted([*BOARD, "filler"])
