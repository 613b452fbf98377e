"""Tasks from outside: files of any shape, the hub's cache, descriptions and functions; one bad row is one line."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness import tasks
from harness.cli.main import cli
from harness.config import Budget, Study, TaskReading
from harness.errors import UserError
from harness.grading import grade
from harness.quickstart import TINY_MODEL
from harness.records import Problem
from harness.studies.load import load as load_study
from harness.studies.runs import runs_of


def written(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def problems(rows: Iterable[Mapping[str, Any]], path: Path, **reading: Any) -> list[Problem]:
    return tasks.load(str(written(path / "quiz.jsonl", rows)), reading=TaskReading(**reading))


ANIMALS = ["ox", "owl", "eel"]
OPTIONS: dict[str, list[dict[str, Any]]] = {  # the same two questions as published sets have them
    "a list and a letter": [
        {"question": "Which flies?", "options": ANIMALS, "answer": "B"},
        {"question": "Which swims?", "options": ANIMALS, "answer": "C"},
    ],
    "a list and a place from 0 (MMLU)": [
        {"question": "Which flies?", "choices": ANIMALS, "answer": 1},
        {"question": "Which swims?", "choices": ANIMALS, "answer": 2},
    ],
    "columns and a place from 1 (WinoGrande)": [
        {"question": "Which flies?", "option1": "ox", "option2": "owl", "option3": "eel", "answer": "2"},
        {"question": "Which swims?", "option1": "ox", "option2": "owl", "option3": "eel", "answer": "3"},
    ],
    "columns and the right text": [
        {"question": "Which flies?", "A": "ox", "B": "owl", "C": "eel", "answer": "owl"},
        {"question": "Which swims?", "A": "ox", "B": "owl", "C": "eel", "answer": "eel"},
    ],
    "labels of their own (ARC)": [
        {"question": "Which flies?", "choices": {"text": ANIMALS, "label": ["1", "2", "3"]}, "answerKey": "2"},
        {"question": "Which swims?", "choices": {"text": ANIMALS, "label": ["1", "2", "3"]}, "answerKey": "3"},
    ],
    "an object by letters (MedQA)": [
        {"question": "Which flies?", "options": {"A": "ox", "B": "owl", "C": "eel"}, "answer_idx": "B"},
        {"question": "Which swims?", "options": {"A": "ox", "B": "owl", "C": "eel"}, "answer_idx": "C"},
    ],
    "letters written before the options": [
        {"question": "Which flies?", "options": ["A) ox", "B) owl", "C) eel"], "answer": "B"},
        {"question": "Which swims?", "options": ["A) ox", "B) owl", "C) eel"], "answer": "C"},
    ],
}


@pytest.mark.parametrize("rows", OPTIONS.values(), ids=OPTIONS)
def test_multiple_choice_is_one_task_however_its_options_and_golds_are_written(rows: Any, tmp_path: Path) -> None:
    first, second = problems(rows, tmp_path)
    assert (first.kind, first.gold, second.gold) == ("choice", "B", "C")
    assert first.choices == ("ox", "owl", "eel")
    assert first.question == "Which flies?\n\nA) ox\nB) owl\nC) eel"
    assert grade("So it is the owl.\nFinal Answer: B", first.gold, "choice", choices=first.choices).correct


def test_a_gold_of_digits_is_the_text_of_an_option_where_it_is_one_in_every_row(tmp_path: Path) -> None:
    rows = [{"question": f"{n} + 1?", "options": ["1", "2", "3"], "answer": str(n + 1)} for n in (0, 1, 2)]
    assert [one.gold for one in problems(rows, tmp_path)] == ["A", "B", "C"]


def test_the_right_option_may_have_a_column_of_its_own(tmp_path: Path) -> None:
    row = {"Question": "Which flies?", "Correct Answer": "owl", "Incorrect Answer 1": "ox", "Incorrect Answer 2": "eel"}
    (one,) = problems([row], tmp_path)
    assert (one.kind, one.gold, one.choices) == ("choice", "A", ("owl", "ox", "eel"))


KINDS = {
    "integer": ["12", "1,080", "-3"],
    "math": ["12", "\\frac{1}{2}", "x + 1"],
    "text": ["Paris", "New York", "the Rhine"],
}


@pytest.mark.parametrize(("kind", "golds"), KINDS.items())
def test_the_kind_is_read_from_all_golds(kind: str, golds: list[str], tmp_path: Path) -> None:
    rows = [{"problem": f"Q{n}", "answer": gold} for n, gold in enumerate(golds)]
    found = problems(rows, tmp_path)
    assert {one.kind for one in found} == {kind} and [one.gold for one in found] == golds
    for one in found:
        assert grade(f"I think so.\nFinal Answer: {one.gold}", one.gold, one.kind).correct
        assert not grade("Final Answer: 977531", one.gold, one.kind).correct


@pytest.mark.parametrize(
    ("answer", "right"),
    [("paris.", True), ("\\text{Paris}", True), ("**Paris**", True), ("Lutetia", True), ("Paris, Texas", False)],
)
def test_an_exact_text_is_free_in_how_it_is_written_and_in_nothing_else(answer: str, right: bool) -> None:
    assert grade(f"Final Answer: {answer}", "Paris\nLutetia", "text").correct is right


def test_several_accepted_texts_and_whole_solutions_as_golds(tmp_path: Path) -> None:
    (one,) = problems([{"question": "Capital?", "answer": ["Paris", "Lutetia"]}], tmp_path)
    assert one.kind == "text" and one.gold == "Paris\nLutetia"
    (one,) = problems([{"question": "1 + 1?", "answer": "One and one is <<1+1=2>>2.\n#### 2"}], tmp_path)
    assert (one.kind, one.gold) == ("integer", "2")
    (one,) = problems([{"question": "1 + 1?", "solution": "It is $\\boxed{2}$."}], tmp_path)
    assert one.gold == "2"


def test_the_user_names_columns_the_kind_the_prompt_and_the_order(tmp_path: Path) -> None:
    rows = [
        {"q": f"Q{n}", "key": "w", "w": f"w{n}", "x": f"x{n}", "y": f"y{n}", "field": "maths", "no": f"p{n}"}
        for n in range(30)
    ]
    columns = (("question", "q"), ("gold", "right"), ("id", "no"), ("choices", "w+x+y"))
    told: dict[str, Any] = {
        "columns": columns,
        "template": "({{field}}) {{question}}\n{{choices}}\nA letter in \\boxed{}.",
    }
    rows = [row | {"right": row["w"]} for row in rows]
    found = problems(rows, tmp_path, **told)
    assert found[3].question == "(maths) Q3\nA) w3\nB) x3\nC) y3\nA letter in \\boxed{}."
    assert found[3].id == "p3" and found[3].metadata == {"field": "maths", "key": "w"}
    assert {one.gold for one in found} == {"A"}
    shuffled = problems(rows, tmp_path, shuffle=True, **told)
    assert {one.gold for one in shuffled} == {"A", "B", "C"}
    assert [one.choices["ABC".index(one.gold)] for one in shuffled] == [one.choices[0] for one in found]
    other = tasks.load(str(tmp_path / "quiz.jsonl"), None, 1, reading=TaskReading(shuffle=True, **told))
    assert [one.gold for one in shuffled] != [one.gold for one in other]


def test_a_problems_small_facts_are_kept_and_its_ids_are_its_own(tmp_path: Path) -> None:
    rows = [
        {"id": 7, "problem": "Q", "answer": "1", "subject": "algebra", "level": 5, "year": 2024, "note": "x" * 300},
        {"id": 7, "problem": "R", "answer": "2", "subject": "geometry", "level": 1, "year": 2025, "note": ""},
    ]
    first, second = problems(rows, tmp_path)
    assert first.metadata == {"subject": "algebra", "level": 5, "year": 2024}
    assert (first.id, second.id) == ("0", "1")  # two rows share the column's
    assert [one.id for one in problems([row | {"id": n} for n, row in enumerate(rows)], tmp_path)] == ["0", "1"]
    with pytest.raises(UserError, match="line 1: the id '7' stands in id more than once"):
        problems(rows, tmp_path, columns=(("id", "id"),))


def test_a_table_is_read_like_lines_of_json(tmp_path: Path) -> None:
    rows = OPTIONS["a list and a letter"]
    path = tmp_path / "quiz.csv"
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows({**row, "options": json.dumps(row["options"])} for row in rows)
    assert tasks.load(str(path)) == problems(rows, tmp_path)


BAD: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "no gold": ([{"question": "Q", "answer": "1"}, {"question": "R"}], {}, r"quiz.jsonl line 2: no 'answer'"),
    "a null gold": ([{"question": "Q", "answer": "1"}, {"question": "R", "answer": None}], {}, "line 2: no 'answer'"),
    "no question": ([{"question": "Q", "answer": "1"}, {"question": " ", "answer": "1"}], {}, "line 2: .* is empty"),
    "a gold outside": (
        [*OPTIONS["a list and a letter"], {"question": "Q", "options": ["x", "y"], "answer": "D"}],
        {"kind": "choice"},
        "line 3: the gold 'D' is none of the 2 options",
    ),
    "no options": ([{"question": "Q", "answer": "A"}], {"kind": "choice"}, "line 1: no options; name their column"),
    "no integer": ([{"question": "Q", "answer": "1/2"}], {"kind": "integer"}, "line 1: the gold '1/2' is no integer"),
    "no column": ([{"a": "Q", "b": "1"}], {}, "line 1: no column for the question; it has a, b; name it with --map"),
    "a wrong name": ([{"a": "Q"}], {"columns": (("ask", "a"),)}, "unknown name in --map 'ask'"),
    "a wrong slot": ([{"question": "Q", "answer": "1"}], {"template": "{{questoin}}"}, "did you mean 'question'"),
    "no slot for options": (OPTIONS["a list and a letter"], {"template": "{{question}}"}, "shows no {{choices}}"),
    "an array": ([["Q", "1"]], {}, "line 1: a JSON list, not an object"),
}


@pytest.mark.parametrize(("rows", "reading", "message"), BAD.values(), ids=BAD)
def test_a_row_that_is_no_problem_is_one_line_with_its_place(
    rows: Any, reading: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message) as error:
        problems(rows, tmp_path, **reading)
    assert "\n" not in str(error.value)


def test_a_bad_row_ends_the_command_before_any_work(tmp_path: Path) -> None:
    path = written(tmp_path / "quiz.jsonl", [{"question": "Q", "answer": "1"}, {"question": "R"}])
    command = ["evaluate", TINY_MODEL, "--engine", "transformers", "--tasks", str(path), "--out", str(tmp_path / "out")]
    ended = CliRunner().invoke(cli, command)
    assert isinstance(ended.exception, UserError) and f"{path} line 2: no 'answer'" in str(ended.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("quizz", "unknown task 'quizz'"),
        ("math50", "did you mean 'math500'"),
        ("no/such.jsonl", "task no/such.jsonl: no such file"),
        ("hub:name", "write hub:ORG/NAME"),
    ],
)
def test_a_task_that_is_not_there_is_one_line(spec: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        tasks.names(spec)


def test_tasks_are_called_by_their_last_part_and_no_two_alike(tmp_path: Path) -> None:
    assert tasks.name_of("hub:org/a_set") == "a_set"
    assert tasks.name_of("hub:org/set/config@main:train") == "set_config"
    assert tasks.name_of("dir/my quiz.jsonl.gz") == "my_quiz"
    assert tasks.name_of("lm-eval:gsm8k") == "gsm8k"
    rows = [{"question": "Q", "answer": "1"}]
    twins = [str(written(tmp_path / folder / "quiz.jsonl", rows)) for folder in "ab"]
    with pytest.raises(UserError, match="two tasks are called 'quiz'"):
        tasks.read_all(twins)


# -- the hub, by what `datasets` itself wrote into its cache


COMMIT, LATER = "0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that puts a data set into the cache of `datasets` as the hub's data of a commit leave it."""
    import datasets
    import huggingface_hub.constants
    from datasets.packaged_modules.json.json import Json

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)

    def put(splits: Mapping[str, list[dict[str, Any]]], commit: str = COMMIT, config: str = "default") -> None:
        files = {split: str(written(tmp_path / commit / f"{split}.jsonl", rows)) for split, rows in splits.items()}
        folder = tmp_path / "prepared"
        builder = Json(str(folder), "quiz", config, hash=commit, data_files=files, config_id=config)
        builder.download_and_prepare()
        shutil.copytree(folder / "quiz", tmp_path / "cache" / "org___quiz", dirs_exist_ok=True)

    return put


