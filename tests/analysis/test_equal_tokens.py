"""A tree search's vote, and what it is compared with at equal tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tests.made_up_study as made_up
from harness.analysis.equal_tokens import weighted_vote
from harness.analysis.measure import measure
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
