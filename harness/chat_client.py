"""One HTTP client for OpenAI-compatible servers: teachers, judges and engines.

Calls run on an event loop of their own, so that one Ctrl-C ends any number of them at once. Busy servers (429, 5xx) and
broken connections are tried again, as late as `Retry-After` asks and never later than a limit. The key comes from the
environment, goes to the server's own origin alone, and is masked in every message.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from harness.errors import UserError, one_line
from harness.files import LONE_SURROGATE, MAX_DEPTH, nesting
from harness.messages import message_text

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
log = logging.getLogger(__name__)
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
FATAL = {
    401: "the API key is refused; set the environment variable {key}",
    403: "the key in {key} may not use this model",
    404: "there is no such model or URL; check the model's name and the base URL (it ends in /v1)",
}
MAX_REDIRECTS = 5
NEW_NAME = "max_completion_tokens"  # of max_tokens, which some chat servers refuse by that name
MASK = "***"
LEAST_SECRET_CHARS = 8  # of one that is looked for in replies
MOST_TOKENS = 2**31  # that a reply may be said to have
OUT_OF_FORM = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # what `parse` meets there


class RefusedError(UserError):
    """No call can succeed. `status`: the HTTP status that says so."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class CallFailedError(Exception):
    """One call got no usable answer, after all retries. `status`: the last HTTP status, None without an answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Server:
    """Where and how to ask.

    Args:
        base_url: up to the API's version, such as http://localhost:8000/v1; a user and password in it are sent, as
            Basic authorization, where there is no key.
        api_key_env: the environment variable that holds the key; without one, no key is sent.
        headers: sent with every call; their values count as secrets.
        header_env: header -> the environment variable that holds its value.
        extra_body: into the JSON of every call, over what the call says itself; None takes a field out of it.
        timeout_seconds: of one try, from connecting to the last byte.
        max_retries: tries beyond the first.
        concurrency: calls on their way at a time.
        requests_per_minute: starts of calls, retries included; None: no limit.
        first_wait_seconds: before the first retry; doubled before each next one.
        longest_wait_seconds: before any retry, whatever the server asks for.
    """

    base_url: str = field(repr=False)  # it may hold a password
    api_key_env: str = "OPENAI_API_KEY"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    header_env: Mapping[str, str] = field(default_factory=dict)
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    timeout_seconds: float = 600.0
    max_retries: int = 6
    concurrency: int = 16
    requests_per_minute: float | None = None
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a call brought, and after how many tries."""

    value: T
    num_tries: int


@dataclass(frozen=True)
class ChatReply:
    """A chat completion. `thinking` is "" when the model shows none.

    Token counts are the server's: 0 where it tells none that can be; None for `reasoning_tokens`, a part of
    `output_tokens`.
    """

    thinking: str
    text: str
    finish: str  # the server's word: stop, length, content_filter, ...
    input_tokens: int
    output_tokens: int
    reasoning_tokens: int | None = None


