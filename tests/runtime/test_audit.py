"""`harness audit` on real results: honest ones hold, and each planted fault is found and named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import UserError
from harness.quickstart import TINY_MODEL
from harness.records import SAMPLE_SCHEMA
from harness.runtime.audit import RunAudit, audit, summary
from tests.tiny import varied

ROOT = Path(__file__).resolve().parents[2]
Row = dict[str, Any]


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=580,
    )  # fmt: skip


def evaluated(model: Path, out: Path) -> Path:
    call = harness(
        "evaluate", str(model), "--tasks", "quick_math,quick_gpqa", "--budgets", "12,auto", "--ignores", "1",
        "--max-problems", "4", "--engine", "transformers", "--no-thinking", "--out", str(out),
        "--set", "sampling.max_answer_tokens=16", "--set", "engine.max_model_len=256",
    )  # fmt: skip
    assert call.returncode == 0, call.stdout[-2000:] + call.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model with moved weights (it thinks longer) on two tasks: caps, an ignored end, no thinking."""
    folder = tmp_path_factory.mktemp("audit")
    return evaluated(varied(Path(TINY_MODEL), folder / "model", 1), folder / "out")


def changed(results: Path, out: Path, change: Callable[[list[Row]], None]) -> Path:
    """A copy of `results` whose rows went through `change`."""
    shutil.copytree(results, out)
    rows = pq.read_table(out / "samples").to_pylist()
    change(rows)
    shutil.rmtree(out / "samples")
    (out / "samples").mkdir()
    pq.write_table(pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA), out / "samples" / "all.parquet")
    return out


def faults(audits: list[RunAudit]) -> list[str]:
    return [fault for run in audits for fault in run.faults]


@pytest.mark.slow
def test_honest_rows_hold_every_one(results: Path) -> None:
    audits = audit(results, 100)
    assert faults(audits) == [] and all(run.not_audited is None for run in audits)
    assert sum(len(run.rows) for run in audits) == 2 * 4 * 4
    assert sum(row.num_tokens for run in audits for row in run.rows) > 400
    assert "32 of 32 audited rows are their checkpoint's greedy path" in summary(audits)
    call = harness("audit", str(results), "--sample", "2")
    assert call.returncode == 0 and "16 of 16 audited rows" in call.stdout, call.stderr


@pytest.mark.slow
def test_rows_of_another_model_are_found(results: Path, tmp_path: Path) -> None:
    """The defect that it is there for: rows filed under a model whose weights did not make them."""
    other = evaluated(varied(Path(TINY_MODEL), tmp_path / "model", 3), tmp_path / "other")
    strange = {(row["task"], row["problem_id"], row["max_thinking_tokens"], row["num_ignores"], row["method"]): row
               for row in pq.read_table(other / "samples").to_pylist()}  # fmt: skip
    kept = ("run_id", "sample_key", "model")

    def plant(rows: list[Row]) -> None:
        for index, row in enumerate(rows):
            at = (row["task"], row["problem_id"], row["max_thinking_tokens"], row["num_ignores"], row["method"])
            rows[index] = {**strange[at], **{name: row[name] for name in kept}}

    planted = changed(results, tmp_path / "planted", plant)
    audits = audit(planted, 100)
    assert sum(run.num_greedy for run in audits) < 24
    assert any("is not the checkpoint's greedy choice" in fault for fault in faults(audits))
    call = harness("audit", str(planted), "--sample", "2")
    assert call.returncode == 1 and "rows that do not hold" in call.stderr


def tokens(row: Row) -> None:
    row["thinking_ids"][5] = (row["thinking_ids"][5] + 1) % 256


def text(row: Row) -> None:
    row["answer"] += "!"


def count(row: Row) -> None:
    row["thinking_sampled_tokens"] -= 3


def span(row: Row) -> None:
    row["forced_spans"] = [{"start": 3, "length": 2, "kind": "ignore"}]
    row["thinking_injected_tokens"], row["thinking_sampled_tokens"] = 2, row["thinking_tokens"] - 2
    row["num_rounds"] = 2


def budget(row: Row) -> None:
    row["budget_tokens"] = 11


def closing(row: Row) -> None:
    row["closing"] = row["closing"].replace("Final Answer:", "Answer:")


def verdict(row: Row) -> None:
    row["correct"] = not row["correct"]


def natural(row: Row) -> None:
    row["thinking_finish"], row["forced_end"] = "stop", False


PLANTED: dict[Callable[[Row], None], str] = {
    tokens: "is not the checkpoint's greedy choice",
    text: "the answer ids decode to",
    count: "do not add up",
    span: "where the checkpoint would go on",
    budget: "more than the budget of 11",
    closing: "the closing is",
    verdict: "the grader says",
    natural: "the thought ended by itself",
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", PLANTED, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_named(fault: Callable[[Row], None], results: Path, tmp_path: Path) -> None:
    def plant(rows: list[Row]) -> None:
        cut = [row for row in rows if row["max_thinking_tokens"] == 12 and row["thinking_finish"] == "budget"]
        fault(cut[0])

    found = faults(audit(changed(results, tmp_path / "out", plant), 100))
    assert any(PLANTED[fault] in line for line in found), found


@pytest.mark.slow
def test_a_checkpoint_that_is_not_the_runs_any_more_is_said_and_not_compared(results: Path, tmp_path: Path) -> None:
    moved = changed(results, tmp_path / "out", lambda rows: None)
    runs = pq.read_table(moved / "runs.parquet")
    other = str(varied(Path(TINY_MODEL), tmp_path / "model", 3))
    configs = [json.dumps(json.loads(text) | {"base_model": other}) for text in runs["config"].to_pylist()]
    at = runs.schema.get_field_index("config")
    pq.write_table(runs.set_column(at, "config", pa.array(configs)), moved / "runs.parquet")
    audits = audit(moved, 1)
    assert all("is not the one of the run any more" in (run.not_audited or "") for run in audits)
    assert "8 of 8 runs not compared" in summary(audits)


def test_a_folder_without_results_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no finished run to audit"):
        audit(tmp_path, 1)
