"""Tasks: the same problems for `harness` and lm-eval, clear errors, every gold passing its own grader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import tasks
from harness.errors import UserError
from harness.grading import grade_answer
from harness.lm_eval.tasks import process_results, prompted_budget, question

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not (DATA / "tasks").is_dir(), reason=f"no benchmark files in {DATA}: not checked")


@pytest.mark.parametrize("name", ["quick_aime", "quick_math", "quick_gpqa"])
def test_generated_problems_depend_on_the_seed_alone_and_grade_themselves(name: Any) -> None:
    problems = tasks.load(name, seed=3, max_problems=40)
    assert problems == tasks.load(name, seed=3, max_problems=40) != tasks.load(name, seed=4, max_problems=40)
    assert len({problem.id for problem in problems}) == 40
    for problem in problems:
        assert grade_answer(problem.gold, problem.gold, problem.kind, choices=problem.choices).status == "correct"


@needs_data
@pytest.mark.parametrize(
    ("name", "count"), [("aime24_nofigures", 30), ("aime24_figures", 30), ("math500", 500), ("gpqa_diamond", 198)]
)
def test_a_release_is_whole_and_every_gold_passes_its_own_grader(name: Any, count: Any) -> None:
    problems = tasks.load(name, DATA)
    assert len(problems) == count == tasks.get(name).num_problems
    failed = [
        problem.id
        for problem in problems
        if grade_answer(problem.gold, problem.gold, problem.kind, choices=problem.choices).status != "correct"
    ]
    assert failed == []
    assert not any(char in problem.question for problem in problems for char in "\x08\u00a0\u3000")


@needs_data
def test_the_order_of_gpqas_options_depends_on_the_seed_alone() -> None:
    first, again, other = (tasks.load("gpqa_diamond", DATA, seed) for seed in (0, 0, 1))
    assert first == again
    assert sum(a.gold != b.gold for a, b in zip(first, other, strict=True)) > 100
    assert all(0.15 < sum(p.gold == letter for p in first) / 198 < 0.35 for letter in "ABCD")


def test_a_missing_or_broken_file_says_where_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no math500.jsonl in .* or leave --data-dir out"):
        tasks.load("math500", tmp_path)
    (tmp_path / "math500.jsonl").write_text('{"problem": "1+1", "answer": "2"}\n{"problem": ')
    with pytest.raises(UserError, match="line 2: not JSON"):
        tasks.load("math500", tmp_path)
    (tmp_path / "math500.jsonl").write_text('{"problem": "1+1"}\n')
    with pytest.raises(UserError, match=r"math500\.jsonl line 1: no 'answer'"):
        tasks.load("math500", tmp_path)
    (tmp_path / "gpqa_diamond.zip").write_bytes(b"PK not a zip")
    with pytest.raises(UserError, match=r"fetch GPQA's dataset\.zip again"):
        tasks.load("gpqa_diamond", tmp_path)


def test_an_unknown_task_names_the_near_one() -> None:
    with pytest.raises(UserError, match="did you mean 'math500'"):
        tasks.names("math50")


def test_s1s_environment_variables_put_the_budget_into_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    doc = {"problem": "Q"}
    assert question(doc) == "Q"
    monkeypatch.setenv("PROMPTLONG", "false")  # s1 takes this for "set"; it says the opposite
    assert prompted_budget() is None
    monkeypatch.setenv("PROMPTSHORT", "true")
    assert question(doc).startswith("Q\n\nAnswer after a short amount of thinking.")
    monkeypatch.setenv("PROMPTTOKEN", "4096")
    assert question(doc) == "Q\n\nThink for up to 4096 tokens."
    monkeypatch.setenv("PROMPTSTEP", "64")
    assert question(doc) == "Q\n\nThink for up to 64 steps."


def test_repeated_samples_get_majority_with_ties_averaged_and_coverage() -> None:
    doc = {"answer": "7", "kind": "integer", "choices": []}
    scores = process_results(doc, [["Final Answer: 7", "Final Answer: 8", "", "Final Answer: 9"]], group=4)
    assert scores["exact_match"] == 1 and scores["cov@4"] == 1
    assert scores["maj@4"] == pytest.approx(1 / 3) and scores["mean@4"] == 0.25
