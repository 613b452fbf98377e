"""Pools of questions: a step that needs traces says so, in one line, before any work; a teacher's steps take them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.cli.exits import call
from harness.cli.main import cli
from harness.data import load as pool
from harness.quickstart import TINY_MODEL
from tests.pools import row, rows

ASKED = [f"What is {number} + {number}?" for number in range(1, 7)]


def lines(records: list[Any]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "pool.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return write


def table(folder: Path) -> Path:
    path = folder / "pool.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("problem", "level"), *((question, 1) for question in ASKED)])
    return path


def columns(folder: Path) -> Path:
    path = folder / "pool.parquet"
    pq.write_table(pa.table({"prompt": ASKED, "ground_truth": ["2"] * len(ASKED)}), path)
    return path


def saved(folder: Path) -> Path:
    made = datasets.Dataset.from_list([{"question": question, "id": str(n)} for n, question in enumerate(ASKED)])
    made.save_to_disk(folder / "pool")
    return folder / "pool"


# Questions as people have them: benchmarks, prompts of reinforcement learning, our own pool before a teacher was asked.
SHAPES: dict[str, Callable[[Path], Path]] = {
    "our own, no trace yet": lines([row(n, thinking="", attempt="") for n in range(1, 7)]),
    "our own, blank traces": lines([row(n, thinking=" \n") for n in range(1, 7)]),
    "a benchmark": lines([{"problem": question, "answer": "2", "subject": "Algebra"} for question in ASKED]),
    "chats without an answer": lines([{"messages": [{"role": "user", "content": question}]} for question in ASKED]),
    "prompts of turns": lines(
        [{"prompt": [{"role": "user", "content": q}], "reward_model": {"ground_truth": "2"}} for q in ASKED]
    ),
    "options": lines([{"question": question, "choices": ["1", "2"], "answer": 1} for question in ASKED]),
    "a table": table,
    "Parquet": columns,
    "save_to_disk": saved,
}
# What needs traces; POOL, OUT and TOKENIZER are filled in.
NEEDS: dict[str, str] = {
    "filter": "data filter POOL --solved-by nobody --out OUT.parquet",
    "random": "data select POOL --selection random --size 2 --out OUT.parquet",
    "full": "data select POOL --selection full --out OUT.parquet",
    "lint": "data lint POOL",
    "fix": "data lint POOL --fix --out OUT.parquet",
    "format": "data format POOL --tokenizer TOKENIZER --out OUT.parquet",
    "report": "data report POOL",
    "collect": "data collect --pool POOL --out OUT.parquet",
    "train": "train POOL --model TOKENIZER --out OUT",
    "plan": "ablate quickstart --set pool=POOL --set pool_size=none --dry-run --out OUT",
    "study": "ablate quickstart --set pool=POOL --set pool_size=none --out OUT",
}
# What a pool of questions is for.
TAKES: dict[str, str] = {
    "teacher": "data featurize POOL --traces --base-url http://127.0.0.1:9/v1 --model m --dry-run --out OUT.parquet",
    "domains": "data featurize POOL --domains keywords --out OUT.parquet",
    "decontaminate": "data decontaminate POOL --tasks quick_math --out OUT.parquet",
    "collect": "data collect --pool POOL --map thinking=none --out OUT.parquet",
}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The Arrow cache of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        yield


def told(capsys: pytest.CaptureFixture[str], command: str, path: Path, tmp_path: Path) -> tuple[int, list[str]]:
    """The exit code of `harness COMMAND`, and the lines of its standard error."""
    words = {"POOL": str(path), "TOKENIZER": TINY_MODEL}
    filled = [words.get(word, word) for word in command.split()]
    filled = [word.replace("OUT", str(tmp_path / "out")).replace("=POOL", f"={path}") for word in filled]
    with pytest.raises(SystemExit) as ended:
        call(cli, filled)
    return int(ended.value.code or 0), capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("command", NEEDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_that_needs_traces_refuses_a_pool_of_questions_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: str, command: str
) -> None:
    path = SHAPES[shape](tmp_path)
    code, errors = told(capsys, NEEDS[command], path, tmp_path)
    (line,) = [error for error in errors if error.startswith("harness: ")]
    assert code == 2 and "none of its 6 rows has a trace" in line, errors
    assert "`harness data featurize --traces`" in line
    assert ("pool_columns" if NEEDS[command].startswith("ablate") else "--map thinking=") in line
    assert not any(one.name.startswith("out") for one in tmp_path.iterdir())  # before any work


@pytest.mark.parametrize("command", TAKES)
@pytest.mark.parametrize("shape", ["our own, no trace yet", "a benchmark", "chats without an answer"])
def test_a_teachers_step_takes_a_pool_of_questions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: str, command: str
) -> None:
    path = SHAPES[shape](tmp_path)
    code, errors = told(capsys, TAKES[command], path, tmp_path)
    assert code == 0, errors
    assert any("no row has a trace to train on" in error for error in errors)
    if command != "teacher":
        assert len(pq.read_table(tmp_path / "out.parquet")) == 6


@pytest.mark.parametrize("command", ["random", "lint", "format", "report", "collect", "filter"])
def test_rows_without_a_trace_among_others_are_counted_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    path = tmp_path / "pool.jsonl"
    pool.save(iter([*rows(4), row(5, thinking=""), row(6, thinking=" ")]), path)
    code, errors = told(capsys, NEEDS[command], path, tmp_path)
    assert code == 0, errors
    assert f"{path}: 6 rows, 4 with a trace; 2 without one are not trained on" in errors


def test_a_study_names_the_column_of_its_traces_as_the_line_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lines([{"question": question, "way": "Count."} for question in ASKED])(tmp_path)
    command = NEEDS["plan"].replace("--dry-run", "--set pool_columns=TOLD --dry-run")
    code, errors = told(capsys, command.replace("TOLD", '["thinking=way"]'), path, tmp_path)
    assert code == 0, errors
    code, errors = told(capsys, NEEDS["plan"], path, tmp_path)
    assert code == 2 and "--set 'pool_columns=[\"thinking=COLUMN\"]'" in errors[-1]
