"""The pool of engines: what happens when one does not come up."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from harness import cluster, studies
from harness.config import EngineConfig
from harness.engine_pool import EngineFailedError, EnginePool
from harness.progress import Progress

pytestmark = pytest.mark.slow


@pytest.fixture
def pool(tmp_path: Path):
    (tmp_path / "logs").mkdir()
    study = replace(studies.load("quickstart"), engine=EngineConfig(name="transformers", max_model_len=128))
    made = EnginePool(study, tmp_path, Progress(Console(file=io.StringIO())))
    yield made
    made.stop()
    cluster.disconnect()


def engine_process(seconds: float = 60) -> psutil.Process:
    """The Ray worker that is starting an engine."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for child in psutil.Process().children(recursive=True):
            try:
                if "ray::EngineWorker" in " ".join(child.cmdline()):
                    return child
            except psutil.Error:
                continue
        time.sleep(0.05)
    raise AssertionError("no engine was started")


def test_an_engine_killed_while_it_starts_is_started_again(pool):
    pool.start()
    engine_process().kill()
    assert pool.wait()["name"] == "transformers"
    assert pool.num_started == 2 and "starting another" in pool.progress.console.file.getvalue()


def test_an_engine_that_refuses_its_model_is_not_tried_again(pool, tmp_path):
    (tmp_path / "model").mkdir()
    pool.study = replace(pool.study, base_model=str(tmp_path / "model"))
    with pytest.raises(EngineFailedError):
        pool.wait()
    assert pool.num_started == 1
