"""harness.data.selection: five ways to draw a subset, the same on every machine."""

from __future__ import annotations

import json
import random as random_module
import subprocess
import sys
from collections import Counter
from typing import Any

import datasets
import pyarrow as pa
import pytest
from datasets.table import InMemoryTable

from harness.data.draws import Draw
from harness.data.schema import SCHEMA, kind_of
from harness.data.selection import PRESELECTED_SHARE, SELECTIONS, select
from harness.errors import UserError
from tests.pools import row, rows, shared

ROWS = rows(400)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_a_selection_has_its_size_no_id_twice_and_says_what_it_did(selection: str) -> None:
    size = None if selection == "full" else 50
    selected = select(ROWS, selection, size, seed=3)
    assert len(set(selected.ids)) == len(selected.ids) == selected.manifest["size"] == (size or 400)
    assert [ROWS[index]["id"] for index in selected.indices] == selected.ids
    manifest = selected.manifest
    assert (manifest["selection"], manifest["seed"], manifest["ids"]) == (selection, 3, selected.ids)
    assert manifest["stages"]["pool"] == 400
    assert manifest["stages"]["selected"] == len(selected.ids)
    assert sum(manifest["domains"].values()) == len(selected.ids)


@pytest.mark.parametrize("selection", SELECTIONS)
def test_the_order_of_the_pool_and_its_container_do_not_matter(selection: str) -> None:
    size = None if selection == "full" else 50
    shuffled = list(ROWS)
    random_module.Random(1).shuffle(shuffled)
    expected = select(ROWS, selection, size, 7).manifest
    assert select(shuffled, selection, size, 7).manifest == expected
    assert select(datasets.Dataset.from_list(shuffled), selection, size, 7).manifest == expected


