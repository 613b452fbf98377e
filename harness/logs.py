"""Where foreign libraries' output goes: a file, not the user's screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def output_to(path: Path) -> Iterator[None]:
    """Append everything this process and its children print to `path`, C libraries included, until the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, original in zip((1, 2), kept, strict=True):
            os.dup2(original, descriptor)
            os.close(original)
        os.close(target)


def quiet_libraries() -> None:
    """Before Ray, vLLM and Hugging Face libraries are imported: no banners, progress bars, usage pings or orphans."""
    quiet = {
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_VERBOSITY": "error",  # without a network: six lines of retries before the one that says it
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the future default; silences a warning on every start
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",  # a process for each training; Ray says itself when a node dies
        "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
        # For a cluster that we start: an engine's children must not outlive it, however it dies; and a warning about
        # "8 PYTHON worker processes" (Ray Train's own helpers) belongs on nobody's screen.
        "RAY_process_group_cleanup_enabled": "1",
        "RAY_worker_maximum_startup_concurrency": "8",
        # A grader that has nothing to do for a minute is kept: another one would import sympy and pandas again.
        "RAY_idle_worker_killing_time_threshold_ms": "60000",
        "RAY_USAGE_STATS_ENABLED": "0",
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_VERBOSITY": "error",
        "VLLM_NO_USAGE_STATS": "1",
    }
    for name, value in quiet.items():
        os.environ.setdefault(name, value)


def last_lines(path: Path, count: int = 12) -> str:
    """The last `count` lines of a log; empty when there is none. Reads at most 64 kB from the end."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 65536))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
