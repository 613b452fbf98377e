"""`harness evaluate --engine openai` against a server that fails: what is told, and what the next call does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.errors import UserError
from tests.chat_server import ChatServer
from tests.disturbed import hears, until
from tests.generation.engines.test_server import Completions
from tests.hostile.leaks import written
from tests.tiny import make_model

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
KEY, PASSWORD = "k3y-that-nobody-may-see", "pass-word-of-a-proxy"


class Locked(Completions):
    """Wants a key. `refused`: calls for a thought that are refused for good; `busy`: that are told to wait."""

    refused = busy = held = 0
    seconds = 0.0  # that an answer to a call for a thought takes

    def do_GET(self) -> None:  # noqa: N802  the name that the HTTP server calls
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self.answer(401, {"error": {"message": "no such key"}})
        else:
            super().do_GET()

    def do_POST(self) -> None:  # noqa: N802
        cls = type(self)
        if cls.seconds:
            cls.held += 1
            time.sleep(cls.seconds)
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


def cli_call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "160"} | environment,
        capture_output=True,
        text=True,
        timeout=1400,
    )


def call(url: str, model: Path, out: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "harness",
        "evaluate",
        str(model),
        "--tasks",
        "quick_math",
        "--budgets",
        "8,24",
        "--max-problems",
        "3",
        "--engine",
        "openai",
        "--base-url",
        url,
        "--served-name",
        "tiny",
        "--out",
        str(out),
        "--set",
        "engine.max_num_seqs=1",
        "--set",
        "sampling.max_answer_tokens=16",
        "--set",
        "engine.api_key_env=MY_KEY",
    ]


def settings(**environment: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "160"} | environment


def evaluate(url: str, model: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        call(url, model, out), cwd=ROOT, env=settings(**environment), capture_output=True, text=True, timeout=1400
    )


def rows(out: Path) -> dict[Any, Any]:
    found = pq.read_table(out / "samples").to_pylist()
    good = [row for row in found if row["error"] is None]
    return {(row["problem_id"], row["max_thinking_tokens"]): (row["thinking"], row["answer"]) for row in good}


@pytest.mark.faults  # what a chat server refuses, below, is told, kept secret and tried again in the same way
def test_a_refused_row_fails_the_run_aloud_and_no_key_is_written(server: str, tmp_path: Path) -> None:
    """What the next call does with such a row: the test of a chat server."""
    model = make_model(tmp_path / "model", hidden=32, layers=1)
    Locked.busy, Locked.refused = 1, 1
    url = server.replace("http://", f"http://me:{PASSWORD}@")
    done = evaluate(url, model, tmp_path / "out", MY_KEY=KEY)
    assert done.returncode == 1 and "HTTP 400" in done.stdout + done.stderr, done.stdout + done.stderr
    assert "ended in an engine error" in done.stdout and "the same command tries them again" in done.stderr
    assert len(rows(tmp_path / "out")) == 4  # of one problem, no thought came
    everything = done.stdout + done.stderr + written(tmp_path / "out")
    assert "study.json" in {path.name for path in (tmp_path / "out").iterdir()}
    assert KEY not in everything and PASSWORD not in everything and f"me:{PASSWORD}" not in everything


def test_a_key_that_is_refused_is_one_line(server: str, tmp_path: Path) -> None:
    model = make_model(tmp_path / "model", hidden=32, layers=1)
    call = evaluate(server, model, tmp_path / "out", MY_KEY="other")
    said = call.stdout + call.stderr
    assert call.returncode != 0 and "the API key is refused; set the environment variable MY_KEY" in said
    assert "Traceback" not in said and "other" not in said


def test_a_chat_server_is_evaluated_by_its_own_cap_and_its_lost_rows_are_made_again(tmp_path: Path) -> None:
    """A hosted API: no token ids, a thought apart, a filter that ends one reply; from the command to the audit."""
    server = ChatServer()
    lost = iter([True])

    def script(question: str, number: int) -> Any:
        if server.bodies[-1]["max_tokens"] == 60 and next(lost, False):
            return 200, {}, {"choices": [{"message": {"content": "6"}, "finish_reason": "content_filter"}]}
        cut = server.bodies[-1]["max_tokens"] == 8
        message = {"content": None if cut else "The answer is 42.", "reasoning": "Let me see."}
        details = {"reasoning_tokens": 8 if cut else 24}
        usage = {"prompt_tokens": 20, "completion_tokens": 8 if cut else 30, "completion_tokens_details": details}
        choice = {"message": message, "finish_reason": "length" if cut else "stop"}
        return 200, {}, {"choices": [choice], "usage": usage}

    server.script = script
    out = tmp_path / "out"
    command = [
        "evaluate",
        "vendor/think-1:free",
        "--tasks",
        "quick_math",
        "--engine",
        "openai",
        "--api",
        "chat",
        "--base-url",
        server.url.replace("http://", f"http://me:{PASSWORD}@"),
        "--served-name",
        "m",
        "--budgets",
        "8,60",
        "--max-problems",
        "3",
        "--out",
        str(out),
        "--set",
        "engine.max_num_seqs=1",
        "--set",
        "engine.extra_body={'reasoning_effort': 'low'}",
        "--set",
        "engine.api_key_env=MY_KEY",
    ]
    try:
        planned = CliRunner().invoke(cli, [*command, "--dry-run"])
        assert planned.exit_code == 0 and "one call per sample" in planned.output and "cap 60" in planned.output
        assert '{"reasoning_effort": "low"}' in planned.output and not server.bodies and not out.exists()
        first = cli_call(*command, MY_KEY=KEY)
        assert first.returncode == 1 and "finish_reason content_filter" in first.stdout + first.stderr
        assert "ended in an engine error" in first.stdout and "the same command tries them again" in first.stderr
        again = cli_call(*command, MY_KEY=KEY)
        assert again.returncode == 0 and "engine error" not in again.stdout, again.stdout + again.stderr
    finally:
        server.close()
    assert {headers["authorization"] for headers in server.headers} == {f"Bearer {KEY}"}
    everything = first.stdout + first.stderr + again.stdout + again.stderr + written(out)
    assert "vendor/think-1" in everything and KEY not in everything and PASSWORD not in everything
    assert len(server.bodies) == 7 and {body["reasoning_effort"] for body in server.bodies} == {"low"}
    found = [row for row in pq.read_table(out / "samples").to_pylist() if row["error"] is None]
    by_cap = {cap: [row for row in found if row["max_thinking_tokens"] == cap] for cap in (8, 60)}
    assert {row["method"] for row in found} == {"completion_cap"} and {len(rows) for rows in by_cap.values()} == {3}
    assert {(r["status"], r["thinking_finish"], r["thinking_tokens"], r["answer_tokens"]) for r in by_cap[8]} == {
        ("truncated", "length", 8, 0)
    }
    assert {(r["thinking"], r["thinking_tokens"], r["answer_tokens"]) for r in by_cap[60]} == {("Let me see.", 24, 6)}
    runs = pq.read_table(out / "runs.parquet").to_pylist()
    assert {(run["engine"], run["served_model"], run["status"]) for run in runs} == {
        ("openai-chat unknown", "m", "done")
    }
    audited = CliRunner().invoke(cli, ["audit", str(out)])
    assert audited.exit_code == 0 and "chat completions hold no token ids" in audited.output, audited.output
    compared = CliRunner().invoke(cli, ["diff", str(out), str(out)])
    assert isinstance(compared.exception, UserError) and "rows without token ids" in str(compared.exception)


@pytest.mark.faults  # its seconds are those of a quiet machine; tests/hostile/test_waits.py has the rest
def test_one_ctrl_c_ends_it_while_the_server_holds_its_answers_and_no_process_stays(
    server: str, tmp_path: Path
) -> None:
    Locked.seconds = 600.0
    try:
        process = subprocess.Popen(
            call(server, make_model(tmp_path / "model", hidden=32, layers=1), tmp_path / "out"),
            cwd=ROOT,
            env=settings(MY_KEY=KEY),
            stderr=(tmp_path / "said").open("w"),  # not a pipe, which Ray's processes would hold open
            stdout=subprocess.DEVNULL,
            preexec_fn=hears,
        )
        until(lambda: process.poll() is not None or Locked.held, 600, "the first call for a thought")
        family = psutil.Process(process.pid).children(recursive=True)
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)
        seconds = time.monotonic() - start
    finally:
        Locked.seconds = 0.0
        process.kill()
    said = (tmp_path / "said").read_text()
    assert process.returncode == 130 and seconds < 5 + 2, (seconds, said)  # two for a busy machine
    assert said.splitlines()[-1].startswith("harness: interrupted; what was finished is kept")
    assert psutil.wait_procs(family, timeout=60)[1] == []
