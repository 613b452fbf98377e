"""Settings every test needs before heavy libraries are imported."""

from __future__ import annotations

from harness.logs import quiet_libraries

quiet_libraries()
