"""`harness evaluate` from end to end on real parts: every method, several models, what is lost, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from harness.analysis.diff import diff
from harness.cli.main import cli
from harness.config import Budget
from harness.errors import UserError
from harness.quickstart import TINY_MODEL
from harness.records import short
from harness.studies.evaluate import Sweep, headline_of, study_name
from harness.studies.inputs import check_weights, longest_context
from tests.tiny import byte_tokenizer, varied

ROOT = Path(__file__).resolve().parents[2]


def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=1400,
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Sweep(budgets="500,auto", ignores="0,2"), (Budget(500), Budget(), Budget(num_ignores=2))),
        (
            Sweep("rejection_sampling", budgets="500", max_attempts=9),
            (Budget(500, method="rejection_sampling", max_attempts=9),),
        ),
        (
            Sweep("token_conditional", instructed="64,128"),
            tuple(Budget(method="token_conditional", instructed=n, force=False) for n in ("64", "128")),
        ),
        (
            Sweep("token-conditional", instructed="64,128", force=True),
            tuple(Budget(int(n), method="token_conditional", instructed=n) for n in ("64", "128")),
        ),
        (
            Sweep("step_conditional", instructed="16", force=True, budgets="900"),
            (Budget(900, method="step_conditional", instructed="16"),),
        ),
        (
            Sweep("class_conditional"),
            tuple(Budget(method="class_conditional", instructed=n, force=False) for n in ("short", "long")),
        ),
        (
            Sweep("token_conditional,class_conditional", instructed="64,short"),
            (
                Budget(method="token_conditional", instructed="64", force=False),
                Budget(method="class_conditional", instructed="short", force=False),
            ),
        ),
        (
            Sweep("class_conditional,step_conditional", instructed="16"),
            (
                *(Budget(method="class_conditional", instructed=word, force=False) for word in ("short", "long")),
                Budget(method="step_conditional", instructed="16", force=False),
            ),
        ),
        (
            Sweep("completion_cap", budgets="9,auto"),
            (Budget(9, method="completion_cap"), Budget(method="completion_cap")),
        ),
        (Sweep("no_thinking"), (Budget(method="no_thinking"),)),
        (Sweep("budget_forcing,no_thinking", no_thinking=True), (Budget(method="no_thinking"), Budget())),
        (Sweep("rebase", budgets="300"), (Budget(300, method="rebase"),)),
        (Sweep(budgets="90", min_thinking=30), (Budget(90, min_thinking_tokens=30),)),
        (
            Sweep(
                "budget_forcing,no_thinking", budgets="90", grace=9, wrap_up="So:", wrap_up_tokens=20, final_answer="A:"
            ),
            (
                Budget(90, grace_tokens=9, wrap_up_str="So:", wrap_up_tokens=20, final_answer="A:"),
                Budget(method="no_thinking"),
            ),
        ),
    ],
)
def test_each_method_is_said_with_its_options(asked: Sweep, expected: tuple[Budget, ...]) -> None:
    assert asked.settings() == expected


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Sweep("rebas"), "did you mean 'rebase'"),
        (Sweep(""), "--method is empty"),
        (Sweep("token_conditional"), "needs --instructed"),
        (Sweep("class_conditional", instructed="medium"), "known: long, short"),
        (Sweep(max_attempts=3), "--max-attempts belongs to --method rejection_sampling"),
        (Sweep(reward="m"), "--reward belongs to --method rebase"),
        (Sweep("no_thinking", ignores="2"), "--ignores belongs to --method budget_forcing"),
        (Sweep(instructed="9"), "--instructed belongs to"),
        (Sweep("rebase", grace=9), "--grace belongs to --method budget_forcing"),
        (Sweep(wrap_up_tokens=9), "needs wrap_up_str"),
        (Sweep(budgets="9", wrap_up="So:", wrap_up_tokens=10), "wrap_up_tokens=10 is more than max_thinking_tokens=9"),
        (Sweep("no_thinking", min_thinking=9), "--min-thinking belongs to --method budget_forcing"),
        (Sweep("no_thinking", budgets="9"), "--budgets belongs to --method budget_forcing"),
        (Sweep("token_conditional", instructed="9", budgets="9"), "--budgets belongs to"),
        (Sweep("token_conditional,class_conditional", instructed="9,medium"), "'medium' is neither a whole number nor"),
        (Sweep("token_conditional,class_conditional", instructed="short"), "token_conditional needs --instructed N"),
    ],
)
def test_an_option_that_cannot_be_read_or_has_no_effect_is_one_line(asked: Sweep, message: str) -> None:
    with pytest.raises(UserError, match=message):
        asked.settings()


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"max_position_embeddings": 4096, "seq_length": 2048}, 2048),
        ({"text_config": {"max_position_embeddings": 128}}, 128),
        ({"max_position_embeddings": 32768, "rope_scaling": {"type": "linear", "factor": 4.0}}, 131072),
        (  # Qwen2.5's card: YaRN counts from the length before it
            {
                "max_position_embeddings": 40960,
                "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768},
            },
            131072,
        ),
        ({"max_position_embeddings": 131072, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 131072),
        ({"max_position_embeddings": 131072, "rope_parameters": {"rope_type": "longrope", "factor": 32.0}}, 131072),
        ({"hidden_size": 8}, None),
    ],
)
def test_the_longest_context_is_read_as_vllm_reads_it(config: Any, tokens: Any, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert longest_context(str(tmp_path)) == tokens


def test_a_plan_says_where_a_models_own_context_is_the_shorter_one(tmp_path: Path) -> None:
    said = "Context: 4,096 tokens for prompt, thought and answer together"
    done = evaluate(TINY_MODEL, "--tasks", "quick_aime", "--dry-run")
    assert said in " ".join(done.output.split()) and "at most 512 for the answer" in " ".join(done.output.split())
    done = evaluate(TINY_MODEL, "--tasks", "quick_aime", "--dry-run", "--json", "--set", "engine.max_model_len=2048")
    (note,) = (note for note in json.loads(done.output)["plans"][0]["notes"] if note.startswith("Context"))
    assert note.startswith("Context: 2,048 tokens") and "allows 4,096, not 32,768" in note

    study = tmp_path / "mine.py"
    study.write_text(
        "from harness.config import Budget, Recipe, Study\n"
        f"def plan(): return Study(name='mine', base_model={TINY_MODEL!r}, pool='quickstart', tasks=('quick_aime',),\n"
        "    recipes=(Recipe('random', 'random', size=2),), budgets=(Budget(),))\n"
    )
    done = CliRunner().invoke(cli, ["ablate", f"{study}:plan", "--dry-run"])
    assert said in " ".join(done.output.split()), done.output
    done = CliRunner().invoke(cli, ["ablate", f"{study}:plan", "--dry-run", "--set", "engine.max_model_len=8192"])
    assert "max_model_len=8192 is more than the 4096 tokens" in str(done.exception)


def test_a_ray_cluster_that_does_not_start_is_one_line(tmp_path: Path) -> None:
    """Ray's own refusal: its sockets' paths may have 107 bytes."""
    long = tmp_path / ("deep" * 30)
    long.mkdir()
    command = [sys.executable, "-m", "harness", "evaluate", TINY_MODEL, "--tasks", "quick_aime", "--max-problems", "1"]
    done = subprocess.run(
        [*command, "--engine", "transformers", "--out", str(tmp_path / "out")],
        env=os.environ | {"PYTHONPATH": str(ROOT), "RAY_TMPDIR": str(long), "RAY_ADDRESS": "local"},
        capture_output=True,
        text=True,
        timeout=1400,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and "Ray did not start, 2 times" in done.stderr


def test_the_headline_is_a_setting_by_its_name() -> None:
    budgets = Sweep(budgets="1000,auto", ignores="2").settings()
    assert headline_of(budgets, "auto+2 Wait") == Budget(num_ignores=2) == headline_of(budgets, None)
    assert headline_of(budgets, "1,000") == Budget(1000)
    with pytest.raises(UserError, match="did you mean 'auto\\+2 Wait'"):
        headline_of(budgets, "auto+2 Waits")


def test_an_evaluation_is_called_by_its_models() -> None:
    assert study_name(["org/a"]) == "evaluate-org--a"
    assert study_name([TINY_MODEL, "b", "c"]) == "evaluate-model+2"


def evaluate(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["evaluate", *arguments, "--engine", "transformers"])


@pytest.fixture
def emptied(tmp_path: Path) -> Path:
    folder = tmp_path / "emptied"
    shutil.copytree(TINY_MODEL, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["EMPTIED", "--tasks", "quick_aime"], "the folder has no weights"),
        ([TINY_MODEL, "--tasks", "math500", "--data-dir", "DATA"], "math500.jsonl"),
        ([TINY_MODEL, "--tasks", "quick_aime", "--samples", "3"], "one text 3 times"),
        ([TINY_MODEL, "--tasks", "quick_aime", "--method", "rebase", "--samples", "4"], "above 0"),
        ([TINY_MODEL, "--tasks", "quick_aime", "--method", "rejection_sampling"], "as a number|temperature above 0"),
        (
            [TINY_MODEL, "--tasks", "quick_aime", "--method", "rebase", "--reward", "EMPTIED"],
            "the folder has no weights",
        ),
        (
            [TINY_MODEL, "--tasks", "quick_aime", "--method", "rebase", "--reward", TINY_MODEL],
            "ForSequenceClassification",
        ),
        ([TINY_MODEL, "--tasks", "quick_aime", "--headline", "900"], "unknown --headline"),
        ([TINY_MODEL, "--tasks", "quick_aime", "--set", "sampling.logit_bias={'Wait, no': 2}"], "tokens of it"),
        ([TINY_MODEL, "no such model", "--tasks", "quick_aime"], "no such folder"),
        (["", "--tasks", "quick_aime"], "a MODEL is empty"),
        ([TINY_MODEL, "--tasks", "quick_aime", "--base-url", "http://x/v1"], "engine.base_url=http://x/v1 belongs to"),
        (
            [TINY_MODEL, "--tasks", "quick_aime", "--served-name", "x"],
            "engine.served_name=x belongs to --engine openai",
        ),
        ([TINY_MODEL, "--tasks", "quick_aime", "--api", "chat"], "engine.api=chat belongs to --engine openai"),
        (
            [
                TINY_MODEL,
                "--tasks",
                "quick_aime",
                *("--set", "engine.num_gpus=2"),
                *("--set", "engine.tensor_parallel_size=2"),
            ],
            "engine.tensor_parallel_size=2 belongs to --engine vllm",
        ),
        ([TINY_MODEL, "--tasks", "quick_aime", "--set", "pool=mine"], "evaluate trains nothing and reads no pool"),
        ([TINY_MODEL, "--tasks", "quick_aime", "--set", "reference_recipe=s1k"], "reads no reference_recipe"),
        (
            [TINY_MODEL, "--tasks", "quick_aime", "--set", "engine.max_model_len=999999"],
            "more than the 4096 tokens that",
        ),
        (  # between the model's own context and the engine's usual one
            [TINY_MODEL, "--tasks", "quick_aime", "--set", "engine.max_model_len=16384"],
            "more than the 4096 tokens that",
        ),
        (
            [TINY_MODEL, "--tasks", "quick_aime", "--set", "engine.num_cpus=100000"],
            "engine needs 100000 CPUs, this machine",
        ),
        (
            [TINY_MODEL, "--tasks", "quick_aime", "--set", "engine.num_gpus=1000"],
            "engine needs 1000 GPUs, this machine",
        ),
        ([TINY_MODEL, "--tasks", "quick_aime", "--set", "name=a/b"], "name=a/b: it is the name of a folder"),
        (
            [TINY_MODEL, "--tasks", "quick_aime", "--set", "sampling.seed=1", "--set", "sampling.seed=2"],
            "--set sampling.seed is given 2 times",
        ),
        ([TINY_MODEL, "--tasks", "quick_aime", "--temperature", "1e9"], "above 10 every token of the vocabulary"),
        ([TINY_MODEL, "--tasks", "quick_aime", "--seed", str(2**63)], "seed=9223372036854775808: give less than"),
        (
            [TINY_MODEL, "--tasks", "quick_aime", "--thinking", '["<t>", "<t>", "A:", "<t>"]'],
            "a start and an end that differ",
        ),
        ([TINY_MODEL, "--tasks", "quick_aime", "--thinking", '["", "<t>", "A:", "<t>"]'], "has no start"),
        ([TINY_MODEL, "--tasks", "quick_aime", "--thinking", '["<t>", "</t>", "A:", ""]'], "a stop that is not empty"),
        (
            [TINY_MODEL, "--tasks", "quick_aime", "--chat-template-arg", "thinking=1"],
            "never reads 'thinking'; it reads no",
        ),
        (
            ["HYBRID", "--tasks", "quick_aime", "--chat-template-arg", "enable_thinkin=false"],
            "did you mean 'enable_thinking'",
        ),
    ],
)
def test_what_is_missing_is_known_before_ray_starts_and_out_is_not_claimed(
    arguments: list[str], message: str, emptied: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    hybrid = shutil.copytree(TINY_MODEL, tmp_path / "hybrid")
    template = "{% generation %}{% if enable_thinking %}<think>{% endif %}{% endgeneration %}"
    (hybrid / "chat_template.jinja").write_text((hybrid / "chat_template.jinja").read_text() + template)
    named = {"EMPTIED": str(emptied), "DATA": str(data), "HYBRID": str(hybrid)}
    done = evaluate(*(named.get(one, one) for one in arguments), "--out", str(tmp_path / "out"))
    assert isinstance(done.exception, UserError)  # `harness.cli.exits.call` makes it one line and exit code 2
    assert any(part in str(done.exception) for part in message.split("|")), done.exception
    assert not (tmp_path / "out").exists() and "ray" not in str(done.exception)


def test_a_server_that_is_not_there_is_known_before_ray_starts(tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--tasks", "quick_aime", "--engine", "openai", "--base-url", "http://127.0.0.1:9/v1", "--out", str(out)]
    done = CliRunner().invoke(cli, ["evaluate", TINY_MODEL, *options])
    assert "no OpenAI-compatible server at http://127.0.0.1:9" in str(done.exception) and not out.exists()


def test_a_name_that_the_hub_does_not_know_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's own client, against a server here that knows no model."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    import huggingface_hub

    class Hub(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

        def do_GET(self) -> None:
            known = self.path.startswith("/api/models/org/there")
            body = json.dumps({"id": "org/there", "siblings": []} if known else {"error": "Repository not found"})
            self.send_response(200 if known else 404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

    http = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{http.server_port}"
    client = huggingface_hub.HfApi
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: client(endpoint=address))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)  # as other tests are
    check_weights("base_model", "org/there")
    with pytest.raises(UserError, match="base_model org/gone: no such folder, and the Hugging Face hub says"):
        check_weights("base_model", "org/gone")
    http.shutdown()
    http.server_close()
    with pytest.raises(UserError, match="the hub does not answer"):
        check_weights("base_model", "org/there")


def test_a_dry_run_prints_the_plan_of_each_model_and_claims_nothing(tmp_path: Path) -> None:
    done = evaluate(TINY_MODEL, "org/other", "--tasks", "quick_aime,quick_math", "--budgets", "64,auto", "--dry-run")
    assert done.exit_code == 0, (done.output, done.exception)
    assert done.output.count("4 runs") == 2 and "org/other" in done.output


METHODS = (
    *("--method", "budget_forcing,rejection_sampling,rebase,class_conditional,no_thinking", "--budgets", "4"),
    *("--max-attempts", "2", "--samples", "4", "--temperature", "1", "--tasks", "quick_gpqa", "--max-problems", "4"),
    *("--engine", "transformers", "--answer-logprobs", "--headline", "4"),
)
BATCHED = ("--set", "engine.batch_size=32")


def reward_model(folder: Path) -> Path:
    """A classifier of one logit that has learnt nothing."""
    import torch
    from transformers import Qwen2Config, Qwen2ForSequenceClassification

    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen2ForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path, subprocess.CompletedProcess[str]]:
    """Two models of one architecture and every method, sampled."""
    folder = tmp_path_factory.mktemp("evaluated")
    models = [TINY_MODEL, str(varied(Path(TINY_MODEL), folder / "moved", seed=1))]
    reward = str(reward_model(folder / "reward"))
    return (
        models,
        folder / "out",
        harness("evaluate", *models, *METHODS, *BATCHED, "--reward", reward, "--out", str(folder / "out"), "--json"),
    )


@pytest.mark.slow
def test_every_method_of_every_model_is_stored_and_graded_under_its_own_name(evaluated: Any) -> None:
    models, out, done = evaluated
    assert done.returncode == 0, done.stderr[-3000:]
    samples, runs = pd.read_parquet(out / "samples"), pd.read_parquet(out / "runs.parquet")
    assert (runs["status"] == "done").all() and len(runs) == 2 * 6  # short and long are two
    assert sorted(runs["model"].unique()) == sorted(models) and set(runs["recipe"]) == {"base"}
    assert len(samples) == 2 * 6 * 4 * 4 and samples["error"].isna().all()
    board = (out / "LEADERBOARD.md").read_text()
    assert "| model |" in board and "| moved |" in board and "| base |" not in board
    assert "evaluate moved: done" in done.stderr and "evaluate base" not in done.stderr
    status = CliRunner().invoke(cli, ["status", str(out)]).output
    assert "complete" in status and status.count("6/6") == 2 and "moved" in status
    planned = CliRunner().invoke(cli, ["evaluate", *models, *METHODS, "--dry-run"]).output
    assert "moved" in planned and " base " not in planned
    named = CliRunner().invoke(cli, ["audit", str(out), "--sample", "1"]).output
    assert "moved" in named and " base " not in named
    assert "no row was held against its checkpoint" in named and "0 of 0" not in named and "of 12 rows texts" in named
    same = [one for one, _ in diff(out, out)]
    assert {one.run["recipe"] for one in same} == {short(model, models) for model in models}
    assert all(one.num_same == one.num_samples == 16 for one in same) and len(same) == 12
    assert "Tree search against majority voting at equal tokens" in (out / "leaderboard.html").read_text()


@pytest.mark.slow
def test_one_json_document_holds_the_rows_of_the_parquet_files(evaluated: Any) -> None:
    models, out, done = evaluated
    found = json.loads(done.stdout)
    runs, metrics = pq.read_table(out / "runs.parquet").to_pylist(), pq.read_table(out / "metrics.parquet").to_pandas()
    assert found["num_runs"] == 12 and found["num_new_samples"] == 12 * 4 * 4 and not found["failures"]
    assert {one["run_id"]: one["seconds"] for one in found["runs"]} == {one["run_id"]: one["seconds"] for one in runs}
    assert {one["config"]["base_model"] for one in found["runs"]} == set(models)
    assert found["runs"][0]["versions"]["transformers"]
    listed = pd.DataFrame(found["metrics"])
    assert len(listed) == len(metrics) and list(listed["metric"]) == list(metrics["metric"])
    assert (listed["value"].astype(float) - metrics["value"]).abs().max() == 0
    status = json.loads(CliRunner().invoke(cli, ["status", str(out), "--json"]).stdout)
    assert status["state"] == "complete" and status["samples_left"] == 0
    assert sum(one["samples_done"] for one in status["models"]) == len(pd.read_parquet(out / "samples"))
    audited = json.loads(CliRunner().invoke(cli, ["audit", str(out), "--sample", "1", "--json"]).stdout)
    assert audited["holds"] and {one["run_id"] for one in audited["runs"]} == {one["run_id"] for one in runs}
    page = (ROOT / "docs" / "command_line.md").read_text()
    for keys in (found, status, status["models"][0], audited, audited["runs"][0]):
        assert [key for key in keys if f"`{key}`" not in page] == []


@pytest.mark.slow
def test_the_notebook_runs_on_these_results(
    evaluated: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its code cells in their order, as they stand in the file."""
    _, out, _ = evaluated
    monkeypatch.setenv("OUT", str(out))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.chdir(tmp_path)
    book = json.loads((ROOT / "examples" / "analysis.ipynb").read_text(encoding="utf-8"))
    names: dict[str, Any] = {"__name__": "notebook"}
    for number, cell in enumerate(book["cells"]):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    assert f"12 runs, {len(pd.read_parquet(out / 'samples')):,} samples" in capsys.readouterr().out
    assert "duckdb" in names  # the cell counts without it, too
    assert names["table"]["n"].sum() == names["by_status"]["n"].sum() == len(names["samples"])
    assert [verdict.status for verdict in (names["grade"]("7", 7),)] == ["correct"] and len(names["rows"]) == 3
    assert (tmp_path / "scaling.png").stat().st_size > 5_000
    assert not any(cell.get("outputs") for cell in book["cells"])  # outputs belong to the one who runs it


