"""What the engines read from a checkpoint's folder (or hub name) without loading its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.errors import UserError, one_line


@dataclass(frozen=True)
class ModelInfo:
    """A checkpoint's tokenizer, its end-of-text ids, how many ids it can emit, and its longest context in tokens."""

    tokenizer: Any
    eos_ids: tuple[int, ...]
    num_embeddings: int
    max_model_len: int
    config: Any  # transformers' own


def read_model(model: str, max_model_len: int, tokenizer: str | None = None) -> ModelInfo:
    """Reads `model`'s configuration; the context is `max_model_len` at most. Raises `UserError` without one."""
    from transformers import AutoConfig, AutoTokenizer

    try:
        config = AutoConfig.from_pretrained(model)
        own_tokenizer = AutoTokenizer.from_pretrained(tokenizer or model)
    except (OSError, ValueError) as error:
        reason = one_line(error)
        raise UserError(f"cannot load the model '{model}': {reason}") from error
    text_config = config.get_text_config()
    own = getattr(text_config, "max_position_embeddings", None) or max_model_len
    length = min(max_model_len, int(own))
    return ModelInfo(own_tokenizer, eos_ids(model, text_config), int(text_config.vocab_size), length, config)


def eos_ids(model: str, config: Any) -> tuple[int, ...]:
    """All ids that end a text, from generation_config.json where there is one: Qwen2.5 has two."""
    from transformers import GenerationConfig

    try:
        found = GenerationConfig.from_pretrained(model).eos_token_id
    except OSError:  # a checkpoint without one
        found = getattr(config, "eos_token_id", None)
    if found is None:
        return ()
    return tuple(found) if isinstance(found, list | tuple) else (int(found),)


# Of a config: what names or describes it, and what an engine does not build its layers from.
NOT_BUILT_FROM = frozenset(
    {
        "_name_or_path",
        "transformers_version",
        "use_cache",
        "dtype",
        "torch_dtype",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "architectures",
    }
)


def swap_refusal(config: Any, other: Any, *, dtype: str) -> str | None:
    """Why vLLM must not replace the weights of a model in place; None where it may.

    `reload_weights` takes the layers as they were built.

    Args:
        config: of the model that is loaded.
        other: of the model that is wanted.
        dtype: what the engine computes in.
    """
    here, there = config.to_dict(), other.to_dict()
    for field in sorted((here.keys() | there.keys()) - NOT_BUILT_FROM):
        if here.get(field) != there.get(field):
            return f"its {field} is {there.get(field)}, not {here.get(field)}"
    if here.get("quantization_config"):
        return "vLLM does not check the reload of quantised weights"
    if dtype == "auto" and config.dtype != other.dtype:
        return f"its dtype is {other.dtype}, not {config.dtype}"
    return None
