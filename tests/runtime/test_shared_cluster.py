"""A cluster with less room than everybody wants: engines make way for trainings, and two studies both finish."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests import disturbed

pytestmark = [pytest.mark.slow, pytest.mark.faults]
STUDY = """
from dataclasses import replace
from ablations.quickstart import quickstart
from harness.config import Budget, EngineConfig, Recipe


def narrow():
    study = quickstart()
    return replace(
        study, name="narrow", pool_size=40, max_problems=4, tasks=("quick_aime",), base_budgets=(),
        recipes=(Recipe("longest", "longest", 4), Recipe("random", "random", 4)),
        budgets=(Budget(max_thinking_tokens=24),), headline=Budget(max_thinking_tokens=24), reference_recipe="random",
        engine=EngineConfig(name="transformers", max_model_len=320, num_cpus=1),
        training=replace(study.training, num_cpus=1),
    )
"""
NUM_ROWS = 3 * 4


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    yield found
    found.shutdown()


def finished(folder: Path, process: subprocess.Popen[bytes]) -> pd.DataFrame:
    assert "releasing the engine for a queued training job" in disturbed.ends_well(process, folder, 300)
    found = disturbed.rows(folder)
    assert found["sample_key"].is_unique and len(found) == NUM_ROWS and found["error"].isna().all()
    return found[disturbed.TEXT]


def test_an_engine_makes_room_for_trainings_that_do_not_fit_beside_it(tmp_path: Path, cluster: Any) -> None:
    finished(tmp_path, disturbed.start(tmp_path, STUDY, "narrow", RAY_ADDRESS=cluster.address))


def test_two_studies_whose_engines_fill_the_cluster_both_finish(tmp_path: Path, cluster: Any) -> None:
    cluster.add_node(num_cpus=1)
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    running = [disturbed.start(folder, STUDY, "narrow", RAY_ADDRESS=cluster.address) for folder in folders]
    first, second = [finished(folder, process) for folder, process in zip(folders, running, strict=True)]
    pd.testing.assert_frame_equal(first, second)
