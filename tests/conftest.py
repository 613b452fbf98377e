"""Settings every test needs before heavy libraries are imported."""

from __future__ import annotations

import os

from harness.logs import quiet_libraries

# Tiny models gain nothing by threads, and on a busy machine two that wait for each other take many times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
quiet_libraries()
