"""A hypothesis held against rows: the board's own differences, outside witnesses for the tests, and the verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

import tests.made_up_study as made_up
from harness.analysis.claims import CONTRADICTED, OPEN, SUPPORTED, UNKNOWN, Finding, findings
from harness.analysis.measure import Measured, measure_cells
from harness.analysis.settings import load
from harness.config import Claim, to_plain
from harness.errors import UserError
from harness.report.claim_tables import claims_table, evidence_table, verdict_line
from harness.report.tables import markdown

CLAIMS = (
    Claim("s1k beats base and random", ("s1k",), ("base", "random")),
    Claim("random is below s1k", ("random",), ("s1k",), expected="less"),
    Claim("more thought helps", ("s1k", "random"), measure="slope"),
    Claim("Wait helps", ("s1k",), measure="wait"),
)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    recipes, claims = ("base", "random", "s1k"), to_plain(CLAIMS)
    folder = made_up.study(tmp_path_factory.mktemp("study"), num_problems=30, recipes=recipes, claims=claims)
    return measure_cells(load([folder]))


def right(**counts: range) -> list[dict[str, Any]]:
    """40 problems of each recipe, right on the given ones."""
    return [
        made_up.sample(recipe=name, run_id=name, problem_id=f"p{i}", correct=i in solved)
        for name, solved in counts.items()
        for i in range(40)
    ]


def only(tmp_path: Path, claim: Claim, rows: list[dict[str, Any]]) -> Finding:
    (found,) = findings(measure_cells(load([made_up.write(tmp_path, rows, claims=to_plain([claim]))])), "made_up")
    return found


def test_a_difference_that_the_board_shows_is_the_boards_own(measured: Measured) -> None:
    _, below, *_ = findings(measured, "made_up")
    cells = measured.cells.cells
    for one in below.evidence:
        i = next(i for i in measured.headlines.values() if (cells[i].task, cells[i].recipe) == (one.task, "random"))
        board = measured.figures[i]["difference_to_reference"]
        assert (one.figure.mean, one.figure.low, one.figure.high) == (board.mean, board.low, board.high)
    assert {one.task for one in below.evidence} == {"quick_easy", "quick_hard"}


def test_the_tests_are_exact_and_corrected_over_the_whole_clause(measured: Measured) -> None:
    beats, *_ = findings(measured, "made_up")
    cells, ps = measured.cells.cells, []
    for one in beats.evidence:
        a, b = one.what.split(" - ")
        at = {cells[i].recipe: cells[i].accuracy for i in measured.headlines.values() if cells[i].task == one.task}
        won, lost = int((at[a] > at[b]).sum()), int((at[a] < at[b]).sum())
        ps.append(binomtest(won, won + lost).pvalue)
    assert len(ps) == 4
    least, witness = 0.0, {}
    for rank, p in enumerate(sorted(ps)):  # Holm's step-down, by its definition
        least = max(least, min(1.0, (len(ps) - rank) * p))
        witness[p] = least
    assert [one.p_holm for one in beats.evidence] == pytest.approx([witness[p] for p in ps])


def test_a_slope_and_a_wait_are_the_sweeps_own(measured: Measured) -> None:
    *_, slopes, waits = findings(measured, "made_up")
    assert len(slopes.evidence) == 4 and all("per doubling" in one.what for one in slopes.evidence)
    sweep = next(s for s in measured.sweeps if (s.recipe, s.task) == ("s1k", "quick_easy"))
    one = next(e for e in slopes.evidence if e.task == "quick_easy" and e.what.startswith("s1k"))
    assert one.figure == sweep.figures["scaling_ols_per_doubling"]
    assert [e.what for e in waits.evidence][:2] == ["s1k, auto+1 Wait - auto", "s1k, auto+2 Wait - auto"]


@pytest.mark.parametrize(
    ("expected", "full", "verdict"),
    [
        ("more", range(35), SUPPORTED),
        ("less", range(35), CONTRADICTED),
        ("same", range(35), CONTRADICTED),
        ("more", range(12), OPEN),
        ("same", range(12), OPEN),  # nothing is shown to be the same on 40 problems
        ("more", range(0), CONTRADICTED),
        ("less", range(0), SUPPORTED),
    ],
)
def test_verdicts(tmp_path: Path, expected: Any, full: range, verdict: str) -> None:
    found = only(tmp_path, Claim("full", ("full",), ("s1k",), expected=expected), right(full=full, s1k=range(10)))
    assert found.verdict == verdict


def test_the_same_is_supported_within_two_points(tmp_path: Path) -> None:
    rows = [
        made_up.sample(recipe=n, run_id=n, problem_id=f"p{i}", correct=i % 2 == 0)
        for n in ("full", "s1k")
        for i in range(400)
    ]
    assert only(tmp_path, Claim("alike", ("full",), ("s1k",), expected="same"), rows).verdict == SUPPORTED


def test_one_comparison_the_other_way_contradicts_and_decides(tmp_path: Path) -> None:
    claim = Claim("full beats both", ("full",), ("s1k", "random"))
    found = only(tmp_path, claim, right(full=range(20), s1k=range(2), random=range(38)))
    assert found.verdict == CONTRADICTED and found.weakest is not None and found.weakest.what == "full - random"
    line = verdict_line(found)
    assert "full - random on quick: -45.0 [" in line and "1 as claimed, 1 the other way" in line
    table = evidence_table(found, "made_up", 1)
    assert [[e.style for e in row[1:]] for row in table.rows] == [["supported"], ["contradicted"]]
    assert "| full beats both | contradicted | full - random on quick | -45.0" in markdown(claims_table([found], "m"))


def test_a_recipe_without_rows_is_named_and_nothing_is_supported(tmp_path: Path) -> None:
    found = only(tmp_path, Claim("x", ("full",), ("s1k", "gone")), right(full=range(35), s1k=range(2)))
    assert found.verdict == OPEN and found.missing == ("gone",) and "not run: gone" in verdict_line(found)
    nothing = only(tmp_path / "b", Claim("x", ("gone",), ("s1k",)), right(full=range(35), s1k=range(2)))
    assert nothing.verdict == UNKNOWN and verdict_line(nothing) == "no rows to hold it against"


@pytest.mark.parametrize("claims", [[3], [{"text": "x"}], [{"text": "x", "recipes": ["a"], "odd": 1}], "x", {"a": 1}])
def test_claims_that_cannot_be_read_are_left_out(tmp_path: Path, claims: Any) -> None:
    assert findings(measure_cells(load([made_up.write(tmp_path, right(s1k=range(3)), claims=claims)])), "made_up") == []


def test_an_accuracy_needs_a_rival_and_a_slope_has_none() -> None:
    with pytest.raises(UserError, match="`than` names"):
        Claim("x", ("a",))
    with pytest.raises(UserError, match="`than` names"):
        Claim("x", ("a",), ("b",), measure="slope")
    with pytest.raises(UserError, match="recipes"):
        Claim("x", ())
