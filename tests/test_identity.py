"""Identities: what can change a text changes a run's id, placement does not; what differs is never averaged.

Every field of every setting is walked, so that none is left out by accident.
"""

from __future__ import annotations

import shutil
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tests.made_up_study as made_up
from harness import tasks
from harness.analysis.compare import compare
from harness.analysis.diff import diff
from harness.analysis.measure import measure_cells
from harness.analysis.settings import load, setting_name
from harness.checked import Part, parts
from harness.config import Budget, Chat, Claim, EngineConfig, Recipe, Sampling, Study, Training
from harness.data.selection import select
from harness.digests import folder_digest
from harness.generation.engines.chat import NAME as CHAT
from harness.provenance import model_identity
from harness.quickstart import TINY_MODEL
from harness.quickstart.problems import pool_rows
from harness.records import setting
from harness.report import leaderboard
from harness.store import Store
from harness.studies.runs import Run, recipe_identity, run_row, runs_of

ENGINE = {"name": "vllm", "version": "1", "dtype": "float32"}
PLAIN = Study(
    name="mine",
    base_model=TINY_MODEL,
    pool="quickstart",
    pool_size=40,
    max_problems=4,
    recipes=(Recipe("s1k", "random", 8),),
    tasks=("quick_aime",),
    budgets=(Budget(), Budget(64, 1)),
    headline=Budget(),
    sampling=Sampling(temperature=0.25),
)
# Another value for each field. Budgets are changed in the sweep, recipes in the list of them.
OTHER: dict[type, dict[str, Any]] = {
    Budget: {
        "max_thinking_tokens": 32,
        "num_ignores": 2,
        "ignore_str": "Hmm",
        "min_thinking_tokens": 8,
        "method": "rejection_sampling",
        "instructed": "9",
        "force": False,
        "round_temperatures": (0.5,),
        "max_attempts": 3,
        "stop_on_loop": True,
        "compat": "s1-fork",
        "reward": "other",
        "reward_temperature": 0.4,
        "grace_tokens": 8,
        "wrap_up_str": "So:",
        "wrap_up_tokens": 12,
        "final_answer": "Answer:",
    },
    Sampling: {
        "temperature": 0.5,
        "top_p": 0.9,
        "frequency_penalty": 0.5,
        "num_samples": 2,
        "max_answer_tokens": 9,
        "seed": 1,
        "thinking_temperature": 0.7,
        "thinking_top_p": 0.8,
        "answer_room_tokens": 7,
        "top_k": 20,
        "min_p": 0.1,
        "presence_penalty": 0.5,
        "repetition_penalty": 1.1,
        "logit_bias": {7: 1.5},
        "stop": ("Problem:",),
        "answer_logprobs": True,
    },
    EngineConfig: {
        "name": "transformers",
        "tokenizer": "other",
        "dtype": "bfloat16",
        "max_model_len": 2048,
        "tensor_parallel_size": 2,
        "max_num_seqs": 2,
        "gpu_memory_utilization": 0.5,
        "num_cpus": 2,
        "num_gpus": 2,
        "num_engines": 2,
        "stall_seconds": 5.0,
        "start_seconds": 5.0,
        "base_url": "http://x/v1",
        "served_name": "x",
        "api_key_env": "OTHER_KEY",
        "header_env": {"X-Team": "TEAM"},
        "extra_body": {"priority": 1},
        "api": "chat",
        "strategy": "resubmit",
        "batch_size": 2,
        "device": "cpu",
        "num_gpu_blocks_override": 9,
    },
    Recipe: {
        "name": "other",
        "selection": "longest",
        "size": 5,
        "seed": 3,
        "variant": "s1",
        "thinking": "think",
        "training": {"learning_rate": 1e-3},
        "budgets": (Budget(8),),
    },
    Training: {
        "num_epochs": 7,
        "global_batch_size": 8,
        "learning_rate": 1e-3,
        "lr_scheduler": "linear",
        "warmup_ratio": 0.1,
        "adam_beta1": 0.8,
        "adam_beta2": 0.9,
        "weight_decay": 0.1,
        "max_grad_norm": 2.0,
        "bf16": False,
        "block_size": 512,
        "group_by_length": True,
        "padding_free": True,
        "packing": True,
        "seed": 2,
        "lora_rank": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.1,
        "num_workers": 2,
        "per_device_batch_size": 2,
        "num_cpus": 2,
        "num_gpus": 1,
        "gradient_checkpointing": False,
        "save_steps": 3,
        "kept_checkpoints": 2,
        "checkpoint_dir": "/local",
        "report_to": "wandb",
        "loss_mean": "row",
    },
    Chat: {"system": "Be brief.", "instruction": "!", "arguments": {"enable_thinking": False}},
    Study: {
        "name": "yours",
        "base_model": "other",
        "pool_size": 30,
        "recipes": (Recipe("s1k", "longest", 8),),
        "tasks": ("quick_math",),
        "budgets": (Budget(), Budget(32, 1)),
        "base_budgets": (Budget(), Budget(16)),
        "reference_recipe": "base",
        "headline": Budget(64, 1),
        "thinking": "think",
        "chat": Chat(instruction="!"),
        "sampling": Sampling(top_p=0.5),
        "training": Training(num_epochs=1),
        "engine": EngineConfig(max_model_len=2048),
        "replay": False,
        "max_problems": 3,
        "seed": 5,
        "hypothesis": "why",
        "lint": "off",
        "claims": (Claim("why", ("s1k",), ("base",)),),
    },
}


