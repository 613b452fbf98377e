"""`harness evaluate --engine openai` against a server that fails: what is told, and what the next call does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.generation.engines.test_server import Completions
from tests.hostile.leaks import written
from tests.tiny import make_model

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
KEY, PASSWORD = "k3y-that-nobody-may-see", "pass-word-of-a-proxy"


class Locked(Completions):
    """Wants a key. `refused`: calls for a thought that are refused for good; `busy`: that are told to wait."""

    refused = busy = 0

    def do_GET(self) -> None:  # noqa: N802  the name that the HTTP server calls
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self.answer(401, {"error": {"message": "no such key"}})
        else:
            super().do_GET()

    def do_POST(self) -> None:  # noqa: N802
        cls = type(self)
        if cls.busy:
            cls.busy -= 1
            Completions.faults = [429]
        elif cls.refused:
            cls.refused -= 1
            Completions.faults = [400]
        super().do_POST()


@pytest.fixture
def server() -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), Locked)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    Completions.faults, Completions.with_ids, Completions.unknown, Completions.wait = [], True, (), "0"
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def evaluate(url: str, model: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable, "-m", "harness", "evaluate", str(model), "--tasks", "quick_math", "--budgets", "8,24",
            "--max-problems", "3", "--engine", "openai", "--base-url", url, "--served-name", "tiny", "--out", str(out),
            "--set", "engine.max_num_seqs=1", "--set", "sampling.max_answer_tokens=16",
            "--set", "engine.api_key_env=MY_KEY",
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "160"} | environment,
        capture_output=True,
        text=True,
        timeout=1400,
    )  # fmt: skip


def rows(out: Path) -> dict[Any, Any]:
    found = pq.read_table(out / "samples").to_pylist()
    good = [row for row in found if row["error"] is None]
    return {(row["problem_id"], row["max_thinking_tokens"]): (row["thinking"], row["answer"]) for row in good}


def test_a_refused_row_fails_the_run_aloud_and_the_next_call_makes_it(server: str, tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", hidden=32, layers=1)
    Locked.busy, Locked.refused = 1, 1
    url = server.replace("http://", f"http://me:{PASSWORD}@")
    first = evaluate(url, model, tmp_path / "out", MY_KEY=KEY)
    assert first.returncode == 1 and "HTTP 400" in first.stdout + first.stderr, first.stdout + first.stderr
    assert "ended in an engine error" in first.stdout and "the same command tries them again" in first.stderr
    assert len(rows(tmp_path / "out")) == 4  # of one problem, no thought came
    again = evaluate(url, model, tmp_path / "out", MY_KEY=KEY)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "engine error" not in again.stdout
    assert len(rows(tmp_path / "out")) == 6
    everything = first.stdout + first.stderr + again.stdout + again.stderr + written(tmp_path / "out")
    assert "study.json" in {path.name for path in (tmp_path / "out").iterdir()}
    assert KEY not in everything and PASSWORD not in everything and f"me:{PASSWORD}" not in everything


def test_a_key_that_is_refused_is_one_line(server: str, tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", hidden=32, layers=1)
    call = evaluate(server, model, tmp_path / "out", MY_KEY="other")
    said = call.stdout + call.stderr
    assert call.returncode != 0 and "the API key is refused; set the environment variable MY_KEY" in said
    assert "Traceback" not in said and "other" not in said
