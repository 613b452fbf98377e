"""Grading beside generation: what happens to a batch whose grader never answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray

from harness.records import Problem
from harness.runtime.evaluate_stage import MOST_PATIENCE, Batch, Evaluation
from harness.store import Store
from harness.studies import load as studies
from harness.studies.runs import runs_of

pytestmark = pytest.mark.slow
STALL = 0.5  # seconds


@pytest.fixture
def evaluation(tmp_path: Path) -> Iterator[Any]:
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True)
    study = studies.load("quickstart")
    study = replace(study, tasks=("quick_aime",), engine=replace(study.engine, stall_seconds=STALL))
    problem = Problem("1", "quick_aime", "What is 1 + 1?", "2")
    runs = runs_of(
        study, "base", "model", {"quick_aime": [problem]}, {"name": "vllm", "version": "1", "dtype": "float32"}
    )
    with Store(tmp_path) as store:
        yield Evaluation(study, runs, {"quick_aime/1": problem}, store)
    ray.shutdown()


def test_a_silent_grader_is_given_up_and_its_batch_handed_out_again_with_more_patience(evaluation: Any) -> None:
    def sleeps() -> None:
        time.sleep(600)

    never: Any = ray.remote(num_cpus=0)(sleeps)

    seconds, tries = STALL, 0
    while True:
        grading = {never.remote(): Batch("generations", seconds, time.monotonic())}
        again = []
        end = time.monotonic() + 60
        while grading and time.monotonic() < end:
            again += evaluation._store_graded(grading, wait=True)
        assert not grading
        tries += 1
        if not again:
            break
        assert again == [("generations", 2 * seconds)] and not evaluation.reasons
        seconds = again[0][1]
    assert tries == 3 and seconds == MOST_PATIENCE * STALL
    assert evaluation.reasons == ["grading: no grader answered, the last one for 2 s"]
    assert evaluation.failed().keys() == {run.run_id for run in evaluation.runs}
