"""The select stage of a study: its pools, what they lack, what models answer to them, and each recipe's rows.

What a recipe's selection needs of a pool and the pool does not have (`harness.data.features.Needs`) is filled in by the
code of `harness data featurize`, once: the filled pool and every answer stay in OUT/pool.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import provenance, tasks
from harness.config import Recipe, Study, fingerprint, to_plain
from harness.data import features
from harness.data.cache import RowCache, question_key
from harness.data.candidates import rows_of
from harness.data.schema import SCHEMA, batches, metadata_of
from harness.digests import file_digest
from harness.files import atomic, read_json, write_json
from harness.progress import Progress
from harness.runtime import reference_answers as references
from harness.runtime.engine_pool import EnginePool
from harness.studies.preparation import NAMED_BY

if TYPE_CHECKING:
    import datasets

EnginesOf = Callable[[str], AbstractContextManager[EnginePool]]
MAX_METADATA = 2000  # characters of one value; test cases and images are left in the pool's own file


@dataclass
class PoolWithAnswers:
    """A pool's rows, memory-mapped, and which of them the reference models answer correctly at once.

    Answers are stored one by one in a folder of each model, so that whatever ends a study costs those under way.
    """

    rows: Any  # a Dataset in the pool schema, or a list
    models: dict[str, RowCache]
    needs: features.Needs
    notes: list[str]

    def __post_init__(self) -> None:
        column = "reference_correct"
        found = self.rows[column] if hasattr(self.rows, "column_names") else [row.get(column) for row in self.rows]
        self.brought = any(found)  # the pool comes with its own answers

    def needs_answers(self, recipe: Recipe) -> bool:
        """Whether `recipe` cannot be selected before the models have answered."""
        return features.Needs.of([recipe.selection]).difficulty and any(map(self.unanswered, self.models))

    def unanswered(self, model: str) -> list[dict[str, Any]]:
        """The rows that are left for `model`, as far as it is asked."""
        if self.brought:
            return []
        columns = ("question", "answer", "metadata")
        seen, left = set[str](), []
        for row in rows_of(self.rows, columns):
            key = question_key(row)
            if key not in self.models[model] and key not in seen:  # k traces of a question are one question
                seen.add(key)
                left.append({name: row[name] for name in columns})
        return left

    def answer(self, engines_of: EnginesOf, progress: Progress) -> None:
        """Let each model answer directly what is unanswered: s1K's difficulty filter drops what it can do already.

        A question that keeps failing stays ungraded, and is asked again by the next call. Raises `EngineFailedError`
        when the engines bring no answers.
        """
        for model, kept in self.models.items():
            left = self.unanswered(model)
            if not left:
                continue
            progress.update("select", detail=f"{Path(model).name} answers the pool ({len(left)} questions)")
            with engines_of(model) as engines:
                failed = references.answer(left, model, engines, kept)
            if failed:
                why = next(iter(failed.values()))
                progress.say(f"{len(failed)} pool questions stay ungraded, {model}'s answers failed: {why}")

    def grades(self, row: Mapping[str, Any]) -> list[bool | None] | None:
        """Whether each model solved the row's question; None where nobody was asked."""
        key = question_key(row)
        found = [kept.get(key) for kept in self.models.values()]
        return [one["correct"] if one else None for one in found] if any(found) else None


def load_pool(study: Study, data_dir: Path | None, folder: Path) -> PoolWithAnswers:
    """The pool of `study` (as a recipe sees it) with what its selections need: read, decontaminated, filled in."""
    mine = [recipe for recipe in study.recipes if study.seen_by(recipe.name).pool == study.pool]
    needs = features.Needs.of(recipe.selection for recipe in mine)
    wanted = study.features
    models = {
        model: RowCache(folder / f"answers-{provenance.model_identity(model).replace('/', '--')}")
        for model in (wanted.references or (study.base_model,))
    }
    if study.pool == "quickstart":
        from harness.quickstart import POOL_SIZE
        from harness.quickstart.problems import pool_rows

        made: list[dict[str, Any]] = list(pool_rows(study.seed, study.pool_size or POOL_SIZE))
        return PoolWithAnswers(made, models, needs, [])
    from harness.data import load as pools

    loaded = pools.load_with_report(study.pool, data_dir, dict(study.pool_columns))
    loaded.need_traces(study.pool, "training", NAMED_BY)
    notes = [f"pool {study.pool}: {loaded.summary}", *loaded.notes]
    if loaded.broken:
        shown = "; ".join(f"{where}: {why}" for where, why in loaded.broken[:3])
        notes.append(f"{len(loaded.broken)} broken pool row(s) skipped: {shown}")
    kept = loaded.dataset
    if study.pool_size and study.pool_size < len(kept):
        kept = kept.shuffle(seed=study.seed).select(range(study.pool_size))
    rows, more = _prepared(study, kept, loaded.key, needs, folder, data_dir)
    return PoolWithAnswers(rows, models, needs, [*notes, *more])


