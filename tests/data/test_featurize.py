"""harness.data.features, references and kept: features by Ray, row by row, never paid for twice."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from harness.cli.data import data
from harness.config import EngineConfig, Sampling
from harness.data import features as featurize
from harness.data import load as pool
from harness.data.cache import RowCache, content_key, question_key
from harness.data.load import save
from harness.data.teacher import Endpoint
from harness.errors import UserError
from harness.progress import Progress
from harness.quickstart import TINY_MODEL
from harness.runtime import featurize as feature_run
from tests.chat_server import ChatServer, good
from tests.pools import row, rows
from tests.tiny import byte_tokenizer, make_model, varied


@pytest.fixture(scope="module", autouse=True)
def ray_is_stopped_afterwards() -> Iterator[None]:
    yield
    import ray

    ray.shutdown()


def questions(count: int) -> list[str]:
    return [f"Question {number}" for number in range(count)]


def test_what_is_kept_survives_and_a_torn_line_does_not_count(tmp_path: Path) -> None:
    kept = RowCache(tmp_path / "k")
    kept.put("a", {"text": "é\n"})
    kept.put("b", {"text": "2"})
    kept.put("a", {"text": "newer"})
    file = next((tmp_path / "k").glob("*.jsonl"))
    with file.open("ab") as handle:
        handle.write(b'{"key": "c", "te')  # the kill came here
    again = RowCache(tmp_path / "k")
    assert set(again.keys()) == {"a", "b"}
    assert again.get("a") == {"key": "a", "text": "newer"}
    assert again.get("c") is None
    again.put("c", {"text": "3"})
    assert len(RowCache(tmp_path / "k")) == 3


@pytest.mark.slow
def test_every_question_is_asked_once_whatever_the_workers(server: ChatServer, tmp_path: Path) -> None:
    endpoint = Endpoint(server.url, "m", concurrency=4)
    found = []
    for workers in (1, 3):
        kept = RowCache(tmp_path / str(workers))
        outcome = featurize.ask_all(replace(endpoint, model=f"m{workers}"), questions(20), kept, workers)
        assert (outcome.answered, outcome.failed, outcome.kept) == (20, 0, 0)
        assert outcome.output_tokens == 20 * 11
        replies = [kept.get(replace(endpoint, model=f"m{workers}").key(question)) for question in questions(20)]
        found.append([reply["thinking"] for reply in replies if reply])
    assert found[0] == found[1] == [f"Thinking of: {question}" for question in questions(20)]
    assert set(server.asked.values()) == {2}  # once for each of the two models


def test_a_second_call_asks_only_for_what_is_missing_and_failed_rows_are_tried_again(
    server: ChatServer, tmp_path: Path
) -> None:
    endpoint = Endpoint(server.url, "m", concurrency=2, input_price=1e6)
    server.script = lambda question, _: (400, {}, {"error": "no"}) if question.endswith("3") else good(question)
    first = featurize.ask_all(endpoint, questions(6), RowCache(tmp_path))
    assert (first.answered, first.failed, first.first_error) == (5, 1, "HTTP 400: no")
    assert first.dollars == 35.0
    server.script = lambda question, _: good(question)
    second = featurize.ask_all(endpoint, questions(8), RowCache(tmp_path))
    assert (second.kept, second.answered) == (5, 3)
    assert server.asked["Question 3"] == 2
    assert sum(server.asked.values()) == 9


def test_endless_errors_stop_the_call_with_one_line_and_keep_what_was_answered(
    server: ChatServer, tmp_path: Path
) -> None:
    endpoint = Endpoint(server.url, "m", concurrency=1, max_retries=0)
    server.script = lambda question, _: good(question) if int(question.split()[1]) < 5 else (500, {}, {"error": "down"})
    with pytest.raises(UserError, match="20 questions in a row failed, the last with: HTTP 500: down"):
        featurize.ask_all(endpoint, questions(100), RowCache(tmp_path))
    assert len(RowCache(tmp_path)) == 5
    assert sum(server.asked.values()) <= 27


def test_a_wrong_key_stops_the_call_at_once(server: ChatServer, tmp_path: Path) -> None:
    server.script = lambda question, _: (401, {}, {"error": "who are you"})
    with pytest.raises(UserError, match="HTTP 401: who are you: the API key is refused"):
        featurize.ask_all(Endpoint(server.url, "m", concurrency=2), questions(50), RowCache(tmp_path))
    assert sum(server.asked.values()) <= 4


def test_rows_get_their_trace_and_rows_without_an_answer_stay_as_they_are(server: ChatServer, tmp_path: Path) -> None:
    endpoint = Endpoint(server.url, "m")
    kept = RowCache(tmp_path)
    made = [row(1, thinking=""), row(2, thinking="")]
    featurize.ask_all(endpoint, [made[0]["question"]], kept)
    first, second = featurize.traces(made, "m", kept, endpoint.key)
    assert first["thinking"] == "Thinking of: What is 1 + 1?"
    assert first["attempt"] == "4"
    assert json.loads(first["metadata"]) == {"finish": "stop", "teacher": "m"}
    assert second == made[1]


def test_trace_lengths_are_the_tokenizers(tmp_path: Path) -> None:
    byte_tokenizer().save_pretrained(tmp_path)
    made = [row(n, thinking="é" * n) for n in range(1, 150)] + [row(150, thinking="")]
    expected = {f"r{n:04d}": 2 * n for n in range(1, 150)}  # two bytes each; no trace, no length
    assert featurize.lengths(made, str(tmp_path)) == expected


@pytest.mark.parametrize(
    ("source", "correct", "tokens", "expected"),
    [
        ("AIME 1983-2021", True, 10, True),
        ("GPQA/Physics", True, 10, True),
        ("GPQA/Physics", False, 9000, False),
        ("MATH/Algebra", True, 5601, True),
        ("MATH/Algebra", True, 5600, False),
        ("NuminaMATH", True, 9000, False),
        ("MATH", None, 9000, None),
    ],
)  # source: the paper's Algorithm 1
def test_benchmark_like_rows_are_those_of_the_papers_algorithm(
    source: str, correct: bool | None, tokens: int, expected: bool | None
) -> None:
    metadata = json.dumps({} if correct is None else {"attempt_correct": correct})
    assert featurize.benchmark_like(row(1, source=source, metadata=metadata, thinking_tokens=tokens)) is expected


def test_attempts_are_graded_by_our_grader_and_unreadable_golds_stay_ungraded() -> None:
    made = [
        row(1, attempt="So $\\boxed{\\frac{1}{2}}$", answer="0.5", source="GPQA", benchmark_like=None),
        row(2, attempt="\\boxed{3}", answer="4", benchmark_like=None),
        row(3, attempt="\\boxed{3}", answer="", benchmark_like=None),
    ]
    graded = list(featurize.grade_attempts(made))
    assert [json.loads(one["metadata"]).get("attempt_correct") for one in graded] == [True, False, None]
    assert [one["benchmark_like"] for one in graded] == [True, False, None]


def test_domains_come_from_keywords_a_given_key_or_a_model(server: ChatServer, tmp_path: Path) -> None:
    made = [row(1, question="How large is the angle of the triangle?", metadata='{"subject": "Planes"}'), row(2)]
    assert next(featurize.with_domains(made, "keywords"))["domain"] == "Geometry"
    assert [one["domain"] for one in featurize.with_domains(made, "subject")] == ["Planes", ""]
    with pytest.raises(UserError, match="no row has anything under 'nothing'"):
        list(featurize.with_domains(made, "nothing"))
    server.script = lambda question, _: good(question, content="51" if "angle" in question else "no idea")
    labelled = featurize.model_domains(made, Endpoint(server.url, "m"), tmp_path)
    assert [one["domain"] for one in labelled] == ["Geometry", "domain 2"]  # the second keeps what it had
    assert server.bodies[0]["messages"][0]["role"] == "system"


def test_a_models_reply_names_an_msc_subject_by_code_or_by_name() -> None:
    from harness.data.domains import MSC, from_reply

    assert len(MSC) == 63  # the top level of MSC 2020
    assert from_reply("11") == "Number theory"
    assert from_reply("It is not 05 but 11.") == "Number theory"
    assert from_reply("Differential geometry") == "Differential geometry"
    assert from_reply("1999 or 115") is None


@pytest.mark.slow
def test_a_reference_model_answers_grades_and_resumes_by_row(tmp_path: Path) -> None:
    from harness.runtime import reference_answers as references

    model = str(make_model(tmp_path / "model"))
    engine = EngineConfig(name="transformers", max_model_len=256)
    sampling = Sampling(max_answer_tokens=8)
    made = rows(6)
    known = {"answer": "2", "correct": True, "status": "correct", "reason": ""}
    RowCache(tmp_path / "kept").put(question_key(made[0]), known)  # as an earlier call left it
    folder, progress = tmp_path / "kept", Progress(Console(file=io.StringIO()))
    kept = RowCache(folder)
    with references.engines_of(model, engine, sampling, "s1", folder, progress) as engines:
        assert references.answer(made, model, engines, kept) == {}
    assert len(kept) == 6
    assert kept.get(question_key(made[0])) == {"key": question_key(made[0]), **known}
    again = RowCache(folder)
    with references.engines_of("no such model", engine, sampling, "s1", folder, progress) as engines:
        assert references.answer(made, "no such model", engines, again) == {}  # nothing is left to ask
    annotated = list(references.with_references(made, [kept, again]))
    assert all(len(one["reference_correct"]) == len(one["reference_answers"]) == 2 for one in annotated)
    assert annotated[0]["reference_correct"] == [True, True]
    assert all(value is False for one in annotated[1:] for value in one["reference_correct"])  # random weights


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["transformers", pytest.param("vllm", marks=pytest.mark.faults)])
def test_each_of_two_reference_models_gives_its_own_answers(engine: str, tmp_path: Path) -> None:
    """By plain transformers' greedy decoding; the models tie their heads, as the shipped one does."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    pytest.importorskip(engine)
    models = [str(TINY_MODEL), str(varied(Path(TINY_MODEL), tmp_path / "other", 3))]
    save(iter(rows(5)), tmp_path / "pool.jsonl")
    out = tmp_path / "out.jsonl"
    asked = [argument for model in models for argument in ("--reference", model)]
    small = ["--engine", engine, "--max-model-len", "256", "--max-answer-tokens", "12"]
    ran = CliRunner().invoke(data, ["featurize", str(tmp_path / "pool.jsonl"), *asked, *small, "--out", str(out)])
    assert ran.exit_code == 0, ran.output
    answers = [json.loads(line)["reference_answers"] for line in out.read_text().splitlines()]
    for index, name in enumerate(models):
        tokenizer, model = AutoTokenizer.from_pretrained(name), AutoModelForCausalLM.from_pretrained(name).float()
        for problem, found in zip(rows(5), answers, strict=True):
            ids = tokenizer.apply_chat_template(
                [{"role": "user", "content": problem["question"]}], add_generation_prompt=True, return_dict=False
            )
            made = model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=12)[0, len(ids) :]
            text = tokenizer.decode([i for i in made.tolist() if i != tokenizer.eos_token_id])
            assert found[index] == text.removesuffix("<|im_end|>")
    assert any(first != second for first, second in answers)


