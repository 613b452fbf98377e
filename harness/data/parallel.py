"""Spread a step's rows over Ray and take the results in as they come.

The driver alone writes, so workers need no shared disk, and what one worker lost is all that is asked for again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from harness import ray_cluster

T = TypeVar("T")
R = TypeVar("R")


def parts(items: Sequence[T], count: int) -> list[Sequence[T]]:
    """`items` in at most `count` runs of about equal length, in order, none empty."""
    size = max(1, -(-len(items) // max(1, count)))
    return [items[start : start + size] for start in range(0, len(items), size)]


def spread(
    work: Callable[..., Iterator[R]], items: Sequence[Any], num_workers: int, *arguments: Any, num_cpus: float = 1
) -> Iterator[R]:
    """Everything that `work(part, *arguments)` yields for `num_workers` parts of `items`, in order of arrival.

    One worker is this process; only more than one need Ray. A worker's `UserError` is raised here as it is; the
    others are then stopped.
    """
    if num_workers <= 1 or len(items) <= 1:
        if items:
            yield from work(items, *arguments)
        return
    import ray

    ray_cluster.join()
    remote: Any = ray.remote(num_cpus=num_cpus, max_retries=2)(work).options(num_returns="streaming")
    streams: set[Any] = {remote.remote(part, *arguments) for part in parts(items, num_workers)}
    try:
        while streams:
            ready: list[Any] = ray.wait(list(streams), num_returns=1)[0]
            for stream in ready:
                try:
                    yield ray.get(next(stream))
                except StopIteration:
                    streams.remove(stream)
    except ray.exceptions.RayTaskError as error:
        from harness.errors import UserError

        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from error
        raise
    finally:
        for stream in streams:
            ray.cancel(stream)