def _prepared(
    study: Study, pool: datasets.Dataset, key: str, needs: features.Needs, folder: Path, data_dir: Path | None
) -> tuple[datasets.Dataset, list[str]]:
    """The pool with its features, from OUT/pool/prepared-KEY.arrow where an earlier call has left it."""
    import datasets
    import pyarrow as pa

    wanted = study.features
    tokenizer = study.base_model if wanted.tokenizer == "base" else wanted.tokenizer
    identity = provenance.model_identity(tokenizer) if tokenizer and needs.length else None
    files = [file_digest(Path(name)) for name in tasks.names(wanted.decontaminate, data_dir) if Path(name).is_file()]
    settings = [key, study.pool_size, study.seed, asdict(needs), identity, to_plain(wanted), *files]
    path = folder / f"prepared-{fingerprint(settings)}.arrow"
    report = path.with_suffix(".json")
    if not report.is_file():
        rows, notes = rows_of(pool), list[str]()
        if wanted.decontaminate:
            from harness.data.decontaminate import decontaminate

            read = tasks.read_all(tasks.names(wanted.decontaminate, data_dir), data_dir)
            problems = [problem for one in read.values() for problem in one.problems]
            drop, _ = decontaminate(pool, problems, wanted.min_share)
            rows = (row for row in rows_of(pool) if row["id"] not in drop)
            notes.append(f"decontaminated: {len(drop):,} of {len(pool):,} rows share words with {', '.join(read)}")
        counts = features.Filled()
        filled = features.fill(map(_slim, rows), needs, wanted.domains, tokenizer, counts)
        with atomic(path) as file, pa.ipc.new_stream(file, SCHEMA) as writer:
            for batch in batches(filled):
                writer.write_batch(batch)
        notes += [f"{name} filled in for {count:,} rows" for name, count in asdict(counts).items() if count]
        write_json(report, {"notes": notes})  # the last thing: it marks the file as complete
    return datasets.Dataset.from_file(str(path)), list(read_json(report, "remove it")["notes"])


def _slim(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without what is large in its metadata: gigabytes of test cases in s1's own pool."""
    metadata = row["metadata"] or "{}"
    if len(metadata) <= MAX_METADATA:
        return dict(row)
    kept = {name: value for name, value in metadata_of(row).items() if name == "text" or _is_short(value)}
    return {**row, "metadata": json.dumps(kept, ensure_ascii=False, sort_keys=True)}


def _is_short(value: Any) -> bool:
    if isinstance(value, str) and len(value) > MAX_METADATA:
        return False  # told without writing it
    return len(json.dumps(value)) <= MAX_METADATA


def select_rows(
    pool: PoolWithAnswers, recipe: Recipe, seed: int, folder: Path
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of `recipe` and their manifest; both are written to `folder`.

    Raises:
        UserError: the selection cannot be drawn: the pool is too small, or lacks what it needs.
    """
    from harness.data.load import save
    from harness.data.schema import row as pool_row
    from harness.data.selection import select

    size = None if recipe.selection == "full" else recipe.size
    selected = select(
        pool.rows,
        recipe.selection,
        size,
        recipe.seed + seed,
        traces=recipe.traces,
        options=dict(recipe.options),
        references=pool.grades if pool.needs.difficulty else None,
    )
    rows = [dict(pool.rows[index]) for index in selected.indices]
    save(map(pool_row, rows), folder / "rows.parquet")
    write_json(folder / "manifest.json", selected.manifest)
    return rows, selected.manifest


def linted(rows: list[dict[str, Any]], recipe: str, how: str) -> str:
    """What is wrong with a recipe's rows, in one line; "" where nothing is, or is not looked for (how="off").

    Raises:
        UserError: something would harm the training, and how="strict".
    """
    if how == "off":
        return ""
    from harness.data import lint

    found = lint.lint(rows, graded=False, near=False)
    if how == "strict":
        lint.check(found, f"recipe {recipe}")
    return found.line()
