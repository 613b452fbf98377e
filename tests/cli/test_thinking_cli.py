"""Thinking formats from the command line: what was read, training text, and marks of one's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from families import FIXTURES, tokenizer_of

from harness.cli.main import cli
from harness.config import Budget, EngineConfig
from harness.quickstart import TINY_MODEL
from harness.records import Problem
from harness.runtime.workers import EngineWorker, Work
from harness.studies.evaluate import study as evaluation
from harness.studies.formats import resolved
from harness.thinking import thinking_format

BY_NAME = {family.name.split(" (")[0]: family for family in FIXTURES}
TOLD, OPENED = BY_NAME["hybrid that must be told"], BY_NAME["opened, with a switch"]


def run(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


@pytest.fixture
def told(tmp_path: Path) -> str:
    tokenizer_of(TOLD.template, TOLD.tokens, TOLD.eos).save_pretrained(tmp_path / "told")
    return str(tmp_path / "told")


def test_what_was_read_is_shown(told: Any) -> None:
    shown = run("thinking", told)
    assert "opened by the template" in shown and "thinking=true; the prompt ends" in shown
    assert "no thinking       thinking=false; the prompt ends" in shown and "<｜end▁of▁sentence｜>" in shown
    assert "arguments         thinking (--chat-template-arg NAME=VALUE)" in shown
    assert "forced end        '</think>Final Answer:', on a line of its own" in shown
    assert "channel" in run("thinking")  # the formats by name


def test_training_text_asks_a_hybrid_to_think(told: Any, tmp_path: Path) -> None:
    pool, out = tmp_path / "pool.jsonl", tmp_path / "out.parquet"
    row = {"id": "a", "question": "6 x 7?", "thinking": "Six sevens.", "attempt": "The answer is 42."}
    pool.write_text(json.dumps(row) + "\n")
    run("data", "format", str(pool), "--tokenizer", told, "--out", str(out), "--instruction", " Say it.")
    (text,) = pq.read_table(out)["text"].to_pylist()
    assert text == (
        "<｜User｜>6 x 7? Say it.<｜Assistant｜><think>Six sevens.</think>The answer is 42.<｜end▁of▁sentence｜>"
    )
    closed = CliRunner().invoke(
        cli,
        ["data", "format", str(pool), "--tokenizer", told, "--out", str(out), "--chat-template-arg", "thinking=false"],
    )
    assert closed.exit_code and "closes the thought under {'thinking': False}" in str(closed.exception)


def test_a_template_argument_without_a_value_is_refused(told: Any) -> None:
    done = CliRunner().invoke(cli, ["thinking", told, "--chat-template-arg", "enable_thinking"])
    assert "write NAME=VALUE" in str(done.exception)


def test_grade_reads_the_prompt_and_marks_of_ones_own(tmp_path: Path) -> None:
    rows = [
        {"gold": "42", "response": "Maybe \\boxed{42}. Wait", "prompt": "Q<think>\n"},
        {"gold": "42", "response": "<<plan>> \\boxed{41} <<say>> It is 42."},
        {"gold": "42", "response": "<<plan>> \\boxed{42}"},
    ]
    file, out = tmp_path / "rows.jsonl", tmp_path / "graded.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run("grade", str(file), "--out", str(out), "--thinking-marks", "<<plan>>", "<<say>>")
    assert [json.loads(line)["status"] for line in out.read_text().splitlines()] == [
        "truncated",
        "correct",
        "truncated",
    ]


def test_import_and_sample_stats_read_a_log_with_its_prompt(tmp_path: Path) -> None:
    """Three samples behind a prompt that opens the thought; the third is cut inside it and holds the gold in a box."""
    prompt = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n<think>\n"
    texts = ["So.\n</think>\n\nIt is \\boxed{42}.", "Hm.\n</think>\n\nIt is \\boxed{42}.", "Maybe \\boxed{42}. Wait"]
    log = tmp_path / "samples_quick.jsonl"
    lines = [
        {
            "doc_id": i,
            "doc": {"problem": str(i)},
            "target": "42",
            "resps": [[text]],
            "exact_match": float(i < 2),
            "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {}}},
        }
        for i, text in enumerate(texts)
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "accuracy 66.7 %, in the log 66.7 % (0 verdicts differ)" in run(
        "import", str(log), "--out", str(tmp_path / "x")
    )
    shown = run("sample-stats", str(log))
    assert "samples w/o answer: 1" in shown and "samples w/o thinking: 0" in shown


def test_the_worker_asks_for_a_prompt_without_thinking_by_the_templates_switch() -> None:
    class Engine:
        tokenizer = tokenizer_of(OPENED.template, OPENED.tokens, OPENED.eos)

    worker = EngineWorker(EngineConfig(), "m", "log")
    worker.engine = Engine()
    from harness.generation.templates.reading import read

    thinking = read(Engine.tokenizer).thinking
    problem = Problem("p", "quick", "2 + 2?", "4", "math")
    budgets = (Budget(16), Budget(method="no_thinking"))
    (one, thinks), (other, plain) = worker._prompts(Work(problem, 0, budgets), thinking)
    assert (thinks, plain) == ([budgets[0]], [budgets[1]])
    assert one.text.endswith("assistant\n<think>\n")
    assert other.text.endswith("assistant\n<think>\n\n</think>\n\n")
    assert Engine.tokenizer.decode(other.ids) == other.text


def test_a_study_carries_what_was_read() -> None:
    from harness.config import Chat, Sampling

    budgets = [Budget(16)]
    made = evaluation(TINY_MODEL, "quick_aime", budgets, Sampling(), EngineConfig(), "auto", Chat(), 2, True)
    style = thinking_format(resolved(made).thinking)
    assert (style.name, style.end_of_turn) == ("s1", "<|im_end|>")
    assert resolved(resolved(made)) == resolved(made)


def without_a_hub(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    unreachable = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(home), "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, env=os.environ | unreachable, cwd=home, capture_output=True, text=True, timeout=300)


def test_a_model_that_is_nowhere_is_one_line_without_the_hubs_retries(tmp_path: Path) -> None:
    (tmp_path / "pool.jsonl").write_text('{"question": "6 x 7?", "thinking": "Six.", "attempt": "42"}\n')
    for *command, what in (
        ["thinking", "NODIR", "model"],
        ["train", "pool.jsonl", "--out", "new", "--model", "NODIR", "base_model"],
    ):
        ended = without_a_hub(tmp_path, *command)
        assert ended.returncode == 2 and len(ended.stderr.splitlines()) == 1 and ended.stdout == ""
        assert ended.stderr.startswith(f"harness: {what} NODIR: no such folder, not in the hub's cache")
        assert not (tmp_path / "new").exists()


def test_a_tokenizer_that_was_downloaded_alone_is_read_without_a_hub(told: str, tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--org--tokenizer"
    shutil.copytree(told, cache / "snapshots" / ("0" * 40))
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("0" * 40)
    ended = without_a_hub(tmp_path, "thinking", "org/tokenizer")
    assert ended.returncode == 0 and "opened by the template" in ended.stdout and ended.stderr == ""
