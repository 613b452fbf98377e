"""What a study will cost: tokens and GPU hours, estimated before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from harness.config import Budget, Study
from harness.data.features import Needs
from harness.generation.sweep import groups
from harness.quickstart import POOL_SIZE
from harness.records import setting
from harness.studies.runs import budgets_of

# What --dry-run assumes, printed with its result. The training rates are the paper's own (section 4.1, App. D):
# 7 H100 hours for 1,000 rows of 4.7K thinking tokens and 5 epochs with a 32B model.
MEAN_THINKING_TOKENS = 5_000  # of a generation that is not capped earlier
TOKENS_PER_IGNORE = 700  # one "Wait" round adds about this much (Figure 4)
MEAN_ANSWER_TOKENS = 600
MEAN_ROW_TOKENS = 5_300
TRAIN_HOURS_PER_B_TOKENS = 7 / (5 * 1_000 * MEAN_ROW_TOKENS / 1e9)
TOKENS_PER_GPU_SECOND = 700  # generated, 32B bf16 at batch, one H100 of a tensor-parallel group
DOLLARS_PER_GPU_HOUR = 3.0


@dataclass(frozen=True)
class Planned:
    """One line of `--dry-run`: tokens and GPU hours, estimated with the constants above."""

    what: str
    recipe: str
    task: str
    setting: str
    num_generations: int
    tokens: int
    gpu_hours: float


def estimated_thinking(budget: Budget, study: Study) -> int:
    """Expected thinking tokens of one generation."""
    if budget.method == "no_thinking":
        return 0
    natural = MEAN_THINKING_TOKENS + budget.num_ignores * TOKENS_PER_IGNORE
    room = study.engine.max_model_len - study.sampling.max_answer_tokens
    limit = room if budget.max_thinking_tokens == "auto" else min(budget.max_thinking_tokens, room)
    return max(0, min(natural, limit))


# Rows of the sets that a study may name; any other pool of the hub is taken for one of 1,000 rows.
PUBLISHED_ROWS = {
    "data_ablation_full59K": 58_986,
    "s1-59K": 58_986,
    "s1K": 1000,
    "LIMO": 817,
    "limo": 817,
    "quickstart": POOL_SIZE,
}


def rows_of(study: Study, pools: Mapping[str, int]) -> int:
    """The rows of a study's pool: counted (`pools`), published, or assumed."""
    known = pools.get(study.pool) or PUBLISHED_ROWS.get(study.pool.rpartition("/")[2], 1000)
    return min(known, study.pool_size or known)


def select_calls(study: Study, pools: Mapping[str, int]) -> Iterator[Planned]:
    """What models answer before rows are selected: each reference model, each row of a pool that is asked."""
    for pool in dict.fromkeys(study.seen_by(recipe.name).pool for recipe in study.recipes):
        mine = [recipe for recipe in study.recipes if study.seen_by(recipe.name).pool == pool]
        if not Needs.of(recipe.selection for recipe in mine).difficulty:
            continue
        rows = rows_of(replace(study, pool=pool), pools)
        for model in study.features.references or (study.base_model,):
            tokens = rows * min(MEAN_ANSWER_TOKENS, study.sampling.max_answer_tokens)
            hours = tokens / TOKENS_PER_GPU_SECOND / 3600 if study.engine.num_gpus else 0.0
            yield Planned("select", model.rpartition("/")[2], pool.rpartition("/")[2], "answers", rows, tokens, hours)


def dry_run(study: Study, num_problems: dict[str, int], pools: Mapping[str, int] | None = None) -> Iterator[Planned]:
    """Every call, training and run of `study`. With replay, a run's thinking is shared: it costs its longest only.

    `pools`: the rows of the pools that were counted.
    """
    yield from select_calls(study, pools or {})
    for recipe in study.recipes:
        training = study.training_of(recipe)
        rows = recipe.size or rows_of(study.seen_by(recipe.name), pools or {})
        tokens = rows * min(MEAN_ROW_TOKENS, training.block_size) * training.num_epochs
        hours = tokens / 1e9 * TRAIN_HOURS_PER_B_TOKENS if training.num_gpus else 0.0
        yield Planned("train", recipe.name, "", f"{rows:,} rows, {training.num_epochs} epochs", 0, tokens, hours)
    for recipe_name in ("base", *(recipe.name for recipe in study.recipes)):
        for task in num_problems:
            budgets = budgets_of(study, recipe_name)
            # The longest of those that share their thoughts pays for them.
            paying = {
                max(group, key=lambda budget: estimated_thinking(budget, study))
                for group in groups(budgets, study.replay and not study.engine.chats)
            }
            for budget in budgets:
                count = num_problems[task] * study.sampling.num_samples
                thinking = estimated_thinking(budget, study)
                shared = budget not in paying
                answer = min(MEAN_ANSWER_TOKENS, study.sampling.max_answer_tokens)
                tokens = count * (answer + (0 if shared else thinking))
                hours = tokens / TOKENS_PER_GPU_SECOND / 3600 if study.engine.num_gpus else 0.0
                yield Planned("evaluate", recipe_name, task, setting(budget), count, tokens, hours)
