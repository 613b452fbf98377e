"""The driver of `make gpu-check`: a step that fails or hangs does not stop the next, and leaves no process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
STEPS = """
import functools, subprocess, sys, time
from gpu_steps import Step

def good(folder, settings):
    return {"model": settings["model"], "empty": not any(folder.iterdir())}

def bad(folder, settings):
    raise ValueError("no kernel image")

def hangs(folder, settings):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("child", child.pid, flush=True)
    time.sleep(600)

STEPS = {"bad": Step("fails", 60, bad), "hangs": Step("hangs", 4, hangs), "good": Step("works", 60, good)}
"""


def test_every_step_is_run_and_written_down(tmp_path: Path) -> None:
    for name in ("gpu.py", "gpu_steps.py"):
        (tmp_path / name).write_text((ROOT / "benchmarks" / name).read_text())
    (tmp_path / "made_up.py").write_text(STEPS)
    driver = tmp_path / "gpu.py"  # the real one, with steps that take seconds
    driver.write_text(driver.read_text().replace("from gpu_steps import", "from made_up import"))
    out = tmp_path / "gpu.json"
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, str(driver), "--out", str(out), "--model", "a model"],
        capture_output=True,
        text=True,
        timeout=240,
    )
    report: dict[str, Any] = json.loads(out.read_text())
    assert done.returncode == 1 and "failed: bad, hangs" in done.stdout and time.monotonic() - start < 200
    assert report["about"]["versions"]["torch"] and report["about"]["date"]
    steps = report["steps"]
    assert steps["good"]["rc"] == 0 and steps["good"]["found"] == {"model": "a model", "empty": True}
    assert steps["bad"]["rc"] == 1 and "ValueError: no kernel image" in steps["bad"]["end"][-1]
    assert steps["hangs"]["rc"] is None and 4 <= steps["hangs"]["seconds"] < 60
    child = int(next(line for line in steps["hangs"]["end"] if line.startswith("child")).split()[1])
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    wrong = subprocess.run([sys.executable, str(driver), "--only", "x"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "no step 'x'; there are bad, hangs, good" in wrong.stderr
