"""What runs inside Ray: the engine that generates, the call that trains, and what grades."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.config import Budget, EngineConfig, Sampling, Training
from harness.grading import grade
from harness.logs import output_to
from harness.records import Generation, Problem, Score
from harness.training.sft import Trained, train

BATCH_SECONDS = 0.5  # finished generations travel to the driver at least this often


class EngineWorker:
    """One engine, started once. Checkpoints' weights are swapped in as they come. Run it as a Ray actor."""

    def __init__(self, config: EngineConfig, model: str, log: str) -> None:
        self.config, self.log, self.loaded = config, Path(log), model
        with output_to(self.log):
            from harness.generation import open_engine

            self.engine = open_engine(config, model, self.log)

    def info(self) -> dict[str, str]:
        """What generates: name, version, dtype, device, tokenizer identity."""
        from harness import provenance
        from harness.config import fingerprint

        vocabulary = sorted(self.engine.tokenizer.get_vocab().items(), key=lambda item: item[1])
        return {
            "name": self.engine.name,
            "version": self.engine.version,
            "dtype": self.config.dtype,
            "device": provenance.device(),
            "tokenizer": fingerprint([vocabulary, self.engine.tokenizer.chat_template]),
        }

    def evaluate(
        self, model: str, problems: Sequence[Problem], budgets: Sequence[Budget], sampling: Sampling, thinking: str,
        replay: bool,
    ) -> Iterator[list[Generation]]:  # fmt: skip
        """Every problem under every budget, in lists as they finish. `problem_id` is `task/id`, unique over tasks."""
        finished: queue.Queue[Generation | BaseException | None] = queue.Queue()

        def work() -> None:
            try:
                with output_to(self.log):
                    self._generate(model, problems, budgets, sampling, thinking, replay, finished)
                finished.put(None)
            except BaseException as error:  # the engine call: handed to the caller, who records it on the runs
                finished.put(error)

        threading.Thread(target=work, name="generate", daemon=True).start()
        batch: list[Generation] = []
        while True:
            try:
                item = finished.get(timeout=BATCH_SECONDS)
            except queue.Empty:
                item = batch  # type: ignore[assignment]
            if isinstance(item, Generation):
                batch.append(item)
                if len(batch) < 256:
                    continue
            if batch:
                yield batch
                batch = []
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item

    def _generate(
        self, model: str, problems: Sequence[Problem], budgets: Sequence[Budget], sampling: Sampling, thinking: str,
        replay: bool, finished: queue.Queue[Generation | BaseException | None],
    ) -> None:  # fmt: skip
        from harness.data.chat import render_prompt
        from harness.generation.methods import instruct
        from harness.generation.sweep import Prompt, generate
        from harness.thinking import FORMATS

        if model != self.loaded:
            self.engine.load_weights(model)
            self.loaded = model
        # Conditional methods write the budget into the question; budgets that leave it alone share one pass.
        groups: dict[tuple[str, ...], list[Budget]] = {}
        for budget in budgets:
            groups.setdefault(tuple(instruct(p.question, budget) for p in problems), []).append(budget)
        for questions, group in groups.items():
            prompts = []
            for problem, question in zip(problems, questions, strict=True):
                text, ids = render_prompt(self.engine.tokenizer, question)
                prompts.append(Prompt(f"{problem.task}/{problem.id}", text, tuple(ids)))
            generate(
                self.engine, prompts, group, sampling, FORMATS[thinking], replay=replay, on_generation=finished.put
            )

    def close(self) -> None:
        """Stop the engine and its processes."""
        self.engine.close()


def train_recipe(
    rows: list[dict[str, Any]], base_model: str, training: Training, thinking: str, folder: str, identity: str
) -> Trained:
    """`training.sft.train` as a Ray task: it holds no resources itself, its Ray Train workers do."""
    return train(rows, base_model, training, thinking, Path(folder), identity)


def score(problem: Problem, generation: Generation) -> Score:
    """The grader's verdict on one generation. A generation that failed in the engine has no answer."""
    if generation.error:
        return Score("no_answer", None, False, f"generation failed: {generation.error}")
    final = generation.answer_finish != "length"  # cut by its cap: an answer that is missing is `truncated`
    verdict = grade(generation.response, problem.gold, problem.kind, choices=problem.choices, final=final)
    return Score(verdict.status, verdict.extracted, verdict.correct, verdict.reason, verdict.tier)
