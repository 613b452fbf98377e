"""What a study will run: the runs, who they are, and what they will cost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness import provenance
from harness.config import Budget, Study, fingerprint, run_id, to_plain
from harness.records import Problem, budget_columns

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

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
class Run:
    """One model x task x budget setting: the unit of the leaderboard. `run_id` covers all that can change its text."""

    run_id: str
    study: str
    model: str
    recipe: str
    task: str
    budget: Budget
    config: dict[str, Any]

    def sample_key(self, problem: Problem, sample_index: int) -> str:
        """Identity of one generation of this run."""
        text = "\0".join((self.run_id, problem.id, problem.question, str(sample_index)))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def recipe_identity(study: Study, base_identity: str, manifest_sha256: str) -> str:
    """Identity of a trained model: base, rows, hyperparameters and the thinking format of its text."""
    return run_id([base_identity, manifest_sha256, study.training, study.thinking])


def budgets_of(study: Study, recipe: str) -> tuple[Budget, ...]:
    """The sweep of `recipe` ("base" for the untrained model)."""
    return study.base_budgets if recipe == "base" and study.base_budgets else study.budgets


def runs_of(
    study: Study, recipe: str, model_identity: str, problems: dict[str, list[Problem]], engine: dict[str, str]
) -> list[Run]:
    """The runs of one model. `engine` says what really generates: name, version, dtype."""
    runs = []
    for task in study.tasks:
        questions = fingerprint([[p.id, p.question, p.gold] for p in problems[task]])
        for budget in budgets_of(study, recipe):
            config = {
                "study": study.name,
                "model_identity": model_identity,
                "recipe": recipe,
                "task": task,
                "problems": questions,
                "budget": to_plain(budget),
                "sampling": to_plain(study.sampling),
                "thinking": study.thinking,
                "replay": study.replay,
                "max_model_len": study.engine.max_model_len,
                "engine": engine,
            }
            model = study.base_model if recipe == "base" else f"{study.name}/{recipe}"
            # Where the base lies is told, but is no identity: its content is, so that a moved checkout resumes.
            told = {**config, "base_model": study.base_model}
            runs.append(Run(run_id(config), study.name, model, recipe, task, budget, told))
    return runs


def run_row(run: Run, study: Study, num_problems: int, engine: Mapping[str, str], **outcome: Any) -> dict[str, Any]:
    """One row of RUN_SCHEMA. `engine`: what the engine said of itself; `outcome`: status, error, seconds."""
    config = run.config | {
        "training": to_plain(study.training),
        "reference_recipe": study.reference_recipe,
        "headline": to_plain(study.headline),
        "recipe_config": next((to_plain(r) for r in study.recipes if r.name == run.recipe), None),
        "hypothesis": study.hypothesis,
        "seed": study.seed,
        "tokenizer": engine.get("tokenizer"),
    }
    return {
        "run_id": run.run_id,
        "study": run.study,
        "model": run.model,
        "recipe": run.recipe,
        "task": run.task,
        **budget_columns(run.budget),
        "seed": study.sampling.seed,
        "num_problems": num_problems,
        "num_samples": study.sampling.num_samples,
        "config": json.dumps(config, sort_keys=True),
        "versions": json.dumps(provenance.versions(), sort_keys=True),
        "commit": provenance.commit(),
        "engine": f"{run.config['engine']['name']} {run.config['engine']['version']}",
        "device": engine.get("device", ""),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **outcome,
    }


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


def setting(budget: Budget) -> str:
    """A budget in a few words: 'auto', '4000 tokens', 'auto, Wait x2', 'no thinking'."""
    if budget.method == "no_thinking":
        return "no thinking"
    limit = budget.max_thinking_tokens
    text = "auto" if limit == "auto" else f"{limit} tokens"
    if budget.num_ignores:
        strings = budget.ignore_str if isinstance(budget.ignore_str, tuple) else (budget.ignore_str or "ignore",)
        text += f", {'/'.join(strings)} x{budget.num_ignores}"
    if budget.method != "budget_forcing":
        text = f"{budget.method.replace('_', ' ')} {budget.instructed or ''} {text}".replace("  ", " ")
    return text


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
            longest = max(range(len(budgets)), key=lambda index: estimated_thinking(budgets[index], study))
            for index, budget in enumerate(budgets):
                count = num_problems[task] * study.sampling.num_samples
                thinking = estimated_thinking(budget, study)
                shared = study.replay and study.sampling.temperature == 0 and index != longest
                answer = min(MEAN_ANSWER_TOKENS, study.sampling.max_answer_tokens)
                tokens = count * (answer + (0 if shared else thinking))
                hours = tokens / TOKENS_PER_GPU_SECOND / 3600 if study.engine.num_gpus else 0.0
                yield Planned("evaluate", recipe_name, task, setting(budget), count, tokens, hours)


def planned_table(study: Study, num_problems: dict[str, int]) -> Group:
    """`--dry-run` for a terminal: every training and run, the sums, and what was assumed."""
    from rich.console import Group
    from rich.table import Table

    table = Table(title=f"{study.name}: planned runs", title_justify="left", box=None, pad_edge=False)
    for name in ("stage", "recipe", "task", "setting"):
        table.add_column(name, no_wrap=True)
    for name in ("samples", "tokens", "GPU hours", "cost"):
        table.add_column(name, justify="right")
    lines = list(dry_run(study, num_problems))
    for line in lines:
        count = f"{line.num_generations:,}" if line.num_generations else ""
        table.add_row(
            line.what, line.recipe, line.task, line.setting, count, f"{line.tokens:,}", *money(line.gpu_hours)
        )
    hours = sum(line.gpu_hours for line in lines)
    runs = sum(line.what == "evaluate" for line in lines)
    table.add_section()
    table.add_row(
        "sum", f"{len(study.recipes)} trainings", "", f"{runs} runs", f"{sum(x.num_generations for x in lines):,}",
        f"{sum(x.tokens for x in lines):,}", *money(hours), style="bold",
    )  # fmt: skip
    notes = (
        f"Base model {study.base_model}; engine {study.engine.name}; pool {study.pool or 'none'}.\n"
        f"Assumed: {MEAN_THINKING_TOKENS:,} thinking tokens where no budget cuts earlier, +{TOKENS_PER_IGNORE} a "
        f"Wait, at most {MEAN_ANSWER_TOKENS} answer tokens,\n{MEAN_ROW_TOKENS:,} tokens a training row; "
        f"{TOKENS_PER_GPU_SECOND} tokens/s and ${DOLLARS_PER_GPU_HOUR:.2f} an hour for each GPU; training as in the "
        "paper (7 H100 hours for s1K)."
    )
    if study.replay and study.sampling.temperature == 0:
        notes += (
            "\nReplay: the runs of one model and task share their longest thought (--set replay=false: each apart)."
        )
    return Group(table, notes, *memory_table(study))


def memory_table(study: Study) -> list[Table | str]:
    """What one worker needs to train, by `harness.training.memory`; nothing for a study that trains nothing."""
    from rich.table import Table

    from harness.training import memory

    training = study.training
    if not study.recipes:
        return []
    device = "GPU" if training.num_gpus else "worker"
    lines = memory.lines(study.base_model, training)
    if not lines:
        return [f"\nMemory a {device}: not known; the name {study.base_model} has no size, and no config.json is here."]
    what = f"LoRA of rank {training.lora_rank}" if training.lora_rank else "all weights"
    where = f"{training.num_workers} workers" if training.num_workers > 1 else "one worker"
    rows = f"{training.per_device_batch_size} x {training.block_size:,} tokens"
    table = Table(title=f"\nMemory a {device} to train, in GB ({what}, {where}, {rows})", title_justify="left",
                  box=None, pad_edge=False)  # fmt: skip
    table.add_column("gradient checkpointing (*: planned)")
    for name in ("weights", "gradients", "optimizer", "working copies", "activations", "sum"):
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(*line)
    return [table]


def money(hours: float) -> tuple[str, str]:
    """GPU hours and dollars; empty where no GPU is asked for."""
    return (f"{hours:,.1f}", f"${hours * DOLLARS_PER_GPU_HOUR:,.0f}") if hours else ("", "")