@cache
def manifest(recipe: Recipe, seed: int, pool_size: int) -> str:
    rows = list(pool_rows(seed, pool_size))
    return str(select(rows, recipe.selection, recipe.size, recipe.seed + seed).manifest["sha256"])


def runs(study: Study) -> list[Run]:
    """All runs of `study`, as the pipeline derives them from what it reads and selects; nothing is trained."""
    base = model_identity(study.base_model)
    problems = {task: tasks.load(task, None, study.seed, study.max_problems) for task in study.tasks}
    name = CHAT if study.engine.chats else study.engine.name  # what the engine says of itself
    engine = ENGINE | {"name": name, "dtype": study.engine.dtype}
    found = runs_of(study, "base", base, problems, engine)
    for recipe in study.recipes:
        rows = manifest(recipe, study.seed, study.pool_size or 0)
        identity = recipe_identity(study.seen_by(recipe.name), base, rows, recipe.variant)
        found += runs_of(study, recipe.name, identity, problems, engine)
    return found


def ids(study: Study) -> list[str]:
    return [run.run_id for run in runs(study)]


def changed(cls: type, name: str, value: Any) -> Study:
    if cls is Study:
        return replace(PLAIN, **{name: value})
    if cls is Recipe:
        return replace(PLAIN, recipes=(replace(PLAIN.recipes[0], **{name: value}),))
    if cls is Budget:
        with_it: dict[str, dict[str, Any]] = {  # without which it has no effect
            "reward": {"method": "rebase", "num_ignores": 0},
            "wrap_up_tokens": {"wrap_up_str": "So:"},
        }
        more = with_it.get(name, {})
        budgets = tuple(replace(budget, **{name: value}, **more) for budget in PLAIN.budgets[: 1 if more else 2])
        return replace(PLAIN, budgets=budgets, headline=budgets[0])
    group = {Sampling: "sampling", EngineConfig: "engine", Training: "training", Chat: "chat"}[cls]
    served = {"name": "openai", "base_url": "http://x/v1"}
    needed: dict[str, dict[str, Any]] = {"tensor_parallel_size": {"num_gpus": 2}, "api": served}
    more = needed.get(name, {})
    return replace(PLAIN, **{group: replace(getattr(PLAIN, group), **{name: value}, **more)})


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models") / "other"
    shutil.copytree(TINY_MODEL, folder)
    (folder / "chat_template.jinja").write_text((folder / "chat_template.jinja").read_text() + " ")
    return str(folder)


EVERY = [(cls, name) for cls in OTHER for name in OTHER[cls]]


def test_a_reward_model_is_known_by_its_files_wherever_it_lies(other_model: str, tmp_path: Path) -> None:
    def searched(reward: str) -> list[str]:
        budget = Budget(method="rebase", reward=reward)
        return ids(replace(PLAIN, budgets=(budget,), headline=budget))

    copy = shutil.copytree(other_model, tmp_path / "copy")
    assert searched(other_model) == searched(str(copy)) != searched(TINY_MODEL) != searched("repetition")


def test_every_field_of_every_setting_is_walked() -> None:
    for cls, others in OTHER.items():
        named = {field.name for field in fields(cls)}
        assert set(parts(cls)) == named
        # Told by what they lead to: the rows that are selected, the base that is trained, the problems that are read.
        others_too = {"pool", "pool_columns", "features", "traces", "options", "base_model", "reading"}
        assert named - set(others) <= others_too, cls


