"""The noise floor: components that were put in, intervals that cover them, grids that see what they are sold for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import tests.made_up_study as made_up
from harness.analysis.intervals import Interval, t_value
from harness.analysis.measure import measure_cells
from harness.analysis.noise import Noise, component, noise_of, purchases
from harness.analysis.seeds import without_seeds
from harness.analysis.settings import load
from harness.analysis.variance import mean_squares
from harness.cli.main import cli
from harness.errors import UserError
from harness.report.noise_tables import noise_tables
from harness.report.tables import markdown
from harness.studies.load import load as load_study
from harness.studies.noise import noise_study


def repeats(folder: Path, seeds: int, samples: int, problems: int, shift: float, by_run: bool = False) -> Path:
    """Trainings whose accuracy on every problem is shifted by their own normal draw."""
    rng, rows, runs = np.random.default_rng(0), list[dict[str, Any]](), list[dict[str, Any]]()
    ability = rng.beta(2, 2, problems)
    for seed in range(seeds):
        chance = np.clip(ability + rng.normal(0, shift), 0, 1)
        name = "s1k" if by_run else f"s1k_{seed}"
        mine = [
            made_up.sample(
                run_id=f"r{seed}",
                recipe=name,
                seed=seed if by_run else 0,
                problem_id=f"p{p}",
                sample_index=k,
                correct=bool(rng.random() < chance[p]),
                extracted=str(rng.integers(3)),
            )
            for p in range(problems)
            for k in range(samples)
        ]
        recipe = {"name": name, "selection": "s1k", "seed": 0, "training": [["seed", seed]]}
        config = {"setup": "same", "training": {"seed": seed, "num_epochs": 5}, "recipe_config": recipe}
        rows += mine
        runs.append(made_up.run(mine, config=json.dumps(config), seed=seed if by_run else 0))
    return made_up.write(folder, rows, runs)


def test_the_components_are_those_that_were_put_in(tmp_path: Path) -> None:
    (found,) = noise_of(load([repeats(tmp_path, 12, 4, 300, 0.08)]).cells)
    assert (found.num_seeds, found.num_samples, found.num_problems) == (12, 4, 300)
    assert 0.08**2 in found.seed and found.seed.mean == pytest.approx(0.08**2, rel=0.8)
    assert found.problem.mean == pytest.approx(0.05, rel=0.25)  # of Beta(2, 2)
    assert 0.195 in found.sampling  # the mean of p (1 - p) under it, less what the shift takes
    assert found.both < 0.01


def test_runs_of_one_setting_are_repeats_too_and_their_draw_stays_in_the_part_on_problems(tmp_path: Path) -> None:
    (found,) = noise_of(load([repeats(tmp_path, 6, 1, 200, 0.08, by_run=True)]).cells)
    assert found.num_seeds == 6 and np.isnan(found.sampling.mean) and found.both == pytest.approx(0.2, rel=0.15)
    assert [p.num_samples for p in purchases(found, 0.2)] == [1, 1]


def test_seeds_of_one_setting_have_the_components_of_the_same_scores_in_recipes_of_their_own(tmp_path: Path) -> None:
    (runs,) = noise_of(load([repeats(tmp_path / "runs", 6, 4, 80, 0.08, by_run=True)]).cells)
    (recipes,) = noise_of(load([repeats(tmp_path / "recipes", 6, 4, 80, 0.08)]).cells)
    for name in ("problem", "seed", "sampling"):
        one, other = getattr(runs, name), getattr(recipes, name)
        assert (one.mean, one.low, one.high) == pytest.approx((other.mean, other.low, other.high))
    assert runs.both == pytest.approx(recipes.both) and runs.num_samples == recipes.num_samples == 4
    bought = [(p.num_seeds, p.num_samples, p.num_problems) for p in purchases(recipes, 0.1)]
    assert [(p.num_seeds, p.num_samples, p.num_problems) for p in purchases(runs, 0.1)] == bought
    assert any(samples > 1 for _, samples, _ in bought)


def test_unequal_numbers_of_samples_in_the_runs_of_a_setting_leave_the_draw_in_the_part_on_problems(
    tmp_path: Path,
) -> None:
    """The first run has one of its three samples of every problem wrong, the second the only one."""
    rows = [
        made_up.sample(run_id=f"r{seed}", seed=seed, problem_id=f"p{p}", sample_index=k, correct=p % 2 == 0 and k < 2)
        for seed, samples in ((0, 3), (1, 1))
        for p in range(20)
        for k in range(samples)
    ]
    (found,) = noise_of(load([made_up.write(tmp_path, rows)]).cells)
    assert (found.num_seeds, found.num_samples) == (2, 2) and np.isnan(found.sampling.mean)


def test_one_seed_shows_no_noise(tmp_path: Path) -> None:
    assert noise_of(load([repeats(tmp_path, 1, 4, 20, 0.1)]).cells) == []


@pytest.mark.parametrize(("seeds", "deviation"), [(5, 0.5), (3, 0.1), (5, 2.0)])
def test_the_interval_of_a_component_covers_it_for_normal_effects(seeds: int, deviation: float) -> None:
    rng, held = np.random.default_rng(1), {"runs": 0, "problems": 0}
    for _ in range(1_000):
        scores = rng.normal(0, 1.5, (40, 1)) + rng.normal(0, deviation, (1, seeds)) + rng.normal(0, 1, (40, seeds))
        layout = mean_squares(scores)
        assert layout is not None
        held["runs"] += deviation**2 in component(layout, "runs")
        held["problems"] += 1.5**2 in component(layout, "problems")
    assert all(count >= 930 for count in held.values())  # 950 less three standard errors


def made(problem: float, seed: float, both: float, sampling: float, cell: Any) -> Noise:
    parts = [Interval(x**2) for x in (problem, seed, sampling)]
    return Noise("s", "t", "r", cell, parts[0], parts[1], both**2, parts[2], 200, 5, 4, 1_000.0)


def test_a_grid_sees_the_difference_it_is_sold_for(tmp_path: Path) -> None:
    """Simulated: two recipes of the bought grid, each seed shifted, scores drawn; the test of their seeds' means."""
    cell = load([repeats(tmp_path, 2, 1, 4, 0.0)]).cells[0]
    noise, rng, wanted = made(0.2, 0.02, 0.05, 0.4, cell), np.random.default_rng(2), 0.06
    found = list(purchases(noise, wanted))
    assert found and all(grid.detectable <= wanted for grid in found)
    grid = found[0]
    assert noise.detectable(grid.num_problems, grid.num_seeds - 1, grid.num_samples) > wanted
    assert grid.tokens == grid.num_seeds * grid.num_samples * grid.num_problems * 1_000
    spread = np.sqrt(noise.both / 200 + noise.sampling.mean / 200 / grid.num_samples)
    means = rng.normal(0, np.sqrt(0.02**2 + spread**2), (4_000, 2, grid.num_seeds))
    means[:, 0] += grid.detectable
    gap = means.mean(axis=2)
    error = np.sqrt(means.var(axis=2, ddof=1).sum(axis=1) / grid.num_seeds)
    from scipy.stats import t

    seen = np.abs(gap[:, 0] - gap[:, 1]) / error > t.ppf(0.975, 2 * (grid.num_seeds - 1))
    assert seen.mean() == pytest.approx(0.8, abs=0.04)
    assert noise.detectable(200, 5, 4, num_comparisons=6) > noise.detectable(200, 5, 4)
    assert list(purchases(made(0.2, 0.3, 0.05, 0.4, cell), 0.01)) == []


