"""What a study will run: the runs, who they are, and what they will cost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness import provenance
from harness.config import Budget, Study, fingerprint, hashed, run_id, to_plain
from harness.generation.instructions import instruct
from harness.records import Problem, budget_columns
from harness.thinking import AUTO, ThinkingFormat, thinking_format

if TYPE_CHECKING:
    from harness.generation.engines.loading import Loaded
    from harness.tasks import Read


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


def recipe_identity(study: Study, base_identity: str, manifest_sha256: str, variant: str = "plain") -> str:
    """Identity of a trained model: base, rows, hyperparameters, its text's variant and thinking format.

    `study` is as the recipe sees it (`Study.seen_by`), `base_identity` that of its base.
    """
    return run_id([base_identity, manifest_sha256, study.training, study.chat, strings_of(study), variant])


def strings_of(study: Study) -> ThinkingFormat | str:
    """The strings of a study's thinking format; "auto" before they have been read (`harness.studies.formats`)."""
    return AUTO if study.thinking == AUTO else thinking_format(study.thinking)


def budgets_of(study: Study, recipe: str) -> tuple[Budget, ...]:
    """The sweep of `recipe` ("base" for the untrained model)."""
    return study.base_budgets if recipe == "base" and study.base_budgets else study.seen_by(recipe).budgets


def model_of(study: Study, recipe: str) -> str:
    """What the rows of `recipe` call their model."""
    return study.base_model if recipe == "base" else f"{study.name}/{recipe}"


def runs_of(
    study: Study,
    recipe: str,
    model_identity: str,
    problems: Mapping[str, Sequence[Problem]],
    engine: Mapping[str, str],
    read: Mapping[str, Read] | None = None,
) -> list[Run]:
    """The runs of one model.

    Args:
        study: what is planned.
        recipe: "base" for the untrained model.
        model_identity: of its weights, tokenizer and chat template.
        problems: by the name of their task.
        engine: what really generates: name, version, dtype.
        read: where the problems came from, by the name of their task; a hub data set's commit and content are part of a
            run's identity.
    """
    study = study.seen_by(recipe)
    tokenizer = study.engine.tokenizer and provenance.model_identity(study.engine.tokenizer)
    shared = {
        "study": study,
        "thinking": strings_of(study),
        "tokenizer": tokenizer,
        "generated_by": engine,
    }
    setup = setup_of(study, recipe, shared)
    base_identity = model_identity if recipe == "base" else provenance.model_identity(study.base_model)
    runs = []
    for task in problems:
        came_from = (read or {}).get(task)
        origin = {"task_source": came_from.identity} if came_from and came_from.identity else {}
        questions = fingerprint([[p.id, p.question, p.gold, p.kind, p.choices] for p in problems[task]])
        for budget in budgets_of(study, recipe):
            identity = run_id(
                {
                    **shared,
                    "model": model_identity,
                    "recipe": recipe,
                    "task": task,
                    "problems": questions,
                    "budget": budget,
                    "prompt": instruct("", budget),
                    **origin,
                    "reward": budget.reward_model and provenance.model_identity(budget.reward_model),
                }
            )
            config = {
                "study": study.name,
                "model_identity": model_identity,
                "base_model": study.base_model,  # where it lies: not hashed, so that a moved checkout resumes
                "base_identity": base_identity,
                "recipe": recipe,
                "task": task,
                "problems": questions,
                "task_source": dict(came_from.source) if came_from else {},
                "budget": to_plain(budget),
                "sampling": to_plain(study.sampling),
                "thinking": study.thinking,
                "replay": study.replay,
                "max_model_len": study.engine.max_model_len,
                "engine": dict(engine),
                "setup": setup,
            }
            runs.append(Run(identity, study.name, model_of(study, recipe), recipe, task, budget, config))
    return runs


def setup_of(study: Study, recipe: str, shared: Mapping[str, Any]) -> str:
    """What runs of one model have in common, whatever their task, budget and seeds: a fingerprint.

    Runs that agree in it, the task and the budget are one setting, and are averaged over their seeds; no others are.
    """
    parts: dict[str, Any] = {**shared, "base": provenance.model_identity(study.base_model), "of": study.max_problems}
    if recipe != "base":
        chosen = [one for one in study.recipes if one.name == recipe]
        parts |= {"recipe": chosen, "training": study.training}
        parts["pool"] = to_plain([study.pool, study.pool_size, study.pool_columns, study.features])
    return fingerprint(hashed(parts, seeds=False))


def run_row(
    run: Run, study: Study, num_problems: int, engine: Mapping[str, str], loaded: Loaded | None, **outcome: Any
) -> dict[str, Any]:
    """One row of RUN_SCHEMA.

    `engine`: what the engine said of itself; `loaded`: what it showed of its model (None: nothing); `outcome`: status,
    error, seconds.
    """
    config = run.config | {
        "training": to_plain(study.seen_by(run.recipe).training),
        "reference_recipe": study.reference_recipe,
        "headline": to_plain(study.headline),
        "recipe_config": next((to_plain(r) for r in study.recipes if r.name == run.recipe), None),
        "hypothesis": study.hypothesis,
        "claims": to_plain(study.claims),
        "command": provenance.command(),
        "seed": study.seed,
        "tokenizer": loaded and loaded.tokenizer,
        "tokenizer_name": study.engine.tokenizer,
        "computed_in": loaded and loaded.dtype,  # the dtype, "auto" resolved
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
        "probe_difference": loaded and loaded.probe_difference,
        "served_model": loaded and loaded.served_model,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **outcome,
    }
