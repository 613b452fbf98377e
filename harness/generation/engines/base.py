"""What passes between the methods and the engines: a request, and the interface every engine has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.config import Sampling
from harness.generation.budget import Machine, Turn
from harness.generation.rules import derive_seed


@dataclass
class Request:
    """One stream of sampling: a prompt, the machine that steers it, and what to do when it is over.

    `on_done` is called in the thread that called `Engine.run`, with `machine.done` or `error` set; the requests it
    returns are run next, before others that wait. `seed`: requests with equal seeds and prompts sample alike.
    """

    prompt_ids: tuple[int, ...]
    machine: Machine
    sampling: Sampling
    seed: int
    on_done: Callable[[Request], Iterable[Request]]
    round_temperatures: tuple[float, ...] = ()
    error: str | None = None
    submissions: int = 0  # times it was given to the engine anew; part of the seed, so that no noise is used twice

    def __post_init__(self) -> None:
        self._start = self.machine.state() if self.sampled else None

    @property
    def sampled(self) -> bool:
        """Whether any of its turns draws random numbers."""
        sampling = self.sampling
        return any((sampling.temperature, sampling.thinking_temperature, *self.round_temperatures))

    def resume(self) -> None:
        """Go on in another engine, after the death of the one that had it.

        A greedy request goes on from the tokens it has. A sampled one begins again: a new submission has other random
        numbers than the rest of the old one, and the row would not be that of an undisturbed run.
        """
        if self._start is not None:
            self.machine.restore(self._start)
            self.submissions = 0

    def temperature(self, turn: Turn) -> float:
        """The temperature of `turn`: that of its round after an ignore, if the budget names one."""
        if turn.round and self.round_temperatures:
            return self.round_temperatures[min(turn.round, len(self.round_temperatures)) - 1]
        thinking = None if turn.round is None else self.sampling.thinking_temperature
        return self.sampling.temperature if thinking is None else thinking

    def top_p(self, turn: Turn) -> float:
        """The nucleus of `turn`."""
        thinking = None if turn.round is None else self.sampling.thinking_top_p
        return self.sampling.top_p if thinking is None else thinking

    def wants_logprobs(self, turn: Turn) -> bool:
        """Whether the log-probabilities of the tokens that `turn` samples are to be given to the machine, too."""
        return turn.round is None and self.sampling.answer_logprobs

    def turn_seed(self) -> int:
        """The seed of the current submission."""
        return derive_seed(self.seed, self.submissions)


@dataclass
class Counters:
    """What an engine has done since it was opened."""

    sampled_tokens: int = 0  # tokens the engine sampled, thrown away ones included
    appended_tokens: int = 0  # prompt and injected tokens handed to it
    submissions: int = 0  # requests it had to start from the prompt on
    finished: int = 0
    notes: list[str] = field(default_factory=list)  # what the user should be told of it, each once


class Engine(Protocol):
    """Samples tokens for machines. One `run` at a time."""

    name: str
    version: str
    model: str  # what it generates with: a folder or a hub name
    dtype: str  # that it computes in, "auto" resolved; "unknown" for a server's
    tokenizer: Any  # of `model`, as are the two below
    max_model_len: int
    eos_ids: tuple[int, ...]
    counters: Counters
    can_restart: bool  # whether `load_weights` and `restart` work: not for a server
    served_model: str | None  # the server's name for `model`

    def run(self, requests: Iterable[Request]) -> None:
        """Runs `requests` and all that their `on_done` return. A request that fails gets `error`; the others go on."""

    def load_weights(self, path: str | Path, *, in_place: bool = True) -> str | None:
        """Generates with the checkpoint at `path` from now on: its weights, tokenizer and ends of text.

        Swaps the weights in place where that is sound and `in_place` allows it, else starts again. Returns why it
        started again, None after a swap. Raises `UserError` when the checkpoint cannot be loaded.
        """

    def restart(self) -> None:
        """Loads the present model afresh."""

    def top_logprobs(self, sequences: Sequence[Sequence[int]], num_top: int) -> list[list[dict[int, float]]]:
        """The `num_top` most likely next tokens after each non-empty prefix of each of `sequences`.

        From the raw logits. Each is a mapping of token id to log-probability in nats. A server leaves the whole
        sequence's out.
        """

    def close(self) -> None:
        """Release the engine's processes and memory; it cannot be used after that."""


def continuation(held: Sequence[int], wanted: Sequence[int]) -> list[int] | None:
    """What to append to the tokens an engine holds so that it sees `wanted`; None if it must start anew.

    It must where they part, and where nothing is new: an engine has to compute at least one token before it can sample
    the next.
    """
    if len(wanted) <= len(held) or list(wanted[: len(held)]) != list(held):
        return None
    return list(wanted[len(held) :])
