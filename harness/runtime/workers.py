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
from harness.generation.confidence import logprob_columns
from harness.generation.engines.loading import Loaded
from harness.generation.engines.probe import Probe
from harness.logs import output_to
from harness.records import SAMPLE_SCHEMA, Generation, Problem, sample_row
from harness.runtime.scoring import score
from harness.thinking import ThinkingFormat
from harness.training.sft import Trained, train

BATCH_SECONDS = 0.5  # finished generations travel on at least this often
BATCH_ROWS = 256
ENGINE_NICENESS = (
    4  # an engine that reserved no processor leaves them to those who did; Ray's workers have a niceness of 15
)


@dataclass(frozen=True)
class Work:
    """One sample of one problem under some budgets: what an engine draws. Budgets that can share one thought."""

    problem: Problem
    sample_index: int
    budgets: tuple[Budget, ...]


@dataclass(frozen=True)
class Heartbeat:
    """A sign of life of an engine."""

    sampled_tokens: int  # since it was opened
    busy_seconds: float  # spent in `evaluate`
    alive_seconds: float  # since it was up
    notes: tuple[str, ...] = ()  # what the user should be told


class EngineWorker:
    """One engine, started once by `open`; checkpoints' weights are swapped in as they come.

    Run it as a Ray actor with threads: `heartbeat` answers while `open` or `evaluate` works.
    """

    def __init__(self, config: EngineConfig, model: str, log: str, called: str = "engine") -> None:
        self.called = called
        self.config, self.log, self.model = config, Path(log), model
        self.engine: Any = None
        self.loaded: Loaded | None = None  # what has shown that it is there
        self.probes: dict[str, Probe] = {}  # of models that are no training's, from their first start here
        self.started = self.busy = self.busy_since = 0.0
        if not (config.num_cpus or config.num_gpus):
            os.nice(ENGINE_NICENESS)  # here: niceness is a thread's, and those of Ray and the engine come from this one

    def __repr__(self) -> str:
        """What Ray's dashboard and logs call this actor."""
        return self.called

    def open(self) -> dict[str, str]:
        """Start the engine. What generates then: name, version, dtype, device, attention backend ("" if not told)."""
        from harness import provenance

        asked = time.monotonic()
        with output_to(self.log):
            from harness.generation import open_chat, open_engine

            chats = self.config.chats
            self.engine = (
                open_chat(self.config, self.model) if chats else open_engine(self.config, self.model, self.log)
            )
            self.started = time.monotonic()
            print(f"process {os.getpid()}: {self.engine.name} was up after {self.started - asked:.1f} s", flush=True)
        return {
            "name": self.engine.name,
            "version": self.engine.version,
            "dtype": self.config.dtype,
            "device": provenance.device(),
            "attention": getattr(self.engine, "attention", None) or "",  # vLLM chooses it by dtype
        }

    def heartbeat(self) -> Heartbeat:
        """What the engine has done so far; nothing while it starts."""
        if not self.started:
            return Heartbeat(0, 0.0, 0.0)
        now = time.monotonic()
        busy = self.busy + (now - self.busy_since if self.busy_since else 0.0)
        counters = self.engine.counters
        return Heartbeat(counters.sampled_tokens, busy, now - self.started, tuple(counters.notes))

    def evaluate(
        self, model: str, work: Sequence[Work], shared: Any, sampling: Sampling, thinking: str, replay: bool
    ) -> Iterator[Loaded | list[Generation]]:
        """That the engine has `model`, then all of `work`, in lists as it finishes.

        `problem_id` is `task/id`, unique over tasks. With `shared`, a `ray.util.queue.Queue` of indices into `work`,
        the engine draws one whenever it has room, and other engines draw the rest.

        Raises:
            WrongWeightsError: before anything is generated.
        """
        finished: queue.Queue[Loaded | Generation | BaseException | None] = queue.Queue()
        self.busy_since = time.monotonic()

        def run() -> None:
            try:
                with output_to(self.log):
                    self._generate(model, work, shared, sampling, thinking, replay, finished)
                finished.put(None)
            except BaseException as error:  # noqa: BLE001  the engine call: handed to the caller, who records it on the runs
                finished.put(error)

        threading.Thread(target=run, name="generate", daemon=True).start()
        try:
            yield from _batches(finished)
        finally:
            self.busy += time.monotonic() - self.busy_since
            self.busy_since = 0.0

    def _generate(
        self,
        model: str,
        work: Sequence[Work],
        shared: Any,
        sampling: Sampling,
        thinking: str,
        replay: bool,
        finished: queue.Queue[Loaded | Generation | BaseException | None],
    ) -> None:
        from harness.generation import sweep
        from harness.generation.engines.loading import load
        from harness.thinking import thinking_format

        style = thinking_format(thinking)
        drawn = iter(work) if shared is None else (work[index] for index in _drawn(shared))
        if self.config.chats:
            self._chat(model, drawn, sampling, style, finished)
            return
        if self.loaded is None or self.loaded.model != model:
            self.loaded = None
            self.loaded = load(self.engine, model, style, self.probes)
        finished.put(self.loaded)
        for budget in {budget for item in work for budget in item.budgets}:
            sweep.check(budget, sampling)
        writer = sweep.SampleWriter(self.engine, sampling, style, finished.put)
        self.engine.run(
            request
            for item in drawn
            for prompt, budgets in self._prompts(item, style)
            for request in sweep.requests(writer, prompt, budgets, item.sample_index, replay=replay)
        )

    def _chat(
        self,
        model: str,
        work: Iterator[Work],
        sampling: Sampling,
        thinking: ThinkingFormat,
        finished: queue.Queue[Loaded | Generation | BaseException | None],
    ) -> None:
        """One call for each sample and budget; a server's weights cannot be looked at by chat."""
        from harness.generation.chat import Call, check, samples

        self.loaded = Loaded(model, "unknown", None, served_model=self.engine.served_model)
        finished.put(self.loaded)

        def calls() -> Iterator[Call]:
            for item in work:
                check(item.budgets, sampling, self.config)
                for budget in item.budgets:
                    yield Call(f"{item.problem.task}/{item.problem.id}", item.problem, budget, item.sample_index)

        samples(self.engine, calls(), sampling, thinking, finished.put)

    def _prompts(self, work: Work, thinking: ThinkingFormat) -> Iterator[tuple[Any, list[Budget]]]:
        """The prompts of `work`, each with its budgets."""
        from harness.generation.direct import prompts_of

        problem = work.problem
        return prompts_of(
            self.engine.tokenizer, f"{problem.task}/{problem.id}", problem.question, work.budgets, thinking
        )

    def close(self) -> None:
        """Stop the engine and its processes, if it was started."""
        if self.engine is not None:
            self.engine.close()


