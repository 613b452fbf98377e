"""What lies in the working folder is never executed, by no process that the harness starts.

A whole study, Ray's, TRL's and vLLM's processes with it, runs among the same files in tests/runtime/test_pipeline.py.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import harness
from harness.config import EngineConfig
from harness.generation.engines.vllm_process import _environment
from harness.grading.limits import SYMBOLIC_MEMORY_MB
from tests.hostile import everyday

ROOT = Path(harness.__file__).parent


def starts() -> list[tuple[str, ast.Call]]:
    """Every call in the package that starts a process."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            if re.fullmatch(r"subprocess\.\w+", name) or name in ("os.system", "os.popen", "Popen") or ".spawn" in name:
                found.append((f"{path.relative_to(ROOT)}:{node.lineno}", node))
    return found


def test_every_python_that_is_started_ignores_the_working_folder() -> None:
    known = starts()
    assert {where.split(":")[0] for where, _ in known} == {
        "generation/engines/guard.py",
        "grading/compare/symbolic.py",
        "provenance.py",
    }
    for where, call in known:
        words = ast.unparse(call.args[0])
        assert "shell=True" not in ast.unparse(call), where
        assert "sys.executable" not in words or "[sys.executable, '-P'," in words, where


def test_vllms_processes_ignore_it_too(tmp_path: Path) -> None:
    assert _environment(EngineConfig(), tmp_path)["PYTHONSAFEPATH"] == "1"


def harness_in(folder: Path, *arguments: str, limit: int = 0) -> subprocess.CompletedProcess[str]:
    """The installed script, run in `folder`; `limit`: megabytes of address space of its symbolic workers."""
    script = folder.parent / "bin" / "harness"
    script.parent.mkdir(exist_ok=True)
    script.write_text("from harness.cli.main import main\nmain()\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT.parent)}
    environment.pop("PYTHONSAFEPATH", None)
    call = [sys.executable, str(script), *arguments]
    if limit:
        call = ["sh", "-c", f'ulimit -v {limit << 10} && exec "$@"', "sh", *call]
    return subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)


# The first needs sympy's worker; the second does not.
ANSWERS = [("\\int_0^2 x\\,dx", "2"), ("\\frac{1}{2}", "0.5"), ("3", "4")]


def answers(folder: Path) -> None:
    rows = [{"gold": gold, "response": f"Final Answer: $\\boxed{{{text}}}$"} for text, gold in ANSWERS]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_grading_in_a_folder_of_everyday_names_gives_the_same_verdicts_and_runs_none_of_them(tmp_path: Path) -> None:
    assert len(everyday.NAMES) == 31
    found = []
    for folder in (everyday.fill(tmp_path / "hostile"), tmp_path / "empty"):
        folder.mkdir(exist_ok=True)
        answers(folder)
        done = harness_in(folder, "grade", "rows.jsonl")
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)
    assert found[0] == found[1]
    assert [json.loads(line)["status"] for line in found[0].splitlines()] == ["correct", "correct", "incorrect"]
    assert everyday.what_ran(tmp_path / "hostile") == []


def test_a_limit_below_what_sympys_worker_needs_is_told_and_is_no_verdict(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    answers(folder)
    done = harness_in(folder, "grade", "rows.jsonl", "--out", "graded.jsonl", limit=SYMBOLIC_MEMORY_MB - 100)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stdout + done.stderr
    assert "ulimit -v" in done.stderr and str(SYMBOLIC_MEMORY_MB) in done.stderr
    assert not (folder / "graded.jsonl").exists()
