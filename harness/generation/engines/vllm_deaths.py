"""What to do when vLLM's core dies under its requests: by cause, so that nobody pays for another's fault.

A core that was ended from outside (no memory, an operator, a node) says nothing of its requests: all of them go on. One
that died of an error was killed by one of them, or by their number: the next one gets fewer at a time, down to one, and
the request that an engine dies of while it is alone in it is given up. Nothing else is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from harness.generation.engines.base import Request

FEWER = 4  # times fewer requests at a time after each death by an error
MOST_IN_A_ROW = 8  # deaths without a finished request between them, after which all that is left is given up
OUTSIDE = "its process was ended from outside"
# The last line of a traceback, behind whatever vLLM's logger puts before it.
ERROR = re.compile(r"(?:^|[\]\s])((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt)(?::.*)?)$")


class Deaths:
    """The deaths of one run, and how many requests may be in the engine because of them."""

    def __init__(self, limit: int) -> None:
        self.limit = self._full = limit
        self.in_a_row = 0

    def finished(self) -> None:
        """A request came to its end: the engine works, and may have one more."""
        self.in_a_row = 0
        self.limit = min(self._full, self.limit + 1)

    def died(self, cause: str, lost: Sequence[Request]) -> bool:
        """The engine died of `cause` with `lost` in it: sets `error` on those that are given up, clears the others'.

        False: it is beyond help, and all of `lost` were given up.
        """
        self.in_a_row += 1
        hopeless = self.in_a_row > MOST_IN_A_ROW
        guilty = cause != OUTSIDE and len(lost) == 1
        for request in lost:
            request.error = f"the engine died while this was generated: {cause}" if hopeless or guilty else None
        if cause != OUTSIDE:
            self.limit = max(1, min(self.limit, len(lost)) // FEWER)
        return not hopeless


def cause(log: Path, start: int) -> str:
    """Why the core whose log begins at byte `start` of `log` died: its error, or `OUTSIDE` where it wrote none."""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    fatal = next((index for index, line in enumerate(lines) if "fatal error" in line), None)
    if fatal is None:
        return OUTSIDE
    found = [match[1] for line in lines[fatal:] if (match := ERROR.search(line.rstrip()))]
    return next((error for error in found if "EngineDead" not in error), lines[fatal].strip())
