"""The one way to join a Ray cluster."""

from __future__ import annotations

import logging


def join() -> None:
    """Join the cluster that RAY_ADDRESS or `ray start` names, or start a local one; nothing where that is done.

    Raises:
        ConnectionError: RAY_ADDRESS names a cluster that does not answer.
    """
    import ray

    if not ray.is_initialized():
        ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
