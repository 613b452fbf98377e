"""Published logs become rows of our schema, graded by our grader, with the log's own verdicts beside."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from harness.analysis.compare import compare
from harness.analysis.logs.importing import import_files
from harness.analysis.logs.names import model_of, name_from, task_of
from harness.analysis.logs.published import read_log
from harness.analysis.logs.runs import kind_of
from harness.analysis.measure import measure, measure_cells
from harness.analysis.settings import load
from harness.errors import UserError
from harness.records import SAMPLE_SCHEMA
from harness.report.comparisons import comparison_tables

ROOT = Path(__file__).parents[3]
DATA = ROOT.parent / "shared" / "data"


def log_line(response: str | list[str], gold: str = "204", **more: Any) -> dict[str, Any]:
    responses = [response] if isinstance(response, str) else response
    return {
        "doc_id": 0,
        "doc": {"id": 60, "problem": "How many minutes?", "answer": gold},
        "target": gold,
        "arguments": {"gen_args_0": {"arg_0": "prompt", "arg_1": {"max_gen_toks": 32768}}},
        "resps": [responses],
        "filtered_resps": responses,
        "exact_match": 1,
        "extracted_answers": ["204"],
    } | more


def written(path: Path, *records: dict[str, Any] | str) -> Path:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records))
    return path


def rows(out: Path) -> list[dict[str, Any]]:
    table = pq.read_table(out / "samples")
    assert table.schema.equals(SAMPLE_SCHEMA)
    return list(table.to_pylist())


THOUGHT = "<|im_start|>think\nso\n<|im_start|>answer\nAnswer: \\boxed{204}"


def test_a_response_is_cut_at_its_delimiters_and_graded_from_its_answer(tmp_path: Path) -> None:
    path = written(tmp_path / "s1-32B_aime24_nofigures_samples.jsonl", log_line(THOUGHT))
    import_files([path], tmp_path / "out")
    row = rows(tmp_path / "out")[0]
    assert row["prompt"] + row["thinking"] + row["closing"] + row["answer"] == "prompt" + THOUGHT
    assert row["prompt"].endswith("<|im_start|>think"), "what opens the thought ends the prompt, as in native rows"
    assert (row["closing"], row["status"], row["extracted"], row["correct"]) == (
        "<|im_start|>answer",
        "correct",
        "204",
        True,
    )
    assert (row["task"], row["model"], row["kind"], row["problem_id"]) == (
        "aime24_nofigures",
        "s1-32B",
        "integer",
        "60",
    )


def test_a_thought_without_an_answer_is_truncated_not_wrong(tmp_path: Path) -> None:
    path = written(
        tmp_path / "x_aime24_nofigures.jsonl", log_line("<|im_start|>think\nI get \\boxed{204} but let me check")
    )
    import_files([path], tmp_path / "out")
    assert rows(tmp_path / "out")[0]["status"] == "truncated"


def test_all_responses_and_repeated_lines_of_a_problem_are_its_samples(tmp_path: Path) -> None:
    path = written(tmp_path / "x_aime24.jsonl", log_line([THOUGHT, THOUGHT + " "]), log_line(THOUGHT + "\n"))
    import_files([path], tmp_path / "out")
    assert sorted(row["sample_index"] for row in rows(tmp_path / "out")) == [0, 1, 2]


def test_token_counts_stay_empty_without_a_tokenizer_and_that_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "x_aime24.jsonl", log_line(THOUGHT))
    summary = import_files([path], tmp_path / "out")[0]
    assert rows(tmp_path / "out")[0]["thinking_tokens"] is None and "give --tokenizer" in summary
    found = measure_cells(load([tmp_path / "out"])).figures[0]
    assert found["mean_thinking_tokens"].note and found["accuracy"].mean == 1.0


def test_the_summary_says_where_our_verdicts_differ_from_the_logs(tmp_path: Path) -> None:
    lines = [
        log_line(THOUGHT),
        log_line(THOUGHT.replace("204", "7"), doc_id=1, doc={"id": 61, "problem": "?", "answer": "204"}),
    ]
    summary = import_files([written(tmp_path / "x_aime24.jsonl", *lines)], tmp_path / "out")[0]
    assert "accuracy 50.0 %, in the log 100.0 % (1 verdicts differ)" in summary


def test_importing_again_adds_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "x_aime24.jsonl", log_line(THOUGHT))
    for _ in range(2):
        import_files([path], tmp_path / "out")
    found = measure_cells(load([tmp_path / "out"]))
    assert found.figures[0]["generations_count"].mean == 1
    assert pq.read_table(tmp_path / "out" / "runs.parquet").num_rows == 1


def test_the_settings_of_a_logged_run_are_its_columns(tmp_path: Path) -> None:
    kwargs = {"max_tokens_thinking": 4000, "thinking_n_ignore": 2, "thinking_n_ignore_str": "Hmm"}
    record = log_line(THOUGHT, arguments={"gen_args_0": {"arg_0": "p", "arg_1": kwargs}})
    import_files([written(tmp_path / "x_aime24.jsonl", record)], tmp_path / "out")
    row = rows(tmp_path / "out")[0]
    assert (row["max_thinking_tokens"], row["num_ignores"], row["ignore_str"]) == (4000, 2, "Hmm")


def test_a_file_without_any_sample_is_a_user_error_that_names_its_lines(tmp_path: Path) -> None:
    path = written(tmp_path / "x.jsonl", "not json", '{"loss": 1}')
    with pytest.raises(UserError, match=r"no sample could be read \(2 line\(s\) skipped: 1 \(not JSON"):
        import_files([path], tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "task", "kind"),
    [
        ("samples_openai_math_2025-01-01T00-00-00.1.jsonl", "openai_math", "math"),
        ("s1-32B_aime24_nofigures_samples.jsonl", "aime24_nofigures", "integer"),
        ("samples_gpqa_diamond_openai_2025-01-01T00-00-00.jsonl", "gpqa_diamond_openai", "choice"),
        ("samples_my_own_task_2025-01-01T00-00-00.1.jsonl", "my_own_task", "math"),
        ("math500_Qwen2.5-Math-7B.jsonl", "math500", "math"),
    ],
)
def test_the_task_and_its_kind_are_read_from_lm_evals_names(name: Any, task: Any, kind: Any) -> None:
    assert (task_of(Path(name)), kind_of(task)) == (task, kind)


def test_the_model_is_read_from_results_rows_folders_and_names(tmp_path: Path) -> None:
    folder = tmp_path / "org__model-1"
    folder.mkdir()
    path = written(folder / "samples_gsm8k_2025-01-01T00-00-00.jsonl", log_line(THOUGHT))
    assert model_of(path, read_log(path).samples) is None and name_from(path) == "org/model-1"
    (folder / "results_2025.json").write_text(json.dumps({"config": {"model_args": "pretrained=a/b,dtype=float16"}}))
    assert model_of(path, read_log(path).samples) == "a/b"
    assert name_from(Path("math500_Qwen2.5-Math-7B.jsonl")) == "Qwen2.5-Math-7B"


def published(name: str) -> Path:
    if not (DATA / name).exists():
        pytest.skip(f"{DATA / name} is not here: this test reads data that are not part of the repository")
    return DATA / name


@pytest.mark.parametrize(
    ("name", "accuracy"),
    [
        ("samples/s1-32B_aime24_nofigures_samples.jsonl", 0.4),
        ("samples/Qwen2.5-32B-Instruct_aime24_nofigures_samples.jsonl", 5 / 30),
        ("outputs/aime24_Sky-T1-math-correct-5K-32B_ckpt021.jsonl", 11 / 30),
    ],
)
def test_the_published_aime_logs_come_out_at_their_own_accuracy(tmp_path: Path, name: Any, accuracy: Any) -> None:
    import_files([published(name)], tmp_path)
    frame = measure(tmp_path).to_pandas()
    assert frame[frame["metric"] == "accuracy"]["value"].item() == pytest.approx(accuracy)


def test_two_published_logs_import_and_compare_as_the_documentation_prints(tmp_path: Path) -> None:
    names = ("s1-32B_aime24_nofigures_samples.jsonl", "Qwen2.5-32B-Instruct_aime24_nofigures_samples.jsonl")
    told = import_files([published(f"samples/{name}") for name in names], tmp_path)
    console = Console(width=105, record=True, file=io.StringIO())
    found = compare(f"{tmp_path}:s1-32B", f"{tmp_path}:Qwen2.5-32B-Instruct")
    console.print(comparison_tables(found))
    printed = " ".join(" ".join([*told, console.export_text()]).split())
    assert (
        " ".join(_block(ROOT / "docs" / "results.md", "s1-32B_aime24_nofigures_samples.jsonl: 30").split()) == printed
    )
    (line,) = re.findall(r"`(A - B: .*?)`", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert " ".join(line.split()) in printed and (len(found[0].only_a), len(found[0].only_b)) == (7, 0)


def _block(page: Path, start: str) -> str:
    """The printed block of a page that begins so."""
    blocks = re.findall(r"```text\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return next(str(block) for block in blocks if block.startswith(start))


def test_eight_samples_a_problem_give_pass_at_k_and_maj_at_k(tmp_path: Path) -> None:
    import_files([published("outputs/qwen25math_maj8.jsonl")], tmp_path)
    figures = measure_cells(load([tmp_path])).figures[0]
    assert figures["generations_count"].mean == 800
    assert figures["accuracy"].mean <= figures["pass@2"].mean <= figures["pass@8"].mean <= 1
    assert figures["maj@8"].mean > figures["accuracy"].mean
