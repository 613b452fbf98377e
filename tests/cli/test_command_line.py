"""The command line's own services: JSON, options from a file, completion, and the page that describes it all."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click import Context
from click.testing import CliRunner

import harness
from docs.command_line import MARK, PAGE, commands, reference
from harness.cli.exits import ENVIRONMENT
from harness.cli.main import cli
from harness.config import EngineConfig, recorded
from harness.errors import UserError
from harness.quickstart import TINY_MODEL
from harness.store import Store
from harness.studies.evaluate import placed
from harness.studies.load import load
from tests import made_up_study

ROOT = Path(__file__).resolve().parents[2]
ASKED_BY_OTHERS = {"RAY_JOB_CONFIG_JSON_ENV_VAR", "PYTHONPATH"}  # set by Ray and Python, not by users


def invoke(*arguments: str) -> str:
    """What a command prints on standard output alone. It must end well."""
    done = CliRunner().invoke(cli, list(arguments))
    assert done.exit_code == 0, (done.output, done.exception)
    return str(done.stdout)


# -- JSON


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_study.study(tmp_path_factory.mktemp("study"), num_problems=40, recipes=("s1k", "random"))


def test_a_comparison_in_json_is_that_of_the_rows(folder: Path) -> None:
    found = json.loads(invoke("compare", f"{folder}:s1k", f"{folder}:random", "--json"))["comparisons"]
    assert [one["task"] for one in found] == ["quick_easy", "quick_hard"]
    rows = pq.read_table(folder / "samples").to_pandas()
    for one in found:
        auto = rows[(rows.task == one["task"]) & rows.max_thinking_tokens.isna() & (rows.num_ignores == 0)]
        right = auto.pivot_table(index="problem_id", columns="recipe", values="correct", aggfunc="mean").astype(float)
        assert one["a"]["accuracy"]["value"] == pytest.approx(right["s1k"].mean())
        assert one["difference"]["value"] == pytest.approx((right["s1k"] - right["random"]).mean())
        assert set(one["a"]["only_right"]) == set(right.index[right["s1k"] > right["random"]])
        assert one["difference"]["low"] < one["difference"]["value"] < one["difference"]["high"]
        assert 0 < one["p_value"] <= 1 and one["num_paired"] == 40


def test_statistics_of_a_log_in_json_are_those_of_its_parquet(tmp_path: Path) -> None:
    log = tmp_path / "samples_x.jsonl"
    responses = ["<think>a b c</think>4", "<think>a</think>5", "no thought"]
    rows = [
        {"doc_id": n, "doc": {}, "target": "4", "resps": [[text]], "filtered_resps": [text], "exact_match": 1.0}
        for n, text in enumerate(responses)
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "stats.parquet"
    found = json.loads(invoke("sample-stats", str(log), "--tokenizer", TINY_MODEL, "--json", "--out", str(out)))
    (file,) = found["files"]
    stored = pq.read_table(out).to_pandas()
    assert file["num_samples"] == 3 and file["num_without_thinking"] == 1
    assert file["mean_thinking_tokens"] == pytest.approx(stored["thinking_tokens"].mean())
    assert file["sorted_thinking_tokens"] == sorted(stored["thinking_tokens"]) and found["approximate"] is False


def test_a_plan_in_json_adds_up() -> None:
    plans = json.loads(invoke("ablate", "data_ablation", "--dry-run", "--json"))["plans"]
    assert len(plans) == 1 and sum(line["what"] == "evaluate" for line in plans[0]["lines"]) == 168
    assert (
        plans[0]["gpu_hours"] == pytest.approx(sum(line["gpu_hours"] for line in plans[0]["lines"]))
        and plans[0]["notes"]
    )


def test_a_number_that_is_not_known_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    from harness.cli.documents import put

    put({"a": float("nan"), "b": [float("inf"), 1.5], "c": ("x\x1b[2J", Path("p"))})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"a": None, "b": [None, 1.5], "c": ["x\x1b[2J", "p"]} and "\x1b" not in printed


# -- options from a file

CONFIG = f"""
models: [{TINY_MODEL}]
tasks: [quick_aime, quick_math]
budgets: [64, auto]
no-thinking: true
replay: false
set: {{engine.batch_size: 3, sampling.max_answer_tokens: 100}}
"""


def planned(tmp_path: Path, text: str, *more: str) -> Any:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    return json.loads(invoke("evaluate", "--config", str(file), "--dry-run", "--json", *more))["plans"][0]


def test_a_file_gives_options_by_their_names_and_the_command_line_wins(tmp_path: Path) -> None:
    typed = [TINY_MODEL, "--tasks", "quick_aime,quick_math", "--budgets", "64,auto", "--no-thinking", "--no-replay"]
    typed += ["--set", "engine.batch_size=3", "--set", "sampling.max_answer_tokens=100"]
    plan = planned(tmp_path, CONFIG)
    assert plan == json.loads(invoke("evaluate", *typed, "--dry-run", "--json"))["plans"][0]
    assert [line["setting"] for line in plan["lines"]] == ["no thinking", "64", "auto"] * 2
    fewer = planned(tmp_path, CONFIG, "--tasks", "quick_gpqa", "--budgets", "9")
    assert [(line["task"], line["setting"]) for line in fewer["lines"]] == [
        ("quick_gpqa", "no thinking"),
        ("quick_gpqa", "9"),
    ]


def test_a_key_of_set_on_the_command_line_leaves_the_files_others(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(CONFIG + "engine: vllm\n")
    base = ["evaluate", "--config", str(file), "--dry-run"]
    invoke(*base, "--set", "engine.batch_size=5")
    wrong = CliRunner().invoke(cli, [*base, "--set", "engine.batch_size=5", "--set", "sampling.max_answer_token=7"])
    assert "did you mean 'max_answer_tokens'" in str(wrong.exception)
    file.write_text(CONFIG.replace("batch_size: 3", "batch_siz: 3"))
    kept = CliRunner().invoke(cli, [*base, "--set", "sampling.max_answer_tokens=7"])  # the file's key is still read
    assert "did you mean 'batch_size'" in str(kept.exception)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# mine\ntaks: [a]", "line 2: unknown option 'taks'; did you mean 'tasks'"),
        ("tasks: [a", "line 1: not YAML"),
        ("- tasks", "line 1: it holds no keys; give options and their values"),
        ("tasks: a\ntasks: b", "line 2: tasks is given 2 times"),
        ("no-thinking: 3", "line 1: no-thinking: 3: give true or false"),
        ("tasks: {a: 1}", "give a value, not keys with values"),
        ("headline: yes", "stands in quotes"),
        ("tasks: a\ntp: two", "line 2: tp: 'two' is not a valid integer"),
        ("kind: maths", "line 1: kind: 'maths' is not one of"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    done = CliRunner().invoke(cli, ["evaluate", TINY_MODEL, "--config", str(file)])
    assert isinstance(done.exception, UserError) and message in str(done.exception)
    assert str(file) in str(done.exception)


def test_gpus_are_shared_out_to_engines() -> None:
    engine = EngineConfig()
    assert placed(engine, None, None) == engine

    def shape(tp: int | None, gpus: int | None) -> tuple[int, int, int]:
        one = placed(engine, tp, gpus)
        return one.tensor_parallel_size, one.num_gpus, one.num_engines

    assert (shape(2, 8), shape(2, None), shape(None, 3), shape(None, 0)) == ((2, 2, 4), (2, 2, 1), (1, 1, 3), (1, 0, 1))
    for tp, gpus, message in ((2, 3, "no multiple"), (2, 0, "needs GPUs"), (4, 2, "no multiple")):
        with pytest.raises(UserError, match=message):
            placed(engine, tp, gpus)
    with pytest.raises(UserError, match="belong to engines that run here"):
        placed(EngineConfig(name="openai", base_url="http://x/v1"), 1, None)


# -- completion, by the protocol of the shells


def offered(words: str, shell: str = "bash") -> list[str]:
    """What the shell is told when TAB is pressed at the end of `words`."""
    given = words.split(" ")
    done = subprocess.run(
        [sys.executable, "-m", "harness"],
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "_HARNESS_COMPLETE": f"{shell}_complete", "COMP_WORDS": words}
        | {"COMP_CWORD": str(len(given) - 1)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_the_shell_is_offered_studies_tasks_models_methods_and_formats() -> None:
    assert "plain,quickstart" in offered("harness ablate qu")
    assert offered("harness evaluate m --tasks aime24_nofigures,quick_m") == ["plain,aime24_nofigures,quick_math"]
    assert offered("harness evaluate m --method no_") == ["plain,no_thinking"]
    assert "plain,s1-steps" in offered("harness thinking m --thinking s1")
    models = offered("harness evaluate /")
    assert models[0] == "dir,/" and f"plain,{TINY_MODEL}" in models
    assert "plain,--tasks" in offered("harness evaluate m --ta")


# -- what is written about it


def test_the_page_is_what_the_commands_say() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.partition(MARK)[2].strip() == reference().strip(), "python docs/command_line.py renews the page"


def test_the_keys_of_the_documents_are_listed(folder: Path) -> None:
    page = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    found = json.loads(invoke("compare", f"{folder}:s1k", f"{folder}:random", "--json"))["comparisons"][0]
    keys = {*found, *found["a"], *found["equivalence"], *found["posterior"]}
    assert [key for key in keys if f"`{key}`" not in page] == []


def test_every_environment_variable_that_is_read_is_documented() -> None:
    read = set()
    for path in Path(harness.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("os.environ.get", "os.getenv"):
                read |= {one.value for one in node.args[:1] if isinstance(one, ast.Constant)}
    assert "RAY_ADDRESS" in read and read - ASKED_BY_OTHERS <= set(ENVIRONMENT)


@pytest.mark.parametrize("command", [[], ["data"]])
def test_no_command_of_the_help_is_cut_short(command: list[str]) -> None:
    printed = invoke(*command, "--help")
    listed = printed.partition("Commands:\n")[2].partition("\n\n")[0]
    assert listed and "..." not in listed
    if not command:
        assert re.search(r"Exit codes:\n  0 +done\n", printed) and "HARNESS_RESULTS" in printed


def test_the_help_of_every_command_fits_80_columns() -> None:
    texts = {
        name: command.get_help(Context(command, info_name=name, terminal_width=80))
        for name, command in commands(cli, "harness")
    }
    assert [(name, line) for name, text in texts.items() for line in text.splitlines() if len(line) > 80] == []


def test_the_walk_over_commands_finds_those_of_groups() -> None:
    names = [name for name, _ in commands(cli, "harness")]
    assert {"harness evaluate", "harness data", "harness data lint"} <= set(names)


# -- a study that is watched


@pytest.fixture
def claimed(tmp_path: Path) -> Path:
    with Store(tmp_path) as store:
        store.claim("quick", "1", recorded(load("quickstart")), {"quick_aime": 2}, [TINY_MODEL])
    return tmp_path


def test_a_watch_ends_with_the_study(claimed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()

    def hold() -> None:
        with Store(claimed):
            held.set()
            free.wait(300)

    held, holder = threading.Event(), threading.Thread(target=hold, daemon=True)
    holder.start()
    assert held.wait(300)

    def ends(seconds: float) -> None:
        free.set()
        holder.join(300)

    monkeypatch.setattr("time.sleep", ends)  # the study, between two looks
    documents = invoke("status", str(claimed), "--watch", "--seconds", "0.2", "--json").split("\n}\n")
    states = [json.loads(text + "\n}")["state"] for text in documents if text.strip()]
    assert states == ["running", "stopped"]


def test_ctrl_c_ends_a_watch_as_it_ends_any_command(claimed: Path) -> None:
    with Store(claimed):
        watch = subprocess.Popen(
            [sys.executable, "-m", "harness", "status", str(claimed), "--watch"],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert watch.stdout is not None and "running" in watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        _, told = watch.communicate(timeout=600)
    assert watch.returncode == 130 and len(told.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["leaderboard", "{dir}", "--out"],
        ["figure", "{dir}", "--out"],
        ["export", "{dir}", "--organization", "x", "--to"],
    ],
)
def test_a_folder_that_cannot_be_made_is_told_before_the_results_are_read(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "none").mkdir()  # reading it would end in another line
    words = [word.format(dir=tmp_path / "none") for word in words]
    for place in (tmp_path / "file", tmp_path / "file" / "a" / "b"):
        ended = CliRunner().invoke(cli, [*words, str(place)])
        assert ended.exit_code == 2
        assert f"{place}: cannot write there ({tmp_path / 'file'} is no folder); choose another folder" in ended.output
    ended = CliRunner().invoke(cli, [*words, str(tmp_path / "new" / "folder")])
    assert ended.exit_code != 0 and "cannot write there" not in str(ended.output)
