"""Ctrl-C and polite kills end any command soon, and a cluster that is not there is known soon."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import pytest

from harness import ray_cluster
from tests.disturbed import ROOT

# A command that never ends by itself, and one that also refuses to: it swallows the interrupt and goes on cleaning up.
WAITING = """
import signal, sys, time
from harness.cli import exits
from harness.cli.group import cli
@cli.command()
def wait():
    print("ready", flush=True)
    try:
        time.sleep(600)
    finally:
        time.sleep({cleaning})
for number in {heard}:  # a shell's background job or nohup ignores some of them
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
exits.interruptible()
exits.call(cli, ["wait"])
"""


def waiting(cleaning: float, heard: tuple[int, ...] = (), **options: Any) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING.format(cleaning=cleaning, heard=tuple(map(int, heard)))],
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
