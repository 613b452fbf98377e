"""`harness tasks`, `harness studies`, `harness --version` and bare `harness`, by the command itself."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.cli.exits import call
from harness.cli.main import cli
from harness.studies.load import load
from harness.tasks import TASKS

ROWS = [{"problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(30)]


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        call(cli, list(arguments))
    return int(str(end.value.code))


@pytest.mark.parametrize("command", [(), ("data",)])
def test_a_bare_command_prints_its_help_as_written(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(*command) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("Usage: ") and "\n\nCommands:\n" in printed.out and not printed.err


def test_the_version_names_what_can_change_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--version") == 0
    assert f"transformers {version('transformers')}" in capsys.readouterr().out


def test_every_study_that_is_listed_can_be_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("studies") == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line for line in lines if not line.startswith(" ")]
    assert {"quickstart", "data_ablation"} <= set(names)
    assert all(load(name) for name in names) and len(lines) >= 2 * len(names)
    told: dict[str, str] = {}
    for line in lines:
        if line.startswith(" "):
            told[list(told)[-1]] += line
        else:
            told[line] = ""
    assert [name for name in names if told[name].count("Hypothesis") != 1] == []  # each is listed with its own
    assert "    The paper's Table 8." in lines and "    The embedded default: minutes on two CPU cores." in lines


def test_every_task_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("tasks") == 0
    printed = capsys.readouterr().out
    assert [name for name in TASKS if name not in printed] == []


def test_a_gold_that_fails_its_own_grader_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "math500.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    assert ended("tasks", "math500", "--data-dir", str(tmp_path)) == 0
    assert "30" in capsys.readouterr().out
    file.write_text("".join(json.dumps(row) + "\n" for row in [*ROWS[:-1], ROWS[-1] | {"answer": "about \\\\frac{1"}]))
    assert ended("tasks", "math500", "--data-dir", str(tmp_path)) == 1
    printed = capsys.readouterr()
    assert "29" in printed.out and "does not pass its own grader" in printed.err


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("tasks", "math500", "--data-dir", str(tmp_path)) == 1
    assert "no math500.jsonl in" in capsys.readouterr().err
    assert ended("tasks", "nope") == 2
