"""Decoding as a model's own card recommends it: `--sampling card`, read from generation_config.json."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.config import Sampling
from harness.errors import UserError
from harness.generation.chat_files import generation_config

FIELDS = ("top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty")


def card_sampling(model: str, sampling: Sampling) -> Sampling:
    """`sampling` with what `model`'s generation_config.json says about the choice of a token.

    What it leaves out is not filled in by anybody's defaults (transformers' top_k=50): all tokens stay, as in vLLM. It
    recommends greedy decoding where it says `do_sample: false`, and temperature 1 where it says `do_sample: true` and
    no temperature.

    Raises:
        UserError: There is no such file, it says nothing of sampling, or a value of it is none.
    """
    found = generation_config(model)
    said: dict[str, Any] = {name: found[name] for name in FIELDS if found.get(name) is not None}
    samples, temperature = found.get("do_sample"), found.get("temperature")
    if samples is None and temperature is None and not said:
        raise UserError(
            f"--sampling card: the generation_config.json of '{model}' recommends nothing; leave it out, and give "
            "--temperature and --set sampling.top_p=... as the model's card says"
        )
    if samples is False or (samples is None and temperature is None):
        temperature = 0.0
    said["temperature"] = 1.0 if temperature is None else temperature
    try:
        return replace(sampling, **{name: _plain(name, value) for name, value in said.items()})
    except UserError as error:
        raise UserError(f"--sampling card: the generation_config.json of '{model}': {error}") from None


def _plain(name: str, value: Any) -> Any:
    if name == "top_k":
        return max(0, value) if isinstance(value, int) else value  # -1: all tokens
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
