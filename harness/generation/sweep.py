"""Every prompt x budget x sample, thinking as little as possible.

Under one choice per context the run at budget b is a prefix of a longer one, and n ignores are a prefix of n + 1. So
budgets that differ only in these two share one *trunk*, thought to the largest setting; each distinct place where a
budget stops it gets one answer, branched off the cached prefix. Rows say `replayed`; `replay=False` runs each apart.

Sampled answers are never the trunk's own: each is a request whose seed depends on the place where the thought stopped.
So an answer is the same one whichever other budgets are asked for beside it, today, tomorrow, or after a kill.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.config import Budget, Sampling, check_draws
from harness.errors import UserError
from harness.generation import rebase
from harness.generation.budget import Machine, Stop, spans_before, stop_of
from harness.generation.engines.base import Engine, Request
from harness.generation.rejection import attempts
from harness.generation.reward import reward_of
from harness.generation.rules import PromptTooLongError
from harness.generation.s1_fork import ForkMachine, fork_budget
from harness.generation.samples import Cell, OnGeneration, Prompt, SampleWriter
from harness.thinking import ThinkingFormat


def generate(
    engine: Engine,
    prompts: Sequence[Prompt],
    budgets: Sequence[Budget],
    sampling: Sampling,
    thinking: ThinkingFormat,
    *,
    on_generation: OnGeneration,
    replay: bool = True,
    stop_strings: Sequence[str] = (),
) -> None:
    """Generates for every prompt, budget and sample, and calls `on_generation` in this thread as each one finishes.

    `stop_strings` end an answer and are cut off it. A prompt that does not fit, and a request that the engine fails at,
    become generations with `error` set. Raises `UserError` for settings that fit no prompt.
    """
    for budget in budgets:
        check(budget, sampling)
    writer = SampleWriter(engine, sampling, thinking, on_generation, stop_strings)
    longest = max((len(prompt.ids) for prompt in prompts), default=0)
    engine.run(
        request
        for prompt in prompts
        for sample in range(sampling.num_samples)
        for request in requests(writer, prompt, budgets, sample, replay=replay, longest=longest)
    )


def check(budget: Budget, sampling: Sampling) -> None:
    """Raises `UserError` for a budget that can never work with `sampling`."""
    check_draws(budget, sampling)
    if budget.method == "rebase":
        rebase.check(budget)
    if budget.method == "rejection_sampling":
        thinking = sampling.temperature if sampling.thinking_temperature is None else sampling.thinking_temperature
        if thinking == 0 and budget.max_attempts > 1:
            raise UserError("rejection_sampling at temperature 0 repeats one attempt; set a temperature above 0")
        if budget.max_thinking_tokens == "auto":
            raise UserError("rejection_sampling needs max_thinking_tokens as a number: the length to be kept to")
        if budget.num_ignores:
            raise UserError("rejection_sampling cannot ignore ends of thinking; set num_ignores=0")


def groups(budgets: Sequence[Budget], replay: bool) -> list[list[Budget]]:
    """Budgets that can share one trunk: they differ in the cap and the number of ignores alone."""
    if not replay:
        return [[budget] for budget in budgets]
    groups: dict[Budget, list[Budget]] = defaultdict(list)
    for budget in budgets:
        # s1's fork counts its budget anew in each round: its short runs are no prefixes of its long ones.
        # A soft end depends on where the cap is: its thought is no prefix of a longer one.
        alone = budget.compat == "s1-fork" or budget.method in ("no_thinking", "rebase") or budget.soft
        groups[budget if alone else replace(budget, max_thinking_tokens=0, num_ignores=0)].append(budget)
    return list(groups.values())


def requests(
    writer: SampleWriter,
    prompt: Prompt,
    budgets: Sequence[Budget],
    sample: int,
    *,
    replay: bool = True,
    longest: int = 0,
) -> Iterator[Request]:
    """What an engine has to run for one sample of `prompt` under `budgets`; the rest follows from each `on_done`.

    `longest`: tokens of the longest prompt of the batch, which s1's fork takes "auto" from.
    """
    opened = writer.open(prompt)
    for group in groups(budgets, replay):
        method = group[0].method
        if method == "no_thinking":
            yield from _without_thinking(writer, prompt, group[0], sample)
        elif method == "rebase":
            if sample == 0:  # one tree has the rows of all samples
                yield from rebase.tree(writer, opened, group[0], reward_of(group[0].reward))
        elif method == "rejection_sampling":
            yield from attempts(writer, opened, group, sample)
        elif group[0].compat == "s1-fork":
            yield from _as_the_fork(writer, opened, group[0], sample, max(longest, len(prompt.ids)))
        else:
            yield from _trunk(writer, opened, group, sample)


def _trunk(writer: SampleWriter, prompt: Prompt, budgets: Sequence[Budget], sample: int) -> Iterator[Request]:
    """The request that thinks for all `budgets` of one group."""
    cells = writer.cells(budgets, prompt, sample)
    if not cells:
        return
    machine = Machine(writer.rules(budgets[0], prompt, trunk_caps(cells)), thinking_only=writer.answers_apart)

    def finish(request: Request) -> Iterator[Request]:
        yield from _branch(writer, prompt, cells, sample, request)

    yield writer.request(prompt, machine, budgets[0], sample, "think", finish)


def trunk_caps(cells: Sequence[Cell]) -> tuple[int, ...]:
    """The budget in force in each round of the trunk that thinks for `cells`: the largest of those still thinking."""
    rounds = 1 + max(cell.budget.num_ignores for cell in cells)
    return tuple(max(cell.tokens for cell in cells if cell.budget.num_ignores >= index) for index in range(rounds))


def _branch(
    writer: SampleWriter, prompt: Prompt, cells: Sequence[Cell], sample: int, trunk: Request
) -> Iterator[Request]:
    """Emits the cells that the trunk answered itself, and asks for one answer at each other place to stop."""
    machine = trunk.machine
    if trunk.error:
        for cell in cells:
            writer.fail(prompt, cell.budget, sample, trunk.error)
        return
    places: dict[Stop, list[Cell]] = defaultdict(list)
    for cell in cells:
        own = Stop(tuple(machine.thinking), machine.thinking_finish, machine.round)
        stop = own if cell.budget.soft else stop_of(machine, cell.tokens, cell.budget.num_ignores)
        places[stop].append(cell)
    shared = len(cells) > 1
    for stop, stopped in places.items():
        ends_there = (stop.thinking, stop.finish) == (tuple(machine.thinking), machine.thinking_finish)
        if ends_there and not machine.thinking_only:
            writer.emit(prompt, stopped, sample, stop, machine, replayed=shared, spans=spans_before(machine, stop))
            continue
        closing = machine.rules.closing(stop.thinking, forced=stop.finish != "stop")
        branch = Machine.answering(machine.rules, stop.thinking, closing)

        def finish(request: Request, stop: Stop = stop, stopped: Sequence[Cell] = tuple(stopped)) -> Iterator[Request]:
            if request.error:
                for cell in stopped:
                    writer.fail(prompt, cell.budget, sample, request.error)
            else:
                writer.emit(
                    prompt, stopped, sample, stop, request.machine, replayed=shared, spans=spans_before(machine, stop)
                )
            return iter(())

        yield writer.request(prompt, branch, stopped[0].budget, sample, f"answer at {len(stop.thinking)}", finish)


def _alone(
    writer: SampleWriter, prompt: Prompt, cell: Cell, sample: int, machine: Machine, part: str
) -> Iterator[Request]:
    """A request for one cell that nothing else shares."""

    def finish(request: Request) -> Iterator[Request]:
        if request.error:
            writer.fail(prompt, cell.budget, sample, request.error)
        else:
            stop = Stop(tuple(machine.thinking), machine.thinking_finish, machine.round)
            discarded = machine.discarded_tokens if isinstance(machine, ForkMachine) else 0
            writer.emit(prompt, [cell], sample, stop, machine, spans=machine.spans, discarded_tokens=discarded)
        return iter(())

    yield writer.request(prompt, machine, cell.budget, sample, part, finish)


def _without_thinking(writer: SampleWriter, prompt: Prompt, budget: Budget, sample: int) -> Iterator[Request]:
    """The chat prompt alone. The answer may use what thinking and answer would have had together."""
    for cell in writer.cells([budget], prompt, sample):
        rules = writer.rules(budget, prompt, (0,))
        rules = replace(rules, max_answer_tokens=cell.tokens + writer.sampling.max_answer_tokens)
        yield from _alone(writer, prompt, Cell(budget, 0), sample, Machine.answering(rules, (), ()), "no thinking")


def _as_the_fork(writer: SampleWriter, prompt: Prompt, budget: Budget, sample: int, longest: int) -> Iterator[Request]:
    """One run with the arithmetic of s1's lm-eval fork."""
    try:
        tokens = fork_budget(budget, writer.sampling, writer.delimiters, longest)
        writer.tokens(replace(budget, max_thinking_tokens=1), prompt)  # the prompt itself has to fit
    except PromptTooLongError as error:
        writer.fail(prompt, budget, sample, str(error))
        return
    machine = ForkMachine(writer.rules(budget, prompt, (tokens,) * (budget.num_ignores + 1)))
    yield from _alone(writer, prompt, Cell(budget, tokens), sample, machine, "think as the fork")


__all__ = ["Cell", "Prompt", "SampleWriter", "check", "generate", "requests", "trunk_caps"]