def test_what_a_local_model_said_is_its_weights_not_its_paths(tmp_path: Path) -> None:
    from harness.runtime.reference_answers import trace_key

    folder = make_model(tmp_path / "model", hidden=32, layers=1)
    before = trace_key("q", str(folder), Sampling(), "s1")
    make_model(tmp_path / "model", hidden=32, layers=1, seed=1)
    assert trace_key("q", str(folder), Sampling(), "s1") != before


@pytest.mark.slow
def test_a_local_model_writes_the_missing_traces(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    too_long = row(3, thinking="", attempt="", question="What is " + "1 + " * 400 + "1?")
    pool.save(iter([row(1), row(2, thinking="", attempt=""), too_long]), tmp_path / "pool.jsonl")
    out = tmp_path / "out.jsonl"
    options = feature_run.Options(
        model=str(model), traces=True, engine="transformers", max_model_len=256, max_answer_tokens=8
    )
    said: list[str] = []
    feature_run.featurize(pool.load(str(tmp_path / "pool.jsonl")), out, options, said.append)
    assert "traces: 1 failed (first: " in "\n".join(said)
    first, second, third = [json.loads(line) for line in out.read_text().splitlines()]
    assert first == row(1)
    assert second["thinking"] and third == too_long
    assert json.loads(second["metadata"])["teacher"] == str(model)


@pytest.mark.slow
def test_a_local_model_that_cannot_be_opened_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    pool.save(iter([row(1)]), tmp_path / "pool.jsonl")
    options = feature_run.Options(references=(str(tmp_path / "empty"),), engine="transformers", max_model_len=256)
    with pytest.raises(UserError, match=r"the model folder .*empty has no tokenizer"):
        feature_run.featurize(pool.load(str(tmp_path / "pool.jsonl")), tmp_path / "out.jsonl", options, print)


@pytest.mark.slow
def test_a_killed_call_asks_again_only_for_what_was_on_its_way(server: ChatServer, tmp_path: Path) -> None:
    pool.save(iter([row(n, thinking="") for n in range(1, 81)]), tmp_path / "pool.jsonl")
    out = tmp_path / "out.jsonl"
    command = [
        sys.executable,
        "-c",
        "from harness.cli.data import data; data()",
        "featurize",
        str(tmp_path / "pool.jsonl"),
        "--traces",
        "--base-url",
        server.url,
        "--model",
        "m",
        "--concurrency",
        "4",
        "--out",
        str(out),
    ]
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path), "HF_HOME": str(tmp_path / "cache")}
    server.seconds = 0.1
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while sum(server.asked.values()) < 20:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    server.seconds = 0.0
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    assert sum(server.asked.values()) <= 80 + 2 * 4  # four on their way, four answered but not yet written
    assert all(json.loads(line)["thinking"] for line in out.read_text().splitlines())
    assert len(out.read_text().splitlines()) == 80


