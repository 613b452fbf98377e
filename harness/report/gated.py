"""Tasks whose authors ask that none of their questions stands on the web: GPQA, however a study calls it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

GATED = re.compile(r"(?<!quick_)gpqa", re.IGNORECASE)
ORIGINS = ("hub", "lm_eval", "file")  # of a task's source, as a run remembers it


def is_gated(task: str, config: Mapping[str, Any]) -> bool:
    """Whether a run's questions and samples are to be left out of what is published.

    Args:
        task: the task's name.
        config: the run's configuration; `task_source` tells where its rows are from.
    """
    source = config.get("task_source")
    told = [source.get(name) for name in ORIGINS] if isinstance(source, Mapping) else []
    return any(GATED.search(str(name)) for name in (task, *told))
