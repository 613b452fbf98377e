"""vLLM's scheduler, which also notes what each engine step computes: the counts of benchmarks/budget_forcing.py."""

from __future__ import annotations

import os
from typing import Any

from vllm.v1.core.sched.scheduler import Scheduler

VARIABLE = "HARNESS_STEP_LOG"


class CountingScheduler(Scheduler):
    """Appends one line a step to the file that `VARIABLE` names: tokens computed, requests in the step, preempted."""

    def schedule(self, *args: Any, **kwargs: Any) -> Any:
        output = super().schedule(*args, **kwargs)
        if tokens := output.total_num_scheduled_tokens:
            line = f"{tokens} {len(output.num_scheduled_tokens)} {len(output.preempted_req_ids or ())}\n"
            with open(os.environ[VARIABLE], "a") as log:
                log.write(line)
        return output