class ChatClient:
    """Calls to one server. Use it as a context manager: leaving it cancels what is on its way.

    Args:
        server: where and how to ask.
        api_key: used instead of what `server.api_key_env` names.
        say: told, once, that the server asks for a longer wait than it gets.

    Raises:
        UserError: the base URL is none, or the key, a header or the extra body is not there or cannot be sent.
    """

    def __init__(self, server: Server, api_key: str | None = None, say: Callable[[str], None] = log.warning) -> None:
        import httpx

        self.server, self._say = server, say
        key = _sendable(
            "the key", server.api_key_env, os.environ.get(server.api_key_env, "") if api_key is None else api_key
        )
        given = {**server.headers, **_from_environment(server.header_env)}
        try:
            url = httpx.URL(server.base_url)
        except httpx.InvalidURL:
            url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host:
            raise UserError(f"'{masked_url(server.base_url)}' is no base URL; give one like http://localhost:8000/v1")
        basic = base64.b64encode(f"{url.username}:{url.password}".encode()).decode() if url.userinfo else ""
        secrets = {key, basic, url.password, url.userinfo.decode(), *given.values()} - {""}
        self._secrets = sorted(secrets, key=len, reverse=True)
        try:
            json.dumps(server.extra_body, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise UserError(f"the extra body of the calls is no JSON ({one_line(error)}); correct it") from None
        self.shown_url = masked_url(server.base_url)
        self._base, self._origin = self.shown_url.rstrip("/"), _origin(url)
        authorization = {"Authorization": f"Bearer {key}" if key else f"Basic {basic}"} if key or basic else {}
        headers = {**authorization, **given}
        self._http = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(server.timeout_seconds),
            limits=httpx.Limits(max_connections=server.concurrency),
            follow_redirects=False,
        )
        logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each URL whole
        self._slots = asyncio.Semaphore(server.concurrency)
        self._next_start = 0.0
        self._told = False
        self._says_completion_tokens = False  # the server refuses `max_tokens` under that name
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chat-client", daemon=True)
        self._thread.start()

    def __enter__(self) -> ChatClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self, path: str, body: Mapping[str, Any] | None, parse: Callable[[dict[str, Any]], T]
    ) -> Future[Answer[T]]:
        """Start a call; see `call`. The future can be cancelled."""
        if self._closed:
            raise CancelledError
        return asyncio.run_coroutine_threadsafe(self._call(path, body, parse), self._loop)

    def call(self, path: str, body: Mapping[str, Any] | None, parse: Callable[[dict[str, Any]], T]) -> Answer[T]:
        """The server's answer.

        Args:
            path: below the base URL, such as "/chat/completions", or a whole URL of the same origin.
            body: posted as JSON; None: a GET.
            parse: makes of the answer's JSON object what is wanted. One of `OUT_OF_FORM` says that the answer is not in
                form, and the call is tried again.

        Raises:
            CallFailedError: every try failed, or the server refuses this call.
            UserError: no call can succeed: wrong key, model or URL.
        """
        future = self.submit(path, body, parse)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def cancel(self) -> None:
        """End every call on its way, and refuse new ones. Those who wait for one get a `CancelledError`."""
        self._closed = True
        if self._loop.is_running():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(timeout=5)

    def close(self) -> None:
        """`cancel`, and give back connections and thread."""
        if self._loop.is_closed():
            return
        self.cancel()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        if not self._loop.is_running():
            self._loop.close()

    def masked(self, text: str) -> str:
        """`text` without the key and the other secrets that the server was given."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def _stored(self, value: Any) -> Any:
        """A value of a reply as it may be stored: a server may repeat what it was sent, and send what is no text.

        Short secrets could be words of it.
        """
        if isinstance(value, str):
            for secret in self._secrets:
                if len(secret) >= LEAST_SECRET_CHARS:
                    value = value.replace(secret, MASK)
            return value if value.isascii() else LONE_SURROGATE.sub("\ufffd", value)
        if isinstance(value, dict):
            return {self._stored(name): self._stored(one) for name, one in value.items()}
        return [self._stored(one) for one in value] if isinstance(value, list) else value

    def _said(self, response: httpx.Response) -> str:
        """The server's own words about an error, on one line; masked before they are cut."""
        text = response.content.decode("utf-8", "replace")
        try:
            found = json.loads(text)
            inner = found.get("error", found) if isinstance(found, dict) else found
            text = str(inner.get("message", inner) if isinstance(inner, dict) else inner)
        except (ValueError, RecursionError):
            pass
        return " ".join(self.masked(text).split())[:300] or self.masked(response.reason_phrase)

    async def _end(self) -> None:
        calls = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._http.aclose()

    async def _call(self, path: str, body: Mapping[str, Any] | None, parse: Callable[[dict[str, Any]], T]) -> Answer[T]:
        import httpx

        url = path if path.startswith(("http://", "https://")) else self._base + path
        try:
            request = self._request(url, body)
        except ValueError as error:  # a lone surrogate, or a number that JSON has not
            raise CallFailedError(f"the call is no JSON ({one_line(error)})") from None
        if _origin(request.url) != self._origin:
            raise UserError(f"{masked_url(url)} is another server than {self.shown_url}")
        why, status = "", None
        for number in range(1, self.server.max_retries + 2):
            asked_wait = 0.0
            async with self._slots:
                await self._pace()
                try:
                    async with asyncio.timeout(self.server.timeout_seconds):
                        response = await self._sent(request)
                        if response.status_code == 400 and self._refuses_a_name(request, response):
                            request = self._request(url, body)
                            response = await self._sent(request)
                    status = response.status_code
                    if response.is_success:
                        return Answer(parse(self._stored(_object(response.content))), number)
                    why = f"HTTP {status}: {self._said(response)}"
                    if status in FATAL:
                        advice = FATAL[status].format(key=self.server.api_key_env)
                        raise RefusedError(f"{self.shown_url} answers {why}: {advice}", status)
                    if status not in RETRIED:
                        raise CallFailedError(why, status)
                    asked_wait = _retry_after(response)
                except (TimeoutError, httpx.TimeoutException):
                    why, status = f"timed out after {self.server.timeout_seconds:g} s", None
                except httpx.HTTPError as error:
                    why, status = self.masked(f"{type(error).__name__}: {error}"), None
                except OUT_OF_FORM as error:
                    if isinstance(error, UserError):
                        raise
                    why = self.masked(f"not the answer of such a server ({type(error).__name__}: {error})"[:300])
            if number <= self.server.max_retries:
                await asyncio.sleep(self._wait(number, asked_wait))
        raise CallFailedError(f"{why} (after {self.server.max_retries + 1} tries)", status)

    def _request(self, url: str, body: Mapping[str, Any] | None) -> httpx.Request:
        if body is None:
            return self._http.build_request("GET", url)
        asked = {**body, **self.server.extra_body}
        asked = {
            name: value for name, value in asked.items() if value is not None or name not in self.server.extra_body
        }
        if self._says_completion_tokens and "max_tokens" in asked:
            asked[NEW_NAME] = asked.pop("max_tokens")
        return self._http.build_request("POST", url, json=asked)

    def _refuses_a_name(self, request: httpx.Request, response: httpx.Response) -> bool:
        """Whether the server wants `max_tokens` by its new name; all calls use that from then on."""
        refused = NEW_NAME in self._said(response) and b'"max_tokens"' in request.content
        self._says_completion_tokens = self._says_completion_tokens or refused
        return refused

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        """The response, after redirects within the server's own origin that keep the method."""
        response = await self._http.send(request)
        for _ in range(MAX_REDIRECTS):
            following = response.next_request
            if following is None:
                break
            if _origin(following.url) != self._origin or following.method != request.method:
                target = masked_url(str(following.url))
                raise UserError(
                    f"{self.shown_url} redirects to {self.masked(target)}, where no key is sent; if that is the "
                    "server you mean, give it as the base URL"
                )
            response = await self._http.send(following)
        return response

    def _wait(self, number: int, asked: float) -> float:
        """Seconds before the next try, after try `number` and what the server asked for."""
        longest = self.server.longest_wait_seconds
        if asked > longest and not self._told:
            self._told = True
            self._say(f"{self.shown_url} asks to wait {asked:,.0f} s; waiting {longest:g} s at most, then trying again")
        backoff: float = self.server.first_wait_seconds * 2 ** (number - 1)
        return min(longest, max(asked, backoff))

    async def _pace(self) -> None:
        """Wait for this call's own moment, when so many may start per minute."""
        if self.server.requests_per_minute:
            moment = max(self._next_start, time.monotonic())
            self._next_start = moment + 60.0 / self.server.requests_per_minute
            await asyncio.sleep(max(0.0, moment - time.monotonic()))


