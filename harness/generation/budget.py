"""Budget forcing as one pure state machine: token ids in, forced tokens out, no engine in it.

An engine asks for a `Turn` (how many tokens it may sample, what stops it, what it must not sample first), samples, and
feeds the ids back; `Machine.ids` is then what the model must see before the next turn. The rules, to the token
(s1, sections 3 and 4; where s1's code and README disagree, its README: one budget over all rounds together):

- Thinking tokens are all tokens between thinking_start and the closing, injected ones included, suppressed ends not.
- At the budget, whatever the model would have said next: a newline unless the last token ends in one, then
  `thinking_end` and `final_answer` (a *forced* end).
- The model ends the thought itself: with ignores left, and room for the ignore string and one token more, the end is
  dropped and the ignore string appended; else `thinking_end` is appended (a *natural* end).
- Soft ends, where they are asked for: a text put into the thought some tokens before the cap; beyond the cap, up to
  `grace` tokens more until a line or sentence is over.
- The first sampled token of a round is no end of thinking (s1's `min_tokens=1`): a round is never empty.
- Then the answer, until a stop or its own cap.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from harness.generation.loops import loops_at
from harness.records import Span

if TYPE_CHECKING:
    from harness.generation.text_ends import TextEnds

Phase = Literal["think", "answer", "done"]


@dataclass(frozen=True)
class Rules:
    """What the machine needs to know about one prompt, in ids.

    caps                 budget in force in each round, in thinking tokens over all rounds so far; its length is
                         1 + num_ignores, and it never grows (a trunk shared by many budgets lets it shrink)
    ignores              the ignore strings, used in rotation; empty: ends are only suppressed
    ends                 token sequences that end the thought
    text_ends            strings that end it however they are tokenised
    newline_tokens       ids whose text ends in a newline
    after_newline        the prompt ends in a newline: an empty thought then needs none
    room                 tokens that the model's context leaves after the prompt
    grace                tokens beyond the budget until `soft_end` says of the thought that a line or sentence is over
    soft_tokens          ids that such an end can have as its last
    wrap_up              put into the thought `wrap_up_at` tokens before the cap, or directly before it
    """

    caps: tuple[int, ...]
    ends: tuple[tuple[int, ...], ...]
    natural_closing: tuple[int, ...]
    forced_closing: tuple[int, ...]
    newline: tuple[int, ...]
    answer_ends: frozenset[int]
    max_answer_tokens: int
    room: int
    ignores: tuple[tuple[int, ...], ...] = ()
    newline_tokens: Container[int] = frozenset()
    after_newline: bool = False
    min_thinking_tokens: int = 0
    min_round_tokens: int = 1
    stop_on_loop: bool = False
    answer_stop: Callable[[Sequence[int]], bool] | None = None  # a stop string of the task, found in the answer's text
    text_ends: TextEnds | None = None
    grace: int = 0
    soft_end: Callable[[Sequence[int]], bool] = lambda thinking: False
    soft_tokens: frozenset[int] = frozenset()
    wrap_up: tuple[int, ...] = ()
    wrap_up_at: int = 0

    @cached_property
    def last_tokens(self) -> frozenset[int]:
        """Every id that can complete an end of the thought."""
        text = frozenset[int]() if self.text_ends is None else self.text_ends.last_tokens
        return text | {end[-1] for end in self.ends}

    @property
    def reads_text(self) -> bool:
        """Whether a turn can be over for the machine where no token stops the engine."""
        return self.stop_on_loop or self.answer_stop is not None or self.text_ends is not None

    def ignore(self, round_index: int) -> tuple[int, ...]:
        """The ids appended when the end of round `round_index` is ignored."""
        return self.ignores[round_index % len(self.ignores)] if self.ignores else ()

    def closing(self, thinking: Sequence[int], forced: bool) -> tuple[int, ...]:
        """What follows the thought `thinking`."""
        if not forced:
            return self.natural_closing
        ends_in_newline = thinking[-1] in self.newline_tokens if thinking else self.after_newline
        return self.forced_closing if ends_in_newline else self.newline + self.forced_closing

    def answer_cap(self, num_thinking: int, num_closing: int) -> int:
        """Tokens the answer may have behind that much: its own cap, or what the context leaves."""
        return max(0, min(self.max_answer_tokens, self.room - num_thinking - num_closing))


@dataclass(frozen=True)
class Turn:
    """One stretch of sampling: at most `max_tokens`, ending at any of `stop_ids`.

    In the first `min_tokens`, none of those may be sampled. `round` is the thinking round, None in the answer.
    """

    max_tokens: int
    min_tokens: int
    stop_ids: frozenset[int]
    round: int | None


@dataclass(frozen=True)
class End:
    """The model ended its thought after `used` thinking tokens by sampling `sequence`."""

    used: int
    sequence: tuple[int, ...]


@dataclass(frozen=True)
class Stop:
    """Where one budget stops a thought: its ids, how it ended (stop | budget | loop), and in which round."""

    thinking: tuple[int, ...]
    finish: str
    round: int


@dataclass
class Machine:
    """The state of one generation. `thinking_only`: there is no closing and no answer (rejected attempts)."""

    rules: Rules
    thinking_only: bool = False
    thinking: list[int] = field(default_factory=list)
    closing: tuple[int, ...] = ()
    answer: list[int] = field(default_factory=list)
    answer_logprobs: list[float] = field(default_factory=list)  # of the answer's tokens; empty where nobody asked
    spans: list[Span] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    phase: Phase = "think"
    round: int = 0
    thinking_finish: str = "none"  # stop | budget | loop
    answer_finish: str = "none"  # stop | length
    forced_end: bool = False
    wrapped_up: bool = False
    sampled_tokens: int = 0  # everything the engine sampled and the machine looked at, stop tokens included
    _free: int = 0  # tokens sampled in this round

    def __post_init__(self) -> None:
        if self.phase == "think" and self.rules.caps[0] <= 0:
            self._close(forced=True, finish="budget")
        elif self.phase == "think":
            self._at_cap()  # a wrap-up can be due before the first token

    @classmethod
    def answering(cls, rules: Rules, thinking: Sequence[int], closing: tuple[int, ...]) -> Machine:
        """A machine whose thought is over: only the answer is still to come.

        Empty `thinking` and `closing`: no thinking at all.
        """
        machine = cls(rules, thinking=list(thinking), closing=closing, phase="answer")
        machine._begin_answer()
        return machine

    def state(self) -> dict[str, Any]:
        """A copy of all that changes while it runs, for `restore`."""
        return {name: list(value) if isinstance(value, list) else value for name, value in vars(self).items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as it was when `state` was taken."""
        vars(self).update({name: list(value) if isinstance(value, list) else value for name, value in state.items()})

    @property
    def ids(self) -> list[int]:
        """All tokens behind the prompt that the model has to see."""
        return [*self.thinking, *self.closing, *self.answer]

    @property
    def done(self) -> bool:
        """Whether nothing is left to sample."""
        return self.phase == "done"

    def turn(self) -> Turn | None:
        """What to sample next; None when the generation is complete."""
        rules = self.rules
        if self.phase == "done":
            return None
        if self.phase == "answer":
            left = rules.answer_cap(len(self.thinking), len(self.closing)) - len(self.answer)
            return Turn(left, 0, rules.answer_ends, None)
        left, cap = self._until_due(), rules.caps[self.round]
        least = max(rules.min_round_tokens - self._free, rules.min_thinking_tokens - len(self.thinking), 0)
        single = frozenset(end[0] for end in rules.ends if len(end) == 1)
        watched = frozenset(end[-1] for end in rules.ends if len(end) > 1) - single
        if least and watched:
            # The last token of a longer sequence is an ordinary one and must not be masked: sample the minimum first.
            return Turn(min(least, left), min(least, left), single, self.round)
        soft = rules.soft_tokens if len(self.thinking) >= cap else frozenset()
        return Turn(left, min(least, left), single | watched | soft, self.round)

    def _until_due(self) -> int:
        """Tokens to sample until something is due: the wrap-up, the cap, the end of the grace."""
        used, cap = len(self.thinking), self.rules.caps[self.round]
        if not self.wrapped_up and self.rules.wrap_up and used < self._wrap_up_place():
            return self._wrap_up_place() - used
        return cap - used if used < cap else cap + self.rules.grace - used

    def _wrap_up_place(self) -> int:
        return self.rules.caps[self.round] - max(self.rules.wrap_up_at, len(self.rules.wrap_up))

    def feed(self, ids: Sequence[int], logprobs: Sequence[float] = ()) -> bool:
        """Takes sampled `ids` of the current turn, in any pieces, with their log-probabilities where they are known.

        False: the turn is over for the machine, and what the engine sampled beyond that point is to be thrown away.
        """
        index = 0
        while index < len(ids):
            if self.phase == "think" and (count := self._undisturbed(ids, index)):
                self.thinking.extend(ids[index : index + count])
                self._free += count
                self.sampled_tokens += count
                index += count
                continue
            self.sampled_tokens += 1
            if self.phase == "think":
                going_on = self._think(ids[index])
            else:
                going_on = self._answer(ids[index], logprobs[index] if logprobs else None)
            if not going_on:
                return False
            index += 1
        return True

    def _undisturbed(self, ids: Sequence[int], start: int) -> int:
        """How many of `ids` from `start` on only lengthen the thought: most of them, so it is worth the look."""
        stop, index, last = min(len(ids), start + self._quiet()), start, self.rules.last_tokens
        while index < stop and ids[index] not in last:
            index += 1
        return max(0, index - start)

    def _quiet(self) -> int:
        """Tokens that the thought can take before anything but an end can happen to it."""
        used, rules = len(self.thinking), self.rules
        if rules.stop_on_loop or used >= rules.caps[self.round]:
            return 0
        if rules.wrap_up and not self.wrapped_up and used >= self._wrap_up_place():
            return 0  # it comes with the next token
        return self._until_due() - 1

    def _think(self, token: int) -> bool:
        if (sequence := self._ended_by(token)) is not None:
            self._end(sequence)
            return False
        self.thinking.append(token)
        self._free += 1
        return self._goes_on()

    def _goes_on(self) -> bool:
        """After a sampled token of thinking: closes the thought if that was its last."""
        rules = self.rules
        if (len(self.thinking) >= rules.caps[self.round] or rules.wrap_up) and self._at_cap():
            return False
        if rules.stop_on_loop and loops_at(self.thinking, len(self.thinking)):
            self._close(forced=True, finish="loop")
            return False
        return True

    def _at_cap(self) -> bool:
        """Whether the budget has closed the thought, after the wrap-up that may be due."""
        self._wrap_up()
        beyond = len(self.thinking) - self.rules.caps[self.round]
        over = beyond >= self.rules.grace or (beyond >= 0 and self.rules.soft_end(self.thinking))
        if beyond >= 0 and over:
            self._close(forced=True, finish="budget")
            return True
        return False

    def _wrap_up(self) -> None:
        """Puts the wrap-up into the thought once it is due; not where it does not fit any more."""
        used, text = len(self.thinking), self.rules.wrap_up
        if self.wrapped_up or not text or used < self._wrap_up_place():
            return
        self.wrapped_up = True
        if used + len(text) <= self.rules.caps[self.round]:
            self.spans.append(Span(used, len(text), "wrap_up"))
            self.thinking.extend(text)

    def _ended_by(self, token: int) -> tuple[int, ...] | None:
        """The tokens of the end that `token` completes, the longest if several."""
        found: tuple[int, ...] = ()
        for sequence in self.rules.ends:
            before = len(sequence) - 1
            if sequence[-1] != token or before > self._free or len(found) > before:
                continue
            if not before or (tuple(self.thinking[-before:]) == sequence[:-1] and self._may_end(before)):
                found = sequence
        if (text := self.rules.text_ends) is not None and token in text.last_tokens:
            recent = self.thinking[len(self.thinking) - min(self._free, text.window) :]
            length = text.length([*recent, token])
            if length > len(found) and self._may_end(length - 1):
                found = (*recent, token)[-length:]
        return found or None

    def _may_end(self, before: int) -> bool:
        """Whether an end that took `before` tokens back leaves the two minima: only single tokens can be masked."""
        long_enough = len(self.thinking) - before >= self.rules.min_thinking_tokens
        return long_enough and self._free - before >= self.rules.min_round_tokens

    def _end(self, sequence: tuple[int, ...]) -> None:
        if before := len(sequence) - 1:
            del self.thinking[-before:]
        used, following = len(self.thinking), self.round + 1
        self.ends.append(End(used, sequence))
        ignore = self.rules.ignore(self.round)
        if following < len(self.rules.caps) and used + len(ignore) < self.rules.caps[following]:
            if ignore:
                self.spans.append(Span(used, len(ignore), "ignore"))
                self.thinking.extend(ignore)
            self.round, self._free = following, 0
            self._at_cap()
        else:
            self._close(forced=False, finish="stop")

    def _close(self, *, forced: bool, finish: str) -> None:
        self.thinking_finish, self.forced_end = finish, forced
        if self.thinking_only:
            self.phase = "done"
            return
        self.closing = self.rules.closing(self.thinking, forced)
        self._begin_answer()

    def _begin_answer(self) -> None:
        self.phase = "answer"
        if self.rules.answer_cap(len(self.thinking), len(self.closing)) == 0:
            self.phase, self.answer_finish = "done", "length"

    def _answer(self, token: int, logprob: float | None) -> bool:
        if token in self.rules.answer_ends:
            self.phase, self.answer_finish = "done", "stop"
            return False
        self.answer.append(token)
        if logprob is not None:
            self.answer_logprobs.append(logprob)
        if self.rules.answer_stop is not None and self.rules.answer_stop(self.answer):
            self.phase, self.answer_finish = "done", "stop"
            return False
        if len(self.answer) >= self.rules.answer_cap(len(self.thinking), len(self.closing)):
            self.phase, self.answer_finish = "done", "length"
            return False
        return True


