"""The pool of engines: what happens when one does not come up."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from harness.config import EngineConfig, Sampling
from harness.progress import Progress
from harness.quickstart import TINY_MODEL
from harness.runtime import cluster
from harness.runtime import select_stage as selecting
from harness.runtime.engine_pool import EngineFailedError, EnginePool
from harness.runtime.gauges import Gauges
from harness.runtime.workers import EngineWorker
from harness.studies import load as studies
from tests.disturbed import ENGINE, family, named, until

pytestmark = pytest.mark.slow
DEMAND = cluster.Demand(EngineConfig(name="transformers", max_model_len=128, batch_size=4), study="pool_test")


@pytest.fixture(scope="module", autouse=True)
def joined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One local Ray cluster for all tests here; each has its own engines."""
    folder = tmp_path_factory.mktemp("ray")
    (folder / "logs").mkdir()
    cluster.connect(DEMAND, folder, Progress(Console(file=io.StringIO())))
    yield
    cluster.disconnect()


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "logs").mkdir()
    progress = Progress(Console(file=io.StringIO()))
    made = EnginePool(TINY_MODEL, DEMAND, Sampling(max_answer_tokens=24), "s1", tmp_path, progress)
    yield made
    made.stop()
    until(lambda: not named(ENGINE, family(os.getpid())), 60, "the engines' end")


def engine_process() -> psutil.Process:
    """The Ray worker that is starting an engine."""
    return until(lambda: named(ENGINE, family(os.getpid())), 60, "an engine's process")[0]


def test_ray_is_told_whose_job_and_whose_engine_it_has(tmp_path: Path) -> None:
    import ray

    jobs = ray._private.worker.global_worker.gcs_client.get_all_job_info().values()
    (told,) = [dict(job.config.metadata) for job in jobs]
    assert told["study"] == DEMAND.study and Path(told["out"]).is_dir()
    assert repr(EngineWorker(DEMAND.engine, TINY_MODEL, "log", "vllm engine of quick")) == "vllm engine of quick"


def test_prometheus_reads_the_gauges_that_the_dashboard_shows() -> None:
    """By the port that Ray serves its own metrics on."""
    import ray

    gauges = Gauges("quick", "s1k", "vllm")
    gauges.set(samples_done=3, samples_planned=10, tokens_per_second=12.5, seconds_left=60.0)
    (node,) = ray.nodes()
    address = f"http://127.0.0.1:{node['MetricsExportPort']}/metrics"

    def served() -> dict[str, float]:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=30) as answer:
            lines = answer.read().decode().splitlines()
            values = [line for line in lines if line.startswith("ray_s1_harness_") and 'study="quick"' in line]
            assert all('model="s1k"' in line and 'engine="vllm"' in line for line in values)
            return {line.partition("{")[0]: float(line.rpartition(" ")[2]) for line in values}
        return {}

    found = until(lambda: now if len(now := served()) == 4 else {}, 120, "Ray's next report")
    assert found["ray_s1_harness_samples_done"] == 3 and found["ray_s1_harness_tokens_per_second"] == 12.5
    board = json.loads((Path(__file__).resolve().parents[2] / "docs" / "cluster" / "grafana.json").read_text())
    shown = " ".join(target["expr"] for panel in board["panels"] for target in panel["targets"])
    assert set(re.findall(r"ray_\w+", shown)) == set(found)


def test_an_engine_killed_while_it_starts_is_started_again(pool: Any) -> None:
    pool.start()
    engine_process().kill()
    assert pool.wait()["name"] == "transformers"
    assert pool.num_started == 2 and "starting another" in pool.progress.console.file.getvalue()


def later(pool: EnginePool, condition: Callable[[], Any], then: Callable[[], Any] = lambda: None) -> threading.Thread:
    """Once `condition` holds, call `then` and give engines an hour to start."""

    def go_on() -> None:
        until(condition)
        allow(pool, start_seconds=3600)
        then()

    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    return thread