@pytest.mark.slow
def test_what_is_discarded_and_shared_is_priced(evaluated: Any) -> None:
    """From the stored rows by pandas, against the figures of metrics.parquet."""
    models, out, _ = evaluated
    samples, metrics = pd.read_parquet(out / "samples"), pd.read_parquet(out / "metrics.parquet")
    spent = samples["thinking_tokens"] + samples["closing_tokens"] + samples["answer_tokens"]
    samples["spent"] = spent + samples["discarded_tokens"] - samples["shared_tokens"]
    rejected = samples[samples["method"] == "rejection_sampling"]
    used_up = rejected[rejected["thinking_finish"] == "rejected"]
    assert len(used_up) and not used_up["correct"].any() and (used_up["num_attempts"] == 2).all()
    assert (used_up["discarded_tokens"] == 2 * 5).all()  # each attempt is cut one token beyond the budget
    for model in models:
        mine = rejected[rejected["model"] == model]
        found = metrics[(metrics["model"] == model) & (metrics["method"] == "rejection_sampling")]
        value = found.set_index("metric")["value"]
        assert value["mean_discarded_tokens"] == pytest.approx(mine["discarded_tokens"].mean())
        per_1k = 1000 * mine["correct"].astype(float).mean() / mine["spent"].mean()
        assert value["accuracy_per_1k_tokens"] == pytest.approx(per_1k)
        assert value["rejected_count"] == (mine["thinking_finish"] == "rejected").sum()
        kept = mine[mine["thinking_finish"] != "rejected"].groupby("problem_id")["thinking_tokens"].mean()
        if len(kept):
            assert value["mean_thinking_tokens"] == pytest.approx(kept.mean())
    trees = samples[samples["method"] == "rebase"]
    assert trees["reward"].between(0, 1).all() and (trees["shared_tokens"] <= trees["thinking_tokens"]).all()
    search = metrics[(metrics["method"] == "rebase") & (metrics["metric"] == "difference_to_majority")]
    assert len(search) == 2 and search["reference"].str.match(r"maj@[1-4]$").all()
    for _, row in search.iterrows():
        mine = trees[trees["model"] == row["model"]]
        assert f"{mine.groupby('problem_id')['spent'].sum().mean():,.0f} tokens per problem" in row["note"]


