"""What `vllm_releases` says of sessions, asked of the installed release's own scheduler."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.generation.engines import vllm_releases
from tests.tiny import make_model
from tests.vllm_scheduler import BLOCK, FILLER, STOP, Sessions

# Imported by the tests alone: every process of the suite collects this file.
pytestmark = [pytest.mark.timeout(120), pytest.mark.skipif(find_spec("vllm") is None, reason="vllm is not installed")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


def installed() -> tuple[int, int]:
    import vllm

    return vllm_releases.numbers(vllm.__version__)


def context_after_a_preemption(model: Path, *, asynchronous: bool) -> tuple[int, int]:
    """Two sessions outgrow the cache; the first token that B gives after it was preempted is its stop.

    With asynchronous scheduling that token was on its way already. Returns the tokens of context that B should have in
    its next turn, and that it has.
    """
    sessions = Sessions(model, 9, asynchronous=asynchronous)
    preempted = stopped = False
    sessions.send("A", list(range(100, 130)))
    sessions.send("B", list(range(130, 160)))

    def sampled(name: str) -> int:
        nonlocal preempted, stopped
        preempted = preempted or sessions.status("B") == "PREEMPTED"
        stopped = stopped or (name == "B" and preempted)
        return STOP if name == "B" and preempted else FILLER

    for _ in range(200):
        if preempted:
            sessions.end("A")
        assert sessions.step(sampled)
        if stopped:
            break
    had = len(sessions.context("B")) - 1  # the stop token is dropped
    sessions.send("B", [5, 6])
    return had + 2, len(sessions.context("B"))


def test_the_scheduler_that_we_ask_for_keeps_a_sessions_context(model: Path) -> None:
    expected, seen = context_after_a_preemption(model, asynchronous=False)
    assert expected == seen > 32


def test_asynchronous_scheduling_loses_it_in_just_the_releases_that_we_say(model: Path) -> None:
    expected, seen = context_after_a_preemption(model, asynchronous=True)
    assert (seen == expected > 32) == (installed() >= vllm_releases.ASYNC_SESSIONS), (expected, seen)


@pytest.fixture
def sound_sessions() -> None:
    if installed() < vllm_releases.SESSIONS:
        pytest.skip("this release is submitted to anew")


@pytest.mark.usefixtures("sound_sessions")
def test_each_turn_has_its_own_max_tokens(model: Path) -> None:
    sessions = Sessions(model, 40, asynchronous=False)
    sessions.send("A", [1, 2, 3], max_tokens=3)
    while sessions.step(lambda name: FILLER):
        pass
    assert len(sessions.context("A")) == 6
    sessions.send("A", [4], max_tokens=9)
    while sessions.step(lambda name: FILLER):
        pass
    assert len(sessions.context("A")) == 3 + 2 + 1 + 9


@pytest.mark.usefixtures("sound_sessions")
def test_the_block_of_a_dropped_token_is_filed_under_what_stands_in_it(model: Path) -> None:
    """Two sessions that end up with the same tokens have the same block hashes, whatever one of them dropped."""
    sessions = Sessions(model, 40, asynchronous=False)
    sessions.send("A", list(range(100, 100 + BLOCK - 2)))
    while sessions.step(lambda name: STOP if len(sessions.context(name)) == BLOCK - 1 else FILLER):
        pass
    sessions.send("A", [5] * BLOCK)
    kept = sessions.context("A")
    sessions.send("B", kept)
    hashes = [sessions.scheduler.requests[name].block_hashes for name in ("A", "B")]
    assert sessions.context("B") == kept and len(hashes[0]) == 1 and hashes[0] == hashes[1]


def test_sessions_that_fill_the_cache_between_them_block_each_other(model: Path) -> None:
    """Why `vllm` watches for it: both hold their blocks and wait for one more, which nobody gives up."""
    sessions = Sessions(model, 9, asynchronous=False)
    for name in ("A", "B"):
        sessions.send(name, [1 + ord(name)] * (4 * BLOCK - 3), max_tokens=4)
    while sessions.step(lambda name: FILLER):
        pass
    assert [len(sessions.context(name)) for name in ("A", "B")] == [4 * BLOCK + 1] * 2
    for name in ("A", "B"):
        sessions.send(name, [5, 6])
    assert not sessions.step(lambda name: FILLER)
    sessions.end("A")
    assert sessions.step(lambda name: FILLER)
