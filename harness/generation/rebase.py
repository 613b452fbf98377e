"""REBASE: tree search over the steps of a thought, led by a reward (Wu et al. 2024, arXiv 2408.00724; s1, section 6.2).

The thought grows step by step (a step ends in an empty line). The steps of one depth are scored; what is left of the
width is shared among them by a softmax of their rewards, and each is continued as often as its share says. A thought
that ends leaves the tree and is answered. The reward sees the prompt and the thought so far: a reward model, or
`repetition_reward`, which needs none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.config import Budget, Sampling
from harness.errors import UserError
from harness.generation.budget import Machine, Stop, Turn
from harness.generation.engines.base import Engine, Request
from harness.generation.loops import repetition
from harness.generation.rules import PromptTooLongError
from harness.generation.samples import Cell, Prompt, SampleWriter
from harness.records import Generation
from harness.thinking import ThinkingFormat

Reward = Callable[[str, str], float]
SOFTMAX_TEMPERATURE = 0.2  # over the rewards, which lie in 0 .. 1 (Wu et al., section 3.2)


@dataclass(frozen=True)
class Leaf:
    """A thought of the tree: its ids so far, its reward, and how it ended (None: it goes on)."""

    thinking: tuple[int, ...]
    reward: float
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

    def _think(self, token: int) -> bool:
        going_on = super()._think(token)
        if going_on and token in self.step_tokens and self.empty_line(self.thinking):
            self.phase = "done"  # the step is over, the thought is not: thinking_finish stays "none"
            return False
        return going_on


def shares(rewards: Sequence[float], width: int) -> list[int]:
    """How often each of the leaves with `rewards` is continued: `width` in all, by largest remainder of a softmax."""
    if not rewards or width <= 0:
        return [0] * len(rewards)
    best = max(rewards)
    weights = [math.exp((reward - best) / SOFTMAX_TEMPERATURE) for reward in rewards]
    exact = [width * weight / sum(weights) for weight in weights]
    counts = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: (counts[i] - exact[i], i))
    for index in by_remainder[: width - sum(counts)]:
        counts[index] += 1
    return counts


def repetition_reward(prompt: str, thought: str) -> float:
    """A reward that needs no model: 1 minus the share of word 4-grams said before. Loops are worth nothing."""
    return 1.0 - repetition([hash(word) for word in thought.split()], ngram=4)


class _Tree:
    """The search for one prompt."""

    def __init__(
        self, writer: SampleWriter, prompt: Prompt, cell: Cell, reward: Reward, keep: Callable[[int, float], None]
    ):
        self.writer, self.prompt, self.cell, self.reward, self.keep = writer, prompt, cell, reward, keep
        self.width = writer.sampling.num_samples
        self.answered = self.depth = self.pending = self.thought = 0
        self.level: list[Leaf] = []

    def grow(self, leaves: Sequence[Leaf]) -> Iterator[Request]:
        """Continues `leaves` with what the width has left."""
        rules = self.writer.rules(self.cell.budget, self.prompt, (self.cell.tokens,))
        vocabulary = self.writer.vocabulary
        self.level, self.pending = [], 0
        self.depth += 1
        requests = []
        for leaf, count in zip(leaves, shares([x.reward for x in leaves], self.width - self.answered), strict=True):
            for _ in range(count):
                machine = StepMachine(
                    rules,
                    thinking_only=True,
                    thinking=list(leaf.thinking),
                    empty_line=lambda ids: vocabulary.decode(ids[-4:]).endswith("\n\n"),
                    step_tokens=vocabulary.newline_tokens,
                )
                part = f"depth {self.depth} step {self.pending}"
                self.pending += 1
                requests.append(
                    self.writer.request(
                        self.prompt, machine, self.cell.budget, 0, part, self._stepped(len(leaf.thinking))
                    )
                )
        yield from requests

    def _stepped(self, before: int) -> Callable[[Request], Iterator[Request]]:
        def finish(request: Request) -> Iterator[Request]:
            machine = request.machine
            self.pending -= 1
            self.thought += len(machine.thinking) - before
            if request.error:
                self._fail(request.error)
            else:
                text = self.writer.vocabulary.decode(machine.thinking)
                ended = None if machine.thinking_finish == "none" else machine.thinking_finish
                leaf = Leaf(tuple(machine.thinking), self.reward(self.prompt.text, text), ended)
                if ended:
                    yield self._answer(leaf)
                else:
                    self.level.append(leaf)
            if not self.pending and self.level:
                yield from self.grow(self.level)

        return finish

    def _answer(self, leaf: Leaf) -> Request:
        sample, self.answered = self.answered, self.answered + 1
        stop = Stop(leaf.thinking, str(leaf.finish), 0)
        rules = self.writer.rules(self.cell.budget, self.prompt, (self.cell.tokens,))
        machine = Machine.answering(rules, stop.thinking, rules.closing(stop.thinking, forced=leaf.finish != "stop"))

        def finish(request: Request) -> Iterator[Request]:
            if request.error:
                self.writer.fail(self.prompt, self.cell.budget, sample, request.error)
            else:
                self.keep(sample, leaf.reward)
                self.writer.emit(self.prompt, [self.cell], sample, stop, machine)
            return iter(())

        return self.writer.request(self.prompt, machine, self.cell.budget, sample, "answer", finish)

    def _fail(self, reason: str) -> None:
        sample, self.answered = self.answered, self.answered + 1
        self.writer.fail(self.prompt, self.cell.budget, sample, reason)


def rebase(
    engine: Engine,
    prompts: Sequence[Prompt],
    budget: Budget,
    sampling: Sampling,
    thinking: ThinkingFormat,
    *,
    on_generation: Callable[[Generation, float], None],
    reward: Reward = repetition_reward,
) -> None:
    """`sampling.num_samples` thoughts for each prompt by tree search; `on_generation` gets each with its reward.

    The reward is the weight of a weighted majority vote. Thoughts share prefixes: the sampled tokens of the search are
    in `engine.counters`, and fewer than the rows' thinking tokens. Raises `UserError` at temperature 0, where all
    branches are one, and for ignores, which tree search does not know.
    """
    if sampling.temperature == 0 and sampling.num_samples > 1:
        raise UserError("rebase at temperature 0 grows one thought many times; set a temperature above 0")
    if budget.num_ignores:
        raise UserError("rebase cannot ignore ends of thinking; set num_ignores=0")
    rewards: dict[tuple[str, int], float] = {}

    def scored(row: Generation) -> None:
        on_generation(row, rewards.get((row.problem_id, row.sample_index), 0.0))

    writer = SampleWriter(engine, sampling, thinking, scored)

    def requests() -> Iterator[Request]:
        for prompt in map(writer.open, prompts):
            try:
                cell = Cell(budget, writer.tokens(budget, prompt))
            except PromptTooLongError as error:
                for sample in range(sampling.num_samples):
                    writer.fail(prompt, budget, sample, str(error))
                continue

            def keep(sample: int, value: float, problem: str = prompt.problem_id) -> None:
                rewards[problem, sample] = value

            yield from _Tree(writer, prompt, cell, reward, keep).grow([Leaf((), 1.0)])

    engine.run(requests())


def model_reward(name: str, device: str | None = None) -> Reward:
    """A reward from a sequence classifier with one logit (a process reward model): its sigmoid at the last token."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = AutoModelForSequenceClassification.from_pretrained(name, dtype="auto").to(place).eval()

    def reward(prompt: str, thought: str) -> float:
        inputs = tokenizer(prompt + thought, return_tensors="pt").to(place)
        with torch.inference_mode():
            return float(model(**inputs).logits.reshape(-1)[-1].float().sigmoid())

    return reward
