"""What the engines read from a checkpoint's folder (or hub name) without loading its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UserError


@dataclass(frozen=True)
class ModelInfo:
    """A checkpoint's tokenizer, its end-of-text ids, how many ids it can emit, and its longest context in tokens."""

    tokenizer: Any
    eos_ids: tuple[int, ...]
    num_embeddings: int
    max_model_len: int


def read_model(model: str, max_model_len: int, tokenizer: str | None = None) -> ModelInfo:
    """Reads `model`'s configuration; the context is `max_model_len` at most. Raises `UserError` without one."""
    from transformers import AutoConfig, AutoTokenizer

    try:
        config = AutoConfig.from_pretrained(model)
        own_tokenizer = AutoTokenizer.from_pretrained(tokenizer or model)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"cannot load the model '{model}': {reason}") from error
    text_config = config.get_text_config()
    own = getattr(text_config, "max_position_embeddings", None) or max_model_len
    length = min(max_model_len, int(own))
    return ModelInfo(own_tokenizer, eos_ids(model, text_config), int(text_config.vocab_size), length)


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


def same_architecture(path: str | Path, config: Any) -> None:
    """Raises `UserError` unless the checkpoint at `path` can replace the weights of a model with `config`."""
    from transformers import AutoConfig

    other = AutoConfig.from_pretrained(str(path)).get_text_config()
    config = config.get_text_config()
    for field in ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"):
        here, there = getattr(config, field, None), getattr(other, field, None)
        if here != there:
            raise UserError(f"cannot load the weights of '{path}' in place: its {field} is {there}, not {here}")
