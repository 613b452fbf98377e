"""One command in this process, as a shell sees it: its exit code and what it printed; anything else is a traceback."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable
from dataclasses import dataclass

from harness.cli.exits import call
from harness.cli.main import cli


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def refused_in_one_line(self) -> bool:
        """Whether it said on one line what the user's mistake is, and did nothing."""
        lines = self.err.splitlines()
        return self.code == 2 and bool(lines) and lines[-1].startswith("harness: ") and "Traceback" not in self.err


def harness(*arguments: object) -> Ended:
    """`harness ARGUMENTS`. Raises what would be a traceback in a shell."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            call(cli, [str(argument) for argument in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Ended(code, *(stream.buffer.getvalue().decode("utf-8", "surrogateescape") for stream in (out, err)))


def table(title: str, columns: Iterable[str], rows: dict[str, dict[str, str]]) -> list[str]:
    """A Markdown table of `rows` (name -> column -> cell)."""
    names = list(columns)
    lines = [f"| {title} | " + " | ".join(f"`{name}`" for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(cells.get(name, "") for name in names) + " |" for row, cells in rows.items()]
    return lines
