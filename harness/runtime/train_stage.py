"""The train stage: recipes that have their rows wait for resources, train on Ray, and come back as checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness.config import Recipe, Study
from harness.errors import UserError
from harness.progress import Progress
from harness.runtime.cluster import Demand, connect, fitting
from harness.runtime.doing import training_step
from harness.runtime.workers import train_recipe
from harness.training.placement import nodes, on_cpu
from harness.training.processes import Lone, shape
from harness.training.sft import Trained, finished


@dataclass(frozen=True)
class TrainingJob:
    """A recipe that has its rows."""

    recipe: Recipe
    rows: list[dict[str, Any]]
    folder: Path
    identity: str


def _at(log: Path, num_epochs: int) -> str:
    """How far a training is."""
    step = training_step(log)
    return f"epoch {step[0]:.2f} of {num_epochs}, loss {step[1]:.3f}" if step else "starting"


class Trainings:
    """A study's trainings, as many at a time as fit into the cluster beside the engines."""

    def __init__(self, study: Study, out: Path, progress: Progress) -> None:
        self.study, self.out, self.progress = study, out, progress
        self.demand = Demand.of(study)
        self.kept: list[tuple[TrainingJob, Trained]] = []  # finished by an earlier call
        self.queued: list[TrainingJob] = []
        self.running: dict[Any, TrainingJob] = {}  # Ray reference -> what it trains
        self.processes: dict[Any, Lone | None] = {}  # Ray reference -> where, if it has one worker
        self.idle: list[Lone] = []
        for recipe in study.recipes:
            progress.add(f"train {recipe.name}", f"train {recipe.name}")

    def __bool__(self) -> bool:
        """Whether any is still to come."""
        return bool(self.queued or self.running or self.kept)

    def add(self, job: TrainingJob) -> None:
        """Train `job` as soon as there is room, unless an earlier call has."""
        if trained := finished(job.folder, job.identity):
            self.progress.update(f"train {job.recipe.name}", "kept", detail="finished before")
            self.kept.append((job, trained))
        else:
            self.queued.append(job)
            self._start()

    def _start(self) -> None:
        """Hand Ray what fits now; more would only hold memory while it waits. Nodes that join are counted in."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        study = self.study
        connect(self.demand, self.out, self.progress)
        # Started anew when its process dies; the training goes on from its last checkpoint. Beside the driver, and with
        # it Ray Train's controller: Ray waits forever for a call on a node that the network has cut off.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        remote = ray.remote(num_cpus=0, max_retries=3, scheduling_strategy=here)(train_recipe)
        while self.queued and len(self.running) < fitting(self.demand):
            job = self.queued.pop(0)
            own = study.seen_by(job.recipe.name)
            process = self._process(own)
            reference = remote.options(name=f"train {job.recipe.name} of {study.name}").remote(
                job.rows,
                own.base_model,
                own.training,
                own.thinking,
                str(job.folder.resolve()),
                job.identity,
                job.recipe.variant,
                process and process.actor,
            )
            self.running[reference], self.processes[reference] = job, process
            stage = f"train {job.recipe.name}"
            self.progress.watch(stage, partial(_at, job.folder / "train.log", own.training.num_epochs))
            self.progress.update(stage, "running", detail=f"{len(job.rows)} rows")
        while self.idle:  # nothing is left for them now, and engines need the room
            self.idle.pop().end()

    def _process(self, own: Study) -> Lone | None:
        """For a training of one worker: an idle process of its shape, or a new one."""
        training = own.training
        if training.num_gpus:
            try:
                training, _ = on_cpu(training, own.base_model, nodes())
            except UserError:
                return None  # the training itself says so
        if training.num_workers > 1:
            return None
        for index, process in enumerate(self.idle):
            if process.shape == shape(training):
                return self.idle.pop(index)
        return Lone(training)

    def ended(self, seconds: float = 0.0) -> Iterator[tuple[TrainingJob, Trained | str]]:
        """The trainings that have ended, each with its result or with why it failed; waits `seconds` for one."""
        kept, self.kept = self.kept, []
        yield from kept
        if not self.running:
            return
        import ray

        ready, _ = ray.wait(list(self.running), timeout=0 if kept else seconds)
        for reference in ready:
            job, process = self.running.pop(reference), self.processes.pop(reference)
            try:
                trained: Trained | str = ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                trained = str(error.cause)
            except ray.exceptions.RayError as error:
                trained = f"{type(error).__name__}: {error}"
            if process is not None:
                if isinstance(trained, str):
                    process.end()  # with what a failed training leaves in it
                else:
                    self.idle.append(process)
            self._start()
            if isinstance(trained, Trained):
                self._tell(job, trained)
            yield job, trained

    def _tell(self, job: TrainingJob, trained: Trained) -> None:
        words = f"{trained.num_steps} steps, loss {trained.final_loss:.3f}, {trained.seconds:.0f} s"
        if trained.num_cut:
            words += f"; {trained.num_cut} of {trained.num_rows} samples cut at block_size"
            block = self.study.training_of(job.recipe).block_size
            self.progress.say(
                f"warning: {job.recipe.name}: {trained.num_cut} of {trained.num_rows} samples are longer than "
                f"block_size={block} and were cut (the paper's Table 8 loses 20 points)"
            )
        for number, why in (
            (trained.num_without_loss, "their prompt fills block_size"),
            (trained.num_without_answer, "they have no answer"),
        ):
            if number:
                words += f"; {number} left out: {why}"
        self.progress.update(f"train {job.recipe.name}", "done", detail=words)
