"""The one way to join a Ray cluster."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.environment import SAFE_PATH, environment
from harness.errors import InstallationError, one_line

ROOT = Path(__file__).resolve().parents[1]  # the folder that `harness` is imported from
ANSWER_SECONDS = 15.0  # for a cluster that is named to take a connection; Ray itself would wait for many minutes
START_TRIES = 2  # of a local cluster: Ray gives its own processes 30 s, which a busy machine can exceed
FOUND_BY_RAY = ("", "auto", "local")
CLIENT = "ray://"


def join(metadata: Mapping[str, str] | None = None) -> None:
    """Join the cluster that RAY_ADDRESS or `ray start` names, or start a local one; nothing where that is done.

    Args:
        metadata: what Ray's list of jobs shows of this one.

    Raises:
        ConnectionError: RAY_ADDRESS names a cluster that does not answer.
        InstallationError: Ray does not start here, `START_TRIES` times.
    """
    import ray

    if ray.is_initialized():
        return
    address = os.environ.get("RAY_ADDRESS", "")
    check_answers(address)
    options = {} if address.startswith(CLIENT) else {"job_config": _job(metadata)}  # a Ray Client's job runs elsewhere
    for number in range(1, START_TRIES + 1):
        try:
            with environment(SAFE_PATH):
                ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False, **options)
            return
        except ConnectionError:
            raise
        except Exception as error:  # Ray's own start: a machine that is too full or too busy, as a bare exception
            ray.shutdown()  # what it had started
            if number == START_TRIES:
                raise InstallationError(
                    f"Ray did not start, {START_TRIES} times ({one_line(error)}); look for free memory (also "
                    f"`ulimit -v`), for free space in {tempfile.gettempdir()}, and for what else keeps this machine "
                    "busy; or give RAY_ADDRESS a cluster that runs"
                ) from error


def _job(metadata: Mapping[str, str] | None) -> Any:
    """A job whose workers import from where this process has `harness`.

    Ray itself puts the driver's working folder first on their path, and what lies there, a random.py for instance,
    would be run.
    """
    from ray.job_config import JobConfig

    class Job(JobConfig):
        def _serialize(self) -> Any:
            installed = ROOT.name in ("site-packages", "dist-packages")  # each node has its own
            self._py_driver_sys_path = [] if installed or self._runtime_env_has_working_dir() else [str(ROOT)]
            return super()._serialize()

    return Job(metadata=dict(metadata or {}))


def named() -> bool:
    """Whether a cluster is named, by RAY_ADDRESS or by `ray start` here: then `join` starts none."""
    address = os.environ.get("RAY_ADDRESS", "")
    if address in ("", "auto"):
        return (Path(os.environ.get("RAY_TMPDIR", "/tmp")) / "ray" / "ray_current_cluster").exists()
    return address != "local"


def check_answers(address: str) -> None:
    """Returns where a cluster answers at `address`, or where Ray looks for one itself.

    Args:
        address: as in RAY_ADDRESS: HOST:PORT, ray://HOST:PORT, auto, local, or nothing.

    Raises:
        ConnectionError: nothing there speaks to Ray within `ANSWER_SECONDS`.
    """
    if address in FOUND_BY_RAY:
        return
    import grpc

    with grpc.insecure_channel(address.removeprefix(CLIENT)) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=ANSWER_SECONDS)
        except grpc.FutureTimeoutError:
            raise ConnectionError(
                f"RAY_ADDRESS={address}: no Ray cluster answered within {ANSWER_SECONDS:g} s; start it, correct the "
                "address, or unset RAY_ADDRESS"
            ) from None
