"""The sampling parameters of one turn, under the names that vLLM and its server share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.config import Sampling
from harness.generation.budget import Turn
from harness.generation.engines.base import Request


def decoding(request: Request, turn: Turn) -> dict[str, Any]:
    """How the tokens of `turn` are chosen.

    Each is named, also where it has no effect: a server fills in what the checkpoint recommends (Qwen2.5:
    repetition_penalty 1.05) for one that is not. Penalties of presence and frequency are over the tokens sampled in the
    turn, that of repetition over all that the model sees.
    """
    sampling, temperature = request.sampling, request.temperature(turn)
    return {
        "temperature": temperature,
        "top_p": request.top_p(turn),
        "top_k": sampling.top_k or -1,
        "min_p": sampling.min_p,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "repetition_penalty": sampling.repetition_penalty,
        "seed": request.turn_seed() if temperature > 0 else None,
        "logprobs": 0 if request.wants_logprobs(turn) else None,
    }


OWN_SERVERS = ("vllm", "sglang")  # fill in what the checkpoint recommends, and know every parameter


def chat_decoding(sampling: Sampling, owner: str) -> dict[str, Any]:
    """How the tokens of a chat reply are chosen.

    Args:
        sampling: What is wanted.
        owner: Who serves the model. A hosted API refuses names that it does not know, so it gets what differs from all
            tokens at their own odds; a server of `OWN_SERVERS` gets every name.
    """
    wanted: dict[str, tuple[Any, Any]] = {
        "top_p": (sampling.top_p, 1.0),
        "top_k": (sampling.top_k or -1, -1),
        "min_p": (sampling.min_p, 0.0),
        "presence_penalty": (sampling.presence_penalty, 0.0),
        "frequency_penalty": (sampling.frequency_penalty, 0.0),
        "repetition_penalty": (sampling.repetition_penalty, 1.0),
    }
    every = owner.lower() in OWN_SERVERS
    given = {name: value for name, (value, default) in wanted.items() if every or value != default}
    return {"temperature": sampling.temperature, **given}


def biases(request: Request, masked: Sequence[int]) -> dict[int, float]:
    """Token id -> what is added to its logit: the user's own biases; -100 leaves a `masked` id no chance."""
    return {int(token): bias for token, bias in request.sampling.logit_bias} | dict.fromkeys(masked, -100.0)
