"""The main path on real parts: Ray, TRL, vLLM, the grader, Parquet and the report, on a study of a few minutes' CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.records import METRIC_SCHEMA, RUN_SCHEMA, SAMPLE_SCHEMA
from harness.runtime.audit import audit
from tests.hostile import everyday

pytestmark = pytest.mark.slow
STUDY = '''
"""Hypothesis: the path holds together."""
from dataclasses import replace
from ablations.quickstart import quickstart
from harness.config import Budget, Recipe, TaskReading


def small():
    study = quickstart()
    return replace(
        study,
        name="small",
        pool_size=96,
        max_problems=4,
        tasks=("quick_aime", "quick_math", "quiz.jsonl"),
        recipes=(Recipe("random", "random", 16), Recipe("s1k", "s1k", 16)),
        reading=TaskReading(columns={"question": "q"}),
        budgets=(Budget(max_thinking_tokens=16), Budget(), Budget(num_ignores=1)),
        base_budgets=(Budget(method="no_thinking"), Budget()),
    )
'''
QUIZ = [  # a task that the study brings, from a file beside it
    {"q": f"Which is {n} + 4?", "options": [str(n), str(n + 4), str(n + 9)], "answer": "B", "topic": f"sums {n % 2}"}
    for n in range(4)
]
NUM_RUNS = 3 * 2 + 2 * 3 * 3  # tasks x base settings + recipes x tasks x settings
ROOT = Path(__file__).resolve().parents[2]


def harness(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-P", "-m", "harness", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1400,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("ablation")
    (folder / "small.py").write_text(STUDY)
    (folder / "quiz.jsonl").write_text("".join(json.dumps(row) + "\n" for row in QUIZ))
    everyday.fill(folder / "work")  # whose files nobody may run, in no process of a study
    return folder, harness("ablate", f"{folder / 'small.py'}", "--out", str(folder / "out"), cwd=folder / "work")


def test_what_lies_in_the_working_folder_is_run_by_no_process_of_a_study(results: Any) -> None:
    assert everyday.what_ran(results[0] / "work") == []


def test_a_study_runs_from_its_pool_to_its_leaderboard(results: Any) -> None:
    folder, call = results
    assert call.returncode == 0, call.stdout[-3000:] + call.stderr[-3000:]
    for name in ("runs.parquet", "metrics.parquet", "LEADERBOARD.md", "leaderboard.csv", "leaderboard.html"):
        assert (folder / "out" / name).is_file(), name
    assert "s1k" in call.stdout and "%" in call.stdout


def test_what_a_recipe_was_trained_on_can_be_opened(results: Any) -> None:
    for recipe in ("random", "s1k"):
        folder = results[0] / "out" / "recipes" / recipe
        rows, manifest = pd.read_parquet(folder / "rows.parquet"), json.loads((folder / "manifest.json").read_text())
        assert rows["id"].tolist() == manifest["ids"] and rows["thinking"].str.len().all()


def test_the_three_outputs_are_what_the_design_promises(results: Any) -> None:
    out = results[0] / "out"
    samples = pd.read_parquet(out / "samples")
    runs = pd.read_parquet(out / "runs.parquet")
    metrics = pd.read_parquet(out / "metrics.parquet")
    assert list(samples.columns) == SAMPLE_SCHEMA.names
    assert list(runs.columns) == RUN_SCHEMA.names
    assert list(metrics.columns) == METRIC_SCHEMA.names
    assert len(runs) == NUM_RUNS and set(runs["status"]) == {"done"}
    assert len(samples) == NUM_RUNS * 4 and samples["sample_key"].is_unique
    assert samples["error"].isna().all()
    accuracy = metrics[metrics["metric"] == "accuracy"]
    assert len(accuracy) >= NUM_RUNS and accuracy["low"].notna().all()
    config = json.loads(runs["config"].iloc[0])
    assert config["engine"]["name"] == "vllm" and config["training"]["num_epochs"] == 5


def test_every_row_is_its_own_checkpoints_greedy_path(results: Any) -> None:
    """Held by plain transformers, every stored row; the study itself printed the audit of two rows a run."""
    folder, call = results
    assert f"audit: {NUM_RUNS * 2} of {NUM_RUNS * 2} audited rows are their checkpoint's greedy path" in call.stdout
    audits = audit(folder / "out", 100)
    assert [fault for run in audits for fault in run.faults] == []
    assert sum(len(run.rows) for run in audits) == NUM_RUNS * 4 and not any(run.not_audited for run in audits)
    runs = pd.read_parquet(folder / "out" / "runs.parquet").set_index("recipe")
    assert (runs.loc[["random", "s1k"], "probe_difference"] < 0.001).all()
    assert runs.loc[["base"], "probe_difference"].isna().all()
    assert "weights cannot be swapped in place here" not in call.stdout


def test_every_row_keeps_its_ledger(results: Any) -> None:
    samples = pd.read_parquet(results[0] / "out" / "samples")
    thinking = samples["thinking_sampled_tokens"] + samples["thinking_injected_tokens"]
    assert (samples["thinking_tokens"] == thinking).all()
    assert (samples["thinking_tokens"] == samples["thinking_ids"].map(len)).all()
    assert (samples["thinking_tokens"] <= samples["budget_tokens"]).all()
    capped = samples[(samples["max_thinking_tokens"] == 16) & samples["forced_end"]]
    assert len(capped) and (capped["thinking_tokens"] == 16).all()
    assert capped["closing"].str.endswith("<|im_start|>answer\nFinal Answer:").all()


def test_a_task_from_outside_is_a_task_like_any_other(results: Any) -> None:
    """In the rows, the runs, the figures, the board by its facts, `status`, `compare` and the page."""
    folder, _ = results
    out = folder / "out"
    rows = pd.read_parquet(out / "samples")
    mine = rows[rows["task"] == "quiz"]
    assert len(mine) == NUM_RUNS // 3 * 4 and set(mine["kind"]) == {"choice"} and set(mine["gold"]) == {"B"}
    assert {json.loads(one)["topic"] for one in mine["metadata"]} == {"sums 0", "sums 1"}
    assert mine["question"].str.contains("A) 2\nB) 6\nC) 11", regex=False).any()
    runs = pd.read_parquet(out / "runs.parquet")
    source = json.loads(runs[runs["task"] == "quiz"]["config"].iloc[0])["task_source"]
    assert source["file"] == "quiz.jsonl" and len(source["sha256"]) == 64
    metrics = pd.read_parquet(out / "metrics.parquet")
    accuracy = metrics[(metrics["task"] == "quiz") & (metrics["metric"] == "accuracy") & metrics["run_id"].notna()]
    expected = mine.groupby("run_id")["correct"].mean()
    assert accuracy.set_index("run_id")["value"].to_dict() == pytest.approx(expected.to_dict())
    assert "sums 1" in (out / "LEADERBOARD.md").read_text() and '"quiz"' in (out / "leaderboard.html").read_text()
    assert len(list((out / "lm_eval").glob("samples_quiz_*.jsonl"))) == NUM_RUNS // 3
    assert "complete" in CliRunner().invoke(cli, ["status", str(out)]).output
    compared = CliRunner().invoke(cli, ["compare", f"{out}:base", f"{out}:s1k"]).output
    assert "quiz" in compared


def test_a_second_call_does_no_finished_work_again(results: Any) -> None:
    folder, _ = results
    before = {path: path.stat().st_mtime_ns for path in (folder / "out" / "samples").iterdir()}
    call = CliRunner().invoke(cli, ["ablate", f"{folder / 'small.py'}", "--out", str(folder / "out"), "--audit", "0"])
    assert call.exit_code == 0, (call.output, call.exception)
    assert f"all {NUM_RUNS} runs were finished before" in call.output
    assert {path: path.stat().st_mtime_ns for path in (folder / "out" / "samples").iterdir()} == before


@pytest.mark.faults  # an engine of each model again; tests/generation/test_one_seed.py loses a file without any
def test_a_lost_sample_file_is_made_again_and_nothing_else(results: Any) -> None:
    folder, _ = results
    samples = sorted((folder / "out" / "samples").glob("*.parquet"))
    before = pd.read_parquet(folder / "out" / "samples").set_index("sample_key").sort_index()
    samples[-1].write_bytes(b"torn")
    call = harness("ablate", f"{folder / 'small.py'}", "--out", str(folder / "out"))
    assert call.returncode == 0, call.stdout[-2000:]
    after = pd.read_parquet(folder / "out" / "samples").set_index("sample_key").sort_index()
    assert list((folder / "out" / "quarantine").iterdir())
    assert after.index.is_unique and list(after.index) == list(before.index)
    assert (after["answer"] == before["answer"]).all() and (after["thinking"] == before["thinking"]).all()


def test_another_study_is_refused_in_the_same_folder(results: Any) -> None:
    folder, _ = results
    call = harness("ablate", "quickstart", "--out", str(folder / "out"))
    assert call.returncode == 2
    assert "holds the study 'small'" in call.stderr and "Traceback" not in call.stderr


def test_the_leaderboard_is_rebuilt_from_parquet_alone(results: Any, tmp_path: Path) -> None:
    folder, _ = results
    bare = tmp_path / "bare"
    (bare / "samples").mkdir(parents=True)
    for path in [*(folder / "out" / "samples").glob("*.parquet"), folder / "out" / "runs.parquet"]:
        target = bare / "samples" if path.parent.name == "samples" else bare
        (target / path.name).write_bytes(path.read_bytes())
    call = CliRunner().invoke(cli, ["leaderboard", str(bare), "--out", str(tmp_path / "report")])
    assert call.exit_code == 0, (call.output, call.exception)
    assert (tmp_path / "report" / "LEADERBOARD.md").read_text() == (folder / "out" / "LEADERBOARD.md").read_text()


def test_the_loss_is_on_thinking_and_answer_only(results: Any) -> None:
    figures = json.loads((results[0] / "out" / "recipes" / "s1k" / "training.json").read_text())["trained"]
    assert figures["num_rows"] == 16 and figures["num_cut"] == 0
    assert 0 < figures["num_loss_tokens"] < figures["num_tokens"]
    losses = pq.read_table(results[0] / "out" / "recipes" / "s1k" / "losses.parquet").to_pylist()
    assert losses[-1]["step"] == figures["num_steps"] == 40


def test_lm_evals_own_logs_stand_beside_the_parquet(results: Any) -> None:
    files = sorted((results[0] / "out" / "lm_eval").glob("samples_quick_aime_*.jsonl"))
    assert len(files) == NUM_RUNS // 3
    lines = [json.loads(line) for line in files[0].read_text().splitlines()]
    assert [line["doc_id"] for line in lines] == [0, 1, 2, 3]
    assert {"doc", "target", "arguments", "resps", "filtered_resps", "exact_match", "doc_hash"} <= set(lines[0])
