"""`harness compare A B`: the paired comparison of two runs, with where their texts part.

A and B are result folders, or FOLDER:RUN where RUN is a run's id, its first letters, or a recipe. Problems are paired
by id; by their question where the two logs number them differently.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.analysis.bootstrap import (
    Interval,
    Resampler,
    difference,
    hierarchical_ci,
    minimum_detectable_difference,
    paired_p_value,
)
from harness.analysis.folders import sample_files
from harness.analysis.measure import find_headlines
from harness.analysis.settings import Cell, Cells, load
from harness.errors import UserError
from harness.parquet import told, typed
from harness.records import SAMPLE_SCHEMA, first_difference, generated_ids


@dataclass(frozen=True)
class Comparison:
    """Two runs on one task, paired over problems. Accuracies and the difference are fractions."""

    task: str
    name_a: str
    name_b: str
    accuracy_a: Interval
    accuracy_b: Interval
    gap: Interval  # a - b
    p_value: float
    test: str
    num_paired: int
    num_a: int
    num_b: int
    only_a: list[str]  # problems that a alone got right
    only_b: list[str]
    tokens_a: float
    tokens_b: float
    detectable: float
    first_difference: dict[str, int] = field(default_factory=dict)  # problem -> first differing token
    num_same_text: int = 0
    note: str = ""


def compare(a: str, b: str) -> list[Comparison]:
    """The comparisons of the tasks that both have. Raises UserError when they share none."""
    left, right = _chosen(a), _chosen(b)
    shared = sorted(set(left.cells) & set(right.cells))
    if not shared:
        raise UserError(
            f"{a} has {', '.join(sorted(left.cells))}, {b} has {', '.join(sorted(right.cells))}: no task in common"
        )
    return [_compared(left, right, task) for task in shared]


@dataclass(frozen=True)
class Side:
    """One of the two result folders that are compared."""

    folder: Path
    loaded: Cells
    cells: dict[str, Cell]  # task -> cell


def _chosen(spec: str) -> Side:
    """The cells of a folder's headline run, or of the run or recipe named behind the last colon."""
    folder, _, wanted = (spec, "", "") if Path(spec).is_dir() else spec.rpartition(":")
    if not folder or not Path(folder).is_dir():
        raise UserError(f"{spec}: no such result folder; give FOLDER or FOLDER:RUN")
    loaded = load([Path(folder)])
    cells = loaded.cells
    if not wanted:
        recipes = {(c.model, c.recipe) for c in cells}
        if len(recipes) > 1:
            names = ", ".join(
                sorted({c.recipe for c in cells} if len({c.recipe for c in cells}) > 1 else {c.model for c in cells})
            )
            raise UserError(f"{folder} holds several runs; name one as {folder}:RUN or {folder}:RECIPE, of {names}")
        members = list(range(len(cells)))
    else:
        members = [i for i, c in enumerate(cells) if any(run.startswith(wanted) for run in c.run_ids)]
        members = members or [
            i for i, c in enumerate(cells) if wanted in (c.recipe, c.model, c.model.rsplit("/", 1)[-1])
        ]
        if not members:
            known = sorted({run for c in cells for run in c.run_ids} | {c.recipe for c in cells})
            raise UserError(f"{folder} has no run or recipe '{wanted}'; it has {', '.join(known[:12])}")
    headlines = find_headlines([cells[i] for i in members])
    return Side(Path(folder), loaded, {key[1]: cells[members[i]] for key, i in headlines.items()})


def _compared(left: Side, right: Side, task: str) -> Comparison:
    x, y = left.cells[task], right.cells[task]
    ids_a, ids_b = left.loaded.problems[task], right.loaded.problems[task]
    note = ""
    if len(set(ids_a) & set(ids_b)) * 2 < min(len(ids_a), len(ids_b)):
        ids_a, ids_b = _by_question(left.folder, x, ids_a), _by_question(right.folder, y, ids_b)
        note = "paired by question: the two number their problems differently"
    shared = sorted(set(ids_a) & set(ids_b))
    if not shared:
        raise UserError(f"{task}: the two runs have no problem in common, by id or by question")
    rows_a, rows_b = [ids_a.index(p) for p in shared], [ids_b.index(p) for p in shared]
    scores_a, scores_b = x.correct[rows_a], y.correct[rows_b]
    mean_a, mean_b = x.accuracy[rows_a], y.accuracy[rows_b]
    resampler = Resampler(len(shared))
    p, test = paired_p_value(mean_a, mean_b)
    gap = mean_a - mean_b
    paired = ~np.isnan(gap)
    spread = float(np.nanstd(gap)) if paired.sum() > 1 else 0.0
    first: dict[str, int] = {}
    same = 0
    if not note:
        first, same = first_differences(_ids(left.folder, x), _ids(right.folder, y))
    return Comparison(
        task,
        _name(x),
        _name(y),
        hierarchical_ci(scores_a, resampler),
        hierarchical_ci(scores_b, resampler),
        difference(scores_a, scores_b, resampler),
        p,
        test,
        int(paired.sum()),
        x.num_problems,
        y.num_problems,
        [shared[i] for i in np.flatnonzero(gap > 0)],
        [shared[i] for i in np.flatnonzero(gap < 0)],
        x.mean("thinking_tokens"),
        y.mean("thinking_tokens"),
        minimum_detectable_difference(int(paired.sum()), spread)
        if spread
        else minimum_detectable_difference(int(paired.sum())),
        first,
        same,
        note,
    )


def _name(cell: Cell) -> str:
    from harness.analysis.settings import setting_name, short

    name = short(cell.model) if cell.recipe in ("published", "base") else cell.recipe
    return f"{name}, {setting_name(cell)}"


def _by_question(folder: Path, cell: Cell, ids: list[str]) -> list[str]:
    """Each problem's question with its spacing removed, in the order of `ids`."""
    found = {row["problem_id"]: re.sub(r"\s+", "", row["question"] or "") for row in _rows(folder, cell, ["question"])}
    return [found.get(problem, f"?{problem}") or f"?{problem}" for problem in ids]


def _ids(folder: Path, cell: Cell) -> dict[str, list[int]]:
    """Token ids of the first sample of each problem, from the prompt's end."""
    found: dict[str, list[int]] = {}
    for row in _rows(folder, cell, ["sample_index", "thinking_ids", "closing_ids", "answer_ids"]):
        if not row["sample_index"] and row["thinking_ids"] is not None:
            found.setdefault(row["problem_id"], generated_ids(row))
    return found


def _rows(folder: Path, cell: Cell, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The cell's rows; a column that an older file lacks is None."""
    rows: list[dict[str, Any]] = []
    for path in sample_files(folder):
        names = ("run_id", "problem_id", *columns)
        with told(path):
            file = pq.ParquetFile(path)
            present = [name for name in names if name in file.schema_arrow.names]
            for batch in file.iter_batches(batch_size=2_000, columns=present):
                whole = typed(pa.Table.from_batches([batch]), SAMPLE_SCHEMA, names).to_pylist()
                rows += [row for row in whole if row["run_id"] in cell.run_ids]
    return rows


def first_differences(a: dict[str, list[int]], b: dict[str, list[int]]) -> tuple[dict[str, int], int]:
    """(problem -> index of the first differing token, number of identical texts) over problems that both have."""
    found = {problem: first_difference(a[problem], b[problem]) for problem in sorted(set(a) & set(b))}
    first = {problem: place for problem, place in found.items() if place is not None}
    return first, len(found) - len(first)
