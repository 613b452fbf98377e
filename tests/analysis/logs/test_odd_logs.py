"""Logs as they lie about: scores that are no verdicts, small letters, thoughts in columns of their own, equal files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from harness.analysis.logs.golds import letter_of
from harness.analysis.logs.importing import import_files
from harness.analysis.settings import load
from harness.errors import UserError
from tests.analysis.logs.test_log_formats import imported, lm_eval_line, rows, written


def plain(number: int, response: Any, **more: Any) -> dict[str, Any]:
    return {"question": f"What is {number}?", "answer": str(number), "response": response} | more


def test_means_over_samples_are_verdicts_of_none_of_them(tmp_path: Path) -> None:
    """Of avg@2 only the rows of 0 and 1 were taken for verdicts, each of its first response: 100% in place of 75%."""
    lines = [
        lm_eval_line(n, resps=[["\\boxed{2}", "\\boxed{2}" if n else "\\boxed{3}"]], exact_match=score)
        for n, score in enumerate((0.5, 1.0))
    ]
    path = written(tmp_path / "samples_t.jsonl", *lines)
    summary = import_files([path], tmp_path / "out", model="m")[0]
    assert "accuracy 75.0 %, in the log 75.0 % (its scores are means or points: no verdicts" in summary
    assert {row["logged_correct"] for row in rows(tmp_path / "out")} == {None}
    config = json.loads(pq.read_table(tmp_path / "out" / "runs.parquet").to_pylist()[0]["config"])
    assert config["logged_accuracy"] == 0.75


def test_means_are_the_accuracy_under_each_filter(tmp_path: Path) -> None:
    scores = {"strict": (0.0, 0.5, 1.0), "loose": (0.5, 1.0, 1.0)}
    lines = [
        lm_eval_line(n, resps=[["a", "b"]], filter=name, exact_match=score)
        for name, of_filter in scores.items()
        for n, score in enumerate(of_filter)
    ]
    summary = import_files([written(tmp_path / "samples_t.jsonl", *lines)], tmp_path / "out", model="m")[0]
    assert "its filters: strict 50.0 %, loose 83.3 %" in summary


def test_points_are_no_verdicts(tmp_path: Path) -> None:
    """0 of 100 points is a verdict like 100 of them is: none. "In the log 0 %" was the mean of the zeros."""
    lines = [plain(n, f"\\boxed{{{min(n, 2)}}}", score=100 if n < 3 else 0) for n in range(5)]
    summary = import_files([written(tmp_path / "a.jsonl", *lines)], tmp_path / "out", model="m", task="t")[0]
    assert "accuracy 60.0 % (its scores are means or points" in summary and "in the log" not in summary


def test_points_of_one_task_leave_the_verdicts_of_another(tmp_path: Path) -> None:
    lines = [
        plain(n, f"\\boxed{{{n}}}", task=task, score=score) for task, score in (("a", 0.5), ("b", 1)) for n in (1, 2)
    ]
    found = imported(tmp_path, written(tmp_path / "a.jsonl", *lines), model="m")
    assert [(row["task"], row["logged_correct"]) for row in found] == [("a", None)] * 2 + [("b", True)] * 2


@pytest.mark.parametrize(("said", "right"), [("yes", True), ("no", False), ("True", True), ("maybe", None)])
def test_verdicts_in_words(tmp_path: Path, said: str, right: bool | None) -> None:
    found = imported(tmp_path, written(tmp_path / "a.jsonl", plain(1, "\\boxed{1}", passed=said)), model="m", task="t")
    assert [row["logged_correct"] for row in found] == [right]


def test_any_usual_name_of_a_verdict_is_found_beside_model_outputs(tmp_path: Path) -> None:
    lines = [{"problem": f"{n}?", "gt": n, "model_output": f"\\boxed{{{n}}}", "acc": 1 - n} for n in range(2)]
    found = imported(tmp_path, written(tmp_path / "a.jsonl", *lines), model="m", task="t")
    assert [row["logged_correct"] for row in found] == [True, False]


def test_a_thought_in_a_column_of_its_own_is_the_responses(tmp_path: Path) -> None:
    """But `reasoning`, as data sets call the solution of a gold, is not."""
    lines = [
        plain(1, "\\boxed{1}", reasoning_content="one"),
        plain(2, ["\\boxed{2}", "\\boxed{3}"], reasoning_content=["two", None]),
        plain(4, "\\boxed{4}", reasoning="by the book"),
    ]
    found = imported(tmp_path, written(tmp_path / "a.jsonl", *lines), model="m", task="t")
    assert [row["thinking"] for row in found] == ["one", "two", "", ""]
    assert [row["answer"] for row in found] == ["\\boxed{1}", "\\boxed{2}", "\\boxed{3}", "\\boxed{4}"]


def test_two_models_whose_files_are_equal_are_two_runs(tmp_path: Path) -> None:
    """And one file that lies there twice, under one model and task, is one."""
    for name in ("org__a", "org__b", "copy/org__b"):
        written(tmp_path / name / "samples_t_2026-01-02T03-04-05.jsonl", lm_eval_line(0), lm_eval_line(1))
    found = imported(tmp_path, tmp_path)
    assert [(row["model"], row["problem_id"]) for row in sorted(found, key=lambda row: row["model"])] == [
        ("org/a", "0"),
        ("org/a", "1"),
        ("org/b", "0"),
        ("org/b", "1"),
    ]


@pytest.mark.parametrize(
    ("gold", "choices", "labels", "letter"),
    [
        ("b", ("red", "green"), (), "B"),
        ("(b)", ("red", "green"), (), "B"),
        ("b", ("red", "green"), ("A", "B"), "B"),
        ("a", ("b", "a"), (), "B"),
        ("c", ("red", "green"), (), None),
        ("b", (), (), None),
    ],
)
def test_small_letters_name_an_option_where_there_are_options(
    gold: str, choices: tuple[str, ...], labels: tuple[str, ...], letter: str | None
) -> None:
    assert letter_of((gold,), None, choices, labels) == letter


def test_a_file_of_columns_is_its_rows(tmp_path: Path) -> None:
    """Lists were the responses to one problem, and pandas' {row: value} one response that was null."""
    table = {"question": ["1?", "2?"], "answer": ["1", "2"], "response": ["\\boxed{1}", "\\boxed{3}"]}
    keyed = {name: {str(n): value for n, value in enumerate(column)} for name, column in table.items()}
    for name, whole in (("lists", table), ("pandas", keyed)):
        found = imported(tmp_path / name, written(tmp_path / name / "a.json", whole=whole), model="m", task="t")
        assert [(row["question"], row["gold"], row["correct"]) for row in found] == [
            ("1?", "1", True),
            ("2?", "2", False),
        ]


