"""The one way to join a Ray cluster."""

from __future__ import annotations

import logging
import os

ANSWER_SECONDS = 15.0  # for a cluster that is named to take a connection; Ray itself would wait for many minutes
FOUND_BY_RAY = ("", "auto", "local")


def join() -> None:
    """Join the cluster that RAY_ADDRESS or `ray start` names, or start a local one; nothing where that is done.

    Raises:
        ConnectionError: RAY_ADDRESS names a cluster that does not answer.
    """
    import ray

    if not ray.is_initialized():
        check_answers(os.environ.get("RAY_ADDRESS", ""))
        ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)


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