@pytest.mark.slow
def test_log_probabilities_of_answers_are_stored(evaluated: Any) -> None:
    _, out, _ = evaluated
    samples = pd.read_parquet(out / "samples")
    known = samples[samples["answer_logprob_mean"].notna()]
    assert len(known) > len(samples) / 4 and (known["answer_logprob_min"] <= known["answer_logprob_mean"] + 1e-9).all()
    assert (known["answer_logprob_mean"] <= 0).all() and known["extracted"].notna().all()


@pytest.mark.faults  # tests/generation/test_one_seed.py loses rows of every method without Ray, test_engines.py on vLLM
def test_a_lost_file_comes_back_as_it_was(tmp_path: Path) -> None:
    """One row at a time: a batch's last bits depend on the rows in it, and a draw may fall between two of them."""
    out = tmp_path / "out"
    command = [
        "evaluate",
        TINY_MODEL,
        *METHODS,
        "--set",
        "engine.batch_size=1",
        "--max-problems",
        "2",
        "--out",
        str(out),
    ]
    done = harness(*command)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    columns = ["method", "thinking_ids", "answer_ids", "correct", "discarded_tokens", "shared_tokens", "reward"]

    def rows() -> pd.DataFrame:
        return pd.read_parquet(out / "samples").set_index("sample_key").sort_index()[columns]

    before, whole = rows(), pq.read_table(out / "samples")
    kept = set(before.sample(frac=0.5, random_state=0).index)
    for path in (out / "samples").glob("*.parquet"):
        path.unlink()
    pq.write_table(
        whole.filter([key in kept for key in whole["sample_key"].to_pylist()]), out / "samples" / "a.parquet"
    )
    assert harness(*command).returncode == 0
    after = rows()
    assert list(after.index) == list(before.index)
    for name in columns:
        assert all(str(a) == str(b) for a, b in zip(after[name], before[name], strict=True)), name
