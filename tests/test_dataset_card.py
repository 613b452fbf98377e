"""A results folder is a data set: `datasets.load_dataset(OUT)` gives its samples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import tests.made_up_study as made_up
from harness.analysis.settings import load
from harness.dataset_card import NAME, write_card
from harness.records import SAMPLE_SCHEMA, SINCE
from harness.store import Store


def folder(out: Path) -> Path:
    made_up.write(out, [made_up.sample(problem_id=f"p{n}", correct=n < 2) for n in range(4)])
    (out / "lm_eval").mkdir(exist_ok=True)
    (out / "lm_eval" / "samples_t_test.jsonl").write_text('{"doc_id": 0}\n')
    with Store(out):
        pass
    return out


def test_load_dataset_gives_the_samples_and_not_what_lies_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    out = folder(tmp_path / "out")
    found: Any = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    (split,) = found.values()
    assert set(split.column_names) == set(SAMPLE_SCHEMA.names) and split.num_rows == 4
    runs: Any = datasets.load_dataset(str(out), "runs", cache_dir=str(tmp_path / "cache"))
    assert "config" in next(iter(runs.values())).column_names
    named = re.findall(r'load_dataset\(FOLDER, "(\w+)"\)', (out / NAME).read_text())
    assert named == ["runs"]  # there are no metrics here


def test_a_readme_of_somebody_else_is_left(tmp_path: Path) -> None:
    out = folder(tmp_path / "out")
    (out / NAME).write_text("mine")
    write_card(out)
    assert (out / NAME).read_text() == "mine"


def test_files_of_an_older_and_of_a_newer_schema_are_read(tmp_path: Path) -> None:
    out = folder(tmp_path / "out")
    (path,) = (out / "samples").glob("*.parquet")
    table = pq.read_table(path)
    older = table.drop_columns(list(SINCE)).replace_schema_metadata({"s1_harness_schema": "1"})
    pq.write_table(older, path)
    loaded = load([out])
    assert loaded.cells[0].num_problems == 4 and not any("no column" in note for note in loaded.notes)
    assert Store(out).read_samples(["problem_id", "question_hash"])["question_hash"].null_count == 4
    newer = table.append_column("later", [["x"] * 4]).replace_schema_metadata({"s1_harness_schema": "99"})
    pq.write_table(newer, path)
    loaded = load([out])
    assert loaded.cells[0].num_problems == 4 and any("schema 99 is newer" in note for note in loaded.notes)


def test_every_column_is_described_in_the_documentation() -> None:
    page = (Path(__file__).parents[1] / "docs" / "results.md").read_text(encoding="utf-8")
    assert [name for name in SAMPLE_SCHEMA.names if f"`{name}`" not in page] == []
