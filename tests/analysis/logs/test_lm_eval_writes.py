"""Logs that the installed lm-eval itself writes, of its dummy model: generated answers in two filters, and choices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.analysis.logs.importing import import_files

GENERATED = """
task: sums
dataset_path: json
dataset_kwargs: {{data_files: {data}}}
test_split: train
output_type: generate_until
doc_to_text: "Q: {{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
repeats: 2
generation_kwargs: {{until: ["Q:"], temperature: 0.7, do_sample: true}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
filter_list:
  - {{name: strict, filter: [{{function: regex, regex_pattern: "#### (.*)"}}, {{function: take_first}}]}}
  - {{name: flexible, filter: [{{function: take_first}}]}}
"""
CHOSEN = """
task: picks
dataset_path: json
dataset_kwargs: {{data_files: {data}}}
test_split: train
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: ["red", "green"]
doc_to_target: 1
"""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Task -> its samples file, as `lm_eval --log_samples --output_path` writes them."""
    evaluator = pytest.importorskip("lm_eval.evaluator")
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    folder = tmp_path_factory.mktemp("lm_eval")
    data = folder / "data.jsonl"
    problems = [{"id": f"q{n}", "question": f"What is {n} + 1?", "answer": f"So.\n#### {n + 1}"} for n in range(3)]
    data.write_text("\n".join(map(json.dumps, problems)))
    for name, text in (("sums", GENERATED), ("picks", CHOSEN)):
        (folder / f"{name}.yaml").write_text(text.format(data=data))
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    tracker = EvaluationTracker(output_path=str(folder / "out"))
    found: Any = evaluator.simple_evaluate(
        model="dummy", tasks=["sums", "picks"], task_manager=manager, log_samples=True, evaluation_tracker=tracker
    )
    samples = found.pop("samples")
    tracker.save_results_aggregated(results=found, samples=samples)
    for task in samples:
        tracker.save_results_samples(task_name=task, samples=samples[task])
    written = sorted((folder / "out").rglob("samples_*.jsonl"))
    return {task: path for path in written for task in samples if f"samples_{task}_" in path.name}


def test_its_generations_are_read_with_both_filters_and_all_settings(logs: dict[str, Path], tmp_path: Path) -> None:
    summary = import_files([logs["sums"]], tmp_path, model="m")[0]
    rows = pq.read_table(tmp_path / "samples").to_pylist()
    found = sorted((row["problem_id"], row["sample_index"]) for row in rows)
    assert found == [(f"q{n}", k) for n in range(3) for k in range(2)]
    assert {row["gold"] for row in rows} == {"1", "2", "3"} and {row["answer"] for row in rows} == {"lol"}
    settings = json.loads(rows[0]["gen_kwargs"])
    assert (settings["until"], settings["temperature"]) == (["Q:"], 0.7)
    assert "strict 0.0 %" in summary and "flexible 0.0 %" in summary and "accuracy 0.0 %" in summary


def test_its_choices_by_likelihood_are_its_likeliest_options(logs: dict[str, Path], tmp_path: Path) -> None:
    """lm-eval's own `acc` is the witness; its dummy model's log-probabilities are random."""
    lines = [json.loads(line) for line in logs["picks"].read_text().splitlines()]
    summary = import_files([logs["picks"]], tmp_path, model="m")[0]
    rows = sorted(pq.read_table(tmp_path / "samples").to_pylist(), key=lambda row: row["problem_id"])
    assert [row["correct"] for row in rows] == [bool(line["acc"]) for line in lines]
    assert {row["gold"] for row in rows} == {"B"} and {tuple(row["choices"]) for row in rows} == {("red", "green")}
    assert {row["kind"] for row in rows} == {"choice"} and {row["method"] for row in rows} == {"no_thinking"}
    assert {row["answer"] for row in rows} <= {"A", "B"} and {row["answer_tokens"] for row in rows} == {None}
    assert "0 verdicts differ" in summary and "options chosen by their log-probabilities" in summary
