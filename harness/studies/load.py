"""Finding a study, changing a key of it, and shrinking it to this machine."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from harness.config import Budget, EngineConfig, Study
from harness.errors import UserError, unknown

PACKAGE = Path(__file__).resolve().parents[1]
TINY_MODEL = str(PACKAGE / "quickstart" / "model")

# --smoke: every stage of a study on two CPU cores in minutes, with the shipped tiny model.
SMOKE_POOL_ROWS = 64  # what `full` trains on
SMOKE_ROWS = 4  # of each other recipe
SMOKE_POOL = "sft_pool"  # taken from --data-dir where it is there, instead of the study's own
SMOKE_PROBLEMS = 4  # of each task
SMOKE_CONTEXT = 4096  # of the engine
SMOKE_BLOCK = 1024  # of training: longer samples are cut, counted and warned about
SMOKE_BUDGETS = (64, 256)


def bundled(folder: str) -> Path:
    """tasks/, ablations/ or results/paper of the checkout, or the copy inside the installed wheel."""
    checkout = PACKAGE.parent / folder
    return checkout if checkout.is_dir() else PACKAGE / "_bundled" / Path(folder).name


def study_files() -> dict[str, Path]:
    """Known study files by name. A file in ./ablations goes before one of the same name in the package."""
    found: dict[str, Path] = {}
    for folder in (bundled("ablations"), Path.cwd() / "ablations"):
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                found[path.stem] = path
    return found


def load(spec: str) -> Study:
    """The study `spec`: a name in ablations/, `name:function`, or `path.py:function` (function: the file's name)."""
    file, _, function = spec.partition(":")
    if file.endswith(".py"):
        path = Path(file)
        if not path.is_file():
            raise UserError(f"no study file {path}; give a path.py:function, or a name in ablations/")
    else:
        files = study_files()
        if file not in files:
            raise unknown("study", file, files)
        path = files[file]
    module_spec = importlib.util.spec_from_file_location(f"ablations_{path.stem}", path)
    assert module_spec and module_spec.loader
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except (SyntaxError, ImportError, NameError, TypeError) as error:
        raise UserError(f"study {path}: {type(error).__name__}: {error}") from error
    functions: dict[str, Callable[[], Study]] = {
        name: value
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    }
    wanted = function or path.stem
    if wanted not in functions:
        raise unknown(f"function in {path}", wanted, functions)
    study = functions[wanted]()
    if not isinstance(study, Study):
        raise UserError(f"{path}:{wanted} returned {type(study).__name__}, not a harness.config.Study")
    return study


def with_settings(study: Study, settings: Iterable[str]) -> Study:
    """`study` with each `key=value` applied; keys may be dotted (`training.num_epochs=3`)."""
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator:
            raise UserError(f"--set {setting}: write key=value, for example --set training.num_epochs=3")
        study = _with(study, key.split("."), parse(text), key)
    return study


def parse(text: str) -> Any:
    """A `--set` value: a Python literal, true/false/none in any case, or else the text itself."""
    words = {"true": True, "false": False, "none": None, "null": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return tuple(value) if isinstance(value, list) else value


def _with(config: Any, path: list[str], value: Any, key: str) -> Any:
    names = {field.name: field for field in fields(config)}
    if path[0] not in names:
        raise unknown(f"key in --set {key}:", path[0], names)
    current = getattr(config, path[0])
    if len(path) > 1:
        if not is_dataclass(current):
            raise UserError(f"--set {key}: {path[0]} has no keys of its own")
        return replace(config, **{path[0]: _with(current, path[1:], value, key)})
    if is_dataclass(current):
        inner = ", ".join(f"{path[0]}.{field.name}" for field in fields(current))
        raise UserError(f"--set {key}: {path[0]} is a group; set one of {inner}")
    if isinstance(current, tuple) and isinstance(value, str):
        value = tuple(part for part in value.split(",") if part)
    if isinstance(current, tuple) and current and not isinstance(current[0], str):
        raise UserError(f"--set {key}: {path[0]} is a list of settings; write a study function for it (ablations/)")
    number = isinstance(current, int | float) and not isinstance(current, bool)
    if number and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise UserError(f"--set {key}={value}: {path[0]} is a number (now {current})")
    if isinstance(current, bool) and not isinstance(value, bool):
        raise UserError(f"--set {key}={value}: {path[0]} is true or false")
    return replace(config, **{path[0]: value})


def smoke(study: Study, data_dir: Path | None = None) -> Study:
    """`study` shrunk to this machine: the tiny model, few rows and problems, small budgets; every stage kept."""
    local_pool = study.pool != "quickstart" and data_dir is not None and (data_dir / SMOKE_POOL).is_dir()

    def small(budget: Budget, position: int) -> Budget:
        limit: Any = budget.max_thinking_tokens
        if limit != "auto":
            limit = SMOKE_BUDGETS[min(position, len(SMOKE_BUDGETS) - 1)]
        return replace(budget, max_thinking_tokens=limit)

    def shrink(budgets: tuple[Budget, ...]) -> tuple[Budget, ...]:
        return tuple(dict.fromkeys(small(budget, position) for position, budget in enumerate(budgets)))

    training = replace(
        study.training, num_epochs=1, global_batch_size=4, per_device_batch_size=4, num_workers=1, num_gpus=0,
        num_cpus=1, block_size=SMOKE_BLOCK, bf16=False, learning_rate=1e-3,
    )  # fmt: skip
    return replace(
        study,
        name=f"{study.name}-smoke",
        pool=SMOKE_POOL if local_pool else study.pool,
        base_model=TINY_MODEL,
        recipes=tuple(
            recipe if recipe.selection == "full" else replace(recipe, size=SMOKE_ROWS) for recipe in study.recipes
        ),
        budgets=shrink(study.budgets),
        base_budgets=shrink(study.base_budgets),
        headline=replace(study.headline, max_thinking_tokens="auto"),
        training=training,
        engine=EngineConfig(name=study.engine.name, max_model_len=SMOKE_CONTEXT, num_cpus=1),
        sampling=replace(study.sampling, max_answer_tokens=32),
        max_problems=SMOKE_PROBLEMS,
        pool_size=SMOKE_POOL_ROWS,
    )


def fit_context(study: Study) -> Study:
    """`study` with the engine's context and the answer's room that its model really has, when that is known here."""
    path = Path(study.base_model) / "config.json"
    if not path.is_file():
        return study
    longest = json.loads(path.read_text()).get("max_position_embeddings", study.engine.max_model_len)
    context = min(study.engine.max_model_len, longest)
    answer = min(study.sampling.max_answer_tokens, max(1, context // 8))
    return replace(
        study,
        engine=replace(study.engine, max_model_len=context),
        sampling=replace(study.sampling, max_answer_tokens=answer),
    )
