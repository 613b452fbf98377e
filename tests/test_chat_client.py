"""One HTTP client, held against real servers on this machine: retries, keys, redirects, time limits, Ctrl-C."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, wait
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from harness import chat_client
from harness.chat_client import CallFailedError, ChatClient, Server, chat_body, chat_reply, masked_url
from harness.errors import UserError
from tests.chat_server import ChatServer, good

QUICK: dict[str, Any] = {"first_wait_seconds": 0.02, "longest_wait_seconds": 0.3}


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def body(question: str = "Q") -> dict[str, Any]:
    return chat_body("m", [{"role": "user", "content": question}], temperature=None)


def asked(client: ChatClient, question: str = "Q") -> Any:
    return client.call("/chat/completions", body(question), chat_reply)


@pytest.mark.parametrize(
    "bad",
    [
        *((status, {}, {"error": "down"}) for status in (408, 409, 425, 429, 500, 502, 503, 504, 529)),
        (500, {}, b"<html>"),
        (0, {}, b""),
        (200, {}, b"not json"),
        (200, {}, b"[" * 100_000),
        (200, {}, [1]),
        (200, {}, {"choices": []}),
        (200, {}, {"choices": [{"message": {"content": ""}}]}),
        (200, {}, {"choices": [{"message": {"content": 7}}]}),
    ],
)
def test_what_may_pass_is_tried_again_with_waits_that_double(server: ChatServer, bad: Any) -> None:
    server.script = lambda question, number: bad if number <= 2 else good(question)
    with ChatClient(Server(server.url, **QUICK)) as client:
        answer = asked(client)
    assert (answer.value.text, answer.num_tries) == ("4", 3)
    first, second = (after - before for before, after in zip(server.times, server.times[1:], strict=False))
    assert first >= 0.02 and second >= 0.04


def test_after_the_last_retry_the_last_reason_is_told(server: ChatServer) -> None:
    server.script = lambda question, number: (502, {}, {"error": {"message": "no\nroom"}})
    with (
        ChatClient(Server(server.url, max_retries=3, **QUICK)) as client,
        pytest.raises(CallFailedError, match=r"^HTTP 502: no room \(after 4 tries\)$") as error,
    ):
        asked(client)
    assert error.value.status == 502 and server.asked["Q"] == 4


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_obeyed_up_to_a_limit_that_is_told_once(server: ChatServer, as_date: bool) -> None:
    later = parsedate_to_datetime("Fri, 01 Jan 2100 00:00:00 GMT")
    asks = {"Retry-After": format_datetime(later, usegmt=True) if as_date else "86400"}
    server.script = lambda question, number: (429, asks, {}) if number <= 2 else good(question)
    said: list[str] = []
    with ChatClient(Server(server.url, **QUICK), say=said.append) as client:
        assert asked(client).num_tries == 3
    waits = [after - before for before, after in zip(server.times, server.times[1:], strict=False)]
    assert all(0.3 <= one < 5 for one in waits)
    assert len(said) == 1 and "asks to wait" in said[0] and "waiting 0.3 s at most" in said[0]


def test_a_short_retry_after_is_waited_for_and_not_told(server: ChatServer) -> None:
    server.script = lambda question, number: (503, {"Retry-After": "0.2"}, {}) if number == 1 else good(question)
    with ChatClient(Server(server.url, **QUICK), say=lambda line: pytest.fail(line)) as client:
        asked(client)
    assert server.times[1] - server.times[0] >= 0.2


@pytest.mark.parametrize(("status", "advice"), [(401, "variable MY_KEY"), (403, "MY_KEY may not use"), (404, "in /v1")])
def test_what_can_never_succeed_is_the_users_error_and_shows_no_secret(
    server: ChatServer, status: int, advice: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    server.script = lambda question, number: (
        status,
        {},
        {"error": {"message": f"no, '{server.headers[-1]['authorization']}' and {server.headers[-1]['x-team']}"}},
    )
    url = server.url.replace("http://", "http://me:pass-word@")
    settings = Server(url, "MY_KEY", {"X-Team": "team-token"})
    with caplog.at_level(logging.DEBUG), ChatClient(settings) as client, pytest.raises(UserError) as error:
        asked(client)
    assert server.headers[-1]["x-team"] == "team-token"
    shown = f"{error.value} {settings!r} {caplog.text}"
    assert advice in shown and f"HTTP {status}: no, 'Bearer ***' and ***" in shown
    assert not any(secret in shown for secret in ("sk-very-secret", "team-token", "pass-word"))


def test_a_password_in_the_url_is_sent_where_there_is_no_key_and_never_shown(server: ChatServer) -> None:
    server.script = lambda question, number: (400, {}, {"error": server.headers[-1]["authorization"]})
    with (
        ChatClient(Server(server.url.replace("http://", "http://me:pass-word@"))) as client,
        pytest.raises(CallFailedError, match=r"HTTP 400: Basic \*\*\*$"),
    ):
        asked(client)
    assert base64.b64decode(server.headers[-1]["authorization"].removeprefix("Basic ")) == b"me:pass-word"


def test_a_refused_call_is_not_tried_again(server: ChatServer) -> None:
    server.script = lambda question, number: (400, {}, {"error": {"message": "too long"}})
    with ChatClient(Server(server.url)) as client, pytest.raises(CallFailedError, match=r"^HTTP 400: too long$"):
        asked(client)
    assert server.asked["Q"] == 1


def test_a_key_is_sent_only_where_there_is_one(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for value, sent in ((None, None), ("  one\n", "Bearer one")):
        if value is not None:
            monkeypatch.setenv("OPENAI_API_KEY", value)
        with ChatClient(Server(server.url)) as client:
            asked(client)
        assert server.headers[-1].get("authorization") == sent
    with ChatClient(Server(server.url), api_key="given") as client:
        asked(client)
    assert server.headers[-1]["authorization"] == "Bearer given"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-\u201cquoted\u201d")
    with pytest.raises(UserError, match="the key in OPENAI_API_KEY") as error:
        ChatClient(Server(server.url))
    assert "quoted" not in str(error.value)


def test_a_redirect_to_another_server_is_refused_and_one_within_it_is_followed(server: ChatServer) -> None:
    thief = ChatServer()
    try:
        server.script = lambda question, number: (307, {"Location": f"{thief.url}/chat/completions?x=1"}, {})
        with (
            ChatClient(Server(server.url), api_key="secret") as client,
            pytest.raises(UserError, match=f"redirects to {thief.url}/chat/completions, where no key is sent"),
        ):
            asked(client)
        assert not thief.bodies
        within = {"Location": "/elsewhere/chat/completions"}
        server.script = lambda question, number: (308, within, {}) if number == 1 else good(question)
        server.asked.clear()
        with ChatClient(Server(server.url), api_key="secret") as client:
            assert asked(client).value.text == "4"
        assert server.bodies[-1] == body() and server.headers[-1]["authorization"] == "Bearer secret"
        server.script = lambda question, number: (308, within, {})
        with ChatClient(Server(server.url)) as client, pytest.raises(CallFailedError, match="HTTP 308"):
            asked(client)
        with ChatClient(Server(server.url)) as client, pytest.raises(UserError, match="is another server than"):
            client.call(thief.url, None, dict)
    finally:
        thief.close()


def test_a_server_that_hangs_or_drips_is_left_after_the_time_limit(server: ChatServer) -> None:
    server.seconds = 2.0
    with (
        ChatClient(Server(server.url, timeout_seconds=0.2, max_retries=0)) as client,
        pytest.raises(CallFailedError, match=r"timed out after 0\.2 s"),
    ):
        asked(client)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        start = time.monotonic()
        with (
            ChatClient(Server(url, timeout_seconds=0.5, max_retries=0)) as client,
            pytest.raises(CallFailedError, match="timed out"),
        ):
            asked(client)
        assert time.monotonic() - start < 5


def drip(listener: socket.socket) -> None:
    """Answer a byte at a time: no single read ever takes long."""
    with listener.accept()[0] as connection, contextlib.suppress(OSError):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with (
        ChatClient(Server("http://127.0.0.1:9/v1", max_retries=1, **QUICK)) as client,
        pytest.raises(CallFailedError, match=r"ConnectError.*after 2 tries") as error,
    ):
        asked(client)
    assert error.value.status is None


@pytest.mark.parametrize("url", ["", "localhost:8000/v1", "ftp://host/v1", "http://", "http:///v1"])
def test_what_is_no_base_url_is_the_users_error(url: str) -> None:
    with pytest.raises(UserError, match="is no base URL; give one like"):
        ChatClient(Server(url))


def test_calls_at_a_time_and_per_minute_are_bounded(server: ChatServer) -> None:
    server.seconds = 0.05
    with ChatClient(Server(server.url, concurrency=3)) as client:
        calls = [client.submit("/chat/completions", body(str(n)), chat_reply) for n in range(12)]
        assert {future.result().value.text for future in wait(calls).done} == {"4"}
    assert server.most_at_once == 3
    start = time.monotonic()
    with ChatClient(Server(server.url, concurrency=8, requests_per_minute=1200)) as client:  # one every 50 ms
        wait([client.submit("/chat/completions", body(f"p{n}"), chat_reply) for n in range(5)])
    assert max(server.times) - start >= 0.2


def test_closing_ends_calls_on_their_way_at_once(server: ChatServer) -> None:
    server.seconds = 30.0
    client = ChatClient(Server(server.url))
    calls = [client.submit("/chat/completions", body(str(n)), chat_reply) for n in range(20)]
    time.sleep(0.3)
    start = time.monotonic()
    client.close()
    assert time.monotonic() - start < 5 and all(call.done() for call in calls)
    with pytest.raises(CancelledError):
        calls[0].result()
    with pytest.raises(CancelledError):
        asked(client)
    client.close()


@pytest.mark.parametrize("seconds", [30.0, 0.0], ids=["a server that hangs", "a server that says: tomorrow"])
def test_one_ctrl_c_ends_a_program_within_seconds(server: ChatServer, seconds: float) -> None:
    server.seconds = seconds
    server.script = lambda question, number: (429, {"Retry-After": "86400"}, {})
    code = f"""