@pytest.mark.parametrize(("cls", "name"), EVERY, ids=[f"{cls.__name__}.{name}" for cls, name in EVERY])
def test_a_field_changes_the_ids_if_it_can_change_a_text_and_only_then(cls: Any, name: Any, other_model: Any) -> None:
    value = other_model if OTHER[cls][name] == "other" and cls is not Recipe else OTHER[cls][name]
    before, after = set(ids(PLAIN)), set(ids(changed(cls, name, value)))
    if parts(cls)[name] in (Part.PLACEMENT, Part.LABEL):
        assert after == before
    else:
        assert after != before


SEEDS = [(cls, name) for cls in OTHER for name, part in parts(cls).items() if part is Part.SEED] + [(Study, "seed")]


@pytest.mark.parametrize(("cls", "name"), SEEDS, ids=[f"{cls.__name__}.{name}" for cls, name in SEEDS])
def test_runs_that_differ_in_seeds_alone_have_one_setup(cls: Any, name: Any) -> None:
    other = changed(cls, name, OTHER[cls][name])
    assert ids(other) != ids(PLAIN)
    assert {run.config["setup"] for run in runs(other)} == {run.config["setup"] for run in runs(PLAIN)}


# -- in a results folder


def put(out: Path, study: Study, verdicts: dict[str, list[bool]]) -> Path:
    """What the pipeline leaves of `study`: its claim, its run rows and samples; `verdicts` by recipe, at each run."""
    with Store(out) as store:
        store.claim(
            study.name,
            str(hash(study)),
            {"headline": _plain(study.headline), "reference_recipe": study.reference_recipe},
            {"quick_aime": 4},
        )
        mine = runs(study)
        store.claim_runs(run.run_id for run in mine)
        store.put_runs(run_row(run, study, 4, {}, None, status="done", error=None, seconds=1.0) for run in mine)
        for run in mine:
            columns = {
                "run_id": run.run_id,
                "study": run.study,
                "model": run.model,
                "recipe": run.recipe,
                "task": run.task,
                "seed": study.sampling.seed,
            }
            store.append(
                made_up.sample(
                    **columns,
                    **_budget(run.budget),
                    problem_id=f"p{i}",
                    correct=right,
                    sample_key=f"{i}",
                    status="correct" if right else "incorrect",
                    extracted="2" if right else "3",
                )
                for i, right in enumerate(verdicts[run.recipe])
            )
    return out


def _plain(budget: Budget) -> dict[str, Any]:
    from harness.config import to_plain

    return dict(to_plain(budget))


def _budget(budget: Budget) -> dict[str, Any]:
    from harness.records import budget_columns

    return budget_columns(budget)


def accuracies(measured: Any, budget: Budget) -> dict[str, float]:
    cells = measured.cells.cells
    return {c.recipe: float(np.mean(c.accuracy)) for c in cells if c.budget == budget.effective}


GOOD, BAD, HALF = [True] * 4, [False] * 4, [True, False] * 2


def test_a_study_trained_anew_in_its_folder_shows_the_new_model_and_says_what_it_left_out(tmp_path: Path) -> None:
    one = replace(PLAIN, training=replace(PLAIN.training, num_epochs=1))
    twelve = replace(PLAIN, training=replace(PLAIN.training, num_epochs=12))
    put(tmp_path, one, {"base": HALF, "s1k": BAD})
    put(tmp_path, twelve, {"base": HALF, "s1k": GOOD})
    measured = measure_cells(load([tmp_path]))
    assert accuracies(measured, Budget()) == {"base": 0.5, "s1k": 1.0}
    assert any("2 run(s) of another configuration" in n and "training.num_epochs=1" in n for n in measured.cells.notes)
    leaderboard.write([tmp_path], tmp_path / "board")
    assert "left out: s1k (training.num_epochs=1)" in (tmp_path / "board" / "LEADERBOARD.md").read_text()


def test_two_models_are_never_two_seeds_of_one(tmp_path: Path) -> None:
    one = replace(PLAIN, training=replace(PLAIN.training, num_epochs=1))
    other = replace(PLAIN, training=replace(PLAIN.training, num_epochs=12), sampling=replace(PLAIN.sampling, seed=1))
    put(tmp_path, one, {"base": HALF, "s1k": BAD})
    put(tmp_path, other, {"base": HALF, "s1k": GOOD})
    measured = measure_cells(load([tmp_path]))
    assert accuracies(measured, Budget())["s1k"] == 1.0
    notes = {c.recipe: f["accuracy"].note for c, f in zip(measured.cells.cells, measured.figures, strict=True)}
    assert "2 seeds" in notes["base"] and "seeds" not in notes["s1k"]


