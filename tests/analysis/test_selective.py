"""Selective answering, samples that agree, and groups of problems, by brute force."""

from __future__ import annotations

import json
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta

import tests.made_up_study as made_up
from harness.analysis import metrics
from harness.analysis.measure import Measured, measure_cells
from harness.analysis.selective import answered_share, selective, separation
from harness.analysis.settings import load
from harness.errors import UserError
from harness.report.recipe_tables import breakdown_table
from harness.report.sampling_tables import selective_table
from harness.report.tables import markdown


def rows_of(verdicts: Any, sure: Any, **changes: Any) -> list[dict[str, Any]]:
    return [
        made_up.sample(
            problem_id=f"p{i}",
            correct=bool(right),
            extracted="2" if right else "3",
            answer_logprob_mean=known,
            **changes,
        )
        for i, (right, known) in enumerate(zip(verdicts, sure, strict=True))
    ]


def measured(folder: Path, rows: list[dict[str, Any]]) -> Measured:
    return measure_cells(load([made_up.write(folder, rows)]))


def test_the_surest_quarter_is_answered_alone(tmp_path: Path) -> None:
    """Eight answers; those that are right are the surest but for one, and one has no log-probability."""
    right = [1, 1, 0, 1, 0, 0, 0, 1]
    sure = [-0.1, -0.2, -0.3, -0.4, -1.0, -2.0, -3.0, None]
    found = measured(tmp_path, rows_of(right, sure))
    figures = found.figures[0]
    assert figures["accuracy_at_25%_coverage"].mean == 1.0 and figures["accuracy_at_50%_coverage"].mean == 0.75
    assert figures["accuracy_at_75%_coverage"].mean == 0.5 and figures["accuracy"].mean == 0.5
    assert "-0.200 nats" in figures["accuracy_at_25%_coverage"].note
    shares = [np.mean(right[: n + 1]) for n in range(8)]
    assert figures["selective_area"].mean == pytest.approx(np.mean(shares))
    assert "| 100.0 [" in markdown(selective_table(found, "made_up", "quick"))


def test_answers_that_tie_stand_in_no_order(tmp_path: Path) -> None:
    """The mean over every order of the ties; all that tie with the last one are answered, and it is said."""
    right, sure = [1, 0, 0, 1, 0, 1, 1], [-0.1, -0.5, -0.5, -0.5, None, None, None]
    orders = [(0, *tied, *unknown) for tied in permutations((1, 2, 3)) for unknown in permutations((4, 5, 6))]
    area = np.mean([[np.mean([right[i] for i in o[: n + 1]]) for n in range(7)] for o in orders])
    for name, turn in (("a", 1), ("b", -1)):
        figures = measured(tmp_path / name, rows_of(right[::turn], sure[::turn])).figures[0]
        assert figures["selective_area"].mean == pytest.approx(area)
        half, most = figures["accuracy_at_50%_coverage"], figures["accuracy_at_75%_coverage"]
        assert half.mean == 0.5 and half.note.endswith("-0.500 nats or more") and half.num_problems == 4
        assert most.mean == pytest.approx(4 / 7) and most.note == (
            "answers without a log-probability are among them; 100% are answered, as many tie"
        )


def test_several_samples_count_by_answer_and_their_interval_covers() -> None:
    """The truth: the surest answers of very many problems; the threshold is fixed, the problems are drawn."""
    rng = np.random.default_rng(5)

    def drawn(num: int) -> tuple[Any, Any]:
        ability = rng.beta(1, 1, (num, 1))
        right = (rng.random((num, 8)) < ability).astype(float)
        return right, rng.normal(2 * ability + 0.5 * right, 1) > 1.5

    right, answered = drawn(200_000)
    truth = float(right[answered].mean())
    assert answered_share(right, answered).mean == pytest.approx(truth)
    held = np.mean([truth in answered_share(*drawn(40)) for _ in range(800)])
    assert held >= 0.93  # 0.95 less three standard errors
    everything = answered_share(np.ones((30, 4)), np.ones((30, 4), dtype=bool))
    assert everything.mean == everything.high == 1 and 0.8 < everything.low < 0.95


