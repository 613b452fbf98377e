"""The select stage of a study: its pool, what the base answers to it, and each recipe's rows with their manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.config import Recipe, Study
from harness.data.cache import RowCache, question_key
from harness.files import write_json
from harness.progress import Progress
from harness.runtime import reference_answers as references
from harness.runtime.engine_pool import EnginePool


class PoolWithAnswers:
    """The pool's rows (schema: harness.data.load), and which of them the base answers correctly at once.

    Answers are stored one by one in `folder`, so that whatever ends a study costs those under way.
    """

    def __init__(self, rows: list[dict[str, Any]], folder: Path, num_broken: int, note: str) -> None:
        self.rows, self.num_broken, self.broken_note = rows, num_broken, note
        self.answers = RowCache(folder)
        self.brought = any(row.get("reference_correct") for row in rows)  # the pool comes with its own answers

    def needs_answers(self, recipe: Recipe) -> bool:
        """Whether `recipe` cannot be selected before the base has answered: s1k's difficulty filter."""
        return recipe.selection == "s1k" and bool(self.unanswered())

    def unanswered(self) -> list[dict[str, Any]]:
        """The rows that are left for the base."""
        return [] if self.brought else [row for row in self.rows if question_key(row) not in self.answers]

    def answer(self, engines: EnginePool, base: str, progress: Progress) -> None:
        """Let the base answer directly what is unanswered: s1K's difficulty filter drops what it can do already.

        A question that keeps failing stays ungraded, and is asked again by the next call. Raises `EngineFailedError`
        when the engines bring no answers.
        """
        left = self.unanswered()
        progress.update("select", detail=f"the base answers the pool ({len(left)} questions)")
        if failed := references.answer(left, base, engines, self.answers):
            why = next(iter(failed.values()))
            progress.say(f"{len(failed)} pool questions stay ungraded, the base's answers failed: {why}")

    def answered_rows(self) -> list[dict[str, Any]]:
        """The rows with `reference_answers` and `reference_correct`, as far as there are any."""
        if self.brought:
            return self.rows
        found = [self.answers.get(question_key(row)) for row in self.rows]
        return [
            {**row, "reference_answers": [one["answer"]], "reference_correct": [one["correct"]]} if one else row
            for row, one in zip(self.rows, found, strict=True)
        ]


def load_pool(study: Study, data_dir: Path | None, folder: Path, base_identity: str) -> PoolWithAnswers:
    """The pool of `study`: generated for "quickstart", else read by `harness.data.load.load`."""
    num_broken, note = 0, ""
    if study.pool == "quickstart":
        from harness.quickstart import POOL_SIZE
        from harness.quickstart.problems import pool_rows

        rows: list[dict[str, Any]] = list(pool_rows(study.seed, study.pool_size or POOL_SIZE))
    else:
        from harness.data import load as pools

        loaded = pools.load_with_report(study.pool, data_dir)
        num_broken = len(loaded.broken)
        note = "; ".join(f"{where}: {why}" for where, why in loaded.broken[:3])
        kept = loaded.dataset
        if study.pool_size and study.pool_size < len(kept):
            kept = kept.shuffle(seed=study.seed).select(range(study.pool_size))
        rows = [dict(row) for row in kept]
    return PoolWithAnswers(rows, folder / f"answers-{base_identity}", num_broken, note)


def select_rows(
    pool: PoolWithAnswers, recipe: Recipe, seed: int, folder: Path
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of `recipe` and their manifest; both are written to `folder`."""
    from harness.data.load import save
    from harness.data.schema import row as pool_row
    from harness.data.selection import select

    size = None if recipe.selection == "full" else recipe.size
    candidates = pool.answered_rows() if recipe.selection == "s1k" else pool.rows
    selected = select(candidates, recipe.selection, size, recipe.seed + seed)
    rows = [pool.rows[index] for index in selected.indices]
    save(map(pool_row, rows), folder / "rows.parquet")
    write_json(folder / "manifest.json", selected.manifest)
    return rows, selected.manifest
