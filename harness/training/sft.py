"""One recipe's fine-tuning, seen from the driver: a Ray Train `TorchTrainer` whose workers run worker.py.

Training text is made by `harness.training.variants` and tokenised with its labels by `harness.training.examples`: the
loss is on thinking and answer only. TRL uses labels that it is given: nothing of the mask depends on its collators.

A worker that dies (a kill, a lost node, no memory) is started again and goes on from the last whole checkpoint in
FOLDER/steps; so does the next call after the driver itself was killed. Either ends with the weights of a training that
nothing disturbed (float32 on CPU: the same bits; on GPUs up to the order of sums).
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import garbage
from harness.config import Training, fingerprint, to_plain
from harness.errors import UserError, one_line
from harness.files import read_json, write_json
from harness.logs import last_lines, output_to
from harness.training.examples import slim
from harness.training.placement import STEPS, check, nodes, on_cpu

DONE_FILE = "training.json"  # written last: its presence says that the checkpoint is whole
FIGURES_FILE = "figures.json"  # what the worker counted
RESTARTS = 3  # of workers that died; an exception in the training code is final


class TrainingFailed(RuntimeError):  # noqa: N818 - reads better in a report than TrainingFailedError, which Ray has
    """A recipe's training failed; the message ends with the last lines of its log and the log's path."""


@dataclass(frozen=True)
class Trained:
    """What a finished training left behind. Token counts are of the recipe's own rows, once (not times epochs)."""

    checkpoint: str
    num_rows: int
    num_cut: int  # rows longer than block_size, cut at it
    num_tokens: int
    num_loss_tokens: int
    num_steps: int
    final_loss: float  # mean over all steps
    seconds: float  # of the call that finished it
    num_without_loss: int = 0  # rows left out: their prompt alone fills the block
    num_without_answer: int = 0  # rows left out: neither an attempt nor an answer
    waiting: float = 0.0  # share of the workers' time that waits for a step's longest rows, by tokens
    padding: float = 0.0  # share of the tokens that are computed and only fill up


def finished(folder: Path, identity: str) -> Trained | None:
    """The result of an earlier call in `folder`, if it was for the same `identity` and ran to its end."""
    path = folder / DONE_FILE
    if not path.is_file():
        return None
    found = read_json(path, "remove it to train again")
    return Trained(**found["trained"]) if found["identity"] == identity else None


def train(
    rows: Sequence[Mapping[str, Any]],
    base_model: str,
    training: Training,
    thinking: str,
    folder: Path,
    identity: str,
    variant: str = "plain",
) -> Trained:
    """Fine-tune `base_model` on `rows` (pool schema) and write the checkpoint to `folder`/checkpoint.

    `variant` is that of the training text (`harness.training.variants`).

    Runs on Ray: one worker per `training.num_workers`, on the CPU where it asks for GPUs and the cluster has none.
    Raises `TrainingFailed` with the end of the log.
    """
    if done := finished(folder, identity):
        return done
    if not rows:
        raise UserError(f"recipe in {folder} has no rows to train on; give its selection a larger pool")
    if training.num_gpus:
        training, _ = on_cpu(training, base_model, nodes())
    check(training)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "train.log"
    job = {
        "rows": [slim(row, variant) for row in rows],
        "variant": variant,
        "base_model": base_model,
        "training": to_plain(training),
        "thinking": thinking,
        "folder": str(folder.resolve()),
        "log": str(log.resolve()),
        "figures_file": FIGURES_FILE,
        # A checkpoint is laid out for its workers: with others, the training starts anew.
        "identity": fingerprint([identity, training.num_workers, training.per_device_batch_size, training.num_gpus]),
    }
    start = time.monotonic()
    run_workers(job, training, folder, log)
    figures = json.loads((folder / FIGURES_FILE).read_text())  # whose loss may be NaN, which no other file's may
    if not math.isfinite(figures["final_loss"]):
        raise TrainingFailed(f"the loss is not a number (see {folder / 'losses.parquet'}); lower learning_rate")
    checkpoint = str((folder / "checkpoint").resolve())
    trained = Trained(checkpoint=checkpoint, seconds=round(time.monotonic() - start, 2), **figures)
    write_json(folder / DONE_FILE, {"identity": identity, "trained": to_plain(trained)})
    shutil.rmtree(folder / STEPS, ignore_errors=True)
    return trained


def run_workers(job: dict[str, Any], training: Training, folder: Path, log: Path) -> None:
    """Run the workers to their end, starting them again up to `RESTARTS` times when one dies."""
    import ray.train
    from ray.train.torch import TorchConfig, TorchTrainer

    for attempt in range(RESTARTS + 1):
        trainer = TorchTrainer(
            train_worker,
            train_loop_config=job,
            torch_config=TorchConfig(backend="nccl" if training.num_gpus else "gloo"),
            scaling_config=ray.train.ScalingConfig(
                num_workers=training.num_workers,
                use_gpu=training.num_gpus > 0,
                resources_per_worker={"CPU": training.num_cpus, "GPU": training.num_gpus},
            ),
            run_config=ray.train.RunConfig(name=folder.name, storage_path=str((folder / "ray").resolve())),
        )
        try:
            trainer.fit()
            return
        except ray.train.TrainingFailedError as error:
            if attempt == RESTARTS or not a_worker_died(error):
                reason = one_line(error, last=True)
                raise TrainingFailed(f"training failed: {reason}\n{last_lines(log)}\n(whole log: {log})") from error


def a_worker_died(error: Exception) -> bool:
    """Whether Ray Train's `error` is about a lost process rather than an exception in the training code.

    When one of several workers is lost, the others raise too: their connection to it has gone.
    """
    failures = getattr(error, "worker_failures", {})
    return any(type(failure).__name__ == "WorkerHealthCheckFailedError" for failure in failures.values())


def train_worker(job: dict[str, Any]) -> None:
    """What each Ray Train worker runs; its output goes to the recipe's log."""
    with output_to(Path(job["log"])):
        with garbage.while_importing():
            from harness.training.trainer import trainer_class  # noqa: F401  TRL, which run_sft imports
            from harness.training.worker import run_sft

        run_sft(job)