def stop_of(trunk: Machine, budget: int, num_ignores: int) -> Stop:
    """Where `budget` and `num_ignores` stop the thought that `trunk` thought to a larger setting.

    Under one choice per context, the run at a smaller setting is a prefix of the longer one: it meets the same ends in
    the same places. Raises ValueError if the trunk is too short to tell.
    """
    ids = trunk.thinking
    for index, end in enumerate(trunk.ends):
        if budget < end.used + len(end.sequence):
            # The cap comes first (a sequence of several tokens can be cut in its middle).
            head = ids[: min(budget, end.used)]
            return Stop((*head, *end.sequence[: max(0, budget - end.used)]), "budget", index)
        if index >= num_ignores or end.used + len(trunk.rules.ignore(index)) >= budget:
            return Stop(tuple(ids[: end.used]), "stop", index)
    if trunk.thinking_finish == "loop" and len(ids) < budget:
        return Stop(tuple(ids), "loop", len(trunk.ends))
    if len(ids) < budget:
        raise ValueError(f"the trunk has {len(ids)} thinking tokens and cannot tell where a budget of {budget} stops")
    return Stop(tuple(ids[:budget]), "budget", len(trunk.ends))


def spans_before(trunk: Machine, stop: Stop) -> tuple[Span, ...]:
    """The forced spans of `trunk` that lie in the rounds which `stop` reached.

    Not those that begin before its length: a budget that cuts an end of several tokens in its middle reaches past the
    place where the trunk went on, and holds that end's own tokens there.
    """
    left = sum(bool(trunk.rules.ignore(index)) for index in range(stop.round))
    spans = []
    for span in trunk.spans:
        left -= span.kind == "ignore"
        if left < 0:
            break
        spans.append(span)
    return tuple(spans)
