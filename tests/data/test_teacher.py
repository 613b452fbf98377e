"""harness.data.teacher: an OpenAI-compatible endpoint that fails in every way, on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from harness.data.teacher import CallFailedError, Endpoint, Pace, ask, estimate
from harness.errors import UserError


class Server:
    """Answers each call by `script(question, number of the call for it)`: (status, headers, body)."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.script: Callable[[str, int], tuple[int, dict[str, str], Any]] = lambda question, _: good(question)
        self.seconds = 0.0
        lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                question = body["messages"][-1]["content"]
                with lock:
                    server.asked[question] += 1
                    number = server.asked[question]
                    server.bodies.append(body)
                    server.keys.append(self.headers["Authorization"])
                time.sleep(server.seconds)
                status, headers, answer = server.script(question, number)
                if status == 0:  # hang up without an answer
                    self.close_connection = True
                    return
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """A client that was killed is part of a test."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


def good(question: str, **message: Any) -> tuple[int, dict[str, str], Any]:
    message = message or {"content": "4", "reasoning_content": f"Thinking of: {question}"}
    usage = {"prompt_tokens": 7, "completion_tokens": 11}
    return 200, {}, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("message", "thinking", "attempt"),
    [
        ({"content": " 4\n", "reasoning_content": "Two and two.\n"}, "Two and two.", "4"),
        ({"content": "4", "reasoning": "Two."}, "Two.", "4"),
        ({"content": "<think>\nTwo.\n</think>\n\n4"}, "Two.", "4"),
        ({"content": "Two.</think>4", "reasoning_content": None}, "Two.", "4"),  # the template opened it
        ({"content": "4"}, "", "4"),
    ],
)
def test_a_trace_is_found_wherever_the_server_puts_it(
    server: Server, message: dict[str, Any], thinking: str, attempt: str
) -> None:
    server.script = lambda question, _: good(question, **message)
    reply = ask(Endpoint(server.url, "m"), "Q")
    assert (reply.thinking, reply.attempt, reply.num_tries) == (thinking, attempt, 1)
    assert (reply.input_tokens, reply.output_tokens, reply.finish) == (7, 11, "stop")


def test_the_request_is_the_protocols_and_carries_the_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    ask(Endpoint(server.url + "/", "m", 99, 0.5, system="S", api_key_env="MY_KEY"), "Q")
    assert server.bodies == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}],
            "max_tokens": 99,
            "temperature": 0.5,
        }
    ]
    assert server.keys == ["Bearer secret"]


@pytest.mark.parametrize(
    ("bad", "waited"),
    [
        ((429, {"Retry-After": "7"}, {"error": {"message": "slow down"}}), [7.0, 7.0]),
        ((429, {"Retry-After": "Fri, 01 Jan 2038 00:00:00 GMT"}, {}), [1.0, 2.0]),
        ((500, {}, b"<html>"), [1.0, 2.0]),
        ((503, {}, {}), [1.0, 2.0]),
        ((0, {}, b""), [1.0, 2.0]),
        ((200, {}, b"not json"), [1.0, 2.0]),
        ((200, {}, {"choices": []}), [1.0, 2.0]),
        ((200, {}, {"choices": [{"message": {"content": ""}}]}), [1.0, 2.0]),
    ],
)
def test_what_may_pass_is_tried_again_with_back_off(server: Server, bad: Any, waited: list[float]) -> None:
    server.script = lambda question, number: bad if number <= 2 else good(question)
    waits: list[float] = []
    reply = ask(Endpoint(server.url, "m"), "Q", sleep=waits.append)
    assert reply.num_tries == 3
    assert waits == waited


def test_back_off_doubles_to_a_minute_and_then_gives_up(server: Server) -> None:
    server.script = lambda question, number: (502, {}, {"error": "down"})
    waits: list[float] = []
    with pytest.raises(CallFailedError, match=r"HTTP 502: down \(after 9 tries\)"):
        ask(Endpoint(server.url, "m", max_retries=8), "Q", sleep=waits.append)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert server.asked["Q"] == 9


def test_a_refused_question_is_not_asked_again(server: Server) -> None:
    server.script = lambda question, number: (400, {}, {"error": {"message": "too long"}})
    with pytest.raises(CallFailedError, match="HTTP 400: too long"):
        ask(Endpoint(server.url, "m"), "Q", sleep=lambda _: pytest.fail("waited"))
    assert server.asked["Q"] == 1


@pytest.mark.parametrize(("status", "advice"), [(401, "--api-key-env"), (403, "may not use"), (404, "ends in /v1")])
def test_what_can_never_work_is_the_users_error(server: Server, status: int, advice: str) -> None:
    server.script = lambda question, number: (status, {}, {"error": {"message": "no"}})
    with pytest.raises(UserError, match=f"HTTP {status}: no: .*{advice}"):
        ask(Endpoint(server.url, "m"), "Q")


def test_a_server_that_is_not_there_is_tried_again() -> None:
    waits: list[float] = []
    with pytest.raises(CallFailedError, match="after 2 tries"):
        ask(Endpoint("http://127.0.0.1:9/v1", "m", max_retries=1), "Q", sleep=waits.append)
    assert waits == [1.0]


def test_a_hanging_server_is_left_after_the_timeout(server: Server) -> None:
    server.seconds = 1.0
    with pytest.raises(CallFailedError, match="timed out"):
        ask(Endpoint(server.url, "m", timeout_seconds=0.1, max_retries=0), "Q")


def test_the_pace_keeps_calls_apart() -> None:
    pace = Pace(per_minute=1200)  # one every 50 ms
    start = time.monotonic()
    threads = [threading.Thread(target=pace.wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - start >= 0.19
    Pace(None).wait()


def test_the_key_holds_what_changes_the_answer_and_nothing_else() -> None:
    endpoint = Endpoint("http://a/v1", "m")
    key = endpoint.key("Q")
    for same in ({"base_url": "http://b/v1"}, {"concurrency": 3}, {"max_retries": 0}, {"output_price": 9.0}):
        assert replace(endpoint, **same).key("Q") == key
    for other in ({"model": "n"}, {"max_tokens": 1}, {"temperature": 1.0}, {"system": "S"}):
        assert replace(endpoint, **other).key("Q") != key
    assert endpoint.key("R") != key


def test_the_estimate_is_questions_times_tokens_times_price() -> None:
    endpoint = Endpoint("http://a/v1", "m", input_price=1.0, output_price=10.0)
    cost = estimate(endpoint, ["x" * 350] * 1000, 4000)
    assert (cost.questions, cost.input_tokens, cost.output_tokens) == (1000, 108_000, 4_000_000)
    assert cost.dollars == pytest.approx(0.108 + 40.0)
