"""What a study will cost: tokens and GPU hours, estimated before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.config import Budget, Study
from harness.generation.sweep import groups
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


def dry_run(study: Study, num_problems: dict[str, int]) -> Iterator[Planned]:
    """Every training and every run of `study`. With replay, a run's thinking is shared: it costs its longest only."""
    for recipe in study.recipes:
        rows = recipe.size or study.pool_size or 59_029
        tokens = rows * min(MEAN_ROW_TOKENS, study.training.block_size) * study.training.num_epochs
        hours = tokens / 1e9 * TRAIN_HOURS_PER_B_TOKENS if study.training.num_gpus else 0.0
        yield Planned("train", recipe.name, "", f"{rows:,} rows, {study.training.num_epochs} epochs", 0, tokens, hours)
    for recipe_name in ("base", *(recipe.name for recipe in study.recipes)):
        for task in study.tasks:
            budgets = budgets_of(study, recipe_name)
            # The longest of those that share their thoughts pays for them.
            paying = {
                max(group, key=lambda budget: estimated_thinking(budget, study))
                for group in groups(budgets, study.replay)
            }
            for budget in budgets:
                count = num_problems[task] * study.sampling.num_samples
                thinking = estimated_thinking(budget, study)
                shared = budget not in paying
                answer = min(MEAN_ANSWER_TOKENS, study.sampling.max_answer_tokens)
                tokens = count * (answer + (0 if shared else thinking))
                hours = tokens / TOKENS_PER_GPU_SECOND / 3600 if study.engine.num_gpus else 0.0
                yield Planned("evaluate", recipe_name, task, setting(budget), count, tokens, hours)