def chat_body(model: str, messages: list[dict[str, str]], **settings: Any) -> dict[str, Any]:
    """The body of a call to /chat/completions; settings that are None are left to the server."""
    given = {name: value for name, value in settings.items() if value is not None}
    return {"model": model, "messages": messages, **given}


def reply_of(answer: Mapping[str, Any]) -> ChatReply:
    """What a chat completion says, be it nothing: the text, and the thinking where a server keeps that apart.

    Raises:
        KeyError, IndexError, TypeError, ValueError: it is no chat completion.
    """
    choice = answer["choices"][0]
    said, usage = message_text(choice["message"]), _fields(answer.get("usage"))
    details, finish = _fields(usage.get("completion_tokens_details")), choice.get("finish_reason")
    return ChatReply(
        said.thinking.strip(),
        said.text.strip(),
        finish if finish and isinstance(finish, str) else "stop",
        _tokens(usage.get("prompt_tokens")) or 0,
        _tokens(usage.get("completion_tokens")) or 0,
        _tokens(details.get("reasoning_tokens", usage.get("reasoning_tokens"))),
    )


def _fields(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _tokens(value: Any) -> int | None:
    """A number of tokens; None for what is none: it costs nobody the reply."""
    return int(value) if isinstance(value, int | float) and 0 <= value < MOST_TOKENS else None


def chat_reply(answer: Mapping[str, Any]) -> ChatReply:
    """`reply_of` where an empty reply is none.

    Raises:
        KeyError, IndexError, TypeError, ValueError: it is no chat completion, or an empty one.
    """
    reply = reply_of(answer)
    if not reply.thinking and not reply.text:
        raise KeyError("an empty answer")
    return reply


def masked_url(url: str) -> str:
    """`url` as it may be shown: without a user's name, password, query and fragment.

    Of what is no URL, for instance as its password holds a slash, all before the last @ may be a password.
    """
    scheme, separator, rest = url.partition("://")
    if not scheme.isalpha() or not separator:
        scheme, separator, rest = "", "", url
    host = re.split("[/?#]", rest, maxsplit=1)[0]
    is_host = separator and ("@" in host or not host.rpartition("]")[2].partition(":")[2].strip("0123456789"))
    if not is_host:
        rest = rest.rpartition("@")[2]
        host = re.split("[/?#]", rest, maxsplit=1)[0]
    path = re.split("[?#]", rest[len(host) :], maxsplit=1)[0]
    return f"{scheme}{separator}{host.rpartition('@')[2]}{path}"


def _from_environment(header_env: Mapping[str, str]) -> dict[str, str]:
    """Header -> value. Raises `UserError` for a variable that is not set."""
    found = {}
    for header, variable in header_env.items():
        if not os.environ.get(variable, "").strip():
            raise UserError(f"the header {header} is to come from the environment variable {variable}; set it")
        found[header] = _sendable("the header", variable, os.environ[variable])
    return found


def _sendable(what: str, variable: str, value: str) -> str:
    value = value.strip()
    if not value.isascii() or not value.isprintable():
        raise UserError(f"{what} in {variable} holds characters that no HTTP header can; set it again")
    return value


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(found, dict):
        raise TypeError(f"a JSON {type(found).__name__}, not an object")
    if nesting(found) > MAX_DEPTH:
        raise ValueError("nested too deeply")
    return found


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks to wait, given as such or as a date; 0 if it does not."""
    value = response.headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


__all__ = [
    "Answer",
    "CallFailedError",
    "ChatClient",
    "ChatReply",
    "RefusedError",
    "Server",
    "chat_body",
    "chat_reply",
    "masked_url",
    "reply_of",
]
