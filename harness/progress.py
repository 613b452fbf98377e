"""What the user sees while a study runs: a live table on a terminal, plain lines otherwise."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from harness.console import PlainConsole

PLAIN_SECONDS = 10.0  # between two plain lines of the same stage


def clock(seconds: float) -> str:
    """`seconds` as m:ss, or h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@dataclass
class Stage:
    """One line of the view. `total` None: not countable."""

    title: str
    state: str = "waiting"  # waiting | running | done | failed | kept
    done: int = 0
    total: int | None = None
    tokens: int = 0
    detail: str = ""
    started: float | None = None
    ended: float | None = None
    printed: float = 0.0

    def seconds(self) -> float:
        """Seconds from the stage's start to its end, or to now; 0 before its start."""
        if self.started is None:
            return 0.0
        return (self.ended or time.monotonic()) - self.started

    def columns(self) -> tuple[str, str, str, str, str]:
        """Count, rate, elapsed, time left, detail as text."""
        seconds = self.seconds()
        count = f"{self.done}/{self.total}" if self.total else ""
        rate = f"{self.tokens / seconds:,.0f} tok/s" if self.tokens and seconds > 0.5 else ""
        left = ""
        if self.state == "running" and self.total and 0 < self.done < self.total:
            left = clock(seconds / self.done * (self.total - self.done))
        return count, rate, clock(seconds) if self.started else "", left, self.detail


@dataclass
class Progress:
    """The stages of one call. Use as a context manager."""

    console: Console = field(default_factory=PlainConsole)
    stages: dict[str, Stage] = field(default_factory=dict)
    quiet: bool = False  # only what fails is said
    live: bool = True  # a table, where the console is a terminal
    plain_seconds: float = PLAIN_SECONDS
    _live: Live | None = None
    _start: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Progress:
        if self.console.is_terminal and self.live and not self.quiet:
            self._live = Live(get_renderable=self.table, console=self.console, refresh_per_second=4, transient=False)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def add(self, key: str, title: str, total: int | None = None) -> None:
        """Announce a stage."""
        self.stages[key] = Stage(title, total=total)

    def update(
        self,
        key: str,
        state: str | None = None,
        done: int | None = None,
        tokens: int = 0,
        detail: str | None = None,
        total: int | None = None,
    ) -> None:
        """Change a stage: `done` is absolute, `tokens` are added."""
        stage = self.stages[key]
        changed = state is not None and state != stage.state
        if state:
            stage.state = state
            if state == "running":
                stage.started, stage.ended = stage.started or time.monotonic(), None
            if state in ("done", "failed"):
                stage.ended = time.monotonic()
        stage.done = stage.done if done is None else done
        stage.total = stage.total if total is None else total
        stage.tokens += tokens
        stage.detail = stage.detail if detail is None else detail
        if self.quiet and not (changed and stage.state == "failed"):
            return
        if self._live is None and (changed or time.monotonic() - stage.printed > self.plain_seconds):
            stage.printed = time.monotonic()
            self.say(f"{stage.title}: {stage.state} {self.words(stage)}".rstrip())

    def words(self, stage: Stage) -> str:
        """The columns of a stage in one line."""
        count, rate, elapsed, left, detail = stage.columns()
        parts = [count, rate, f"{elapsed} elapsed" if elapsed else "", f"{left} left" if left else "", detail]
        return ", ".join(part for part in parts if part)

    def say(self, line: str) -> None:
        """One line above the table, or a plain line with the time since the start."""
        text = line if self._live else f"[{clock(time.monotonic() - self._start):>5}] {line}"
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def table(self) -> Table:
        """The live view."""
        marks = {"waiting": "·", "running": "▶", "done": "✓", "failed": "✗", "kept": "="}
        styles = {"waiting": "dim", "running": "bold", "done": "green", "failed": "red", "kept": "cyan"}
        table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
        for name, justify in (
            ("", "left"),
            ("stage", "left"),
            ("done", "right"),
            ("rate", "right"),
            ("elapsed", "right"),
            ("left", "right"),
            ("", "left"),
        ):
            table.add_column(name, justify=justify)  # type: ignore[arg-type]
        for stage in self.stages.values():
            table.add_row(marks[stage.state], stage.title, *stage.columns(), style=styles[stage.state])
        return table
