"""Reading result folders a part at a time: the figures are those of one reading, and of pandas over all rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tests.made_up_study as made_up
from harness.analysis import folders, rows
from harness.analysis.settings import load
from harness.records import SAMPLE_SCHEMA
from harness.report import leaderboard


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose runs lie mixed over three files of several row groups, with failed and repeated rows."""
    out = made_up.study(tmp_path_factory.mktemp("mixed"), 9, ("base", "s1k"), num_samples=3)
    (path,) = (out / "samples").glob("*.parquet")
    table = pq.read_table(path)
    path.unlink()
    order = np.random.default_rng(0).permutation(len(table))
    lines = table.take(pa.array(order)).to_pylist()
    again = [dict(row) for row in lines[:40]]
    for row in again[:20]:
        row |= {"error": "engine died", "correct": False, "status": "no_answer", "extracted": None}
    lines += again
    for part in range(3):
        some = pa.Table.from_pylist(lines[part::3], schema=SAMPLE_SCHEMA)
        pq.write_table(some, out / "samples" / f"part-{part}.parquet", row_group_size=23)
    return out


def written(study: Path, out: Path) -> dict[str, bytes]:
    leaderboard.write([study], out)
    return {name: (out / name).read_bytes() for name in ("LEADERBOARD.md", "leaderboard.csv", "leaderboard.html")}


def test_any_number_of_parts_gives_the_same_leaderboard_to_the_byte(
    shuffled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = written(shuffled, tmp_path / "whole")
    sizes: list[int] = []
    real = rows.Survey.read

    def read(self: rows.Survey, runs: set[int]) -> rows.Rows:
        found = real(self, runs)
        sizes.append(len(found.correct))
        return found

    monkeypatch.setattr(rows.Survey, "read", read)
    monkeypatch.setattr(rows, "ROWS_AT_ONCE", 60)
    monkeypatch.setattr(rows, "MOST_COMBINATIONS", 30)
    monkeypatch.setattr(folders, "BUNCH_ROWS", 50)
    assert written(shuffled, tmp_path / "parts") == whole
    assert len(sizes) > 6 and max(sizes) <= 60 and sum(sizes) == 24 * 9 * 3


def test_cells_hold_what_pandas_says_of_all_rows(shuffled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ROWS_AT_ONCE", 60)
    loaded = load([shuffled])
    assert "20 repeated row(s) of the same generation left out" in loaded.notes
    frame = pd.read_parquet(shuffled / "samples")
    frame = frame[frame["error"].isna()].drop_duplicates(["run_id", "problem_id", "sample_index"])
    assert len(loaded.cells) == frame["run_id"].nunique()
    for cell in loaded.cells:
        mine = frame[frame["run_id"] == cell.run_ids[0]].groupby("problem_id")
        problems = loaded.problems[cell.task]
        assert problems == sorted(frame[frame["task"] == cell.task]["problem_id"].unique())
        np.testing.assert_allclose(cell.accuracy, mine["correct"].mean().astype(float)[problems])
        np.testing.assert_allclose(cell.means["thinking_tokens"], mine["thinking_tokens"].mean()[problems])
        assert (cell.right == mine["correct"].sum().astype(int)[problems]).all()
        wrong = frame[(frame["run_id"] == cell.run_ids[0]) & ~frame["correct"].astype(bool)].groupby("problem_id")
        for place, problem in enumerate(problems):  # as many answers of a kind as there are texts
            of_wrong = wrong.get_group(problem)["extracted"] if problem in wrong.groups else pd.Series(dtype=str)
            votes = cell.votes[place]
            assert sorted(np.unique(votes[votes > 0], return_counts=True)[1]) == sorted(of_wrong.value_counts())
            assert (votes == -1).sum() == of_wrong.isna().sum()