def test_seeds_of_one_model_are_averaged(tmp_path: Path) -> None:
    for seed, verdicts in enumerate((GOOD, BAD)):
        study = replace(PLAIN, sampling=replace(PLAIN.sampling, seed=seed))
        put(tmp_path, study, {"base": HALF, "s1k": verdicts})
    assert accuracies(measure_cells(load([tmp_path])), Budget())["s1k"] == 0.5


def test_a_sweep_that_was_made_in_two_calls_is_whole(tmp_path: Path) -> None:
    put(tmp_path, PLAIN, {"base": HALF, "s1k": GOOD})
    put(tmp_path, replace(PLAIN, budgets=(Budget(), Budget(8))), {"base": HALF, "s1k": GOOD})
    cells = load([tmp_path])
    assert {setting_name(cell) for cell in cells.cells} == {"auto", "64+1 Wait", "8"}


def test_settings_that_differ_in_anything_are_cells_of_their_own_and_compared_with_their_like(tmp_path: Path) -> None:
    budgets = (Budget(), Budget(min_thinking_tokens=80))
    with_random = (*PLAIN.recipes, Recipe("random", "random", 4))
    study = replace(PLAIN, budgets=budgets, recipes=with_random)
    with Store(tmp_path) as store:
        store.claim(study.name, "x", {"headline": _plain(Budget()), "reference_recipe": "s1k"}, {"quick_aime": 4})
        mine = runs(study)
        store.put_runs(run_row(run, study, 4, {}, None, status="done", error=None, seconds=1.0) for run in mine)
        for run in mine:
            plain = run.budget == Budget()
            right = {"base": HALF, "s1k": GOOD if plain else BAD, "random": HALF}[run.recipe]
            store.append(
                made_up.sample(
                    run_id=run.run_id,
                    study=run.study,
                    recipe=run.recipe,
                    task=run.task,
                    model=run.model,
                    **_budget(run.budget),
                    problem_id=f"p{i}",
                    correct=one,
                    sample_key=f"{i}",
                )
                for i, one in enumerate(right)
            )
    measured = measure_cells(load([tmp_path]))
    gaps = {
        (c.recipe, setting_name(c)): f["difference_to_reference"].mean
        for c, f in zip(measured.cells.cells, measured.figures, strict=True)
        if "difference_to_reference" in f
    }
    assert gaps["random", "auto"] == -0.5 and gaps["random", "auto, at least 80"] == 0.5
    for (_, _, _, recipe), i in measured.headlines.items():
        assert measured.cells.cells[i].budget == Budget(), recipe  # found by its exact setting


def test_two_folders_of_one_studys_name_and_two_trainings_stay_two(tmp_path: Path) -> None:
    for name, epochs, verdicts in (("a", 1, BAD), ("b", 12, GOOD)):
        study = replace(PLAIN, training=replace(PLAIN.training, num_epochs=epochs))
        put(tmp_path / name, study, {"base": HALF, "s1k": verdicts})
    cells = load([tmp_path / "a", tmp_path / "b"]).cells
    found = {(c.study, c.recipe): float(np.mean(c.accuracy)) for c in cells if c.budget == Budget()}
    assert found["mine (a)", "s1k"] == 0 and found["mine (b)", "s1k"] == 1


def test_no_ignore_string_is_no_wait(tmp_path: Path) -> None:
    study = replace(PLAIN, budgets=(Budget(), Budget(num_ignores=1), Budget(num_ignores=1, ignore_str=None)))
    study = replace(study, headline=study.budgets[2])
    put(tmp_path, study, {"base": HALF, "s1k": GOOD})
    measured = measure_cells(load([tmp_path]))
    cells = measured.cells.cells
    assert {setting_name(c) for c in cells} == {"auto", "auto+1 Wait", "auto+1 ignored"}
    assert {setting_name(cells[i]) for i in measured.headlines.values()} == {"auto+1 ignored"}
    assert all({setting_name(cells[i]) for i in s.cells} == {"auto", "auto+1 Wait"} for s in measured.sweeps)