def test_keys_do_not_run_together() -> None:
    assert content_key("a", "bc") != content_key("ab", "c")
    assert content_key("a", None) != content_key("a", "None")


def test_a_part_of_a_pool_is_never_empty() -> None:
    from harness.data.parallel import parts

    assert [list(part) for part in parts(range(5), 2)] == [[0, 1, 2], [3, 4]]
    assert [list(part) for part in parts(range(2), 4)] == [[0], [1]]
    nothing: list[Any] = parts([], 3)
    assert nothing == []


def test_replies_without_a_whole_trace_have_a_status_and_a_price_and_fill_no_row(
    server: ChatServer, tmp_path: Path
) -> None:
    short = {
        "cut": {"content": "<think>\nStill thinking"},
        "no trace": {"content": "4"},
        "no answer": {"content": "", "reasoning_content": "So 4."},
        "empty": {"content": ""},
        "whole": {"content": "4", "reasoning_content": "Two and two."},
    }
    server.script = lambda question, _: good(question, **{"reasoning_content": None, **short[question]})
    endpoint = Endpoint(server.url, "m", input_price=1e6, output_price=1e6)
    kept = RowCache(tmp_path)
    outcome = featurize.ask_all(endpoint, short, kept)
    assert outcome.answered == 1 and dict(outcome.short) == {name: 1 for name in short if name != "whole"}
    assert (outcome.input_tokens, outcome.output_tokens, outcome.dollars) == (5 * 7, 5 * 11, 5 * 18.0)
    assert "1 answered, 1 cut, 1 empty, 1 no answer, 1 no trace, 0 failed" in featurize.told(outcome)
    made = [row(n, question=name, thinking="", attempt="") for n, name in enumerate(short)]
    filled = list(featurize.traces(made, "m", kept, endpoint.key))
    assert [one["question"] for one in filled if one["thinking"]] == ["whole"]
    featurize.ask_all(endpoint, short, kept)
    assert server.asked == {name: 2 if name == "empty" else 1 for name in short}  # only the empty one is asked again


