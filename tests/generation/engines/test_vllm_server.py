"""The server engine against a real vLLM server: the tokens of transformers, and what is left when the server dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config import Budget, EngineConfig, Sampling
from harness.generation import open_chat, open_engine
from harness.generation.chat import UNTOLD, Call, samples
from harness.generation.engines.loading import WrongWeightsError, load
from harness.generation.prompts import render_prompt
from harness.generation.rules import Vocabulary
from harness.generation.sweep import Prompt, generate
from harness.records import Generation, Problem, ToldTokens
from harness.thinking import FORMATS, ThinkingFormat, custom_format
from tests.generation.test_sweep import by_cell
from tests.tiny import checkpoint, make_model

pytestmark = pytest.mark.slow
BUDGETS = [Budget(b, n) for b in (0, 1, 40, 150) for n in (0, 2)] + [Budget(90, 1, ignore_str=None)]
START_SECONDS = 240
# As `python -m` of that module; but its core need not import all of it again, as the main module of who spawned it.
SERVER = """
import runpy
from harness import imports
from harness.generation.engines.vllm_process import _main_is_ours
with imports.quick(), _main_is_ours():
    runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__")
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    pytest.importorskip("vllm")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--host 127.0.0.1 --port {port} --dtype float32 --max-model-len 512 --enforce-eager"
    options += " --kv-cache-memory-bytes 268435456"
    options += f" --served-model-name {model} tiny"
    settings = {"VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
    settings |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "TORCHDYNAMO_DISABLE": "1"}  # no worker process, no compiler
    log = tmp_path_factory.mktemp("log") / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, "--model", model, *options.split()],
            env={**os.environ, **settings},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-2000:]
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5)
            break
        except OSError:
            time.sleep(0.5)
    yield url, process
    stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server and its own processes."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def rows(engine: Any, thinking: ThinkingFormat = FORMATS["s1"], **options: Any) -> list[Generation]:
    vocabulary = Vocabulary(engine.tokenizer)
    prompts = [Prompt(str(i), f"question {i}", vocabulary.encode(f"question {i}")) for i in range(4)]
    found: list[Generation] = []
    options = {"on_generation": found.append, "sampling": Sampling(max_answer_tokens=12), **options}
    generate(engine, prompts, BUDGETS, thinking=thinking, **options)
    return found


def test_a_vllm_server_gives_the_tokens_of_transformers(
    server: tuple[str, subprocess.Popen[bytes]], model: Path
) -> None:
    served = open_engine(EngineConfig(name="openai", base_url=server[0], max_num_seqs=4), str(model))
    assert served.max_model_len == 512 and served.version != "unknown"
    here = open_engine(EngineConfig(name="transformers", max_model_len=512), str(model))
    plain = custom_format("<|im_start|>think", "<|im_start|>answer", "\nSo:", ("e", "<|im_end|>"))
    for thinking in (FORMATS["s1"], plain):
        assert by_cell(rows(served, thinking)) == by_cell(rows(here, thinking))
    moved = Sampling(
        max_answer_tokens=12,
        presence_penalty=0.7,
        frequency_penalty=0.2,
        repetition_penalty=1.2,
        logit_bias=((40, 3.0), (50, -100.0)),
        answer_logprobs=True,
    )
    remote, local = by_cell(rows(served, sampling=moved)), by_cell(rows(here, sampling=moved))
    for key, row in remote.items():
        assert row.answer_logprobs == pytest.approx(local[key].answer_logprobs, abs=2e-4)
        assert replace(row, answer_logprobs=()) == replace(local[key], answer_logprobs=())
    assert all(row.answer_logprobs for row in remote.values() if row.answer_ids)


def test_a_server_of_other_weights_is_found_out_by_the_probe(
    server: tuple[str, subprocess.Popen[bytes]], model: Path, tmp_path: Path
) -> None:
    """The server has `model`; the rows would be filed under a checkpoint that it does not have."""
    served = EngineConfig(name="openai", base_url=server[0], served_name="tiny", max_model_len=512)
    good, other = (
        checkpoint(tmp_path / "good", model),
        checkpoint(tmp_path / "other", make_model(tmp_path / "m", seed=5)),
    )
    loaded = load(open_engine(served, str(good)), str(good), FORMATS["s1"], {})
    assert loaded.served_model == "tiny" and loaded.probe_difference is not None and loaded.probe_difference < 0.001
    with pytest.raises(WrongWeightsError, match="does not generate with the weights of"):
        load(open_engine(served, str(other)), str(other), FORMATS["s1"], {})


def test_a_chat_call_to_a_vllm_server_is_the_plain_continuation_of_its_chat_prompt(
    server: tuple[str, subprocess.Popen[bytes]], model: Path
) -> None:
    """The reply is what transformers' own `generate` writes behind the rendered prompt, its counts those of the ids."""
    import torch
    from transformers import AutoModelForCausalLM

    config = EngineConfig(name="openai", api="chat", base_url=server[0], served_name="tiny", max_num_seqs=2)
    chat = open_chat(config, str(model))
    assert chat.version == open_engine(replace(config, api="completions"), str(model)).version != "unknown"
    problems = [Problem(str(i), "t", f"question {i}", "4") for i in range(3)]
    found: list[Generation] = []
    calls = [Call(p.id, p, Budget(24, method="completion_cap"), 0) for p in problems]
    samples(chat, calls, Sampling(repetition_penalty=1.2), UNTOLD, found.append)
    assert not any(row.error for row in found) and len(found) == 3
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    for row in found:
        _, prompt = render_prompt(chat.tokenizer, f"question {row.problem_id}")
        ids = loaded.generate(
            torch.tensor([prompt]), do_sample=False, max_new_tokens=24, repetition_penalty=1.2, pad_token_id=0
        )[0, len(prompt) :]
        text = chat.tokenizer.decode(ids, skip_special_tokens=True).strip()
        assert row.answer.rstrip("\ufffd") == text.rstrip("\ufffd")  # vLLM holds back a character that is cut
        assert row.num_tokens == ToldTokens(len(prompt), 0, len(ids))
        assert row.answer_finish == ("length" if ids[-1] != chat.tokenizer.eos_token_id else "stop")


def test_a_server_that_dies_leaves_errors_and_the_rows_it_had_finished(
    server: tuple[str, subprocess.Popen[bytes]], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.generation.engines.connection.BACKOFF_SECONDS", 0.0)
    engine = open_engine(EngineConfig(name="openai", base_url=server[0], max_num_seqs=2), str(model))
    found: list[Generation] = []

    def keep(row: Generation) -> None:
        found.append(row)
        if len(found) == 3:
            stop(server[1])

    rows(engine, on_generation=keep)
    assert len(found) == 4 * len(BUDGETS)
    assert not any(row.error for row in found[:3])
    assert {row.thinking_finish for row in found if row.error} == {"error"}