def test_repeats_that_do_not_differ_promise_nothing(tmp_path: Path) -> None:
    """Two trainings that agree on every problem are no proof that one seed and one sample see any difference."""
    rows = [
        made_up.sample(run_id=f"run{seed}", seed=seed, problem_id=f"p{p}", correct=p < 5)
        for seed in range(2)
        for p in range(12)
    ]
    (found,) = noise_of(load([made_up.write(tmp_path, rows)]).cells)
    assert np.isnan(found.detectable(12, 2, 1)) and not list(purchases(found, 0.02))
    assert found.problem.high == 0.25  # no score between 0 and 1 varies more; the interval of normal effects is wider
    components, bought = (markdown(table) for table in noise_tables([found], 0.02, 1))
    assert "| 0.0<sup>1</sup> | 0.0 | – | – |" in components and "no interval: the repeats differ by less" in components
    assert "The repeats do not differ at all" in bought


def test_a_grid_of_few_scores_sees_at_most_100_points(tmp_path: Path) -> None:
    cell = load([repeats(tmp_path, 2, 1, 4, 0.0)]).cells[0]
    assert made(0.4, 0.5, 0.4, 0.4, cell).detectable(3, 2, 1) == 1


def test_the_study_of_noise_repeats_one_recipe_by_its_training_seed() -> None:
    study = load_study("quickstart")
    found = noise_study(study, 3)
    assert [recipe.name for recipe in found.recipes] == ["s1k_0", "s1k_1", "s1k_2"]
    assert [dict(recipe.training)["seed"] for recipe in found.recipes] == [0, 1, 2]
    assert found.budgets == (study.headline,) and found.tasks == study.tasks
    assert noise_study(study, 2, "full").recipes[0].selection == "full"
    hot = replace(study, sampling=replace(study.sampling, temperature=0.6, num_samples=1))
    assert noise_study(hot, 2).sampling.num_samples == 4
    with pytest.raises(UserError, match="give 2 or more"):
        noise_study(study, 1)
    with pytest.raises(UserError, match="no recipe 'nope'"):
        noise_study(study, 2, "nope")


