"""What the user sees while a study runs: a live table on a terminal, plain lines otherwise."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from harness.console import PlainConsole

PLAIN_SECONDS = 10.0  # between two plain lines of the same stage
SILENT_SECONDS = 30.0  # without a plain line, after which what is going on is said again


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
    left_seconds: float | None = None  # where something better than the count tells
    doing: Callable[[], str] | None = None  # what it is doing now, asked while it runs

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
        left, detail = "", self.detail
        if self.state == "running" and self.left_seconds is not None:
            left = clock(self.left_seconds)
        elif self.state == "running" and self.total and 0 < self.done < self.total:
            left = clock(seconds / self.done * (self.total - self.done))
        if self.state == "running" and self.doing is not None:
            detail = ", ".join(part for part in (detail, self.doing()) if part)
        return count, rate, clock(seconds) if self.started else "", left, detail


@dataclass
class Progress:
    """The stages of one call. Use as a context manager."""

    console: Console = field(default_factory=PlainConsole)
    stages: dict[str, Stage] = field(default_factory=dict)
    quiet: bool = False  # only what fails is said
    live: bool = True  # a table, where the console is a terminal
    plain_seconds: float = PLAIN_SECONDS
    silent_seconds: float = SILENT_SECONDS
    _live: Live | None = None
    _start: float = field(default_factory=time.monotonic)
    _spoken: float = field(default_factory=time.monotonic)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Progress:
        if self.console.is_terminal and self.live and not self.quiet:
            self._live = Live(get_renderable=self.table, console=self.console, refresh_per_second=4, transient=False)
            self._live.start()
        elif not self.quiet:
            self._ended.clear()
            threading.Thread(target=self._keep_speaking, name="progress", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._live:
            self._live.stop()
            self._live = None

    def _keep_speaking(self) -> None:
        """In a log: say what is going on where nothing else has for `silent_seconds`."""
        while not self._ended.wait(min(1.0, self.silent_seconds)):
            if time.monotonic() - self._spoken > self.silent_seconds:
                running = [stage for stage in list(self.stages.values()) if stage.state == "running"]
                self.say(
                    "; ".join(f"{stage.title}: {self.words(stage)}" for stage in running) or "waiting for resources"
                )

    def watch(self, key: str, doing: Callable[[], str] | None) -> None:
        """Ask `doing` what a stage does, whenever that is shown; None: no longer."""
        self.stages[key].doing = doing

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
        left_seconds: float | None = None,
    ) -> None:
        """Change a stage: `done` is absolute, `tokens` are added; `left_seconds` None: the count tells what is left."""
        stage = self.stages[key]
        stage.left_seconds = left_seconds
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
        self._spoken = time.monotonic()
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
