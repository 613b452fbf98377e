"""The processes that train: one that is kept from recipe to recipe, or a group of workers that Ray Train makes.

A training of one worker needs no process group, and so none of the four helpers that Ray Train starts for each (20 s of
processor time); kept, it imports TRL once. Several workers are Ray Train's, whose `fit` makes a group and ends it.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from harness import imports
from harness.config import Training
from harness.errors import one_line
from harness.logs import output_to


class Ended(RuntimeError):  # noqa: N818 - says what happened
    """A training's processes ended before the training did."""

    def __init__(self, reason: str, lost: bool) -> None:
        """`lost`: a process died; otherwise the training's code raised."""
        super().__init__(reason)
        self.lost = lost


def shape(training: Training) -> dict[str, float]:
    """The resources of each worker, as Ray calls them."""
    asked = {"CPU": training.num_cpus, "GPU": training.num_gpus}
    return {name: amount for name, amount in asked.items() if amount}


class TrainingProcess:
    """The Ray actor that a training of one worker runs in."""

    def train(self, job: dict[str, Any]) -> None:
        """Train, and leave nothing behind but what is imported."""
        try:
            train_worker(job)
        finally:
            gc.collect()  # a Trainer and its model refer to each other
            import torch

            if torch.cuda.is_available():
                torch.cuda.empty_cache()


class Lone:
    """One process for trainings of one worker and of one `shape`, one after the other, and its place in the cluster.

    It is started again where it died, for the next call.
    """

    def __init__(self, training: Training) -> None:
        import ray
        from ray.util import placement_group
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        self.shape = shape(training)
        self.place = placement_group([self.shape])  # others see what waits for room by such groups
        self.actor = (
            ray.remote(TrainingProcess)
            .options(
                num_cpus=training.num_cpus,
                num_gpus=training.num_gpus,
                max_restarts=-1,
                scheduling_strategy=PlacementGroupSchedulingStrategy(self.place),
            )
            .remote()
        )

    def end(self) -> None:
        """End the process and give its resources back."""
        import ray
        from ray.util import remove_placement_group

        ray.kill(self.actor)
        remove_placement_group(self.place)


def run_alone(job: dict[str, Any], actor: Any) -> None:
    """One try in a `Lone`'s process. Raises `Ended`."""
    import ray

    try:
        ray.get(actor.train.remote(job))
    except ray.exceptions.RayActorError as error:
        raise Ended(one_line(error), lost=True) from error
    except ray.exceptions.RayTaskError as error:
        raise Ended(one_line(error, last=True), lost=False) from error


def run_in_a_group(job: dict[str, Any], training: Training, folder: Path) -> None:
    """One try in workers of Ray Train's. Raises `Ended`."""
    import ray.train
    from ray.train.torch import TorchConfig, TorchTrainer

    trainer = TorchTrainer(
        train_worker,
        train_loop_config=job,
        torch_config=TorchConfig(backend="nccl" if training.num_gpus else "gloo"),
        scaling_config=ray.train.ScalingConfig(
            num_workers=training.num_workers, use_gpu=training.num_gpus > 0, resources_per_worker=shape(training)
        ),
        run_config=ray.train.RunConfig(name=folder.name, storage_path=str((folder / "ray").resolve())),
    )
    try:
        trainer.fit()
    except ray.train.TrainingFailedError as error:
        # When one of several workers is lost, the others raise too: their connection to it has gone.
        lost = any(
            type(failure).__name__ == "WorkerHealthCheckFailedError"
            for failure in getattr(error, "worker_failures", {}).values()
        )
        raise Ended(one_line(error, last=True), lost) from error


def train_worker(job: dict[str, Any]) -> None:
    """What each worker runs; its output goes to the recipe's log."""
    with output_to(Path(job["log"])):
        with imports.quick():
            from harness.training.trainer import trainer_class  # noqa: F401  TRL, which run_sft imports
            from harness.training.worker import run_sft

        run_sft(job)
