"""`compat="s1-fork"`: the arithmetic of s1's lm-eval fork where it differs from its README, to reproduce its figures.

- every round gets the whole budget anew; the trace is cut to it afterwards (what was cut is `discarded_tokens`);
- the closing follows the finish of the last round: a trace that was cut although its last round ended by itself gets
  no "Final Answer:";
- an end is always ignored while ignores are left, however little room remains;
- the first round may be empty unless ends are ignored;
- `auto` leaves what the longest prompt of the whole batch leaves of the answer's cap, minus 100.

One thing is not reproduced: the fork logs the text it cut off as if the model had seen it; rows here decode from ids.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.config import Budget, Sampling
from harness.generation.budget import End, Machine, Turn
from harness.generation.rules import Delimiters, PromptTooLongError
from harness.records import Span


def fork_budget(budget: Budget, sampling: Sampling, delimiters: Delimiters, longest_prompt: int) -> int:
    """The tokens of each thinking round. `longest_prompt`: of the batch, in tokens, without thinking_start."""
    if budget.max_thinking_tokens != "auto":
        return budget.max_thinking_tokens
    delimiting = len(delimiters.start) + len(delimiters.forced)
    tokens = sampling.max_answer_tokens - longest_prompt - delimiting - 100
    if tokens <= 0:
        raise PromptTooLongError(
            f"s1's `auto` is {tokens} tokens here: {sampling.max_answer_tokens} for the answer minus the batch's"
            f" longest prompt of {longest_prompt}, {delimiting} for the delimiters and 100; raise max_gen_toks"
        )
    return tokens


@dataclass
class ForkMachine(Machine):
    """A `Machine` that counts as the fork does. `rules.caps` are the tokens of each round, not of all together."""

    discarded_tokens: int = 0

    def __post_init__(self) -> None:
        if len(self.rules.caps) == 1:
            self.rules = replace(self.rules, min_round_tokens=0)
        super().__post_init__()

    def _left(self) -> int:
        """Tokens this round may still sample; the context ends it too, with room for the closing and one token."""
        closing = len(self.rules.newline) + len(self.rules.forced_closing)
        in_context = self.rules.room - len(self.thinking) - closing - 1
        return min(self.rules.caps[self.round] - self._free, in_context)

    def turn(self) -> Turn | None:
        """See `Machine.turn`; every round has a cap of its own."""
        turn = super().turn()
        if turn is None or turn.round is None:
            return turn
        left = self._left()
        least = min(max(self.rules.min_round_tokens - self._free, 0), left)
        return replace(turn, max_tokens=left, min_tokens=least)

    def _quiet(self) -> int:
        return self._left() - 1

    def _goes_on(self) -> bool:
        if self._left() <= 0:
            self._cut("budget")
            return False
        return True

    def _end(self, sequence: tuple[int, ...]) -> None:
        if before := len(sequence) - 1:
            del self.thinking[-before:]
        self.ends.append(End(len(self.thinking), sequence))
        if self.round + 1 >= len(self.rules.caps):
            self._cut("stop")
            return
        ignore = self.rules.ignore(self.round)
        if ignore:
            self.spans.append(Span(len(self.thinking), len(ignore), "ignore"))
            self.thinking.extend(ignore)
        self.round, self._free = self.round + 1, 0
        if self._left() <= 0:
            self._cut("budget")

    def _cut(self, finish: str) -> None:
        budget = self.rules.caps[0]
        self.discarded_tokens = max(0, len(self.thinking) - budget)
        # The fork looks at the text it has not cut for the newline.
        closing = self.rules.closing(self.thinking, forced=finish != "stop")
        del self.thinking[budget:]
        self.spans = [
            replace(span, length=min(span.length, budget - span.start)) for span in self.spans if span.start < budget
        ]
        self._close(forced=finish != "stop", finish=finish)
        self.closing = closing
