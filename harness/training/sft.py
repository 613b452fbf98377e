"""One recipe's fine-tuning, seen from the driver: processes of Ray's whose workers run worker.py.

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

from harness import ray_cluster
from harness.config import Training, fingerprint, to_plain
from harness.errors import UserError
from harness.files import read_json, write_json
from harness.logs import last_lines
from harness.training import processes
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
    actor: Any = None,
) -> Trained:
    """Fine-tune `base_model` on `rows` (pool schema) and write the checkpoint to `folder`/checkpoint.

    `variant` is that of the training text (`harness.training.variants`); `actor` that of a `processes.Lone`, where the
    training has one worker and the caller keeps its process.

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
    run_workers(job, training, folder, log, actor)
    figures = json.loads((folder / FIGURES_FILE).read_text())  # whose loss may be NaN, which no other file's may
    if not math.isfinite(figures["final_loss"]):
        raise TrainingFailed(f"the loss is not a number (see {folder / 'losses.parquet'}); lower learning_rate")
    checkpoint = str((folder / "checkpoint").resolve())
    trained = Trained(checkpoint=checkpoint, seconds=round(time.monotonic() - start, 2), **figures)
    write_json(folder / DONE_FILE, {"identity": identity, "trained": to_plain(trained)})
    shutil.rmtree(folder / STEPS, ignore_errors=True)
    return trained


def run_workers(job: dict[str, Any], training: Training, folder: Path, log: Path, actor: Any = None) -> None:
    """Run the workers to their end, starting them again up to `RESTARTS` times when one dies."""
    ray_cluster.join()
    own = None
    try:
        if training.num_workers == 1 and actor is None:
            own = processes.Lone(training)
            actor = own.actor
        for attempt in range(RESTARTS + 1):
            try:
                if training.num_workers == 1:
                    return processes.run_alone(job, actor)
                return processes.run_in_a_group(job, training, folder)
            except processes.Ended as error:
                if attempt == RESTARTS or not error.lost:
                    raise TrainingFailed(f"training failed: {error}\n{last_lines(log)}\n(whole log: {log})") from error
    finally:
        if own is not None:
            own.end()
