"""Kill vLLM's subprocesses when their parent dies, even by SIGKILL: the engine core would block forever.

Their sockets, which nobody else would remove, go with them.

A guard is a small process of its own session and nobody's child, so that what kills our process group, or our children
(Ray does, after a worker's death), does not kill it too. It is told the processes it is in charge of, and ends them
when the pipe that it listens to closes or its owner is gone.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

LOOK_SECONDS = 1.0


class Guard:
    """The side of the process that is guarded."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="harness-"))  # for the processes' sockets; ends with the guard
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._process.wait()  # it has left a child behind, which is the guard
        self.wards: set[int] = set()  # ids of the processes it is in charge of

    @contextlib.contextmanager
    def watching(self, find: Callable[[], set[Any]]) -> Iterator[None]:
        """Takes charge of the processes that `find` finds, again and again while the block runs.

        Starting an engine takes long enough for this process to be killed meanwhile.
        """
        over = threading.Event()

        def look() -> None:
            while not over.wait(LOOK_SECONDS):
                self.take(find())

        thread = threading.Thread(target=look, name="guard", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.take(find())

    def take(self, processes: set[Any]) -> None:
        """Takes charge of `processes`."""
        new = {process.pid for process in processes} - self.wards
        self.wards |= new
        pipe = self._process.stdin
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):  # somebody ended the guard: nothing depends on it
            pipe.write(b"".join(b"%d\n" % pid for pid in sorted(new)))
            pipe.flush()

    def close(self) -> None:
        """Has it end what it is in charge of, remove `folder`, and end itself."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()


def main() -> None:
    """The guard itself: a process id a line on its input, and the folder to remove as its argument."""
    import psutil

    owner, rest, wards = psutil.Process(os.getppid()), b"", set()
    if os.fork():
        os._exit(0)
    while _alive(owner):
        if not select.select([0], [], [], LOOK_SECONDS)[0]:
            continue
        if not (data := os.read(0, 4096)):
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            with contextlib.suppress(psutil.Error):  # gone already
                wards.add(psutil.Process(int(line)))
    for ward in wards:
        with contextlib.suppress(psutil.Error):
            ward.kill()
    shutil.rmtree(sys.argv[1], ignore_errors=True)


def _alive(process: Any) -> bool:
    import psutil

    try:
        return process.status() != psutil.STATUS_ZOMBIE and bool(process.is_running())
    except psutil.Error:
        return False


if __name__ == "__main__":
    main()
