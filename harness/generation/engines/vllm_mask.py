"""Ids that the tokenizer does not know are never sampled: one mask for all requests, inside vLLM.

A model's embedding often has more rows than its tokenizer has tokens. As biases of each request the mask would cost
kilobytes a turn, and vLLM's GPU runner takes 1,024 biases, or allowed ids, per request: one more ends the engine. vLLM
loads the class by `NAME` into whichever of its two model runners it uses; releases whose newer runner takes no custom
processor use the older one then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vllm.v1.sample.logits_processor import LogitsProcessor as Processor

NAME = "harness.generation.engines.vllm_mask:MissingIds"
KEY = "harness_missing_ids"  # in vLLM's `additional_config`, which reaches every worker

try:  # since 0.31
    from vllm.v1.worker.gpu.sample.logits_processor import LogitsProcessor as GpuRunnerProcessor
except ImportError:
    GpuRunnerProcessor = object


class MissingIds(Processor, GpuRunnerProcessor):
    """Sets the logits of the ids under `KEY` to minus infinity. No state of a request is looked at."""

    def __init__(self, vllm_config: Any, *where: Any) -> None:
        """`where`: the device (the older runner), or a state that has it."""
        import torch

        device = getattr(where[0], "device", where[0])
        self._missing = torch.tensor(vllm_config.additional_config[KEY], dtype=torch.long, device=device)

    def is_argmax_invariant(self) -> bool:
        """No: the most likely id can be a masked one."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """Nothing depends on who is in the batch."""

    def apply(self, logits: Any, *_: Any) -> Any:
        """Masks `logits` (rows x ids of the embedding) in place."""
        return logits.index_fill_(-1, self._missing, float("-inf"))


def arguments(missing: Iterable[int]) -> dict[str, Any]:
    """What vLLM's engine takes so that `missing` are never sampled; nothing where none is missing."""
    ids = sorted(missing)
    return {"logits_processors": [NAME], "additional_config": {KEY: ids}} if ids else {}