QUIZ = [{"question": f"What is {n} + 1?", "answer": str(n + 1), "subject": "sums"} for n in range(4)]


def test_a_hub_data_set_is_read_with_its_commit_and_content(cached: Any, tmp_path: Path) -> None:
    cached({"test": QUIZ, "train": QUIZ[:1]})
    found = tasks.read("hub:org/quiz")
    assert found.name == "quiz" and [one.gold for one in found.problems] == ["1", "2", "3", "4"]
    assert found.problems[0].metadata == {"subject": "sums"}
    assert found.source["revision"] == COMMIT and found.source["split"] == "test" and len(found.source["sha256"]) == 64
    assert len(tasks.read("hub:org/quiz:train").problems) == 1
    assert tasks.read(f"hub:org/quiz@{COMMIT}").source == found.source
    with pytest.raises(UserError, match=f"only the commit {COMMIT} is in the cache"):
        tasks.read(f"hub:org/quiz@{LATER}")
    with pytest.raises(UserError, match="cannot load org/other from the Hugging Face hub"):
        tasks.read("hub:org/other")
    with pytest.raises(UserError, match=r"cannot load org/quiz.*dev"):
        tasks.read("hub:org/quiz:dev")


def test_a_run_is_known_by_its_data_sets_commit_and_content(cached: Any, tmp_path: Path) -> None:
    cached({"test": QUIZ})
    study = Study("s", TINY_MODEL, "", (), ("hub:org/quiz",), (Budget(),), headline=Budget())

    def run_of(found: tasks.Read) -> Any:
        (run,) = runs_of(study, "base", "m", {found.name: found.problems}, {}, {found.name: found})
        return run

    found = tasks.read("hub:org/quiz")
    run = run_of(found)
    assert run.task == "quiz" and run.config["task_source"]["revision"] == COMMIT
    assert run.config["task_source"]["sha256"] == found.source["sha256"]
    cached({"test": QUIZ}, LATER)  # the same rows under a later commit
    later = tasks.read("hub:org/quiz")
    assert later.source["sha256"] == found.source["sha256"] and run_of(later).run_id != run.run_id
    assert run_of(tasks.read("hub:org/quiz")).run_id == run_of(later).run_id
    assert run_of(replace(found, identity=None)).run_id != run.run_id


