"""Rejection sampling: think again and again until a thought fits the length (s1, section 5.1 and Figure 6).

The attempts of one sample are made in order, each with a seed of its own, and the first that fits is taken: taking the
first to *finish* would favour short thoughts. One series of attempts serves every length of a sweep. s1 loops forever
where nothing fits and forgets what the rejected attempts cost; here attempts are bounded and every token is counted.
A sample whose attempts are used up is an outcome, not an engine's error: a finished row without an answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.config import Budget
from harness.generation.budget import Machine, Stop
from harness.generation.engines.base import Request
from harness.generation.samples import Cell, Prompt, SampleWriter


class _Series:
    """The attempts of one sample for some lengths."""

    def __init__(self, writer: SampleWriter, prompt: Prompt, cells: Sequence[Cell], sample: int) -> None:
        self.writer, self.prompt, self.sample = writer, prompt, sample
        self.open = list(cells)
        self.lengths: list[int] = []  # of all attempts so far

    def attempt(self) -> Iterator[Request]:
        """The next attempt, one token longer than the longest length still open: enough to know it does not fit."""
        longest = max(cell.tokens for cell in self.open)
        budget = self.open[0].budget
        machine = Machine(self.writer.rules(budget, self.prompt, (longest + 1,)), thinking_only=True)
        part = f"attempt {len(self.lengths)}"
        yield self.writer.request(self.prompt, machine, budget, self.sample, part, self._judge)

    def _judge(self, request: Request) -> Iterator[Request]:
        machine = request.machine
        if request.error:
            for cell in self.open:
                self.writer.fail(self.prompt, cell.budget, self.sample, request.error)
            return
        self.lengths.append(len(machine.thinking))
        fits = [c for c in self.open if machine.thinking_finish == "stop" and len(machine.thinking) <= c.tokens]
        self.open = [cell for cell in self.open if cell not in fits]
        if fits:
            yield self._answer(machine, fits)
        for cell in [cell for cell in self.open if len(self.lengths) >= cell.budget.max_attempts]:
            self.open.remove(cell)
            self._give_up(cell)
        if self.open:
            yield from self.attempt()

    def _answer(self, thought: Machine, cells: Sequence[Cell]) -> Request:
        stop = Stop(tuple(thought.thinking), "stop", 0)
        machine = Machine.answering(thought.rules, stop.thinking, thought.rules.natural_closing)
        attempts = len(self.lengths)
        costs = {cell: self._rejected(cell, attempts - 1) for cell in cells}

        def finish(request: Request) -> Iterator[Request]:
            for cell in cells:
                if request.error:
                    self.writer.fail(self.prompt, cell.budget, self.sample, request.error)
                else:
                    self.writer.emit(
                        self.prompt,
                        [cell],
                        self.sample,
                        stop,
                        machine,
                        replayed=len(cells) > 1,
                        discarded_tokens=costs[cell],
                        num_attempts=attempts,
                    )
            return iter(())

        part = f"answer to attempt {attempts - 1}"
        return self.writer.request(self.prompt, machine, cells[0].budget, self.sample, part, finish)

    def _rejected(self, cell: Cell, count: int) -> int:
        """Tokens of the first `count` attempts, each cut where a run for this length alone would have cut it."""
        return sum(min(length, cell.tokens + 1) for length in self.lengths[:count])

    def _give_up(self, cell: Cell) -> None:
        """The row of a sample none of whose attempts fits: no thought was kept, and there is no answer."""
        attempts = len(self.lengths)
        self.writer.emit(
            self.prompt,
            [cell],
            self.sample,
            Stop((), "rejected", 0),
            Machine(self.writer.rules(cell.budget, self.prompt, (cell.tokens,)), phase="done"),
            discarded_tokens=self._rejected(cell, attempts),
            num_attempts=attempts,
        )


def attempts(writer: SampleWriter, prompt: Prompt, budgets: Sequence[Budget], sample: int) -> Iterator[Request]:
    """The first attempt of one sample; the others follow from it."""
    if cells := writer.cells(budgets, prompt, sample):
        yield from _Series(writer, prompt, cells, sample).attempt()
