"""What only a GPU can show. The same steps, and more, with figures: `make gpu-check`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu_steps

pytestmark = [pytest.mark.gpu, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def gpu() -> None:
    if shutil.which("nvidia-smi") is None or not gpu_steps.on_gpu():
        pytest.skip("no NVIDIA GPU here")


SHIPPED = {"model": None, "pool": None, "data_dir": None}


def test_sessions_resubmission_and_transformers_agree_in_float32_and_with_a_short_cache(tmp_path: Path) -> None:
    found = gpu_steps.agree("float32", tmp_path, SHIPPED)
    assert {name: way["different"] for name, way in found.items()} == dict.fromkeys(found, 0)


def test_more_missing_ids_than_the_gpu_runner_takes_as_biases_end_no_engine(tmp_path: Path) -> None:
    found = gpu_steps.missing_ids(tmp_path, SHIPPED)
    assert [way["unknown_tokens"] for way in found.values()] == [0, 0]


def test_weights_are_swapped_in_place_and_are_the_checkpoints(tmp_path: Path) -> None:
    found: dict[str, Any] = gpu_steps.swap(tmp_path, SHIPPED)
    assert found["untied"]["restarted"] == found["tied"]["restarted"] == [None] * 3
