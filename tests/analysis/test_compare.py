"""Two runs compared problem by problem."""

from __future__ import annotations

import base64
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import tests.made_up_study as made_up
from harness.analysis.compare import Comparison, compare, first_differences
from harness.errors import UserError
from harness.questions import question_hash
from harness.report.comparisons import comparison_tables
from harness.report.pair_page import write_pair


def folder(path: Path, verdicts: list[bool], name: str = "s1k", **changes: Any) -> Path:
    rows = [
        made_up.sample(**{"problem_id": f"p{i}", "run_id": name, "recipe": name, "correct": v} | changes)
        for i, v in enumerate(verdicts)
    ]
    return made_up.write(path, rows)


def text(found: list[Comparison]) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(comparison_tables(found))
    return console.export_text()


def test_the_difference_is_paired_with_the_exact_test(tmp_path: Path) -> None:
    a = folder(tmp_path / "a", [True] * 12 + [False] * 8)
    b = folder(tmp_path / "b", [True] * 5 + [False] * 15)
    found = compare(str(a), str(b))[0]
    assert (len(found.only_a), len(found.only_b), found.test) == (7, 0, "exact McNemar")
    assert found.gap.mean == pytest.approx(0.35) and found.p_value == pytest.approx(2 / 2**7)
    assert "the two differ" in text([found]) and "Only A right: p10, p11, p5" in text([found])


def test_runs_that_cannot_be_told_apart_are_called_so(tmp_path: Path) -> None:
    a, b = folder(tmp_path / "a", [True, False, True, True]), folder(tmp_path / "b", [True, True, False, True])
    shown = text(compare(str(a), str(b)))
    assert "cannot be told apart" in shown and "points are easily missed" in shown
    assert max(len(line) for line in shown.splitlines()) <= 100


def test_what_does_not_matter_is_tested_and_read_in_the_bayesian_way(tmp_path: Path) -> None:
    a = folder(tmp_path / "a", [True] * 12 + [False] * 8)
    b = folder(tmp_path / "b", [True] * 5 + [False] * 15)
    assert "A is no worse than B by 2 points" in text(compare(str(a), str(b)))
    assert "B is no worse than A by 2 points" in text(compare(str(b), str(a)))
    assert "within 90 points" in text(compare(str(a), str(b), margin=0.9))
    found = compare(str(a), str(b))
    assert found[0].posterior.better > 0.99
    assert f"A is better with probability {found[0].posterior.better:.3f}" in text(found)


def test_the_first_differing_token_is_found(tmp_path: Path) -> None:
    a = folder(tmp_path / "a", [True, True], thinking_ids=[1, 2, 3, 4], answer_ids=[5, 6])
    b = folder(tmp_path / "b", [True, True], thinking_ids=[1, 2, 9, 4])
    found = compare(str(a), str(b))[0]
    assert found.first_difference == {"p0": 2, "p1": 2} and "2 part, at token 2 the earliest" in text([found])
    same = folder(tmp_path / "c", [True, True], thinking_ids=[1, 2, 3, 4], answer_ids=None)
    assert compare(str(a), str(same))[0].first_difference == {"p0": 5, "p1": 5}
    assert first_differences({"p": [1, 2]}, {"p": [1, 2, 3]}) == ({"p": 2}, 0)
    assert first_differences({"p": [1], "q": [2]}, {"p": [1]}) == ({}, 1)


def test_only_shared_problems_are_paired_and_the_rest_is_said(tmp_path: Path) -> None:
    a, b = folder(tmp_path / "a", [True] * 6), folder(tmp_path / "b", [False] * 4)
    found = compare(str(a), str(b))[0]
    assert found.num_paired == 4 and "Not paired: A has 2 more" in text([found])


def test_problems_numbered_differently_are_paired_by_their_question(tmp_path: Path) -> None:
    rows_a = [made_up.sample(problem_id=f"a{i}", question=f"What is {i}  + 1?", correct=i < 3) for i in range(4)]
    rows_b = [made_up.sample(problem_id=f"b{9 - i}", question=f"What is {i} + 1?", correct=i < 2) for i in range(4)]
    a, b = made_up.write(tmp_path / "a", rows_a), made_up.write(tmp_path / "b", rows_b)
    found = compare(str(a), str(b))[0]
    assert (found.num_paired, len(found.only_a), len(found.only_b)) == (4, 1, 0) and "by question" in found.note


