"""Reading result folders: files that are not ours, old columns, and generations that failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tests.made_up_study as made_up
from harness.analysis.compare import compare
from harness.analysis.measure import measure_cells
from harness.analysis.settings import load
from harness.errors import UserError
from harness.records import SAMPLE_SCHEMA
from harness.report import leaderboard


def study(folder: Path) -> Path:
    rows = [
        made_up.sample(run_id=recipe, recipe=recipe, problem_id=f"p{i}", correct=i % n == 0)
        for recipe, n in (("s1k", 2), ("full", 3))
        for i in range(12)
    ]
    return made_up.write(folder, rows)


@pytest.mark.parametrize("name", ["samples/part-0.parquet", "runs.parquet"])
def test_a_file_that_was_cut_is_named_and_refused(tmp_path: Path, name: Any) -> None:
    path = study(tmp_path) / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=f"{path.name} cannot be read"):
        leaderboard.write([tmp_path], tmp_path / "out")
    with pytest.raises(UserError, match="cannot be read"):
        compare(f"{tmp_path}:s1k", f"{tmp_path}:full")


def test_somebody_elses_parquet_is_refused_with_the_columns_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    pq.write_table(pa.table({"text": ["a"], "task": ["t"]}), tmp_path / "samples" / "x.parquet")
    with pytest.raises(UserError, match="no column run_id, problem_id: not written by"):
        load([tmp_path])


def test_a_column_of_another_type_is_refused_and_named(tmp_path: Path) -> None:
    path = study(tmp_path) / "samples" / "part-0.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("thinking_tokens")
    pq.write_table(table.set_column(at, "thinking_tokens", pa.array(["many"] * len(table))), path)
    with pytest.raises(UserError, match=r"part-0.parquet cannot be read \(.*many"):
        load([tmp_path])


def test_token_counts_that_are_no_numbers_leave_the_means_and_keep_the_accuracy(tmp_path: Path) -> None:
    path = study(tmp_path) / "samples" / "part-0.parquet"
    table = pq.read_table(path)
    at = table.schema.get_field_index("thinking_tokens")
    counts = pa.array([float("nan") if i % 2 else 40.0 for i in range(len(table))], pa.float64())
    pq.write_table(table.set_column(at, "thinking_tokens", counts), path)
    loaded = load([tmp_path])
    assert any("12 row(s) without a thinking-token count" in note for note in loaded.notes)
    for figures in measure_cells(loaded).figures:
        assert figures["mean_thinking_tokens"].mean == 40 and figures["mean_thinking_tokens"].num_problems == 6
        assert figures["accuracy"].num_problems == 12


def test_a_failed_generation_is_wrong_and_counts_as_an_error_alone(tmp_path: Path) -> None:
    rows = [made_up.sample(problem_id=f"p{i}") for i in range(4)]
    rows[0] |= {
        "error": "engine died",
        "status": "no_answer",
        "correct": False,
        "extracted": None,
        "thinking_tokens": 0,
    }
    figures = measure_cells(load([made_up.write(tmp_path, rows)])).figures[0]
    assert figures["accuracy"].mean == 0.75
    assert (figures["error_count"].mean, figures["unparsed_count"].mean) == (1, 0)
    assert figures["mean_thinking_tokens"].mean == 40  # what it had generated is not known: not 0


def test_old_and_new_files_in_one_folder_are_read_together(tmp_path: Path) -> None:
    study(tmp_path)
    late = ["looping", "tier", "seed", "instructed", "question"]
    rows = [made_up.sample(run_id="old", recipe="random", problem_id=f"p{i}") for i in range(12)]
    old = pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA).drop_columns(late)
    pq.write_table(old.replace_schema_metadata({"s1_harness_schema": "0"}), tmp_path / "samples" / "old.parquet")
    runs = pq.read_table(tmp_path / "runs.parquet").drop_columns(["config", "error", "instructed"])
    pq.write_table(runs, tmp_path / "runs.parquet")
    loaded = load([tmp_path])
    accuracy = {cell.recipe: float(np.mean(cell.accuracy)) for cell in loaded.cells}
    assert accuracy == pytest.approx({"s1k": 1 / 2, "full": 1 / 3, "random": 1.0})
    assert any("old.parquet (schema 0): no column" in note for note in loaded.notes)
    assert any("runs.parquet" in note and "config" in note for note in loaded.notes)
    assert compare(f"{tmp_path}:random", f"{tmp_path}:full")[0].gap.mean == pytest.approx(2 / 3)


def test_a_run_without_samples_and_a_folder_without_any_are_said(tmp_path: Path) -> None:
    rows = [made_up.sample(problem_id=f"p{i}") for i in range(4)]
    runs = [made_up.run(rows), made_up.run(rows, run_id="nothing", recipe="full")]
    assert load([made_up.write(tmp_path / "one", rows, runs)]).notes == (
        "run nothing (full, quick) has no samples: no figure for it",
    )
    leaderboard.write([made_up.write(tmp_path / "none", [], [])], tmp_path / "out")
    assert "no sample was found" in (tmp_path / "out" / "LEADERBOARD.md").read_text()
    assert "no sample was found" in (tmp_path / "out" / "leaderboard.html").read_text()


def test_a_row_without_any_gold_leaves_no_number_that_is_none(tmp_path: Path) -> None:
    lost = {"status": "gold_unparseable", "correct": None}
    rows = [made_up.sample(run_id="a", recipe="full", problem_id=f"p{i}", correct=i > 2) for i in range(6)]
    rows += [made_up.sample(run_id="b", recipe="s1k", problem_id=f"p{i}") | lost for i in range(6)]
    leaderboard.write([made_up.write(tmp_path, rows)], tmp_path / "out")
    text = (tmp_path / "out" / "LEADERBOARD.md").read_text()
    assert "nan" not in text.lower() and "no paired problem" in text and "no scored problem" in text


def test_a_seed_that_lacks_problems_is_a_footnote(tmp_path: Path) -> None:
    rows = [made_up.sample(run_id="a", problem_id=f"p{i}", seed=0, correct=i > 2) for i in range(6)]
    rows += [made_up.sample(run_id="b", problem_id=f"p{i}", seed=1, correct=i > 1) for i in range(4)]
    leaderboard.write([made_up.write(tmp_path, rows)], tmp_path / "out")
    assert "2 seeds, not all with every problem" in (tmp_path / "out" / "LEADERBOARD.md").read_text()


def test_a_sweep_with_an_unscored_setting_still_has_its_best(tmp_path: Path) -> None:
    rows = [
        made_up.sample(
            run_id=f"r{limit}",
            max_thinking_tokens=limit,
            problem_id=f"p{i}",
            thinking_tokens=limit,
            correct=bool(i % 2),
            **({"status": "gold_unparseable"} if limit == 64 else {}),
        )
        for limit in (64, 128, 256)
        for i in range(10)
    ]
    sweep = measure_cells(load([made_up.write(tmp_path, rows)])).sweeps[0]
    assert sweep.figures["performance"].mean == 0.5
    assert sweep.figures["performance"].low < 0.5 < sweep.figures["performance"].high
