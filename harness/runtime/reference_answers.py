"""Ask a local model: reference answers with their grades (s1's difficulty), and thinking traces.

The paper's reference models are Qwen2.5-7B-Instruct and 32B (section 2.2). Batch inference is a study's own pool of
engines (vLLM); answers are kept row by row, so that a second call asks only for what is missing.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import provenance
from harness.config import Budget, Chat, EngineConfig, Sampling
from harness.data.cache import RowCache, content_key, question_key
from harness.data.features import Tick
from harness.data.schema import Row, kind_of
from harness.errors import UserError
from harness.generation.chat_files import chat_files
from harness.grading import grade
from harness.progress import Progress
from harness.records import Generation, Problem
from harness.runtime.cluster import Demand, check_fits
from harness.runtime.engine_pool import IDLE_PASSES, EngineFailedError, EnginePool
from harness.runtime.workers import Work
from harness.studies.formats import read_for, refuse_closed

DIRECT = Budget(method="no_thinking")
THINKING = Budget()  # as long as the model likes and its context allows
TRIES = 2  # of one question, before it is left


@contextlib.contextmanager
def engines_of(
    model: str, config: EngineConfig, sampling: Sampling, thinking: str, folder: Path, progress: Progress
) -> Iterator[EnginePool]:
    """Engines of `model` that start when they are first asked; their logs are in folder/logs.

    Raises:
        UserError: `thinking` does not fit the model.
    """
    import ray

    thinking = _spelled_out(thinking, config.tokenizer or model, progress)
    demand = Demand(config)
    if ray.is_initialized():  # by an earlier step, which needed no engine
        check_fits(demand)
    pool = EnginePool(model, demand, sampling, thinking, folder, progress)
    try:
        yield pool
    finally:
        pool.stop()


def _spelled_out(thinking: str, model: str, progress: Progress) -> str:
    """`thinking` as the strings that fit `model`. Raises `UserError` where none fit."""
    try:
        tokenizer = chat_files(model)
    except UserError:
        if Path(model).is_dir():
            raise
        return thinking  # a name that cannot be reached: the engine says so, if there is anything left to ask it
    reading = read_for(thinking, tokenizer, Chat())
    for note in reading.notes:
        progress.say(f"{model}: {note}")
    refuse_closed(tokenizer, reading, Chat())
    return reading.thinking.spec


def answer(
    rows: Iterable[Mapping[str, Any]], model: str, engines: EnginePool, kept: RowCache, tick: Tick | None = None
) -> dict[str, str]:
    """Put `model`'s direct, graded answers to `rows` (question, answer, metadata) into `kept`, by `question_key`.

    Only what is missing there is generated.

    Returns:
        Why, by key, some are still missing: the next call asks again.
    """

    def graded(row: Mapping[str, Any], generation: Generation) -> dict[str, Any]:
        verdict = grade(generation.answer_part, row["answer"], kind_of(row), question=row["question"])
        return {
            "answer": generation.answer,
            "correct": verdict.correct,  # None where the gold cannot be read
            "status": verdict.status,
            "reason": verdict.reason,
        }

    return _ask({question_key(row): row for row in rows}, model, engines, DIRECT, kept, graded, tick)


def trace_key(question: str, model: str, sampling: Sampling, thinking: str) -> str:
    """The key of a local model's trace: a folder's is its weights', not its path's."""
    return content_key(
        "local trace",
        provenance.model_identity(model),
        sampling.temperature,
        sampling.max_answer_tokens,
        thinking,
        question,
    )


def think(
    rows: Iterable[Mapping[str, Any]], model: str, engines: EnginePool, kept: RowCache, tick: Tick | None = None
) -> dict[str, str]:
    """Put `model`'s traces and attempts for `rows` into `kept`, by `trace_key`; else as `answer`.

    A thought that the context cut off says so in `finish` ("budget").
    """

    def traced(row: Mapping[str, Any], generation: Generation) -> dict[str, Any]:
        return {
            "thinking": generation.thinking.strip(),
            "attempt": generation.answer.strip(),
            "finish": generation.thinking_finish,
            "status": "cut" if generation.thinking_finish == "budget" else "whole",
        }

    keyed = {trace_key(row["question"], model, engines.sampling, engines.thinking): row for row in rows}
    return _ask(keyed, model, engines, THINKING, kept, traced, tick)


def _ask(
    rows: Mapping[str, Mapping[str, Any]],
    model: str,
    engines: EnginePool,
    budget: Budget,
    kept: RowCache,
    record: Callable[[Mapping[str, Any], Generation], dict[str, Any]],
    tick: Tick | None,
) -> dict[str, str]:
    """Put `record(row, generation)` into `kept` for every row whose key is missing there, as they are done.

    Returns:
        By key, the error of the generations that failed `TRIES` times (a prompt that is too long).

    Raises:
        EngineFailedError: `IDLE_PASSES` passes brought nothing.
    """
    import ray

    left = {key: row for key, row in rows.items() if key not in kept}
    num_missing, failed = len(left), dict[str, str]()
    tries, idle, why = Counter[str](), 0, "the engine ended without them"
    while left:
        if idle == IDLE_PASSES:
            raise EngineFailedError(f"{len(left)} pool questions without an answer: {why}")
        before = len(left), tries.total()
        work = [
            Work(Problem(key, "pool", row["question"], row["answer"], kind_of(row)), 0, (budget,))
            for key, row in left.items()
        ]
        for reference in engines.generate(model, work, replay=True):
            with contextlib.suppress(ray.exceptions.RayError):  # lost with its node: asked again
                for generation in ray.get(reference) if reference is not None else ():
                    key = generation.problem_id.removeprefix("pool/")
                    if key not in left:
                        continue
                    if generation.error is None:
                        kept.put(key, record(left.pop(key), generation))
                    else:
                        tries[key] += 1
                        why = generation.error
                        if tries[key] < TRIES:
                            continue
                        del left[key]
                        failed[key] = why
                    if tick is not None:
                        tick(num_missing - len(left), len(generation.thinking_ids) + len(generation.answer_ids))
        why = engines.failures[-1] if engines.failures else why
        idle = idle + 1 if before == (len(left), tries.total()) else 0
    return failed


def with_references(rows: Iterable[Mapping[str, Any]], answers: Sequence[RowCache]) -> Iterator[Row]:
    """`rows` with `reference_answers` and `reference_correct`, one entry per model in the order given.

    An entry is null where a model has no answer or the gold answer cannot be parsed.
    """
    for row in rows:
        found = [kept.get(question_key(row)) for kept in answers]
        yield {
            **row,
            "reference_answers": [one["answer"] if one else None for one in found],
            "reference_correct": [one["correct"] if one else None for one in found],
        }