# -- descriptions, functions, and studies that bring them


DESCRIBED = """
source: rows.jsonl
kind: choice
map: {question: ask, gold: key}
template: "{{question}}\\n{{choices}}"
shuffle: true
"""


def test_a_description_says_how_its_rows_are_read(tmp_path: Path) -> None:
    rows = [{"ask": f"Q{n}", "key": "owl", "options": ANIMALS} for n in range(9)]
    written(tmp_path / "tasks" / "rows.jsonl", rows)
    path = tmp_path / "tasks" / "quiz.yaml"
    path.write_text(DESCRIBED)
    found = tasks.read(str(path))
    assert found.name == "quiz" == found.problems[0].task and found.source["description"] == "quiz.yaml"
    assert {one.gold for one in found.problems} == {"A", "B", "C"}
    assert found.problems[0].question.startswith("Q0\nA) ")
    path.write_text(DESCRIBED + "name: zoo\n")
    assert tasks.read(str(path)).name == "zoo" == tasks.name_of(str(path))
    for wrong, message in {
        "kinds: math": r"quiz\.yaml, line 2: .*did you mean 'kind'",
        "kind: maths": r"quiz\.yaml, line 2: .*did you mean 'math'",
        "\nmap: {question: [a]}": r"quiz\.yaml, line 3: columns",
        "kind: math\nkind: choice": r"quiz\.yaml, line 3: kind is given 2 times",
        "kind: [": r"quiz\.yaml, line 3: not YAML",
    }.items():
        path.write_text(f"source: rows.jsonl\n{wrong}\n")
        with pytest.raises(UserError, match=message):
            tasks.read(str(path))
    path.write_text("kind: math\n")
    with pytest.raises(UserError, match="no source; say where the rows are"):
        tasks.read(str(path))


