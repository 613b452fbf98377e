"""Nothing lost, nothing twice: the driver, an engine, a grader and a node are killed for real while a study runs.

The transformers engine generates (it starts in seconds); vLLM goes through the same in tests/chaos.py. Every disturbed
study has to end with the rows of an undisturbed one.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from harness.records import SAMPLE_SCHEMA
from harness.studies.status import status
from tests import disturbed
from tests.disturbed import ENGINE, GRADER, ends_well, family, named, until

pytestmark = pytest.mark.slow
STUDY = """
from dataclasses import replace
from ablations.quickstart import quickstart
from harness.config import Budget, EngineConfig, Recipe


def faults():
    study = quickstart()
    return replace(
        study, name="faults", recipes=(), pool="", max_problems=40, tasks=("quick_aime", "quick_math"),
        budgets=tuple(Budget(max_thinking_tokens=most, min_thinking_tokens=most - 8) for most in (24, 48, 80)),
        headline=Budget(max_thinking_tokens=80, min_thinking_tokens=72),
        base_budgets=(), reference_recipe="base", replay=False,
        engine=EngineConfig(name="transformers", max_model_len=320, num_cpus=1, batch_size=4, stall_seconds=8.0),
    )


def two_engines():
    study = faults()
    return replace(study, engine=replace(study.engine, num_engines=2))


def unfit():
    study = faults()
    return replace(study, engine=replace(study.engine, name="transformers", device="cuda:63"))


def two_recipes():
    study = quickstart()
    return replace(
        study, name="two-recipes", pool_size=40, max_problems=4, tasks=("quick_aime",), base_budgets=(),
        recipes=(Recipe("longest", "longest", 4), Recipe("random", "random", 4)),
        budgets=(Budget(max_thinking_tokens=24),), headline=Budget(max_thinking_tokens=24),
        reference_recipe="random", engine=EngineConfig(name="transformers", max_model_len=320, num_cpus=0),
    )
"""
NUM_ROWS = 2 * 40 * 3


def start(folder: Path, function: str = "faults", **environment: str) -> subprocess.Popen[bytes]:
    return disturbed.start(folder, STUDY, function, **environment)


def num_files(folder: Path) -> int:
    return len(list((folder / "out" / "samples").glob("*.parquet")))


def rows(folder: Path) -> pd.DataFrame:
    """The rows' texts and verdicts in a fixed order; each is there once."""
    found = disturbed.rows(folder)
    assert list(found.columns) == SAMPLE_SCHEMA.names and found["error"].isna().all()
    assert found["sample_key"].is_unique and len(found) == NUM_ROWS
    return found[disturbed.TEXT]


def up(folder: Path, process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The engines' processes that have their model, as their logs say."""
    logs = "".join(log.read_text() for log in (folder / "out" / "logs").glob("engine*.log"))
    ids = {int(pid) for pid in re.findall(r"process (\d+): \w+ was up", logs)}
    return [child for child in family(process.pid) if child.pid in ids]


def nobody_left(children: list[psutil.Process]) -> None:
    """None of a dead driver's processes outlives it for long; Ray's two agents, a killed raylet's, are Ray's own."""
    _, alive = psutil.wait_procs([child for child in children if not named_agent(child)], timeout=60)
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE], alive


