"""What a study reads, looked for before anything starts: its model, tokenizer, tasks, pool, and packages."""

from __future__ import annotations

import re
from pathlib import Path

from harness import tasks
from harness.config import Study
from harness.errors import UserError

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")  # org/name


def check_inputs(study: Study, data_dir: Path | None) -> None:
    """Raises `UserError` for an input that is not there. What only the hub can tell is left to the run."""
    check_model("base_model", study.base_model)
    if study.engine.tokenizer is not None:
        check_model("engine.tokenizer", study.engine.tokenizer)
    tasks.names(study.tasks)
    if not study.recipes:
        return
    from harness.data.selection import check as check_selection
    from harness.training import placement

    for recipe in study.recipes:
        own = study.seen_by(recipe.name)
        check_selection(recipe.selection)
        check_model(f"recipe {recipe.name}: base_model", own.base_model)
        placement.check(own.training)
        if own.pool != "quickstart":
            from harness.data.load import find

            find(own.pool, data_dir)
    for model in study.features.references:
        check_model("features.references", model)
    tasks.names(study.features.decontaminate)


def check_model(what: str, model: str) -> None:
    """Raises `UserError` unless `model` is a folder with a config.json, or may be a name on the Hugging Face hub."""
    folder = Path(model)
    if folder.is_dir():
        if not (folder / "config.json").is_file() and what == "base_model":
            raise UserError(f"model folder {model} has no config.json; give a checkpoint folder or a hub name")
    elif "@" in model:
        name, _, revision = model.partition("@")
        raise UserError(
            f"{what} {model}: no such folder, and a hub name takes no revision; fetch that one with "
            f"`hf download {name} --revision {revision} --local-dir FOLDER` and give FOLDER"
        )
    elif not HUB_NAME.fullmatch(model):
        raise UserError(f"{what} {model}: no such folder, and no name on the Hugging Face hub (org/name); check it")
