"""A tree search's vote, and what it is compared with at equal tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tests.made_up_study as made_up
from harness.analysis.equal_compute import Compute, Curve, equal_compute
from harness.analysis.equal_tokens import weighted_vote
from harness.analysis.measure import measure
from harness.analysis.metrics import majority_vote
from harness.analysis.settings import load
from harness.config import Budget, to_plain


def test_the_largest_sum_of_rewards_wins_and_a_tie_is_shared() -> None:
    votes = np.array([[0, 1, 1], [0, 1, 1], [0, 1, -1], [-1, -1, -1], [1, 0, 0], [0, 1, -2]])
    weights = np.array([[0.9, 0.3, 0.3], [0.5, 0.3, 0.3], [0.4, 0.4, 9.0], [1, 1, 1], [0.0, 0.0, 0.0], [0.6, 0.5, 1.0]])
    assert weighted_vote(votes, weights).tolist() == [1.0, 0.0, 0.5, 0.0, 0.5, 1.0]


def study(folder: Path, tree_tokens: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Four problems. A tree of two thoughts, whose right one has the higher reward on all but the last problem, and
    four plain samples of 100 tokens each, of which the first is right."""
    rows: list[dict[str, Any]] = []
    runs = []
    for method, count in (("rebase", 2), ("budget_forcing", 4)):
        mine = []
        for problem in range(4):
            for sample in range(count):
                right = sample == 0
                shared: dict[str, Any] = {"sample_index": sample, "problem_id": f"p{problem}", "closing_tokens": 0}
                shared |= {"answer_tokens": 0, "correct": right, "extracted": "2" if right else f"wrong {sample}"}
                shared |= {"status": "correct" if right else "incorrect", "method": method, "run_id": method}
                if method == "rebase":
                    shared |= {"thinking_tokens": tree_tokens, "shared_tokens": 0 if right else tree_tokens - 20}
                    shared |= {"discarded_tokens": 30 if right else 0, "reward": 0.9 if right == (problem < 3) else 0.2}
                else:
                    shared |= {"thinking_tokens": 100, "shared_tokens": 0}
                mine.append(made_up.sample(**shared))
        config = {"budget": to_plain(Budget(method=method)), "setup": "same", "headline": to_plain(Budget())}  # type: ignore[arg-type]
        runs.append(made_up.run(mine, config=json.dumps(config)))
        rows += mine
    found = measure(made_up.write(folder, rows, runs)).to_pylist()
    return {(row["method"], row["metric"]): row for row in found}


@pytest.mark.parametrize(("tree_tokens", "samples"), [(50, 1), (250, 3), (900, 4)])
def test_the_vote_is_over_as_many_samples_as_the_trees_tokens_buy(
    tree_tokens: int, samples: int, tmp_path: Path
) -> None:
    """The tree costs its first thought, 20 tokens of the second and 30 discarded: 100, 300 or 950 tokens."""
    found = study(tmp_path, tree_tokens)
    vote, gap = found["rebase", "weighted_maj"], found["rebase", "difference_to_majority"]
    assert vote["value"] == 0.75
    assert gap["reference"] == f"maj@{samples}"
    cost = tree_tokens + 20 + 30
    assert gap["note"].startswith(f"{cost:,} tokens per problem, auto {100 * samples:,}; ")
    # Of k distinct answers each is a leader: the vote is right in 1 of k, where the right one is among the k of 4.
    assert gap["value"] == pytest.approx(0.75 - samples / 4 / samples)
    assert found["rebase", "mean_total_tokens"]["value"] == pytest.approx(cost / 2)
    assert ("budget_forcing", "weighted_maj") not in found


# methods at equal compute


def methods(folder: Path) -> list[Compute]:
    """40 problems: thoughts capped at 100 and 400 tokens, two Waits, rejection, and four samples of the uncapped."""
    rng = np.random.default_rng(0)
    difficulty, rows = rng.random(40), []
    for run, tokens, chance, changes in (
        ("short", 98, 0.3, {"max_thinking_tokens": 98}),
        ("long", 398, 0.7, {}),
        ("wait", 798, 0.75, {"num_ignores": 1, "ignore_str": "Wait"}),
        ("reject", 198, 0.2, {"method": "rejection_sampling", "discarded_tokens": 200}),
    ):
        for problem in range(40):
            for sample in range(4 if run == "long" else 1):
                right = bool(rng.random() < chance + 0.5 * (0.5 - difficulty[problem]))
                shared = {"run_id": run, "problem_id": f"p{problem}", "sample_index": sample, "correct": right}
                said = {"extracted": "2" if right else str(10 + sample % 2), "thinking_tokens": tokens}
                rows.append(made_up.sample(**(shared | said | changes)))
    return equal_compute(load([made_up.write(folder, rows)]).cells)


def test_every_method_is_held_against_budgets_at_its_own_tokens(tmp_path: Path) -> None:
    (found,) = methods(tmp_path)
    by_name = {curve.method: curve for curve in found.curves}
    assert (
        set(by_name) == {"budgets", "Wait", "rejection", "majority of k, auto"} and found.curves[0].method == "budgets"
    )
    assert by_name["budgets"].tokens.tolist() == [100, 400] and by_name["Wait"].tokens.tolist() == [800]
    assert by_name["rejection"].tokens.tolist() == [400] and by_name["majority of k, auto"].tokens.tolist() == [
        800,
        1600,
    ]
    rows = {(c.method, c.setting): c for c in found.contests}
    rejected = rows["rejection", "reject over auto"]
    gap = by_name["rejection"].scores[:, 0] - by_name["budgets"].scores[:, 1]
    assert rejected.difference.mean == pytest.approx(gap.mean()) and np.isnan(rejected.beyond)
    assert rows["Wait", "auto+1 Wait"].beyond == 400  # budgets end there
    vote = rows["majority of k, auto", "4 x auto"]
    expected = [majority_vote(by_name_votes[None], 4)[0] for by_name_votes in votes_of(tmp_path)]
    assert vote.accuracy.mean == pytest.approx(np.mean(expected))


def votes_of(folder: Path) -> Any:
    return next(cell.votes for cell in load([folder]).cells if cell.votes.shape[1] == 4)


def test_between_two_budgets_the_score_is_on_the_line_over_log_tokens_and_the_area_is_its_mean() -> None:
    curve = Curve(
        "budgets", np.array([100.0, 400.0, 1600.0]), np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]), ("", "", "")
    )
    assert curve.at(200) == pytest.approx([0.5, 0.0]) and curve.at(5_000) == pytest.approx([1.0, 1.0])
    fine = 2 ** np.linspace(np.log2(150), np.log2(1_000), 20_001)
    assert curve.area(150, 1_000) == pytest.approx(np.mean([curve.at(x) for x in fine], axis=0), abs=1e-3)


def test_one_method_alone_is_no_contest(tmp_path: Path) -> None:
    rows = [
        made_up.sample(problem_id=f"p{i}", max_thinking_tokens=n, run_id=str(n)) for i in range(4) for n in (10, 20)
    ]
    assert equal_compute(load([made_up.write(tmp_path, rows)]).cells) == []
