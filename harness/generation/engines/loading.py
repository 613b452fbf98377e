"""Which checkpoint an engine generates with, and the proof of it: every load of one answers the probe."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from harness.config import fingerprint
from harness.errors import UserError
from harness.generation.engines import probe
from harness.generation.engines.base import Engine
from harness.thinking import ThinkingFormat

logger = logging.getLogger(__name__)


class WrongWeightsError(UserError):
    """The engine does not answer as the checkpoint does. Starting another engine would not help."""


@dataclass(frozen=True)
class Loaded:
    """What an engine generates with.

    `probe_difference`: the largest difference to the checkpoint's own log-probabilities, in nats; None where the
    engine's first start is all that is known of the model. `restarted`: why the weights were not swapped in place,
    where they were not.
    """

    model: str
    tokenizer: str  # fingerprint of its vocabulary and chat template
    probe_difference: float | None
    dtype: str = "unknown"  # computed in; a server does not tell
    restarted: str | None = None
    served_model: str | None = None  # the server's name for it


def load(engine: Engine, model: str, thinking: ThinkingFormat, known: MutableMapping[str, probe.Probe]) -> Loaded:
    """Make `engine` generate with `model` (a folder or hub name) and prove it.

    Args:
        engine: An engine that is up, with any model.
        model: The checkpoint to use.
        thinking: The delimiters in the probe's prompts, where this start makes the probe.
        known: Probes of models by name, of this engine's earlier fresh starts; a new one is added.

    Raises:
        WrongWeightsError: The engine answers otherwise than the checkpoint does, also after a fresh start.
    """
    path = probe.beside(model)
    expected = probe.Probe.read(path) if path else known.get(model)
    restarted = None
    if engine.model != model:
        # A swap that nothing can be held against is no swap: a fresh start reads what the checkpoint says.
        restarted = engine.load_weights(model, in_place=expected is not None)
    difference = None
    if expected is None and engine.can_restart:
        asked = probe.sequences(engine.tokenizer, thinking)
        known[model] = probe.taken(asked, _answers(engine, asked), engine.dtype)
    elif expected is not None:
        _check_fits(expected, engine, path)
        difference = expected.difference(_answers(engine, expected.sequences))
        allowed = expected.allowed(engine.dtype)
        if not difference <= allowed and engine.can_restart:
            restarted = f"its log-probabilities differed by up to {difference.largest:.2g} nats from the checkpoint's"
            logger.warning("%s: %s; starting the engine again", model, restarted)
            engine.restart()
            difference = expected.difference(_answers(engine, expected.sequences))
        if not difference <= allowed:  # also where it is not a number
            raise WrongWeightsError(
                f"{engine.name} does not generate with the weights of '{model}': its log-probabilities differ by "
                f"up to {difference.largest:.2g} nats (rms {difference.rms:.2g}) from what {path or 'its first start'} "
                f"holds; rounding in {engine.dtype} explains {allowed.largest:g} (rms {allowed.rms:g}). If the weights "
                f"were changed on purpose, remove {probe.FILE}, else train again"
            )
    vocabulary = sorted(engine.tokenizer.get_vocab().items(), key=lambda item: item[1])
    tokenizer = fingerprint([vocabulary, engine.tokenizer.chat_template])
    largest = None if difference is None else difference.largest
    return Loaded(model, tokenizer, largest, engine.dtype, restarted, engine.served_model)


def _check_fits(expected: probe.Probe, engine: Engine, path: Path | None) -> None:
    """Raises `UserError` where `engine` cannot be asked: ids it does not have, or a context that holds no position."""
    largest = max(engine.tokenizer.get_vocab().values())
    if any(not 0 <= token <= largest for forced in expected.sequences for token in forced.ids):
        raise WrongWeightsError(
            f"{path} holds ids that the tokenizer of '{engine.model}' does not know: it is another model's; remove it, "
            "or bring back the checkpoint's own"
        )
    least = min(forced.start for forced in expected.sequences) + 1
    if engine.max_model_len < least:
        raise UserError(
            f"the context of {engine.max_model_len} tokens is too short to ask '{engine.model}' for its probe; "
            f"set engine.max_model_len to {least} at least"
        )


def _answers(engine: Engine, asked: tuple[probe.Forced, ...]) -> list[list[probe.Top]]:
    """What `engine` gives for `asked`, as far as its context reaches."""
    fits = engine.max_model_len - 1
    return engine.top_logprobs([forced.ids[:fits] for forced in asked], probe.NUM_ASKED)
