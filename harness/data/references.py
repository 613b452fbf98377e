"""Ask a local model: reference answers with their grades (s1's difficulty), and thinking traces.

The paper's reference models are Qwen2.5-7B-Instruct and 32B (section 2.2). Batch inference is the harness's own engine
(vLLM), in one Ray actor per part of the pool; answers are kept row by row, so that a second call asks only for what is
missing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.config import Budget, EngineConfig, Sampling
from harness.data.featurize import Tick, question_key
from harness.data.kept import Kept, content_key
from harness.data.rows import Row, metadata_of
from harness.data.spread import parts, start_ray
from harness.grading import grade
from harness.records import Generation, Problem

DIRECT = Budget(method="no_thinking")
THINKING = Budget()  # as long as the model likes and its context allows


def answer(
    rows: Sequence[Mapping[str, Any]], model: str, folder: Path, engine: EngineConfig, sampling: Sampling,
    num_workers: int = 1, tick: Tick | None = None,
) -> Kept:  # fmt: skip
    """`model`'s direct, graded answers to all `rows` (question, answer, metadata), in `folder`; only what is missing
    there is generated. An answer that the engine failed on is asked for again the next time."""
    kept = Kept(folder)
    missing = {question_key(row): row for row in rows if question_key(row) not in kept}
    for key, generation in _generate(missing, model, folder, engine, sampling, DIRECT, "s1", num_workers, tick):
        if generation.error is None:
            kept.put(key, graded(missing[key], generation))
    return kept


def as_problem(row: Mapping[str, Any], name: str) -> Problem:
    """A pool row's question as problem `name` of a task called `pool`."""
    return Problem(name, "pool", row["question"], row["answer"], metadata_of(row).get("kind", "math"))


def graded(row: Mapping[str, Any], generation: Generation) -> dict[str, Any]:
    """What is kept of a model's answer to `row`; `correct` is None where the gold cannot be read."""
    problem = as_problem(row, generation.problem_id)
    verdict = grade(generation.response, problem.gold, problem.kind)
    return {
        "answer": generation.answer,
        "correct": verdict.correct,
        "status": verdict.status,
        "reason": verdict.reason,
    }


def trace_key(question: str, model: str, sampling: Sampling, thinking: str) -> str:
    """The key of a local model's trace."""
    return content_key("local trace", model, sampling.temperature, sampling.max_answer_tokens, thinking, question)


def think(
    rows: Sequence[Mapping[str, Any]], model: str, folder: Path, engine: EngineConfig, sampling: Sampling,
    thinking: str, num_workers: int = 1, tick: Tick | None = None,
) -> Kept:  # fmt: skip
    """`model`'s traces and attempts for all `rows`, in `folder`; only what is missing there is generated. A thought
    that the context cut off says so in `finish` ("budget")."""
    kept = Kept(folder)
    keys = {trace_key(row["question"], model, sampling, thinking): row for row in rows}
    missing = {key: row for key, row in keys.items() if key not in kept}
    for key, generation in _generate(missing, model, folder, engine, sampling, THINKING, thinking, num_workers, tick):
        if generation.error is None:
            attempt = generation.answer.strip()
            reply = {
                "thinking": generation.thinking.strip(),
                "attempt": attempt,
                "finish": generation.thinking_finish,
            }
            kept.put(key, reply)
    return kept


def _generate(
    missing: Mapping[str, Mapping[str, Any]], model: str, folder: Path, engine: EngineConfig, sampling: Sampling,
    budget: Budget, thinking: str, num_workers: int, tick: Tick | None,
) -> Iterator[tuple[str, Generation]]:  # fmt: skip
    """(key, generation) of every missing row, as they are done."""
    if not missing:
        return
    import ray

    from harness.workers import EngineWorker, Work

    start_ray()
    worker = ray.remote(num_cpus=engine.num_cpus, num_gpus=engine.num_gpus)(EngineWorker)
    actors, up, streams, done = [], [], [], 0
    for number, some in enumerate(parts(list(missing.items()), num_workers)):
        actor: Any = worker.remote(engine, model, str((folder / f"engine-{number}.log").resolve()))
        work = [Work(as_problem(row, key), 0, (budget,)) for key, row in some]
        actors.append(actor)
        up.append(actor.open.remote())
        streams.append(
            actor.evaluate.options(num_returns="streaming").remote(model, work, None, sampling, thinking, True)
        )
    try:
        ray.get(up)
        for stream in streams:
            for reference in stream:
                for generation in ray.get(reference):
                    yield generation.problem_id.removeprefix("pool/"), generation
                    done += 1
                    if tick is not None:
                        tick(done, len(generation.thinking_ids) + len(generation.answer_ids))
    finally:
        for actor in actors:
            with contextlib.suppress(ray.exceptions.RayError):  # an engine that died has no processes left to stop
                ray.get(actor.close.remote(), timeout=60)
            ray.kill(actor)


def with_references(rows: Iterable[Mapping[str, Any]], answers: Sequence[Kept]) -> Iterator[Row]:
    """`rows` with `reference_answers` and `reference_correct`, one entry a model in the order given; null where a
    model has no answer or the gold cannot be read."""
    for row in rows:
        found = [kept.get(question_key(row)) for kept in answers]
        yield {
            **row,
            "reference_answers": [one["answer"] if one else None for one in found],
            "reference_correct": [one["correct"] if one else None for one in found],
        }


def config(name: str, model_len: int, num_gpus: int) -> EngineConfig:
    """An engine for direct answers."""
    return replace(EngineConfig(), name=name, max_model_len=model_len, num_gpus=num_gpus)
