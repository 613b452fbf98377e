"""The symbolic tier: sympy in worker processes, within a budget of work.

A worker is `python -P -m harness.grading.compare.symbolic_worker` behind two pipes, started when it is first needed,
used again, and ended with this process. A question may cost MAX_SYMBOLIC_CALLS Python calls, counted in the worker, so
that one input has one verdict on a fast and on a busy machine; SYMBOLIC_SECONDS of wall clock, rlimits on memory and
CPU and a kill stand behind that. No signals and no main thread are involved, so it works in threads, Ray actors and
notebooks. A killed worker costs one `SymbolicTimeoutError`; the next comparison starts another. A worker that cannot
start at all is a fault of the installation, never a verdict.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from harness.errors import InstallationError
from harness.grading.grammar.nodes import Node
from harness.grading.grammar.nodes_json import encode
from harness.grading.limits import MAX_WORKERS, SYMBOLIC_SECONDS, SYMBOLIC_START_SECONDS


class SymbolicTimeoutError(RuntimeError):
    """The worker was killed at its deadline, or died at its memory limit."""


class WorkerStartError(InstallationError):
    """No worker could be started: the installation lacks something. Not a verdict on an answer."""


class _Worker:
    """One subprocess. `ask` is called by one thread at a time (the pool hands a worker to one caller)."""

    def __init__(self, module: str) -> None:
        root = str(Path(__file__).resolve().parents[3])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", module],  # -P: what lies in the working folder is not code
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
            bufsize=0,
        )
        self._rest = b""
        try:
            self._line(time.monotonic() + SYMBOLIC_START_SECONDS)
        except SymbolicTimeoutError as error:
            self.process.kill()
            assert self.process.stderr is not None
            said = self.process.stderr.read()[-400:].decode("utf-8", "replace").strip().splitlines()
            self.kill()
            raise WorkerStartError(
                f"python -m {module} did not start: "
                f"{said[-1] if said else f'nothing came within {SYMBOLIC_START_SECONDS:.0f} s'}; check that "
                f"{sys.executable} has sympy, and memory for it (ulimit -v)"
            ) from error
        except BaseException:  # Ctrl-C, while it starts
            self.kill()
            raise
        self._drain = threading.Thread(target=self._discard, daemon=True)
        self._drain.start()

    def _discard(self) -> None:
        """Read and forget what the worker writes to its standard error, so that it never blocks on it."""
        assert self.process.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            while self.process.stderr.read(65_536):
                pass

    def ask(self, question: dict[str, Any], seconds: float) -> Any:
        """The worker's answer; raises `SymbolicTimeoutError` after `seconds` or when the worker has died."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(question).encode() + b"\n")
        except OSError as error:
            raise SymbolicTimeoutError("the symbolic worker has died") from error
        return json.loads(self._line(time.monotonic() + seconds))

    def _line(self, deadline: float) -> bytes:
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        poller = select.poll()
        poller.register(descriptor, select.POLLIN | select.POLLHUP)
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not poller.poll(left * 1000):
                raise SymbolicTimeoutError("the symbolic worker was killed at its deadline")
            chunk = os.read(descriptor, 65_536)
            if not chunk:
                raise SymbolicTimeoutError("the symbolic worker died, at its memory or CPU limit")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):  # standard error is closed with its reader
            if pipe is not None:
                pipe.close()


class Pool:
    """At most `size` workers of this process, each `python -m module`. A fork starts with an empty pool of its own."""

    def __init__(self, module: str = "harness.grading.compare.symbolic_worker", size: int = MAX_WORKERS) -> None:
        self.module = module
        self.size = size
        self.started = 0
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Condition()
        self._idle: list[_Worker] = []
        self._alive = 0

    def ask(self, question: dict[str, Any], seconds: float = SYMBOLIC_SECONDS) -> Any:
        """One answer within `seconds` of work; raises `SymbolicTimeoutError`."""
        if self._pid != os.getpid():
            self._reset()  # a forked child must not share its parent's pipes
        worker = self._take()
        try:
            answer = worker.ask(question, seconds)
        except BaseException:
            worker.kill()
            self._give(None)
            raise
        self._give(worker)
        return answer

    def _take(self) -> _Worker:
        with self._lock:
            while not self._idle and self._alive >= self.size:
                self._lock.wait()
            if self._idle:
                return self._idle.pop()
            self._alive += 1
        try:
            worker = _Worker(self.module)
        except BaseException:
            self._give(None)
            raise
        self.started += 1
        return worker

    def _give(self, worker: _Worker | None) -> None:
        with self._lock:
            if worker is None:
                self._alive -= 1
            else:
                self._idle.append(worker)
            self._lock.notify()

    def close(self) -> None:
        """End the idle workers of this process."""
        if self._pid != os.getpid():
            return
        with self._lock:
            while self._idle:
                self._idle.pop().kill()
                self._alive -= 1


POOL = Pool()
atexit.register(POOL.close)


def same(a: Node, b: Node) -> bool | None:
    """Whether sympy shows two trees equal; None where it cannot tell, or not within its budget of work.

    Raises `SymbolicTimeoutError`, `WorkerStartError`.
    """
    answer = POOL.ask({"a": encode(a), "b": encode(b)})
    equal = answer.get("equal")
    return None if equal is None else bool(equal)
