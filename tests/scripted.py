"""An engine without a model: the next token is a function of the tokens before, so that every control law can be
checked exactly, in microseconds."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from harness.errors import UserError
from harness.generation.engines.base import Counters, Request


class ScriptedEngine:
    """`next_token(context, masked)` names the token after `context` (ids, the prompt included) that is not `masked`.

    `sampled`: it gets a generator besides, that of the submission, as vLLM's sessions have one each.
    """

    name = "scripted"
    version = "1"

    def __init__(
        self,
        next_token: Callable[..., int],
        tokenizer: Any,
        max_model_len: int,
        eos_ids: tuple[int, ...] = (),
        sampled: bool = False,
        interval: int = 1,
    ) -> None:
        """`interval`: tokens that reach the machine at a time, as an engine's messages bring them."""
        self.sampled, self.interval = sampled, interval
        self.next_token, self.tokenizer, self.max_model_len, self.eos_ids = (
            next_token,
            tokenizer,
            max_model_len,
            eos_ids,
        )
        self.counters = Counters()

    def run(self, requests: Iterable[Request]) -> None:
        """See `Engine.run`; one request after the other."""
        waiting = deque(requests)
        while waiting:
            request = waiting.popleft()
            if not request.error:
                request.submissions += 1
                self.counters.submissions += 1
                self._serve(request)
            self.counters.finished += 1
            waiting.extendleft(reversed(list(request.on_done(request))))

    def _serve(self, request: Request) -> None:
        machine = request.machine
        noise = (random.Random(request.turn_seed()),) if self.sampled else ()
        while (turn := machine.turn()) is not None:
            context = [*request.prompt_ids, *machine.ids]
            fed = len(context)
            for count in range(turn.max_tokens):
                masked = turn.stop_ids if count < turn.min_tokens else frozenset()
                token = self.next_token(context, masked, *noise)
                self.counters.sampled_tokens += 1
                context.append(token)
                over = token in turn.stop_ids or count + 1 == turn.max_tokens
                if over or len(context) - fed >= self.interval:
                    if not machine.feed(context[fed:]) or over:
                        break
                    fed = len(context)

    def load_weights(self, path: str | Path) -> None:
        raise UserError("a scripted engine has no weights to replace")

    def close(self) -> None:
        """Nothing to close."""