def test_the_description_of_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "quiz.yaml").write_text(block)
    written(tmp_path / "quiz.jsonl", [{"ask": "Which flies?", "key": "owl", "options": ANIMALS}])
    (one,) = tasks.load(str(tmp_path / "quiz.yaml"))
    assert (one.task, one.kind) == ("quiz", "choice") and one.choices["ABC".index(one.gold)] == "owl"


def test_a_function_returns_rows_and_its_errors_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "quiz.py"
    path.write_text(
        "def sums():\n    return [{'question': f'{n} + 1?', 'answer': n + 1} for n in range(3)]\n\n"
        "def broken():\n    return ({'question': 1 / n} for n in (1, 0))\n\ndef words():\n    return ['a']\n"
    )
    found = tasks.read(f"{path}:sums")
    assert found.name == "sums" and [one.gold for one in found.problems] == ["1", "2", "3"]
    assert found.source["function"] == "sums"
    for name, message in {
        "broken": r"task .*quiz\.py, line 5: ZeroDivisionError",
        "words": "row 1: a str; return mappings",
        "sum": "did you mean 'sums'",
    }.items():
        with pytest.raises(UserError, match=message):
            tasks.read(f"{path}:{name}")
    path.write_text("def sums(:\n")
    with pytest.raises(UserError, match=r"task .*quiz\.py, line 1: SyntaxError"):
        tasks.read(f"{path}:sums")


