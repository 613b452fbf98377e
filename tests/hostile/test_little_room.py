"""No rights, a home that cannot be written, a full TMPDIR: what needs none of them works, the rest says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import made_up_study as made_up
from tests.disturbed import ROOT
from tests.hostile import odd_folders as folders

# Each command in one process, which pays for the imports once.
RUNNER = """
import json, sys
from tests.hostile.trial import harness
print(json.dumps([vars(harness(*words)) for words in json.loads(sys.argv[1])]))
"""


def run(work: Path, *commands: str, without_rights: bool = False, **environment: str) -> list[tuple[int, str]]:
    """(exit code, last line on standard error) of each command, run in `work`."""
    call = [sys.executable, "-P", "-c", RUNNER, json.dumps([command.split() for command in commands])]
    if without_rights and os.geteuid() == 0:  # root may write everywhere, whatever the permissions say
        if not shutil.which("setpriv"):
            pytest.skip("SKIPPED LOUDLY: no setpriv here, and root has every right")
        call = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *call]
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    done = subprocess.run(
        call, cwd=work, env=kept | {"PYTHONPATH": str(ROOT)} | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout.splitlines()[-1])
    assert not any("Traceback" in one["err"] for one in ended)
    return [(one["code"], (one["err"].splitlines() or [""])[-1]) for one in ended]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    for name in ("grade", "pool"):
        (tmp_path / f"{name}.jsonl").write_text(folders.encoded(folders.ROWS[name]) + "\n")
    made_up.write(tmp_path / "results", [made_up.sample(problem_id=f"p{i}", sample_key=str(i)) for i in range(3)])
    return tmp_path


def test_a_user_without_rights_and_with_a_home_that_cannot_be_written(work: Path) -> None:
    for name in ("home", "shut"):
        (work / name).mkdir(mode=0o555)
    found = run(
        work,
        "grade grade.jsonl --out out.jsonl",
        "grade grade.jsonl --out shut/out.jsonl",
        "leaderboard results --out board",
        "leaderboard results --out shut/board",
        "ablate quickstart --out shut/run",
        "data filter pool.jsonl --out pool.parquet",
        without_rights=True,
        HOME=str(work / "home"),
    )
    assert [code for code, _ in found] == [0, 2, 0, 2, 2, 2]
    assert all("Permission denied" in said for code, said in found if code)
    assert "set HF_DATASETS_CACHE" in found[-1][1]
    assert list((work / "shut").iterdir()) == []


def test_a_full_tmpdir_is_passed_over(work: Path, small_disk: Path) -> None:
    room = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(room.f_bavail * room.f_frsize))
    os.mkfifo(work / "fifo")
    reader = os.open(work / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        found = run(
            work,
            "grade grade.jsonl --out out.jsonl",
            "grade grade.jsonl --out fifo",  # whole before its first byte goes on: it lies somewhere meanwhile
            "leaderboard results --out board",
            TMPDIR=str(small_disk),
            HOME=str(work),
        )
        assert json.loads(os.read(reader, 10_000))["status"] == "correct"
    finally:
        os.close(reader)
    assert [code for code, _ in found] == [0, 0, 0]
