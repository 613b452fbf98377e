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
from click.testing import CliRunner

from harness import provenance
from harness.cli.main import cli
from harness.errors import UserError
from harness.quickstart import TINY_MODEL
from harness.records import SAMPLE_SCHEMA
from harness.runtime.audit import NEAR_TIES, RunAudit, audit, summary
from tests.tiny import varied

ROOT = Path(__file__).resolve().parents[2]
Row = dict[str, Any]


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=1400,
    )


STUDY = """
from harness.config import Budget, EngineConfig, Sampling, Study

def audited():
    return Study(
        name="audited", base_model=MODEL, tasks=("quick_math", "quick_gpqa"), max_problems=4, recipes=(), pool="",
        reference_recipe="base", headline=Budget(),
        budgets=(Budget(method="no_thinking"), Budget(12), Budget(), Budget(num_ignores=1),
                 Budget(num_ignores=2, ignore_str="")),
        sampling=Sampling(max_answer_tokens=16), engine=EngineConfig(name="transformers", max_model_len=256),
    )
"""
SETTINGS = 5


def evaluated(model: Path, out: Path, *more: str) -> Path:
    """Caps, an ignored end, two that an empty string ignores (no span tells where), and no thinking."""
    file = out.parent / "audited.py"
    file.write_text(f"MODEL = {str(model)!r}\n{STUDY}")
    call = harness("ablate", str(file), "--out", str(out), "--audit", "0", *more)
    assert call.returncode == 0, call.stdout[-2000:] + call.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model with moved weights (it thinks longer) on two tasks."""
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
    assert sum(len(run.rows) for run in audits) == 2 * 4 * SETTINGS
    assert sum(row.num_tokens for run in audits for row in run.rows) > 400
    rows = pq.read_table(results / "samples").to_pylist()
    assert any(row["num_rounds"] == 3 and not row["forced_spans"] for row in rows)  # ends that "" ignored
    assert "40 of 40 audited rows are their checkpoint's greedy path" in summary(audits)
    call = CliRunner().invoke(cli, ["audit", str(results), "--sample", "2"])
    assert call.exit_code == 0 and "20 of 20 audited rows" in call.output, call.output


@pytest.mark.slow
def test_lm_eval_gives_the_texts_and_verdicts_of_evaluate(results: Path) -> None:
    """Two ways to the same rows: lm-eval's loop, requests and metrics, and the harness's own."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from harness.lm_eval.plugin import S1HFModel

    rows = [row for row in pq.read_table(results / "samples").to_pylist() if row["method"] == "budget_forcing"]
    rows = [row for row in rows if row["num_ignores"] < 2]
    model = S1HFModel(pretrained=str(results.parent / "model"), max_model_len=256, batch_size=8)
    manager = TaskManager(include_path=str(ROOT / "tasks"), include_defaults=False)
    settings = {(12, 0): "max_tokens_thinking=12", (None, 0): "max_tokens_thinking=auto"}
    settings[None, 1] = "max_tokens_thinking=auto,thinking_n_ignore=1,thinking_n_ignore_str=Wait"
    compared = 0
    for (cap, ignores), told in settings.items():
        found = simple_evaluate(
            model=model,
            tasks=["quick_math", "quick_gpqa"],
            task_manager=manager,
            gen_kwargs=f"max_gen_toks=16,{told}",
            apply_chat_template=True,
            limit=4,
            log_samples=True,
            bootstrap_iters=0,
        )
        for row in rows:
            if (row["max_thinking_tokens"], row["num_ignores"]) != (cap, ignores):
                continue
            (sample,) = (one for one in found["samples"][row["task"]] if one["doc"]["problem"] == row["question"])
            assert sample["resps"][0][0] == f"<|im_start|>think{row['thinking']}{row['closing']}{row['answer']}"
            assert sample["status"] == [row["status"]] and sample["exact_match"] == float(bool(row["correct"]))
            assert sample["extracted_answers"] == [row["extracted"] or ""]
            compared += 1
    assert compared == len(rows) == 2 * 4 * 3


@pytest.mark.slow
def test_rows_of_another_model_are_found(results: Path, tmp_path: Path) -> None:
    """The defect that it is there for: rows filed under a model whose weights did not make them."""
    other = str(varied(Path(TINY_MODEL), tmp_path / "model", 3))
    facts = {"base_model": other, "model_identity": provenance.model_identity(other)}
    planted = reconfigured(results, tmp_path / "planted", lambda config: config.update(facts))
    audits = audit(planted, 100)
    assert sum(run.num_greedy for run in audits) < 30
    assert any("is not the checkpoint's greedy choice" in fault for fault in faults(audits))
    call = CliRunner().invoke(cli, ["audit", str(planted), "--sample", "2"])
    assert call.exit_code == 1 and "rows that do not hold" in call.output


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
    assert "10 of 10 runs not compared" in summary(audits)


@pytest.mark.slow
def test_rounding_is_that_of_the_dtype_that_auto_was(results: Path, tmp_path: Path) -> None:
    """The dtype that the engine wrote into the run decides, not the one that was asked for."""

    def automatic(config: Row) -> None:
        assert config["computed_in"] == "float32"
        config["engine"]["dtype"], config["computed_in"] = "auto", "bfloat16"

    audits = audit(reconfigured(results, tmp_path / "out", automatic), 1)
    assert {run.near_tie for run in audits} == {NEAR_TIES["bfloat16"]}


