"""The select stage of a study: its pool, what the base answers to it, and each recipe's rows with their manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.config import Recipe, Study, fingerprint
from harness.grading import grade
from harness.records import Generation, Problem
from harness.store import write_table


class PoolWithAnswers:
    """The pool's rows (schema: harness.data.pool), and which of them the base answers correctly at once."""

    def __init__(self, rows: list[dict[str, Any]], folder: Path, identity: str, num_broken: int, note: str) -> None:
        self.rows, self.folder, self.identity = rows, folder, identity
        self.num_broken, self.broken_note = num_broken, note
        self.answers_file = folder / f"answers-{identity}.parquet"
        if self.answers_file.is_file():
            self._attach(pq.read_table(self.answers_file).to_pylist())

    def needs_answers(self, recipe: Recipe) -> bool:
        """Whether `recipe` cannot be selected before the base has answered: s1k's difficulty filter."""
        return recipe.selection == "s1k" and not any(row.get("reference_correct") for row in self.rows)

    def problems(self) -> list[Problem]:
        """The pool's questions as problems of a task called `pool`."""
        return [
            Problem(row["id"], "pool", row["question"], row["answer"], metadata_of(row).get("kind", "math"))
            for row in self.rows
        ]

    def put_answers(self, answers: Mapping[str, Generation]) -> None:
        """Grade the base's answers, keep them in the pool's folder and attach them to the rows."""
        graded = []
        for problem in self.problems():
            generation = answers[f"pool/{problem.id}"]
            verdict = grade(generation.response, problem.gold, problem.kind)
            graded.append({"id": problem.id, "answer": generation.answer, "correct": bool(verdict.correct)})
        write_table(pa.Table.from_pylist(graded), self.answers_file)
        self._attach(graded)

    def _attach(self, graded: list[dict[str, Any]]) -> None:
        by_id = {row["id"]: row for row in graded}
        for row in self.rows:
            row["reference_answers"] = [by_id[row["id"]]["answer"]]
            row["reference_correct"] = [by_id[row["id"]]["correct"]]


def metadata_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A pool row's metadata, which Arrow files hold as JSON text."""
    found = row.get("metadata") or {}
    return dict(json.loads(found)) if isinstance(found, str) else dict(found)


def load_pool(study: Study, data_dir: Path | None, folder: Path, base_identity: str) -> PoolWithAnswers:
    """The pool of `study`: generated for "quickstart", else read by `harness.data.pool.load`."""
    num_broken, note = 0, ""
    if study.pool == "quickstart":
        from harness.quickstart import POOL_SIZE
        from harness.quickstart.problems import pool_rows

        rows: list[dict[str, Any]] = list(pool_rows(study.seed, study.pool_size or POOL_SIZE))
    else:
        from harness.data import pool as pools

        loaded = pools.load_with_report(study.pool, data_dir)
        num_broken = len(loaded.broken)
        note = "; ".join(f"{where}: {why}" for where, why in loaded.broken[:3])
        kept = loaded.dataset
        if study.pool_size and study.pool_size < len(kept):
            kept = kept.shuffle(seed=study.seed).select(range(study.pool_size))
        rows = [dict(row) for row in kept]
    return PoolWithAnswers(rows, folder, fingerprint([base_identity, [row["id"] for row in rows]]), num_broken, note)


def select_rows(
    pool: PoolWithAnswers, recipe: Recipe, seed: int, folder: Path
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of `recipe` and their manifest; both are written to `folder`."""
    from harness.data.selection import select

    size = None if recipe.selection == "full" else recipe.size
    selected = select(pool.rows, recipe.selection, size, recipe.seed + seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(selected.manifest, indent=1))
    rows = [pool.rows[index] for index in selected.indices]
    return rows, selected.manifest
