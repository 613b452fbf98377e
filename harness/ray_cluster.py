"""The one way to join a Ray cluster."""

from __future__ import annotations

import logging
import os
from pathlib import Path

ANSWER_SECONDS = 15.0  # for a cluster that is named to take a connection; Ray itself would wait for many minutes
START_TRIES = 2  # of a local cluster: Ray gives its own processes 30 s, which a busy machine can exceed
FOUND_BY_RAY = ("", "auto", "local")


class NoStartError(ConnectionError):
    """Ray could not start a cluster here."""


def join() -> None:
    """Join the cluster that RAY_ADDRESS or `ray start` names, or start a local one; nothing where that is done.

    Raises:
        ConnectionError: RAY_ADDRESS names a cluster that does not answer.
        NoStartError: Ray does not start here, `START_TRIES` times.
    """
    import ray

    if ray.is_initialized():
        return
    check_answers(os.environ.get("RAY_ADDRESS", ""))
    for number in range(1, START_TRIES + 1):
        try:
            ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
            return
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001  the Ray call: a start that takes too long is a bare Exception
            ray.shutdown()  # what it had started
            if number == START_TRIES:
                why = " ".join(str(error).split())[:200]
                raise NoStartError(
                    f"Ray does not start here, {START_TRIES} times ({why}); the machine may be too busy, or short of "
                    "memory: try again later, or give RAY_ADDRESS a cluster that runs"
                ) from None


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

    with grpc.insecure_channel(address.removeprefix("ray://")) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=ANSWER_SECONDS)
        except grpc.FutureTimeoutError:
            raise ConnectionError(
                f"RAY_ADDRESS={address}: no Ray cluster answered within {ANSWER_SECONDS:g} s; start it, correct the "
                "address, or unset RAY_ADDRESS"
            ) from None
