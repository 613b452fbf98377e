"""The select stage of a study: its pool, what the base answers to it, and each recipe's rows with their manifest."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.config import Recipe, Study
from harness.data.kept import Kept, content_key
from harness.data.references import DIRECT, as_problem, graded
from harness.engine_pool import IDLE_PASSES, EngineFailedError, EnginePool
from harness.progress import Progress
from harness.records import Generation, Problem
from harness.workers import Work

TRIES = 2  # of one question, before it stays ungraded


class PoolWithAnswers:
    """The pool's rows (schema: harness.data.pool), and which of them the base answers correctly at once. Answers are
    kept one by one in `folder`, so that whatever ends a study costs those under way."""

    def __init__(self, rows: list[dict[str, Any]], folder: Path, num_broken: int, note: str) -> None:
        self.rows, self.num_broken, self.broken_note = rows, num_broken, note
        self.answers = Kept(folder)
        self.brought = any(row.get("reference_correct") for row in rows)  # the pool comes with its own answers
        self.by_name = {f"pool/{row['id']}": row for row in rows}

    def needs_answers(self, recipe: Recipe) -> bool:
        """Whether `recipe` cannot be selected before the base has answered: s1k's difficulty filter."""
        return recipe.selection == "s1k" and bool(self.unanswered())

    def unanswered(self) -> list[Problem]:
        """The questions that are left for the base, as problems of a task called `pool`."""
        if self.brought:
            return []
        return [as_problem(row, row["id"]) for row in self.rows if _answer_key(row) not in self.answers]

    def answer(self, engines: EnginePool, base: str, progress: Progress) -> None:
        """Let the base answer directly what is unanswered: s1K's difficulty filter drops what it can do already.

        A question that fails `TRIES` times (a prompt that is too long) stays ungraded, and is asked again by the next
        call. Raises `EngineFailedError` when `IDLE_PASSES` passes brought no answer.
        """
        import ray

        idle, why = 0, "the engine ended without them"
        tries: Counter[str] = Counter()
        while work := [Work(p, 0, (DIRECT,)) for p in self.unanswered() if tries[f"pool/{p.id}"] < TRIES]:
            if idle == IDLE_PASSES:
                raise EngineFailedError(f"{len(work)} pool questions without an answer of the base: {why}")
            progress.update("select", detail=f"the base answers the pool ({len(work)} questions)")
            before = len(self.answers)
            for reference in engines.generate(base, work, replay=True):
                with contextlib.suppress(ray.exceptions.RayError):  # lost with its node: asked again
                    for generation in ray.get(reference) if reference is not None else ():
                        if generation.error is None:
                            self.put_answer(generation)
                        else:
                            tries[generation.problem_id] += 1
                            why = generation.error
            why = engines.failures[-1] if engines.failures else why
            idle = 0 if len(self.answers) > before else idle + 1
        if left := self.unanswered():
            progress.say(f"{len(left)} pool questions stay ungraded, the base's answers failed: {why}")

    def put_answer(self, generation: Generation) -> None:
        """Grade and keep one of the base's answers, `problem_id` being `pool/` and the row's id."""
        row = self.by_name[generation.problem_id]
        self.answers.put(_answer_key(row), graded(row, generation))

    def answered_rows(self) -> list[dict[str, Any]]:
        """The rows with `reference_answers` and `reference_correct`, as far as there are any."""
        if self.brought:
            return self.rows
        found = [self.answers.get(_answer_key(row)) for row in self.rows]
        return [
            {**row, "reference_answers": [one["answer"]], "reference_correct": [one["correct"]]} if one else row
            for row, one in zip(self.rows, found, strict=True)
        ]


def _answer_key(row: Mapping[str, Any]) -> str:
    return content_key("direct answer", row["question"], row["answer"], as_problem(row, row["id"]).kind)


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
    return PoolWithAnswers(rows, folder / f"answers-{base_identity}", num_broken, note)


def select_rows(
    pool: PoolWithAnswers, recipe: Recipe, seed: int, folder: Path
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of `recipe` and their manifest; both are written to `folder`."""
    from harness.data.selection import select

    size = None if recipe.selection == "full" else recipe.size
    candidates = pool.answered_rows() if recipe.selection == "s1k" else pool.rows
    selected = select(candidates, recipe.selection, size, recipe.seed + seed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(selected.manifest, indent=1))
    rows = [pool.rows[index] for index in selected.indices]
    return rows, selected.manifest