def test_a_reply_without_a_choice_is_empty_and_counted_where_the_server_bills_it(
    server: ChatServer, tmp_path: Path
) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 11}
    bodies: dict[str, dict[str, Any]] = {"billed": {"choices": [], "usage": usage}, "free": {"choices": []}}
    server.script = lambda question, _: (200, {}, bodies[question])
    endpoint = Endpoint(server.url, "m", max_retries=1)
    outcome = featurize.ask_all(endpoint, list(bodies), RowCache(tmp_path))
    assert dict(outcome.short) == {"empty": 1} and outcome.failed == 1
    assert (outcome.input_tokens, outcome.output_tokens) == (7, 11)
    assert server.asked == {"billed": 1, "free": 2}  # nothing at all is tried again


def test_several_traces_of_a_question_are_as_many_rows(server: ChatServer, tmp_path: Path) -> None:
    endpoint = Endpoint(server.url, "m", temperature=None, extra_body={"top_p": 0.9})
    server.script = lambda question, number: good(question, content="4", reasoning_content=f"Thought {number}.")
    kept = RowCache(tmp_path)
    asked = featurize.ask_all(endpoint, ["Q"], kept, samples=3)
    assert asked.answered == 3 and "temperature" not in server.bodies[0] and server.bodies[0]["top_p"] == 0.9
    rows = list(featurize.traces([row(1, id="a", question="Q", thinking="")], "m", kept, endpoint.key, 3))
    assert [one["id"] for one in rows] == ["a", "a#2", "a#3"]
    assert sorted(one["thinking"] for one in rows) == ["Thought 1.", "Thought 2.", "Thought 3."]
    assert featurize.ask_all(endpoint, ["Q"], kept, samples=3).kept == 3


def test_a_reasoning_model_gives_domains_and_what_it_costs_is_said(server: ChatServer, tmp_path: Path) -> None:
    server.script = lambda question, _: good(question, content="51", reasoning_content="A triangle: geometry, 51.")
    said: list[str] = []
    rows = [row(n, domain="") for n in range(3)]
    found = list(featurize.model_domains(rows, Endpoint(server.url, "m"), tmp_path, say=said.append))
    assert {one["domain"] for one in found} == {"Geometry"}
    assert server.bodies[0]["max_tokens"] == featurize.DOMAIN_TOKENS
    assert said == ["domains: 3 rows labelled; 0 kept, 3 answered, 0 failed, 33 tokens out, $0.00"]