def allow(pool: EnginePool, start_seconds: float) -> None:
    pool.demand = replace(pool.demand, engine=replace(pool.demand.engine, start_seconds=start_seconds))
    for member in pool.members:
        member.patience = start_seconds


@pytest.mark.faults  # after the kill it is as above; hung engines are in test_faults.py as well
def test_an_engine_that_hangs_while_it_starts_is_killed_and_started_again(pool: Any) -> None:
    import ray

    pool.start()
    (member,) = pool.members
    ray.get(member.asked)  # it has its place
    process = engine_process()
    process.send_signal(signal.SIGSTOP)
    allow(pool, start_seconds=1)
    thread = later(pool, lambda: member not in pool.members and pool.members)
    assert pool.wait()["name"] == "transformers"
    thread.join()
    assert pool.num_started == 2 and "the engine was not up after" in pool.failures[0]
    process.wait(10)


def test_an_engine_that_waits_for_its_place_is_not_taken_for_one_that_hangs(pool: Any) -> None:
    import ray
    from ray.util.queue import Queue

    in_its_place = Queue(actor_options={"num_cpus": int(ray.cluster_resources()["CPU"])})
    in_its_place.put("it is there")
    allow(pool, start_seconds=1)
    asked = time.monotonic()
    thread = later(pool, lambda: time.monotonic() - asked > 5, in_its_place.shutdown)
    assert pool.wait()["name"] == "transformers"
    thread.join()
    assert pool.num_started == 1 and not pool.failures


def test_an_engine_that_refuses_its_model_is_not_tried_again(pool: Any, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    pool.model = str(tmp_path / "model")
    with pytest.raises(EngineFailedError):
        pool.wait()
    assert pool.num_started == 1


def asked_of(pool: Any, folder: Path, size: int) -> tuple[Any, selecting.PoolWithAnswers]:
    """A study of `size` pool rows and its pool, which nobody has answered."""
    pool.progress.add("select", "select")
    study = replace(studies.load("quickstart"), pool_size=size)
    return study, selecting.load_pool(study, None, folder)


@pytest.mark.faults  # test_featurize.py kills a whole call that answers a pool
def test_an_engine_killed_while_the_base_answers_the_pool_costs_the_answers_under_way_alone(
    pool: Any, tmp_path: Path
) -> None:
    study, asked = asked_of(pool, tmp_path / "pool", 120)
    pool.wait()

    def kill_when_some_are_there() -> None:
        while not list((tmp_path / "pool").rglob("*.jsonl")):
            time.sleep(0.01)
        engine_process().kill()

    killer = threading.Thread(target=kill_when_some_are_there, daemon=True)
    killer.start()
    asked.answer(lambda model: contextlib.nullcontext(pool), pool.progress)
    killer.join()
    assert pool.num_started == 2 and len(asked.models[study.base_model]) == 120
    assert not asked.unanswered(study.base_model)
    lines = sum(path.read_bytes().count(b"\n") for path in (tmp_path / "pool").rglob("*.jsonl"))
    assert lines == 120  # none was asked for again once it was stored
    again = selecting.load_pool(study, None, tmp_path / "pool")  # what another call finds
    assert not again.unanswered(study.base_model)


def test_a_question_that_keeps_failing_stays_ungraded_and_is_not_kept_as_unsolved(pool: Any, tmp_path: Path) -> None:
    study, asked = asked_of(pool, tmp_path / "pool", 8)
    asked.rows[3]["question"] = "What is " + "1 + " * 400 + "1?"  # longer than the context of 128 tokens
    asked.answer(lambda model: contextlib.nullcontext(pool), pool.progress)
    (left,) = asked.unanswered(study.base_model)
    assert len(asked.models[study.base_model]) == 7 and left["question"] == asked.rows[3]["question"]
    assert "1 pool questions stay ungraded" in pool.progress.console.file.getvalue()
    assert [asked.grades(row) is None for row in asked.rows] == [index == 3 for index in range(8)]
