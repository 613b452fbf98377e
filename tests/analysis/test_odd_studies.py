"""Studies on odd data: whatever they hold, no table shows NaN, infinity, or an interval without a width."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tests.made_up_study as made_up
from harness.analysis.compare import compare
from harness.analysis.measure import measure_cells, to_table
from harness.analysis.noise import noise_of
from harness.analysis.settings import load
from harness.report.comparisons import comparison_table
from harness.report.leaderboard import as_csv, as_markdown
from harness.report.noise_tables import noise_tables
from harness.report.plots import draw_studies
from harness.report.tables import markdown

SETTINGS = ((64, 0), (128, 0), (None, 0), (None, 1))
Row = dict[str, Any]
Change = Callable[[Row, int], Row | None]


def study(folder: Path, change: Change, num: int = 8, samples: int = 1, seeds: int = 1) -> Path:
    """Two recipes at four settings, right at random; `change` gets a row and its problem, and may drop it (None)."""
    rng, rows = np.random.default_rng(0), []
    for recipe in ("base", "s1k"):
        for limit, ignores in SETTINGS:
            for seed in range(seeds):
                for p in range(num):
                    for index in range(samples):
                        right = bool(rng.random() < 0.5)
                        row = made_up.sample(
                            run_id=f"{recipe}-{limit}-{ignores}-{seed}",
                            recipe=recipe,
                            max_thinking_tokens=limit,
                            num_ignores=ignores,
                            ignore_str="Wait" if ignores else None,
                            seed=seed,
                            problem_id=f"p{p}",
                            question=f"{p}?",
                            sample_index=index,
                            thinking_tokens=(limit or 300) + 7 * p,
                            correct=right,
                            extracted="2" if right else "3",
                        )
                        changed = change(row, p)
                        rows += [] if changed is None else [changed]
    return made_up.write(folder, rows)


def having(**values: Any) -> Change:
    return lambda row, p: row | values


RIGHT, WRONG = having(correct=True, extracted="2"), having(correct=False, extracted="3")
ODD: dict[str, tuple[Change, dict[str, int]]] = {
    "all right": (RIGHT, {"samples": 4}),
    "all wrong": (WRONG, {}),
    "half right everywhere": (lambda row, p: row | {"correct": row["sample_index"] % 2 == 0}, {"samples": 4}),
    "nothing scored": (having(correct=None, status="gold_unparseable"), {}),
    "one problem": (having(), {"num": 1, "samples": 4}),
    "two problems": (having(), {"num": 2}),
    "no tokens": (having(thinking_tokens=0, closing_tokens=0, answer_tokens=0), {}),
    "tokens not known": (having(thinking_tokens=None), {}),
    "the same tokens": (having(thinking_tokens=50), {}),
    "one has all tokens": (lambda row, p: row | {"thinking_tokens": 9_000_000 if not p else 0}, {"num": 30}),
    "a sample is missing": (
        lambda row, p: None if (p, row["sample_index"], row["recipe"]) == (3, 2, "s1k") else row,
        {"samples": 4},
    ),
    "no problem in common": (lambda row, p: row if (p < 4) == (row["recipe"] == "s1k") else None, {}),
    "few log-probabilities": (lambda row, p: row | {"answer_logprob_mean": None if p else -0.5}, {"samples": 2}),
    "infinite log-probabilities": (lambda row, p: row | {"answer_logprob_mean": -np.inf if p < 6 else -1.0}, {}),
    "tied log-probabilities": (having(answer_logprob_mean=0.0), {}),
    "seeds of other problems": (lambda row, p: row if p < (8, 5, 3)[row["seed"]] else None, {"seeds": 3}),
    "seeds that agree": (lambda row, p: row | {"correct": p % 2 == 0}, {"seeds": 2}),
    "seeds all right": (RIGHT, {"seeds": 2, "samples": 2}),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ODD)
def test_no_figure_is_nan_infinite_or_certain(name: str, tmp_path: Path) -> None:
    change, sizes = ODD[name]
    folder = study(tmp_path, change, **sizes)
    measured = measure_cells(load([folder]))
    for row in to_table(measured).to_pylist():
        known = [row[bound] for bound in ("low", "value", "high") if row[bound] is not None]
        assert np.isfinite(known).all(), row
        assert row["low"] is None or row["low"] < row["high"], row
        # The paper's Scaling is a mean over pairs: where two nearly tie its percentiles can lie beside it.
        assert "scaling_per" in row["metric"] or known == sorted(known), row
    tables = noise_tables(noise_of(measured.cells.cells), 0.02, 3)
    if name != "no problem in common":
        tables += [comparison_table(one) for one in compare(f"{folder}:s1k", f"{folder}:base")]
    notes = [row["note"] or "" for row in to_table(measured).to_pylist()]
    text = "\n".join([as_markdown(measured), as_csv(measured), *map(markdown, tables), *notes])
    assert not re.search(r"(?<![\w.])[-+]?(nan|inf|None)\b", text, re.IGNORECASE)
    for low, high in re.findall(r"\[([-+]?[\d.,]+), ([-+]?[\d.,]+)\]", text):
        assert low != high


@pytest.mark.parametrize("name", ["nothing scored", "tokens not known"])
def test_a_study_without_points_has_no_plot_of_them(name: str, tmp_path: Path) -> None:
    change, sizes = ODD[name]
    drawn = draw_studies(measure_cells(load([study(tmp_path, change, **sizes)])))
    assert not {file for figure in drawn["made_up"] for file in figure.files} & {
        "scaling_made_up.svg",
        "pareto_made_up.svg",
    }
