"""What the tests that kill things share: a study's driver, its processes by name, its rows in a fixed order."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

ROOT = Path(__file__).resolve().parents[1]
TEXT = [
    "run_id",
    "sample_key",
    "task",
    "problem_id",
    "prompt_ids",
    "thinking_ids",
    "closing_ids",
    "answer_ids",
    "thinking_tokens",
    "forced_end",
    "status",
    "extracted",
    "correct",
]
# How Ray's processes are called: an actor by its class, a task by the name that it was given.
ENGINE, GRADER, TRAINING_WORKER = "ray::EngineWorker", "ray::grade ", "ray::TrainingProcess"


def hears() -> None:
    """In a child: it hears the signals that a shell's background job and nohup ignore, and hand on so."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(folder: Path, study: str, function: str, **environment: str) -> subprocess.Popen[bytes]:
    """`harness ablate` of the source text `study` in a process group of its own; its output is added to folder/log."""
    (folder / "study.py").write_text(study)
    command = [sys.executable, "-m", "harness", "ablate", f"{folder / 'study.py'}:{function}"]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--out", str(folder / "out")],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=hears,
        )


def ends_well(process: subprocess.Popen[bytes], folder: Path, seconds: float = 240) -> str:
    """Wait for the driver's end; returns what it printed."""
    code = process.wait(timeout=seconds)
    log = (folder / "log").read_text()
    assert code == 0, log[-3000:]
    return log


def until(condition: Callable[[], Any], seconds: float = 120.0, what: str = "it") -> Any:
    """Wait for a true value of `condition`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:g} s for {what}")


def family(pid: int) -> list[psutil.Process]:
    """The processes below `pid`, Ray's and the engine's included."""
    with contextlib.suppress(psutil.Error):
        return list(psutil.Process(pid).children(recursive=True))
    return []


def named(name: str, among: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those whose command line holds `name`."""
    found = []
    for process in among:
        with contextlib.suppress(psutil.Error):
            if name in " ".join(process.cmdline()):
                found.append(process)
    return found


def rows(folder: Path) -> pd.DataFrame:
    """Texts and verdicts of all rows in a fixed order. Two calls on equal studies give equal tables."""
    found = pd.read_parquet(folder / "out" / "samples")
    for name in ("prompt_ids", "thinking_ids", "closing_ids", "answer_ids"):
        found[name] = found[name].map(tuple)
    return found.sort_values("sample_key").reset_index(drop=True)
