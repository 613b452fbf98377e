"""Ask an OpenAI-compatible endpoint for a reasoning trace: what is asked, what comes back, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.chat_client import Answer, CallFailedError, ChatClient, Server, chat_body, reply_of
from harness.data.cache import content_key
from harness.marks import split, without_turn_end

Status = Literal["whole", "cut", "no trace", "no answer", "empty"]
CHARACTERS_PER_TOKEN = 3.5  # of English with LaTeX; for estimates only


@dataclass(frozen=True)
class Endpoint:
    """Where and how to ask. Everything up to `system` changes the answer and is part of a reply's key."""

    base_url: str
    model: str
    max_tokens: int = 16384
    temperature: float | None = 0.0  # None: left to the server, which may refuse any
    system: str | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)  # into the JSON of every call
    api_key_env: str = "OPENAI_API_KEY"
    timeout_seconds: float = 600.0
    max_retries: int = 6
    concurrency: int = 16
    requests_per_minute: float | None = None
    input_price: float = 0.0  # dollars per million tokens
    output_price: float = 0.0

    def server(self) -> Server:
        """The endpoint as the client's settings."""
        return Server(
            self.base_url,
            self.api_key_env,
            extra_body=self.extra_body,
            timeout_seconds=self.timeout_seconds,
            max_retries=self.max_retries,
            concurrency=self.concurrency,
            requests_per_minute=self.requests_per_minute,
        )

    def key(self, question: str, sample: int = 0) -> str:
        """The key of this endpoint's answer to `question`; of the n-th where several are asked for."""
        more = [dict(self.extra_body)] * bool(self.extra_body) + [sample] * bool(sample)
        return content_key("trace", self.model, self.max_tokens, self.temperature, self.system, question, *more)


@dataclass(frozen=True)
class Reply:
    """One answer. `thinking` is "" when the model shows none.

    `status`: whole (thought and answer are there), cut (it ended at its limit), no trace, no answer, or empty.
    """

    thinking: str
    attempt: str
    finish: str  # stop | length
    input_tokens: int
    output_tokens: int
    num_tries: int
    status: Status = "whole"


def submit(client: ChatClient, endpoint: Endpoint, question: str) -> Future[Answer[Reply]]:
    """Start to ask `question`; `reply` makes the answer of what the future brings."""
    turns = [{"role": "user", "content": question}]
    if endpoint.system is not None:
        turns.insert(0, {"role": "system", "content": endpoint.system})
    body = chat_body(endpoint.model, turns, max_tokens=endpoint.max_tokens, temperature=endpoint.temperature)
    return client.submit("/chat/completions", body, _reply)


def reply(answer: Answer[Reply]) -> Reply:
    """The reply, with the number of tries it took."""
    return replace(answer.value, num_tries=answer.num_tries)


def ask(endpoint: Endpoint, question: str) -> Reply:
    """The endpoint's answer to one `question`.

    Raises:
        CallFailedError: every try failed, or the question itself is refused.
        UserError: no question can ever succeed (wrong key, model or URL).
    """
    with ChatClient(endpoint.server()) as client:
        return reply(submit(client, endpoint, question).result())


def _reply(answer: dict[str, Any]) -> Reply:
    if answer.get("choices") == [] and answer.get("usage"):  # a filter took the reply back, and it is paid for
        answer = {**answer, "choices": [{"message": {"content": ""}}]}
    found = reply_of(answer)
    thinking, text, is_open = found.thinking, found.text, False
    if not thinking and (cut := split(text)).state != "none":  # in the text, between any family's marks
        thinking, text, is_open = cut.thinking, without_turn_end(cut.answer), cut.state == "open"
    thinking, text = thinking.strip(), text.strip()
    status: Status = "whole"
    if not found.thinking and not found.text:
        status = "empty"  # one was served, and is paid for
    elif found.finish == "length" or is_open:
        status = "cut"
    elif not thinking:
        status = "no trace"
    elif not text:
        status = "no answer"
    return Reply(thinking, text, found.finish, found.input_tokens, found.output_tokens, 1, status)


@dataclass(frozen=True)
class Estimate:
    """What asking costs, before it is asked."""

    questions: int
    input_tokens: int
    output_tokens: int
    dollars: float


def estimate(endpoint: Endpoint, questions: Iterable[str], tokens_an_answer: int) -> Estimate:
    """Tokens and dollars for `questions`; input from their length, output from `tokens_an_answer` (s1: about 4,000)."""
    count = characters = 0
    for question in questions:
        count += 1
        characters += len(question) + len(endpoint.system or "")
    tokens_in, tokens_out = round(characters / CHARACTERS_PER_TOKEN) + 8 * count, tokens_an_answer * count
    dollars = (tokens_in * endpoint.input_price + tokens_out * endpoint.output_price) / 1e6
    return Estimate(count, tokens_in, tokens_out, dollars)


__all__ = ["CallFailedError", "Endpoint", "Estimate", "Reply", "ask", "estimate", "reply", "submit"]
