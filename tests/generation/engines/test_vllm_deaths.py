"""Who pays for the death of an engine: the request that it dies of, and nobody else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.generation.engines.vllm_deaths import MOST_IN_A_ROW, OUTSIDE, Deaths, cause
from harness.generation.engines.vllm_process import attention_backend


def requests(count: int) -> list[Any]:
    return [SimpleNamespace(name=index, error=None) for index in range(count)]


def run(everything: list[Any], poison: set[int], limit: int = 256) -> tuple[list[int], int]:
    """A run over `everything` on an engine that dies of the first of `poison` that it has; others finish."""
    deaths, waiting, given_up, restarts = Deaths(limit), list(everything), [], 0
    while waiting:
        flying = waiting[: deaths.limit]
        guilty = [request for request in flying if request.name in poison]
        done = flying[: flying.index(guilty[0])] if guilty else flying
        for request in done[: len(done) // 2] if guilty else done:  # half of those before it are faster than it
            waiting.remove(request)
            deaths.finished()
        lost = [request for request in flying if request in waiting]
        if guilty:
            restarts += 1
            assert deaths.died("ValueError: x", lost)
            given_up += [request.name for request in lost if request.error]
            waiting = [request for request in waiting if not request.error]
    return given_up, restarts


@pytest.mark.parametrize("poison", [{0}, {255}, {100, 101, 300}, {599}])
def test_only_the_request_that_kills_it_is_given_up(poison: set[int]) -> None:
    given_up, restarts = run(requests(600), poison)
    assert set(given_up) == poison and len(given_up) == len(poison)
    assert restarts <= 7 * len(poison)


def test_an_engine_ended_from_outside_blames_nobody_and_starts_as_often_as_it_gets_on() -> None:
    deaths = Deaths(32)
    for _ in range(50):
        lost = requests(1)
        assert deaths.died(OUTSIDE, lost) and lost[0].error is None and deaths.limit == 32
        deaths.finished()


@pytest.mark.parametrize("why", [OUTSIDE, "RuntimeError: no kernel image"])
def test_an_engine_that_dies_of_everything_is_given_up(why: str) -> None:
    deaths = Deaths(32)
    alive = [deaths.died(why, requests(8)) for _ in range(MOST_IN_A_ROW + 1)]
    assert alive == [True] * MOST_IN_A_ROW + [False]
    lost = requests(3)
    assert not deaths.died(why, lost) and all(why in request.error for request in lost)


LOG = """INFO earlier: ValueError: of another engine
(EngineCore pid=9) ERROR 11-26 11:00:00 [core.py:1512] EngineCore encountered a fatal error.
(EngineCore pid=9) ERROR 11-26 11:00:00 [core.py:1512] Traceback (most recent call last):
(EngineCore pid=9) ERROR 11-26 11:00:00 [core.py:1512]   File "gpu_input_batch.py", line 330, in add_request
(EngineCore pid=9) ERROR 11-26 11:00:00 [core.py:1512] ValueError: could not broadcast (66000,) into (65536,)
ERROR 11-26 11:00:01 [async_llm.py:700] vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue.
"""


def test_the_cause_is_the_cores_own_error(tmp_path: Path) -> None:
    log = tmp_path / "vllm.log"
    log.write_text(LOG)
    assert cause(log, 0) == "ValueError: could not broadcast (66000,) into (65536,)"
    assert cause(log, len(LOG)) == OUTSIDE  # that was the engine before
    log.write_text("INFO all is well\nERROR Engine core proc died unexpectedly\n")
    assert cause(log, 0) == OUTSIDE


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("INFO [cuda.py:507] Using TRITON_ATTN attention backend out of potential backends: [.", "TRITON_ATTN"),
        ("INFO [cuda.py:446] Using FLASH_ATTN backend.", "FLASH_ATTN"),
        ("INFO [cpu_model_runner.py:68] Starting to load model", None),
    ],
)
def test_the_attention_that_a_dtype_got_is_read_from_the_cores_own_log(
    line: str, expected: str | None, tmp_path: Path
) -> None:
    log = tmp_path / "vllm.log"
    log.write_text(f"Using OLDER backend.\n{line}\n")
    assert attention_backend(log, len("Using OLDER backend.\n")) == expected
