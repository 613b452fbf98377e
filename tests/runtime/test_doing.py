"""Starts and trainings read from the logs that vLLM and TRL write, and the time that thoughts still take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.runtime.doing import Forecast, engine_step, training_step

# Lines of vLLM 0.32's own log, in their order.
START = """\
Triton is installed, but doesn't include CPU backend. Disabling Triton.
(MainProcess pid=1) INFO 11-26 16:02:40 [model.py:733] Resolved architecture: Qwen2ForCausalLM
(EngineCore pid=2) INFO 11-26 16:02:57 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: model='m'
(EngineCore pid=2) INFO 11-26 16:02:58 [cpu_model_runner.py:68] Starting to load model m...
(EngineCore pid=2) INFO 11-26 16:02:58 [weight_utils.py:1108] Filesystem type: EXT4. Checkpoint size: 15.27 GiB.
Loading safetensors checkpoint shards:   0% Completed | 0/4 [00:00<?, ?it/s]
Loading safetensors checkpoint shards:  50% Completed | 2/4 [00:09<00:09,  0.21it/s]
(EngineCore pid=2) INFO 11-26 16:02:58 [default_loader.py:501] Loading weights took 0.01 seconds
(EngineCore pid=2) INFO 11-26 16:02:59 [kv_cache_utils.py:2327] CPU KV cache size: 349,504 tokens
(EngineCore pid=2) INFO 11-26 16:03:00 [core.py:402] init engine (profile, create kv cache, warmup model) took 0.50 s
""".splitlines(keepends=True)


@pytest.mark.parametrize(
    ("lines", "step"),
    [
        (1, ""),
        (2, "reading the configuration"),
        (3, "starting its core"),
        (5, "loading weights"),
        (6, "loading weights, 0% of 15.3 GiB"),
        (7, "loading weights, 50% of 15.3 GiB"),
        (8, "weights are loaded"),
        (9, "warming up"),
        (10, "ready"),
    ],
)
def test_the_step_of_a_start_is_the_last_one_in_its_log(lines: int, step: str, tmp_path: Path) -> None:
    log = tmp_path / "engine.log"
    assert engine_step(log) == ""
    log.write_text("".join(START[:lines]))
    assert engine_step(log) == step


def test_a_training_is_read_from_the_last_whole_step_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    assert training_step(log) is None
    log.write_text("Some weights are tied.\n{'loss': '0.5', 'grad_norm': '0.1', 'epoch': '0.5'}\n")
    assert training_step(log) == (0.5, 0.5)
    with log.open("a") as file:
        file.write("{'loss': '0.25', 'learning_rate': '1e-05', 'epoch': '1.25', 'num_tokens': 9}\n{'loss': '0.1")
    assert training_step(log) == (1.25, 0.25)


def played(slots: int, lengths: list[float], known: bool, at: float) -> tuple[float, float | None, float]:
    """Seconds left at second `at`: in truth, by the forecast, by the count of rows.

    An engine of `slots` rows, one token per row and second.
    """
    ends: list[tuple[float, int]] = []
    free = [0.0] * slots
    for number, length in enumerate(lengths):
        slot = int(np.argmin(free))
        free[slot] += length
        ends.append((free[slot], number))
    forecast = Forecast(
        {(str(n), 0): length for n, length in enumerate(lengths)} if known else {},
        {(str(n), 0) for n in range(len(lengths))},
    )
    finished = [number for end, number in ends if end <= at]
    for number in finished:
        forecast.finish((str(number), 0), int(lengths[number]), whole=True)
    sampled = sum(
        min(length, max(0.0, at - (end - length))) for (end, number), length in zip(ends, lengths, strict=True)
    )
    by_count = at / len(finished) * (len(lengths) - len(finished)) if finished else float("inf")
    return max(free) - at, forecast.left_seconds(int(sampled), at), by_count


def test_what_is_left_counts_thoughts_that_are_under_way() -> None:
    """The longest thoughts begin first, so that rows come late: a count of rows promises many times too much."""
    rng = np.random.default_rng(0)
    lengths = sorted(rng.lognormal(6, 0.8, 200).tolist(), reverse=True)
    for known in (True, False):
        true, told, by_count = played(32, lengths, known, at=2_500.0)
        assert told is not None and abs(told - true) < abs(by_count - true)
    true, told, by_count = played(32, lengths, known=True, at=1_500.0)
    assert told is not None and told == pytest.approx(true, rel=0.1) and by_count > 1.5 * true


def test_before_anything_tells_nothing_is_promised() -> None:
    forecast = Forecast({}, {("a", 0)})
    assert forecast.left_seconds(100, 1.0) is None and forecast.left_seconds(0, 1.0) is None
    assert Forecast({("a", 0): 50.0}, {("a", 0)}).left_seconds(0, 1.0) is None
    forecast.finish(("a", 0), 40, whole=True)
    assert forecast.left_seconds(40, 2.0) == 0.0
