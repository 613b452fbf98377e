"""What lies in the working folder is never executed, by no process that the harness starts."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.config import EngineConfig
from harness.generation.engines.vllm_process import _environment

ROOT = Path(harness.__file__).parent
NAMES = (
    "random",
    "types",
    "json",
    "math",
    "re",
    "signal",
    "select",
    "numbers",
    "fractions",
    "decimal",
    "sympy",
    "string",
)


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
        "generation/engines/guard.py", "grading/compare/symbolic.py", "provenance.py",
    }  # fmt: skip
    for where, call in known:
        words = ast.unparse(call.args[0])
        assert "shell=True" not in ast.unparse(call), where
        assert "sys.executable" not in words or "[sys.executable, '-P'," in words, where


def test_vllms_processes_ignore_it_too() -> None:
    with _environment(EngineConfig()):
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert os.environ.get("PYTHONSAFEPATH") != "1"


@pytest.mark.parametrize("as_package", [False, True], ids=["modules", "a package harness"])
def test_grading_in_a_hostile_folder_gives_the_same_verdicts_and_runs_nothing(tmp_path: Path, as_package: bool) -> None:
    code = f"open({str(tmp_path / 'ran')!r}, 'w').close(); raise SystemExit(3)\n"
    if as_package:
        (tmp_path / "harness").mkdir()
        (tmp_path / "harness" / "__init__.py").write_text(code)
    else:
        for name in NAMES:
            (tmp_path / f"{name}.py").write_text(code)
    rows = [{"gold": "\\sin^2 x + \\cos^2 x", "response": "Final Answer: $\\boxed{\\tan^2 x - \\sec^2 x + 2}$"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = (  # the worker is asked for first: few answers need it
        "import sys; from harness.grading.compare.symbolic import POOL; POOL._give(POOL._take())\n"
        "from harness.cli.main import main; sys.argv = ['harness', 'grade', 'rows.jsonl']; main()"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT.parent)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "correct"
    assert not (tmp_path / "ran").exists()
