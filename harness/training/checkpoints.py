"""Checkpoints to resume from: which are whole, which belong to this training, and which are still needed.

Transformers' Trainer writes model, optimizer, scheduler, random state and its own state into steps/checkpoint-N, file
by file; a kill can fall between two of them. Here a checkpoint counts once its marker is written, by rank 0 after every
rank has finished, and older ones go only then (the Trainer's own limit would remove them before the marker). The order
of the rows needs no state: it is a function of the seed (`harness.training.order`).

Where `Training.checkpoint_dir` names a node's own disk they are written there, and the newest whole one is copied to
the recipe's folder while the training goes on: it waits for the quick disk alone, and a node that is lost costs the
steps since the last copy. A resume takes the newest of both.
"""

from __future__ import annotations

import errno
import fcntl
import json
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch.distributed as dist
from transformers import TrainerCallback

from harness.config import fingerprint
from harness.errors import UserError
from harness.files import write_json
from harness.training.placement import STEPS

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)  # what such file systems answer
MARKER = "whole.json"
COPYING = "copying-"  # how the name of a copy begins until it is whole
SEEN = "seen.json"  # tells workers whether they see one disk


def place(checkpoint_dir: str, folder: Path, identity: str, rank: int) -> Path:
    """Where the checkpoints of the recipe in `folder` are written. Called on every rank.

    Below `checkpoint_dir`, if every worker sees that one disk; else in the folder: shards on several nodes' own disks
    are no checkpoint that a worker elsewhere could read.

    Raises:
        UserError: the folder cannot be written.
    """
    if not checkpoint_dir:
        return folder / STEPS
    local = Path(checkpoint_dir) / f"s1-harness-{fingerprint([str(folder), identity])}"
    told: list[Any] = [uuid.uuid4().hex]
    if rank == 0:
        try:
            local.mkdir(parents=True, exist_ok=True)
            write_json(local / SEEN, told[0])
        except OSError as error:
            raise UserError(
                f"training.checkpoint_dir={checkpoint_dir} cannot be written on the worker's node ({error.strerror}); "
                "name a folder of its own disk"
            ) from None
    if not dist.is_initialized():
        return local
    dist.broadcast_object_list(told, src=0)
    seen: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(seen, (local / SEEN).is_file() and json.loads((local / SEEN).read_text()) == told[0])
    if all(seen):
        return local
    if rank == 0:
        shutil.rmtree(local)
    return folder / STEPS


def newest(places: Iterable[Path], identity: str) -> Path | None:
    """The newest whole checkpoint of the training `identity` in any of `places`."""
    return max(filter(None, [last_whole(steps, identity) for steps in places]), key=step_of, default=None)


def last_whole(steps: Path, identity: str) -> Path | None:
    """The newest whole checkpoint of the training `identity` in `steps`; what is torn or of another one is removed."""
    found: dict[int, Path] = {}
    for torn in steps.glob(f"{COPYING}*"):
        shutil.rmtree(torn)
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


class Copies:
    """Copies of whole checkpoints in `steps`, made one at a time beside the training; the newest one is kept.

    A copy has another name until it is whole: a kill leaves the one before it.
    """

    def __init__(self, steps: Path) -> None:
        self.steps = steps
        self.running: threading.Thread | None = None
        self.error: OSError | None = None

    def start(self, checkpoint: Path) -> None:
        """Copy `checkpoint`, once the copy before it is made. Raises `OSError` where that one failed."""
        self.wait()
        self.running = threading.Thread(target=self._copy, args=(checkpoint,), name=f"copy of {checkpoint.name}")
        self.running.start()

    def wait(self) -> None:
        """Until the copy under way is made. Raises `OSError` where it failed: a save that fails fails the training."""
        if self.running is not None:
            self.running.join()
            self.running = None
        if self.error is not None:
            raise self.error

    def _copy(self, checkpoint: Path) -> None:
        try:
            self.steps.mkdir(parents=True, exist_ok=True)
            shutil.copytree(checkpoint, self.steps / f"{COPYING}{checkpoint.name}")
            (self.steps / f"{COPYING}{checkpoint.name}").rename(self.steps / checkpoint.name)
            for old in self.steps.glob("checkpoint-*"):
                if old.name != checkpoint.name:
                    shutil.rmtree(old)
        except OSError as error:
            self.error = error


class Resumable(TrainerCallback):
    """Marks checkpoints as whole and keeps the newest `kept` of them. One object per rank.

    `copies`: of each whole one; None: they lie where they stay.
    """

    def __init__(self, identity: str, rank: int, kept: int, copies: Copies | None = None) -> None:
        self.identity, self.rank, self.kept, self.copies = identity, rank, kept, copies

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called on every rank when its files of a checkpoint are written."""
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if dist.is_initialized():
            dist.barrier()
        if self.rank == 0:
            write_json(checkpoint / MARKER, {"identity": self.identity, "step": state.global_step})
            if self.copies is not None:
                self.copies.start(checkpoint)  # none that is being copied is removed below
            for old in sorted(checkpoint.parent.glob("checkpoint-*"), key=step_of)[: -self.kept]:
                shutil.rmtree(old)
