"""What every method shares: the prompt with its thinking_start, the rules, the requests, and the rows they end as."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.config import Budget, Sampling
from harness.generation.budget import Machine, Rules, Stop
from harness.generation.engines.base import Engine, Request
from harness.generation.loops import is_looping
from harness.generation.rules import (
    Delimiters,
    PromptTooLongError,
    Vocabulary,
    budget_tokens,
    derive_seed,
    make_rules,
)
from harness.records import Generation, Span
from harness.thinking import ThinkingFormat

OnGeneration = Callable[[Generation], None]
STOP_STRING_WINDOW = 64  # tokens of the answer's end that are searched for a stop string


@dataclass(frozen=True)
class Prompt:
    """A rendered chat prompt: its text and its ids.

    `opened`: `thinking_start` stands in it already, before its end. `question`: what is asked, for reward models.
    """

    problem_id: str
    text: str
    ids: tuple[int, ...]
    opened: bool = False
    question: str = ""


@dataclass(frozen=True)
class Cell:
    """One budget for one prompt, with the thinking tokens it allows."""

    budget: Budget
    tokens: int


class SampleWriter:
    """One call of `generate`: makes requests for the engine and rows of what comes back."""

    def __init__(
        self,
        engine: Engine,
        sampling: Sampling,
        thinking: ThinkingFormat,
        on_generation: OnGeneration,
        stop_strings: Sequence[str] = (),
    ) -> None:
        self.engine, self.thinking, self.on_generation = engine, thinking, on_generation
        self.vocabulary = Vocabulary(engine.tokenizer, engine.eos_ids)
        self.sampling = replace(sampling, logit_bias=self.vocabulary.bias_ids(sampling.logit_bias))
        self.delimiters = Delimiters.of(self.vocabulary, thinking)
        given = (*stop_strings, *sampling.stop)
        self.stop_strings = (*(string for string in given if string), *self.delimiters.answer_stop_strings)

    @property
    def answers_apart(self) -> bool:
        """Whether each answer is a request of its own, not the end of its thought's.

        A sampled one must be: a thought that serves several budgets can end in the answer of one of them alone, and
        which one that is depends on what else is asked for.
        """
        return self.sampling.temperature > 0

    def open(self, prompt: Prompt) -> Prompt:
        """`prompt` with thinking_start behind it, unless its chat template has put it there (DeepSeek-R1's does)."""
        if prompt.opened or self.thinking.opened_in(prompt.text):
            return prompt
        return replace(prompt, text=prompt.text + self.thinking.thinking_start, ids=prompt.ids + self.delimiters.start)

    def tokens(self, budget: Budget, prompt: Prompt) -> int:
        """The thinking budget in force for `prompt`; raises `PromptTooLongError`."""
        if budget.method.endswith("_conditional") and not budget.force:
            budget = replace(budget, max_thinking_tokens="auto")
        delimiters = self.delimiters_of(budget)
        return budget_tokens(budget, self.sampling, delimiters, len(prompt.ids), self.engine.max_model_len)

    def delimiters_of(self, budget: Budget) -> Delimiters:
        """The format's delimiters with what `budget` says of a forced end."""
        if budget.final_answer is None:
            return self.delimiters
        return replace(self.delimiters, forced=self.vocabulary.encode(self.thinking.thinking_end + budget.final_answer))

    def cells(self, budgets: Sequence[Budget], prompt: Prompt, sample: int) -> list[Cell]:
        """The budgets that `prompt` leaves room for; the others become rows with an error."""
        cells: list[Cell] = []
        for budget in budgets:
            try:
                cells.append(Cell(budget, self.tokens(budget, prompt)))
            except PromptTooLongError as error:
                self.fail(prompt, budget, sample, str(error))
        return cells

    def rules(self, budget: Budget, prompt: Prompt, caps: tuple[int, ...]) -> Rules:
        """The machine's rules, with `caps` for the rounds of thinking."""
        if len(caps) > 1:  # a group's first budget need not be one that ignores
            budget = replace(budget, num_ignores=len(caps) - 1)
        return make_rules(
            budget,
            self.sampling,
            self.vocabulary,
            self.delimiters_of(budget),
            caps=caps,
            prompt_ids=prompt.ids,
            max_model_len=self.engine.max_model_len,
            answer_stop=self._found_stop_string if self.stop_strings else None,
        )

    def _found_stop_string(self, answer: Sequence[int]) -> bool:
        text = self.vocabulary.decode(answer[-STOP_STRING_WINDOW:])
        return any(string in text for string in self.stop_strings)

    def request(
        self,
        prompt: Prompt,
        machine: Machine,
        budget: Budget,
        sample: int,
        part: str,
        on_done: Callable[[Request], Iterator[Request]],
    ) -> Request:
        """A request with a seed of its own: `part` tells the streams of one sample apart."""
        return Request(
            prompt_ids=prompt.ids,
            machine=machine,
            sampling=self.sampling,
            seed=derive_seed(self.sampling.seed, prompt.problem_id, sample, part),
            on_done=on_done,
            round_temperatures=budget.round_temperatures,
        )

    def emit(
        self,
        prompt: Prompt,
        cells: Sequence[Cell],
        sample: int,
        stop: Stop,
        machine: Machine,
        *,
        replayed: bool = False,
        spans: Sequence[Span] = (),
        discarded_tokens: int = 0,
        shared_tokens: int = 0,
        num_attempts: int = 1,
        reward: float | None = None,
    ) -> None:
        """The rows of `cells`, which all stop at `stop`: its thought, and the closing and the answer of `machine`."""
        answer = self.vocabulary.decode(machine.answer)
        for string in self.stop_strings:
            answer = answer.split(string)[0]
        row = Generation(
            problem_id=prompt.problem_id,
            budget=cells[0].budget,
            sample_index=sample,
            seed=self.sampling.seed,
            prompt_ids=prompt.ids,
            thinking_ids=stop.thinking,
            closing_ids=machine.closing,
            answer_ids=tuple(machine.answer),
            forced_spans=tuple(spans),
            prompt=prompt.text,
            thinking=self.vocabulary.decode(stop.thinking),
            closing=self.vocabulary.decode(machine.closing),
            answer=answer,
            budget_tokens=cells[0].tokens,
            num_rounds=0 if stop.finish in ("none", "rejected") else stop.round + 1,
            thinking_finish=stop.finish,
            answer_finish=machine.answer_finish,
            forced_end=stop.finish in ("budget", "loop"),
            replayed=replayed,
            looping=is_looping(stop.thinking),
            discarded_tokens=discarded_tokens,
            shared_tokens=shared_tokens,
            num_attempts=num_attempts,
            reward=reward,
            answer_logprobs=tuple(machine.answer_logprobs),
            answer_ends=self.vocabulary.ends(machine.answer) if machine.answer_logprobs else (),
        )
        for cell in cells:
            self.on_generation(replace(row, budget=cell.budget, budget_tokens=cell.tokens))

    def fail(
        self,
        prompt: Prompt,
        budget: Budget,
        sample: int,
        reason: str,
    ) -> None:
        """The row of a generation that did not come about."""
        wanted = budget.max_thinking_tokens
        self.on_generation(
            Generation(
                problem_id=prompt.problem_id,
                budget=budget,
                sample_index=sample,
                seed=self.sampling.seed,
                prompt_ids=prompt.ids,
                thinking_ids=(),
                closing_ids=(),
                answer_ids=(),
                forced_spans=(),
                prompt=prompt.text,
                thinking="",
                closing="",
                answer="",
                budget_tokens=0 if wanted == "auto" else wanted,
                num_rounds=0,
                thinking_finish="error",
                answer_finish="error",
                forced_end=False,
                error=reason,
            )
        )
