"""Samples by chat calls, against a server on this machine that answers in every way that such servers are known to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.config import Budget, Chat, EngineConfig, Sampling
from harness.errors import UserError
from harness.generation import open_chat
from harness.generation.chat import UNTOLD, Call, check, samples
from harness.records import Generation, Problem, ToldTokens, sample_row
from harness.runtime.scoring import score
from harness.studies.evaluate import study as evaluation
from harness.studies.formats import resolved
from harness.thinking import FORMATS, ThinkingFormat, thinking_format
from tests.chat_server import ChatServer
from tests.families import FIXTURES, tokenizer_of

PROBLEM = Problem("p", "quick_math", "6 x 7?", "42")
CAP = Budget(900, method="completion_cap")


def engine_config(server: ChatServer, **more: Any) -> EngineConfig:
    return EngineConfig(name="openai", api="chat", base_url=server.url, max_num_seqs=4, **more)


def replying(
    server: ChatServer,
    message: dict[str, Any],
    finish: str = "stop",
    usage: dict[str, Any] | None = None,
    *,
    thinking: ThinkingFormat = UNTOLD,
    sampling: Sampling | None = None,
    model: str = "m",
) -> Generation:
    """The one row that comes of a reply."""
    counts = {"prompt_tokens": 7, "completion_tokens": 30} if usage is None else usage
    server.script = lambda question, number: (
        200,
        {},
        {"choices": [{"message": message, "finish_reason": finish}], "usage": counts},
    )
    found: list[Generation] = []
    engine = open_chat(engine_config(server, served_name="m"), model)
    calls = [Call("quick_math/p", PROBLEM, CAP, 0)]
    samples(engine, calls, sampling or Sampling(), thinking, found.append)
    engine.close()
    (row,) = found
    return row


BOX = "\\boxed{42}"
# message, finish, format, and: thought, answer, how each ended, status
REPLIES: list[tuple[dict[str, Any], str, ThinkingFormat, tuple[str, str, str, str, str]]] = [
    ({"content": BOX, "reasoning_content": "Six."}, "stop", UNTOLD, ("Six.", BOX, "stop", "stop", "correct")),
    ({"content": BOX, "reasoning": "Six."}, "stop", UNTOLD, ("Six.", BOX, "stop", "stop", "correct")),
    (
        {"content": [{"type": "thinking", "thinking": "Six."}, {"type": "text", "text": BOX}]},
        "stop",
        UNTOLD,
        ("Six.", BOX, "stop", "stop", "correct"),
    ),
    ({"content": f"<think>Six.</think>{BOX}"}, "stop", UNTOLD, ("Six.", BOX, "stop", "stop", "correct")),
    ({"content": f"Six.</think>{BOX}"}, "stop", UNTOLD, ("Six.", BOX, "stop", "stop", "correct")),
    ({"content": BOX}, "stop", UNTOLD, ("", BOX, "none", "stop", "correct")),
    # cut in the thought, which holds a box
    ({"content": None, "reasoning": BOX}, "length", UNTOLD, (BOX, "", "length", "length", "truncated")),
    ({"content": f"<think>{BOX}. Hm"}, "length", UNTOLD, (f"{BOX}. Hm", "", "length", "length", "truncated")),
    ({"content": f"{BOX}. Hm"}, "length", FORMATS["think"], (f"{BOX}. Hm", "", "length", "length", "truncated")),
    # cut in the answer
    ({"content": "It is", "reasoning": BOX}, "length", UNTOLD, (BOX, "It is", "stop", "length", "truncated")),
    ({"content": "It is"}, "max_tokens", UNTOLD, ("", "It is", "none", "length", "truncated")),
    # no answer, and a refusal
    ({"content": "", "reasoning": BOX}, "stop", UNTOLD, (BOX, "", "stop", "stop", "no_answer")),
    ({"content": None, "refusal": "Sorry, no."}, "stop", UNTOLD, ("", "Sorry, no.", "none", "stop", "no_answer")),
]


@pytest.mark.parametrize(("message", "finish", "thinking", "expected"), REPLIES)
def test_thought_and_answer_are_told_apart_and_a_cut_thought_is_no_answer(
    server: ChatServer, message: Any, finish: Any, thinking: Any, expected: Any
) -> None:
    row = replying(server, message, finish, thinking=thinking)
    assert row.error is None and row.prompt_ids == row.thinking_ids == row.answer_ids == ()
    assert (row.thinking, row.answer, row.thinking_finish, row.answer_finish, score(PROBLEM, row).status) == expected


def test_a_thought_that_the_server_hides_and_cuts_is_a_cut_thought(server: ChatServer) -> None:
    """Hosted reasoning models show no thought; a small cap leaves an empty reply."""
    usage = {"prompt_tokens": 7, "completion_tokens": 900, "completion_tokens_details": {"reasoning_tokens": 900}}
    row = replying(server, {"content": ""}, "length", usage)
    assert (row.thinking_finish, score(PROBLEM, row).status) == ("length", "truncated")
    assert row.num_tokens == ToldTokens(7, 900, 0)


@pytest.mark.parametrize("finish", ["content_filter", "insufficient_system_resource", "tool_calls"])
def test_a_reply_that_the_server_ends_is_an_error_and_no_wrong_answer(server: ChatServer, finish: Any) -> None:
    row = replying(server, {"content": "6 x"}, finish)
    assert row.thinking_finish == "error" and f"finish_reason {finish}" in (row.error or "")


def test_nothing_at_all_is_an_error(server: ChatServer) -> None:
    assert "answered nothing" in (replying(server, {"content": ""}, "stop", {}).error or "")
    assert replying(server, {"content": ""}, "stop", {"completion_tokens": 1}).error is None  # it ended at once


@pytest.mark.parametrize(
    ("message", "usage", "told"),
    [
        ({"content": "4"}, {"prompt_tokens": 7, "completion_tokens": 11}, ToldTokens(7, 0, 11)),
        ({"content": "4", "reasoning": "T"}, {"prompt_tokens": 7, "completion_tokens": 11}, ToldTokens(7, None, None)),
        (
            {"content": "4", "reasoning": "T"},
            {"prompt_tokens": 7, "completion_tokens": 11, "completion_tokens_details": {"reasoning_tokens": 8}},
            ToldTokens(7, 8, 3),
        ),
        (
            {"content": "4", "reasoning": "T"},  # a server that counts none
            {"completion_tokens": 11, "completion_tokens_details": {"reasoning_tokens": 0}},
            ToldTokens(None, None, None),
        ),
        ({"content": "4", "reasoning": "T"}, {"completion_tokens": 11, "reasoning_tokens": 8}, ToldTokens(None, 8, 3)),
        ({"content": "", "reasoning": "T"}, {"completion_tokens": 11}, ToldTokens(None, 11, 0)),
        ({"content": "4"}, {}, ToldTokens(None, 0, None)),
    ],
)
def test_tokens_are_the_servers_counts_and_null_where_it_does_not_tell(
    server: ChatServer, message: Any, usage: Any, told: Any
) -> None:
    row = replying(server, message, usage=usage)
    assert row.num_tokens == told
    stored = sample_row(
        dict.fromkeys(("run_id", "sample_key", "study", "model", "recipe"), "x"), PROBLEM, row, score(PROBLEM, row)
    )
    assert (stored["prompt_tokens"], stored["thinking_tokens"], stored["answer_tokens"]) == (
        told.prompt,
        told.thinking,
        told.answer,
    )
    assert stored["looping"] is None and stored["budget_tokens"] == 900


def test_the_models_own_tokenizer_counts_a_thought_that_the_server_does_not(server: ChatServer, tmp_path: Path) -> None:
    tokenizer_of(FIXTURES[0].template, FIXTURES[0].tokens, FIXTURES[0].eos).save_pretrained(tmp_path)  # of bytes
    row = replying(server, {"content": "4", "reasoning": "Two."}, model=str(tmp_path))
    assert row.num_tokens == ToldTokens(7, 4, 26)


def test_what_is_sent_is_the_protocols(server: ChatServer) -> None:
    config = engine_config(server, extra_body={"reasoning_effort": "low"})
    study = evaluation(
        "m",
        "quick_math",
        [CAP, Budget(method="token_conditional", instructed="64", force=False)],
        Sampling(temperature=0.5, top_p=0.9, num_samples=2),
        config,
        "auto",
        Chat("Be brief.", " Box it.", (("enable_thinking", True),)),
        1,
        True,
    )
    thinking = thinking_format(resolved(study).thinking)
    found: list[Generation] = []
    engine = open_chat(study.engine, "m")
    calls = [Call("quick_math/p", PROBLEM, budget, i) for budget in study.budgets for i in range(2)]
    samples(engine, calls, study.sampling, thinking, found.append)
    bodies = sorted(server.bodies, key=lambda body: (len(body["messages"][1]["content"]), body["seed"]))
    assert [body["messages"][1]["content"] for body in bodies] == [
        "6 x 7? Box it.",
        "6 x 7? Box it.",
        "6 x 7?\n\nThink for up to 64 tokens. Box it.",
        "6 x 7?\n\nThink for up to 64 tokens. Box it.",
    ]
    assert {body["seed"] for body in bodies[:2]} == {body["seed"] for body in bodies[2:]}
    assert len({body["seed"] for body in bodies}) == 2
    for body in bodies:
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (body["model"], body["temperature"], body["top_p"]) == ("m", 0.5, 0.9)
        assert body["reasoning_effort"] == "low" and body["chat_template_kwargs"] == {"enable_thinking": True}
        assert not {"top_k", "min_p", "repetition_penalty"} & set(body)  # a hosted API refuses what it does not know
    assert [body.get("max_tokens") for body in bodies] == [900, 900, None, None]
    server.models = [{"id": "m", "owned_by": "vllm"}]  # which fills in what the checkpoint recommends
    engine = open_chat(study.engine, "m")
    samples(engine, calls[:1], Sampling(stop=("Q:",)), thinking, found.append)
    assert {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}.items() <= server.bodies[-1].items()
    assert "seed" not in server.bodies[-1] and "stop" not in server.bodies[-1]  # it would end the thought too


def test_a_stop_string_ends_the_answer_alone(server: ChatServer) -> None:
    message = {"content": f"{BOX} Q: next", "reasoning": "Q: Six."}
    row = replying(server, message, "length", sampling=Sampling(stop=("Q:",)))
    assert (row.thinking, row.answer.strip(), row.answer_finish) == ("Q: Six.", BOX, "stop")


def test_a_call_that_fails_is_a_row_with_its_error_and_the_others_go_on(
    server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.generation.engines.connection.BACKOFF_SECONDS", 0.0)

    def script(question: str, number: int) -> Any:
        if question == "bad?":
            return 400, {}, {"error": {"message": "temperature is not supported"}}
        if number == 1:
            return 429, {"Retry-After": "0"}, {}
        return 200, {}, {"choices": [{"message": {"content": "42"}, "finish_reason": "stop"}]}

    server.script = script
    problems = [Problem(str(i), "t", q, "42") for i, q in enumerate(("good?", "bad?", "fine?"))]
    found: list[Generation] = []
    engine = open_chat(engine_config(server), "m")
    samples(engine, [Call(p.id, p, CAP, 0) for p in problems], Sampling(), UNTOLD, found.append)
    by_id = {row.problem_id: row for row in found}
    assert by_id["0"].answer == by_id["2"].answer == "42"
    assert "HTTP 400: temperature is not supported" in (by_id["1"].error or "")
    server.script = lambda question, number: (401, {}, {"error": "no"})
    with pytest.raises(UserError, match="the API key is refused"):
        samples(engine, [Call(p.id, p, CAP, 0) for p in problems], Sampling(), UNTOLD, found.append)


def test_a_server_without_a_list_of_its_models_is_taken_at_its_word_and_one_with_a_list_is_not(
    server: ChatServer,
) -> None:
    with pytest.raises(UserError, match="does not serve 'other' but 'm'; if one of these is 'other', say which"):
        open_chat(engine_config(server), "other")
    server.models = None
    (note,) = open_chat(engine_config(server), "other").counters.notes
    assert "lists no models: nothing shows that it serves 'other'" in note


def test_a_models_template_that_is_here_says_between_which_marks_it_thinks(server: ChatServer, tmp_path: Path) -> None:
    """A server without a reasoning parser gives the thought in the text; this template opens it in the prompt."""
    family = next(one for one in FIXTURES if one.name.startswith("hybrid that must be told"))
    tokenizer_of(family.template, family.tokens, family.eos).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 4096}')
    study = evaluation(
        str(tmp_path),
        "quick_math",
        [CAP],
        Sampling(),
        engine_config(server, served_name="m"),
        "auto",
        Chat(),
        1,
        True,
    )
    thinking = thinking_format(resolved(study).thinking)
    assert dict(thinking.ask.arguments) == {"thinking": True}  # it does not think unless told
    cut = replying(server, {"content": f"I guess {BOX}. Hm"}, "length", thinking=thinking)
    assert score(PROBLEM, cut).status == "truncated" and cut.answer == ""
    assert resolved(resolved(study)) == resolved(study)


@pytest.mark.parametrize(
    ("budget", "sampling", "message"),
    [
        (Budget(), Sampling(), "budget forcing stops a thought"),
        (Budget(num_ignores=2), Sampling(), "budget forcing stops a thought"),
        (Budget(9, method="rejection_sampling"), Sampling(temperature=1.0), "rejection sampling stops"),
        (Budget(method="rebase"), Sampling(temperature=1.0), "rebase goes on from steps"),
        (Budget(method="no_thinking"), Sampling(), "no thinking is a prompt"),
        (Budget(method="token_conditional", instructed="9"), Sampling(), "--force stops a thought"),
        (Budget(9, method="completion_cap", min_thinking_tokens=3), Sampling(), "steer a thought by its tokens"),
        (Budget(0, method="completion_cap"), Sampling(), "a reply of 0 tokens"),
        (CAP, Sampling(answer_logprobs=True), "sampling.answer_logprobs are by token id"),
        (CAP, Sampling(logit_bias=((7, 1.0),)), "sampling.logit_bias is by token id"),
        (CAP, Sampling(thinking_temperature=0.5), "sampling.thinking_temperature is another"),
    ],
)
def test_what_needs_prefixes_or_ids_is_refused_in_one_line_that_says_what_to_use(
    budget: Any, sampling: Any, message: str
) -> None:
    chat = EngineConfig(name="openai", api="chat", base_url="http://x/v1")
    with pytest.raises(UserError, match=message) as refused:
        check([budget], sampling, chat)
    assert "use " in str(refused.value) or "give 1 or more" in str(refused.value)
    assert "\n" not in str(refused.value)
    if budget.method != "completion_cap":
        check([budget], sampling, EngineConfig())
    with pytest.raises(UserError, match="elsewhere budget_forcing caps the thought exactly"):
        check([CAP], sampling, EngineConfig())