def test_compare_diff_and_the_page_count_the_first_differing_token_alike(tmp_path: Path) -> None:
    texts = {"a": ([1, 2, 3], [4], [5, 6]), "b": ([1, 2, 3], [4, 9], [5, 6])}
    for name, (thinking, closing, answer) in texts.items():
        rows = [made_up.sample(thinking_ids=thinking, closing_ids=closing, answer_ids=answer)]
        made_up.write(tmp_path / name, rows)
    (summary, rows), *_ = diff(tmp_path / "a", tmp_path / "b")
    assert rows[0]["first_difference"] == 4 == summary.first_differences[0]
    assert compare(str(tmp_path / "a"), str(tmp_path / "b"))[0].first_difference == {"p0": 4}
    pages = [_page_ids(tmp_path / name) for name in texts]
    assert next(i for i, (x, y) in enumerate(zip(*pages, strict=False)) if x != y) == 4


def _page_ids(folder: Path) -> list[int]:
    import base64
    import gzip
    import json

    from harness.report.samples import collect

    block = collect([folder], measure_cells(load([folder]))).blocks[0]
    return list(json.loads(gzip.decompress(base64.b64decode(block)))[0]["ids"])


@pytest.mark.parametrize(
    ("answers", "gold", "expected"),
    [
        (["\\frac12", "0.5", "3", "3"], "1/2", 0.5),  # two that are right and equal, two that are wrong
        (["1/2", "0.5", "3"], "1/2", 1.0),
        (["3", "3", "1/2"], "1/2", 0.0),
    ],
)
def test_lm_eval_and_the_leaderboard_vote_alike(answers: Any, gold: Any, expected: Any, tmp_path: Path) -> None:
    from harness.grading import grade
    from harness.lm_eval.tasks import process_results

    doc = {"answer": gold, "kind": "math", "choices": []}
    responses = [f"Final Answer: \\boxed{{{answer}}}" for answer in answers]
    group = len(answers)
    assert process_results(doc, [responses], group)[f"maj@{group}"] == expected
    verdicts = [grade(response, gold, "math") for response in responses]
    rows = [
        made_up.sample(sample_index=i, extracted=verdict.extracted, correct=verdict.correct, status=verdict.status)
        for i, verdict in enumerate(verdicts)
    ]
    found = measure_cells(load([made_up.write(tmp_path, rows)])).figures[0]
    if f"maj@{group}" in found:  # the powers of two
        assert found[f"maj@{group}"].mean == expected


NAMES = [
    (Budget(), "auto"),
    (Budget(4000), "4,000"),
    (Budget(num_ignores=2), "auto+2 Wait"),
    (Budget(500, 1, ignore_str=None), "500+1 ignored"),
    (Budget(num_ignores=2, ignore_str=("Wait", "Hmm")), "auto+2 Wait/Hmm"),
    (Budget(min_thinking_tokens=80), "auto, at least 80"),
    (Budget(method="no_thinking"), "no thinking"),
    (Budget(method="step_conditional", instructed="16"), "told 16 steps, forced"),
    (Budget(method="step_conditional", instructed="16", force=False), "told 16 steps"),
    (Budget(method="token_conditional", instructed="16", force=False), "told 16 tokens"),
    (Budget(500, method="rejection_sampling"), "reject over 500"),
    (Budget(compat="s1-fork"), "auto, s1-fork"),
    (Budget(stop_on_loop=True), "auto, ends loops"),
]


@pytest.mark.parametrize(("budget", "name"), NAMES)
def test_a_setting_has_one_name_in_the_plan_in_tables_and_in_comparisons(
    budget: Any, name: Any, tmp_path: Path
) -> None:
    from harness.studies.cost import dry_run

    study = replace(PLAIN, budgets=(budget,), headline=budget)
    assert setting(budget) == name
    assert {line.setting for line in dry_run(study, {"quick_aime": 4}) if line.what == "evaluate"} == {name}
    put(tmp_path, study, {"base": HALF, "s1k": GOOD})
    assert {setting_name(cell) for cell in load([tmp_path]).cells} == {name}
    assert {setting(run.budget) for run, _ in diff(tmp_path, tmp_path)} == {name}


def test_a_trained_models_run_says_which_model_it_was_trained_from(tmp_path: Path) -> None:
    other = shutil.copytree(TINY_MODEL, tmp_path / "other")
    (other / "config.json").write_text((other / "config.json").read_text() + "\n")
    own = replace(PLAIN.recipes[0], name="own", base_model=str(other))
    found = {run.recipe: run.config["base_identity"] for run in runs(replace(PLAIN, recipes=(*PLAIN.recipes, own)))}
    assert found == {"base": model_identity(TINY_MODEL), "s1k": model_identity(TINY_MODEL), "own": folder_digest(other)}
    assert found["own"] != found["s1k"]
