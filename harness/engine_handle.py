"""The driver's side of the engine: a Ray actor that is started when it is first needed, and once more when it dies."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness import provenance
from harness.config import Budget, Study
from harness.logs import last_lines
from harness.progress import Progress
from harness.records import Generation, Problem
from harness.workers import EngineWorker

logger = logging.getLogger(__name__)


class EngineHandle:
    """One engine for all of a study's checkpoints; their weights are swapped in as they come."""

    def __init__(self, study: Study, log: Path, progress: Progress) -> None:
        self.study, self.log, self.progress = study, log, progress
        self.actor: Any = None
        self.info: dict[str, str] = {}  # name, version, dtype, device, tokenizer; empty until it is up
        progress.add("engine", f"engine ({study.engine.name})")

    def start(self) -> None:
        """Ask Ray for the engine; it starts while data is selected and models train."""
        import ray

        self.progress.update("engine", "running", detail="starting")
        config = self.study.engine
        actor = ray.remote(num_cpus=config.num_cpus, num_gpus=config.num_gpus)(EngineWorker)
        self.actor = actor.remote(config, self.study.base_model, str(self.log.resolve()))
        self.info = {}

    def wait(self) -> dict[str, str]:
        """What the engine is, once it is up. Raises Ray's error when it did not start."""
        import ray

        if self.actor is None:
            self.start()
        if not self.info:
            self.info = ray.get(self.actor.info.remote())
            name, wanted = self.info["name"], self.study.engine.name
            if name != wanted:
                self.progress.say(f"{wanted} is not installed: {name} generates instead (slower, the same results)")
            self.progress.update("engine", detail=f"{name} {self.info['version']}, {self.info['dtype']}")
        return self.info

    def identity(self) -> dict[str, str]:
        """What generates, as far as it can change a text: name, version, dtype."""
        if self.actor is None and (known := provenance.installed_engine(self.study.engine.name)):
            return {**known, "dtype": self.study.engine.dtype}
        info = self.wait()
        return {key: info[key] for key in ("name", "version", "dtype")}

    def generate(
        self, model: str, problems: Sequence[Problem], budgets: Sequence[Budget], replay: bool
    ) -> Iterator[list[Generation]]:
        """Every problem under every budget, in lists as they finish. Raises Ray's error when the engine fails."""
        import ray

        self.wait()
        stream = self.actor.evaluate.options(num_returns="streaming").remote(
            model, problems, budgets, self.study.sampling, self.study.thinking, replay
        )
        for reference in stream:
            yield ray.get(reference)

    def restart(self) -> None:
        """Give the failed actor up and ask for another."""
        import ray

        ray.kill(self.actor)
        self.start()

    def stop(self) -> None:
        """Stop the engine's processes; Ray's own end would leave them to their parents' death."""
        import ray

        if self.actor is None:
            return
        try:
            ray.get(self.actor.close.remote(), timeout=60)
        except (ray.exceptions.RayError, TimeoutError) as error:
            logger.warning("the engine did not stop in time: %s", error)
        ray.kill(self.actor)
        self.actor = None
        self.progress.update("engine", "done")

    def last_words(self) -> str:
        """The end of its log."""
        return last_lines(self.log)
