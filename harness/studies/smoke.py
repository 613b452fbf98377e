"""A study shrunk to this machine, and to what its model can hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.config import Budget, EngineConfig, Plain, Recipe, Study
from harness.quickstart import TINY_MODEL
from harness.studies.inputs import longest_context

# --smoke: every stage of a study on two CPU cores in minutes, with the shipped tiny model.
SMOKE_POOL_ROWS = 64  # what `full` trains on
SMOKE_ROWS = 4  # of each other recipe
SMOKE_POOL = "sft_pool"  # taken from --data-dir where it is there, instead of the study's own
SMOKE_PROBLEMS = 4  # of each task
SMOKE_CONTEXT = 4096  # of the engine
SMOKE_BLOCK = 1024  # of training: longer samples are cut, counted and warned about
SMALLEST_BLOCK = 512  # which holds a prompt and the beginning of a thought
SMOKE_EPOCHS = 2
SMOKE_BUDGETS = (64, 256)
PLACED = ("num_workers", "num_gpus", "num_cpus", "per_device_batch_size")  # of a recipe's training: this machine's


def smoke(study: Study, data_dir: Path | None = None) -> Study:
    """`study` shrunk to this machine: the tiny model, few rows and problems, small budgets; every stage kept."""
    local_pool = study.pool != "quickstart" and data_dir is not None and (data_dir / SMOKE_POOL).is_dir()

    def small(budget: Budget, position: int) -> Budget:
        if budget.max_thinking_tokens == "auto":
            return budget
        limit = SMOKE_BUDGETS[min(position, len(SMOKE_BUDGETS) - 1)]
        return replace(budget, max_thinking_tokens=limit, min_thinking_tokens=min(budget.min_thinking_tokens, limit))

    def shrink(budgets: tuple[Budget, ...]) -> tuple[Budget, ...]:
        return tuple(dict.fromkeys(small(budget, position) for position, budget in enumerate(budgets)))

    def small_recipe(recipe: Recipe) -> Recipe:
        changed: dict[str, Plain] = dict(recipe.training)
        if "block_size" in changed:  # in proportion, so that the recipes still differ
            share = int(changed["block_size"] or 0) / study.training.block_size
            changed["block_size"] = max(SMALLEST_BLOCK, round(SMOKE_BLOCK * share))
        if "num_epochs" in changed:
            changed["num_epochs"] = min(SMOKE_EPOCHS, int(changed["num_epochs"] or 1))
        return replace(
            recipe,
            size=None if recipe.selection == "full" else SMOKE_ROWS,
            pool=None if local_pool else recipe.pool,
            base_model=None,
            training=tuple((name, value) for name, value in changed.items() if name not in PLACED),
            budgets=shrink(recipe.budgets),
        )

    sweep = study.budgets if study.headline in study.budgets else study.base_budgets
    training = replace(
        study.training,
        num_epochs=1,
        global_batch_size=4,
        per_device_batch_size=4,
        num_workers=1,
        num_gpus=0,
        num_cpus=1,
        block_size=SMOKE_BLOCK,
        bf16=False,
        learning_rate=1e-3,
    )
    return replace(
        study,
        name=f"{study.name}-smoke",
        pool=SMOKE_POOL if local_pool else study.pool,
        base_model=TINY_MODEL,
        recipes=tuple(map(small_recipe, study.recipes)),
        pool_columns=() if local_pool else study.pool_columns,
        features=replace(study.features, references=(), tokenizer=study.features.tokenizer and "base"),
        budgets=shrink(study.budgets),
        base_budgets=shrink(study.base_budgets),
        headline=small(study.headline, sweep.index(study.headline)),
        training=training,
        engine=EngineConfig(
            name=study.engine.name, base_url=study.engine.base_url, max_model_len=SMOKE_CONTEXT, num_cpus=1
        ),
        sampling=replace(study.sampling, max_answer_tokens=32),
        max_problems=SMOKE_PROBLEMS,
        pool_size=SMOKE_POOL_ROWS,
    )


def fit_context(study: Study) -> Study:
    """`study` with the engine's context and the answer's room that its model really has, when that is known here."""
    longest = longest_context(study.base_model)
    if longest is None:
        return study
    context = min(study.engine.max_model_len, longest)
    answer = min(study.sampling.max_answer_tokens, max(1, context // 8))
    return replace(
        study,
        engine=replace(study.engine, max_model_len=context),
        sampling=replace(study.sampling, max_answer_tokens=answer),
    )
