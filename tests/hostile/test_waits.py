"""Ctrl-C and polite kills end any command soon, and a cluster that is not there is known soon."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness import ray_cluster
from tests.chat_server import ChatServer, good
from tests.disturbed import ROOT, hears, until
from tests.hostile.leaks import written

# A command that never ends by itself, and one that also refuses to: it swallows the interrupt and goes on cleaning up.
WAITING = """
import signal, sys, time
from harness.cli import exits
from harness.cli.group import cli
@cli.command()
def wait():
    try:
        print("ready", flush=True)
        {inside}
        time.sleep(600)
    finally:
        time.sleep({cleaning})
        print("cleaned up", flush=True)
for number in {heard}:  # a shell's background job or nohup ignores some of them
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
exits.interruptible()
exits.call(cli, ["wait"])
"""


def waiting(cleaning: float, heard: tuple[int, ...] = (), inside: str = "", **options: Any) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING.format(cleaning=cleaning, inside=inside, heard=tuple(map(int, heard)))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        **options,
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("cleaning", [0, 600], ids=["at once", "that cleans up for ever"])
def test_one_signal_ends_a_command_within_seconds_and_says_what_is_kept(number: int, cleaning: float) -> None:
    process = waiting(cleaning, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    start = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and time.monotonic() - start < 5 + 1  # one for a busy machine
    assert err.strip() == "harness: interrupted; what was finished is kept, the same command continues"


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_break_into_the_ending(second: int) -> None:
    process = waiting(1, (signal.SIGINT, signal.SIGTERM))
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(second)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "cleaned up\n")
    assert err.strip() == "harness: interrupted; what was finished is kept, the same command continues"


def test_a_signal_ends_a_command_that_is_inside_c_code() -> None:
    """Python's own handlers run between two of its instructions, and here there is none for minutes."""
    inside = "import hashlib; hashlib.pbkdf2_hmac('sha256', b'', b'', 2 * 10**9)"
    process = waiting(0, (signal.SIGINT,), inside)
    time.sleep(0.5)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130 and time.monotonic() - start < 5 + 1
    assert err.strip() == "harness: interrupted; what was finished is kept, the same command continues"


def busy() -> tuple[int, dict[str, str], Any]:
    return 429, {"Retry-After": "86400"}, {}


# command -> its words, given its server's URL. The rules leave what is graded here open, each row for seconds.
COMMANDS: dict[str, Callable[[str], str]] = {
    "featurize": lambda url: f"data featurize pool.jsonl --traces --base-url {url} --model m --out out.parquet",
    "judge": lambda url: f"grade open.jsonl --judge {url} --judge-model m --out out.jsonl",
    "grade": lambda url: "grade hard.jsonl --out out.jsonl",
}


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("featurize", signal.SIGINT),
        ("judge", signal.SIGHUP),
        ("grade", signal.SIGINT),
        ("grade", signal.SIGTERM),
    ],
)
def test_one_signal_ends_a_command_that_waits_for_others(command: str, number: int, tmp_path: Path) -> None:
    """For a server that asks for a day of patience, or for sympy; no process of the command is left."""
    server = ChatServer()
    server.script = lambda question, _: good(question) if "first" in question else busy()
    pool = [{"id": name, "source": "s", "question": f"{name}?", "answer": "1"} for name in ("first", "second")]
    hard = [{"gold": f"\\int_0^{n} x^x e^{{x^{{x}}}} dx", "answer": "42"} for n in range(1, 100)]
    for name, rows in (("pool", pool), ("open", hard[:1]), ("hard", hard)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["-P", "-m", "harness", *COMMANDS[command](server.url).split()]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hears,
    )
    waits: dict[str, Callable[[], Any]] = {
        "featurize": lambda: server.asked["second?"],
        "judge": lambda: server.times,
        "grade": lambda: True,
    }
    family: list[psutil.Process] = []
    try:
        until(lambda: process.poll() is not None or waits[command](), what="the server's first call")
        if command == "grade":
            until(lambda: process.poll() is not None or psutil.Process(process.pid).children(), what="sympy's worker")
        time.sleep(1.0)
        family = psutil.Process(process.pid).children(recursive=True)
        start = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        server.close()
    assert process.returncode == 130 and time.monotonic() - start < 5 + 1, err  # one for a busy machine
    assert err.splitlines()[-1] == "harness: interrupted; what was finished is kept, the same command continues"
    assert "Traceback" not in err
    if command == "featurize":
        assert "Thinking of: first?" in written(tmp_path / "out.parquet.work")
    assert psutil.wait_procs(family, timeout=10)[1] == []


def test_a_hangup_is_ignored_below_nohup() -> None:
    process = waiting(0, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


@pytest.mark.parametrize("prefix", ["", "ray://"])
def test_a_dead_ray_address_is_told_soon(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster, "ANSWER_SECONDS", 1.0)
    with socket.socket() as silent:  # it takes connections, and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        for address in (f"127.0.0.1:{silent.getsockname()[1]}", "127.0.0.1:1", "no-such-host.invalid:6379", "nonsense"):
            start = time.monotonic()
            with pytest.raises(ConnectionError, match="no Ray cluster answered") as caught:
                ray_cluster.check_answers(prefix + address)
            assert time.monotonic() - start < 5 and f"RAY_ADDRESS={prefix}{address}" in str(caught.value)


def test_the_patience_for_a_cluster_is_below_half_a_minute() -> None:
    assert ray_cluster.ANSWER_SECONDS < 30


@pytest.mark.parametrize("address", ray_cluster.FOUND_BY_RAY)
def test_what_ray_finds_itself_is_left_to_it(address: str) -> None:
    ray_cluster.check_answers(address)