def test_the_auroc_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng(0)
    right, sure = rng.random(60) < 0.4, rng.normal(size=60).round(1)
    pairs = [(a > b) + (a == b) / 2 for a in sure[right] for b in sure[~right]]
    assert separation(right, sure) == pytest.approx(np.mean(pairs))
    assert np.isnan(separation(np.ones(3, dtype=bool), sure[:3]))


def test_without_log_probabilities_there_is_no_such_table(tmp_path: Path) -> None:
    found = measured(tmp_path, rows_of([1, 0], [None, None]))
    assert selective(found.cells.cells[0]) is None and not selective_table(found, "made_up", "quick").rows


@pytest.mark.parametrize(
    ("n", "c", "k", "share"), [(8, 5, 4, 0.75), (8, 5, 4, 1.0), (6, 2, 3, 0.5), (7, 7, 2, 1.0), (5, 0, 2, 0.5)]
)
def test_g_pass_at_k_counts_the_subsets(n: int, c: int, k: int, share: float) -> None:
    right = [1] * c + [0] * (n - c)
    counted = np.mean([sum(subset) >= share * k for subset in combinations(right, k)])
    assert metrics.g_pass_at_k(n, c, k, share) == pytest.approx(counted)


def test_g_pass_meets_pass_at_k_and_refuses_what_is_no_share() -> None:
    assert metrics.g_pass_at_k(9, 3, 4, 1 / 4) == pytest.approx(metrics.pass_at_k(9, 3, 4))
    assert np.isnan(metrics.g_pass_at_k(3, 3, 4, 1.0))
    with pytest.raises(UserError, match="share"):
        metrics.g_pass_at_k(3, 3, 2, 0.0)


def test_bayes_at_n_is_the_mean_of_beta_posteriors_and_says_how_many_samples_are_enough() -> None:
    n, c = np.array([8, 8, 4, 0]), np.array([8, 3, 0, 0])
    mean, deviation = metrics.bayes_at_n(n, c)
    draws = np.random.default_rng(0).beta(c[:3] + 1, n[:3] - c[:3] + 1, (200_000, 3)).mean(axis=1)
    assert mean == pytest.approx(draws.mean(), abs=1e-3) and deviation == pytest.approx(draws.std(), abs=1e-3)
    assert mean == pytest.approx(np.mean([beta.mean(9, 1), beta.mean(4, 6), beta.mean(1, 5)]))
    rng, chance = np.random.default_rng(1), np.random.default_rng(2).random(200)
    needed = metrics.samples_needed(np.full(200, 32), rng.binomial(32, chance), 0.005)
    means = rng.binomial(needed, chance, (4_000, 200)).mean(axis=1) / needed
    assert means.std() == pytest.approx(0.005, rel=0.1)


def test_groups_are_the_problems_facts_and_the_bases_thirds(tmp_path: Path) -> None:
    rows = []
    for recipe, right in (("base", [0, 0, 0, 0, 0, 1]), ("s1k", [1, 1, 1, 0, 0, 1]), ("full", [1, 1, 0, 0, 0, 0])):
        for i, row in enumerate(rows_of(right, [None] * 6, run_id=recipe, recipe=recipe)):
            level = "easy" if i < 3 else "hard"
            facts = {"level": level, "number": i, "finish_reason": "stop" if i % 2 else "length", "num_tokens": i % 2}
            row |= {"metadata": json.dumps(facts), "thinking_tokens": 100 - 10 * i}
            rows.append(row)
    found = measured(tmp_path, rows)
    parts = {(p.group.by, p.group.name.split(":")[0], found.cells.cells[p.cell].recipe): p for p in found.parts}
    # A number of its own groups no problems, and how a response ended is no fact of one.
    assert {by for by, _, _ in parts} == {"level", "difficulty"}
    hard = parts["level", "hard", "full"]
    assert hard.accuracy.mean == 0 and hard.difference is not None
    assert hard.difference.mean == pytest.approx(-1 / 3) and hard.difference.num_problems == 3
    assert parts["difficulty", "hard", "s1k"].accuracy.mean == 1.0  # p0 and p1, over which the base thinks the longest
    assert parts["difficulty", "easy", "base"].accuracy.mean == 0.5
    text = markdown(breakdown_table(found, "made_up", "quick"))
    assert "| level | hard | 3 | full |" in text and "hard: 90 to 100 tokens" in text
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| level | hard")]
    assert [line[3] for line in lines] == ["base", "full", "s1k"]  # as in every table, not as they ran