def test_a_task_that_the_two_call_differently_is_found_by_its_questions(tmp_path: Path) -> None:
    """A log of another harness: another name of the task, other ids, another order; its other task shares one."""
    asked = [f"What is {i} + 1?" for i in range(12)]
    rows_a = [
        made_up.sample(
            task="aime24_nofigures", problem_id=str(i), question=q, question_hash=question_hash(q), correct=i % 2 == 0
        )
        for i, q in enumerate(asked)
    ]
    rows_b = [
        made_up.sample(
            run_id="b",
            task="aime24",
            problem_id=f"b{i}",
            question=q.upper(),
            question_hash=question_hash(q),
            correct=i % 3 == 0,
        )
        for i, q in reversed(list(enumerate(asked)))
    ]
    borrowed = [
        made_up.sample(run_id="c", task="a_mixture", problem_id=f"c{i}", question=q)
        for i, q in enumerate([asked[0], "Another?", "A third?"])
    ]
    a, b = made_up.write(tmp_path / "a", rows_a), made_up.write(tmp_path / "b", rows_b + borrowed)
    found = compare(str(a), str(b))
    assert [(one.task, one.task_b, one.num_paired) for one in found] == [("aime24_nofigures", "aime24", 12)]
    assert found[0].only_a == ["10", "2", "4", "8"] and found[0].only_b == ["3", "9"]
    assert "B calls this task aime24: found by its questions" in " ".join(text(found).split())
    write_pair(found, tmp_path / "pair.html")
    page = (tmp_path / "pair.html").read_text(encoding="utf-8").partition('<script type="text/plain" id="index">')[2]
    index = json.loads(gzip.decompress(base64.b64decode(page.partition("<")[0])))
    assert index["tasks"] == ["aime24", "aime24_nofigures"]
    places = dict(zip(index["problem_id"], index["pair"], strict=True))
    assert all(places[f"b{i}"] == places[str(i)] for i in range(12)) and len(set(places.values())) == 12
    made_up.write(tmp_path / "c", borrowed)
    with pytest.raises(UserError, match="no task in common, by its name or by its questions"):
        compare(str(a), str(tmp_path / "c"))


@pytest.mark.parametrize("others", ["questions", "instructions"])
def test_a_question_with_its_prompts_instructions_around_it_is_the_same_question(tmp_path: Path, others: str) -> None:
    """As simple-evals and lighteval store it; the other side has the bare question, or instructions of its own."""
    asked = [
        f"Let x_{i} be a real number with twice itself being {2 * i}. What is the value of x_{i}" for i in range(12)
    ]
    around = ("Solve this step by step.\n\n", "\n\nPut your answer on its own line after Answer:")
    own = ("", "?") if others == "questions" else ("Question: ", "?\nReason, then answer within \\boxed{}.")
    rows_a = [
        made_up.sample(problem_id=f"a{i}", question=own[0] + q + own[1], correct=i < 5) for i, q in enumerate(asked)
    ]
    rows_b = [
        made_up.sample(run_id="b", problem_id=str(11 - i), question=f"{around[0]}{q}?{around[1]}", correct=i < 3)
        for i, q in enumerate(asked)
    ]
    strange = made_up.sample(run_id="b", problem_id="99", question=around[0] + "What is the capital?" + around[1])
    a, b = made_up.write(tmp_path / "a", rows_a), made_up.write(tmp_path / "b", [*rows_b, strange])
    for first, second, alone in ((a, b, ["a3", "a4"]), (b, a, [])):
        (found,) = compare(str(first), str(second))
        assert (found.num_paired, found.only_a) == (12, alone), found.only_b
        assert "which has instructions around it" in " ".join(text([found]).split())
    renamed = made_up.write(tmp_path / "c", [row | {"task": "elsewhere"} for row in rows_b])
    assert [(one.task_b, one.num_paired) for one in compare(str(a), str(renamed))] == [("elsewhere", 12)]


def test_questions_that_differ_in_what_all_of_a_run_say_are_not_paired(tmp_path: Path) -> None:
    """The sums of one run and the products of another, with equal ids."""
    sides = [
        made_up.write(
            tmp_path / sign,
            [made_up.sample(problem_id=f"p{i}", question=f"What is {i} {sign} 30?") for i in range(10, 20)],
        )
        for sign in "+*"
    ]
    with pytest.raises(
        UserError, match=r"no problem in common: 10 problem\(s\) have the same id, but another question"
    ):
        compare(str(sides[0]), str(sides[1]))


def test_a_run_is_named_by_recipe_or_by_the_first_letters_of_its_id(tmp_path: Path) -> None:
    rows = [
        made_up.sample(problem_id=f"p{i}", run_id=f"{r}-0123", recipe=r, correct=r == "full")
        for r in ("full", "s1k")
        for i in range(4)
    ]
    out = made_up.write(tmp_path, rows)
    assert compare(f"{out}:full", f"{out}:s1k-01")[0].gap.mean == 1.0
    with pytest.raises(UserError, match="holds several runs"):
        compare(str(out), str(out))
    with pytest.raises(UserError, match="no run or recipe 'nope'"):
        compare(f"{out}:nope", str(out))
    many = [made_up.sample(problem_id="p", run_id=f"{n:04}", recipe="full" if n else "s1k") for n in range(13)]
    with pytest.raises(UserError, match=r"it has the recipes full, s1k; runs 0000, .*, 0011, \.\.\.$"):
        compare(f"{made_up.write(tmp_path / 'many', many)}:nope", str(out))


def test_a_missing_folder_and_runs_without_a_common_task_are_user_errors(tmp_path: Path) -> None:
    a = folder(tmp_path / "a", [True] * 2)
    b = folder(tmp_path / "b", [True] * 2, task="other", question="2 + 2 = ?")
    log = tmp_path / "samples.jsonl"
    log.write_text("{}")
    with pytest.raises(UserError, match=r"is a file; `harness import .* --out FOLDER`"):
        compare(str(log), str(log))
    with pytest.raises(UserError, match="no such result folder"):
        compare(str(tmp_path / "gone"), str(a))
    with pytest.raises(UserError, match="no task in common"):
        compare(str(a), str(b))
