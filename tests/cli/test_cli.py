"""The command line: fast, frozen, and one clear line with exit code 2 for every mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from harness.cli.main import cli
from tests.hostile.trial import harness


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "harness", *arguments], capture_output=True, text=True, cwd=cwd)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from harness.cli.main import cli; cli.main(['--help'], standalone_mode=False);"
        "heavy = {'torch', 'ray', 'vllm', 'trl', 'transformers', 'datasets', 'sympy', 'pandas', 'pyarrow', 'numpy'};"
        "sys.exit(f'imported {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_plan_is_made_without_the_libraries_that_would_run_it(tmp_path: Path) -> None:
    code = (
        "import sys; from harness.cli.main import cli;"
        "cli.main(['ablate', 'quickstart', '--dry-run'], standalone_mode=False);"
        "heavy = {'torch', 'ray', 'vllm', 'trl', 'transformers'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1,180 rows" in done.stdout  # of the pool that the README's last row is trained on


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ablat"], "did you mean 'ablate'"),
        (["ablate", "quikstart"], "did you mean 'quickstart'"),
        (["ablate", "quickstart", "--smok"], "--smoke"),
        (["ablate", "quickstart", "--set", "trainin.seed=1"], "did you mean 'training'"),
        (["ablate"], "Missing argument 'STUDY'"),
        (["ablate", "data_ablation", "--data-dir", "no/such/folder"], "no/such/folder"),
        (["evaluate", "m", "--tasks", "aime24_nofigure"], "unknown task 'aime24_nofigure'; did you mean"),
        (["evaluate", "m", "--tasks", "quick_aime", "--budgets", "5k"], "'5k' is neither a number"),
        (["evaluate", "m", "--tasks", "quick_aime", "--budgets", ","], "--budgets is empty"),
        (["evaluate", "m", "--tasks", "quick_aime", "--ignores", "x"], "'x' is not a whole number"),
        (["evaluate", "m", "--tasks", "quick_aime", "--engine", "vlm"], "did you mean 'vllm'"),
        (["evaluate", "m", "--tasks", "quick_aime", "--thinking", "s2"], "did you mean 's1'"),
        (["evaluate", ".", "--tasks", "quick_aime"], "has no config.json"),
        (["leaderboard", "no-such-folder", "--out", "x"], "no-such-folder"),
    ],
)
def test_a_mistake_is_one_line_with_exit_code_2(
    arguments: Any, message: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = harness(*arguments)
    assert ended.code == 2, ended
    assert message in ended.err and ended.err.count("\n") == 1 and "Traceback" not in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_lists_every_run_and_starts_nothing(tmp_path: Path) -> None:
    done = run("ablate", "data_ablation", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shown = " ".join(done.stdout.split())
    assert "168 runs" in shown and "7 H100 hours" in shown and "$" in shown
    assert (
        "…" not in done.stdout.partition("Base model")[0] and "1,797,861,000" in done.stdout and "$1,476" in done.stdout
    )
    assert list(tmp_path.iterdir()) == []


def test_grade_reads_and_writes_json_lines(tmp_path: Path) -> None:
    rows = [{"gold": "1/2", "answer": "0.5"}, {"gold": "B", "response": "Answer: (B)", "kind": "choice"}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("grade", "in.jsonl", "--out", "out.jsonl", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    graded = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["status"] for row in graded] == ["correct", "correct"]
    assert {"gold", "status", "extracted", "correct", "reason"} <= set(graded[0])


def test_every_command_explains_itself() -> None:
    for name, command in cli.commands.items():
        assert command.get_short_help_str(200), name
        for param in command.params:
            if isinstance(param, click.Option) and name in ("ablate", "grade"):
                assert param.help, f"{name} {param.name}"
