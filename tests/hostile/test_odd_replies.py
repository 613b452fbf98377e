"""What a server may answer, and a call may hold: none of it ends a command, or takes another reply along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.chat_server import ChatServer, good
from tests.hostile.odd_values import BODIES
from tests.hostile.trial import harness

GOOD = json.dumps(good("q", content="<think>thought</think>answer")[2])
CHOICE = json.loads(GOOD)["choices"][0]


def odd(old: str, new: str) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new).encode()


USED = {  # the reply is there, and is used, whatever is odd beside it
    "infinite tokens": odd(": 7", ": 1e999"),
    "tokens that are no number": odd(": 7", ": NaN"),
    "tokens beyond 64 bits": odd(": 7", f": {2**70}"),
    "tokens below none": odd(": 7", ": -5"),
    "tokens as words": odd(": 7", ': "many"'),
    "a list of usage": odd('"usage": {', '"usage": [1], "other": {'),
    "details that are a text": odd(": 7", ': 7, "completion_tokens_details": "xy"'),
    "infinite reasoning": odd(": 7", ': 7, "reasoning_tokens": 1e999'),
    "an end that is an object": odd('"stop"', '{"a": 1}'),
    "an end that is half a character": odd('"stop"', '"\\ud800"'),
    "half a character": odd("thought", "a\\ud800b"),
    "a NUL": odd("thought", "a\\u0000b"),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
}
UNUSED = {  # there is none
    "an integer of 5,000 digits": odd(": 7", ": " + "9" * 5000),
    "choices that are a text": odd(json.dumps([CHOICE]), '"abc"'),
    "choices that are an object": odd(json.dumps([CHOICE]), '{"0": 1}'),
    "choices of texts": odd(json.dumps([CHOICE]), '["abc"]'),
    "choices of lists": odd(json.dumps([CHOICE]), "[[1]]"),
    "no choices": odd(json.dumps([CHOICE]), "null"),
    "no message": odd(json.dumps(CHOICE["message"]), "null"),
    "a content that is a number": odd(json.dumps(CHOICE["message"]["content"]), "5"),
    "nested 90,000 deep": odd(json.dumps(CHOICE["message"]["content"]), "[" * 90_000 + "]" * 90_000),
    "nested 300 deep": odd(
        json.dumps(CHOICE["message"]["content"]), '[{"type": "text", "text": ' * 300 + '""' + "}]" * 300
    ),
    "no UTF-8": b"\xff\xfe{}",
    "nothing": b"",
    "a list": b"[1]",
}
REPLIES: dict[str, bytes] = USED | UNUSED


@pytest.fixture
def pool(tmp_path: Path, datasets_cache: None) -> Path:
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps({"id": name, "question": name, "answer": "1"}) + "\n" for name in REPLIES))
    return path


def featurize(pool: Path, server: ChatServer, *more: object) -> Any:
    asked = ("--traces", "--base-url", server.url, "--model", "m", "--max-retries", 0)
    return harness("data", "featurize", pool, *asked, "--out", pool.with_name("out.parquet"), *more)


def test_odd_replies_cost_no_other_and_one_that_can_be_used_is(pool: Path, server: ChatServer) -> None:
    server.script = lambda question, number: (200, {}, REPLIES[question])
    ended = featurize(pool, server, "--concurrency", 1)
    assert ended.code == 0, ended.err
    rows = pq.read_table(pool.with_name("out.parquet")).to_pylist()
    assert {row["id"] for row in rows if row["thinking"]} == set(USED)
    assert {row["id"] for row in rows} == set(REPLIES)
    half = next(row for row in rows if row["id"] == "half a character")
    assert half["thinking"] == "a\ufffdb" and half["attempt"] == "answer"
    assert featurize(pool, server, "--concurrency", 1).code == 0  # what was stored can be read again


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(body)[:9])
def test_a_body_that_is_no_json_is_refused_before_a_call(pool: Path, server: ChatServer, body: str) -> None:
    assert featurize(pool, server, "--extra-body", body).refused_in_one_line
    assert not server.bodies
