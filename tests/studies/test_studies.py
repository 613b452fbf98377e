"""Studies are found by name or path, changed by key, shrunk by --smoke; mistakes name what was meant."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.config import Recipe, to_plain
from harness.errors import UserError
from harness.studies import load as studies
from harness.studies.cost import dry_run
from harness.studies.preparation import local_pools, pool_notes
from harness.studies.smoke import smoke
from tests.pools import rows


def test_the_shipped_studies_load() -> None:
    for name in ("quickstart", "data_ablation"):
        assert studies.load(name).name == name
    assert studies.load("quickstart:confirmation").seed == 100
    assert studies.load("confirmation") == studies.load("quickstart:confirmation")


def test_the_confirmation_changes_seeds_and_nothing_else() -> None:
    def apart(value: Any, seeds: list[int]) -> Any:
        """`value` without its seeds, which are collected."""
        if isinstance(value, dict):
            seeds += [value["seed"]] if "seed" in value else []
            return {key: apart(one, seeds) for key, one in value.items() if key != "seed"}
        return [apart(one, seeds) for one in value] if isinstance(value, list) else value

    old: list[int] = []
    new: list[int] = []
    study = apart(to_plain(studies.load("quickstart")), old)
    confirmed = apart(to_plain(studies.load("quickstart:confirmation")), new)
    assert confirmed == study | {"name": "confirmation"}
    assert set(old) == {0} and set(new) == {100} and len(new) == len(study["recipes"]) + 3


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("quikstart", "did you mean 'quickstart'"),
        ("quickstart:confirmatio", "did you mean 'confirmation'"),
        ("missing.py:f", "no study file missing.py"),
    ],
)
def test_an_unknown_study_names_the_near_one(spec: Any, message: Any) -> None:
    with pytest.raises(UserError, match=message):
        studies.load(spec)


def test_a_study_file_that_is_broken_or_returns_something_else_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def a(:")
    (tmp_path / "b.py").write_text("def b():\n    return 3")
    (tmp_path / "c.py").write_text("def deeper():\n    return {}['x']\n\n\ndef c():\n    return deeper()\n")
    (tmp_path / "d.py").write_text("from harness import Study\n\n\ndef d():\n    return Study(nme='x')\n")
    (tmp_path / "e.py").write_text("import sys\nsys.exit('no')\n")
    for name, message in (
        ("a", r"a\.py, line 1: SyntaxError: "),
        ("c", r"c\.py, line 2: KeyError: 'x'$"),
        ("d", r"d\.py, line 5: Study: "),
        ("e", r"e\.py, line 2: SystemExit: no$"),
    ):
        with pytest.raises(UserError, match=message):
            studies.load(str(tmp_path / f"{name}.py"))
    with pytest.raises(UserError, match="returned int"):
        studies.load(str(tmp_path / "b.py"))


def test_settings_change_one_key() -> None:
    study = studies.with_settings(
        studies.load("quickstart"), ["training.num_epochs=3", "engine.name=transformers", "replay=false"]
    )
    assert (study.training.num_epochs, study.engine.name, study.replay) == (3, "transformers", False)
    assert studies.with_settings(study, ["tasks=quick_aime,quick_math"]).tasks == ("quick_aime", "quick_math")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.num_epoch=3", "did you mean 'num_epochs'"),
        ("trainin=3", "did you mean 'training'"),
        ("training=3", "is a group"),
        ("seed", "write key=value"),
        ("seed=abc", "give a whole number"),
        ("replay=3", "give true or false"),
        ("budgets=8", "write a study function"),
    ],
)
def test_a_wrong_setting_says_what_is_meant(setting: Any, message: Any) -> None:
    with pytest.raises(UserError, match=message):
        studies.with_settings(studies.load("quickstart"), [setting])


def test_smoke_keeps_every_stage_of_the_big_study() -> None:
    study = smoke(studies.load("data_ablation"))
    assert [recipe.name for recipe in study.recipes] == ["s1k", "random", "diverse", "longest", "full"]
    assert study.tasks == ("aime24_nofigures", "math500", "gpqa_diamond")
    assert study.training.num_gpus == study.engine.num_gpus == 0
    assert any(budget.num_ignores for budget in study.budgets)


def test_the_dry_run_of_the_papers_study_costs_about_what_the_paper_says() -> None:
    sizes = {"aime24_nofigures": 30, "math500": 500, "gpqa_diamond": 198}
    lines = list(dry_run(studies.load("data_ablation"), sizes))
    training = {line.recipe: line.gpu_hours for line in lines if line.what == "train"}
    assert training["s1k"] == pytest.approx(7)
    assert training["full"] == pytest.approx(394, rel=0.1)  # H100 hours, section 5.1
    assert sum(line.what == "evaluate" for line in lines) == 3 + 5 * 3 * 11


@pytest.mark.parametrize(
    ("recipe", "pool_size", "told"),
    [
        (Recipe("a", "random", 12), None, ""),
        (Recipe("a", "random", 13), None, "TOO FEW for a (13 of 12)"),
        (Recipe("a", "random", 6, traces="all"), None, ""),
        (Recipe("a", "random", 7, traces="all"), None, "TOO FEW for a (7 of 6)"),
        (Recipe("a", "random", 6), 5, "TOO FEW for a (6 of 5)"),
        (Recipe("a", "full"), None, ""),
    ],
)
def test_the_plan_says_which_recipes_ask_for_more_rows_than_the_pool_has(
    tmp_path: Path, recipe: Recipe, pool_size: int | None, told: str
) -> None:
    path = tmp_path / "pool.jsonl"
    twice = [{**row, "id": f"{row['id']}-{k}", "thinking": f"{row['thinking']} {k}"} for row in rows(6) for k in (1, 2)]
    path.write_text("".join(json.dumps(row) + "\n" for row in twice))
    study = replace(studies.load("quickstart"), pool=str(path), pool_size=pool_size, recipes=(recipe,), claims=())
    (note,) = pool_notes(study, local_pools(study, None))
    assert told in note and ("TOO FEW" in note) == bool(told), note
