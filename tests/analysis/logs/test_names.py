"""The task that a log's file name tells, for every task that lm-eval has."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.logs.names import task_of
from harness.tasks.lm_eval_names import lm_eval_names
from tests.analysis.logs.test_log_formats import imported, lm_eval_line, written

STAMP = "2024-11-27T06-10-11.123456"  # datetime.isoformat() with its colons replaced, as lm-eval writes it


def test_the_name_of_every_task_of_lm_evals_survives_in_the_name_of_its_file() -> None:
    """Its own reading of a file's name is the witness."""
    file_task_name = pytest.importorskip("lm_eval.utils").get_file_task_name
    known = lm_eval_names().tasks
    assert len(known) > 10_000
    files = {name: f"samples_{name}_{STAMP}.jsonl" for name in known}
    assert {name for name, file in files.items() if not name == task_of(Path(file)) == file_task_name(file)} == set()


@pytest.mark.parametrize("end", [".jsonl", ".json", ".jsonl.gz", " (1).jsonl", "_shard3.jsonl"])
@pytest.mark.parametrize("stamp", [STAMP, "2024-11-27T06-10-11", "2024-11-27T06:10:11"])
def test_what_stands_behind_the_task_is_no_part_of_it(stamp: str, end: str) -> None:
    for task in ("gsm8k_cot", "gpqa_diamond_cot_zeroshot", "my_task_2024-01-02", "aime24_nofigures", "math500"):
        assert task_of(Path(f"samples_{task}_{stamp}{end}")) == task


@pytest.mark.parametrize("shard", ["_shA", "_shard0", "_shard-2", "_part3", "_chunk_1", "_rank0", "_0-of-4", "_2of8"])
def test_a_shard_has_its_runs_task(shard: str) -> None:
    assert task_of(Path(f"samples_gsm8k_cot{shard}_{STAMP}.jsonl")) == "gsm8k_cot"


def test_a_task_that_is_called_like_a_shard_is_told_by_the_results_file(tmp_path: Path) -> None:
    path = written(tmp_path / f"samples_exam_part2_{STAMP}.jsonl", lm_eval_line())
    assert task_of(path) == "exam"
    written(tmp_path / f"results_{STAMP}.json", whole={"configs": {"exam_part1": {}, "exam_part2": {}}})
    assert task_of(path) == "exam_part2"


def test_a_file_without_its_date_has_the_task_that_the_results_file_names(tmp_path: Path) -> None:
    path = written(tmp_path / "samples_gsm8k_cot.jsonl", lm_eval_line())
    written(tmp_path / "results.json", whole={"configs": {"gsm8k": {}, "gsm8k_cot": {}, "gsm8k_cot_llama": {}}})
    assert task_of(path) == "gsm8k_cot"


def test_two_prompts_of_one_benchmark_are_two_tasks(tmp_path: Path) -> None:
    """gsm8k and gsm8k_cot in one folder without results files were one task, and of two such runs one was shown."""
    for task, answer in (("gsm8k", "1"), ("gsm8k_cot", "2")):
        written(tmp_path / "org__m" / f"samples_{task}_{STAMP}.jsonl", lm_eval_line(response=f"\\boxed{{{answer}}}"))
    found = imported(tmp_path, tmp_path / "org__m")
    assert [(row["task"], row["correct"]) for row in found] == [("gsm8k", False), ("gsm8k_cot", True)]
