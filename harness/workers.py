"""What runs inside Ray, each in its own process: the engine that generates, and the calls that grade and train."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from harness.config import Budget, EngineConfig, Sampling, Training
from harness.grading import grade
from harness.logs import output_to
from harness.records import SAMPLE_SCHEMA, Generation, Problem, Score, sample_row
from harness.training.sft import Trained, train

BATCH_SECONDS = 0.5  # finished generations travel on at least this often
BATCH_ROWS = 256
GIVE_WAY = 4  # an engine that reserved no processor leaves them to those who did; Ray's workers have a niceness of 15


@dataclass(frozen=True)
class Work:
    """One sample of one problem under some budgets: what an engine draws. Budgets that can share one thought."""

    problem: Problem
    sample_index: int
    budgets: tuple[Budget, ...]


@dataclass(frozen=True)
class Pulse:
    """A sign of life of an engine."""

    sampled_tokens: int  # since it was opened
    busy_seconds: float  # spent in `evaluate`
    alive_seconds: float  # since it was up


class EngineWorker:
    """One engine, started once by `open`. Checkpoints' weights are swapped in as they come. Run it as a Ray actor with
    threads: `pulse` answers while `open` or `evaluate` works."""

    def __init__(self, config: EngineConfig, model: str, log: str) -> None:
        self.config, self.log, self.loaded = config, Path(log), model
        self.engine: Any = None
        self.started = self.busy = self.busy_since = 0.0
        if not (config.num_cpus or config.num_gpus):
            os.nice(GIVE_WAY)  # here: niceness is a thread's, and those of Ray and the engine come from this one

    def open(self) -> dict[str, str]:
        """Start the engine. What generates then: name, version, dtype, device, tokenizer identity."""
        from harness import provenance
        from harness.config import fingerprint

        asked = time.monotonic()
        with output_to(self.log):
            from harness.generation import open_engine

            self.engine = open_engine(self.config, self.loaded, self.log)
            self.started = time.monotonic()
            print(f"process {os.getpid()}: {self.engine.name} was up after {self.started - asked:.1f} s", flush=True)
        vocabulary = sorted(self.engine.tokenizer.get_vocab().items(), key=lambda item: item[1])
        return {
            "name": self.engine.name,
            "version": self.engine.version,
            "dtype": self.config.dtype,
            "device": provenance.device(),
            "tokenizer": fingerprint([vocabulary, self.engine.tokenizer.chat_template]),
        }

    def pulse(self) -> Pulse:
        """What the engine has done so far; nothing while it starts."""
        if not self.started:
            return Pulse(0, 0.0, 0.0)
        now = time.monotonic()
        busy = self.busy + (now - self.busy_since if self.busy_since else 0.0)
        return Pulse(self.engine.counters.sampled_tokens, busy, now - self.started)

    def evaluate(
        self, model: str, work: Sequence[Work], shared: Any, sampling: Sampling, thinking: str, replay: bool
    ) -> Iterator[list[Generation]]:
        """All of `work`, in lists as it finishes; `problem_id` is `task/id`, unique over tasks.

        With `shared`, a `ray.util.queue.Queue` of indices into `work`, the engine draws one whenever it has room, and
        other engines draw the rest.
        """
        finished: queue.Queue[Generation | BaseException | None] = queue.Queue()
        self.busy_since = time.monotonic()

        def run() -> None:
            try:
                with output_to(self.log):
                    self._generate(model, work, shared, sampling, thinking, replay, finished)
                finished.put(None)
            except BaseException as error:  # the engine call: handed to the caller, who records it on the runs
                finished.put(error)

        threading.Thread(target=run, name="generate", daemon=True).start()
        try:
            yield from _batches(finished)
        finally:
            self.busy += time.monotonic() - self.busy_since
            self.busy_since = 0.0

    def _generate(
        self, model: str, work: Sequence[Work], shared: Any, sampling: Sampling, thinking: str, replay: bool,
        finished: queue.Queue[Generation | BaseException | None],
    ) -> None:  # fmt: skip
        from harness.generation import sweep
        from harness.thinking import thinking_format

        if model != self.loaded:
            self.engine.load_weights(model)
            self.loaded = model
        for budget in {budget for item in work for budget in item.budgets}:
            sweep.check(budget, sampling)
        writer = sweep.Writer(self.engine, sampling, thinking_format(thinking), finished.put)
        self.engine.run(
            request
            for item in (work if shared is None else (work[index] for index in _drawn(shared)))
            for prompt, budgets in self._prompts(item)
            for request in sweep.requests(writer, prompt, budgets, item.sample_index, replay=replay)
        )

    def _prompts(self, work: Work) -> Iterator[tuple[Any, list[Budget]]]:
        """The prompts of `work`: conditional methods write the budget into the question, the others share one."""
        from harness.data.chat import render_prompt
        from harness.generation.methods import instruct
        from harness.generation.rows import Prompt

        by_question: dict[str, list[Budget]] = {}
        for budget in work.budgets:
            by_question.setdefault(instruct(work.problem.question, budget), []).append(budget)
        for question, budgets in by_question.items():
            text, ids = render_prompt(self.engine.tokenizer, question)
            yield Prompt(f"{work.problem.task}/{work.problem.id}", text, tuple(ids)), budgets

    def close(self) -> None:
        """Stop the engine and its processes, if it was started."""
        if self.engine is not None:
            self.engine.close()


def _batches(finished: queue.Queue[Generation | BaseException | None]) -> Iterator[list[Generation]]:
    """What is put into `finished`, in lists, until None; an exception in it is raised after what came before."""
    batch: list[Generation] = []
    due = time.monotonic() + BATCH_SECONDS
    while True:
        item: Generation | BaseException | bool | None = False  # nothing came in time
        with contextlib.suppress(queue.Empty):
            item = finished.get(timeout=max(0.01, due - time.monotonic()))
        if isinstance(item, Generation):
            batch.append(item)
        ended = item is None or isinstance(item, BaseException)
        if ended or len(batch) >= BATCH_ROWS or time.monotonic() >= due:
            if batch:
                yield batch
                batch = []
            due = time.monotonic() + BATCH_SECONDS
        if isinstance(item, BaseException):
            raise item
        if ended:
            return


def _drawn(shared: Any) -> Iterator[int]:
    """Indices from a queue that was filled before, until it is empty."""
    from ray.util.queue import Empty

    while True:
        try:
            yield shared.get_nowait()
        except Empty:
            return


def score(problem: Problem, generation: Generation) -> Score:
    """The grader's verdict on one generation. A generation that failed in the engine has no answer."""
    if generation.error:
        return Score("no_answer", None, False, f"generation failed: {generation.error}")
    final = generation.answer_finish != "length"  # cut by its cap: an answer that is missing is `truncated`
    verdict = grade(generation.response, problem.gold, problem.kind, choices=problem.choices, final=final,
                    question=problem.question, prompt=generation.prompt)  # fmt: skip
    return Score(verdict.status, verdict.extracted, verdict.correct, verdict.reason, verdict.tier)


def grade_batch(
    generations: Sequence[Generation],
    problems: Mapping[str, Problem],
    runs: Mapping[tuple[str, Budget], Any],
    keys: Mapping[tuple[str, str, int], str],
) -> pa.Table:
    """The graded rows of `generations` (SAMPLE_SCHEMA) whose (run_id, problem, sample) is in `keys`.

    The rest is on disk already: a sweep's trunk is thought again for the cells that it lacks.
    """
    rows = []
    for generation in generations:
        problem = problems[generation.problem_id]
        run = runs[problem.task, generation.budget]
        key = keys.get((run.run_id, generation.problem_id, generation.sample_index))
        if key is not None:
            identity = {"run_id": run.run_id, "sample_key": key, "study": run.study, "model": run.model,
                        "recipe": run.recipe}  # fmt: skip
            rows.append(sample_row(identity, problem, generation, score(problem, generation)))
    return pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA)


def train_recipe(
    rows: list[dict[str, Any]], base_model: str, training: Training, thinking: str, folder: str, identity: str
) -> Trained:
    """`training.sft.train` as a Ray task: it holds no resources itself, its Ray Train workers do."""
    return train(rows, base_model, training, thinking, Path(folder), identity)
