"""lm-eval's own tasks by their own prompts: compared with the requests that lm-eval itself sends to a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness import tasks
from harness.config import TaskReading
from harness.errors import UserError
from harness.tasks.lm_eval_names import lm_eval_names

pytest.importorskip("lm_eval", reason="lm-eval is not installed: not checked")

SUMS = [{"ask": f"What is {n} + 2?", "result": str(n + 2), "level": n} for n in range(6)]
PETS = [
    {"ask": "Which barks?", "endings": ["a cat", "a dog", "a hen"], "label": 1, "topic": "dogs"},
    {"ask": "Which purrs?", "endings": ["a cat", "a dog", "a hen"], "label": 0, "topic": "cats"},
]
LETTERED = [
    {"ask": "Which barks?", "choices": ["a cat", "a dog", "a hen"], "answer": 1},
    {"ask": "Which purrs?", "choices": ["a cat", "a dog", "a hen"], "answer": 0},
]
YAML = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
fewshot_split: test
output_type: {output_type}
doc_to_text: "{text}"
doc_to_target: "{target}"
num_fewshot: {shots}
metric_list: [{{metric: {metric}, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 3.5}}
"""
WRITTEN_OUT = "\\n".join(
    ["{{ask.strip()}}", *(f"{letter}. {{{{choices[{n}]}}}}" for n, letter in enumerate("ABC")), "Answer:"]
)
SHOWN = WRITTEN_OUT + "\"\ndoc_to_choice: \"{{['A','B','C']}}"
TASKS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "sums": (SUMS, {"output_type": "generate_until", "text": "Q: {{ask}}\\nA:", "target": "{{result}}"}),
    "sums_by_example": (
        SUMS,
        {"output_type": "generate_until", "text": "Q: {{ask}}\\nA:", "target": "{{result}}", "shots": 2},
    ),
    "pets": (
        PETS,
        {"output_type": "multiple_choice", "text": '{{ask}}"\ndoc_to_choice: "endings', "target": "label"},
    ),
    "lettered": (LETTERED, {"output_type": "multiple_choice", "text": SHOWN, "target": "answer"}),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder of the tasks' YAML files; data sets are prepared in it, too."""
    import datasets

    folder = tmp_path_factory.mktemp("lm_eval_tasks")
    for name, (rows, keys) in TASKS.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        metric = "exact_match" if keys["output_type"] == "generate_until" else "acc"
        given = {"shots": 0, "metric": metric, "name": name, "file": folder / f"{name}.jsonl"} | keys
        (folder / f"{name}.yaml").write_text(YAML.format(**given))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "cache")
        yield folder


