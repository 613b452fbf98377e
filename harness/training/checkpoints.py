"""Checkpoints to resume from: which are whole, which belong to this training, and which are still needed.

Transformers' Trainer writes model, optimizer, scheduler, random state and its own state into steps/checkpoint-N, file
by file; a kill can fall between two of them. Here a checkpoint counts once its marker is written, by rank 0 after every
rank has finished, and older ones go only then (the Trainer's own limit would remove them before the marker). The order
of the rows needs no state: it is a function of the seed (`harness.training.order`).
"""

from __future__ import annotations

import errno
import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch.distributed as dist
from transformers import TrainerCallback

from harness.errors import UserError
from harness.files import write_json

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # what such file systems answer
MARKER = "whole.json"


def last_whole(steps: Path, identity: str) -> Path | None:
    """The newest whole checkpoint of the training `identity` in `steps`; what is torn or of another one is removed."""
    found: dict[int, Path] = {}
    for folder in steps.glob("checkpoint-*"):
        if _identity(folder / MARKER) == identity:
            found[step_of(folder)] = folder
        else:
            shutil.rmtree(folder)
    return found[max(found)] if found else None


def step_of(checkpoint: Path | None) -> int:
    """The optimizer step after which a checkpoint was written; 0: there is none."""
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0


def _identity(marker: Path) -> str | None:
    """Whose checkpoint it is; None when it is not whole."""
    return str(json.loads(marker.read_text())["identity"]) if marker.is_file() else None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process: waits until a worker of a killed driver, if there is one, has died too.

    Raises:
        UserError: its file system has no locks, so that two trainings could write one checkpoint.
    """
    with (folder / ".training.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            raise UserError(
                f"the file system of {folder} has no locks ({error.strerror}): NFS needs its lock daemon, Lustre the "
                "mount option flock; mount it so, or give --out another folder"
            ) from None
        yield


class Resumable(TrainerCallback):
    """Marks checkpoints as whole and keeps the newest `kept` of them. One object per rank."""

    def __init__(self, identity: str, rank: int, kept: int) -> None:
        self.identity, self.rank, self.kept = identity, rank, kept

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called on every rank when its files of a checkpoint are written."""
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if dist.is_initialized():
            dist.barrier()
        if self.rank == 0:
            write_json(checkpoint / MARKER, {"identity": self.identity, "step": state.global_step})
            for old in sorted(checkpoint.parent.glob("checkpoint-*"), key=step_of)[: -self.kept]:
                shutil.rmtree(old)