@pytest.mark.faults  # one evaluation more, of rows whose dtype the test before reads
def test_near_ties_of_an_automatic_bfloat16_are_no_faults(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = varied(Path(TINY_MODEL), tmp_path / "model", 1)
    AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16).save_pretrained(model)
    little = ("--set", "max_problems=2", "--set", "engine.dtype=auto")
    audits = audit(evaluated(model, tmp_path / "out", *little), 100)
    assert {run.near_tie for run in audits} == {NEAR_TIES["bfloat16"]}
    assert faults(audits) == []


def reconfigured(results: Path, out: Path, change: Callable[[Row], object]) -> Path:
    """A copy of `results` whose runs' configurations went through `change`."""
    shutil.copytree(results, out)
    runs = pq.read_table(out / "runs.parquet")
    configs = [json.loads(text) for text in runs["config"].to_pylist()]
    for config in configs:
        change(config)
    at = runs.schema.get_field_index("config")
    column = pa.array([json.dumps(config) for config in configs])
    pq.write_table(runs.set_column(at, "config", column), out / "runs.parquet")
    return out


@pytest.mark.slow
def test_older_results_have_the_defaults_of_younger_settings(results: Path, tmp_path: Path) -> None:
    def older(config: Row) -> None:
        del config["sampling"]["thinking_temperature"], config["budget"]["round_temperatures"], config["computed_in"]

    audits = audit(reconfigured(results, tmp_path / "out", older), 1)
    assert all(run.not_audited is None and run.num_greedy == 1 for run in audits)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda config: config.pop("base_model"), "does not say where its model lies"),
        (lambda config: config.update(base_model="/no/such/folder"), "there is no model at '/no/such/folder'"),
        (lambda config: config.update(imported_from="a.jsonl"), "imported from a log"),
    ],
)
def test_a_run_without_its_model_is_said_and_not_compared(
    change: Callable[[Row], object], reason: str, results: Path, tmp_path: Path
) -> None:
    audits = audit(reconfigured(results, tmp_path / "out", change), 1)
    assert all(reason in (run.not_audited or "") for run in audits)
    assert faults(audits) == []


@pytest.mark.slow
def test_one_lost_checkpoint_leaves_the_other_models_audited(results: Path, tmp_path: Path) -> None:
    """The runs of quick_gpqa become those of a recipe whose training is known and whose weights are damaged."""
    out = tmp_path / "out"
    shutil.copytree(results, out)
    runs = pq.read_table(out / "runs.parquet").to_pylist()
    for run in runs:
        run["recipe"] = "lost" if run["task"] == "quick_gpqa" else run["recipe"]
    schema = pq.read_schema(out / "runs.parquet")
    pq.write_table(pa.Table.from_pylist(runs, schema=schema), out / "runs.parquet")
    folder = out / "recipes" / "lost"
    shutil.copytree(TINY_MODEL, folder / "checkpoint")
    (folder / "training.json").write_text(json.dumps({"identity": json.loads(runs[0]["config"])["model_identity"]}))

    def reasons() -> dict[str, str | None]:
        return {run.recipe: run.not_audited for run in audit(out, 1)}

    (folder / "checkpoint" / "model.safetensors").write_bytes(b"no tensors in here")
    assert reasons()["base"] is None and "cannot be loaded" in (reasons()["lost"] or "")
    shutil.rmtree(folder / "checkpoint")
    assert reasons()["base"] is None and "was removed" in (reasons()["lost"] or "")
    (folder / "training.json").write_text("{")
    assert reasons()["base"] is None and "no finished training" in (reasons()["lost"] or "")


@pytest.mark.slow
def test_rows_that_a_finished_run_lacks_are_found(results: Path, tmp_path: Path) -> None:
    lost = audit(changed(results, tmp_path / "out", lambda rows: rows.clear()), 1)
    assert {run.num_missing for run in lost} == {4} and len(faults(lost)) == 10


@pytest.mark.slow
def test_damaged_parquet_is_one_line(results: Path, tmp_path: Path) -> None:
    out = changed(results, tmp_path / "out", lambda rows: None)
    file = out / "samples" / "all.parquet"
    data = bytearray(file.read_bytes())
    data[4:2000] = b"\xff" * 1996  # pages, not the footer: the file opens
    file.write_bytes(data)
    with pytest.raises(UserError, match="a file in it is broken"):
        audit(out, 1)


def test_a_folder_without_results_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no finished run to audit"):
        audit(tmp_path, 1)


@pytest.mark.slow
def test_a_status_that_contradicts_its_row_is_found(results: Path, tmp_path: Path) -> None:
    def contradict(rows: list[Row]) -> None:
        wrong = next(row for row in rows if row["correct"] is False)
        wrong["status"] = "correct"

    found = faults(audit(changed(results, tmp_path / "out", contradict), 100))
    assert len(found) == 1 and "the status 'correct' says otherwise" in found[0]
