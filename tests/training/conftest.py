"""What the tests of training share."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from harness import imports


@pytest.fixture(scope="package", autouse=True)
def imported() -> Iterator[None]:
    """TRL, imported as in a training's own process; what that made is no garbage, and no look goes through it again.

    A Trainer looks through everything in its process before each training, half a second beside the suite's modules.
    """
    with imports.quick():
        import harness.training.trainer
        import harness.training.worker  # noqa: F401
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