def test_the_command_reads_finished_runs_of_seeds(tmp_path: Path) -> None:
    folder = repeats(tmp_path, 5, 4, 60, 0.05)
    done = CliRunner().invoke(
        cli, ["noise", str(folder), "--difference", "5", "--comparisons", "3"], terminal_width=120
    )
    assert done.exit_code == 0, done.output
    for part in ("5 repeats of s1k_0", "Holm over 3", "what sees 5 points", "training"):
        assert part in done.output
    single = made_up.write(tmp_path / "one", [made_up.sample(problem_id=f"p{i}") for i in range(3)])
    with pytest.raises(UserError, match="two seeds"):
        CliRunner().invoke(cli, ["noise", str(single)], catch_exceptions=False, standalone_mode=False)


def test_what_to_buy_is_said_at_the_headline_alone_and_each_grid_once(tmp_path: Path) -> None:
    cell = load([repeats(tmp_path, 2, 1, 4, 0.0)]).cells[0]
    cell = replace(cell, config=cell.config | {"headline": made_up.HEADLINE})
    waits = replace(cell, num_ignores=1, budget=replace(cell.budget, num_ignores=1))
    found = [
        replace(made(0.2, 0.3, 0.05, 0.4, setting), task=task, num_samples=samples)
        for task in ("a", "b")
        for setting, samples in ((cell, 4), (waits, 1), (waits, 1))
    ]
    components, *bought = noise_tables(found, 0.05, 1)
    assert [table.title for table in bought] == [f"{task}, r, auto: what sees 5 points" for task in ("a", "b")]
    assert len(components.notes) == 2 and components.notes[1].endswith(
        "1 sample of each: a (auto+1 Wait); b (auto+1 Wait)"
    )
    assert len(noise_tables(found[1:3], 0.05, 1)) == 3  # none of them is the headline


def test_a_board_takes_the_variance_between_seeds_from_the_repeats_of_its_recipes(tmp_path: Path) -> None:
    """Beside its noise study a study of one seed per recipe gets the interval that several seeds would give."""
    noise = repeats(tmp_path / "noise", 8, 4, 300, 0.08)
    rows, runs = list[dict[str, Any]](), list[dict[str, Any]]()
    for name, seed in (("s1k", 0), ("random", 40)):
        mine = [
            made_up.sample(study="own", run_id=name, recipe=name, problem_id=f"p{p}", correct=p % 2 > 0)
            for p in range(300)
        ]
        recipe = {"name": name, "selection": name, "seed": 0, "training": [], "budgets": [{"num_ignores": 2}]}
        config = {"setup": name, "training": {"seed": seed, "num_epochs": 5}, "recipe_config": recipe}
        rows += mine
        runs.append(made_up.run(mine, config=json.dumps(config)))
    own = made_up.write(tmp_path / "own", rows, runs)
    alone, beside = measure_cells(load([own])), measure_cells(load([own, noise]))
    for name in ("s1k", "random"):
        narrow, wide = (
            next(f for c, f in zip(one.cells.cells, one.figures, strict=True) if (c.study, c.recipe) == ("own", name))
            for one in (alone, beside)
        )
        width = wide["accuracy"].high - wide["accuracy"].low
        assert narrow["accuracy"].high - narrow["accuracy"].low == pytest.approx(2 * 1.96 * 0.0289, rel=0.05)
        assert width > 2 * t_value(7) * 0.08 * 0.6  # the seeds' own spread, of 8 of which the estimate is
        assert wide["accuracy"].note == "one seed; variance between seeds of 1 recipe(s) added"
        assert narrow["accuracy"].mean == wide["accuracy"].mean == 0.5
    (found,) = noise_of(beside.cells.cells)
    between = {c.study: v.variance for c, v in zip(beside.cells.cells, beside.variances, strict=True)}
    assert between["own"] == between["made_up"] == pytest.approx(found.seed.mean)  # s1k's own run has a seed of the 8


def test_other_temperatures_data_or_models_are_no_repeats(tmp_path: Path) -> None:
    (cell, *_) = load([repeats(tmp_path, 2, 1, 4, 0.0)]).cells
    recipe = cell.config["recipe_config"]
    same: dict[str, Any] = {"recipe_config": recipe | {"name": "x", "seed": 3, "training": [["seed", 9]]}}
    assert without_seeds(replace(cell, config=cell.config | same)) == without_seeds(cell)
    for other in (
        {"recipe_config": recipe | {"selection": "random"}},
        {"recipe_config": recipe | {"training": [["lora_rank", 8]]}},
        {"training": {"num_epochs": 6}},
        {"sampling": {"temperature": 0.6}},
        {"base_model": "other"},
        {"engine": {"name": "transformers"}},
    ):
        assert without_seeds(replace(cell, config=cell.config | other)) != without_seeds(cell)
