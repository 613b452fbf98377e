"""The variance between runs (seeds) of one setting, shared by the recipes that were trained and run alike."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.analysis.settings import Cell
from harness.analysis.variance import NO_RUNS, MeanSquares, RunVariance, mean_squares, pooled

UNTRAINED = ("base", "published")
UNSEEDED = ("name", "seed", "budgets", "training")  # of a recipe: what repeats of it need not share
DRAWN = ("seed", "num_samples", "answer_logprobs")  # of the sampling


def without_seeds(cell: Cell) -> str:
    """What two repeats of a recipe share: its model, data, training and sampling, whatever its name and its seeds.

    A model that was not trained here is one of its study.
    """
    config, recipe = cell.config, cell.config.get("recipe_config")
    if not isinstance(recipe, Mapping):
        return f"{cell.study} {cell.model} {cell.recipe}"
    own = [[name, value] for name, value in recipe.get("training") or () if name != "seed"]
    engine = config.get("engine") or {}
    shared: list[Any] = [_less(recipe, UNSEEDED), own, _less(config.get("training"), ("seed",))]
    shared += [_less(config.get("sampling"), DRAWN), engine.get("name"), engine.get("dtype")]
    shared += [config.get(name) for name in ("base_model", "max_model_len", "thinking")]
    return json.dumps(shared, sort_keys=True)


def _less(settings: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in (settings or {}).items() if name not in names}


def run_variances(cells: Sequence[Cell]) -> list[RunVariance]:
    """For each cell the variance between its runs (seeds), pooled over the recipes of its study, task and setting.

    Repeats of a recipe by other seeds are its runs, also under other names and in another study (`harness noise`). Two
    seeds of one recipe tell their variance with one degree of freedom; of four recipes with four. A trained recipe that
    ran with one seed has the variance of the others; a model that was not trained here has its own or none.
    """
    repeats: dict[tuple[object, ...], list[int]] = defaultdict(list)
    pools: dict[tuple[object, ...], list[int]] = defaultdict(list)
    recipe_of = list[tuple[object, ...]]()
    for i, cell in enumerate(cells):
        recipe_of.append((cell.task, cell.budget, without_seeds(cell)))
        repeats[recipe_of[i]].append(i)
        untrained = cell.model if cell.recipe in UNTRAINED else ""
        pools[cell.study, cell.task, cell.budget, untrained].append(i)
    layouts = {recipe: _layout([cells[i] for i in members]) for recipe, members in repeats.items()}
    found = [NO_RUNS] * len(cells)
    for (*_, model), members in pools.items():
        recipes = dict.fromkeys(recipe_of[i] for i in members)
        if known := [layout for recipe in recipes if (layout := layouts[recipe])]:
            together = pooled(known, drawn=bool(model))
            for i in members:
                found[i] = together
    return found


def _layout(repeats: Sequence[Cell]) -> MeanSquares | None:
    """The mean squares of all runs of a recipe; what two studies trained and drew by the same seeds counts once."""
    known, columns = set[object](), []
    for cell in sorted(repeats, key=lambda one: (-len(one.run_ids), -one.num_generations)):
        if _seeds(cell) not in known:
            fresh = [at for at, run in enumerate(cell.run_ids) if run not in known]
            columns.append(cell.correct[:, fresh])
            known |= {_seeds(cell), *cell.run_ids}
    return mean_squares(np.column_stack(columns))


def _seeds(cell: Cell) -> tuple[object, ...]:
    recipe, training, sampling = (cell.config.get(name) or {} for name in ("recipe_config", "training", "sampling"))
    if not recipe:
        return cell.run_ids
    return recipe.get("seed"), training.get("seed"), sampling.get("seed"), cell.config.get("seed")
