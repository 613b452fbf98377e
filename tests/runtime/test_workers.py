"""What an engine finishes travels on within a moment, however steadily it comes."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from harness.records import Generation
from harness.runtime import workers


def generation(index: int) -> Generation:
    return object.__new__(Generation)


def batches_of(finished: queue.Queue[Any]) -> Iterator[Any]:
    """What a worker hands on."""
    return workers._batches(finished)


def test_a_steady_trickle_is_handed_on_while_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BATCH_SECONDS", 0.1)
    finished: queue.Queue[Any] = queue.Queue()

    def trickle() -> None:
        for index in range(40):
            finished.put(generation(index))
            time.sleep(0.02)  # always sooner than BATCH_SECONDS
        finished.put(None)

    threading.Thread(target=trickle, daemon=True).start()
    sizes = [len(batch) for batch in batches_of(finished)]
    assert sum(sizes) == 40 and len(sizes) > 3


def test_what_came_before_a_failure_is_handed_on_first() -> None:
    finished: queue.Queue[Any] = queue.Queue()
    finished.put(generation(0))
    finished.put(ValueError("the engine died"))
    batches = batches_of(finished)
    assert len(next(batches)) == 1
    with pytest.raises(ValueError, match="the engine died"):
        next(batches)
