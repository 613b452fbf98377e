"""The driver's side of the engines: Ray actors that draw work from one list, are watched, and replaced when they die.

Ray places them, moves rows and notices a lost node; what is added here is the list of work, the watch on tokens (Ray
cannot know that a live process hangs) and the sums for "how much of their time did the engines generate".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import provenance
from harness.config import Sampling
from harness.errors import UserError, one_line
from harness.generation.engines.loading import Loaded
from harness.logs import last_lines
from harness.progress import Progress
from harness.runtime.cluster import Demand, connect
from harness.runtime.doing import engine_step
from harness.runtime.workers import EngineWorker, Heartbeat, Work

logger = logging.getLogger(__name__)
WATCH_SECONDS = 2.0  # between two looks at every engine
STOP_SECONDS = 60.0
IDLE_PASSES = 2  # passes over what is missing that bring nothing before their caller gives up
MAX_CUT_STARTS = 3  # in a row; a start that was cut off from outside, or hangs, is tried again


@dataclass(eq=False)
class Member:
    """One engine of the pool."""

    actor: Any
    log: Path
    model: str  # whose weights it has
    patience: float  # seconds that it may take for its start, for a checkpoint's weights, or between two tokens
    up: Any  # reference to what it is, ready when it is up
    asked: Any  # reference to the heartbeat that it was asked for last; None once that has come
    stream: Any = None  # of the pass at hand
    num_told: int = 0  # of its heartbeat's notes
    heartbeat: Heartbeat | None = None  # None until Ray has given it a place and its process answers
    tokens: int | None = None  # that it had sampled when it was last asked in this pass
    moved: float = 0.0  # when its place, its start or a token was last seen


class EngineFailedError(RuntimeError):
    """No engine could be started; the message ends with the last lines of its log."""


class EnginePool:
    """`demand.engine.num_engines` engines that start on `model` and swap in the weights of others as they come.

    `demand` also says what the cluster has to hold beside them; logs go to `out`/logs.
    """

    def __init__(
        self, model: str, demand: Demand, sampling: Sampling, thinking: str, out: Path, progress: Progress
    ) -> None:
        self.model, self.demand, self.sampling, self.thinking = model, demand, sampling, thinking
        self.out, self.progress = out, progress
        self.members: list[Member] = []
        self.failures: list[str] = []  # of the pass at hand
        self.info: dict[str, str] = {}  # name, version, dtype, device; empty until one is up
        self.loaded: Loaded | None = None  # of the model at hand: the engine that was furthest from it
        self.told_restarts = False
        self.busy_seconds = self.alive_seconds = 0.0  # of engines that are gone
        self.num_started = self.num_cut_starts = 0
        progress.add("engine", f"engine ({demand.engine.name})")

    def start(self) -> None:
        """Ask Ray for the engines; they start while data is selected and models train."""
        if not self.members:
            connect(self.demand, self.out, self.progress)
            self.progress.update("engine", "running", detail="starting")
            self.progress.watch("engine", self._starting)
        while len(self.members) < self.demand.engine.num_engines:
            self.members.append(self._member())

    def _starting(self) -> str:
        """What the engine that was asked for last does before it is up."""
        return engine_step(self.members[-1].log) if self.members and not self.info else ""

    @property
    def sampled_tokens(self) -> int:
        """Tokens that the engines at hand have sampled, of unfinished thoughts, too; at most `WATCH_SECONDS` old."""
        return sum(member.tokens or 0 for member in self.members)

    def _member(self) -> Member:
        import ray

        config = self.demand.engine
        self.num_started += 1
        log = self.out / "logs" / ("engine.log" if self.num_started == 1 else f"engine-{self.num_started}.log")
        # Threads: one for `open` or `evaluate`, one for `heartbeat`, one for `close`.
        actor = ray.remote(num_cpus=config.num_cpus, num_gpus=config.num_gpus, max_concurrency=3)(EngineWorker)
        handle = actor.remote(config, self.model, str(log.resolve()), f"{config.name} engine of {self.out.name}")
        return Member(handle, log, self.model, config.start_seconds, handle.open.remote(), handle.heartbeat.remote())

    def wait(self) -> dict[str, str]:
        """What the engines are, once one is up. Raises `EngineFailedError` when none starts."""
        import ray

        self.start()
        while not self.info:
            if not self.members:
                raise EngineFailedError(self.failures[-1])
            ready, _ = ray.wait([member.up for member in self.members], timeout=WATCH_SECONDS)
            for member in [member for member in self.members if member.up in ready]:
                if self._came_up(member):
                    self.info = ray.get(member.up)
            self._watch()
        name, wanted = self.info["name"], self.demand.engine.name
        if name != wanted and self.num_started == len(self.members):
            self.progress.say(f"{wanted} is not installed: {name} generates instead (slower, the same results)")
        told = (f"{name} {self.info['version']}", self.info["dtype"], self.info.get("attention"))
        self.progress.update("engine", detail=", ".join(part for part in told if part))
        return self.info

    def identity(self) -> dict[str, str]:
        """What generates, as far as it can change a text: name, version, dtype."""
        if not (self.members or self.info) and (known := provenance.installed_engine(self.demand.engine.name)):
            return {**known, "dtype": self.demand.engine.dtype}
        info = self.info or self.wait()
        return {key: info[key] for key in ("name", "version", "dtype")}

    # -- one pass over a list of work

    def generate(self, model: str, work: Sequence[Work], replay: bool) -> Iterator[Any]:
        """References to lists of generations, as they finish, until no engine works on `work` any more.

        None comes now and then, so that the caller can look after other things. An engine that dies or hangs is
        replaced; what it had drawn is missing then, and `failures` says why; one that does not have `model`'s weights
        is given up.
        """
        import ray

        self.failures = []
        if self.loaded is not None and self.loaded.model != model:
            self.loaded = None
        self.wait()
        shared = _queue(len(work)) if len(self.members) > 1 else None
        work_reference = ray.put(list(work))
        arguments = (model, work_reference, shared, self.sampling, self.thinking, replay)
        joined: list[Member] = []
        looked = time.monotonic()
        while True:
            for member in list(self.members):
                # With one engine and no queue, an engine that came later must not begin the list again.
                if member in joined or (shared is None and joined) or not _is_ready(member.up):
                    continue
                if self._came_up(member):
                    joined.append(member)
                    config = self.demand.engine
                    member.patience = config.silent_seconds if member.model == model else config.start_seconds
                    member.model, member.moved, member.tokens, member.asked = model, time.monotonic(), None, None
                    member.stream = member.actor.evaluate.options(num_returns="streaming").remote(*arguments)
            streams = {member.stream: member for member in self.members if member.stream is not None}
            if not streams:
                if joined or not self.members:
                    return
                ray.wait([member.up for member in self.members], timeout=WATCH_SECONDS)
                self._watch()
                yield None
                continue
            ready, _ = ray.wait(list(streams), timeout=WATCH_SECONDS, fetch_local=False)
            for stream in ready:
                yield from self._next(streams[stream])
            if time.monotonic() - looked > WATCH_SECONDS:
                looked = time.monotonic()
                self._watch()
                yield None

    def _next(self, member: Member) -> Iterator[Any]:
        """The next list of a stream, unless that has ended or failed."""
        import ray

        try:
            reference = next(member.stream)
            value = ray.get(reference)  # an engine's failure is the last thing in its stream
            member.moved = time.monotonic()
            if isinstance(value, Loaded):
                self._note(value)
            else:
                yield reference
        except StopIteration:
            member.stream = None
        except ray.exceptions.RayError as error:
            refused = isinstance(getattr(error, "cause", None), UserError)  # another engine would refuse it too
            self._lose(member, reason(error), replace=not refused)

    def _note(self, loaded: Loaded) -> None:
        """Keep the largest difference, and say once that weights are not swapped."""
        known = self.loaded
        if known is None or (loaded.probe_difference or 0.0) > (known.probe_difference or 0.0):
            self.loaded = loaded
        if loaded.restarted and not self.told_restarts:
            self.told_restarts = True
            self.progress.say(
                f"weights cannot be swapped in place here, so the engine starts again for each model: "
                f"{loaded.restarted}"
            )

    # -- life and death

    def _came_up(self, member: Member) -> bool:
        """Whether `member` really is up; one that did not start is given up.

        Where it was killed (a lost node, no memory), or where an engine of the kind has been up before, another one is
        asked for; an engine that refuses its model would refuse it again.
        """
        import ray

        try:
            ray.get(member.up)
        except ray.exceptions.RayError as error:
            refused = isinstance(error, ray.exceptions.RayTaskError) and not self.info
            self._lose_start(member, reason(error), replace=not refused)
            return False
        self.num_cut_starts = 0
        return True

    def _lose_start(self, member: Member, reason: str, replace: bool = True) -> None:
        self.num_cut_starts += 1
        self._lose(member, reason, replace=replace and self.num_cut_starts <= MAX_CUT_STARTS)

    def _watch(self) -> None:
        """Ask each engine that starts or works for its tokens, and kill those that hang.

        One hangs that is not up `engine.start_seconds` after it was placed, or that has sampled no token for
        `engine.stall_seconds`.
        """
        import ray

        for member in list(self.members):
            starts = not _is_ready(member.up)
            if not starts and member.stream is None:
                continue
            if member.asked is not None and _is_ready(member.asked):
                try:
                    heartbeat = ray.get(member.asked)
                except ray.exceptions.RayError:
                    continue  # dead: its start or its stream says so too
                for note in heartbeat.notes[member.num_told :]:
                    self.progress.say(note)
                member.num_told = len(heartbeat.notes)
                if member.heartbeat is None:
                    member.moved = time.monotonic()
                elif member.tokens is not None and heartbeat.sampled_tokens > member.tokens:
                    member.moved, member.patience = time.monotonic(), self.demand.engine.silent_seconds
                member.heartbeat, member.tokens, member.asked = heartbeat, heartbeat.sampled_tokens, None
            if member.asked is None:
                member.asked = member.actor.heartbeat.remote()
            if starts and member.heartbeat is None:
                continue  # Ray has no place for it yet, or its process does not answer yet
            still = time.monotonic() - member.moved
            if still > member.patience and starts:
                self._lose_start(member, f"the engine was not up after {still:.0f} s and was killed")
            elif still > member.patience:
                self._lose(member, f"the engine sampled no token for {still:.0f} s and was killed")

    def _lose(self, member: Member, reason: str, replace: bool = True) -> None:
        """Give an engine up, remember why, and ask Ray for another one."""
        import ray

        self.failures.append(f"{reason}\n{last_lines(member.log)}")
        self._count(member)
        ray.kill(member.actor)
        self.members.remove(member)
        if replace:
            self.progress.say(f"an engine failed ({one_line(reason, last=True)}); starting another")
            self.members.append(self._member())

    def _count(self, member: Member) -> None:
        if member.heartbeat is None:
            return
        self.busy_seconds += member.heartbeat.busy_seconds
        self.alive_seconds += member.heartbeat.alive_seconds

    @property
    def resources(self) -> tuple[str, ...]:
        """What the engines hold some of while they live: of CPU, GPU."""
        engine = self.demand.engine
        return tuple(name for name, amount in (("CPU", engine.num_cpus), ("GPU", engine.num_gpus)) if amount)

    def make_room(self) -> None:
        """Stop the idle engines: a queued training needs their resources. The next pass restarts them."""
        if self.members:
            self.progress.say("no pending generations: releasing the engine for a queued training job")
            self.stop()

    def stop(self) -> None:
        """Stop the engines' processes; Ray's own end would leave them to their parents' death."""
        if not self.members:
            return
        import ray

        for member in self.members:
            try:
                if _is_ready(member.up):
                    member.heartbeat = ray.get(member.actor.heartbeat.remote(), timeout=STOP_SECONDS)
                    self._count(member)
                    ray.get(member.actor.close.remote(), timeout=STOP_SECONDS)
            except (ray.exceptions.RayError, TimeoutError) as error:
                logger.warning("an engine did not stop in time: %s", error)
            ray.kill(member.actor)
        share = self.busy_seconds / self.alive_seconds if self.alive_seconds else 0.0
        self.progress.update("engine", "done", detail=f"generating {share:.0%} of its time")
        self.members = []


def _queue(size: int) -> Any:
    """A queue on Ray with the numbers 0 .. size - 1."""
    from ray.util.queue import Queue

    shared = Queue(actor_options={"num_cpus": 0})
    shared.put_nowait_batch(list(range(size)))
    return shared


def _is_ready(reference: Any) -> bool:
    import ray

    return bool(ray.wait([reference], timeout=0, fetch_local=False)[0])


def reason(error: Exception) -> str:
    """The last line of what Ray says of a failure, or its type."""
    cause = getattr(error, "cause", None) or error
    return one_line(cause, last=True)