def test_the_manifest_is_the_same_in_another_process_with_another_hash_seed() -> None:
    code = (
        "from pools import rows; from harness.data.selection import select;"
        "print(select(rows(400), 's1k', 60, 11).manifest['sha256'])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    assert found == {select(ROWS, "s1k", 60, 11).manifest["sha256"] + "\n"}


def test_the_manifest_tells_changed_texts_under_the_same_ids_apart() -> None:
    changed = [{**one, "thinking": one["thinking"] + " "} if one["id"] == "r0003" else one for one in ROWS]
    before, after = (select(pool, "full", None, 0).manifest for pool in (ROWS, changed))
    assert before["ids"] == after["ids"] and before["sha256"] != after["sha256"]


# What the seed gives, for good: a change here changes every published subset.
GOLDEN = {
    "random": ["r0318", "r0042", "r0050", "r0089", "r0103"],
    "diverse": ["r0250", "r0069", "r0176", "r0023", "r0064"],
    "longest": ["r0400", "r0399", "r0398", "r0397", "r0396"],
    "s1k": ["r0387", "r0361", "r0390", "r0395", "r0378"],
}


@pytest.mark.parametrize("selection", GOLDEN)
def test_a_seed_gives_these_rows_for_good(selection: str) -> None:
    assert select(ROWS, selection, 5, 0).ids == GOLDEN[selection]


@pytest.mark.parametrize("selection", ["random", "diverse", "s1k"])
def test_another_seed_gives_another_subset(selection: str) -> None:
    assert set(select(ROWS, selection, 50, 0).ids) != set(select(ROWS, selection, 50, 1).ids)


def test_longest_takes_the_longest_traces_by_tokens_and_by_characters_without_them() -> None:
    assert select(ROWS, "longest", 3).ids == ["r0400", "r0399", "r0398"]
    texts = [row(n, thinking="x" * (100 - n), thinking_tokens=None) for n in range(1, 20)]
    selected = select(texts, "longest", 2)
    assert selected.ids == ["r0001", "r0002"]
    assert selected.manifest["length_unit"] == "characters"


def test_diverse_draws_domains_uniformly_however_large_they_are() -> None:
    pool = [row(n, domain="big" if n > 60 else f"small {n % 3}") for n in range(1, 2001)]
    drawn = Counter(name for seed in range(200) for name in _domains(pool, "diverse", 8, seed))
    assert all(abs(count / 1600 - 0.25) < 0.05 for count in drawn.values())
    assert Counter(_domains(pool, "random", 1000, 0))["big"] > 900


def _domains(pool: list[dict[str, Any]], selection: str, size: int, seed: int) -> list[str]:
    return [pool[index]["domain"] for index in select(pool, selection, size, seed).indices]


def test_diverse_goes_on_when_a_domain_is_used_up() -> None:
    pool = [row(n, domain="rare" if n == 1 else "common") for n in range(1, 11)]
    assert sorted(select(pool, "diverse", 10).ids) == sorted(one["id"] for one in pool)


def test_s1k_drops_bad_and_solved_rows_and_counts_each_stage() -> None:
    pool = rows(40)
    pool[0]["thinking"] = ""  # r0001
    pool[1]["attempt"] = "Error 429: too many requests"  # r0002
    pool[2]["question"] += " ![figure](image.png)"  # r0003
    selected = select(pool, "s1k", 20, 0)
    stages = selected.manifest["stages"]
    assert stages["with thinking"] == 39
    assert stages["without API errors"] == 38
    assert stages["well formatted"] == 37
    assert stages["not solved by a reference model"] == 27  # of 40, every fourth is solved, and three are bad
    assert not set(selected.ids) & {"r0001", "r0002", "r0003", "r0004", "r0040"}


def test_either_reference_model_makes_a_question_too_easy_unless_all_are_asked_for() -> None:
    pool = [row(n, reference_correct=[n <= 5, n <= 2]) for n in range(1, 11)]
    count = "not solved by a reference model"
    assert select(pool, "s1k", 3).manifest["stages"][count] == 5
    assert select(pool, "s1k", 3, solved_by="all").manifest["stages"][count] == 8


def test_s1k_takes_benchmark_like_rows_first_up_to_their_share() -> None:
    pool = [row(n, benchmark_like=n in (1, 2, 3)) for n in range(1, 101)]
    selected = select(pool, "s1k", 20, 0)
    assert set(selected.ids[:3]) == {"r0001", "r0002", "r0003"}
    many = [row(n, benchmark_like=n <= 60) for n in range(1, 101)]
    stages = select(many, "s1k", 20, 0).manifest["stages"]
    assert stages["benchmark-like"] == 45
    assert stages["preselected"] == 20 * PRESELECTED_SHARE
    everything = select(many, "s1k", 75, 0)  # the cap gives way where nothing else is left
    assert len(set(everything.ids)) == 75


def test_the_rank_draw_halves_with_every_rank() -> None:
    draw = Draw(0, "test")
    counts = Counter(draw.rank(4) for _ in range(15000))
    # 2^-rank over four ranks: 8, 4, 2, 1 fifteenths
    for rank, expected in enumerate((8000, 4000, 2000, 1000)):
        assert abs(counts[rank] - expected) < 5 * expected**0.5
    assert {draw.rank(1) for _ in range(20)} == {0}


def test_the_domain_draw_is_uniform() -> None:
    draw = Draw(0, "test")
    counts = Counter(draw.below(7) for _ in range(14000))
    assert all(abs(count - 2000) < 5 * 2000**0.5 for count in counts.values())


@pytest.mark.parametrize(
    ("selection", "size", "message"),
    [
        ("random", 401, "selection random of 401 rows is larger than its pool: 400 rows are left"),
        ("s1k", 301, "300 rows are left .* 300 not solved by a reference model"),
        ("full", 10, "selection full takes all 400 rows"),
        ("random", 0, "ask for 1 or more"),
        ("divers", 10, "did you mean 'diverse'"),
    ],
)
def test_what_cannot_be_drawn_is_the_users_error(selection: str, size: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        select(ROWS, selection, size)


def test_missing_features_are_errors_that_say_what_to_run() -> None:
    with pytest.raises(UserError, match="featurize --reference"):
        select([row(n, reference_correct=None) for n in range(1, 20)], "s1k", 5)
    with pytest.raises(UserError, match="featurize --domains"):
        select([row(n, domain=" ") for n in range(1, 20)], "diverse", 5)
    with pytest.raises(UserError, match="two rows of the pool have the id 'r0001'"):
        select([row(1), row(1)], "random", 1)


def test_rows_without_thinking_are_never_drawn() -> None:
    pool = [row(n, thinking="  " if n % 2 else "So.") for n in range(1, 21)]
    selected = select(pool, "full")
    assert len(selected.ids) == 10
    assert selected.manifest["stages"]["with thinking"] == 10


def test_the_real_pool_gives_every_selection(tmp_path: Any) -> None:
    from harness.data import load as pool

    real = pool.load("sft_pool", shared("sft_pool").parent)
    for selection in ("random", "diverse", "longest", "s1k"):
        assert len(select(real, selection, 300).ids) == 300
    with pytest.raises(UserError, match="372 rows are left"):
        select(real, "s1k", 1000)


NEEDS_NO_METADATA = [*((name, "each") for name in (*SELECTIONS, "limo")), ("random", "one"), ("s1k", "one")]


@pytest.mark.parametrize(("selection", "traces"), NEEDS_NO_METADATA)
def test_metadata_are_not_read_by_a_selection_that_needs_none(selection: str, traces: str) -> None:
    table = pa.Table.from_pylist(ROWS, schema=SCHEMA)
    unreadable = pa.array([b"\xff"] * len(ROWS)).view(pa.string())  # an error for whoever makes text of it
    at = SCHEMA.names.index("metadata")
    pool = datasets.Dataset(InMemoryTable(table.set_column(at, SCHEMA.field(at), unreadable)))
    size = None if selection == "full" else 50
    expected = select(ROWS, selection, size, 7, traces=traces).manifest
    assert select(pool, selection, size, 7, traces=traces).manifest == expected
    with pytest.raises(UnicodeDecodeError):
        select(pool, selection, size, 7, traces="best")


def test_a_pool_on_disk_is_seen_as_its_rows_in_memory() -> None:
    from harness.data.candidates import candidates

    cases = [
        {"tests": "x" * 5000, "finish": "length", "attempt_correct": True},
        {"tests": "x" * 5000},
        {"kind": "choice", "finish": "stop"},
        {"said": 'not "finish"', "attempt_correct": False},
    ]
    made = [row(number, metadata=json.dumps(cases[number % 4])) for number in range(1, 30)]
    on_disk = datasets.Dataset.from_list(made, features=datasets.Features.from_arrow_schema(SCHEMA))
    kinds = list[Any]()

    def references(one: Any) -> list[bool | None]:
        kinds.append((one["id"], kind_of(one)))
        return [None]

    asked = [{**one, "reference_correct": None} for one in made]
    found = [
        candidates(pool, True, references=references)
        for pool in (asked, on_disk.map(lambda one: {"reference_correct": None}).shuffle(seed=1))
    ]
    of_rows, of_disk = (one[0] for one in found)
    assert found[0][1:] == found[1][1:]
    for name in ("ids", "lengths", "correct", "cut", "dropped", "content", "questions"):
        assert getattr(of_rows, name) == getattr(of_disk, name), name
    assert of_disk.correct.count(True) == of_disk.cut.count(True) == 7 and of_disk.correct.count(False) == 7
    assert sorted(kinds[:29]) == sorted(kinds[29:]) and ("r0002", "choice") in kinds
    assert of_disk.row(0)["metadata"] == cases[1]  # whole for a selection that asks
