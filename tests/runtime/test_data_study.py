"""A study on the eight columns of s1's published pool: filled in, selected, trained in variants, evaluated on Ray."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.config import Budget, Features, Recipe, Study
from harness.data.cache import question_key
from harness.errors import UserError
from harness.quickstart import TINY_MODEL
from harness.runtime import select_stage
from harness.studies.load import load
from tests import eight_columns

ROOT = Path(__file__).resolve().parents[2]
STUDY = '''
"""Hypothesis: everything that a recipe may bring of its own goes through one study."""
from dataclasses import replace
from ablations.quickstart import quickstart
from harness.config import Budget, Features, Recipe


def mine():
    study = quickstart()
    told = Budget(32, method="step_conditional", instructed="4")
    return replace(
        study,
        name="mine",
        pool="POOL",
        pool_size=None,
        features=Features(decontaminate=("quick_math",)),
        tasks=("quick_math",),
        max_problems=2,
        training=replace(study.training, num_epochs=1, block_size=1024),
        engine=replace(study.engine, name="transformers"),
        recipes=(
            Recipe("s1k", "s1k", 8, variant="s1"),
            Recipe("too_many", "s1k", 100000),
            Recipe("steps", "SELECTION", 6, variant="steps", thinking="s1-steps", budgets=(told,),
                   training={"learning_rate": 1e-3}),
        ),
        budgets=(Budget(max_thinking_tokens=16), Budget()),
        base_budgets=(Budget(method="no_thinking"),),
    )
'''
SELECTION = """
def shortest(candidates, size, seed):
    rows = sorted(candidates.rows(), key=lambda row: (len(row["thinking"]), row["id"]))
    return [row["id"] for row in rows[:size]]
"""


def prepared(study: Study, folder: Path) -> Any:
    """The study's pool; every third question is solved by its base, as an engine would have found."""
    pool = select_stage.load_pool(study, None, folder)
    kept = pool.models[study.base_model]
    for number, row in enumerate(pool.rows):
        if question_key(row) not in kept:
            kept.put(question_key(row), {"answer": "?", "correct": number % 3 == 0})
    return pool


def test_every_recipe_of_the_papers_study_is_selected_from_the_eight_columns(tmp_path: Path) -> None:
    from dataclasses import replace

    paper = load("data_ablation")
    path = eight_columns.write(tmp_path / "59K.jsonl", 300)
    study = replace(paper, pool=str(path), base_model=TINY_MODEL, features=Features())
    pool = prepared(study, tmp_path / "pool")
    assert pool.needs_answers(study.recipes[0]) is False  # all are there
    for recipe in study.recipes:
        small = recipe if recipe.size is None else replace(recipe, size=40)
        rows, manifest = select_stage.select_rows(pool, small, 0, tmp_path / recipe.name)
        assert len(rows) == (40 if recipe.size else 300) and manifest["length_unit"] == "tokens"
    assert {row["domain"] for row in pool.rows} > {"Algebra", "Geometry"}
    aime = [row for row in pool.rows if row["source"].startswith("AIME")]
    assert aime and all(row["answer"] for row in aime) and {True} <= {row["benchmark_like"] for row in aime}
    assert max(len(row["metadata"]) for row in pool.rows) < 2500  # the test cases stay in the pool's own file
    before = (tmp_path / "pool").stat().st_mtime_ns
    again = prepared(study, tmp_path / "pool")  # what was filled in is not filled in again
    assert again.notes == pool.notes and (tmp_path / "pool").stat().st_mtime_ns == before


def test_rows_that_hold_an_evaluation_problem_are_dropped_before_the_selection(tmp_path: Path) -> None:
    from dataclasses import replace

    from harness import tasks

    problem = tasks.load("quick_math", None, 0, 1)[0]
    rows = [{"question": f"What is {n}?", "thinking": "t", "attempt": "1"} for n in range(5)]
    rows.append({"question": problem.question, "thinking": "t", "attempt": "1"})
    path = tmp_path / "pool.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    study = replace(
        load("quickstart"),
        pool=str(path),
        pool_size=None,
        recipes=(Recipe("random", "random", 2),),
        reference_recipe="random",
        features=Features(decontaminate=("quick_math",)),
    )
    pool = select_stage.load_pool(study, None, tmp_path / "pool")
    assert len(pool.rows) == 5 and any("1 of 6 rows share words with quick_math" in note for note in pool.notes)


def test_a_recipe_sees_the_study_with_what_is_its_own() -> None:
    from dataclasses import replace

    study = replace(
        load("quickstart"),
        recipes=(
            Recipe("a", "full"),
            Recipe("b", "full", pool="p.jsonl", training=(("num_epochs", 3),), budgets=(Budget(8),), thinking="think"),
        ),
    )
    assert study.seen_by("a") == study == study.seen_by("base")
    own = study.seen_by("b")
    assert (own.pool, own.training.num_epochs, own.thinking) == ("p.jsonl", 3, "think")
    assert own.budgets == (Budget(8), study.headline)
    with pytest.raises(UserError, match=r"recipe b: training: unknown key 'num_epoch'; did you mean 'num_epochs'"):
        replace(study, recipes=(Recipe("b", "full", training=(("num_epoch", 3),)),))
    with pytest.raises(UserError, match=r"recipe b: training: num_epochs=0: give 1 or more"):
        replace(study, recipes=(Recipe("b", "full", training=(("num_epochs", 0),)),))


@pytest.mark.faults
def test_variants_formats_own_selections_and_a_failed_recipe_in_one_study(tmp_path: Path) -> None:
    pool = eight_columns.write(tmp_path / "59K.jsonl", 60)
    (tmp_path / "chosen.py").write_text(SELECTION)
    text = STUDY.replace("POOL", str(pool)).replace("SELECTION", f"{tmp_path / 'chosen.py'}:shortest")
    (tmp_path / "mine.py").write_text(text)
    out = tmp_path / "out"
    call = subprocess.run(
        [sys.executable, "-m", "harness", "ablate", str(tmp_path / "mine.py"), "--audit", "0", "--out", str(out)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=1400,
    )
    told = call.stdout[-3000:] + call.stderr[-3000:]
    assert call.returncode == 1 and "failed: too_many; the other runs are kept" in call.stderr, told
    assert "selection s1k of 100000 rows is larger than its pool" in call.stdout, told
    runs = pd.read_parquet(out / "runs.parquet")
    assert set(runs["status"]) == {"done"}
    assert runs.groupby("recipe").size().to_dict() == {"base": 1, "s1k": 2, "steps": 2}
    steps = json.loads(runs[runs["recipe"] == "steps"]["config"].iloc[0])
    assert steps["training"]["learning_rate"] == 1e-3 and json.loads(steps["thinking"])["name"] == "s1-steps"
    prompts = pd.read_parquet(out / "samples").query("recipe == 'steps' and method == 'step_conditional'")["prompt"]
    assert len(prompts) == 2 and prompts.str.contains("Think for up to 4 steps.").all()
    manifest = json.loads((out / "recipes" / "steps" / "manifest.json").read_text())
    assert manifest["source_sha256"] and len(manifest["ids"]) == 6
    assert (out / "LEADERBOARD.md").is_file()
