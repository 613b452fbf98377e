"""The public face, frozen: commands, options and defaults, Python names and signatures, Parquet schemas, exit codes.

Others script against these, so each change has to be meant. After one that is, renew the stored face and read its diff:

    python tests/test_public_face.py
"""

from __future__ import annotations

import difflib
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

import harness
from harness import records
from harness.cli import exits
from harness.cli.main import cli
from harness.lm_eval.startup import MODELS

STORED = Path(__file__).with_suffix(".json")
SCHEMAS = ("SAMPLE_SCHEMA", "RUN_SCHEMA", "METRIC_SCHEMA")


def commands(command: click.Command, path: str) -> dict[str, list[str]]:
    """Command -> one line per argument or option: its spellings, type, default."""
    if isinstance(command, click.Group):
        found = [commands(inner, f"{path} {name}") for name, inner in sorted(command.commands.items())]
        return {name: lines for one in found for name, lines in one.items()}
    return {path: sorted(parameter(param) for param in command.params)}


def parameter(param: click.Parameter) -> str:
    """One argument or option as a line."""
    if isinstance(param, click.Argument):
        return f"argument {param.name} nargs={param.nargs} required={param.required}"
    spellings = "/".join([*param.opts, *param.secondary_opts])
    kind = param.type.name
    if isinstance(param.type, click.Choice):
        kind = "|".join(map(str, param.type.choices))
    if isinstance(param.type, click.IntRange | click.FloatRange):
        kind += f" {param.type.min}..{param.type.max}"
    facts = [spellings, kind, *(name for name in ("multiple", "required") if getattr(param, name))]
    facts += [f"nargs={param.nargs}"] if param.nargs != 1 else []
    return " ".join([*facts, f"default={param.to_info_dict()['default']!r}"])


def signature(name: str) -> list[str]:
    """A public function's or class's parameters, one per line, with their defaults."""
    value = getattr(harness, name)
    if isinstance(value, type) and issubclass(value, Exception):
        return []
    return [str(one) for one in inspect.signature(value, eval_str=False).parameters.values()]


def face() -> dict[str, Any]:
    """All that is frozen, as JSON."""
    return {
        "commands": commands(cli, "harness"),
        "python": {name: signature(name) for name in sorted(harness.PUBLIC)},
        "schemas": {name: [f"{field.name}: {field.type}" for field in getattr(records, name)] for name in SCHEMAS},
        "exit_codes": {
            name: getattr(exits, name) for name in ("DONE", "SOME_RUNS_FAILED", "WRONG_INPUT", "INTERRUPTED")
        },
        "lm_eval_models": sorted(MODELS),
    }


def as_text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def test_the_public_face_is_the_stored_one() -> None:
    now, stored = as_text(face()), STORED.read_text(encoding="utf-8")
    changes = "\n".join(difflib.unified_diff(stored.splitlines(), now.splitlines(), "stored", "now", n=0, lineterm=""))
    assert not changes, f"the public face changed; if that is meant: python tests/{Path(__file__).name}\n{changes}"


@pytest.mark.parametrize("command", ["status", "evaluate"])
def test_a_command_or_an_option_that_disappears_is_seen(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli.commands[command], "params", cli.commands[command].params[:-1])
    assert face() != json.loads(STORED.read_text(encoding="utf-8"))
    monkeypatch.delitem(cli.commands, command)
    assert face() != json.loads(STORED.read_text(encoding="utf-8"))


def test_public_names_are_imported_when_they_are_used_and_not_before() -> None:
    code = (
        "import sys, harness; assert not {'numpy', 'pyarrow', 'sympy'} & set(sys.modules);"
        "assert all(hasattr(harness, name) for name in harness.__all__);"
        "assert set(harness.__all__) == {*harness.PUBLIC, 'PUBLIC', '__version__'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(ImportError, match="grades"):
        from harness import grades  # noqa: F401


if __name__ == "__main__":
    STORED.write_text(as_text(face()), encoding="utf-8")