def test_settings_in_columns_are_the_runs_settings(tmp_path: Path) -> None:
    """Two temperatures in one file were samples of one run."""
    lines = [plain(n, f"\\boxed{{{n if t else 9}}}", temperature=t, seed=n) for t in (0, 1) for n in range(3)]
    found = imported(tmp_path, written(tmp_path / "a.jsonl", *lines), model="m", task="t")
    right: dict[int, list[bool]] = {0: [], 1: []}
    for row in found:
        right[json.loads(row["gen_kwargs"])["temperature"]].append(row["correct"])
    assert right == {0: [False] * 3, 1: [True] * 3} and {row["sample_index"] for row in found} == {0}


@pytest.mark.parametrize("name", ["thinking_budget", "max_thinking_tokens", "thinking_token_budget"])
def test_a_limit_on_thinking_is_the_runs_budget_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    """A sweep in one file was runs of an unknown budget that "differ otherwise": no curve."""
    limits = {500: "500", "1000": "1000", "auto": "auto", -1: None}
    lines = [plain(n, f"<think>a</think>\\boxed{{{n}}}", **{name: one}) for one in limits for n in range(3)]
    found = imported(tmp_path, written(tmp_path / "a.jsonl", *lines), model="m", task="t")
    assert {json.loads(row["gen_kwargs"])[name]: row["thinking_budget"] for row in found} == limits
    assert {row["max_thinking_tokens"] for row in found} == {500, 1000, None}
    if name == "thinking_budget":
        cells = load([tmp_path / "out"]).cells
        assert [cell.max_thinking_tokens for cell in cells if cell.max_thinking_tokens] == [500, 1000]
        assert {cell.note for cell in cells if cell.max_thinking_tokens} == {""}


def test_responses_by_their_number_are_a_list_of_them(tmp_path: Path) -> None:
    line = plain(1, {"0": "\\boxed{1}", "1": "\\boxed{2}"})
    assert [row["correct"] for row in imported(tmp_path, written(tmp_path / "a.jsonl", line), model="m", task="t")] == [
        True,
        False,
    ]
    odd = written(tmp_path / "b.jsonl", plain(1, {"tokens": [1, 2]}))
    with pytest.raises(UserError, match="'response' holds no text"):
        import_files([odd], tmp_path / "never")


def test_options_that_are_written_as_text_are_options(tmp_path: Path) -> None:
    line = plain(1, "\\boxed{B}", options='["red", "green"]') | {"answer": 1}
    row = imported(tmp_path, written(tmp_path / "a.jsonl", line), model="m", task="t")[0]
    assert (row["kind"], row["gold"], row["choices"], row["correct"]) == ("choice", "B", ["red", "green"], True)


def test_samplings_in_another_order_are_samples_of_the_same_problems(tmp_path: Path) -> None:
    """Without ids a row's place in its file was its problem, so two files of three problems were six problems."""
    for k, order in enumerate([(0, 1, 2), (2, 0, 1)]):
        lines = [{"problem": f"{n}?", "expected_answer": str(n), "generation": f"\\boxed{{{k}}}"} for n in order]
        written(tmp_path / "sums" / f"output-rs{k}.jsonl", *lines)
    found = imported(tmp_path, tmp_path / "sums", model="m")
    assert [(row["question"], row["sample_index"], row["correct"]) for row in found] == [
        (f"{n}?", k, n == k) for n in range(3) for k in range(2)
    ]
