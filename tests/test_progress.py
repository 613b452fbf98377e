"""What a log and a terminal are told while a study runs."""

from __future__ import annotations

import io
import time

from rich.console import Console

from harness.progress import Progress


def spoken(progress: Progress) -> str:
    assert isinstance(progress.console.file, io.StringIO)
    return progress.console.file.getvalue()


def plain(**options: object) -> Progress:
    return Progress(Console(file=io.StringIO(), width=200), **options)  # type: ignore[arg-type]


def test_a_log_is_told_what_is_going_on_though_nothing_changes() -> None:
    progress = plain(silent_seconds=0.05)
    progress.add("engine", "engine (vllm)")
    with progress:
        progress.update("engine", "running", detail="starting")
        progress.watch("engine", lambda: "loading weights, 50% of 15.3 GiB")
        end = time.monotonic() + 120
        while spoken(progress).count("loading weights, 50% of 15.3 GiB") < 2 and time.monotonic() < end:
            time.sleep(0.02)
    assert spoken(progress).count("engine (vllm): ") >= 3 and "starting, loading weights, 50%" in spoken(progress)
    after = spoken(progress)
    time.sleep(0.3)
    assert spoken(progress) == after  # the view has ended


def test_quiet_tells_what_fails_and_nothing_else() -> None:
    progress = plain(quiet=True, silent_seconds=0.01)
    progress.add("a", "train a")
    progress.add("b", "train b")
    with progress:
        progress.update("a", "running")
        progress.update("b", "failed", detail="no room")
        time.sleep(0.1)
        progress.update("a", "done")
    assert spoken(progress).strip().endswith("train b: failed no room") and spoken(progress).count("\n") == 1


def test_what_is_left_is_the_count_unless_something_better_tells() -> None:
    progress = plain(plain_seconds=0.0)
    progress.add("a", "evaluate a", total=10)
    progress.update("a", "running", done=5)
    assert progress.stages["a"].columns()[3] == "0:00"
    progress.update("a", done=5, left_seconds=90.0)
    assert progress.stages["a"].columns()[3] == "1:30" and "1:30 left" in spoken(progress)
    progress.update("a", done=6)
    assert progress.stages["a"].columns()[3] == "0:00"