def _batches(
    finished: queue.Queue[Loaded | Generation | BaseException | None],
) -> Iterator[Loaded | list[Generation]]:
    """What is put into `finished`, generations in lists, until None.

    An exception in it is raised after what came before.
    """
    batch: list[Generation] = []
    due = time.monotonic() + BATCH_SECONDS
    while True:
        item: Loaded | Generation | BaseException | bool | None = False  # nothing came in time
        with contextlib.suppress(queue.Empty):
            item = finished.get(timeout=max(0.01, due - time.monotonic()))
        if isinstance(item, Generation):
            batch.append(item)
        elif isinstance(item, Loaded):
            yield item
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
            identity = {
                "run_id": run.run_id,
                "sample_key": key,
                "study": run.study,
                "model": run.model,
                "recipe": run.recipe,
            }
            verdict = score(problem, generation)
            row = sample_row(identity, problem, generation, verdict)
            rows.append(row | logprob_columns(generation, verdict.extracted))
    return pa.Table.from_pylist(rows, schema=SAMPLE_SCHEMA)


def train_recipe(
    rows: list[dict[str, Any]],
    base_model: str,
    training: Training,
    thinking: str,
    folder: str,
    identity: str,
    variant: str = "plain",
    actor: Any = None,
) -> Trained:
    """`training.sft.train` as a Ray task: it holds no resources itself, its workers do."""
    return train(rows, base_model, training, thinking, Path(folder), identity, variant, actor)
