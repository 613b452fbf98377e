"""Selections beside s1's five, one's own, and questions with several traces."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.data.draws import Draw
from harness.data.selection import select
from harness.errors import UserError
from tests.pools import row


def several(questions: int, traces: int) -> list[dict[str, Any]]:
    """Each question with `traces` traces: the first is wrong, the last cut, the second right and the longest."""
    made = []
    for question in range(questions):
        for number in range(traces):
            about: dict[str, Any] = {"attempt_correct": number not in (0, traces - 1)}
            about |= {"finish": "length"} if number == traces - 1 else {}
            made.append(
                row(
                    question + 1,
                    id=f"q{question:03d}#{number}",
                    thinking_tokens=100 - number if number else 500,
                    metadata=json.dumps(about),
                )
            )
    return made


def of(row_id: str) -> str:
    return row_id.partition("#")[0]


def test_each_trace_is_a_row_to_draw_unless_one_stands_for_its_question() -> None:
    pool = several(20, 4)
    each = select(pool, "random", 40, 0)
    assert max(Counter(map(of, each.ids)).values()) > 1
    one = select(pool, "random", 20, 0, traces="one")
    assert len(set(map(of, one.ids))) == 20 and one.manifest["stages"]["questions"] == 20
    assert len({row_id.partition("#")[2] for row_id in one.ids}) > 1  # drawn, not always the first
    best = select(pool, "random", 20, 0, traces="best")
    assert {row_id.partition("#")[2] for row_id in best.ids} == {"1"}  # right, whole, the longest of those
    with pytest.raises(UserError, match="21 rows is larger than its pool: 20 rows are left"):
        select(pool, "random", 21, 0, traces="best")


def test_all_traces_of_a_drawn_question_are_taken() -> None:
    selected = select(several(20, 4), "random", 5, 0, traces="all")
    assert len(selected.ids) == 20 and set(Counter(map(of, selected.ids)).values()) == {4}
    assert [one["id"] for one in (several(20, 4)[i] for i in selected.indices)] == selected.ids
    assert selected.manifest["size"] == 5 and selected.manifest["traces"] == "all"
    with pytest.raises(UserError, match="unknown value of traces 'bset'; did you mean 'best'"):
        select(several(2, 2), "random", 1, 0, traces="bset")


def test_only_quality_draws_from_what_the_rules_leave_and_random_from_everything() -> None:
    pool = [row(n, attempt="" if n % 2 else "4", answer="") for n in range(1, 101)]
    good = {one["id"] for one in pool if one["attempt"]}
    assert set(select(pool, "quality", 50).ids) == good
    assert not set(select(pool, "random", 50).ids) <= good


def test_the_reward_column_orders_the_rows() -> None:
    pool = [row(n, metadata=json.dumps({"score": n % 7, "name": "x"})) for n in range(1, 71)]
    selected = select(pool, "reward", 10, options={"column": "score"})
    assert {json.loads(pool[i]["metadata"])["score"] for i in selected.indices} == {6}
    lowest = select(pool, "reward", 10, options={"column": "score", "lowest": True})
    assert {json.loads(pool[i]["metadata"])["score"] for i in lowest.indices} == {0}
    assert selected.manifest["options"] == {"column": "score"}
    with pytest.raises(UserError, match="no row has a number under 'name'"):
        select(pool, "reward", 10, options={"column": "name"})
    with pytest.raises(UserError, match="unknown option of selection reward 'colum'; did you mean 'column'"):
        select(pool, "reward", 10, options={"colum": "score"})


def test_limos_rules_keep_what_is_sometimes_solved_and_prefer_traces_that_check_themselves() -> None:
    plain, careful = "It is so. " * 20, "Let me check, since perhaps it might be wrong. Therefore wait, verify. " * 4
    pool = []
    for n in range(1, 101):
        tries = [k < n % 5 * 8 for k in range(32)]  # solved in 0, 8, 16, 24 or 32 of 32 tries
        pool.append(row(n, reference_correct=tries, thinking=careful if n % 3 else plain))
    selected = select(pool, "limo", 20)
    stages = selected.manifest["stages"]
    assert stages["solved in that share of the tries"] == 40  # 8 and 16 of 32
    assert {int(one[1:]) % 5 for one in selected.ids} == {1, 2}
    assert all(int(one[1:]) % 3 for one in selected.ids)
    with pytest.raises(UserError, match="larger than its pool"):
        select(pool, "limo", 40, options={"level": 5})
    with pytest.raises(UserError, match="selection limo needs reference_correct"):
        select([row(n, reference_correct=None) for n in range(1, 20)], "limo", 5)


def test_an_ungraded_row_is_not_hard_unless_it_is_asked_for() -> None:
    pool = [row(n, reference_correct=[None, False] if n <= 30 else [False, False]) for n in range(1, 101)]
    dropped, kept = (
        select(pool, "s1k", 20, options=options).manifest["stages"] for options in (None, {"ungraded": "keep"})
    )
    assert (dropped["not solved by a reference model"], dropped["of the others not graded"]) == (70, 30)
    assert (kept["not solved by a reference model"], kept["of these not graded (keep)"]) == (100, 30)


def test_the_notebooks_law_draws_its_last_rows_by_the_domains_of_the_benchmarks() -> None:
    pool = [row(n, domain=f"d{n % 10}", benchmark_like=n in (1, 11)) for n in range(1, 801)]
    counts: dict[str, Counter[str]] = {}
    for law in ("paper", "notebook"):
        drawn = [i for seed in range(10) for i in select(pool, "s1k", 100, seed, options={"law": law}).indices]
        counts[law] = Counter(pool[i]["domain"] for i in drawn)
    assert counts["notebook"]["d1"] > 2 * counts["paper"]["d1"]  # 30 of 100 more, while its queue lasts
    assert counts["notebook"]["d2"] < counts["paper"]["d2"]


OWN = """
def by_score(candidates, size, seed, least=0):
    rows = [row for row in candidates.rows() if row["metadata"]["score"] >= least and "+" in row["question"]]
    rows.sort(key=lambda row: (-row["metadata"]["score"], row["id"]))
    return [row["id"] for row in rows[:size]]

