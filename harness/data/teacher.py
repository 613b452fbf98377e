"""Ask an OpenAI-compatible endpoint for a reasoning trace: retries with back-off, a pace, a cost, no dependency.

Understands a trace in `reasoning_content` or `reasoning` (DeepSeek, vLLM) and inside the text, between the marks of any
family.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from harness.data.cache import content_key
from harness.errors import UserError
from harness.marks import split, without_turn_end

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
FATAL = {
    401: "the API key is refused; set the variable named by --api-key-env",
    403: "the key may not use this model",
    404: "there is no such model or URL; check --model and --base-url (it ends in /v1)",
}
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 60.0
CHARACTERS_A_TOKEN = 3.5  # of English with LaTeX; for estimates only


class CallFailedError(Exception):
    """One question got no usable answer, after all retries."""


@dataclass(frozen=True)
class Endpoint:
    """Where and how to ask. Everything up to `system` changes the answer and is part of a reply's key."""

    base_url: str
    model: str
    max_tokens: int = 16384
    temperature: float = 0.0
    system: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    timeout_seconds: float = 600.0
    max_retries: int = 6
    concurrency: int = 16
    requests_per_minute: float | None = None
    input_price: float = 0.0  # dollars a million tokens
    output_price: float = 0.0

    def key(self, question: str) -> str:
        """The key of this endpoint's answer to `question`."""
        return content_key("trace", self.model, self.max_tokens, self.temperature, self.system, question)


@dataclass(frozen=True)
class Reply:
    """One answer. `thinking` is "" when the model shows none."""

    thinking: str
    attempt: str
    finish: str  # stop | length
    input_tokens: int
    output_tokens: int
    num_tries: int


class Pace:
    """At most `per_minute` starts a minute, over all threads: each caller is given its own moment and waits for it."""

    def __init__(self, per_minute: float | None) -> None:
        self.seconds = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        if not self.seconds:
            return
        with self._lock:
            moment = max(self._next, time.monotonic())
            self._next = moment + self.seconds
        time.sleep(max(0.0, moment - time.monotonic()))


def ask(
    endpoint: Endpoint, question: str, pace: Pace | None = None, sleep: Callable[[float], None] = time.sleep
) -> Reply:
    """The endpoint's answer to `question`.

    Raises `CallFailedError` when every try failed or the question itself is refused, and `UserError` when no question
    can ever succeed (wrong key, model or URL).
    """
    turns = [{"role": "user", "content": question}]
    if endpoint.system is not None:
        turns.insert(0, {"role": "system", "content": endpoint.system})
    body = {
        "model": endpoint.model,
        "messages": turns,
        "max_tokens": endpoint.max_tokens,
        "temperature": endpoint.temperature,
    }
    request = urllib.request.Request(
        endpoint.base_url.rstrip("/") + "/chat/completions",
        data=json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {os.environ.get(endpoint.api_key_env, 'none')}",
        },
    )
    why = ""
    for number in range(1, endpoint.max_retries + 2):
        wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (number - 1))
        if pace is not None:
            pace.wait()
        try:
            with urllib.request.urlopen(request, timeout=endpoint.timeout_seconds) as answer:
                return _reply(json.load(answer), number)
        except urllib.error.HTTPError as error:
            why = f"HTTP {error.code}: {_message(error)}"
            if error.code in FATAL:
                raise UserError(f"{endpoint.base_url} answers {why}: {FATAL[error.code]}") from error
            if error.code not in RETRIED:
                raise CallFailedError(why) from error
            wait = max(wait, _retry_after(error))
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            why = f"{type(error).__name__}: {error}"
        except (json.JSONDecodeError, KeyError, IndexError, TypeError) as error:
            why = f"not a chat completion ({type(error).__name__}: {error})"
        if number <= endpoint.max_retries:
            sleep(wait)
    raise CallFailedError(f"{why} (after {endpoint.max_retries + 1} tries)")


def _reply(answer: dict[str, Any], num_tries: int) -> Reply:
    choice = answer["choices"][0]
    message, usage = choice["message"], answer.get("usage") or {}
    thinking = message.get("reasoning_content") or message.get("reasoning") or ""
    text = message.get("content") or ""
    if not thinking and (cut := split(text)).state != "none":  # in the text, between any family's marks
        thinking, text = cut.thinking, without_turn_end(cut.answer)
    if not thinking and not text:
        raise KeyError("an empty answer")
    return Reply(
        thinking.strip(),
        text.strip(),
        choice.get("finish_reason") or "stop",
        int(usage.get("prompt_tokens") or 0),
        int(usage.get("completion_tokens") or 0),
        num_tries,
    )


def _retry_after(error: urllib.error.HTTPError) -> float:
    """Seconds that the server asks to wait; 0 if it does not, or gives a date."""
    value = error.headers.get("Retry-After") or ""
    return float(value) if value.replace(".", "", 1).isdigit() else 0.0


def _message(error: urllib.error.HTTPError) -> str:
    text = error.read(2000).decode("utf-8", "replace")
    try:
        found = json.loads(text)
        inner = found.get("error", found) if isinstance(found, dict) else found
        text = str(inner.get("message", inner) if isinstance(inner, dict) else inner)
    except json.JSONDecodeError:
        pass
    return " ".join(text.split())[:200] or error.reason


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
    tokens_in, tokens_out = round(characters / CHARACTERS_A_TOKEN) + 8 * count, tokens_an_answer * count
    dollars = (tokens_in * endpoint.input_price + tokens_out * endpoint.output_price) / 1e6
    return Estimate(count, tokens_in, tokens_out, dollars)
