"""Settings every test needs before heavy libraries are imported."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import imports
from harness.logs import quiet_libraries
from tests.chat_server import ChatServer

# Tiny models gain nothing by threads, and on a busy machine two that wait for each other take many times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# No test needs the network; without it the hub's client would try again for half a minute wherever a name is looked up.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# No test joins a cluster that happens to run on this machine, and kills or fills it.
os.environ["RAY_ADDRESS"] = "local"
quiet_libraries()
imports.seldom()  # what most tests make processes do is import

# What takes longest, begun first: `make test` hands out whole files, and one that begins last is waited for.
LONGEST_FIRST = (
    "generation/engines/test_loading.py",
    "generation/engines/test_engines.py",
    "runtime/test_pipeline.py",
    "training/test_training_workers.py",
    "runtime/test_engine_pool.py",
    "runtime/test_served.py",
    "training/test_training.py",
    "runtime/test_audit.py",
    "cli/test_evaluate.py",
    "generation/engines/test_vllm_server.py",
    "runtime/test_faults.py",
    "data/test_featurize.py",
    "hostile/test_commands.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files; within a file nothing moves."""
    rank = {name: index for index, name in enumerate(LONGEST_FIRST)}
    root = Path(__file__).parent
    items.sort(key=lambda item: rank.get(item.path.relative_to(root).as_posix(), len(rank)))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("SKIPPED LOUDLY: no right to mount a small disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    made = ChatServer()
    yield made
    made.close()


@pytest.fixture
def datasets_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `datasets` keeps lies in the test's own folder."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
