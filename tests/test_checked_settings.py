"""Wrong settings are refused before anything starts: one line, the same from --set, Python, a study file and JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.checked import from_plain
from harness.cli.exits import WRONG_INPUT, call
from harness.cli.main import cli
from harness.config import (
    Budget,
    Chat,
    EngineConfig,
    Features,
    Recipe,
    Sampling,
    Study,
    TaskReading,
    Training,
    fingerprint,
    to_plain,
)
from harness.errors import UserError
from harness.studies.load import load

# key, wrong value as written behind --set, what the one line says
WRONG = [
    ("engine.name", "vlm", "did you mean 'vllm'"),
    ("engine.name", "openai", "needs base_url"),
    ("engine.dtype", "flaot32", "did you mean 'float32'"),
    ("engine.strategy", "foo", "give 'session' or 'resubmit'"),
    ("engine.num_engines", "0", "give 1 or more"),
    ("engine.num_cpus", "-1", "give 0 or more"),
    ("engine.max_model_len", "0", "give 1 or more"),
    ("engine.gpu_memory_utilization", "1.5", "give 1 or less"),
    ("engine.stall_seconds", "0", "give more than 0"),
    ("engine.device", "gpu", "device=gpu: give a text of the form"),
    ("engine.tensor_parallel_size", "two", "give a whole number"),
    ("chat.system", "3", "give a text"),
    ("chat.arguments", "7", "give a list"),
    ("thinking", "nope", "unknown thinking format 'nope'"),
    ("thinking", '["<think>"]', "needs four strings"),
    ("sampling.num_samples", "0", "give 1 or more"),
    ("sampling.temperature", "-1", "give 0 or more"),
    ("sampling.temperature", "hot", "give a number"),
    ("sampling.temperature", "1e9", "above 10 every token of the vocabulary"),
    ("sampling.thinking_temperature", "11", "give 10 or less"),
    ("sampling.logit_bias", str(dict.fromkeys(range(301), 1.0)), "give 300 or fewer"),
    ("sampling.seed", str(2**63), "give less than 9223372036854775808"),
    ("training.seed", str(2**32), "give less than 4294967296"),
    ("seed", str(2**64), "give less than"),
    ("sampling.top_p", "1.5", "give 1 or less"),
    ("sampling.max_answer_tokens", "0", "give 1 or more"),
    ("sampling.max_answer_tokens", "100000", "leaves nothing of engine.max_model_len"),
    ("sampling.seed", "1.5", "give a whole number"),
    ("training.num_epochs", "2.5", "give a whole number"),
    ("training.num_epochs", "0", "give 1 or more"),
    ("training.learning_rate", "0", "give more than 0"),
    ("training.lr_scheduler", "cosin", "did you mean 'cosine'"),
    ("training.warmup_ratio", "5", "give 1 or less"),
    ("training.lora_rank", "-1", "give 0 or more"),
    ("training.report_to", "trakio", "did you mean 'trackio'"),
    ("training.bf16", "3", "give true or false"),
    ("training.per_device_batch_size", "7", "is not a multiple of per_device_batch_size=7"),
    ("training.loss_mean", "rows", "did you mean 'row'"),
    ("features.min_share", "2", "give 1 or less"),
    ("features.references", "7", "give a list"),
    ("reading.kind", "maths", "did you mean 'math'"),
    ("reading.shuffle", "3", "give true or false"),
    ("lint", "stric", "did you mean 'strict'"),
    ("replay", "3", "give true or false"),
    ("seed", "abc", "give a whole number"),
    ("max_problems", "0", "give 1 or more"),
    ("base_model", "3", "give a text"),
    ("name", "", "give a name"),
    ("name", "a/b", "name=a/b: it is the name of a folder"),
    ("name", "..", "give one without '/'"),
    ("thinking", '["<t>", "<t>", "A:", "<t>"]', "a start and an end that differ"),
    ("reference_recipe", "rando", "did you mean 'random'"),
]
GROUPS: dict[str, type] = {
    "chat": Chat,
    "engine": EngineConfig,
    "features": Features,
    "reading": TaskReading,
    "sampling": Sampling,
    "training": Training,
}


def value_of(text: str) -> Any:
    from harness.studies.load import parse

    return text if text.startswith("[") else parse(text)


@pytest.mark.parametrize(("key", "text", "words"), WRONG)
def test_a_wrong_set_value_is_one_line_and_exit_code_2(
    key: Any, text: Any, words: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        call(cli, ["ablate", "quickstart", "--dry-run", "--set", f"{key}={text}"])
    shown = capsys.readouterr()
    assert ended.value.code == WRONG_INPUT and shown.out == "" and shown.err.count("\n") == 1, shown
    assert words in shown.err and key.partition(".")[0] in shown.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("key", "text", "words"), WRONG)
def test_python_says_the_same(key: Any, text: Any, words: Any) -> None:
    group, _, name = key.rpartition(".")
    study = load("quickstart")
    changed = {name: value_of(text)}
    with pytest.raises(UserError) as raised:
        replace(study, **({group: replace(getattr(study, group), **changed)} if group else changed))
    assert words in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(("key", "text", "words"), WRONG)
def test_json_says_the_same(key: Any, text: Any, words: Any) -> None:
    group, _, name = key.rpartition(".")
    plain = to_plain(load("quickstart"))
    (plain[group] if group else plain)[name] = value_of(text)
    with pytest.raises(UserError) as raised:
        from_plain(Study, json.loads(json.dumps(plain)), "study.json: ")
    assert words in str(raised.value) and str(raised.value).startswith("study.json: ")


def test_a_study_file_says_the_same_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from dataclasses import replace\nfrom harness.studies.load import load\n\n\ndef mine():\n"
        "    study = load('quickstart')\n    return replace(study, training=replace(study.training, num_epochs=2.5))\n"
    )
    command = [sys.executable, "-m", "harness", "ablate", "mine.py", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "num_epochs=2.5: give a whole number" in done.stderr


CROSS = {
    "headline": ({"headline": Budget(17)}, "none of the study's budgets"),
    "two recipes of one name": ({"recipes": (Recipe("a", "random"), Recipe("a", "full"))}, "'a' is taken"),
    "a recipe called base": ({"recipes": (Recipe("base", "random"),)}, "'base' is taken"),
    "no task": ({"tasks": ()}, "tasks="),
    "no budget": ({"budgets": ()}, "budgets="),
    "a minimum above the maximum": ({"budgets": (Budget(), Budget(40, min_thinking_tokens=80))}, "=80 is more than"),
    "a class, not a study's group": ({"training": 3}, "training=3"),
}


@pytest.mark.parametrize(("changed", "words"), CROSS.values(), ids=CROSS)
def test_what_has_to_agree_is_checked(changed: Any, words: Any) -> None:
    with pytest.raises(UserError, match=words):
        replace(load("quickstart"), **changed)


def test_a_recipe_an_engine_and_a_budget_check_themselves() -> None:
    with pytest.raises(UserError, match="unknown selection 'randon'; did you mean 'random'"):
        Recipe("mine", "randon")
    with pytest.raises(UserError, match="tensor_parallel_size=8 needs as many GPUs, num_gpus=2"):
        EngineConfig(tensor_parallel_size=8, num_gpus=2)
    with pytest.raises(UserError, match="Recipe: unknown key 'sise'; did you mean 'size'"):
        Recipe("mine", "random", sise=3)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"pool": "missing.jsonl"}, "pool 'missing.jsonl' is not at"),
        ({"pool": "sft_poo"}, "did you mean 'sft_pool'"),
        ({"base_model": "./no/such/model"}, "no such folder"),
        ({"tasks": ("quick_aim",)}, "did you mean 'quick_aime'"),
        ({"engine": EngineConfig(tokenizer="/nowhere/at all")}, "engine.tokenizer /nowhere/at all"),
    ],
)
def test_an_input_that_is_not_there_is_said_before_anything_starts(changed: Any, words: Any) -> None:
    from harness.studies.inputs import check_inputs

    study = load("quickstart")
    check_inputs(study, None)
    with pytest.raises(UserError, match=words):
        check_inputs(replace(study, **changed), None)


@pytest.mark.parametrize("name", ["quickstart", "quickstart:confirmation", "data_ablation"])
def test_a_study_is_read_back_from_its_own_json(name: Any) -> None:
    study = load(name)
    plain = json.loads(json.dumps(to_plain(study)))
    assert from_plain(Study, plain, "study.json: ") == study
    assert fingerprint(from_plain(Study, plain, "study.json: ")) == fingerprint(study)


def test_settings_may_come_in_any_order_when_they_agree_together() -> None:
    from harness.studies.load import with_settings

    given = ["engine.tensor_parallel_size=2", "engine.num_gpus=2"]
    for order in (given, given[::-1]):
        assert with_settings(load("quickstart"), order).engine.num_gpus == 2
    assert with_settings(load("quickstart"), ["sampling.temperature=1"]).sampling.temperature == 1.0
    assert with_settings(load("quickstart"), ['thinking=["<a>","</a>","Final Answer:","</a>"]']).thinking.startswith(
        "["
    )


def test_every_group_of_a_study_is_in_the_table() -> None:
    study = load("quickstart")
    groups = {field.name for field in fields(study) if is_dataclass(getattr(study, field.name))} - {"headline"}
    assert groups == set(GROUPS) and {key.partition(".")[0] for key, *_ in WRONG} >= groups


def test_pydantic_is_not_imported_for_help() -> None:
    code = (
        "import sys; from harness.cli.main import cli; cli.main(['--help'], standalone_mode=False);"
        "sys.exit('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=Path("/")).returncode == 0


@pytest.mark.parametrize("told", ["0", "²", "-3", "1.5", ""])
def test_a_number_that_the_model_is_told_is_a_whole_one_above_0(told: str) -> None:
    with pytest.raises(UserError, match="needs instructed=N"):
        Budget(method="token_conditional", instructed=told)


def test_a_task_is_named_once() -> None:
    with pytest.raises(UserError, match="the task 'quick_math' is named twice"):
        replace(load("quickstart"), tasks=("quick_math", "quick_aime", "quick_math"))


@pytest.mark.parametrize("flag", ["--budgets", "--ignores", "--instructed"])
def test_a_superscript_on_the_command_line_is_one_line(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    method = ["--method", "token_conditional"] if flag == "--instructed" else []
    with pytest.raises(SystemExit) as end:
        call(cli, ["evaluate", "harness/quickstart/model", "--tasks", "quick_math", *method, flag, "²", "--dry-run"])
    assert end.value.code == WRONG_INPUT and "'²'" in capsys.readouterr().err
