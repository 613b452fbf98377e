"""Identity is derived: what can change a text changes the id, placement does not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config import Budget, Sampling, fingerprint, run_id
from harness.errors import UserError
from harness.provenance import model_identity
from harness.studies import load as studies
from harness.studies.runs import runs_of


@pytest.mark.parametrize(
    "changed",
    [
        replace(Budget(), num_ignores=1),
        replace(Budget(), max_thinking_tokens=8),
        replace(Budget(), ignore_str="Hmm"),
        replace(Budget(), compat="s1-fork"),
    ],
)
def test_a_field_that_changes_the_text_changes_the_run_id(changed: Any) -> None:
    assert run_id([changed, Sampling()]) != run_id([Budget(), Sampling()])


def test_a_checkout_that_moved_makes_the_same_runs_and_another_model_does_not(tmp_path: Path) -> None:
    study = studies.load("quickstart")
    shutil.copytree(study.base_model, tmp_path / "model")
    moved = replace(study, base_model=str(tmp_path / "model"))
    problems: dict[str, list[Any]] = {task: [] for task in study.tasks}

    def ids(of: Any) -> Any:
        return [run.run_id for run in runs_of(of, "base", model_identity(of.base_model), problems, {"name": "vllm"})]

    before = ids(study)
    assert ids(moved) == before
    (tmp_path / "model" / "config.json").write_text("{}")
    assert not set(ids(moved)) & set(before)


def test_an_unstable_value_has_no_fingerprint() -> None:
    with pytest.raises(TypeError, match="no stable"):
        fingerprint({"key": object()})
    with pytest.raises(TypeError, match="no stable"):
        fingerprint(float("nan"))


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    code = "from harness.config import *; print(fingerprint([Budget(), {'b': 1.5, 'a': None}]))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert fingerprint([Budget(), {"a": None, "b": 1.5}]) == other


def test_an_unknown_method_names_the_near_one() -> None:
    with pytest.raises(UserError, match="did you mean 'budget_forcing'"):
        Budget(method="budget_forcin")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="max_thinking_tokens=-1: give 0 or more or 'auto'"):
        Budget(max_thinking_tokens=-1)