import concurrent.futures as futures, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from harness.chat_client import ChatClient, Server, chat_reply
with ChatClient(Server({server.url!r})) as client:
    calls = [client.submit("/chat/completions", {{"messages": [{{"content": str(n)}}]}}, chat_reply) for n in range(20)]
    futures.wait(calls, return_when=futures.FIRST_COMPLETED)
"""
    path = str(Path(chat_client.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not server.bodies and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)[1]
    assert time.monotonic() - start < 5 and "KeyboardInterrupt" in said and process.returncode != 0
    assert said.count("asks to wait 86,400 s") == (0 if seconds else 1)


def test_a_shown_url_has_no_user_no_password_and_no_query() -> None:
    assert masked_url("https://me:p@ss@host:1/v1?key=a#b") == "https://host:1/v1"
    assert masked_url("http://host?key=a@b") == "http://host"
    assert masked_url("not a url") == "not a url"


def test_headers_come_from_the_environment_and_are_masked(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", "s3cret-team")
    server.script = lambda question, number: (400, {}, {"error": "team s3cret-team may not"})
    given = Server(server.url, header_env={"X-Team": "TEAM"}, **QUICK)
    with ChatClient(given) as client, pytest.raises(CallFailedError, match=r"team \*\*\* may not"):
        asked(client)
    assert server.headers[0]["x-team"] == "s3cret-team"
    monkeypatch.delenv("TEAM")
    with pytest.raises(UserError, match="the header X-Team is to come from the environment variable TEAM; set it"):
        ChatClient(given)


def test_what_the_user_adds_to_the_body_goes_over_what_the_call_says(server: ChatServer) -> None:
    extra = {"temperature": None, "max_tokens": 9, "provider": {"order": ["x"]}}
    with ChatClient(Server(server.url, extra_body=extra, **QUICK)) as client:
        client.call("/chat/completions", body() | {"temperature": 0.5, "max_tokens": 5}, chat_reply)
    assert server.bodies[0] == body() | {"max_tokens": 9, "provider": {"order": ["x"]}}


def test_a_server_that_wants_max_tokens_by_its_new_name_gets_it(server: ChatServer) -> None:
    """OpenAI's words for its reasoning models, known since they came."""

    def script(question: str, number: int) -> tuple[int, dict[str, str], Any]:
        if "max_tokens" in server.bodies[-1]:
            words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'"
            return 400, {}, {"error": {"message": f"{words} instead."}}
        return good(question)

    server.script = script
    with ChatClient(Server(server.url, max_retries=0, **QUICK)) as client:
        for question in ("a", "b"):
            client.call("/chat/completions", body(question) | {"max_tokens": 5}, chat_reply)
    assert server.asked == {"a": 2, "b": 1}  # told once
    assert [sent.get("max_completion_tokens") for sent in server.bodies] == [None, 5, 5]