@pytest.fixture(scope="module")
def sent(written: Path) -> dict[str, dict[int, str]]:
    """The prompts that lm-eval's own evaluation sends to a model: task -> problem -> text."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(written), include_defaults=False)
    results = simple_evaluate(
        model="dummy", tasks=list(TASKS), task_manager=manager, log_samples=True, bootstrap_iters=0
    )
    return {name: {row["doc_id"]: row["arguments"][0][0] for row in rows} for name, rows in results["samples"].items()}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_of_lm_evals_has_the_prompts_that_lm_eval_sends(name: str, written: Path, sent: Any) -> None:
    found = tasks.read(str(written / f"{name}.yaml"))
    assert found.name == name and len(found.problems) == len(TASKS[name][0])
    shown = [sent[name][number].strip() for number in range(len(found.problems))]
    if name == "pets":  # nothing but their likelihoods shows its options to a model
        shown = [f"{text}\n\nA) a cat\nB) a dog\nC) a hen" for text in shown]
    assert [one.question for one in found.problems] == shown
    assert found.source["lm_eval"] == name and found.source["task_version"] == 3.5


def test_its_golds_and_options_are_those_of_its_functions(written: Path) -> None:
    sums = tasks.load(f"lm-eval:{written / 'sums.yaml'}")
    assert [(one.gold, one.kind) for one in sums] == [(row["result"], "integer") for row in SUMS]
    assert sums[4].metadata["level"] == 4
    for name in ("pets", "lettered"):
        first, second = tasks.load(str(written / f"{name}.yaml"))
        assert (first.kind, first.gold, second.gold) == ("choice", "B", "A")
        assert first.choices == ("a cat", "a dog", "a hen")


def test_only_the_first_problems_are_read_where_no_more_are_wanted(written: Path) -> None:
    assert len(tasks.load(str(written / "sums.yaml"), max_problems=2)) == 2


def test_what_lm_eval_cannot_give_is_one_line(written: Path) -> None:
    with pytest.raises(UserError, match=r"no such file; give lm-eval's name"):
        tasks.load(f"lm-eval:{written / 'other.yaml'}")
    with pytest.raises(UserError, match="has its own prompt; leave --template out"):
        tasks.load(str(written / "sums.yaml"), reading=TaskReading(template="{{question}}"))
    likelihoods = written / "rolling.yaml"
    likelihoods.write_text((written / "sums.yaml").read_text().replace("generate_until", "loglikelihood"))
    with pytest.raises(UserError, match="is loglikelihood, which asks for no answer"):
        tasks.load(str(likelihoods))
    likelihoods.write_text((written / "sums.yaml").read_text().replace("{{result}}", "{{result.x.y}}"))
    with pytest.raises(UserError, match=r"rolling\.yaml.*: "):
        tasks.load(str(likelihoods))


def test_names_are_those_of_lm_evals_own_index() -> None:
    """source: lm-eval's TaskIndex, which parses the files; of folders with each kind, for all would take 15 seconds."""
    import lm_eval.tasks
    from lm_eval.tasks._index import Kind, TaskIndex

    root = Path(lm_eval.tasks.__file__).parent
    parts = [root / part for part in ("aexams", "aime", "arc", "aradice/piqa", "gsm8k", "squadv2", "scrolls")]
    index = TaskIndex.build(parts)
    single = {name: one.yaml_path for name, one in index.items() if one.kind in (Kind.TASK, Kind.PY_TASK)}
    several = {name for name, one in index.items() if one.kind in (Kind.GROUP, Kind.TAG)}
    names = lm_eval_names()
    assert {kind for one in index.values() if (kind := one.kind)} == set(Kind) - {Kind.UNKNOWN}
    assert {name: path for name, path in names.tasks.items() if any(one in path.parents for one in parts)} == single
    assert several <= names.groups and len(names.tasks) > 10_000


def test_a_bare_name_is_lm_evals_task_where_it_is_none_of_ours(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AIME 2024 as lm-eval has it, its data set (made up here) where `datasets` keeps what it has downloaded."""
    import datasets
    import huggingface_hub.constants
    from datasets.packaged_modules.json.json import Json

    rows = [{"Problem": f"What is {n} + 2?", "Answer": n + 2} for n in range(3)]
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = {"hash": "0" * 40, "config_id": "default", "data_files": {"train": str(file)}}
    builder = Json(str(written / "made"), "aime_2024", "default", **told)
    builder.download_and_prepare()
    (written / "made" / "aime_2024").rename(written / "cache" / "Maxwell-Jia___aime_2024")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    assert tasks.names("aime24,quick_math,gsm8k") == ("lm-eval:aime24", "quick_math", "gsm8k")  # ours go first
    for spec in ("aime24", "lm-eval:aime24"):
        found = tasks.read(spec)
        assert (found.name, found.source["lm_eval"]) == ("aime24", "aime24")
        assert [(one.question, one.gold) for one in found.problems] == [
            (f"Question: {row['Problem']}\nAnswer:", str(row["Answer"])) for row in rows
        ]
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "aime24.py").write_text("def aime24():\n    return [{'question': 'Q', 'answer': '1'}]\n")
    assert tasks.read("aime24").problems[0].question == "Q"  # so does a file of the user's


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("arc_chalenge", "unknown task 'arc_chalenge'; did you mean 'lm-eval:arc_challenge'"),
        ("lm-eval:arc_chalenge", "lm-eval knows no task 'arc_chalenge'; did you mean 'arc_challenge'"),
        ("mmlu", r"lm-eval:mmlu is a group of tasks; give one or more of them \(mmlu_abstract_algebra, "),
        ("lm-eval:ai2_arc", "lm-eval:ai2_arc is a group of tasks"),
        ("quick_aim", "did you mean 'quick_aime'"),
    ],
)
def test_a_name_that_is_no_task_is_told_before_lm_eval_is_loaded(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        tasks.names(spec)


def test_without_lm_eval_a_name_is_known_or_not_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.tasks import lm_eval_names as home

    monkeypatch.setattr(home, "find_spec", lambda name: None)
    lm_eval_names.cache_clear()
    try:
        with pytest.raises(UserError, match="unknown task 'arc_easy'"):
            tasks.names("arc_easy")
        with pytest.raises(UserError, match="needs lm-eval; pip install"):
            tasks.names("lm-eval:arc_easy")
    finally:
        lm_eval_names.cache_clear()
