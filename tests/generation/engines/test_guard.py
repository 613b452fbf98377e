"""No process of an engine outlives the process that started it, however that ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

OWNER = """
import subprocess, sys, time
import psutil
from harness.generation.engines.guard import Guard
ward = subprocess.Popen(["sleep", "60"], start_new_session=True)
guard = Guard()
with guard.watching(lambda: {psutil.Process(ward.pid)}):
    time.sleep(1.5 if sys.argv[1] == "started" else 0)
    print(ward.pid, guard.folder, flush=True)
    time.sleep(60)
"""


def ended(process: psutil.Process, seconds: float = 10.0) -> bool:
    """Whether `process` is gone after a while (a zombie of a dead parent counts: nobody here collects it)."""
    try:
        process.wait(seconds)
    except psutil.TimeoutExpired:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return True


def bound(folder: str | Path) -> None:
    """Leaves a socket in `folder`, as an engine that was killed does."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(f"{folder}/socket")


def gone(folder: str | Path, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while Path(folder).exists() and time.monotonic() < end:
        time.sleep(0.05)
    return not Path(folder).exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_guard_is_told_of_ends_with_its_owner(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, "started"], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        number_of_ward, folder = owner.stdout.readline().decode().split()
        ward = psutil.Process(int(number_of_ward))
        bound(folder)
        assert ward.is_running()
        children = psutil.Process(owner.pid).children()
        assert children == [ward]  # the guard itself is none: Ray kills a dead worker's children
        owner.send_signal(number)
        owner.wait(10)
        assert ended(ward) and gone(folder)


def test_closing_a_guard_ends_what_is_left() -> None:
    from harness.generation.engines.guard import Guard

    guard = Guard()
    with subprocess.Popen(["sleep", "60"]) as ward:
        guard.take({psutil.Process(ward.pid)})
        bound(guard.folder)
        guard.close()
        assert ward.wait(10) == -signal.SIGKILL and gone(guard.folder)
