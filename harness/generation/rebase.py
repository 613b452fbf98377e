"""REBASE: tree search over the steps of a thought, led by a reward (Wu et al. 2024, arXiv 2408.00724; s1, section 6.2).

The thought grows step by step (a step ends in an empty line). The steps of one depth are scored; what is left of the
width is shared among them by a softmax of their rewards, and each is continued as often as its share says. A thought
that ends leaves the tree and is answered. The width is `num_samples`: so many answers has each problem.

Thoughts share steps, and some steps lead to no answer. Both are in the ledger: a row's `shared_tokens` are thinking
tokens that an earlier row of its tree has paid for, and the first row bears the tree's `discarded_tokens`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.config import Budget
from harness.errors import UserError
from harness.generation.budget import Machine, Stop, Turn
from harness.generation.engines.base import Request
from harness.generation.reward import Reward, Thought
from harness.generation.samples import Cell, Prompt, SampleWriter


@dataclass(frozen=True)
class Leaf:
    """A thought of the tree.

    steps      its text, one piece per step
    nodes      the steps that it consists of: places in the tree's list of their lengths
    reward     of its last step
    finish     how it ended; None: it goes on
    """

    thinking: tuple[int, ...] = ()
    steps: tuple[str, ...] = ()
    nodes: tuple[int, ...] = ()
    reward: float = 1.0
    finish: str | None = None


@dataclass
class StepMachine(Machine):
    """Thinks one step, on from the `thinking` it is given: to the next empty line, or as far as a `Machine` goes."""

    empty_line: Callable[[Sequence[int]], bool] = lambda ids: False
    step_tokens: frozenset[int] = frozenset()  # ids that can end an empty line

    def __post_init__(self) -> None:
        self._free = len(self.thinking)  # one round over all steps: only an empty thought may not end
        super().__post_init__()

    def turn(self) -> Turn | None:
        """See `Machine.turn`; a turn ends at the end of a step, too."""
        turn = super().turn()
        if turn is None or turn.min_tokens:  # an end that may not be sampled yet must not be watched for either
            return turn and replace(turn, max_tokens=turn.min_tokens or turn.max_tokens)
        return replace(turn, stop_ids=turn.stop_ids | self.step_tokens)

    def _quiet(self) -> int:
        return 0  # any token can end the step

    def _think(self, token: int) -> bool:
        going_on = super()._think(token)
        if going_on and token in self.step_tokens and self.empty_line(self.thinking):
            self.phase = "done"  # the step is over, the thought is not: thinking_finish stays "none"
            return False
        return going_on


def shares(rewards: Sequence[float], width: int, temperature: float) -> list[int]:
    """How often each leaf is continued: `width` in all, by a softmax of `rewards` at `temperature`.

    Wu et al. round each share; here the largest remainders are rounded up, so that the width is kept to.
    """
    if not rewards or width <= 0:
        return [0] * len(rewards)
    best = max(rewards)
    weights = [math.exp((reward - best) / temperature) for reward in rewards]
    exact = [width * weight / sum(weights) for weight in weights]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (counts[i] - exact[i], i))
    for index in by_remainder[: width - sum(counts)]:
        counts[index] += 1
    return counts


def tree(writer: SampleWriter, prompt: Prompt, budget: Budget, reward: Reward) -> Iterator[Request]:
    """The first requests of the search for one prompt; the others follow from them.

    Its rows are written when it is over: all of them, or an error for each where one request failed.
    """
    if cells := writer.cells([budget], prompt, 0):
        yield from _Tree(writer, prompt, cells[0], reward).grow([Leaf()])
        return
    for sample in range(1, writer.sampling.num_samples):  # no room to think: a row that says so for each sample
        writer.cells([budget], prompt, sample)


def check(budget: Budget) -> None:
    """Raise `UserError` for a budget that tree search cannot keep to."""
    if budget.num_ignores:
        raise UserError("rebase cannot ignore ends of thinking; set num_ignores=0")


class _Tree:
    """The search for one prompt."""

    def __init__(self, writer: SampleWriter, prompt: Prompt, cell: Cell, reward: Reward) -> None:
        self.writer, self.prompt, self.cell, self.reward = writer, prompt, cell, reward
        self.width = writer.sampling.num_samples
        self.rules = writer.rules(cell.budget, prompt, (cell.tokens,))
        self.depth = self.pending = self.open_steps = 0
        self.lengths: list[int] = []  # tokens of each step
        self.level: list[tuple[Leaf, Machine]] = []  # what the steps of this depth go on from, and their machines
        self.ended: list[Leaf] = []  # in the order of samples
        self.answers: dict[int, Machine] = {}
        self.error: str | None = None

    def grow(self, leaves: Sequence[Leaf]) -> Iterator[Request]:
        """Continues `leaves` with what the width has left."""
        vocabulary = self.writer.vocabulary
        self.depth += 1
        self.level = []
        counts = shares([x.reward for x in leaves], self.width - len(self.ended), self.cell.budget.reward_temperature)
        for leaf, count in zip(leaves, counts, strict=True):
            for _ in range(count):
                machine = StepMachine(
                    self.rules,
                    thinking_only=True,
                    thinking=list(leaf.thinking),
                    empty_line=lambda ids: vocabulary.decode(ids[-4:]).endswith("\n\n"),
                    step_tokens=vocabulary.newline_tokens,
                )
                self.level.append((leaf, machine))
        self.open_steps = len(self.level)
        self.pending += self.open_steps
        for index, (_, going_on) in enumerate(tuple(self.level)):
            yield self._request(going_on, f"depth {self.depth} step {index}", self._stepped)

    def _request(self, machine: Machine, part: str, then: Callable[[Request], Iterator[Request]]) -> Request:
        return self.writer.request(self.prompt, machine, self.cell.budget, 0, part, then)

    def _stepped(self, request: Request) -> Iterator[Request]:
        self.pending, self.open_steps = self.pending - 1, self.open_steps - 1
        self.error = self.error or request.error
        return self._close() if self.error or self.open_steps else self._score()

    def _score(self) -> Iterator[Request]:
        """The level is whole: its steps are scored together, in their order, whichever was sampled first."""
        grown = [self._grown(leaf, machine) for leaf, machine in self.level]
        thoughts = [Thought(self.prompt.question, self.prompt.text, leaf.steps) for leaf in grown]
        scored = [replace(leaf, reward=value) for leaf, value in zip(grown, self.reward(thoughts), strict=True)]
        requests = []
        for index, leaf in enumerate(scored):
            if leaf.finish:
                closing = self.rules.closing(leaf.thinking, forced=leaf.finish != "stop")
                answering = Machine.answering(self.rules, leaf.thinking, closing)
                self.answers[len(self.ended)] = answering
                self.ended.append(leaf)
                part = f"answer of depth {self.depth} step {index}"
                requests.append(self._request(answering, part, self._answered))
        self.pending += len(requests)
        yield from requests
        yield from self.grow([leaf for leaf in scored if not leaf.finish])

    def _grown(self, leaf: Leaf, machine: Machine) -> Leaf:
        thinking = tuple(machine.thinking)
        self.lengths.append(len(thinking) - len(leaf.thinking))
        text, before = self.writer.vocabulary.decode(thinking), sum(map(len, leaf.steps))
        finish = None if machine.thinking_finish == "none" else machine.thinking_finish
        return Leaf(thinking, (*leaf.steps, text[before:]), (*leaf.nodes, len(self.lengths) - 1), 0.0, finish)

    def _answered(self, request: Request) -> Iterator[Request]:
        self.pending -= 1
        self.error = self.error or request.error
        return self._close()

    def _close(self) -> Iterator[Request]:
        """Writes the rows once nothing is on its way."""
        if self.pending == 0 and self.error:
            for sample in range(self.width):
                self.writer.fail(self.prompt, self.cell.budget, sample, self.error)
        elif self.pending == 0 and len(self.ended) == self.width:
            self._write()
        return iter(())

    def _write(self) -> None:
        paid: set[int] = set()
        kept = {node for leaf in self.ended for node in leaf.nodes}
        discarded = sum(length for node, length in enumerate(self.lengths) if node not in kept)
        for sample, leaf in enumerate(self.ended):
            self.writer.emit(
                self.prompt,
                [self.cell],
                sample,
                Stop(leaf.thinking, str(leaf.finish), 0),
                self.answers[sample],
                discarded_tokens=0 if sample else discarded,
                shared_tokens=sum(self.lengths[node] for node in leaf.nodes if node in paid),
                reward=leaf.reward,
            )
            paid.update(leaf.nodes)
