"""The one way to join a Ray cluster."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from harness.environment import SAFE_PATH, environment
from harness.errors import InstallationError, one_line

ROOT = Path(__file__).resolve().parents[1]  # the folder that `harness` is imported from
ANSWER_SECONDS = 15.0  # for a cluster that is named to take a connection; Ray itself would wait for many minutes
FOUND_BY_RAY = ("", "auto", "local")
CLIENT = "ray://"


def join() -> None:
    """Join the cluster that RAY_ADDRESS or `ray start` names, or start a local one; nothing where that is done.

    Raises:
        ConnectionError: RAY_ADDRESS names a cluster that does not answer.
        InstallationError: no local cluster could be started.
    """
    import ray

    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS", "")
        check_answers(address)
        options = {} if address.startswith(CLIENT) else {"job_config": _job()}  # a Ray Client's job runs elsewhere
        try:
            with environment(SAFE_PATH):
                ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False, **options)
        except ConnectionError:
            raise
        except Exception as error:  # Ray's own start: a machine that is too full or too busy, as a bare exception
            raise InstallationError(
                f"Ray did not start ({one_line(error)}); look for free memory (also `ulimit -v`), free space in "
                f"{tempfile.gettempdir()}, and a machine that is less busy, then run it again"
            ) from error


def _job() -> Any:
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

    return Job()


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
