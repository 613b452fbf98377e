"""What each release of vLLM can be trusted with: the one home of every "since which version".

Input sessions, read in each release; 0.26, 0.31 and 0.32 also run on their own schedulers (benchmarks/NOTES.md):

- up to 0.30 a session keeps the first turn's `max_tokens`, so that a later turn ends too early or too late;
- up to 0.31 the hash of a block that ended in the dropped token stays: the prefix cache gives the block to others;
- up to 0.32 a session that is preempted while its stop token is on its way loses its whole context. That takes
  asynchronous scheduling, which is vLLM's default on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.errors import UserError

Strategy = Literal["session", "resubmit"]
OLDEST = (0, 26)
SESSIONS = (0, 32)  # sound with synchronous scheduling
ASYNC_SESSIONS = (0, 33)  # sound with asynchronous scheduling, too, by its source alone


@dataclass(frozen=True)
class Plan:
    """How a thought goes on after an ignored end, and vLLM's own `async_scheduling` (None: its default).

    `reason`: why it is not the strategy that was asked for, where it is not.
    """

    strategy: Strategy
    async_scheduling: bool | None
    reason: str | None = None


def plan(version: str, wanted: Strategy, async_scheduling: bool | None = None) -> Plan:
    """What to run on vLLM `version`.

    Args:
        version: vLLM's `__version__`.
        wanted: the strategy that the settings name.
        async_scheduling: what was asked for; None leaves it to us. Sessions run without it: no GPU has shown them sound
            with it yet.

    Raises:
        UserError: the release is older than any that was tried.
    """
    release = numbers(version)
    if release < OLDEST:
        raise UserError(
            f"vLLM {version} is older than {_text(OLDEST)}, the oldest release that is supported; "
            "install a later one, or use --engine transformers"
        )
    if wanted == "resubmit":
        return Plan("resubmit", async_scheduling)
    if release < SESSIONS:
        reason = f"sessions of vLLM {version} are not sound (they are since {_text(SESSIONS)})"
        return Plan("resubmit", async_scheduling, reason)
    if async_scheduling and release < ASYNC_SESSIONS:
        reason = f"sessions of vLLM {version} are not sound with asynchronous scheduling"
        return Plan("resubmit", async_scheduling, reason)
    return Plan("session", bool(async_scheduling))


def numbers(version: str) -> tuple[int, int]:
    """The first two numbers of `version`: a development build counts as the release that it leads to."""
    from packaging.version import Version

    release = Version(version).release
    return release[0], release[1] if len(release) > 1 else 0


def _text(release: tuple[int, int]) -> str:
    return ".".join(map(str, release))