def test_a_study_finds_the_tasks_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "mine" / "tasks" / "sums.jsonl", QUIZ)
    (tmp_path / "mine" / "tasks" / "quiz.yaml").write_text("source: sums.jsonl\n")
    (tmp_path / "mine" / "study.py").write_text(
        "from harness import Budget, Study\n\n\ndef study():\n"
        f"    return Study('mine', {TINY_MODEL!r}, '', (), ('quiz', 'tasks/sums.jsonl', 'quick_aime'), (Budget(),))\n"
    )
    monkeypatch.chdir(tmp_path)
    study = load_study("mine/study.py:study")
    assert [tasks.name_of(one) for one in study.tasks] == ["quiz", "sums", "quick_aime"]
    found = tasks.read_all(study.tasks, max_problems=4)
    assert [one.question for one in found["quiz"].problems] == [one["question"] for one in QUIZ]
    assert found["sums"].problems == [replace(one, task="sums") for one in found["quiz"].problems]


def test_what_is_said_of_the_rows_changes_the_runs_identity(tmp_path: Path) -> None:
    path = str(written(tmp_path / "quiz.jsonl", OPTIONS["a list and a letter"]))
    plain = Study("s", TINY_MODEL, "", (), (path,), (Budget(),))
    template = "{{question}} Say a letter.\n{{choices}}"
    ids = set()
    for reading in (TaskReading(), TaskReading(shuffle=True), TaskReading(template=template)):
        study = replace(plain, reading=reading)
        found = tasks.read_all(study.tasks, reading=study.reading)
        ids |= {run.run_id for run in runs_of(study, "base", "m", {"quiz": found["quiz"].problems}, {}, found)}
    assert len(ids) == 3


def test_the_command_lists_a_task_from_outside_and_checks_its_golds(tmp_path: Path) -> None:
    path = written(tmp_path / "quiz.jsonl", [*QUIZ, {"question": "And?", "answer": "about \\frac{1"}])
    ended = CliRunner().invoke(cli, ["tasks", str(path), "--map", "gold=answer", "--kind", "math"])
    assert ended.exit_code == 1 and "quiz" in ended.output and "does not pass its own grader" in ended.output
    written(path, QUIZ)
    ended = CliRunner().invoke(cli, ["tasks", str(path)])
    assert ended.exit_code == 0 and "integer" in ended.output