def named_agent(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.name() in (
            "ray::DashboardAge",
            "ray::RuntimeEnvA",
            "ray::DashboardAgent",
            "ray::RuntimeEnvAgent",
        )
    return False


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("undisturbed")
    log = ends_well(start(folder), folder)
    assert "generating" in log and "% of its time" in log
    return rows(folder)


@pytest.mark.faults
def test_a_driver_killed_with_its_cluster_goes_on_where_it_was(undisturbed: Any, tmp_path: Path) -> None:
    process = start(tmp_path)
    until(lambda: num_files(tmp_path), what="the first rows")
    children = family(process.pid)
    assert status(tmp_path / "out").state == "running"
    process.kill()
    process.wait()
    before = status(tmp_path / "out")
    assert before.state == "stopped" and 0 < before.models[0].samples_done < NUM_ROWS
    nobody_left(children)
    kept = set((tmp_path / "out" / "samples").glob("*.parquet"))
    ends_well(start(tmp_path), tmp_path)
    assert kept <= set((tmp_path / "out" / "samples").glob("*.parquet"))  # what was finished was not done again
    pd.testing.assert_frame_equal(rows(tmp_path), undisturbed)
    assert status(tmp_path / "out").state == "complete"


@pytest.mark.faults
def test_engines_killed_and_hung_and_killed_graders_cost_no_row(undisturbed: Any, tmp_path: Path) -> None:
    process = start(tmp_path)
    first = until(lambda: num_files(tmp_path), what="the first rows")
    for child in until(lambda: named(ENGINE, family(process.pid)), what="the engine's process"):
        child.kill()
    killed = 0
    while killed < 2 and process.poll() is None:
        for child in named(GRADER, family(process.pid)):
            with contextlib.suppress(psutil.Error):
                child.kill()
                killed += 1
        time.sleep(0.02)
    until(lambda: num_files(tmp_path) > first + 1 or process.poll() is not None, what="rows of the second engine")
    for child in until(lambda: up(tmp_path, process), what="the second engine to be up"):
        child.send_signal(signal.SIGSTOP)
    log = ends_well(process, tmp_path)
    assert killed == 2 and log.count("an engine failed") == 2 and "sampled no token for" in log
    pd.testing.assert_frame_equal(rows(tmp_path), undisturbed)


@pytest.mark.faults
def test_a_recipe_that_fails_is_marked_and_the_rest_goes_on(tmp_path: Path) -> None:
    in_the_way = tmp_path / "out" / "recipes" / "longest" / "train.log"
    in_the_way.mkdir(parents=True)
    process = start(tmp_path, "two_recipes")
    assert process.wait(timeout=240) == 1
    log = (tmp_path / "log").read_text()
    assert "failed: longest; the other runs are kept" in log and "Traceback" not in log
    assert set(pd.read_parquet(tmp_path / "out" / "samples")["recipe"]) == {"base", "random"}
    in_the_way.rmdir()
    log = ends_well(start(tmp_path, "two_recipes"), tmp_path)
    assert "train random: kept" in log and "2 were finished before" in log
    found = pd.read_parquet(tmp_path / "out" / "samples")
    assert len(found) == 12 and found["sample_key"].is_unique


@pytest.mark.faults  # test_engine_pool.py has the engine that refuses its model, test_pipeline.py how a study ends
def test_a_study_whose_engine_cannot_start_ends_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    process = start(tmp_path, "unfit")
    assert process.wait(timeout=600) == 1
    log = (tmp_path / "log").read_text()
    assert "the engine did not start" in log and "failed: model" in log and "Traceback" not in log


@pytest.fixture
def cramped() -> Iterator[Path]:
    """A memory control group whose processes get not a page more: the kernel kills the one that asks for it."""
    first, second = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    parent, limit = (first, "memory.limit_in_bytes") if first.is_dir() else (second, "memory.max")
    group = parent / "s1-faults"
    try:
        group.mkdir()
        (group / limit).write_text("0")
    except OSError as error:
        pytest.skip(f"an engine cannot run out of memory here: {error} (memory control groups need root)")
    yield group
    until(lambda: not (group / "cgroup.procs").read_text(), what="the group to be left")
    group.rmdir()


@pytest.mark.faults
def test_an_engine_that_runs_out_of_memory_costs_no_row(undisturbed: Any, tmp_path: Path, cramped: Any) -> None:
    process = start(tmp_path)
    until(lambda: num_files(tmp_path), what="the first rows")
    for child in until(lambda: named(ENGINE, family(process.pid)), what="the engine's process"):
        (cramped / "cgroup.procs").write_text(str(child.pid))
    assert "an engine failed" in ends_well(process, tmp_path)
    pd.testing.assert_frame_equal(rows(tmp_path), undisturbed)


@pytest.mark.faults
def test_ctrl_c_once_or_twice_stops_at_once_and_the_same_command_continues(undisturbed: Any, tmp_path: Path) -> None:
    for times in (1, 2):
        process = start(tmp_path)
        before = num_files(tmp_path)
        until(lambda: num_files(tmp_path) > before, what="new rows")  # noqa: B023
        children = family(process.pid)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        assert process.wait(timeout=60) == 130
        log = (tmp_path / "log").read_text()
        assert log.count("interrupted; what was finished is kept") == times and "Traceback" not in log
        nobody_left(children)
    ends_well(start(tmp_path), tmp_path)
    pd.testing.assert_frame_equal(rows(tmp_path), undisturbed)


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    yield found
    found.shutdown()


@pytest.mark.faults
def test_two_engines_share_the_work_and_a_lost_node_is_given_up_for_one_that_joins(
    undisturbed: Any, tmp_path: Path, cluster: Any
) -> None:
    lost, _ = cluster.add_node(num_cpus=1), cluster.add_node(num_cpus=1)
    process = start(tmp_path, "two_engines", RAY_ADDRESS=cluster.address)
    until(lambda: num_files(tmp_path), what="the first rows")
    cluster.remove_node(lost, allow_graceful=False)
    time.sleep(2)
    assert process.poll() is None
    cluster.add_node(num_cpus=1)
    log = ends_well(process, tmp_path)
    assert "Ray: 3 node(s)" in log and "an engine failed" in log
    assert (tmp_path / "out" / "logs" / "engine-2.log").is_file()
    pd.testing.assert_frame_equal(rows(tmp_path), undisturbed)
