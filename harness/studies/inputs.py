"""What a study reads, looked for before anything starts: its model, tokenizer, tasks, pool, and packages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from harness import tasks
from harness.config import EngineConfig, Study
from harness.errors import UserError, one_line
from harness.files import read_json
from harness.generation.chat import check as check_chat
from harness.generation.reward import judges_tokens
from harness.generation.sweep import check as check_budget

WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
# Names of a config's longest context, and rotary scalings whose factor does not lengthen it (they are in it already).
CONTEXT_NAMES = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "max_sequence_length",
    "max_seq_length",
    "seq_len",
    "model_max_length",
)
NO_FACTOR = ("default", "su", "longrope", "llama3", "mrope", None)
DOWNLOADED = ("config.json", "tokenizer_config.json", "tokenizer.json")  # one of them is there of what was loaded once
HUB_SECONDS = 10.0  # for the hub to say whether it has a model
HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")  # org/name


# Fields of the engine that one engine alone reads, and whose default says that they were not given. transformers stands
# in for a vLLM that is not installed, so its own fields go with vllm, too.
READ_BY = {
    "openai": ("base_url", "served_name", "api", "header_env", "extra_body", "api_key_env"),
    "vllm": ("tensor_parallel_size", "num_gpu_blocks_override", "strategy"),
}


def check_engine(study: Study) -> None:
    """Raises `UserError` for a field of the engine that this one does not read, and for a context that no model has."""
    engine, default = study.engine, EngineConfig()
    for owner, names in READ_BY.items():
        for name in names:
            if engine.name != owner and getattr(engine, name) != getattr(default, name):
                given = getattr(engine, name)
                raise UserError(
                    f"engine.{name}={given} belongs to --engine {owner}, not to {engine.name}; leave it out"
                )
    own = longest_context(study.base_model)
    # The default is no wish: it is cut to the model's own context, and `context_notes` says so.
    if own is not None and own < engine.max_model_len != default.max_model_len:
        raise UserError(
            f"engine.max_model_len={engine.max_model_len} is more than the {own} tokens that the config.json of "
            f"{study.base_model} allows; lower it"
        )


def context_notes(study: Study) -> Iterator[str]:
    """One line for each base model whose own context is shorter than an engine's usual one."""
    usual = max(EngineConfig().max_model_len, study.engine.max_model_len)
    for model in dict.fromkeys(study.seen_by(name).base_model for name in ("base", *(r.name for r in study.recipes))):
        own = longest_context(model)
        if own is not None and own < usual:
            held = min(own, study.engine.max_model_len)
            yield (
                f"Context: {held:,} tokens for prompt, thought and answer together (the config.json of "
                f"{Path(model).name} allows {own:,}, not {usual:,}), of them at most "
                f"{study.sampling.max_answer_tokens:,} for the answer."
            )


def longest_context(model: str) -> int | None:
    """Tokens of the longest context that a model folder's config.json allows, as vLLM reads it; None if not told.

    The smallest of the lengths that it names, times the factor of its rotary scaling.
    """
    path = Path(model) / "config.json"
    if not path.is_file():
        return None
    config = read_json(path, "give a checkpoint folder whose download is whole")
    config = config.get("text_config") or config
    named = [int(config[name]) for name in CONTEXT_NAMES if isinstance(config.get(name), int)]
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    if not named or not isinstance(scaling, dict):
        return min(named, default=None)
    kind, factor = scaling.get("rope_type", scaling.get("type")), scaling.get("factor", 1.0)
    if kind in NO_FACTOR or not isinstance(factor, int | float):
        return min(named)
    before = scaling.get("original_max_position_embeddings") if kind == "yarn" else None
    return int((before or min(named)) * factor)


def check_inputs(study: Study, data_dir: Path | None) -> None:
    """Raises `UserError` for an input that is not there. What only the hub can tell is left to the run."""
    if not study.engine.chats:  # a name that only its server knows may be any
        check_model("base_model", study.base_model)
    check_engine(study)
    check_chat((*study.budgets, *study.base_budgets), study.sampling, study.engine)
    if study.engine.tokenizer is not None:
        check_model("engine.tokenizer", study.engine.tokenizer)
    tasks.check(study.tasks, data_dir, study.reading)
    for budget in (*study.budgets, *study.base_budgets):
        check_budget(budget, study.sampling)
        if budget.reward_model:
            check_model("reward", budget.reward_model)
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
    tasks.names(study.features.decontaminate, data_dir)


def check_sources(study: Study) -> None:
    """What is looked for when a study runs, before Ray starts: weights, the hub's models, the server.

    Raises:
        UserError: one of them is not there.
    """
    if study.engine.name == "openai":
        from harness.generation import open_chat, open_engine

        chats = study.engine.chats  # asks the server what it serves
        (open_chat if chats else open_engine)(study.engine, study.base_model).close()
    else:
        check_weights("base_model", study.base_model)
    for budget in dict.fromkeys((*study.budgets, *study.base_budgets)):
        if budget.reward_model:
            check_weights("reward", budget.reward_model)
            config = Path(budget.reward_model) / "config.json"
            if config.is_file():
                judges_tokens(budget.reward_model, json.loads(config.read_text(encoding="utf-8")).get("architectures"))


def check_weights(what: str, model: str) -> None:
    """Raises `UserError` for a folder without weights, and for a name that neither the hub nor its cache has."""
    folder = Path(model)
    if folder.is_dir():
        if not any(next(folder.glob(pattern), None) for pattern in WEIGHTS):
            raise UserError(f"{what} {model}: the folder has no weights ({', '.join(WEIGHTS)}); is its download whole?")
        return
    _ask_hub(what, model)


def check_reachable(what: str, model: str) -> None:
    """As `check_model`, for what is loaded right away: also refuses a name that neither the hub nor its cache has."""
    check_model(what, model)
    if not Path(model).is_dir():
        _ask_hub(what, model)


def _ask_hub(what: str, model: str) -> None:
    """Raises `UserError` for a name that neither the hub nor its cache has: the hub's client would try for a minute."""
    from huggingface_hub import HfApi, constants, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    if constants.HF_HUB_OFFLINE or any(isinstance(try_to_load_from_cache(model, name), str) for name in DOWNLOADED):
        return  # in the cache, or told not to ask: loading says what is missing
    try:
        HfApi().model_info(model, timeout=HUB_SECONDS)
    except HfHubHTTPError as error:  # no such model, or not for this user
        raise UserError(f"{what} {model}: no such folder, and the Hugging Face hub says: {one_line(error)}") from None
    except Exception as error:  # noqa: BLE001  the hub call: which HTTP library's errors come out differs by release
        raise UserError(
            f"{what} {model}: no such folder, not in the hub's cache, and the hub does not answer ({one_line(error)}); "
            "`harness models` lists what is here"
        ) from None


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
