"""`harness diff A B`: the same runs made twice (two machines, engines, versions), sample by sample.

Runs are matched by what they are (recipe, task, method, budget, seed), not by their ids, which hold the engine and its
version. The first differing token says where two greedy texts part; the changed answers say whether it matters.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from harness.analysis.folders import current_runs, read_runs, sample_files
from harness.analysis.settings import budget_of
from harness.config import Budget
from harness.errors import UserError
from harness.parquet import scan
from harness.records import SAMPLE_SCHEMA, budget_columns, first_difference, generated_ids, short

log = logging.getLogger(__name__)
RUN = ("recipe", "task", "method", "max_thinking_tokens", "num_ignores", "ignore_str", "instructed", "seed")
TEXT = ("thinking_ids", "closing_ids", "answer_ids")

DIFF_SCHEMA = pa.schema(
    [SAMPLE_SCHEMA.field(name) for name in (*RUN, "problem_id", "sample_index")]
    + [
        ("first_difference", pa.int64()),  # token after the prompt; null: the same text
        ("tokens_a", pa.int64()),
        ("tokens_b", pa.int64()),
        ("extracted_a", pa.string()),
        ("extracted_b", pa.string()),
        ("correct_a", pa.bool_()),
        ("correct_b", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class RunDiff:
    """One run in both folders. Counts are of samples that both have; tokens are counted from the prompt's end."""

    run: dict[str, Any]
    budget: Budget
    num_samples: int
    num_same: int  # texts
    num_changed_answers: int
    num_gained: int  # wrong in A, right in B
    num_lost: int
    first_differences: list[int]


def diff(a: Path, b: Path) -> Iterator[tuple[RunDiff, list[dict[str, Any]]]]:
    """Every run that both have, with its samples as rows of DIFF_SCHEMA. Raises `UserError` when there is none."""
    left, right = _runs(a), _runs(b)
    shared = [run for run in left if run in right]
    if not shared:
        raise UserError(
            f"{a} ({len(left)} runs) and {b} ({len(right)} runs) have no run in common: recipe, task, method, budget "
            "and seed have to agree"
        )
    for run in shared:
        name, task, seed, budget = run
        columns = {"recipe": name, "task": task, "seed": seed, **budget_columns(budget)}
        rows = list(_samples(columns, _texts(a, left[run]), _texts(b, right[run])))
        if rows:
            yield _summed(columns, budget, rows), rows


def _rows(folder: Path, columns: list[str], where: pc.Expression | None = None) -> pa.Table:
    files = sample_files(folder)
    if not files:
        raise UserError(f"{folder} has no samples/*.parquet; give a results folder")
    named = pc.field("run_id").is_valid() & pc.field("problem_id").is_valid() & pc.field("sample_index").is_valid()
    return scan(files, SAMPLE_SCHEMA, columns, named if where is None else named & where, folder / "samples")


def _runs(folder: Path) -> dict[tuple[Any, ...], list[str]]:
    """What each run of the folder's study is, its whole setting included -> its run_ids.

    A model is known by its recipe; several without one (`harness evaluate A B`) by their names.
    """
    table = _rows(folder, ["run_id", "model", *RUN])
    path = folder / "runs.parquet"
    notes: list[str] = []
    runs = read_runs(path, notes) if path.is_file() else None
    for note in notes:
        log.warning(note)
    configs = {} if runs is None else {row["run_id"]: json.loads(row["config"]) for row in runs.to_dict("records")}
    current = None if runs is None else current_runs(folder, runs, [])
    found: dict[tuple[Any, ...], list[str]] = {}
    rows = table.group_by(["run_id", "model", *RUN]).aggregate([]).to_pylist()
    bases = {str(row["model"]) for row in rows if row["recipe"] == "base"}
    for row in rows:
        if current is None or row["run_id"] in current:
            budget = budget_of(configs.get(row["run_id"], {}), row)
            several = row["recipe"] == "base" and len(bases) > 1  # of one alone, a copy elsewhere has another path
            name = short(str(row["model"]), bases) if several else row["recipe"]
            key = (name, row["task"], row["seed"], budget)
            found.setdefault(key, []).append(row["run_id"])
    return found


def _texts(folder: Path, run_ids: list[str]) -> dict[tuple[str, int], dict[str, Any]]:
    columns = ["problem_id", "sample_index", "prompt_ids", *TEXT, "extracted", "correct"]
    good = pc.field("run_id").isin(run_ids) & pc.field("error").is_null()
    rows = _rows(folder, columns, good).to_pylist()
    if any(not row.pop("prompt_ids") for row in rows):
        raise UserError(
            f"{folder} holds rows without token ids (an imported log, or chat completions), so that no token can be "
            "compared; `harness compare` pairs their verdicts"
        )
    return {(row["problem_id"], row["sample_index"]): row for row in rows}


def _samples(
    run: dict[str, Any], a: dict[tuple[str, int], dict[str, Any]], b: dict[tuple[str, int], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for where in sorted(set(a) & set(b)):
        x, y = a[where], b[where]
        ids_x, ids_y = generated_ids(x), generated_ids(y)
        yield {
            **run,
            "problem_id": where[0],
            "sample_index": where[1],
            "first_difference": first_difference(ids_x, ids_y),
            "tokens_a": len(ids_x),
            "tokens_b": len(ids_y),
            "extracted_a": x["extracted"],
            "extracted_b": y["extracted"],
            "correct_a": x["correct"],
            "correct_b": y["correct"],
        }


def _summed(run: dict[str, Any], budget: Budget, rows: list[dict[str, Any]]) -> RunDiff:
    places = [row["first_difference"] for row in rows if row["first_difference"] is not None]
    return RunDiff(
        run,
        budget,
        len(rows),
        len(rows) - len(places),
        sum(row["extracted_a"] != row["extracted_b"] for row in rows),
        sum(bool(row["correct_b"]) and not row["correct_a"] for row in rows),
        sum(bool(row["correct_a"]) and not row["correct_b"] for row in rows),
        places,
    )
