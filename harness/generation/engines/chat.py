"""A server that offers chat completions alone: one call per sample, text in and text out.

Nothing here is exact as with token ids: the server renders the prompt, cuts where it likes, and counts the tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any, TypeVar

from harness.chat_client import Answer, CallFailedError, ChatReply, reply_of
from harness.config import EngineConfig, Sampling
from harness.generation.engines.base import Counters
from harness.generation.engines.connection import connect, version_of
from harness.generation.engines.parameters import chat_decoding

T = TypeVar("T")
NAME = "openai-chat"  # of the engine, in the identity of its runs


class ChatEngine:
    """Asks for replies. `model` is what the rows are filed under; its tokenizer, where it is here, counts thoughts.

    A call that is silent for `config.stall_seconds` is ended and made again.
    """

    name = NAME
    dtype = "unknown"

    def __init__(self, config: EngineConfig, model: str) -> None:
        self.config, self.model, self.counters = config, model, Counters()
        note = self.counters.notes.append
        self._server = connect(config, model, note, timeout_seconds=config.stall_seconds, needs_list=False)
        self.served_model = self._server.served_model
        self.version = version_of(self._server)
        self.tokenizer = tokenizer_here(config.tokenizer or model)

    def body(
        self,
        messages: list[dict[str, str]],
        sampling: Sampling,
        seed: int,
        max_tokens: int | None,
        more: Mapping[str, Any],
    ) -> dict[str, Any]:
        """The JSON of one call. `max_tokens`: of the whole reply; `more`: for the server's chat template."""
        body = {"model": self.served_model, "messages": messages, **chat_decoding(sampling, self._server.owner)}
        body |= {"seed": seed} if sampling.temperature > 0 else {}
        body |= {} if max_tokens is None else {"max_tokens": max_tokens}
        return body | ({"chat_template_kwargs": dict(more)} if more else {})

    def run(
        self, calls: Iterable[tuple[T, dict[str, Any]]], on_reply: Callable[[T, ChatReply | CallFailedError], None]
    ) -> None:
        """Make `calls`, `config.max_num_seqs` at a time; `on_reply` is called in this thread as each one ends.

        Args:
            calls: What a reply is for, and the JSON of its call; drawn one by one.
            on_reply: Gets the reply, or why there is none after all retries.

        Raises:
            UserError: No call can succeed: wrong key, model or URL.
        """
        flying: dict[Future[Answer[ChatReply]], T] = {}
        fresh = iter(calls)
        try:
            while True:
                while len(flying) < self.config.max_num_seqs and (call := next(fresh, None)) is not None:
                    what, body = call
                    self.counters.submissions += 1
                    flying[self._server.client.submit("/chat/completions", body, reply_of)] = what
                if not flying:
                    return
                for future in wait(flying, return_when=FIRST_COMPLETED).done:
                    what = flying.pop(future)
                    self.counters.finished += 1
                    try:
                        reply = future.result().value
                        self.counters.sampled_tokens += reply.output_tokens
                        on_reply(what, reply)
                    except CallFailedError as error:
                        on_reply(what, error)
        except BaseException:
            self._server.client.cancel()  # nobody waits for the others any more
            raise

    def close(self) -> None:
        """Give back the connections."""
        self._server.client.close()


def tokenizer_here(model: str) -> Any:
    """The tokenizer of `model` where it is on this machine already; None for a name that only its server knows."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        here = Path(model).is_dir() or isinstance(try_to_load_from_cache(model, "tokenizer_config.json"), str)
    except HFValidationError:
        return None
    if not here:
        return None
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError):
        return None