def nothing(candidates, size, seed):
    return []

def strangers(candidates, size, seed):
    return ["nobody"]

def twice(candidates, size, seed):
    return [candidates.ids[0]] * 2

def broken(candidates, size, seed):
    return 1 / 0

def late(candidates, size, seed):
    for row in candidates.rows():
        yield row["metadata"]["scor"]
"""


def test_a_function_of_ones_own_sees_texts_and_metadata_and_stands_in_the_manifest(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    pool = [row(n, metadata=json.dumps({"score": n % 10})) for n in range(1, 41)]
    selected = select(pool, f"{path}:by_score", 3, options={"least": 5})
    assert selected.ids == ["r0009", "r0019", "r0029"]
    assert selected.manifest["source_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    for name, why in (
        ("nothing", "returned no id of 40 candidates"),
        ("strangers", "returned 'nobody', which is no id"),
        ("twice", "returned the id 'r0001' twice"),
        ("broken", r"selection .*mine\.py, line 17: ZeroDivisionError: division by zero"),
        ("late", r"selection .*mine\.py, line 21: KeyError: 'scor'"),
        ("by_scor", "did you mean 'by_score'"),
    ):
        with pytest.raises(UserError, match=why):
            select(pool, f"{path}:{name}", 3)
    path.write_text(OWN + "import not_there\n")
    with pytest.raises(UserError, match=r"selection .*mine\.py, line 22: ModuleNotFoundError"):
        select(pool, f"{path}:by_score", 3)
    with pytest.raises(UserError, match=r"no file .*gone\.py for the selection"):
        select(pool, f"{tmp_path / 'gone.py'}:f", 3)


def test_a_draw_by_weights_is_in_proportion_to_them() -> None:
    from harness.data.selection import _draw_by_domain

    queues = {name: list(range(3000)) for name in "abc"}
    _draw_by_domain(queues, 3000, Draw(0, "t"), lambda queue: 0, {"a": 3, "b": 1})
    assert 3000 - len(queues["c"]) == 0
    assert abs((3000 - len(queues["a"])) / 3000 - 0.75) < 0.03
