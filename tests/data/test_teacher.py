"""harness.data.teacher: what is asked of an endpoint on this machine, and what is made of its answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.data.teacher import CallFailedError, Endpoint, ask, estimate
from harness.errors import UserError
from tests.chat_server import ChatServer, good


@pytest.mark.parametrize(
    ("message", "thinking", "attempt"),
    [
        ({"content": " 4\n", "reasoning_content": "Two and two.\n"}, "Two and two.", "4"),
        ({"content": "4", "reasoning": "Two."}, "Two.", "4"),
        ({"content": "<think>\nTwo.\n</think>\n\n4"}, "Two.", "4"),
        ({"content": "Two.</think>4", "reasoning_content": None}, "Two.", "4"),  # the template opened it
        ({"content": "4"}, "", "4"),
        (
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "Two."}]},
                    {"type": "text", "text": "4"},
                ]
            },
            "Two.",
            "4",
        ),
        ({"content": [{"type": "text", "text": "4"}, {"type": "image_url", "image_url": {}}]}, "", "4"),
    ],
)
def test_a_trace_is_found_wherever_the_server_puts_it(
    server: ChatServer, message: dict[str, Any], thinking: str, attempt: str
) -> None:
    server.script = lambda question, _: good(question, **message)
    reply = ask(Endpoint(server.url, "m"), "Q")
    assert (reply.thinking, reply.attempt, reply.num_tries) == (thinking, attempt, 1)
    assert (reply.input_tokens, reply.output_tokens, reply.finish) == (7, 11, "stop")


def test_the_request_is_the_protocols_and_carries_the_key(server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert [sent["authorization"] for sent in server.headers] == ["Bearer secret"]


def test_a_refused_question_is_not_asked_again(server: ChatServer) -> None:
    server.script = lambda question, number: (400, {}, {"error": {"message": "too long"}})
    with pytest.raises(CallFailedError, match="HTTP 400: too long"):
        ask(Endpoint(server.url, "m"), "Q")
    assert server.asked["Q"] == 1


@pytest.mark.parametrize(
    ("status", "advice"), [(401, "variable OPENAI_API_KEY"), (403, "may not use"), (404, "ends in /v1")]
)
def test_what_can_never_work_is_the_users_error(server: ChatServer, status: int, advice: str) -> None:
    server.script = lambda question, number: (status, {}, {"error": {"message": "no"}})
    with pytest.raises(UserError, match=f"HTTP {status}: no: .*{advice}"):
        ask(Endpoint(server.url, "m"), "Q")


def test_a_hanging_server_is_left_after_the_timeout(server: ChatServer) -> None:
    server.seconds = 1.0
    with pytest.raises(CallFailedError, match="timed out"):
        ask(Endpoint(server.url, "m", timeout_seconds=0.1, max_retries=0), "Q")


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
