"""Settings every test needs before heavy libraries are imported."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.logs import quiet_libraries

# Tiny models gain nothing by threads, and on a busy machine two that wait for each other take many times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
quiet_libraries()


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
