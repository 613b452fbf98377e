"""The server engine against a small HTTP server that speaks the completions API with token ids."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.config import Budget, EngineConfig, Sampling
from harness.errors import UserError
from harness.generation import open_engine
from harness.generation.sweep import Prompt, generate
from harness.records import Generation
from harness.thinking import FORMATS
from tests.generation.test_sweep import TOKENIZER, VOCABULARY, by_cell, chatter
from tests.scripted import ScriptedEngine
from tests.tiny import make_model

MODEL, SERVED = chatter(0.05), {"id": "tiny", "max_model_len": 400}
BUDGETS = [Budget(b, n) for b in (0, 5, 40, 80) for n in (0, 1, 2)] + [Budget("auto", 2, ignore_str=None)]


class Completions(BaseHTTPRequestHandler):
    """`chatter` as a service. `faults`: the status codes of the next calls; `unknown`: ids that it likes better."""

    faults: ClassVar[list[int]] = []
    wait: ClassVar[str] = "0"
    with_ids: ClassVar[bool] = True
    unknown: ClassVar[tuple[int, ...]] = ()
    headers_seen: ClassVar[list[dict[str, str]]] = []
    bodies: ClassVar[list[dict[str, Any]]] = []
    models: ClassVar[list[Any]] = [SERVED]
    odd: ClassVar[list[Any]] = []  # the next answers

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if status == 429:
            self.send_header("Retry-After", self.wait)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            self.answer(200, {"data": self.models})
        else:
            self.answer(404, {})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.headers_seen.append({name.lower(): value for name, value in self.headers.items()})
        self.bodies.append(asked)
        if self.faults:
            self.answer(self.faults.pop(), {"error": "as asked"})
            return
        if self.odd:
            self.answer(200, self.odd.pop())
            return
        context, stops = list(asked["prompt"]), frozenset(asked["stop_token_ids"])
        ids: list[int] = []
        while len(ids) < asked["max_tokens"]:
            wanted = [i for i in self.unknown if str(i) not in (asked["logit_bias"] or {}) and len(context) % 7 == 3]
            ids.append(
                wanted[0] if wanted else MODEL(context, stops if len(ids) < asked["min_tokens"] else frozenset())
            )
            context.append(ids[-1])
            if ids[-1] in stops:
                break
        self.answer(200, {"choices": [{"text": "", "token_ids": ids} if self.with_ids else {"text": "x"}]})


@pytest.fixture
def server() -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), Completions)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    Completions.faults, Completions.with_ids, Completions.unknown, Completions.wait = [], True, (), "0"
    Completions.headers_seen, Completions.bodies, Completions.odd = [], [], []
    Completions.models = [SERVED]
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"), hidden=32, layers=1)


def rows(engine: Any) -> list[Generation]:
    prompts = [Prompt(str(i), f"question {i}", VOCABULARY.encode(f"question {i}")) for i in range(4)]
    found: list[Generation] = []
    generate(engine, prompts, BUDGETS, Sampling(max_answer_tokens=10), FORMATS["s1"], on_generation=found.append)
    return found


def open_server(url: str, model: Path, name: str | None = "tiny", **more: Any) -> Any:
    return open_engine(EngineConfig(name="openai", base_url=url, served_name=name, max_num_seqs=3, **more), str(model))


def test_a_server_gives_the_tokens_of_the_same_model_in_process(server: str, model: Path) -> None:
    engine = open_server(server, model)
    assert (engine.model, engine.served_model, engine.max_model_len) == (str(model), "tiny", 400)
    alone = ScriptedEngine(MODEL, TOKENIZER, 400, eos_ids=engine.eos_ids)
    assert by_cell(rows(engine)) == by_cell(rows(alone))


def test_a_server_of_another_model_is_refused_and_what_it_serves_is_named(server: str, model: Path) -> None:
    with pytest.raises(UserError, match=f"does not serve '{model}' but 'tiny'.*--served-name"):
        open_server(server, model, None)
    with pytest.raises(UserError, match="does not serve 'tinny' but 'tiny'"):
        open_server(server, model, "tinny")


ODD_CHOICES: list[dict[str, Any]] = [{"token_ids": odd} for odd in (["a"], 5, [1.5], [-1])]
ODD_CHOICES += [{"token_ids": [65], "logprobs": odd} for odd in ([1], {"token_logprobs": ["x"]})]
ODD = [{"choices": odd} for odd in (None, [], ["x"], 5, [[1]], {"0": 1}, *([one] for one in ODD_CHOICES))]


def test_an_answer_out_of_form_costs_its_own_row_alone(server: str, model: Path) -> None:
    engine = open_server(server, model)
    undisturbed = by_cell(rows(engine))
    for odd in ODD:
        Completions.odd = [odd]
        found = rows(engine)
        lost = [row for row in found if row.error]
        assert 0 < len(lost) <= len(BUDGETS) and all("out of form" in str(row.error) for row in lost), odd
        assert by_cell([row for row in found if not row.error]).items() <= undisturbed.items(), odd


@pytest.mark.parametrize("length", ["400", None, -1, [400], 1e9])
def test_a_list_of_models_with_odd_entries_is_read(server: str, model: Path, length: object) -> None:
    Completions.models = [5, "tiny", None, ["id"], {"id": "tiny", "max_model_len": length}]
    assert open_server(server, model).max_model_len == 2048  # the model's own


def test_a_long_thought_comes_in_pieces_with_the_same_tokens(
    server: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = open_server(server, model)
    expected = by_cell(rows(whole))
    monkeypatch.setattr("harness.generation.engines.server.MOST_TOKENS", 7)
    pieces = open_server(server, model)
    assert by_cell(rows(pieces)) == expected
    assert pieces.counters.submissions > 2 * whole.counters.submissions


def test_a_busy_server_is_asked_again_and_a_refusal_fails_one_trunk_alone(
    server: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.generation.engines.connection.BACKOFF_SECONDS", 0.0)
    engine = open_server(server, model)
    expected = by_cell(rows(engine))
    Completions.faults = [503, 503]
    assert by_cell(rows(engine)) == expected
    Completions.faults = [400]
    found = by_cell(rows(engine))
    failed = {key for key, row in found.items() if row.error}
    assert 0 < len(failed) < len(found) and all("HTTP 400" in (found[key].error or "") for key in failed)
    assert all(found[key] == replace(expected[key]) for key in found.keys() - failed)


def test_a_server_without_token_ids_and_no_server_at_all_say_so(server: str, model: Path) -> None:
    Completions.with_ids = False
    assert all("returns no token ids" in (row.error or "") for row in rows(open_server(server, model)))
    with pytest.raises(UserError, match="no OpenAI-compatible server"):
        open_server("http://127.0.0.1:9", model)
    with pytest.raises(UserError, match="needs base_url"):
        open_engine(EngineConfig(name="openai"), str(model))


def test_the_key_headers_and_extra_fields_reach_every_call(
    server: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "k3y")
    monkeypatch.setenv("TEAM", "blue")
    more: dict[str, Any] = {"api_key_env": "MY_KEY", "header_env": {"X-Team": "TEAM"}, "extra_body": {"priority": 7}}
    rows(open_server(server, model, **more))
    sent = [(one["authorization"], one["x-team"]) for one in Completions.headers_seen]
    assert set(sent) == {("Bearer k3y", "blue")} and {body["priority"] for body in Completions.bodies} == {7}
    with pytest.raises(UserError, match="no JSON object"):
        EngineConfig(name="openai", base_url=server, extra_body="[1]")


def test_a_long_wait_that_the_server_asks_for_is_cut_and_told_once(
    server: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.generation.engines.connection.LONGEST_WAIT_SECONDS", 0.1)
    engine = open_server(server, model)
    expected = by_cell(rows(engine))
    Completions.faults, Completions.wait = [429] * 5, "900"
    assert by_cell(rows(engine)) == expected
    (note,) = engine.counters.notes
    assert "asks to wait 900 s" in note


def test_no_call_carries_more_biases_than_servers_take(server: str, tmp_path: Path) -> None:
    """A model with 400 more embeddings than its tokenizer has ids, and a server that samples some of them."""
    padded = make_model(tmp_path, hidden=32, layers=1, padded=400)
    outside = range(259, 659)
    engine = open_server(server, padded)
    expected = by_cell(rows(engine))
    assert {len(body["logit_bias"]) for body in Completions.bodies} == {300}
    Completions.unknown, Completions.bodies = (outside[350], outside[390]), []
    assert by_cell(rows(engine)) == expected
    sent = [body["logit_bias"] for body in Completions.bodies]
    assert max(map(len, sent)) == 300 and any(str(outside[350]) in one and str(outside[390]) in one for one in sent)
